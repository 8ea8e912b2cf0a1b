"""The mechanical twin under the trainer: iris is learned in place, and every kind of lattice can be trained."""

from typing import Any

import numpy as np
import pytest

from ffzero_lab import open_device
from ffzero_lab.datasets import load_dataset
from ffzero_lab.training import Session, TrainSettings


def trained(steps: int, **options: Any) -> Session:
    device = open_device("twin:mechanical", **{"nx": 6, "ny": 6, "loads": {"count": 4}, **options})
    running = Session(device, load_dataset("iris"), TrainSettings(dataset="iris", steps=steps))
    list(running.run())
    return running


def accuracy(running: Session) -> float:
    assert running.trained is not None
    return float((running.trained.similarity.sum(axis=0).argmax(axis=1) == running.dataset.test_labels).mean())


def test_a_typical_lattice_learns_iris_from_its_own_readings() -> None:
    assert accuracy(trained(1500)) > 0.9


@pytest.mark.parametrize(
    "options",
    [{"layers": 2}, {"membranes": 2, "layers": 2}, {"springs": {"cubic_n_per_m3": 1e5}}, {"preset": "harsh"}],
)
def test_every_kind_of_lattice_can_be_trained_within_its_bounds(options: dict[str, Any]) -> None:
    running = trained(20, **options)
    for layer, described in zip(running.network.layers, running.device.description.layers, strict=True):
        assert (layer.parameters >= described.per_parameter("lower")).all()
        assert (layer.parameters <= described.per_parameter("upper")).all()
        moved = np.log(layer.parameters / running._untrained.layers[0].parameters[0])
        assert moved.std() > 0.1
    assert 0.0 <= accuracy(running) <= 1.0
