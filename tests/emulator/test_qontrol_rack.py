"""An emulated Qontrol rack, as its manual has it: commands, frames, errors, limits, restarts, faults."""

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drivers.emulator import Fault, FaultPlan, QontrolRackSpec, Wires, read_witness
from drivers.emulator.apparatus import Apparatus
from drivers.emulator.qontrol_rack import QontrolRack
from drivers.emulator.troubles import Troubles
from drivers.emulator.witness import Witness
from drivers.twin.photonic import PhotonicTwin

TWIN = {"ports": 4, "layers": 1, "preset": "ideal", "drive": "volts", "kernel": "numpy"}
STEP_V, STEP_MA = 12.0 / 0xFFFF, 24.0 / 0xFFFF
OK = "OK\n"


class Rack:
    """A rack of three modules: 16 heaters, then 4 modulators; `ask` sends a line or a frame."""

    def __init__(self, witness: Path, faults: tuple[Fault, ...]) -> None:
        self.apparatus = Apparatus(PhotonicTwin.open(PhotonicTwin.Config(**TWIN)))
        self.witness_file = witness
        self.witness = Witness(witness)
        spec = QontrolRackSpec(
            name="rack",
            modules=3,
            wires=(Wires(channel=1, count=16),),
            input_wires=(Wires(channel=17, count=4),),
            volts_per_unit=5.0,
        )
        self.troubles = Troubles("rack", FaultPlan(faults=faults), self.witness)
        self.instrument = QontrolRack(spec, self.apparatus, self.troubles, self.witness)
        self.instrument.power_up()
        assert self.instrument.greeting() == b"E90:00\nE90:08\nE90:16\n"

    def ask(self, message: str | bytes) -> str:
        self.troubles.next_exchange()
        whole = message.encode() + b"\n" if isinstance(message, str) else message
        assert self.instrument.message_end(whole) == len(whole)
        return self.instrument.answer(whole).decode()


@pytest.fixture
def start(tmp_path: Path) -> Generator[Callable[..., Rack]]:
    made: list[Rack] = []

    def started(*faults: Fault) -> Rack:
        made.append(Rack(tmp_path / "witness.jsonl", faults))
        return made[-1]

    yield started
    for rack in made:
        rack.witness.close()
        rack.apparatus.close()


@pytest.fixture
def rack(start: Callable[..., Rack]) -> Rack:
    return start()


def fault(kind: str, exchange: int = 1, **more: Any) -> Fault:
    return Fault.model_validate({"instrument": "rack", "kind": kind, "exchange": exchange, **more})


@pytest.mark.parametrize(
    ("message", "reply"),
    [
        ("id?", "Q8iv-0A2F\n"),
        ("ID?", "Q8iv-0A2F\n"),
        ("vfull?", "+12.000000 V\n"),
        ("ifull?", "+24.000000 mA\n"),
        ("nchan?", "8\n"),
        ("firmware?", "FFzero emulation 1.0\n"),
        ("v3=4", OK),
        (" V3 = 4.0 ", OK),
        ("v3?", "+0.000000 V\n"),
        ("vmax3?", "+12.000000 V\n"),
        ("imax3?", "+24.000000 mA\n"),
        ("vvec16=1,2,3", OK),
        ("volts3?", "E10:00\n"),
        ("what", "E10:00\n"),
        ("", "E10:00\n"),
        ("v24=1", "E12:24\n"),
        ("v?", "E12:00\n"),
        ("v3=nan", "E11:03\n"),
        ("v3=inf", "E11:03\n"),
        ("v3=1e3", "E11:03\n"),
        ("v3=", "E11:03\n"),
        ("v3?1", "E11:03\n"),
        ("vvec6=1,2,3", "E11:06\n"),
        ("v3=1,2", "E11:03\n"),
        ("vvec0?", "E13:00\n"),
        ("nupall?", "E13:00\n"),
        ("v3=12.1", "E01:03\n"),
        ("v3=-0.1", "E01:03\n"),
        ("vmax3=13", "E11:03\n"),
    ],
)
def test_every_command_has_its_answer(rack: Rack, message: str, reply: str):
    assert rack.ask(message) == reply


def test_the_chain_is_numbered_then_told(rack: Rack):
    assert rack.ask("nup=0") == OK
    assert rack.ask("nupall?") == "Q8iv-0A2F:0\nQ8iv-0A30:1\nQ8iv-0A31:2\nOK\n"


def test_setpoints_are_on_the_steps_of_the_converter_and_all_are_measured(rack: Rack):
    rack.ask("vvec0=1,1.5,2")
    assert rack.ask("v1?") == f"{round(1.5 / STEP_V) * STEP_V:+.6f} V\n"
    lines = rack.ask("vall?").split("\n")
    assert len(lines) == 24 + 2
    assert lines[24:] == ["OK", ""]
    volts, ma = lines[1].split()[0], rack.ask("iall?").split("\n")[1].split()[0]
    resistance = float(volts) / float(ma) * 1e3
    assert resistance == pytest.approx(600.0, rel=1e-5), "of the twin's heater"


def test_a_current_is_driven_through_the_load(rack: Rack):
    assert rack.ask("i20=5") == OK
    step = round(5.0 / STEP_MA) * STEP_MA
    assert rack.ask("i20?") == f"{step:+.6f} mA\n"
    assert rack.ask("v20?") == f"{step * 0.6:+.6f} V\n"


def test_limits_refuse_a_whole_vector_and_the_witness_is_told(rack: Rack):
    rack.ask("vmax9=6")
    assert rack.ask("vmax9?") == f"{round(6.0 / STEP_V) * STEP_V:+.6f} V\n"
    assert rack.ask("v9=6") == OK
    assert rack.ask("vvec8=1,7,2") == "E01:09\n"
    assert rack.ask("v8?") == "+0.000000 V\n"
    rack.ask("imax10=10")
    assert rack.ask("v10=6") == OK
    assert rack.ask("vvec10=6.01") == "E02:10\n"
    rack.witness.close()
    seen = read_witness(rack.witness_file)
    assert seen.refused == [(("rack", 9), 7.0), (("rack", 10), 6.01)]
    assert seen.range()["rack", 9] == (0.0, pytest.approx(6.0, abs=STEP_V))


@pytest.mark.parametrize(
    ("frame", "reply", "volts"),
    [
        (bytes([0x83, 0, 0, 0, 8, 0, 2, 0x55, 0x55, 0x33, 0x33]), OK, [4.0, 2.4]),
        (bytes([0x80, 0, 0, 0, 8, 0x55, 0x55]), OK, [4.0, 0.0]),
        (bytes([0x82, 0, 0, 0, 8, 0, 1, 0x55, 0x55]), "E15:08\n", [0.0, 0.0]),
        (bytes([0x83, 9, 0, 0, 8, 0, 1, 0x55, 0x55]), "E10:08\n", [0.0, 0.0]),
        (bytes([0x83, 0, 0, 1, 8, 0, 1, 0x55, 0x55]), "E12:264\n", [0.0, 0.0]),
        (bytes([0x83, 0, 0, 0, 8, 0, 0]), "E11:08\n", [0.0, 0.0]),
        (bytes([0xA2, 0, 0, 0, 8, 0, 1, 0x55, 0x55]), "E13:08\n", [0.0, 0.0]),
        (bytes([0x88, 0, 0, 0, 8]), "E15:08\n", [0.0, 0.0]),
        (bytes([0x89, 0, 0, 0, 8]), "+0.000000 V\n", [0.0, 0.0]),
    ],
)
def test_frames_are_obeyed_or_refused(rack: Rack, frame: bytes, reply: str, volts: list[float]):
    assert rack.ask(frame) == reply
    assert [float(rack.ask(f"v{channel}?").split()[0]) for channel in (8, 9)] == pytest.approx(volts)


def test_a_limit_is_set_by_a_frame_as_well(rack: Rack):
    assert rack.ask(bytes([0x80, 2, 0, 0, 8, 0x7F, 0xFF])) == OK
    assert rack.ask("vmax8?") == f"{0x7FFF * STEP_V:+.6f} V\n"


def test_heaters_and_modulators_reach_the_device(rack: Rack):
    rack.ask("vvec16=5,0,0,0")
    plugs = rack.apparatus.plug_outputs("meter", 4, ())
    lit = rack.apparatus.read(plugs, 4)
    assert lit.max() > 0.0
    rack.ask("vvec0=2,2,2,2,2,2,2,2")
    assert not np.allclose(rack.apparatus.read(plugs, 4), lit)
    rack.ask("vvec16=0,0,0,0")
    assert rack.apparatus.read(plugs, 4).tolist() == [0.0] * 4


def test_switching_on_loses_setpoints_and_limits(rack: Rack):
    rack.ask("vmax3=6")
    rack.ask("v3=4")
    rack.instrument.power_up()
    assert rack.ask("v3?") == "+0.000000 V\n"
    assert rack.ask("vmax3?") == "+12.000000 V\n"


class TestFaults:
    def test_a_garbled_message_is_not_obeyed(self, start: Callable[..., Rack]):
        rack = start(fault("serial-error"))
        assert rack.ask("v3=4") == "E15:00\n"
        assert rack.ask("v3?") == "+0.000000 V\n"

    def test_one_module_restarts_and_says_so_after_its_answer(self, start: Callable[..., Rack]):
        rack = start(fault("module-restart", 4, channel=10))
        for message in ("v3=4", "v9=4", "vmax9=6"):
            rack.ask(message)
        assert rack.ask("v16=1") == "OK\nE90:08\n"
        assert [rack.ask(f"v{channel}?") for channel in (3, 9)] == ["+4.000000 V\n", "+0.000000 V\n"]
        assert rack.ask("vmax9?") == "+12.000000 V\n"

    def test_a_complaint_comes_behind_an_answer(self, start: Callable[..., Rack]):
        assert start(fault("complaint", channel=5)).ask("v3=4") == "OK\nE18:04\n"

    def test_a_cut_vector_is_obeyed_by_half_without_a_word(self, start: Callable[..., Rack]):
        rack = start(fault("partial-list"))
        assert rack.ask("vvec0=4,4,4,4") == OK
        assert rack.ask("v1?") == "+4.000000 V\n"
        assert rack.ask("v2?") == "+0.000000 V\n"

    def test_a_dead_channel_drives_nothing_and_measures_nothing(self, start: Callable[..., Rack]):
        rack = start(fault("dead-channel", channel=4))
        assert rack.ask("v3=4") == OK
        assert rack.ask("v3?") == "+0.000000 V\n"

    def test_a_stuck_channel_measures_what_it_did(self, start: Callable[..., Rack]):
        rack = start(fault("stuck", 2, channel=4, lasts=2))
        rack.ask("v3?")
        rack.ask("v3=4")
        assert rack.ask("v3?") == "+0.000000 V\n"
        assert rack.ask("v3?") == "+4.000000 V\n"

    def test_a_list_of_measurements_can_miss_one(self, start: Callable[..., Rack]):
        assert len(start(fault("wrong-count")).ask("vall?").split("\n")) == 23 + 2

    def test_what_is_too_long_or_breaks_off_is_told(self, rack: Rack):
        assert rack.instrument.overrun() == b"E14:00\n"
        assert rack.instrument.broken_off(b"v3=") == b"E16:00\n"
