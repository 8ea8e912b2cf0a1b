"""Interlocks, the lock and parking, through the command line, on twins and on a bench that somebody watches."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Ask = Callable[..., tuple[int, str, str]]


def status(run: Path) -> dict[str, Any]:
    return json.loads((run / "status.json").read_text())


def twin(table: Any, *more: str) -> list[str]:
    dataset = ["--dataset", f"csv:{table.folder / 'flowers.csv'}", "--steps", "5"]
    return ["train", *dataset, "--set", "device.ports=8", *more]


def test_an_interlock_on_a_twin_trips_and_says_why(table: Any, ask: Ask) -> None:
    code, out, err = ask(*twin(table, "--set", "interlocks.heat_0.upper=1e-6", "--json"))
    error = json.loads(out)["error"]
    assert (code, error["kind"], error["exit_code"]) == (4, "InterlockTripped", 4), err
    assert "heat_0" in error["message"]
    assert "over the upper bound of 1e-06 W" in error["message"]
    assert error["notes"][0] == "the device is parked"
    (run,) = table.runs
    assert (status(run)["state"], status(run)["reason"]) == ("tripped", error["message"])
    assert error["notes"][-1].endswith(f"--resume {run.relative_to(table.folder)} --after-trip")


@pytest.mark.slow
def test_a_trip_needs_a_word_to_go_on_and_goes_on_with_it(table: Any) -> None:
    table.fault(exchange_s=1.0, **{"from": 20})
    process = table.started("--set", "interlocks.temperature.upper=50", steps=30, readings=19)
    table.fault(health="hot", exchange_s=1.0)  # it goes on slowly, and does not end before somebody has looked
    _, err = process.communicate(timeout=100)
    assert process.returncode == 4
    assert "95.0 °C is over the upper bound" in err
    assert table.witness.on == 0
    (run,) = table.runs
    assert status(run)["state"] == "tripped"
    table.fault()
    code, _, err = table.run("train", "--resume", str(run))
    assert (code, "--after-trip" in err, "95.0 °C" in err) == (2, True, True)
    table.fault(health="hot")
    table.witness.forget()
    code, _, err = table.run("train", "--resume", str(run), "--after-trip")
    assert (code, "95.0 °C" in err) == (4, True)
    assert "write" not in table.witness.whats()
    assert status(run)["state"] == "tripped"
    table.fault()
    code, _, err = table.run("train", "--resume", str(run), "--after-trip")
    assert code == 0, err
    assert status(run)["state"] == "complete"


def test_nothing_is_switched_on_when_an_interlock_is_tripped_at_the_start(table: Any) -> None:
    table.fault(health="hot")
    code, _, err = table.run(*table.train("--set", "interlocks.temperature.upper=50"))
    assert (code, "95.0 °C is over" in err) == (4, True)
    assert "write" not in table.witness.whats()
    assert "exchange" not in table.witness.whats()


def test_debounce_lets_a_reading_settle(table: Any, ask: Ask) -> None:
    cold_start = ["--set", "interlocks.heat_0.lower=1e-6"]
    assert ask(*twin(table, *cold_start))[0] == 4
    code, _, err = ask(*twin(table, "--name", "debounced", *cold_start, "--set", "interlocks.heat_0.debounce=5"))
    assert code == 0, err


def test_an_unknown_channel_is_bad_input_with_the_near_match(table: Any, ask: Ask) -> None:
    code, out, err = ask(*twin(table, "--set", "interlocks.heat0.upper=1"))
    assert (code, out) == (2, "")
    assert "did you mean 'heat_0'?" in err
    assert "allowed: heat_0, heat_1" in err
    assert table.runs == []


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("hang", "the last good reading is"),
        pytest.param("raise", "the thermometer does not answer", marks=pytest.mark.slow),
        pytest.param("missing", "the channel is missing", marks=pytest.mark.slow),
    ],
)
def test_a_health_reading_that_hangs_fails_or_is_gone_trips(table: Any, recorded: Any, fault: str, reason: str) -> None:
    process = table.started(script=recorded.SHORT_DEADLINES if fault == "hang" else recorded.PATIENT)
    table.fault(health=fault)
    _, err = process.communicate(timeout=100)
    assert process.returncode == 4
    assert reason in err
    assert table.witness.on == 0
    assert status(table.runs[0])["state"] == "tripped"


def test_a_second_process_is_told_who_has_the_bench_and_never_touches_it(table: Any) -> None:
    owner = table.started()
    (run,) = table.runs
    code, out, err = table.run(*table.train("--name", "second"))
    assert (code, out) == (3, "")
    for part in (str(owner.pid), str(run), "ffzero-lab park"):
        assert part in err
    assert {seen.pid for seen in table.witness.seen} == {owner.pid}
    assert table.run(*table.train("--dry-run"))[0] == 3
    assert {seen.pid for seen in table.witness.seen} == {owner.pid}
    assert owner.poll() is None
    assert len(table.runs) == 1


def test_after_a_crash_the_next_start_parks_before_anything_else(table: Any) -> None:
    owner = table.started()
    owner.kill()
    owner.wait()
    assert table.witness.on > 0
    (run,) = table.runs
    table.witness.seen.clear()
    resumed = table.start("train", "--resume", str(run))
    table.witness.wait_for("exchange")
    assert table.witness.whats()[:3] == ["open", "parking", "parked"]
    assert table.witness.seen[2].on == 0
    resumed.send_signal(signal.SIGTERM)
    assert resumed.wait(timeout=100) == 143
    assert table.witness.on == 0


def test_park_asks_the_owner_first(table: Any) -> None:
    owner = table.started()
    (run,) = table.runs
    code, out, err = table.run("park", *table.device, *table.options, "--json")
    assert code == 0, err
    assert json.loads(out) == {"device": "recorded", "parked": True, "stopped_run": str(run)}
    assert owner.wait(timeout=100) == 143
    pids = [seen.pid for seen in table.witness.seen]
    assert pids == sorted(pids, key=lambda pid: pid != owner.pid)  # the owner was done before the other began
    assert table.witness.on == 0


def test_park_works_after_a_crash_and_so_nothing_is_left_to_park(table: Any) -> None:
    owner = table.started()
    owner.kill()
    owner.wait()
    assert table.witness.on > 0
    assert table.run("park", *table.device, *table.options)[0] == 0
    assert table.witness.on == 0
    table.witness.forget()
    assert table.run(*table.train(steps=1))[0] == 0
    assert table.witness.whats()[:2] == ["open", "write"]


def test_park_leaves_the_bench_alone_while_its_owner_does_not_let_go(table: Any) -> None:
    owner = table.started()
    owner.send_signal(signal.SIGSTOP)
    code, out, err = table.run("park", *table.device, *table.options, "--wait", "0.3")
    assert (code, out) == (3, "")
    assert str(owner.pid) in err
    assert {seen.pid for seen in table.witness.seen} == {owner.pid}


@pytest.mark.slow
def test_park_that_fails_says_so_and_leaves_the_duty_to_the_next(table: Any) -> None:
    table.fault(park="fail")
    code, out, err = table.run("park", *table.device, *table.options)
    assert (code, out) == (3, "")
    assert "no answer to park" in err
    table.fault()
    table.witness.forget()
    assert table.run(*table.train(steps=1))[0] == 0
    assert table.witness.whats()[:3] == ["open", "parking", "parked"]


def test_a_twin_is_parked_without_ado(table: Any, ask: Ask) -> None:
    code, out, _ = ask("park", "twin:photonic")
    assert (code, out) == (0, "twin:photonic is parked\n")
    assert not (table.folder / "locks").exists()
