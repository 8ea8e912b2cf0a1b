"""What a protocol does when all goes well, and when it does not: outcomes, retries, until, references, dry run."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ffzero_lab.runs import RunReader
from tests.protocols.conftest import HEAD, TRAIN, Carry

Ask = Callable[..., tuple[int, str, str]]
TEST = '[[step]]\nname = "test"\nkind = "evaluate"\nrun_of = "${train.run}"\n'
OFF = HEAD + 'faults = [{ kind = "laser-off", from_s = 0.0 }]\n'
LOOK = '[[step]]\nname = "look"\nkind = "drift-check"\nduration = "1s"\nevery = "1s"\n'
PARK = '[[step]]\nname = "off"\nkind = "park"\n'


def test_every_outcome_stands_in_the_manifest_with_counts_and_nested_run_folders(carry: Carry, ask: Ask) -> None:
    identify = '[[step]]\nname = "who"\nkind = "identify"\n'
    ended = carry(HEAD + identify + TRAIN + TEST + PARK)
    assert ended.code == 0, ended.err
    manifest = RunReader(ended.run).manifest
    assert [(step["name"], step["state"]) for step in manifest["steps"]] == [
        ("who", "done"), ("train", "done"), ("test", "done"), ("off", "done"),
    ]  # fmt: skip
    nested = RunReader(ended.run / ended.results("train")["run"])
    assert nested.summary is not None
    assert nested.summary["writes"] == 12 * 2 + 2 == ended.results("train")["writes"]
    assert ended.steps["train"]["counts"]["training"]["writes"] == 24
    assert ended.steps["test"]["counts"]["evaluation"] == {"writes": 1, "readings": 1, "shots": 45}
    assert ended.results("who")["parameters"] == 16
    summary = json.loads(ended.out)
    assert summary["writes"] == sum(
        counts["writes"] for step in ended.steps.values() for counts in step["counts"].values()
    )
    code, out, _ = ask("runs", "list", "--json")
    assert code == 0
    assert [(row["state"], row["problem"]) for row in json.loads(out)["runs"]] == [("complete", None)]
    assert ask("runs", "show", ended.run)[0] == 0
    assert ask("evaluate", ended.run / "02-train", "--json")[0] == 0


def test_a_failing_step_ends_the_protocol_parked_and_says_how_to_go_on(carry: Carry) -> None:
    ended = carry(OFF + LOOK + PARK)
    assert ended.code == 3
    notes = json.loads(ended.out)["error"]["notes"]
    assert "the device is parked" in notes
    assert notes[-1].startswith("to go on:\nffzero-lab run --resume runs/")
    run = next(Path("runs").iterdir())
    assert [step["state"] for step in RunReader(run).manifest["steps"]] == ["stopped", "waiting"]
    assert "nothing but noise" in RunReader(run).manifest["steps"][0]["failures"][0]


def test_retries_are_bounded_and_every_failure_is_written_down(carry: Carry) -> None:
    ended = carry(OFF + LOOK + 'on_failure = "retry"\nretries = 2\n' + PARK)
    assert ended.code == 3
    run = next(Path("runs").iterdir())
    assert len(RunReader(run).manifest["steps"][0]["failures"]) == 3


def test_a_step_that_may_fail_lets_the_next_one_follow_and_its_results_are_missed_when_used(carry: Carry) -> None:
    uses = '[[step]]\nname = "uses"\nkind = "confirm"\nmessage = "${look.last_change}?"\n'
    ended = carry(OFF + LOOK + 'on_failure = "continue"\n' + PARK)
    assert ended.code == 0
    assert {name: step["state"] for name, step in ended.steps.items()} == {"look": "failed", "off": "done"}
    assert json.loads(ended.out)["failed_steps"] == ["look"]
    missed = carry(OFF + LOOK + 'on_failure = "continue"\n' + uses, "--name", "other")
    assert missed.code == 2
    assert "did not come to that result" in json.loads(missed.out)["error"]["message"]


def test_a_repeated_step_trains_anew_each_time_and_fails_after_the_last(carry: Carry) -> None:
    ended = carry(HEAD + TRAIN + 'until = { value = "score", at_least = 1.5, most = 3 }\n')
    assert ended.code == 1
    assert "after 3 times" in json.loads(ended.out)["error"]["message"]
    run = next(Path("runs").iterdir())
    trained = sorted(path.parent.name for path in run.glob("*/summary.json"))
    assert trained == ["01-train", "01-train-2", "01-train-3"]
    satisfied = carry(HEAD + TRAIN + 'until = { value = "score", at_least = 0.0, most = 3 }\n', "--name", "other")
    assert satisfied.code == 0
    assert satisfied.steps["train"]["repetition"] == 1


def test_a_bound_that_is_not_kept_is_measured_anew_on_retry(carry: Carry) -> None:
    drifting = HEAD + "drift = { phase_rad = 0.5, time_s = 1.0 }\n"
    ended = carry(drifting + LOOK + 'bound = 0.001\non_failure = "retry"\nretries = 1\n')
    assert ended.code == 1
    step = RunReader(next(Path("runs").iterdir())).manifest["steps"][0]
    assert len(step["failures"]) == 2
    assert step["failures"][0] != step["failures"][1]


def test_a_sweep_keeps_every_point_and_names_the_best(carry: Carry) -> None:
    sweep = """
[[step]]
name = "noise"
kind = "sweep"
setting = "parameter_noise"
values = [0.0, 3.0]
of = { kind = "evaluate", run_of = "${train.run}", times = 4 }
[[step]]
name = "rates"
kind = "sweep"
setting = "settings.learning_rate"
values = [0.001, 0.1]
judge_by = "loss"
best = "lowest"
of = { kind = "train", settings = { dataset = "iris", steps = 8, batch = 16 } }
"""
    ended = carry(HEAD + TRAIN.replace("steps = 12", "steps = 400") + sweep)
    assert ended.code == 0, ended.out
    noise, rates = ended.results("noise"), ended.results("rates")
    assert noise["best"] == 0.0
    assert noise["judged"][0] > noise["judged"][1] + 0.1
    assert noise["points"][1]["spread"] > 0.0
    assert rates["judged"] == [point["loss"] for point in rates["points"]]
    assert rates["best_judged"] == min(rates["judged"])
    assert len(list(ended.run.glob("03-rates/point-*/training/summary.json"))) == 2


@pytest.mark.parametrize(
    ("late", "told"),
    [
        ('name = "bad"\nkind = "train"\nsettings = { dataset = "digits", steps = 5 }\n', "step 4 (bad)"),
        ('name = "bad"\nkind = "evaluate"\nrun_of = "${train.run}"\ndataset = "wnie"\n', "did you mean 'wine'"),
        ('name = "bad"\nkind = "identify"\nserial_number = "another"\n', "expected is another"),
        ('name = "bad"\nkind = "train"\nsettings = { dataset = "iris", epsilon = 50.0 }\n', "leaves no room"),
    ],
)
def test_a_mistake_in_a_late_step_is_found_before_the_first_touches_anything(
    carry: Carry, late: str, told: str
) -> None:
    before = '[[step]]\nname = "look"\nkind = "check"\nenergise = true\n' + TRAIN + PARK
    ended = carry(HEAD + before + "[[step]]\n" + late)
    assert ended.code == 2
    assert told in json.loads(ended.out)["error"]["message"]
    assert not Path("runs").exists()


def test_a_dry_run_tells_counts_time_touches_and_questions_and_writes_nothing(carry: Carry, ask: Ask) -> None:
    text = HEAD + '[[step]]\nname = "ready"\nkind = "confirm"\nmessage = "laser on?"\n' + TRAIN + TEST + LOOK
    planned = json.loads(carry(text, "--dry-run").out)
    assert not Path("runs").exists()
    by_name = {step["name"]: step for step in planned["steps"]}
    assert by_name["ready"]["asks"] == ["laser on?"]
    assert by_name["train"]["touches"] == ["moves 16 parameters of 1 layers, light in"]
    done = carry(text, "--yes")
    for name, step in done.steps.items():
        spent = [sum(counts[key] for counts in step["counts"].values()) for key in ("writes", "shots")]
        assert spent == [by_name[name]["writes"], by_name[name]["shots"]], name
    total = json.loads(done.out)
    assert planned["predicted_seconds"] == total["predicted_seconds"]
    assert total["device_seconds"] == pytest.approx(total["predicted_seconds"], rel=0.1)
    code, out, _ = ask("run", "protocol.toml", "--dry-run")
    assert code == 0
    assert "needs you: laser on?" in out


def test_a_dry_run_shows_what_is_not_known_yet_as_it_is_written(carry: Carry) -> None:
    who = '[[step]]\nname = "who"\nkind = "identify"\n[[step]]\nname = "ready"\nkind = "confirm"\n'
    planned = json.loads(carry(HEAD + who + 'message = "is this ${who.serial_number}?"\n', "--dry-run").out)
    assert planned["steps"][1]["asks"] == ["is this ${who.serial_number}?"]


def test_a_protocol_for_another_kind_of_device_and_a_raw_one_without_a_record_are_refused(carry: Carry) -> None:
    mechanical = carry(HEAD.replace('title = "A test"', 'title = "A test"\nkind = "mechanical"') + PARK)
    assert mechanical.code == 2
    assert "is for mechanical devices" in json.loads(mechanical.out)["error"]["message"]
    raw = carry(HEAD + TRAIN, "--set", "device.drive=volts")
    assert raw.code == 2
    assert "driven in raw units" in json.loads(raw.out)["error"]["message"]


def test_the_head_of_a_device_argument_keeps_the_options_of_the_twin_it_is_rehearsed_on(ask: Ask, carry: Carry) -> None:
    planned = json.loads(carry(HEAD + TRAIN, "--device", "twin", "--dry-run").out)
    assert "moves 16 parameters" in planned["steps"][0]["touches"][0]
    other = carry(HEAD + PARK, "--device", "twin:mechanical", "--dry-run")
    assert json.loads(other.out)["device"] == "twin:mechanical"


def test_shipped_protocols_are_listed_shown_and_checked(ask: Ask) -> None:
    code, out, _ = ask("protocols", "list")
    assert code == 0
    assert "overnight-drift" in out
    code, out, _ = ask("protocols", "show", "noise-sweep")
    assert "[[step]]" in out
    code, out, _ = ask("protocols", "check", "photonic-digits")
    assert code == 0
    assert "uses ${train.run}" in out
    code, _, err = ask("protocols", "check", "noise-swep")
    assert code == 2
    assert "did you mean 'noise-sweep'" in err
