"""What reached the outputs is on record, and nothing else is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.emulator import Output, read_witness
from drivers.emulator.witness import Witness


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "witness.jsonl"


def volts(*given: float) -> str:
    return ":SOUR:VOLT:LIST " + ",".join(map(repr, [*given, *[0.0] * (16 - len(given))]))


def test_setpoints_reach_the_outputs_when_these_are_switched_on(bench: Callable[..., Any], file: Path):
    heaters = bench().client("heaters")
    heaters.ask(volts(7.0, 1.0) + ";*OPC?")
    assert read_witness(file).range()["heaters", 1] == (0.0, 0.0)
    heaters.ask(":OUTP ON;*OPC?")
    heaters.ask(":SOUR1:VOLT 9.5;*OPC?")
    heaters.ask(":SOUR1:VOLT 2;*OPC?")
    seen = read_witness(file)
    assert seen.range()["heaters", 1] == (0.0, 9.5)
    assert seen.range()["heaters", 2] == (0.0, 1.0)
    assert seen.left_on() == {("heaters", 1): 2.0, ("heaters", 2): 1.0}
    heaters.ask(":OUTP OFF;*OPC?")
    seen = read_witness(file)
    assert seen.left_on() == {}
    assert (seen.final()["heaters", 1].value, seen.final()["heaters", 1].on) == (0.0, False)
    assert seen.range()["heaters", 1] == (0.0, 9.5)


def test_a_setpoint_out_of_limits_is_known_and_reached_nothing(bench: Callable[..., Any], file: Path):
    heaters = bench().client("heaters")
    heaters.ask(":OUTP ON;:SOUR2:VOLT 11;*OPC?")
    heaters.ask(volts(1.0, 2.0, 10.5) + ";*OPC?")
    seen = read_witness(file)
    assert seen.refused == [(("heaters", 2), 11.0), (("heaters", 3), 10.5)]
    assert set(seen.range().values()) == {(0.0, 0.0)}


def test_presented_patterns_are_recorded(bench: Callable[..., Any], file: Path):
    running = bench()
    modulators = running.client("modulators")
    modulators.ask(":MEM:DATA 0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8;:OUTP ON;:MEM:SEQ 1,0;*OPC?")
    running.client("meter").ask_block(":READ:POW:ALL?")
    values = [output.value for output in read_witness(file).outputs["modulators", 1] if output.on]
    assert values == [0.0, 0.5, 0.1]


def test_events_have_the_times_of_the_clock_that_was_given(file: Path):
    times = iter([1.0, 2.5])
    witness = Witness(file, lambda: next(times))
    for value in (3.0, 4.0):
        witness.output("h", [2], [value], on=True)
    witness.close()
    assert read_witness(file).outputs["h", 2] == [Output(1.0, 3.0, on=True), Output(2.5, 4.0, on=True)]


@given(cut=st.integers(0, 200))
def test_a_file_that_is_being_written_reads_up_to_its_last_whole_line(
    tmp_path_factory: pytest.TempPathFactory, cut: int
):
    file = tmp_path_factory.mktemp("w") / "w.jsonl"
    lines = [
        json.dumps({"time_s": t, "event": "output", "instrument": "h", "on": True, "channels": [1], "values": [t]})
        for t in (0.0, 1.0, 2.0)
    ]
    text = "\n".join(lines) + "\n"
    file.write_text(text[: len(text) - cut])
    seen = read_witness(file).outputs
    assert len(seen.get(("h", 1), [])) == text[: len(text) - cut].count("\n")


def test_without_a_file_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Witness(None).output("h", [1], [1.0], on=True)
    assert list(tmp_path.iterdir()) == []
