"""A bench with a rack at a pseudo-terminal: the twin's own numbers, faults in the middle, ports that are renumbered."""

import tomllib
from collections.abc import Callable, Generator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomlkit

from drivers.bench import Bench, BenchConfig
from drivers.emulator import Emulation, EmulationSpec, Fault, FaultPlan, QontrolRackSpec, read_witness
from drivers.emulator.of_bench import connected, emulation_of
from drivers.links import ConnectionLost
from drivers.qontrol.finding import RackTransport
from drivers.twin.photonic import PhotonicTwin
from ffzero_lab.device import DeviceError, Guarded, InterlockTripped, LinkTimeout, WallClock

OPTIONS: dict[str, Any] = {"ports": 4, "layers": 1, "preset": "ideal", "drive": "volts", "kernel": "numpy"}
BAUD = 2_000_000
PATIENT = 10
"""Attempts: with their pauses they go on for at least 5 s, whatever the computer is busy with."""
STEP_V = 12.0 / 0xFFFF
PATTERNS = np.random.default_rng(3).random((6, 4))
SETPOINTS = np.linspace(0.2, 1.9, 16)
ALL = np.arange(6)


def _opened(config: BenchConfig) -> Bench:
    """Open it; who is there is asked once, and does not answer in time where the computer stands still."""
    for _ in range(5):
        with suppress(LinkTimeout):
            return Bench.open(config)
    return Bench.open(config)


class OverTheLine:
    """A bench on an emulated rack and meter, and the same twin in this process."""

    def __init__(self, content: dict[str, Any], faults: tuple[Fault, ...], witness: Path, stack: ExitStack) -> None:
        config = BenchConfig.model_validate(content)
        spec = emulation_of(config).model_dump() | {"witness": witness, "faults": FaultPlan(faults=faults)}
        self.emulation = stack.enter_context(Emulation(EmulationSpec.model_validate(spec)))
        text = connected(tomlkit.dumps(content), self.emulation.resources, config)
        self.config = BenchConfig.model_validate(tomllib.loads(text))
        self.bench = stack.enter_context(Guarded(_opened(self.config)))
        self.twin = PhotonicTwin.open(PhotonicTwin.Config(**OPTIONS))
        self.witness = witness

    def expected(self) -> np.ndarray:
        """What the twin reads at these setpoints and patterns, on the steps of the converters, in single precision."""
        self.twin.write_parameters(0, np.rint(SETPOINTS / STEP_V) * STEP_V)
        self.twin.load_inputs(0, np.rint(PATTERNS * 5.0 / STEP_V) * STEP_V / 5.0)
        return self.twin.read_outputs(0, ALL).astype(np.float32).astype(float)

    def read(self) -> np.ndarray:
        self.bench.load_inputs(0, PATTERNS)
        self.bench.write_parameters(0, SETPOINTS)
        return self.bench.read_outputs(0, ALL)


@pytest.fixture
def start(tmp_path: Path, file: Any) -> Generator[Callable[..., OverTheLine]]:
    """Open the bench; *faults* of the rack, keywords of the heaters, *form* of the link."""
    with ExitStack() as stack:

        def started(*faults: Fault, form: str = "ascii", attempts: int = PATIENT, **keys: Any) -> OverTheLine:
            content = file(**keys)
            content["links"]["rack"] |= {
                "baud": BAUD,
                "form": form,
                "quiet_s": 0.08,
                "pause_s": 0.01,
                "deadline_s": 0.3,
                "attempts": attempts,
            }
            content["timing"] = {"write_s": 1.0, "park_s": 2.5 if attempts < PATIENT else 60.0}
            return OverTheLine(content, faults, tmp_path / "witness.jsonl", stack)

        yield started


def fault(kind: str, exchange: int, **more: Any) -> Fault:
    return Fault.model_validate({"instrument": "rack", "kind": kind, "exchange": exchange, **more})


@pytest.mark.parametrize("form", ["ascii", "binary"])
def test_readings_are_those_of_the_twin_and_outputs_end_at_zero(start: Callable[..., OverTheLine], form: str):
    line = start(form=form)
    np.testing.assert_array_equal(line.read(), line.expected())
    assert line.bench.driver.read_parameters(0) == pytest.approx(SETPOINTS, abs=STEP_V)
    volts, amperes = line.bench.driver.read_actuators(0)
    assert volts / amperes == pytest.approx(600.0, rel=1e-3)
    line.bench.close()
    seen = read_witness(line.witness)
    assert seen.left_on() == {}
    assert seen.refused == []
    assert max(high for _, high in seen.range().values()) <= 5.0


OPENING = 5 + 2 * 2 * (16 + 4) + 1
"""Messages until everything is open."""


@pytest.mark.parametrize("form", ["ascii", "binary"])
@pytest.mark.parametrize(
    "kind", ["reboot", "module-restart", "close", "drop", "garbage", "partial-list", "serial-error"]
)
@pytest.mark.parametrize("later", [20, 70])
def test_after_a_fault_the_readings_are_still_those_of_the_twin(
    start: Callable[..., OverTheLine], form: str, kind: str, later: int
):
    line = start(fault(kind, OPENING + later, channel=18 if kind == "module-restart" else None), form=form)
    np.testing.assert_array_equal(line.read(), line.expected())
    line.bench.close()
    seen = read_witness(line.witness)
    assert [struck["kind"] for struck in seen.faults] == [kind]
    assert seen.left_on() == {}


def test_a_restart_ends_it_where_the_file_says_so(start: Callable[..., OverTheLine]):
    line = start(fault("reboot", OPENING + 60), after_restart="park")
    with pytest.raises(InterlockTripped, match="heaters has restarted"):
        line.read()
    line.bench.close()
    assert read_witness(line.witness).left_on() == {}


def test_with_a_slew_limit_setpoints_come_back_in_steps(start: Callable[..., OverTheLine]):
    line = start(fault("module-restart", OPENING + 60, channel=1), slew_v_per_s=5.0)
    np.testing.assert_array_equal(line.read(), line.expected())
    line.bench.close()
    seen = read_witness(line.witness)
    values = [output.value for output in seen.outputs["rack", 7]]
    given = next(place for place, value in enumerate(values) if value > 0.9)
    lost = values.index(0.0, given)
    back = values[lost : next(place for place in range(lost, len(values)) if values[place] > 0.9) + 1]
    assert np.diff(back).max() <= 5.0 * 0.05 + 2.0 * STEP_V
    assert len(back) >= 5


def test_what_an_error_says_names_the_rack(start: Callable[..., OverTheLine]):
    line = start(*[fault("drop", OPENING + 20 + n) for n in range(200)], attempts=2)
    with pytest.raises(DeviceError, match="/rack: "):
        line.read()
    with pytest.raises(DeviceError, match="/rack: "):
        line.bench.close()


class TestFindingThePort:
    """Two racks at ports that were numbered as they came."""

    @pytest.fixture
    def racks(self, tmp_path: Path) -> Generator[Any]:
        specs = tuple(
            QontrolRackSpec(name=name, serial_number=number, baud=BAUD, path=tmp_path / port)
            for name, number, port in (("one", "0A2F", "ttyUSB0"), ("two", "0B00", "ttyUSB1"))
        )
        with Emulation(EmulationSpec(options=OPTIONS, instruments=specs[:1])) as first:
            other = EmulationSpec(options=OPTIONS, instruments=specs[1:])
            with Emulation(other) as second:
                yield tmp_path, first, second

    def transport(self, folder: Path, number: str) -> RackTransport:
        return RackTransport(number, [f"{folder}/ttyUSB*"], BAUD, WallClock())

    def test_the_rack_with_this_serial_number_is_found_wherever_it_is(self, racks: Any):
        folder, *_ = racks
        for number, port in (("0a2f", "ttyUSB0"), ("0B00", "ttyUSB1")):
            transport = self.transport(folder, number)
            transport.open(60.0)
            assert transport._last == str(folder / port)
            transport.close()

    def test_it_is_found_again_when_usb_has_renumbered_it(self, racks: Any):
        folder, *_ = racks
        transport = self.transport(folder, "0B00")
        transport.open(60.0)
        transport.close()
        (folder / "ttyUSB1").rename(folder / "aside")
        (folder / "ttyUSB0").rename(folder / "ttyUSB1")
        (folder / "aside").rename(folder / "ttyUSB5")
        transport.open(60.0)
        assert transport._last == str(folder / "ttyUSB5")
        transport.close()
        for name, back in (("ttyUSB1", "ttyUSB0"), ("ttyUSB5", "ttyUSB1")):
            (folder / name).rename(folder / back)

    def test_a_rack_that_is_not_there_is_told_with_who_is(self, racks: Any, open_role: Any):
        folder, *_ = racks
        with pytest.raises(OSError, match=r"no rack serial:FFFF .*ttyUSB0: Q8iv-0A2F; .*ttyUSB1: Q8iv-0B00"):
            self.transport(folder, "FFFF").open(60.0)

    def test_a_bench_names_it_by_its_number(self, racks: Any, open_role: Any):
        from drivers.qontrol import QontrolActuators

        folder, *_ = racks
        link = {"port": "serial:0B00", "search": [f"{folder}/ttyUSB*"], "baud": BAUD, "quiet_s": 0.02, "attempts": 1}
        wires = {"all_channels": (0, 1), "channels": (0, 1), "link": link}
        heaters = open_role(QontrolActuators, WallClock(), **wires)
        assert heaters.identify() == "Q8iv-0B00"
        heaters.close()
        with pytest.raises(ConnectionLost, match="no rack serial:0CCC"):
            open_role(QontrolActuators, WallClock(), **{**wires, "link": {**link, "port": "serial:0CCC"}})
