"""Exact slopes: equal to finite differences of the noiseless twin, and asking for them changes nothing."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from drivers.twin.crossbar import CrossbarTwin
from drivers.twin.mechanical import MechanicalTwin
from drivers.twin.photonic import PhotonicTwin
from ffzero_lab.device import Adjoint, Device, FloatArray, StagingLost

Twin = type[CrossbarTwin | MechanicalTwin | PhotonicTwin]
AT_ONCE = {"write_s": 0.0, "exchange_s": 0.0}
"""No time passes between two readings: drift and creep stand still while differences are taken."""

HEATERS_AT_ONCE = {"drive_bits": 0, "settling_s": 0.0}
QUIET_LIGHT = {"thermal_noise": 0.0, "shot_noise": 0.0, "adc_bits": 0}
CHIP: dict[str, Any] = {
    "preset": "harsh",
    "ports": 6,
    "seed": 3,
    "timing": {**AT_ONCE, "shot_s": 0.0},
    "heaters": HEATERS_AT_ONCE,
    "detectors": QUIET_LIGHT,
}
CHIP_FAULTS = [
    {"kind": "open", "parameter": "theta[2]"},
    {"kind": "short", "parameter": "phi[4]"},
    {"kind": "stuck", "parameter": "gamma[1]", "volts": 1.5},
    {"kind": "dead-detector", "output": 3},
    {"kind": "laser-step", "factor": 0.7},
]
LATTICE: dict[str, Any] = {
    "preset": "harsh",
    "nx": 4,
    "ny": 3,
    "seed": 4,
    "timing": {**AT_ONCE, "shot_s": 0.0},
    "springs": {"servo_bits": 0, "backlash": 0.0},
    "gauges": {"noise": 0.0, "adc_bits": 0},
}
LATTICE_FAULTS = [
    {"kind": "dead-servo", "parameter": "coupling[2]"},
    {"kind": "broken-spring", "parameter": "ground[4]"},
    {"kind": "dead-gauge", "output": 1},
    {"kind": "dead-load", "input": 5},
]
ARRAY: dict[str, Any] = {
    "preset": "harsh",
    "seed": 5,
    "timing": {**AT_ONCE, "vector_s": 0.0},
    "cells": {"programming_error": 0.0, "relative_error": 0.0, "bits": 0, "stuck_off": 0.1, "stuck_on": 0.1},
    "readout": {"noise": 0.0, "adc_bits": 0},
}
CONVOLUTIONS: dict[str, Any] = {
    "inputs": [2, 9, 8],
    "layers": [
        {"kind": "conv", "channels": 5, "kernel": 3, "stride": 1, "padding": 1, "pool": 2},
        {"kind": "conv", "channels": 3, "kernel": 2, "stride": 2, "activation": "tanh", "bias": False},
    ],
}
MADE: dict[str, tuple[Twin, dict[str, Any]]] = {
    "phases": (PhotonicTwin, CHIP),
    "powers": (PhotonicTwin, {**CHIP, "drive": "power", "ports": 5}),
    "volts": (PhotonicTwin, {**CHIP, "drive": "volts"}),
    "iq": (PhotonicTwin, {**CHIP, "modulators": {"kind": "iq"}}),
    "cascaded meshes": (PhotonicTwin, {**CHIP, "topology": "cascaded", "layers": 3, "activation": {"gain_rad": 2.0}}),
    "faulty meshes": (PhotonicTwin, {**CHIP, "topology": "cascaded", "faults": CHIP_FAULTS}),
    "settling heaters": (
        PhotonicTwin,
        {**CHIP, "heaters": {"drive_bits": 0}, "drift": {"phase_rad": 0.0}, "timing": {"write_s": 0.01}},
    ),
    "lattice": (MechanicalTwin, LATTICE),
    "two membranes": (MechanicalTwin, {**LATTICE, "membranes": 2, "layers": 2}),
    "cubic springs": (MechanicalTwin, {**LATTICE, "springs": {**LATTICE["springs"], "cubic_n_per_m3": 1e5}}),
    "cubic membranes": (
        MechanicalTwin,
        {**LATTICE, "membranes": 2, "springs": {**LATTICE["springs"], "cubic_n_per_m3": 1e7}},
    ),
    "faulty lattice": (MechanicalTwin, {**LATTICE, "faults": LATTICE_FAULTS}),
    "dense": (CrossbarTwin, {**ARRAY, "sizes": [8, 6, 5]}),
    "cascaded arrays": (CrossbarTwin, {**ARRAY, "sizes": [8, 6, 5], "topology": "cascaded", "activation": "tanh"}),
    "linear": (CrossbarTwin, {**ARRAY, "sizes": [8, 6], "activation": "none"}),
    "convolution": (CrossbarTwin, {**ARRAY, **CONVOLUTIONS}),
    "cascaded convolution": (CrossbarTwin, {**ARRAY, **CONVOLUTIONS, "topology": "cascaded", "kernel": "numpy"}),
}


def made(draw: Any, twin: Twin, options: dict[str, Any]) -> tuple[Device, list[FloatArray]]:
    """Return a twin that has been used for a while, with patterns staged, and settings to take slopes at."""
    device = twin.open(twin.Config(**options))
    layers = range(len(device.description.layers))
    for layer in layers:
        if layer == 0 or device.description.topology == "reinjected":
            device.load_inputs(layer, draw.patterns(device, layer))
        device.write_parameters(layer, draw.settings(device, layer))
    device.clock.sleep_s(30.0)
    return device, [draw.settings(device, layer) for layer in layers]


def differences(
    device: Device, layer: int, values: FloatArray, loss: Callable[[FloatArray], float], rows: Any
) -> FloatArray:
    """Return ∂L/∂(parameters) (P,) by central differences of fourth order of what is written and read."""
    share = 1e-6 if isinstance(device, CrossbarTwin) else 1e-3  # relu and pools have corners, Newton a tolerance
    steps = share * np.maximum(np.abs(values), 0.1 * np.abs(values).max())

    def at(index: int, change: float) -> float:
        moved = values.copy()
        moved[index] += change
        device.write_parameters(layer, moved)
        return loss(device.read_outputs(layer, rows))

    return np.array(
        [(8.0 * (at(i, h) - at(i, -h)) - (at(i, 2.0 * h) - at(i, -2.0 * h))) / (12.0 * h) for i, h in enumerate(steps)]
    )


@pytest.mark.parametrize("name", MADE)
def test_slopes_equal_finite_differences_of_the_noiseless_twin(name: str, draw: Any) -> None:
    device, values = made(draw, *MADE[name])
    assert isinstance(device, Adjoint)
    for layer, own in enumerate(values):
        loss = draw.loss(device, layer)
        exact = device.exact_slopes(layer, own, draw.rows, loss.slope_of)
        expected = differences(device, layer, own, loss.of, draw.rows)
        scale = np.abs(expected).max()
        assert scale > 0.0
        assert_allclose(exact, expected, rtol=1e-5, atol=1e-6 * scale)


@pytest.mark.parametrize("twin", [PhotonicTwin, MechanicalTwin, CrossbarTwin])
@pytest.mark.parametrize("preset", ["typical", "harsh"])
def test_asking_changes_nothing(twin: Twin, preset: str, draw: Any) -> None:
    """Neither what is read afterwards, noise included, nor the snapshot, setpoints or the clock."""
    size: dict[str, Any] = {"sizes": [8, 6, 5], "topology": "cascaded"}
    if twin is PhotonicTwin:
        size = {"ports": 6, "topology": "cascaded", "faults": [{**CHIP_FAULTS[0], "from_s": 20.0}]}
    elif twin is MechanicalTwin:
        size = {"nx": 4, "ny": 3, "membranes": 2, "layers": 2, "faults": [{**LATTICE_FAULTS[0], "from_s": 20.0}]}
    again = deepcopy(draw)
    asked, values = made(draw, twin, {**size, "preset": preset})
    left_alone, _ = made(again, twin, {**size, "preset": preset})
    rows, slope_of = draw.rows, draw.loss(asked, 1).slope_of
    before = asked.snapshot()
    first = asked.exact_slopes(1, values[1], rows, slope_of)
    after = asked.snapshot()
    assert before.keys() == after.keys()
    for name, value in before.items():
        assert_array_equal(after[name], value, err_msg=name)
    assert asked.clock.now_s() == left_alone.clock.now_s()
    assert_array_equal(asked.exact_slopes(1, values[1], rows, slope_of), first)
    assert_array_equal(asked.read_outputs(1, rows), left_alone.read_outputs(1, rows))
    for device in (asked, left_alone):
        device.write_parameters(0, values[0])
    assert_array_equal(asked.read_outputs(1, rows), left_alone.read_outputs(1, rows))
    assert_array_equal(asked.read_outputs(0, rows[:3]), left_alone.read_outputs(0, rows[:3]))


def test_what_nothing_moves_has_no_slope(draw: Any) -> None:
    chip, values = made(draw, *MADE["faulty meshes"])
    n_mzi = 15
    exact = chip.exact_slopes(0, values[0], draw.rows, draw.loss(chip, 0).slope_of)
    assert not exact[[2, n_mzi + 4, 2 * n_mzi + 1]].any()
    lattice, values = made(draw, *MADE["faulty lattice"])
    exact = lattice.exact_slopes(0, values[0], draw.rows, draw.loss(lattice, 0).slope_of)
    n_couplings = 17
    assert not exact[[2, n_couplings + 4]].any()
    stuck = {**ARRAY, "sizes": [8, 6], "cells": {**ARRAY["cells"], "stuck_off": 0.2, "stuck_on": 0.2}}
    array, values = made(draw, CrossbarTwin, stuck)
    slope_of = draw.loss(array, 0).slope_of
    assert (array.exact_slopes(0, values[0], draw.rows, slope_of)[:48] == 0.0).sum() > 5


@pytest.mark.parametrize("twin", [PhotonicTwin, MechanicalTwin, CrossbarTwin])
def test_nothing_staged_is_said(twin: Twin, draw: Any) -> None:
    device = twin.open(twin.Config(preset="ideal"))
    with pytest.raises(StagingLost, match="no patterns are staged"):
        device.exact_slopes(0, np.ones(device.description.layers[0].n_parameters), draw.rows, lambda z: z)
