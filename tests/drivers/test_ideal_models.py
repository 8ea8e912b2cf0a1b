"""Ideal models: what JAX traces is what the ideal twin reads, and what JAX derives are the slopes the twin tells."""

import subprocess
import sys
from typing import Any

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from drivers.twin.crossbar import CrossbarTwin
from drivers.twin.mechanical import MechanicalTwin
from drivers.twin.photonic import PhotonicTwin
from ffzero_lab.device import Modelled

Twin = type[CrossbarTwin | MechanicalTwin | PhotonicTwin]

PHOTONIC: list[dict[str, Any]] = [
    {"ports": 7, "drive": "power"},
    {"ports": 12},
    {"ports": 2, "layers": 1},
    {"ports": 5, "layers": 3, "topology": "cascaded", "activation": {"gain_rad": 2.0, "bias_rad": 1.0}},
    {"ports": 6, "drive": "volts", "topology": "cascaded", "modulators": {"kind": "iq"}},
    {"ports": 6, "modulators": {"kind": "iq"}, "heaters": {"resistance_ohm": 500.0, "pi_power_w": 1e-3}},
]
MECHANICAL: list[dict[str, Any]] = [
    {"nx": 4, "ny": 5},
    {"nx": 5, "ny": 3, "loads": {"count": 4, "bias_n": 0.3}, "layers": 2},
    {"nx": 4, "ny": 4, "membranes": 2, "gauges": {"readout": "pairs"}, "loads": {"nodes": [3, 7, 0]}},
    {"nx": 3, "ny": 3, "membranes": 2, "springs": {"cubic_n_per_m3": 1e9}},
]
CROSSBAR: list[dict[str, Any]] = [
    {"sizes": [6, 5, 4]},
    {"sizes": [6, 5], "activation": "tanh"},
    {"sizes": [6, 5, 4], "activation": "tanh", "topology": "cascaded"},
    {"inputs": 6, "layers": [{"kind": "dense", "outputs": 5, "activation": "none", "bias": False}]},
    {
        "inputs": [2, 9, 8],
        "layers": [{"kind": "conv", "channels": 5, "kernel": 3, "stride": 2, "padding": 1, "pool": 2}],
        "activation": "none",
    },
    {
        "inputs": [1, 9, 11],
        "topology": "cascaded",
        "layers": [
            {"kind": "conv", "channels": 4, "kernel": 4, "padding": 2, "pool": 3},
            {"kind": "conv", "channels": 3, "kernel": 2, "activation": "tanh", "bias": False},
            {"kind": "dense", "outputs": 5},
        ],
    },
]
QUICK = {PhotonicTwin: (2,), MechanicalTwin: (0,), CrossbarTwin: (1, 2, 3)}
"""The cases that JAX compiles in well under a second; between them every twin."""
CASES = [
    pytest.param(
        twin, options, id=f"{twin.__name__}-{number}", marks=[] if number in QUICK[twin] else [pytest.mark.slow]
    )
    for twin, every in ((PhotonicTwin, PHOTONIC), (MechanicalTwin, MECHANICAL), (CrossbarTwin, CROSSBAR))
    for number, options in enumerate(every)
]


@pytest.mark.parametrize(("twin", "options"), CASES)
def test_the_ideal_model_has_the_outputs_and_the_slopes_of_the_ideal_twin(
    twin: Twin, options: dict[str, Any], draw: Any
) -> None:
    device = twin.open(twin.Config(**{"preset": "ideal", **options}))
    assert isinstance(device, Modelled)
    layer = len(device.description.layers) - 1
    first = 0 if device.description.topology == "cascaded" else layer
    values = [draw.settings(device, each) for each in range(first, layer + 1)]
    inputs, loss, rows = draw.patterns(device, first), draw.loss(device, layer), draw.rows
    device.load_inputs(first, inputs)
    for number, own in enumerate(values, start=first):
        device.write_parameters(number, own)
    outputs = device.read_outputs(layer, rows)
    slopes = device.exact_slopes(layer, values[-1], rows, loss.slope_of)

    model = device.ideal_model(layer)

    def traced(own: Any, patterns: Any) -> Any:
        modelled = model([*values[:-1], own], patterns)
        return loss.of(modelled, jax.numpy.sin), modelled

    (_, modelled), derived = jax.jit(jax.value_and_grad(traced, has_aux=True))(values[-1], inputs[rows])
    assert modelled.dtype == np.float64
    assert_allclose(modelled, outputs, rtol=1e-9, atol=1e-9 * np.abs(outputs).max())
    assert_allclose(slopes, derived, rtol=1e-7, atol=1e-9 * np.abs(slopes).max())


@pytest.mark.parametrize("twin", [PhotonicTwin, MechanicalTwin, CrossbarTwin])
def test_nothing_hidden_enters_the_ideal_model(twin: Twin, draw: Any) -> None:
    """A harsh twin and the ideal one have the same model."""
    small = {"ports": 5} if twin is PhotonicTwin else {"sizes": [6, 5]} if twin is CrossbarTwin else {"nx": 3, "ny": 4}
    made = [("ideal", 0), ("harsh", 1)]
    devices = [twin.open(twin.Config(preset=preset, seed=seed, **small)) for preset, seed in made]
    values, inputs = [draw.settings(devices[0], 0)], draw.patterns(devices[0], 0)
    ideal, harsh = (np.asarray(jax.jit(device.ideal_model(0))(values, inputs)) for device in devices)
    assert_array_equal(harsh, ideal)


@pytest.mark.parametrize("twin", [PhotonicTwin, MechanicalTwin, CrossbarTwin])
def test_values_must_be_those_of_the_layers_that_the_signal_passes(twin: Twin, draw: Any) -> None:
    device = twin.open(twin.Config(preset="ideal"))
    values, inputs = draw.settings(device, 0), draw.patterns(device, 0)
    with pytest.raises(ValueError, match=r"values|zip"):
        device.ideal_model(0)([values, values], inputs)


@pytest.mark.parametrize("twin", [PhotonicTwin, MechanicalTwin, CrossbarTwin])
def test_without_jax_only_the_ideal_model_is_missing(twin: Twin, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = twin.__module__.rpartition(".")[0]
    monkeypatch.setitem(sys.modules, "jax", None)
    for module in ("drivers.twin.tracing", f"{kind}.ideal"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    device = twin.open(twin.Config(preset="ideal"))
    with pytest.raises(ModuleNotFoundError, match="jax"):
        device.ideal_model(0)


@pytest.mark.slow
def test_batches_on_either_side_of_the_number_of_ports_pass_alike(draw: Any) -> None:
    device = PhotonicTwin.open(PhotonicTwin.Config(preset="ideal", ports=8))
    values, inputs = [draw.settings(device, 0)], draw.rng.random((20, 8))
    model = jax.jit(device.ideal_model(0))
    assert_allclose(model(values, inputs)[:3], model(values, inputs[:3]), rtol=1e-12, atol=1e-12)


def test_twins_are_made_and_read_without_jax() -> None:
    program = (
        "import sys, ffzero_lab.cli\n"
        "from drivers.twin.crossbar import CrossbarTwin as C\n"
        "from drivers.twin.mechanical import MechanicalTwin as M\n"
        "from drivers.twin.photonic import PhotonicTwin as P\n"
        "[twin.open(twin.Config()) for twin in (C, M, P)]\n"
        "assert 'jax' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
