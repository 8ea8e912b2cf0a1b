"""What a session does to a device: order, counts, stops, honesty."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ffzero_lab import open_device
from ffzero_lab.datasets import Dataset
from ffzero_lab.device import Counts, DarkBatch, Guarded
from ffzero_lab.errors import InputError
from ffzero_lab.training import Checked, Event, LayerDone, Problem, Session, StepDone, TrainSettings


def small_dataset(seed: int = 0, classes: int = 3, per_class: int = 40) -> Dataset:
    """Clusters in six features, three quarters of them for training."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0.2, 0.8, (classes, 6))
    labels = np.repeat(np.arange(classes), per_class)
    inputs = np.clip(centres[labels] + 0.05 * rng.standard_normal((len(labels), 6)), 0.0, 1.0)
    test = np.arange(len(labels)) % 4 == 0
    names = tuple(f"class {c}" for c in range(classes))
    return Dataset("clusters", inputs[~test], labels[~test], inputs[test], labels[test], names)


def session(dataset: Dataset | None = None, device: Guarded | None = None, **settings: Any) -> Session:
    chosen = {"steps": 30, "batch": 32} | settings
    return Session(device or small_twin(), dataset or small_dataset(), TrainSettings(**chosen))


def small_twin(**options: Any) -> Guarded:
    return open_device("twin", **({"ports": 8, "layers": 2} | options))


def events(running: Session) -> list[Event]:
    return [event for moment in running.run() for event in moment]


def test_training_improves_on_the_untrained_device_and_the_first_layer_alone() -> None:
    running = session(steps=400)
    list(running.run())
    labels = running.dataset.test_labels
    assert running.progress is not None
    assert running.progress.untrained is not None
    assert running.trained is not None
    untrained = (running.progress.untrained.sum(axis=0).argmax(axis=1) == labels).mean()
    trained = (running.trained.similarity.sum(axis=0).argmax(axis=1) == labels).mean()
    assert trained > untrained + 0.2
    assert trained > 0.85


def test_a_trained_layer_is_never_written_with_other_values_again() -> None:
    device = small_twin()
    written: list[tuple[int, bytes]] = []
    original = device.driver.write_parameters

    def spy(layer: int, values: np.ndarray) -> None:
        written.append((layer, values.tobytes()))
        original(layer, values)

    device.driver.write_parameters = spy  # type: ignore[method-assign]
    running = session(device=device, baselines=False, steps=5)
    list(running.run())
    first_of_second_layer = next(i for i, (layer, _) in enumerate(written) if layer == 1)
    frozen = {values for layer, values in written[first_of_second_layer:] if layer == 0}
    assert frozen == {running.network.layers[0].parameters.tobytes()}


def test_the_first_layer_does_not_depend_on_logging_baselines_or_the_layers_behind_it() -> None:
    losses = []
    for layers, settings in ((2, {}), (1, {"log_every": 1, "baselines": False})):
        running = session(device=small_twin(layers=layers, preset="ideal"), steps=6, **settings)
        losses.append([e.loss for e in events(running) if isinstance(e, StepDone) and e.layer == 0])
    assert len(losses[0]) == 6
    assert losses[0] == losses[1]


def test_a_cascade_counts_the_look_at_its_taps_as_planned() -> None:
    running = session(device=small_twin(topology="cascaded", preset="ideal"))
    list(running.run())
    assert running.device.ledger.by_purpose == {**running.plan.counts, "calibration": Counts()}


def test_a_dark_tap_takes_the_baseline_away_but_lets_the_first_layer_train() -> None:
    running = session(device=small_twin(topology="cascaded"), steps=5)
    done: list[Event] = []
    with pytest.raises(DarkBatch, match="layer 1"):
        done.extend(event for moment in running.run() for event in moment)
    assert running.progress is not None
    assert running.progress.untrained is None
    assert any(isinstance(e, Problem) and "gives no baseline" in e.message for e in done)
    assert [e.layer for e in done if isinstance(e, LayerDone)] == [0]


def test_the_untrained_baseline_is_untrained_even_when_starting_from_a_trained_network() -> None:
    first = session(steps=300)
    list(first.run())
    second = Session(small_twin(), first.dataset, TrainSettings(steps=1, batch=32), first.network)
    list(second.run())
    assert first.progress is not None
    assert second.progress is not None
    np.testing.assert_allclose(second.progress.untrained, first.progress.untrained)


def test_looking_at_the_validation_part_moves_and_counts_nothing() -> None:
    wrapped = []
    for check_every in (1, 1000):
        running = session(device=small_twin(preset="ideal"), validation=0.2, check_every=check_every, steps=20)
        wrapped.append(next(e.wrapped for e in events(running) if isinstance(e, LayerDone)))
    assert wrapped[0] == wrapped[1]


def test_patterns_that_go_dark_after_training_stop_the_run_instead_of_counting_as_answers() -> None:
    device = small_twin(layers=1)
    original = device.driver.read_outputs

    def half_dark(layer: int, rows: np.ndarray) -> np.ndarray:
        outputs = original(layer, rows)
        if len(rows) == 90:  # all training patterns: the carry
            outputs[::2] = 0.0
        return outputs

    device.driver.read_outputs = half_dark  # type: ignore[method-assign]
    with pytest.raises(DarkBatch, match="45 of 90 patterns"):
        list(session(device=device, steps=3).run())


def test_a_chip_whose_heaters_would_draw_too_much_is_refused_before_anything_is_written() -> None:
    device = small_twin(heaters={"budget_w": 0.01})
    with pytest.raises(InputError, match=r"training cannot start: .*budget is 0\.01 W.*cooling"):
        session(device=device)
    assert device.clock.now_s() == 0.0


def test_the_planned_counts_are_the_counts() -> None:
    for settings in ({}, {"validation": 0.2, "check_every": 10}, {"readings": "abba"}, {"directions_per_step": 3}):
        running = session(**settings)
        list(running.run())
        for purpose, counts in running.plan.counts.items():
            assert running.device.ledger.by_purpose[purpose] == counts, (settings, purpose)
        assert running.plan.seconds == pytest.approx(running.device.clock.now_s(), rel=0.15)


def test_the_test_part_changes_nothing_that_is_trained() -> None:
    data = small_dataset()
    scrambled = replace(
        data, test_inputs=data.test_inputs[::-1].copy(), test_labels=data.test_labels[:12].repeat(3)[:30]
    )
    ends = []
    for dataset in (data, scrambled):
        running = session(dataset, baselines=False)
        list(running.run())
        ends.append(running.network.layers[1].parameters)
    np.testing.assert_array_equal(*ends)


def test_without_accumulation_the_second_layer_learns_the_task_by_itself() -> None:
    running = session(accumulate=False, steps=400, seed=1)
    done = [event for event in events(running) if isinstance(event, LayerDone)]
    assert done[1].train_score > 0.8


def test_with_patience_the_best_look_at_the_validation_part_is_kept() -> None:
    running = session(validation=0.25, check_every=5, patience=1000, steps=100, learning_rate=0.3, batch=8)
    looks = [event.validation_score for event in events(running) if isinstance(event, Checked) and event.layer == 0]
    rows = running._validation_rows
    assert len(set(rows) & set(running._train_rows)) == 0
    patterns = running.network.encoder.encode(running.dataset.train_inputs).patterns[rows]
    similarity = running.network.measure(running.device, patterns).similarity[0]
    kept = (similarity.argmax(axis=1) == running.dataset.train_labels[rows]).mean()
    assert kept >= max(looks) - 2.5 / len(rows)  # another noise, a little drift


def test_a_budget_stops_every_layer_within_its_share_even_when_the_device_is_slower_than_it_says() -> None:
    device = small_twin()
    slow = device.driver.write_parameters

    def slower(layer: int, values: np.ndarray) -> None:
        slow(layer, values)
        device.clock.sleep_s(2e-3)

    device.driver.write_parameters = slower  # type: ignore[method-assign]
    running = session(device=device, steps=10_000, budget=1.0)
    done = [event for event in events(running) if isinstance(event, LayerDone)]
    assert [event.stopped_by for event in done] == ["budget", "budget"]
    assert device.clock.now_s() < 1.1


def test_dark_patterns_are_counted_and_more_than_one_percent_stop_the_run() -> None:
    data = small_dataset()
    inputs = np.hstack([data.train_inputs, np.zeros((len(data.train_inputs), 2))])
    inputs[::10] = 0.0
    test = np.hstack([data.test_inputs, np.zeros((len(data.test_inputs), 2))])
    dark = replace(data, train_inputs=inputs, test_inputs=test)
    with pytest.raises(DarkBatch, match=r"layer 0: \d+ of 32 patterns are under the detection floor"):
        list(session(dark).run())


def test_values_outside_the_training_range_are_told() -> None:
    data = small_dataset()
    test = data.test_inputs.copy()
    test[3, 2] = 7.0
    problems = [e.message for e in events(session(replace(data, test_inputs=test))) if isinstance(e, Problem)]
    assert any("1 test values lie outside the training range" in message for message in problems)


def test_what_does_not_fit_is_refused_before_the_device_is_touched() -> None:
    device = small_twin(ports=5)
    with pytest.raises(InputError, match="6 features"):
        session(device=device)
    with pytest.raises(InputError, match=r"3 classes.*2 outputs"):
        session(device=small_twin(ports=2))
    assert device.ledger.total.writes == 0
    assert device.clock.now_s() == 0.0


def test_dead_channels_never_move() -> None:
    device = small_twin(layers=1)
    layer = device.description.layers[0].model_copy(update={"dead": (0, 5, 63)})
    device.description = device.description.model_copy(update={"layers": (layer,)})
    running = session(device=device, steps=20)
    list(running.run())
    moved = running.network.layers[0].parameters
    assert (moved[[0, 5, 63]] == 0.0).all()
    assert np.count_nonzero(moved) == 61


def test_the_same_seed_repeats_a_session_exactly_and_prototypes_follow_the_seed() -> None:
    networks = []
    for seed in (1, 1, 2):
        running = session(seed=seed)
        list(running.run())
        networks.append(running.network)
    for a, b in zip(networks[0].layers, networks[1].layers, strict=True):
        np.testing.assert_array_equal(a.parameters, b.parameters)
    assert not np.array_equal(networks[0].layers[0].head.prototypes, networks[2].layers[0].head.prototypes)


def test_fed_again_every_layer_is_given_the_patterns_of_the_first() -> None:
    running = session(feed="input", steps=3)
    list(running.run())
    assert [layer.carry for layer in running.network.layers] == [None, None]
    assert running.progress is not None
    encoded = running.network.encoder.encode(running.dataset.train_inputs).patterns
    assert np.array_equal(running.progress.patterns, encoded)


@pytest.mark.parametrize(
    ("options", "settings", "message"),
    [
        ({"topology": "cascaded"}, {"feed": "input"}, "is a cascade"),
        ({}, {"readings": "group"}, "directions_per_step to 2 or more"),
        (
            {},
            {"readings": "group", "directions": "orthogonal", "directions_per_step": 4},
            "needs independent directions",
        ),
    ],
)
def test_feeds_and_groups_that_cannot_be_are_refused(options: Any, settings: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        session(device=small_twin(**options), **settings)


def test_a_group_of_readings_learns_as_pairs_do() -> None:
    running = session(readings="group", directions_per_step=8, steps=100, learning_rate=0.02)
    list(running.run())
    assert running.trained is not None
    assert running.network.aim.scores(running.trained.similarity, running.test_wanted)["sum"] > 0.8
    assert running.device.ledger.by_purpose["training"].readings == 2 * 100 * 8
