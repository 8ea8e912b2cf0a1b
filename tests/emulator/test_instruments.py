"""Each instrument against its manual, as tables of expected exchanges."""

import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.emulator import FaultPlan, ModulatorSpec, PowerMeterSpec, VoltageSourceSpec
from drivers.emulator.apparatus import Apparatus
from drivers.emulator.modulator import Modulator
from drivers.emulator.power_meter import PowerMeter
from drivers.emulator.scpi import ScpiInstrument
from drivers.emulator.troubles import Troubles
from drivers.emulator.voltage_source import VoltageSource
from drivers.emulator.witness import Witness
from drivers.twin.photonic import PhotonicTwin
from ffzero_lab.device import DeviceError

UNSEEN = Witness(None)
OUT_OF_RANGE = '-222,"Data out of range; channel {}: {}; limits {}"'
Table = Sequence[tuple[str, str]]


def apparatus(**options: object) -> Apparatus:
    twin = {"ports": 2, "layers": 1, "preset": "ideal", "drive": "volts", "kernel": "numpy"}
    return Apparatus(PhotonicTwin.open(PhotonicTwin.Config(**{**twin, **options})))


def quiet(name: str) -> Troubles:
    return Troubles(name, FaultPlan(), UNSEEN)


def heaters() -> VoltageSource:
    return VoltageSource(VoltageSourceSpec(name="h", channels=4), apparatus(), quiet("h"), UNSEEN)


def modulators(behind: Apparatus | None = None, **options: Any) -> Modulator:
    spec = ModulatorSpec(name="m", channels=2, memory=4, **options)
    return Modulator(spec, behind or apparatus(), quiet("m"), UNSEEN)


def meter(behind: Apparatus | None = None, **options: Any) -> PowerMeter:
    return PowerMeter(PowerMeterSpec(name="p", model="N7744C", **options), behind or apparatus(), quiet("p"))


def said(instrument: ScpiInstrument, message: str) -> str:
    reply = instrument.answer(message.encode())
    assert not reply or reply.endswith(b"\n")
    return reply.decode().removesuffix("\n")


COMMON: Table = [
    ("*ESR?", "128"),
    ("*ESR?", "0"),
    ("*OPC?", "1"),
    ("*OPC;*ESR?", "1"),
    ("*WAI", ""),
    (":SYST:ERR?", '0,"No error"'),
    (":SYSTem:ERRor:NEXT?;COUNt?", '0,"No error";0'),
    ("SYST:VERS?", "1999.0"),
    (":NONSENSE 1", ""),
    ("*RST 1", ""),
    (":SYST:ERR:COUN?", "2"),
    ("*ESR?", "32"),
    ("SYST:ERR?;:SYST:ERR?", '-113,"Undefined header; :NONSENSE";-108,"Parameter not allowed; *RST takes at most 0"'),
    (":NONSENSE;*IDN?", ""),
    ("*CLS;:SYST:ERR?;*ESR?", '0,"No error";0'),
    ("*IDN?;:NONSENSE;*IDN?;:SYST:ERR?", "{idn}"),
    ("*CLS", ""),
]
VOLTAGES: Table = [
    ("*IDN?", "FFzero,VSOURCE-4,EMU-1,1.0"),
    (":SOUR:CHAN:COUN?", "4"),
    (":SOUR:VOLT:LIM?", "0.0,10.0"),
    (":SOURce2:VOLTage 2.5", ""),
    ("sour2:volt?", "2.5"),
    (":SOUR1:VOLT 250 mV;:SOUR4:VOLT 0.30000000000000004 V", ""),
    (":SOUR:VOLT:LIST?", "0.25,2.5,0.0,0.30000000000000004"),
    (":SOUR3:VOLT 10.000001;:SYST:ERR?;:SOUR3:VOLT?", OUT_OF_RANGE.format(3, 10.000001, "0.0,10.0") + ";0.0"),
    (":SOUR:VOLT:LIST 1,2,-1e-9,4;:SYST:ERR?", OUT_OF_RANGE.format(3, -1e-09, "0.0,10.0")),
    (":SOUR:VOLT:LIST?;*ESR?", "0.25,2.5,0.0,0.30000000000000004;144"),
    (":SOUR:VOLT:LIST 1,2,3", ""),
    (":SYST:ERR?", '-109,"Missing parameter; 3 values for 4 channels"'),
    (":SOUR:VOLT:LIST 1,2,3,4,5", ""),
    (":SYST:ERR?", '-108,"Parameter not allowed; 5 values for 4 channels"'),
    (":SOUR5:VOLT 1", ""),
    (":SOUR0:VOLT?", ""),
    (":SYST:ERR?", '-114,"Header suffix out of range; channel 5; there are 1 to 4"'),
    (":SYST:ERR?", '-114,"Header suffix out of range; channel 0; there are 1 to 4"'),
    (":SOUR:VOLT 1", ""),
    (":SYST:ERR?", '-113,"Undefined header; :SOUR:VOLT"'),
    (":SOUR1:VOLT NAN", ""),
    (":SYST:ERR?", '-104,"Data type error; NAN is not a number"'),
    (":SOUR:VOLT:LIST 1,2,3,4", ""),
    (":SOUR:VOLT:LIST?", "1.0,2.0,3.0,4.0"),
    (":OUTP?", "0"),
    (":OUTPut:STATe ON;STATe?", "1"),
    (":OUTP 0;:OUTP?", "0"),
    (":OUTP maybe;:SYST:ERR?", '-224,"Illegal parameter value; maybe is none of ON, OFF, 1, 0"'),
    (":OUTP ON;*RST;:OUTP?;:SOUR:VOLT:LIST?", "0;0.0,0.0,0.0,0.0"),
]
AMPLITUDES: Table = [
    ("*IDN?", "FFzero,MODULATOR-2,EMU-1,1.0"),
    (":SOUR:AMPL:LIM?;:SOUR:CHAN:COUN?", "0.0,1.0;2"),
    (":SOUR:AMPL:LIST 0.1,1", ""),
    (":SOUR1:AMPL 0.7;AMPL?;:SOUR:AMPL:LIST?", "0.7;0.7,1.0"),
    (":SOUR2:AMPL 1.1;:SYST:ERR?", OUT_OF_RANGE.format(2, 1.1, "0.0,1.0")),
    (":MEM:SIZE?;COUN?", "4;0"),
    (":MEMory:DATA 1,0.25,0.5,0.75,1.0", ""),
    (":MEM:COUN?;DATA? 1;DATA? 2", "2;0.25,0.5;0.75,1.0"),
    (":MEM:DATA? 0;:SYST:ERR?", '-230,"Data corrupt or stale; there is no pattern at address 0"'),
    (":MEM:DATA 3,0,0,0,0;:SYST:ERR?", '-222,"Data out of range; 2 patterns from 3 on; the memory holds 4"'),
    (":MEM:DATA 0,0.5,2;:SYST:ERR?;:MEM:COUN?", OUT_OF_RANGE.format(2, 2.0, "0.0,1.0") + ";2"),
    (":MEM:DATA 0,0.5", ""),
    (":SYST:ERR?", '-109,"Missing parameter; 1 values are not a whole number of patterns of 2"'),
    (":MEM:RECall 2;:SOUR:AMPL:LIST?", "0.75,1.0"),
    (":MEM:REC 3;:SYST:ERR?", '-230,"Data corrupt or stale; there is no pattern at address 3"'),
    (":SOUR:AMPL:LIST?", "0.75,1.0"),
    (":MEM:SEQ 1,2,1;SEQ?;:MEM:SEQ:POS?;:SOUR:AMPL:LIST?", "1,2,1;0;0.25,0.5"),
    (":MEM:SEQ 1,3;:SYST:ERR?", '-230,"Data corrupt or stale; there is no pattern at address 3"'),
    (":MEM:SEQ?", "1,2,1"),
    (":OUTP ON;*RST;:OUTP?;:MEM:COUN?;:MEM:SEQ?;:SOUR:AMPL:LIST?", "0;2;;0.0,0.0"),
    (":MEM:CLE;COUN?", "0"),
]
POWERS: Table = [
    ("*IDN?", "Keysight Technologies,N7744C,EMU-1,V1.00"),
    (":SENSe2:POWer:UNIT?;:SENSe:POWer:UNIT:ALL:CSV?", "0;0,0,0,0"),
    (":SENS2:POW:UNIT W;UNIT?;:SENS:POW:UNIT:ALL:CSV?", "1;0,1,0,0"),
    (":SENS2:POW:UNIT DBM;:SENS3:POW:UNIT 1;:SENS:POW:UNIT:ALL:CSV?", "0,0,1,0".join([""] * 2)),
    (":SENS:POW:UNIT:ALL 1;:SENS:POW:UNIT:ALL:CSV?", "1,1,1,1"),
    (":READ1:POWer?;:FETC1:POW?", "+0.00000000E+000;+0.00000000E+000"),
    (":SENS1:POW:WAV?", "+1.55000000E-006"),
    (":SENS2:POW:WAV 1310NM;WAV?;:SENS1:POW:WAV?", "+1.31000000E-006;+1.55000000E-006"),
    (":SENSe:POWer:WAVelength:ALL 1625 nm;:SENS4:POW:WAV?", "+1.62500000E-006"),
    (":SENS:POW:WAV 850NM;:SYST:ERR?", '-222,"Data out of range; 8.5e-07 m; limits 1.25e-06 to 1.625e-06"'),
    (":READ5:POW?", ""),
    (":SYST:ERR?", '-114,"Header suffix out of range; channel 5; there are 1 to 4"'),
    ("*RST;:SENS:POW:UNIT:ALL:CSV?;:SENS4:POW:WAV?", "0,0,0,0;+1.55000000E-006"),
]


def run(instrument: ScpiInstrument, table: Table) -> None:
    instrument.power_up()
    idn = said(instrument, "*IDN?")
    for message, reply in table:
        assert said(instrument, message) == reply.replace("{idn}", idn), message


@pytest.mark.parametrize("make", [heaters, modulators, meter])
def test_every_instrument_keeps_the_common_commands(make: Callable[[], ScpiInstrument]):
    run(make(), COMMON)


@pytest.mark.parametrize(("make", "table"), [(heaters, VOLTAGES), (modulators, AMPLITUDES), (meter, POWERS)])
def test_instruments_answer_as_their_manuals_say(make: Callable[[], ScpiInstrument], table: Table):
    run(make(), table)


@pytest.mark.parametrize("make", [heaters, modulators, meter])
def test_the_manual_has_every_command_of_an_instrument_and_no_other(make: Callable[[], ScpiInstrument]):
    page = (Path(__file__).parents[2] / "docs" / "reference" / "emulated-instruments.md").read_text()
    title = {heaters: "Voltage source", modulators: "Modulator", meter: "Power meter"}[make]
    parts = {part.splitlines()[0]: part for part in page.split("\n## ")[1:]}
    rows = [line for name in ("Common commands", title) for line in parts[name].splitlines() if line.startswith("| `")]
    documented = [cell.split("`")[0].split(" ")[0] for row in rows for cell in row.split("|")[1].split("`")[1::2]]
    assert sorted(documented) == sorted(make().commands())


def test_a_full_error_queue_says_so_and_keeps_the_oldest():
    source = heaters()
    for channel in range(100, 140):
        said(source, f":SOUR{channel}:VOLT 1")
    assert said(source, ":SYST:ERR:COUN?") == "30"
    errors = [said(source, ":SYST:ERR?") for _ in range(31)]
    assert errors[0].startswith("-114")
    assert "channel 100;" in errors[0]
    assert "channel 128;" in errors[28]
    assert errors[29:] == ['-350,"Queue overflow"', '0,"No error"']
    assert said(source, "*ESR?") == str(128 + 32 + 8)


def test_an_error_is_one_short_line_of_printable_text_whatever_was_sent():
    source = heaters()
    said(source, ':SOUR1:VOLT "a\x01' + "b" * 10_000 + '"')
    reply = said(source, ":SYST:ERR?")
    assert reply.startswith('-120,"')
    assert reply.isprintable()
    assert reply.count('"') == 2
    assert len(reply) < 300


@given(st.lists(st.binary(max_size=40) | st.sampled_from([b":SOUR1:VOLT ", b":SOUR:VOLT:LIST ", b"11", b",", b";"])))
def test_no_message_breaks_an_instrument_or_brings_it_out_of_its_limits(pieces: list[bytes]):
    source = heaters()
    for message in b"".join(pieces).split(b"\n"):
        source.answer(message)
    setpoints = [float(value) for value in said(source, ":SOUR:VOLT:LIST?").split(",")]
    assert len(setpoints) == 4
    assert all(0.0 <= value <= 10.0 for value in setpoints)


def test_after_an_error_of_execution_the_message_goes_on_after_one_of_grammar_it_does_not():
    source = heaters()
    assert said(source, ":SOUR1:VOLT 99;VOLT 1;VOLT?") == "1.0"
    assert said(source, ":SOUR1:VOLT 2;VOLTS 3;VOLT 4;VOLT?") == ""
    assert said(source, ":SOUR1:VOLT?") == "2.0"


def lit(leak: float = 0.0, **options: Any) -> tuple[Apparatus, Modulator, PowerMeter]:
    """Two ports, one of them lit, in front of a meter of four; both outputs see light."""
    behind = apparatus(modulators={"leak": leak})
    heater = VoltageSource(VoltageSourceSpec(name="h", channels=4), behind, quiet("h"), UNSEEN)
    said(heater, ":SOUR1:VOLT 0.7;:OUTP ON")
    source = modulators(behind)
    said(source, ":SOUR:AMPL:LIST 0.6,0;:OUTP ON")
    return behind, source, meter(behind, **options)


def floats(reply: bytes) -> list[float]:
    count = int(reply[2:4])
    assert reply[:2] == b"#2"
    assert reply[4 + count :] == b"\n"
    return list(struct.unpack(f"<{count // 4}f", reply[4:-1]))


def test_blocks_of_the_meter_are_little_endian_floats_in_watt_and_pairs_of_slot_and_channel():
    _, _, instrument = lit(unit="dBm")
    powers = floats(instrument.answer(b":READ:POW:ALL?"))
    assert len(powers) == 4
    assert powers[0] + powers[1] == pytest.approx(0.36, rel=1e-6)
    assert powers[2:] == [0.0, 0.0]
    assert floats(instrument.answer(b":FETC:POW:ALL?")) == powers
    assert instrument.answer(b":READ:POW:ALL:CONF?") == b"#216" + struct.pack("<8H", 1, 1, 2, 1, 3, 1, 4, 1) + b"\n"


def test_single_readings_are_in_the_unit_of_their_port():
    _, _, instrument = lit(watts_per_unit=1e-3)
    watts = floats(instrument.answer(b":READ:POW:ALL?"))
    assert sum(watts) == pytest.approx(0.36e-3, rel=1e-6)
    said(instrument, ":SENS1:POW:UNIT W")
    assert np.float32(said(instrument, ":READ1:POW?")) == np.float32(watts[0])
    assert float(said(instrument, ":READ2:POW?")) == pytest.approx(10 * np.log10(watts[1] / 1e-3), rel=1e-8)
    assert said(instrument, ":READ3:POW?") == "-9.90000000E+037"


def test_power_beyond_the_range_is_a_sentinel_in_either_unit():
    _, _, instrument = lit(full_scale_w=0.01)
    assert floats(instrument.answer(b":READ:POW:ALL?"))[:2] == [pytest.approx(9.9e37)] * 2
    assert float(said(instrument, ":READ1:POW?")) == pytest.approx(9.9e37)
    assert float(said(instrument, ":SENS1:POW:UNIT W;:READ1:POW?")) == pytest.approx(9.9e37)


def test_fetch_gives_the_last_reading_read_a_new_one_of_its_port_alone():
    _, source, instrument = lit(unit="W")
    before = floats(instrument.answer(b":READ:POW:ALL?"))
    said(source, ":SOUR:AMPL:LIST 0.3,0")
    assert floats(instrument.answer(b":FETC:POW:ALL?")) == before
    said(instrument, ":READ1:POW?")
    after = floats(instrument.answer(b":FETC:POW:ALL?"))
    assert after[0] == pytest.approx(before[0] / 4)
    assert after[1:] == before[1:]


def test_a_reading_of_all_ports_steps_a_sequence_and_the_last_pattern_stays():
    _, source, instrument = lit(unit="W")
    said(source, ":MEM:DATA 0,1,0,0.5,0,0.25,0;:MEM:SEQ 2,0,1")
    assert said(source, ":SOUR1:AMPL?") == "0.25"
    totals = [sum(floats(instrument.answer(b":READ:POW:ALL?"))) for _ in range(4)]
    assert totals == pytest.approx([0.25**2, 1.0, 0.5**2, 0.5**2], rel=1e-6)
    said(instrument, ":READ1:POW?")
    assert said(source, ":MEM:SEQ:POS?") == "2"


def test_setting_amplitudes_ends_a_sequence():
    _, source, instrument = lit()
    said(source, ":MEM:DATA 0,1,0,0.5,0;:MEM:SEQ 0,1;:SOUR1:AMPL 0.7")
    instrument.answer(b":READ:POW:ALL?")
    assert said(source, ":SOUR1:AMPL?;:MEM:SEQ?") == "0.7;"


def test_a_sequence_is_stepped_by_the_meter_it_is_wired_to():
    behind = apparatus()
    source = modulators(behind, trigger="other")
    said(source, ":MEM:DATA 0,1,0,0.5,0;:MEM:SEQ 0,1;:OUTP ON")
    meter(behind).answer(b":READ:POW:ALL?")
    assert said(source, ":MEM:SEQ:POS?") == "0"
    behind.triggered("other")
    assert said(source, ":MEM:SEQ:POS?") == "1"


def test_without_light_every_reading_is_dark_however_badly_the_modulators_close():
    _, source, instrument = lit(leak=0.01, unit="W")
    said(source, ":SOUR:AMPL:LIST 0,0")
    assert min(floats(instrument.answer(b":READ:POW:ALL?"))[:2]) > 0.0
    said(source, ":OUTP OFF")
    assert floats(instrument.answer(b":READ:POW:ALL?")) == [0.0] * 4


def test_what_the_twin_cannot_do_is_a_hardware_error(monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise DeviceError("no equilibrium")

    monkeypatch.setattr(PhotonicTwin, "read_outputs", fail)
    _, _, instrument = lit()
    assert said(instrument, ":READ:POW:ALL?;:SYST:ERR?") == '-240,"Hardware error; no equilibrium"'
