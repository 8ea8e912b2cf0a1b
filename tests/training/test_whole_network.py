"""All layers as one, and the rule with one loss at the end."""

from typing import Any

import numpy as np
import pytest

from ffzero_lab import open_device
from ffzero_lab.datasets import Dataset, load_dataset
from ffzero_lab.device import Counts, Guarded, LayerDescription, LimitViolation
from ffzero_lab.errors import InputError
from ffzero_lab.training import Session, StepDone, TrainSettings
from ffzero_lab.training.carry import Carry
from ffzero_lab.training.whole import WholeNetwork, as_one_layer

SIZES = [4, 6, 5]


def crossbar(**options: Any) -> Guarded:
    return open_device("twin:crossbar", **({"sizes": SIZES, "preset": "ideal", "activation": "tanh"} | options))


def parameters_of(device: Guarded) -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.concatenate([rng.uniform(-0.5, 0.5, layer.n_parameters) for layer in device.description.layers])


PATTERNS = np.random.default_rng(0).uniform(-1.0, 1.0, (9, 4))
ROWS = np.array([7, 2, 2, 5])


def test_reinjected_layers_give_what_their_steps_give_one_by_one() -> None:
    device, by_hand = crossbar(), crossbar()
    whole, values = WholeNetwork(device), parameters_of(by_hand)
    whole.load_inputs(0, PATTERNS)
    whole.write_parameters(0, values)
    n_first = by_hand.description.layers[0].n_parameters
    by_hand.load_inputs(0, PATTERNS)
    by_hand.write_parameters(0, values[:n_first])
    by_hand.write_parameters(1, values[n_first:])
    by_hand.load_inputs(1, Carry.into(by_hand.description.layers[1]).apply(by_hand.read_outputs(0, ROWS)))
    np.testing.assert_array_equal(whole.read_outputs(0, ROWS), by_hand.read_outputs(1, np.arange(4)))
    assert device.ledger.total == Counts(2, 2, 8)


def test_a_cascade_is_read_at_its_end_only() -> None:
    device, by_hand = crossbar(topology="cascaded"), crossbar(topology="cascaded")
    whole, values = WholeNetwork(device), parameters_of(by_hand)
    whole.load_inputs(0, PATTERNS)
    seen = whole.probe(0, np.stack([values, -values]), ROWS)
    by_hand.load_inputs(0, PATTERNS)
    n_first = by_hand.description.layers[0].n_parameters
    for number, setting in enumerate([values, -values]):
        by_hand.write_parameters(0, setting[:n_first])
        by_hand.write_parameters(1, setting[n_first:])
        np.testing.assert_allclose(seen[number], by_hand.read_outputs(1, ROWS), rtol=1e-12)
    assert device.ledger.total == Counts(4, 2, 8)


def test_hardware_that_layers_share_holds_each_of_them_while_it_is_read() -> None:
    device = crossbar()
    device.driver.description = device.description = device.description.model_copy(update={"shared_hardware": True})
    calls: list[tuple[str, int]] = []
    for name in ("write_parameters", "read_outputs"):
        original = getattr(device, name)

        def spy(layer: int, values: Any, name: str = name, original: Any = original) -> Any:
            calls.append((name.partition("_")[0], layer))
            return original(layer, values)

        setattr(device, name, spy)
    whole = WholeNetwork(device)
    whole.load_inputs(0, PATTERNS)
    whole.write_parameters(0, parameters_of(device))
    whole.read_outputs(0, ROWS)
    assert calls == [("write", 0), ("read", 0), ("write", 1), ("read", 1)]


def test_the_description_tells_layers_groups_dead_channels_and_reach() -> None:
    description = crossbar().description
    fields = [{name: getattr(layer, name) for name in LayerDescription.model_fields} for layer in description.layers]
    first, last = (LayerDescription(**{**own, "dead": dead}) for own, dead in zip(fields, [(1, 3), (2,)], strict=True))
    one = as_one_layer(description.model_copy(update={"layers": (first, last)})).layers[0]
    before = first.n_parameters
    assert (one.n_inputs, one.n_outputs, one.n_parameters) == (4, 5, before + last.n_parameters)
    assert [group.name for group in one.groups][:1] == ["layer0.weights"]
    assert one.groups[-1].name.startswith("layer1.")
    assert one.dead == (1, 3, before + 2)
    assert one.reach is not None
    assert last.reach is not None
    assert one.reach.first[:before].tolist() == [0] * before
    assert one.reach.stop[:before].tolist() == [5] * before
    assert one.reach.first[before:].tolist() == last.reach.first.tolist()


def test_the_guard_behind_it_refuses_what_a_layer_may_not_be_given() -> None:
    device = crossbar()
    values = parameters_of(device)
    values[-1] = np.nan
    with pytest.raises(LimitViolation, match="layer 1"):
        WholeNetwork(device).write_parameters(0, values)


@pytest.mark.parametrize("topology", ["reinjected", "cascaded"])
@pytest.mark.parametrize("slopes", ["total", "attributed"])
def test_one_loss_at_the_end_learns_iris_and_costs_what_was_planned(topology: str, slopes: str) -> None:
    device = crossbar(sizes=[4, 8, 8], topology=topology)
    settings = TrainSettings(rule="bp-dd", steps=400, batch=64, directions_per_step=2, slopes=slopes)
    running = Session(device, load_dataset("iris"), settings)
    scores = [event.score for moment in running.run() for event in moment if isinstance(event, StepDone)]
    assert np.mean(scores[-50:]) > max(0.85, np.mean(scores[:10]) + 0.1)
    assert running.trained is not None
    assert len(running.trained.similarity) == 1
    assert {**running.plan.counts, "calibration": Counts()} == device.ledger.by_purpose
    assert running.plan.total.readings == (2 if topology == "reinjected" else 1) * running.plan.total.writes // 2


def test_all_layers_learn() -> None:
    device = crossbar()
    running = Session(device, load_dataset("iris"), TrainSettings(rule="bp-dd", steps=20))
    before = running.network.layers[0].parameters
    list(running.run())
    moved = np.abs(running.network.layers[0].parameters - before) > 0.0
    edge = device.description.layers[0].n_parameters
    assert moved[:edge].mean() > 0.9
    assert moved[edge:].mean() > 0.9


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rule": "bp-dd", "feed": "input"}, "loss for each layer"),
        ({"rule": "bp-dd", "diagnose": True}, "single layers"),
        ({"rule": "bp-dd", "subspace": 2}, "single layers"),
        ({"rule": "ff-ad", "max_readings": 100}, "takes no readings"),
    ],
)
def test_what_does_not_go_with_a_rule_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Session(crossbar(), load_dataset("iris"), TrainSettings(**settings))


@pytest.mark.parametrize("slopes", ["total", "attributed"])
def test_with_a_loss_for_each_channel_earlier_layers_answer_to_all_of_them(slopes: str) -> None:
    layers = [{"kind": "conv", "channels": 2, "kernel": 2}, {"kind": "conv", "channels": 2, "kernel": 2}]
    options = {"inputs": (1, 5, 5), "layers": layers, "activation": "tanh", "topology": "cascaded", "preset": "ideal"}
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 3
    dataset = Dataset(
        "maps", rng.normal(size=(40, 25)), labels, rng.normal(size=(6, 25)), np.arange(6) % 3, tuple("abc")
    )
    estimates = []
    for rule in ("bp-dd", "bp-ad"):
        device = open_device("twin:crossbar", **options)
        n_parameters = sum(layer.n_parameters for layer in device.description.layers)
        chosen = {"directions": "coordinate", "directions_per_step": n_parameters} if rule == "bp-dd" else {}
        settings = TrainSettings(rule=rule, channels="own", slopes=slopes, baselines=False, epsilon=1e-4, **chosen)
        running = Session(device, dataset, settings)
        steps = running.run()
        while running._trainer is None:
            next(steps)
        trainer = running._trainer
        estimates.append(trainer._slopes.at(0).estimate(trainer.parameters, np.arange(30)).gradient)
    np.testing.assert_allclose(estimates[0], estimates[1], rtol=1e-3, atol=1e-6)
