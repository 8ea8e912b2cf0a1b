"""Whatever ends a protocol, it goes on at the very part: same outcomes, same bits on a twin."""

import json
import os
import select
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ffzero_lab.cli.protocol_display import Voice
from ffzero_lab.runs import ControlRequest, RunReader, ask
from ffzero_lab.signals import Interruption
from protocols.shift import Shift
from tests.protocols.conftest import HEAD, TRAIN, Carry, left_behind

STEPS = """
[[step]]
name = "hold"
kind = "drift-check"
duration = 0.1
every = 0.05
run_of = "${train.run}"
[[step]]
name = "noise"
kind = "sweep"
setting = "parameter_noise"
values = [0.0, 0.3]
of = { kind = "evaluate", run_of = "${train.run}", times = 2 }
"""
WATCHED = HEAD + "drift = { phase_rad = 0.1, time_s = 0.1 }\n" + "[sentinel]\nevery = 0.02\nbound = 0.001\n"
TEXT = WATCHED + TRAIN + STEPS
CONFIRM = '[[step]]\nname = "ready"\nkind = "confirm"\nmessage = "go on?"\n'


def stop() -> None:
    raise Interruption("stopped by the test", 130)


def only_run() -> Path:
    return next(Path("runs").iterdir())


@pytest.fixture
def undisturbed(carry: Carry, before_exchange: Any) -> tuple[dict[str, Any], int]:
    with before_exchange(0, stop) as counted:
        ended = carry(TEXT, "--name", "undisturbed", "--run-dir", "other")
    assert ended.code == 0, ended.out
    return left_behind(ended.run), counted.seen


def test_interrupted_before_exchanges_all_along_it_goes_on_to_the_same_bits(
    carry: Carry, resume: Carry, before_exchange: Any, undisturbed: tuple[dict[str, Any], int]
) -> None:
    reference, exchanges = undisturbed
    assert exchanges > 40
    for number in range(2, exchanges, exchanges // 7):
        with before_exchange(number, stop):
            stopped = carry(TEXT, "--name", f"at{number}", "--run-dir", f"runs{number}")
        assert stopped.code == 130
        run = next(Path(f"runs{number}").iterdir())
        printed = json.loads(stopped.out)["error"]["notes"][-1]
        assert printed.endswith(f"ffzero-lab run --resume {run}")
        resumed = resume(run)
        assert resumed.code == 0, resumed.out
        assert left_behind(run) == reference, f"stopped before exchange {number} of {exchanges}"


def test_the_sentinel_looked_within_training_and_within_waiting(undisturbed: tuple[dict[str, Any], int]) -> None:
    seen = undisturbed[0][".: summary"]["sentinel"]["seen"]
    assert {look["step"] for look in seen} >= {"train", "hold"}
    assert max(look["change"] for look in seen) > 0.001


def test_steps_that_are_done_are_not_repeated_unless_told(carry: Carry, resume: Carry) -> None:
    text = HEAD + TRAIN + STEPS
    ended = carry(text)
    assert ended.code == 0
    complete = resume(ended.run)
    assert complete.code == 2
    assert "say --from STEP" in json.loads(complete.out)["error"]["message"]
    unknown = resume(ended.run, "--from", "nois")
    assert "did you mean 'noise'" in json.loads(unknown.out)["error"]["message"]
    again = resume(ended.run, "--from", "hold")
    assert again.code == 0, again.out
    assert [step["round"] for step in again.steps.values()] == [1, 2, 2]
    assert again.steps["train"] == ended.steps["train"]
    assert (ended.run / "summary.superseded.json").exists()
    assert [path.parent.name for path in ended.run.glob("*/summary.json")] == ["01-train"]
    trained = resume(ended.run, "--from", "train")
    assert trained.results("train")["run"] == "01-train-2"


def test_a_failed_step_is_tried_again_when_the_protocol_is_resumed(carry: Carry, resume: Carry) -> None:
    text = HEAD + 'faults = [{ kind = "laser-off", from_s = 1.0 }]\n' + TRAIN
    hold = '[[step]]\nname = "hold"\nkind = "drift-check"\nduration = "3s"\nevery = "1s"\n'
    assert carry(text + hold).code == 3
    run = only_run()
    again = resume(run)
    assert again.code == 3  # the laser is still off: but training, which was done, was not repeated
    states = {step["name"]: step for step in RunReader(run).manifest["steps"]}
    assert states["train"]["state"] == "done"
    assert len(states["hold"]["failures"]) == 2


class Answering(threading.Thread):
    """Somebody who answers as soon as the protocol asks."""

    def __init__(self, request: ControlRequest) -> None:
        super().__init__()
        self.request, self.reason = request, ""

    def run(self) -> None:
        deadline = time.monotonic() + 60.0
        while time.monotonic() < deadline and not self.reason:
            for path in Path("runs").glob("*/status.json"):
                status = json.loads(path.read_text())
                if status["state"] == "paused":
                    self.reason = status.get("reason", "on request")
                    ask(path.parent, self.request)
            time.sleep(0.02)

    def join(self, timeout: float | None = None) -> None:
        super().join(timeout)
        assert self.reason, "nothing was asked"


def answering(name: str) -> Answering:
    thread = Answering(ControlRequest(name))  # type: ignore[arg-type]
    thread.start()
    return thread


def test_a_question_waits_for_an_answer_from_another_shell_and_is_not_asked_again(
    carry: Carry, resume: Carry, before_exchange: Any
) -> None:
    text = HEAD + CONFIRM + TRAIN
    declining = answering("stop")
    declined = carry(text)
    declining.join()
    assert declined.code == 143
    run = only_run()
    agreeing = answering("continue")
    with before_exchange(0, stop):
        resumed = resume(run)
    agreeing.join()
    assert resumed.code == 0, resumed.out
    assert resumed.results("ready") == {"answered": "control"}
    again = resume(run, "--from", "train")
    assert again.code == 0  # nobody answers any more


def test_what_was_said_before_the_question_is_no_answer_to_it(carry: Carry, monkeypatch: pytest.MonkeyPatch) -> None:
    confirmed = Shift.confirmed

    def after_an_earlier_word(shift: Shift, message: str) -> str:
        ask(shift.run.path, ControlRequest("continue"))
        return confirmed(shift, message)

    monkeypatch.setattr(Shift, "confirmed", after_an_earlier_word)
    declining = answering("stop")
    declined = carry(HEAD + CONFIRM)
    declining.join()
    assert declined.code == 143


def test_what_was_typed_before_the_question_is_no_answer_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, terminal = os.openpty()
    with os.fdopen(ours, "wb", buffering=0) as keyboard, open(terminal) as stdin:  # noqa: PTH123 - a descriptor
        monkeypatch.setattr("sys.stdin", stdin)
        voice = Voice(as_json=False)
        keyboard.write(b"y\ny\n")
        assert select.select([stdin], [], [], 60.0)[0]
        voice.question("is the shutter open?")
        assert voice.answer() is None
        keyboard.write(b"n\n")
        assert select.select([stdin], [], [], 60.0)[0]
        assert voice.answer() is False
    monkeypatch.setattr("sys.stdin", None)  # closed by whoever started it
    voice.question("is the shutter open?")
    assert voice.answer() is None


def test_how_to_answer_is_told(ask: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(HEAD + CONFIRM)
    agreeing = answering("continue")
    code, out, _ = ask("run", "p.toml")
    agreeing.join()
    assert code == 0
    assert agreeing.reason == "waits for an answer: go on?"
    assert f"to agree: ffzero-lab continue {only_run()}" in out


def test_a_protocol_can_be_paused_and_continued_within_training(carry: Carry, before_exchange: Any) -> None:
    """The request is put at the protocol's folder; the training run under way hears it."""
    text = HEAD + TRAIN.replace("1e-3", "30.0").replace("log_every = 1", "log_every = 100")
    agreeing = answering("continue")
    with before_exchange(5, lambda: ask(only_run(), ControlRequest("pause"))):
        ended = carry(text.replace("steps = 12", "steps = 800"))
    agreeing.join()
    assert ended.code == 0, ended.out
    trained = RunReader(ended.run / "01-train").summary
    assert trained is not None
    assert not list(ended.run.glob("*/control/*.json")), "every request was heard"


def test_another_run_folder_is_refused(carry: Carry, resume: Carry, ask: Callable[..., Any]) -> None:
    ended = carry(HEAD + TRAIN)
    training = resume(ended.run / "01-train")
    assert training.code == 2
    assert "is no run of a protocol" in json.loads(training.out)["error"]["message"]
    code, _, err = ask("train", "--resume", ended.run)
    assert code == 2
    assert "ffzero-lab run --resume" in err
    code, _, err = ask("run", "--from", "train", "protocol.toml")
    assert code == 2
    assert "only with --resume RUN" in err
