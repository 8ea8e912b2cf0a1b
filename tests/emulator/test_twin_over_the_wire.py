"""A noise-free twin behind sockets gives the numbers of the same twin in this process."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from drivers.emulator import EmulationSpec, ModulatorSpec, PowerMeterSpec, VoltageSourceSpec, Wires
from drivers.emulator.apparatus import Apparatus
from drivers.twin.crossbar import CrossbarTwin
from drivers.twin.mechanical import MechanicalTwin
from drivers.twin.photonic import PhotonicTwin
from ffzero_lab.device import Device

FloatArray = NDArray[np.float64]
IDEAL = {"ports": 4, "preset": "ideal", "kernel": "numpy"}


def listed(values: FloatArray) -> str:
    return ",".join(map(repr, values.tolist()))


def in_process(layer: int, setpoints: Sequence[FloatArray], pattern: FloatArray, **options: object) -> FloatArray:
    twin = PhotonicTwin.open(PhotonicTwin.Config.model_validate({**IDEAL, **options}))
    for index, values in enumerate(setpoints):
        twin.write_parameters(index, values)
    twin.load_inputs(0 if twin.description.topology == "cascaded" else layer, pattern[np.newaxis])
    return twin.read_outputs(layer, np.array([0]))[0]


@pytest.mark.parametrize("imperfect", [{}, {"mesh": {"splitter_error_rad": 0.05}, "heaters": {"crosstalk": 0.01}}])
def test_readings_are_those_of_the_twin_in_this_process(bench: Callable[..., Any], imperfect: dict[str, Any]):
    running = bench(**imperfect)
    heaters, modulators, meter = (running.client(name) for name in ("heaters", "modulators", "meter"))
    rng = np.random.default_rng(0)
    for _ in range(5):
        volts, pattern = rng.uniform(0.0, 10.0, 16), rng.uniform(0.0, 1.0, 4)
        assert heaters.ask(f":SOUR:VOLT:LIST {listed(volts)};:OUTP ON;:SOUR:VOLT:LIST?") == listed(volts)
        assert modulators.ask(f":SOUR:AMPL:LIST {listed(pattern)};:OUTP ON;:SOUR:AMPL:LIST?") == listed(pattern)
        expected = in_process(0, [volts], pattern, layers=1, drive="volts", **imperfect)
        block = np.frombuffer(meter.ask_block(":READ:POW:ALL?"), "<f4")
        np.testing.assert_array_equal(block, expected.astype(np.float32))
        singly = [float(meter.ask(f":FETC{port}:POW?")) for port in range(1, 5)]
        np.testing.assert_array_equal(np.float32(singly), block)


def test_what_is_set_reaches_the_light_only_while_the_outputs_are_on(bench: Callable[..., Any]):
    running = bench()
    heaters, modulators, meter = (running.client(name) for name in ("heaters", "modulators", "meter"))
    volts, pattern = np.linspace(1.0, 9.0, 16), np.array([1.0, 0.2, 0.0, 0.5])
    modulators.ask(f":SOUR:AMPL:LIST {listed(pattern)};:OUTP ON;*OPC?")
    cold = in_process(0, [np.zeros(16)], pattern, layers=1, drive="volts").astype(np.float32)
    warm = in_process(0, [volts], pattern, layers=1, drive="volts").astype(np.float32)
    assert not np.array_equal(cold, warm)
    for state, expected in (("OFF", cold), ("ON", warm), ("OFF", cold), ("ON;*RST", cold)):
        heaters.ask(f":SOUR:VOLT:LIST {listed(volts)};:OUTP {state};*OPC?")
        np.testing.assert_array_equal(np.frombuffer(meter.ask_block(":READ:POW:ALL?"), "<f4"), expected)


@pytest.mark.parametrize("topology", ["reinjected", "cascaded"])
def test_every_instrument_has_the_layer_it_is_wired_to(serve: Callable[..., Any], topology: str):
    first = [Wires(layer=0, count=4)]
    second = [Wires(layer=1, count=4)]
    own = second if topology == "reinjected" else first
    running = serve(
        EmulationSpec(
            options={**IDEAL, "layers": 2, "topology": topology},
            instruments=(
                VoltageSourceSpec(name="heaters", channels=32),
                ModulatorSpec(name="modulators", channels=4, wires=tuple(own)),
                PowerMeterSpec(name="meter", model="N7744C", wires=tuple(second)),
            ),
        )
    )
    heaters, modulators, meter = (running.client(name) for name in ("heaters", "modulators", "meter"))
    phases, pattern = np.linspace(0.0, 6.2, 32), np.array([0.1, 0.9, 0.4, 0.7])
    heaters.ask(f":SOUR:VOLT:LIST {listed(phases)};:OUTP ON;*OPC?")
    modulators.ask(f":SOUR:AMPL:LIST {listed(pattern)};:OUTP ON;*OPC?")
    expected = in_process(1, np.split(phases, 2), pattern, layers=2, topology=topology)
    np.testing.assert_array_equal(np.frombuffer(meter.ask_block(":READ:POW:ALL?"), "<f4"), expected.astype(np.float32))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (MechanicalTwin, {"nx": 3, "ny": 3, "preset": "ideal"}),
        (CrossbarTwin, {"sizes": (5, 3), "preset": "ideal"}),
        (PhotonicTwin, IDEAL),
    ],
)
def test_any_twin_can_stand_behind_the_instruments(kind: type[Any], options: dict[str, Any]):
    apparatus, twin = (Apparatus(open_(kind, options)), open_(kind, options))
    own = twin.description.layers[0]
    parked = twin.read_parameters(0)
    rng = np.random.default_rng(1)
    lower, upper = (own.per_parameter("lower"), own.per_parameter("upper"))
    values, pattern = rng.uniform(lower, upper), rng.uniform(own.input_lower, own.input_upper, own.n_inputs)
    driven = np.arange(own.n_parameters) % 3 != 0
    apparatus.drive_parameters(apparatus.plug_parameters("s", len(values), []), values, driven)
    apparatus.drive_inputs(apparatus.plug_inputs("m", len(pattern), []), pattern, np.ones(len(pattern), dtype=np.bool_))
    assert parked is not None
    twin.write_parameters(0, np.where(driven, values, parked))
    twin.load_inputs(0, pattern[np.newaxis])
    expected = twin.read_outputs(0, np.array([0]))[0]
    wires = [Wires(channel=2, count=len(expected))]
    readings = apparatus.read(apparatus.plug_outputs("p", len(expected) + 2, wires), len(expected) + 2)
    np.testing.assert_array_equal(readings, [0.0, *expected, 0.0])


def open_(kind: type[Any], options: dict[str, Any]) -> Device:
    return kind.open(kind.Config.model_validate(options))
