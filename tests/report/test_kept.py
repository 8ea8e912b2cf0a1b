"""A run keeps where it began and what the test part answered, so that a report needs neither device nor data set."""

from pathlib import Path

import numpy as np
import pytest

from ffzero_lab import open_device
from ffzero_lab.datasets import Dataset
from ffzero_lab.errors import InputError
from ffzero_lab.kept import evaluation_of, read_evaluation, read_start, start_of
from ffzero_lab.training import Session, TrainSettings
from ffzero_lab.training.layer import initial_parameters


def flowers(task: str = "classification") -> Dataset:
    rng = np.random.default_rng(4)
    labels = np.repeat([0, 1, 2], 16)
    inputs = np.clip(np.eye(3)[labels] + 0.1 * rng.uniform(size=(48, 3)), 0.0, 1.0)
    test = np.arange(48) % 4 == 0
    if task == "regression":
        targets, none = inputs.sum(axis=1), np.zeros(0, dtype=np.int64)
        return Dataset("sums", inputs[~test], none, inputs[test], none, (), targets[~test], targets[test])
    return Dataset("flowers", inputs[~test], labels[~test], inputs[test], labels[test], ("a", "b", "c"))


def ended(dataset: Dataset, tmp_path: Path, device: str = "twin", **options: object) -> Session:
    opened = open_device(device, **options)
    session = Session(opened, dataset, TrainSettings(dataset="any", steps=3, batch=8))
    (tmp_path / "start.npz").write_bytes(start_of(session))
    list(session.run())
    (tmp_path / "evaluation.npz").write_bytes(evaluation_of(session))
    return session


def test_the_start_is_what_was_drawn_whatever_training_did_since(tmp_path: Path) -> None:
    session = ended(flowers(), tmp_path, ports=4, layers=2)
    start = read_start(tmp_path)
    assert start is not None
    description = session.device.description
    for number, parameters in enumerate(start.parameters):
        assert np.array_equal(parameters, initial_parameters(description.layers[number], 0, number))
        assert not np.array_equal(parameters, session.network.layers[number].parameters)
    assert start.description(description.model_dump(mode="json")) == description


def test_the_springs_of_a_lattice_are_kept_with_the_start(tmp_path: Path) -> None:
    session = ended(flowers(), tmp_path, "twin:mechanical", nx=4, ny=2)
    start = read_start(tmp_path)
    assert start is not None
    kept = start.description(session.device.description.model_dump(mode="json"))
    assert kept.layers[0].network == session.device.description.layers[0].network is not None


def test_the_evaluation_gives_the_scores_of_the_summary_and_the_mean_input_of_each_class(tmp_path: Path) -> None:
    session = ended(flowers(), tmp_path, ports=4, layers=2)
    kept = read_evaluation(tmp_path)
    assert kept is not None
    assert session.trained is not None
    assert session.network.aim.scores(kept.similarity, kept.wanted) == session.network.aim.scores(
        session.trained.similarity, session.test_wanted
    )
    assert kept.untrained is not None
    assert [each.shape for each in kept.inputs] == [(3, 4), (3, 4)]
    encoded = session.network.encoder.encode(session.dataset.test_inputs).patterns
    for number in range(3):
        own = [row for row, label in zip(encoded, session.dataset.test_labels, strict=True) if label == number]
        assert kept.inputs[0][number] == pytest.approx(sum(own) / len(own))


def test_of_a_regression_the_mean_of_all_inputs_is_kept(tmp_path: Path) -> None:
    ended(flowers("regression"), tmp_path, ports=4, layers=1)
    kept = read_evaluation(tmp_path)
    assert kept is not None
    assert kept.inputs[0].shape == (1, 4)
    assert np.abs(kept.wanted).max() < 3.0


def test_in_a_cascade_only_the_first_layer_has_inputs_that_anybody_knows(tmp_path: Path) -> None:
    ended(flowers(), tmp_path, ports=4, layers=2, topology="cascaded", preset="ideal")
    kept = read_evaluation(tmp_path)
    assert kept is not None
    assert len(kept.inputs) == 1


def test_without_files_there_is_nothing_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    assert read_start(tmp_path) is None
    assert read_evaluation(tmp_path) is None
    (tmp_path / "start.npz").write_bytes(b"PK but no archive")
    with pytest.raises(InputError, match=r"start\.npz is a corrupt"):
        read_start(tmp_path)
    np.savez(tmp_path / "evaluation.npz", other=np.zeros(2))
    with pytest.raises(InputError, match=r"evaluation\.npz lacks"):
        read_evaluation(tmp_path)


def test_a_session_that_has_not_ended_has_no_evaluation() -> None:
    session = Session(open_device("twin", ports=4), flowers(), TrainSettings(dataset="any", steps=3))
    with pytest.raises(ValueError, match="ran to its end"):
        evaluation_of(session)
