"""A protocol on a bench in real time that another process watches: what stays on, and how it goes on."""

import json
import shlex
import signal
from pathlib import Path
from typing import Any

import pytest

PROTOCOL = """
[protocol]
title = "On a bench"

[sentinel]
every = 0.3
bound = 0.5

[[step]]
name = "ready"
kind = "confirm"
message = "go on?"

[[step]]
name = "train"
kind = "train"
checkpoint_every = 0.1
settings = { dataset = "csv:flowers.csv", steps = 120, batch = 16, baselines = false }

[[step]]
name = "hold"
kind = "drift-check"
duration = 0.4
every = 0.2
run_of = "${train.run}"
"""
RESUME = "ffzero-lab run --resume "


def written(table: Any) -> list[str]:
    (table.folder / "protocol.toml").write_text(PROTOCOL)
    return ["run", "protocol.toml", "--device", *table.device, *table.options]


def state_of(run: Path) -> dict[str, Any]:
    return json.loads((run / "status.json").read_text())


@pytest.mark.slow
def test_nothing_is_switched_on_before_the_answer_and_everything_is_off_after_a_signal_and_at_the_end(
    table: Any,
) -> None:
    process = table.start(*written(table))
    table.witness.wait_for("parked")  # before asking
    assert table.witness.whats("write") == []
    while not table.runs or state_of(table.runs[0])["state"] != "paused":
        assert process.poll() is None
    (run,) = table.runs
    assert table.run("continue", str(run))[0] == 0
    table.witness.wait_for("exchanged", count=40)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 128 + signal.SIGTERM
    assert table.witness.on == 0
    command = err.rstrip("\n").rpartition("\n")[2]
    assert command == f"{RESUME}{run.relative_to(table.folder)}"
    table.witness.forget()
    code, out, err = table.run(*shlex.split(command)[1:], "--json")
    assert code == 0, err
    assert table.witness.whats("parking", "write")[0] == "parking"
    assert table.witness.on == 0
    summary = json.loads(out)
    assert [step["state"] for step in summary["steps"]] == ["done"] * 3
    assert summary["steps"][0]["results"] == {"answered": "control"}  # and not asked again
    assert summary["sentinel"]["looks"] > 1


@pytest.mark.slow
def test_after_a_sigkill_the_bench_is_parked_first_and_a_trip_is_not_resumed_unless_told(table: Any) -> None:
    process = table.start(*written(table), "--yes")
    table.witness.wait_for("exchanged", count=30)
    process.kill()
    process.communicate()
    (run,) = table.runs
    table.witness.forget()
    process = table.start("run", "--resume", str(run))
    table.witness.wait_for("exchanged", count=20)
    assert table.witness.whats("parking", "write")[0] == "parking"
    table.fault(health="hot")
    _, err = process.communicate(timeout=200)
    assert process.returncode == 4, err
    assert table.witness.on == 0
    assert err.rstrip("\n").endswith(f"{RESUME}{run} --after-trip")
    table.fault()
    code, _, err = table.run("run", "--resume", str(run))
    assert code == 2
    assert "was ended by an interlock" in err
    code, _, err = table.run("run", "--resume", str(run), "--after-trip", "--json")
    assert code == 0, err
