"""Rules that follow a twin's ideal physics, and the cosine between an estimate and the exact gradient."""

from typing import Any

import numpy as np
import pytest

import drivers.twin.tracing  # noqa: F401 - double precision, as every ideal model asks for
from ffzero_lab import open_device
from ffzero_lab.datasets import load_dataset
from ffzero_lab.device import Guarded, Modelled
from ffzero_lab.training import Session, StepDone, TrainSettings
from ffzero_lab.training.carry import Carry
from ffzero_lab.training.modelling import carried, whole_model
from ffzero_lab.training.whole import WholeNetwork

DEVICES: dict[str, tuple[str, dict[str, Any]]] = {
    "crossbar": ("twin:crossbar", {"sizes": [4, 6, 6], "activation": "tanh"}),
    "crossbar cascade": ("twin:crossbar", {"sizes": [4, 6, 6], "activation": "tanh", "topology": "cascaded"}),
    "photonic": ("twin:photonic", {"ports": 4, "layers": 2}),
    "photonic cascade": ("twin:photonic", {"ports": 4, "layers": 2, "topology": "cascaded"}),
    "mechanical": ("twin:mechanical", {"nx": 4, "ny": 4, "loads": {"count": 4}}),
}


LARGER: tuple[str, dict[str, Any]] = ("twin:photonic", {"ports": 6, "layers": 2})


def open_named(name: str, preset: str = "ideal") -> Guarded:
    device, options = LARGER if name == "larger mesh" else DEVICES[name]
    return open_device(device, **{**options, "preset": preset})


def session(name: str, preset: str = "ideal", **settings: Any) -> Session:
    chosen = {"batch": 16, "steps": 30, "baselines": False} | settings
    return Session(open_named(name, preset), load_dataset("iris"), TrainSettings(**chosen))


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n.startswith("crossbar") else [pytest.mark.slow]) for n in DEVICES]
)
def test_the_model_of_all_layers_is_what_the_ideal_twin_does(name: str) -> None:
    device = open_named(name)
    whole = WholeNetwork(device)
    rng = np.random.default_rng(3)
    described = whole.description.layers[0]
    lower, upper = described.per_parameter("lower"), described.per_parameter("upper")
    values = lower + rng.uniform(0.3, 0.6, described.n_parameters) * (upper - lower)
    patterns = rng.uniform(0.1, 1.0, (7, described.n_inputs)) * described.input_upper
    whole.load_inputs(0, patterns)
    whole.write_parameters(0, values)
    assert isinstance(device.driver, Modelled)
    modelled = np.asarray(whole_model(device.driver, whole)([values], patterns))
    np.testing.assert_allclose(modelled, whole.read_outputs(0, np.arange(7)), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("lower", [0.0, -2.0, 0.5])
def test_what_is_carried_in_the_model_is_what_the_carry_gives(lower: float) -> None:
    carry = Carry(lower, 2.0)
    outputs = np.random.default_rng(0).normal(size=(5, 4))
    outputs[2] = 0.0
    outputs[3] = -np.abs(outputs[3])
    np.testing.assert_allclose(np.asarray(carried(carry, outputs)), carry.apply(outputs), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("rule", ["ff-ad", "bp-ad"])
@pytest.mark.parametrize(
    "name", [name if name == "crossbar cascade" else pytest.param(name, marks=pytest.mark.slow) for name in DEVICES]
)
def test_the_gradient_is_that_of_the_loss_as_the_ideal_device_gives_it(name: str, rule: str) -> None:
    running = session(name, rule=rule, sharpness=3.0)
    next(steps := running.run())
    while running._trainer is None:
        next(steps)
    trainer, device = running._trainer, running.trained_as
    rows, box = np.arange(12), trainer._scale.box
    start = 0.5 * trainer.parameters + 0.25 * (box.lower + box.upper)  # room to move
    gradient = trainer._slopes.at(0).estimate(start, rows).gradient
    rng = np.random.default_rng(1)
    for _ in range(3):
        direction = rng.normal(size=len(start)) * trainer._scale._typical_change
        step = 1e-4
        losses = [
            trainer.task.judge(outputs, trainer.task.wanted[rows], trainer.task.base[rows]).loss
            for outputs in device.probe(0, trainer._scale.values(start + np.outer([step, -step], direction)), rows)
        ]
        assert (losses[0] - losses[1]) / (2.0 * step) == pytest.approx(gradient @ direction, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("rule", ["ff-ad", "bp-ad"])
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n == "crossbar cascade" else [pytest.mark.slow]) for n in list(DEVICES)[:3]]
)
def test_a_model_learns_iris_without_a_reading_for_training(name: str, rule: str) -> None:
    running = session(name if name != "photonic" else "larger mesh", "typical", rule=rule, steps=200, batch=64)
    scores = [event.score for moment in running.run() for event in moment if isinstance(event, StepDone)]
    assert np.mean(scores[-20:]) > 0.85
    assert running.device.ledger.by_purpose["training"].readings == 0
    assert running.device.ledger.by_purpose == {**running.plan.counts, "calibration": running.plan.counts["training"]}


@pytest.mark.parametrize("rule", [pytest.param("bp-ad", marks=pytest.mark.slow), "bp-dd"])
def test_the_rule_goes_on_exactly_where_it_stopped(rule: str) -> None:
    settings = {"rule": rule, "steps": 12}
    undisturbed = session("photonic", "typical", **settings)
    list(undisturbed.run())
    first = session("photonic", "typical", **settings)
    for _, moment in zip(range(9), first.run(), strict=False):
        del moment
    state = first.state()
    assert state is not None
    second = session("photonic", "typical", **settings)
    second.restore(first.network, *state)
    list(second.run())
    for ours, theirs in zip(second.network.layers, undisturbed.network.layers, strict=True):
        np.testing.assert_array_equal(ours.parameters, theirs.parameters)
    assert second.trained is not None
    assert undisturbed.trained is not None
    np.testing.assert_array_equal(second.trained.similarity, undisturbed.trained.similarity)


@pytest.mark.parametrize("name", ["crossbar", "photonic", "photonic cascade", "mechanical"])
def test_with_every_coordinate_measured_the_estimate_is_the_exact_gradient(name: str) -> None:
    n_parameters = open_named(name).description.layers[0].n_parameters
    running = session(
        name, directions="coordinate", directions_per_step=n_parameters, diagnose=True, log_every=1, steps=2, batch=64
    )
    told = [event for moment in running.run() for event in moment if isinstance(event, StepDone)]
    assert [event.cosine is not None and event.cosine > 0.999 for event in told if event.layer == 0] == [True, True]


def test_a_random_direction_points_a_little_towards_the_exact_gradient() -> None:
    running = session("crossbar", "typical", diagnose=True, log_every=1, steps=150, slopes="total", learning_rate=1e-9)
    told = [event.cosine for moment in running.run() for event in moment if isinstance(event, StepDone)]
    n_parameters = running.device.description.layers[0].n_parameters
    mean = np.mean([cosine for cosine in told[:150] if cosine is not None])
    assert 0.5 / np.sqrt(n_parameters) < mean < 1.2 / np.sqrt(n_parameters)  # √(2/π) of 1/√P for a total slope


def test_diagnosis_changes_nothing_and_is_told_with_the_rows_only() -> None:
    told = {}
    for diagnose in (False, True):
        running = session("photonic", "typical", diagnose=diagnose, log_every=10, steps=25)
        steps = [event for moment in running.run() for event in moment if isinstance(event, StepDone)]
        told[diagnose] = [event.loss for event in steps]
        seen = [event.step for event in steps if event.cosine is not None and event.layer == 0]
        assert seen == ([10, 20, 25] if diagnose else [])
    assert told[False] == told[True]
