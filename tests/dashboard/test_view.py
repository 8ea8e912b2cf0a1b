"""What a browser is told of a run, at once and piece by piece."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from ffzero_lab.dashboard import stream as stream_module
from ffzero_lab.dashboard import view as view_module
from ffzero_lab.dashboard.stream import ABREAST, APART_S, EVERY_S, events_of, until_next_s
from ffzero_lab.dashboard.view import REFRESH_S, Position, RunView
from ffzero_lab.errors import InputError


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view_module, "REFRESH_S", 0.0)
    monkeypatch.setattr(stream_module, "EVERY_S", 0.01)


def test_a_finished_run_is_told_at_once(server: TestClient, runs: Path, made: Any) -> None:
    made.finished(runs / "run", 40)
    told = server.get("/api/run/run").json()
    facts = told["facts"]
    assert (facts["state"], facts["can"], facts["progress"]["share"]) == ("complete", [], 1.0)
    assert facts["result"]["test_accuracy"]["sum"] == 0.9
    assert facts["spent"]["readings"] == 4000
    (loss,) = (curve for curve in told["curves"] if curve["name"] == "loss")
    assert [bucket[0] for bucket in loss["buckets"]] == [2 * number for number in range(1, 41)]


def test_news_are_only_what_is_new_and_nothing_where_nothing_is(runs: Path, made: Any) -> None:
    with made.begun(runs / "run") as run:
        run.status(made.status("running", 1))
        run.append(made.step_row(1))
        view, position = RunView(runs / "run", "run"), Position()
        news, position = view.since(position)
        assert set(news) == {"epoch", "facts", "curves", "log", "health"}
        assert view.since(position) == ({}, position)
        run.append(made.step_row(2, loss=0.5))
        news, _ = view.since(position)
        (loss,) = (curve for curve in news["curves"] if curve["name"] == "loss")
        assert (loss["start"], loss["buckets"][-1][4]) == (0, 0.5)
        assert "health" not in news
        assert view.since(Position())[0]["facts"]["progress"]["step"] == 2


def test_the_newest_loss_is_told_before_its_row_is_written_and_after_a_check(runs: Path, made: Any) -> None:
    with made.begun(runs / "run") as run:
        run.append(made.step_row(50, loss=0.75))
        view = RunView(runs / "run", "run")
        checked = {"event": "check", "layer": 0, "step": 50, "validation_score": 0.5}
        for last, loss in ((made.step_row(57, loss=0.25), 0.25), (checked, 0.75)):
            run.status(made.status("running", 57, last_event=last))
            assert view.since(Position())[0]["facts"]["newest"]["loss"] == loss


def test_the_time_left_goes_by_the_pace_of_the_rows_and_the_newest_step(runs: Path, made: Any) -> None:
    with made.begun(runs / "run") as run:
        run.append(made.step_row(50))  # a fortieth of two layers of 1000 steps, in 1.5 s
        run.status(made.status("running", 100))
        progress = RunView(runs / "run", "run").since(Position())[0]["facts"]["progress"]
    assert (progress["layer"], progress["step"], progress["share"]) == (0, 100, 0.05)
    assert progress["seconds_left"] == pytest.approx(1.5 * 40 * 0.95)


def test_a_receiver_that_slept_through_everything_gets_bounded_news(runs: Path, made: Any) -> None:
    with made.begun(runs / "run") as run:
        run.append(made.step_row(1))
        view, position = RunView(runs / "run", "run"), Position()
        _, position = view.since(position)
        for number in range(2, 2500):
            run.append(made.step_row(number, loss=9.0 if number == 1501 else 1.0))
        news, _ = view.since(position)
    assert all(len(curve["buckets"]) <= 800 for curve in news["curves"])
    assert max(b[3] for c in news["curves"] if c["name"] == "loss" for b in c["buckets"]) == 9.0
    assert len(json.dumps(news)) < 600_000


def test_health_is_told_against_the_tightest_bounds(runs: Path, made: Any) -> None:
    with made.begun(runs / "run") as run:
        hot = {"at_s": 1.0, "readings": {"heat_0": 5.5, "heat_1": None, "laser": 1.0}}
        run.status(made.status("running", 1, health=hot))
        news = RunView(runs / "run", "run").since(Position())[0]
    standing = {channel["name"]: channel["standing"] for channel in news["facts"]["channels"]}
    assert standing == {"heat_0": "beyond", "heat_1": "no reading", "laser": "not bounded"}
    assert {channel["name"]: channel["upper"] for channel in news["facts"]["channels"]}["heat_0"] == 5.0
    assert {curve["name"] for curve in news["health"]} == {"heat_0", "laser"}
    assert news["facts"]["links"]["source"]["retries"] == 1


def test_the_history_of_health_is_kept_every_few_seconds(runs: Path, made: Any) -> None:
    with made.begun(runs / "run") as run:
        for _ in range(3):
            run.status(made.status("running", 1))
    (line,) = (runs / "run" / "health.jsonl").read_text().splitlines()
    assert json.loads(line)["readings"]["heat_0"] == 1.25


def test_readings_that_are_no_numbers_are_left_out_of_the_history(server: TestClient, runs: Path, made: Any) -> None:
    made.finished(runs / "run")
    lines = [
        '{"at_s": 1.0, "readings": {"heat_0": NaN}}',
        '{"at_s": 1e999, "readings": {"heat_0": 2.0}}',
        "[" * 100_000,
    ]
    lines += ['{"at_s": 2.0, "readings": {"heat_0": 1' + "0" * 400 + "}}", '{"at_s": 3.0, "readings": {"heat_0": 4.0}}']
    (runs / "run" / "health.jsonl").write_text("\n".join(lines) + "\n")
    (heat,) = (curve for curve in server.get("/api/run/run").json()["health"] if curve["name"] == "heat_0")
    assert [bucket[:3] for bucket in heat["buckets"]] == [[3.0, 3.0, 4.0]]


def test_half_a_sign_in_a_file_is_told_all_the_same(server: TestClient, runs: Path, made: Any) -> None:
    with made.begun(runs / "run") as run:
        run.append({"event": "problem", "message": "half \ud800", "device_seconds": 1.0})
    assert server.get("/api/run/run").json()["log"][0]["text"] == "half \ud800"


def test_a_damaged_run_is_one_message(server: TestClient, runs: Path, made: Any) -> None:
    made.finished(runs / "run")
    for content in (b"", b"[]", b'{"format": 1}', b"\xff", b"[" * 100_000):
        (runs / "run" / "manifest.json").write_bytes(content)
        answer = server.get("/api/run/run")
        assert answer.status_code == 404, content
        assert "manifest.json" in answer.json()["error"] or "damaged" in answer.json()["error"]
        assert server.get("/api/runs").json()["rows"][0]["problem"]
        assert server.get("/api/drawing/run").status_code == 404


def test_a_run_of_another_computer_is_told_as_one_and_can_be_asked(server: TestClient, runs: Path, made: Any) -> None:
    with made.begun(runs / "run") as run:
        run.status(made.status("running", 1, host="bench-7.example", pid=2**22 + 1))
        facts = server.get("/api/run/run").json()["facts"]
        assert (facts["state"], facts["elsewhere"], facts["can"]) == ("running", "bench-7.example", ["pause", "stop"])
        run.status(made.status("stopped", 1, host="bench-7.example"))
    assert server.get("/api/run/run").json()["facts"]["elsewhere"] is None


def test_a_run_that_cannot_be_shown_fails_for_everybody_who_asks_at_once(
    runs: Path, made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_module, "REFRESH_S", 60.0)
    path = made.finished(runs / "run")
    summary = (path / "summary.json").read_bytes()
    (path / "summary.json").write_text("[]")
    view = RunView(path, "run")
    for _ in range(3):
        with pytest.raises(InputError, match="no table"):
            view.since(Position())
    (path / "summary.json").write_bytes(summary)
    assert view.since(Position())[0]["facts"]["state"] == "complete"


@pytest.mark.parametrize("summary", ["{}", '{"readout": "sum"}', '{"readout": "sum", "test_accuracy": {"last": 0.5}}'])
def test_a_summary_without_a_result_is_damage(server: TestClient, runs: Path, made: Any, summary: str) -> None:
    (made.finished(runs / "run") / "summary.json").write_text(summary)
    answer = server.get("/api/run/run")
    assert answer.status_code == 404
    assert "damaged" in answer.json()["error"]


def test_the_steps_of_a_protocol_lead_to_their_training_runs(server: TestClient, runs: Path, made: Any) -> None:
    step = {"kind": "train", "state": "done", "failures": [], "results": {"score": 0.5}, "device_seconds": 1.0}
    steps = [{"name": "warm", **step, "results": None}, {"name": "learn", **step, "round": 2}]
    protocol = {"kind": "protocol", "protocol": {"name": "p", "title": "P"}, "steps": steps}
    with made.begun(runs / "p", **protocol):
        made.finished(runs / "p" / "02-learn-2")
    told = server.get("/api/run/p").json()["facts"]
    assert [step["run"] for step in told["steps"]] == [None, "p/02-learn-2"]
    assert server.get("/api/run/p/02-learn-2").json()["facts"]["owner"] == "p"


def test_the_stream_tells_of_the_run_until_the_server_ends(runs: Path, made: Any) -> None:
    made.finished(runs / "run")
    looks = iter([False, True])

    async def told() -> list[bytes]:
        return [part async for part in events_of(RunView(runs / "run", "run"), lambda: next(looks))]

    (event,) = asyncio.run(told())
    assert event.startswith(b"event: news\ndata: {")
    assert event.endswith(b"}\n\n")
    assert event.count(b"\n") == 3


def test_all_browsers_of_a_run_are_told_from_one_look_by_one_text(
    runs: Path, made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with made.begun(runs / "run") as run:
        run.append(made.step_row(1))
        monkeypatch.setattr(view_module, "REFRESH_S", float("inf"))
        view = RunView(runs / "run", "run")
        first, reached = view.told_since(Position())
        assert view.told_since(reached) == ("", reached)
        run.append(made.step_row(2, loss=0.5))
        assert view.told_since(Position())[0] is first, "it looked or wrote again for another browser"
        monkeypatch.setattr(view_module, "REFRESH_S", 0.0)
        news, further = view.told_since(reached)
        assert json.loads(news)["curves"][0]["buckets"][-1][4] == 0.5
        assert further != reached
        assert json.loads(view.told_since(Position())[0]) == view.since(Position())[0]


def test_pages_are_told_in_turns_soon_enough_for_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "EVERY_S", EVERY_S)
    now_s = 7 * EVERY_S + 0.01
    for place in range(2 * ABREAST):
        told_s = now_s + until_next_s(now_s, place)
        assert told_s == pytest.approx(7 * EVERY_S + (place % ABREAST * APART_S or EVERY_S))
        assert until_next_s(told_s + 0.01, place) == pytest.approx(EVERY_S - 0.01)
    assert (ABREAST - 1) * APART_S < REFRESH_S, "all of them share one look"
    assert EVERY_S + (ABREAST - 1) * APART_S < 1.6, "2 s less what the way and the drawing take"


def test_a_folder_that_goes_away_is_told(runs: Path, made: Any) -> None:
    path = made.finished(runs / "run")
    view = RunView(path, "run")
    view.since(Position())
    (path / "manifest.json").unlink()
    with pytest.raises(InputError, match="no run folder"):
        view.since(Position())
