"""Each kind of fault as a client on a raw socket sees it, and plans that can be repeated."""

import json
import select
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from pydantic import ValidationError

from drivers.emulator import EmulationSpec, Fault, FaultKind, FaultPlan, read_witness
from drivers.emulator.delivery import NOTHING, Delivery, deliver
from drivers.emulator.faults import OF_RACKS
from drivers.emulator.troubles import Troubles
from drivers.emulator.witness import Witness

IDN = b"Keysight Technologies,N7744C,EMU-1,V1.00\n"
FULL = b"1.0," * 15 + b"1.0\n"


def fault(kind: str, instrument: str = "meter", exchange: int = 1, **options: Any) -> Fault:
    return Fault.model_validate({"kind": kind, "instrument": instrument, "exchange": exchange, **options})


def powers(client: Any, message: str = ":READ:POW:ALL?") -> list[float]:
    return np.frombuffer(client.ask_block(message), "<f4").tolist()


def lit(running: Any) -> Any:
    """Light in all ports; returns a client of the meter."""
    running.client("modulators").ask(":SOUR:AMPL:LIST 0.5,0.6,0.7,0.8;:OUTP ON;*OPC?")
    return running.client("meter")


def test_a_dropped_reply_never_comes_and_the_next_one_does(bench: Callable[..., Any]):
    meter = bench(fault("drop")).client("meter")
    meter.write("*IDN?")
    meter.write("*OPC?")
    assert meter.line() == b"1\n"


def test_a_late_reply_comes_before_the_next_one(bench: Callable[..., Any]):
    meter = bench(fault("delay", delay_s=0.001)).client("meter")
    meter.write("*IDN?")
    meter.write("*OPC?")
    assert [meter.line(), meter.line()] == [IDN, b"1\n"]


def test_a_late_reply_holds_up_nobody_else(bench: Callable[..., Any], tmp_path: Path):
    running = bench(fault("delay", delay_s=60.0))
    late, others = running.client("meter"), [running.client("heaters"), running.client("meter")]
    late.write("*IDN?")
    while not read_witness(tmp_path / "witness.jsonl").faults:
        pass
    assert [other.ask("*OPC?") for other in others] == ["1", "1"]
    assert select.select([late.socket], [], [], 0.0)[0] == []


def test_garbage_is_no_answer_to_anything_and_ends_like_one(bench: Callable[..., Any]):
    meter = bench(fault("garbage")).client("meter")
    meter.write("*IDN?")
    line = meter.line()
    assert len(line) == len(IDN)
    assert all(byte >= 0x80 for byte in line[:-1])
    assert meter.ask("*OPC?") == "1"


def test_half_a_line_has_no_terminator_and_runs_into_the_next_reply(bench: Callable[..., Any]):
    meter = bench(fault("half-line")).client("meter")
    meter.write("*IDN?")
    meter.write("*OPC?")
    assert meter.line() == IDN[: len(IDN) // 2] + b"1\n"


def test_a_dribbling_reply_is_complete_in_the_end(bench: Callable[..., Any]):
    meter = bench(fault("dribble", delay_s=0.01)).client("meter")
    meter.write("*IDN?")
    pieces = []
    while sum(map(len, pieces)) < len(IDN):
        pieces.append(meter.socket.recv(len(IDN)))
    assert b"".join(pieces) == IDN
    assert len(pieces) > 1


def test_a_closed_connection_has_obeyed_and_a_new_one_goes_on(bench: Callable[..., Any]):
    running = bench(fault("close", "heaters", exchange=2))
    first = running.client("heaters")
    assert first.ask("*OPC?") == "1"
    first.write(":SOUR1:VOLT 3")
    assert first.line() == b""
    assert running.client("heaters").ask(":SOUR1:VOLT?") == "3.0"


def test_a_reboot_loses_setpoints_and_patterns_and_cuts_everybody_off(bench: Callable[..., Any], tmp_path: Path):
    running = bench(fault("reboot", "heaters", exchange=3), fault("reboot", "modulators", exchange=2))
    heaters, bystander, modulators = (running.client(name) for name in ("heaters", "heaters", "modulators"))
    bystander.ask("*ESR?")
    heaters.ask(":SOUR:VOLT:LIST " + FULL.decode().strip() + ";:OUTP ON;*OPC?")
    modulators.ask(":MEM:DATA 0,0.1,0.2,0.3,0.4;*ESR?")
    heaters.write(":SOUR1:VOLT 2")
    modulators.write(":MEM:REC 0")
    assert [client.line() for client in (heaters, bystander, modulators)] == [b"", b"", b""]
    assert running.client("heaters").ask("*ESR?;:OUTP?;:SOUR1:VOLT?;:SYST:ERR?") == '128;0;0.0;0,"No error"'
    assert running.client("modulators").ask(":MEM:COUN?;*ESR?") == "0;128"
    assert read_witness(tmp_path / "witness.jsonl").left_on() == {}


def test_a_stuck_port_repeats_itself(bench: Callable[..., Any]):
    running = bench(fault("stuck", exchange=2, channel=3, lasts=2))
    meter = lit(running)
    before = powers(meter)
    running.client("modulators").ask(":SOUR:AMPL:LIST 0.1,0.1,0.1,0.1;*OPC?")
    for stuck in (True, True, False):
        now = powers(meter)
        assert (now[2] == before[2]) == stuck
        assert all(new != old for new, old in zip(now[:2], before[:2], strict=True))


def test_over_range_is_a_sentinel_of_one_port_or_of_all(bench: Callable[..., Any]):
    running = bench(fault("over-range", exchange=1, channel=2), fault("over-range", exchange=2))
    meter = lit(running)
    over = np.float32(9.9e37)
    assert [power == over for power in powers(meter)] == [False, True, False, False]
    assert powers(meter) == [over] * 4
    assert max(powers(meter)) < 3.0


def test_a_dead_port_stays_dark(bench: Callable[..., Any]):
    meter = lit(bench(fault("dead-channel", exchange=2, channel=1)))
    assert powers(meter)[0] > 0.0
    assert [powers(meter)[0] for _ in range(3)] == [0.0] * 3


def test_a_dead_heater_drives_nothing_and_says_what_it_was_told(bench: Callable[..., Any], tmp_path: Path):
    running = bench(fault("dead-channel", "heaters", exchange=2, channel=3))
    heaters = running.client("heaters")
    heaters.ask(":SOUR:VOLT:LIST " + FULL.decode().strip() + ";:OUTP ON;*OPC?")
    assert read_witness(tmp_path / "witness.jsonl").final()["heaters", 3].value == 1.0
    assert heaters.ask(":SOUR3:VOLT 2;VOLT?") == "2.0"
    seen = read_witness(tmp_path / "witness.jsonl").final()
    assert [seen["heaters", channel].value for channel in (2, 3, 4)] == [1.0, 0.0, 1.0]


@pytest.mark.parametrize(("surplus", "count"), [(-1, 3), (1, 5)])
def test_a_wrong_count_is_a_sound_block_of_another_length(bench: Callable[..., Any], surplus: int, count: int):
    meter = lit(bench(fault("wrong-count", surplus=surplus)))
    assert meter.ask("*OPC?") == "1"  # no list to cut short: the fault waits
    assert len(powers(meter)) == count
    assert len(powers(meter)) == 4


def test_a_list_reply_of_a_source_can_have_a_wrong_count(bench: Callable[..., Any]):
    heaters = bench(fault("wrong-count", "heaters")).client("heaters")
    assert len(heaters.ask(":SOUR:VOLT:LIST?").split(",")) == 15


def test_a_partial_list_changes_half_and_says_nothing(bench: Callable[..., Any]):
    running = bench(fault("partial-list", "heaters"), fault("partial-list", "modulators"))
    heaters, modulators = running.client("heaters"), running.client("modulators")
    reply = heaters.ask(":SOUR:VOLT:LIST " + FULL.decode().strip() + ";:SYST:ERR?;:SOUR:VOLT:LIST?")
    assert reply == '0,"No error";' + ",".join(["1.0"] * 8 + ["0.0"] * 8)
    assert modulators.ask(":MEM:DATA 0,0,0,0,0,1,1,1,1;:MEM:COUN?") == "1"


def test_every_kind_of_fault_is_seen_by_a_client_of_one_instrument_or_another():
    text = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert [kind for kind in get_args(FaultKind) if f'fault("{kind}"' not in text] == []


def test_a_fault_strikes_once_and_the_witness_knows(bench: Callable[..., Any], tmp_path: Path):
    meter = bench(fault("garbage", exchange=2)).client("meter")
    assert meter.ask("*OPC?") == "1"
    for _ in range(2):
        meter.write(":SENS:POW:UNIT W")  # nothing to spoil: the fault waits
    meter.write("*OPC?")
    assert len(meter.line()) == 2
    assert meter.ask("*OPC?") == "1"
    (seen,) = read_witness(tmp_path / "witness.jsonl").faults
    assert (seen["instrument"], seen["kind"], seen["exchange"]) == ("meter", "garbage", 4)


def story(plan: FaultPlan, n_exchanges: int = 200) -> list[Delivery]:
    troubles = Troubles("meter", plan, Witness(None))
    told: list[Delivery] = []
    for _ in range(n_exchanges):
        troubles.next_exchange()
        told.append(deliver(b"+1.00000000E+000\n", troubles))
    return told


def test_the_same_plan_and_exchanges_have_the_same_faults():
    faults = tuple(
        Fault(instrument="meter", kind=kind, probability=0.1) for kind in ("drop", "garbage", "half-line", "delay")
    )
    first, again, other = (story(FaultPlan(seed=seed, faults=faults)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_probability_is_that_of_each_exchange():
    plan = FaultPlan(seed=3, faults=(Fault(instrument="meter", kind="drop", probability=0.25),))
    dropped = sum(delivery == NOTHING for delivery in story(plan, 4000))
    assert dropped == pytest.approx(1000, abs=5 * (4000 * 0.25 * 0.75) ** 0.5)


def test_late_and_dribbling_replies_take_the_time_of_the_plan():
    late, *_ = story(FaultPlan(faults=(fault("delay", delay_s=0.3),)), 1)
    slow, *_ = story(FaultPlan(faults=(fault("dribble", delay_s=0.3),)), 1)
    assert (late.wait_s, len(late.pieces)) == (0.3, 1)
    assert slow.wait_s * len(slow.pieces) == pytest.approx(0.3)
    assert all(len(piece) == 1 for piece in slow.pieces)


def test_random_plans_are_sound_repeatable_and_cover_all_that_can_happen(
    specify: Callable[..., EmulationSpec],
):
    spec = specify()
    plans = [FaultPlan.random(seed, spec.instruments, exchanges=50) for seed in range(200)]
    for plan in plans:
        EmulationSpec.model_validate({**spec.model_dump(), "faults": plan.model_dump()})
        assert len(plan.faults) == 3
        assert all(1 <= (planned.exchange or 0) <= 50 for planned in plan.faults)
    assert plans[7] == FaultPlan.random(7, spec.instruments, exchanges=50)
    assert plans[7] == FaultPlan.model_validate(json.loads(plans[7].model_dump_json()))
    known = {kind for instrument in spec.instruments for kind in instrument.breaks_by}
    assert {planned.kind for plan in plans for planned in plan.faults} == known
    assert known | set(OF_RACKS) == set(get_args(FaultKind))


def test_a_random_plan_can_be_of_chosen_kinds(specify: Callable[..., EmulationSpec]):
    instruments = specify().instruments
    plan = FaultPlan.random(0, instruments, exchanges=9, n_faults=20, kinds=["stuck", "drop"])
    assert {planned.kind for planned in plan.faults} == {"stuck", "drop"}
    with pytest.raises(ValueError, match="none of"):
        FaultPlan.random(0, instruments[:1], exchanges=9, kinds=["stuck"])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"exchange": None}, "either exchange or probability"),
        ({"probability": 0.5}, "either exchange or probability"),
        ({"surplus": 0}, "surplus must be"),
        ({"instrument": "lamp"}, "'lamp' is none of heaters, modulators, meter"),
        ({"kind": "partial-list"}, "cannot happen to a power-meter"),
        ({"kind": "stuck", "channel": 5}, "channel 5 of meter is none of 1 to 4"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(specify: Callable[..., EmulationSpec], wrong: dict[str, Any], message: str):
    given = {"instrument": "meter", "kind": "drop", "exchange": 1, **wrong}
    with pytest.raises(ValidationError, match=message):
        EmulationSpec.model_validate({**specify().model_dump(), "faults": {"faults": [given]}})
