"""What a person at a browser sees and does, and what the bench does then."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from drivers.emulator import read_witness

pytestmark = pytest.mark.slow
TWIN = {"ports": 8, "layers": 2, "preset": "ideal", "seed": 3, "kernel": "numpy"}
PHONE = {"width": 390, "height": 844}
Page = Callable[..., Any]


def test_a_new_row_of_metrics_is_seen_within_two_seconds(
    view: Any, page: Page, runs: Path, made: Any, within: Callable[..., None]
) -> None:
    with made.begun(runs / "run") as run:
        for number in range(1, 4):
            run.append(made.step_row(number))
        run.checkpoint(made.parameters(), {}, run.metrics_bytes)
        run.status(made.status("running", 3))
        shown = page()
        shown.goto(f"{view.address}/")
        shown.get_by_role("link", name="run", exact=True).click()
        shown.get_by_text("▶ running").wait_for()
        shown.get_by_role("img", name="Loss over measurements").wait_for()
        shown.get_by_label("Layer 0 as a mesh").wait_for()
        assert "Asked" not in shown.content()
        links = shown.get_by_role("region", name="Links")
        links.focus()
        losses = (number / 16.0 for number in count(1))

        def seen_after_s() -> float:
            loss = next(losses)
            run.append(made.step_row(round(800 * loss), loss=loss))
            run.append({"event": "problem", "message": f"at {loss} a fan stands still", "device_seconds": 1.0})
            written_s = time.monotonic()
            shown.get_by_label(f"Loss over measurements: newest layer 0 {loss:.4g}").wait_for()
            shown.get_by_text(f"at {loss} a fan stands still").wait_for()
            return time.monotonic() - written_s

        within(2.0, seen_after_s)
        linked = {"meter": {"exchanges": 41, "retries": 1, "recoveries": 0, "latency_s": 2e-4, "slowest_s": 0.01}}
        run.status(made.status("running", 50, links=linked))
        shown.get_by_role("row", name="meter").wait_for()
        assert links.evaluate("region => region === document.activeElement"), "news moved a reader's place"
        run.complete(made.summary())
        run.status(made.status("complete", 50))
        shown.get_by_text("✓ complete").wait_for()
        assert shown.get_by_text("Test accuracy").is_visible()


def test_a_chart_is_drawn_when_it_comes_into_sight(view: Any, page: Page, runs: Path, made: Any) -> None:
    made.finished(runs / "run")
    shown = page({"width": 390, "height": 300})
    shown.goto(f"{view.address}/run/run")
    shown.get_by_role("img", name="Loss over measurements: newest layer 0 1").wait_for()
    chart = shown.locator("#loss-plot canvas")
    assert chart.count() == 0
    shown.locator("#loss-title").scroll_into_view_if_needed()
    chart.wait_for()


def test_stop_pressed_in_the_browser_parks_the_emulated_bench(
    view: Any, page: Page, runs: Path, wired: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FFZERO_LOCK_DIR", str(tmp_path / "locks"))
    content = wired.patient(wired.bench_of(TWIN))
    emulated = wired.Emulated(tmp_path, content)
    job = ["--dataset", "iris", "--uncalibrated", "--batch", "20", "--set", "learning_rate=0.015"]
    job += ["--set", "epsilon=0.015", "--set", "log_every=1", "--steps", "100000", "--name", "live"]
    command = [
        sys.executable,
        "-m",
        "ffzero_lab",
        "train",
        "--device",
        str(emulated.file),
        "--run-dir",
        str(runs),
        *job,
    ]
    trainer = subprocess.Popen(
        command, env=wired.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        shown = page(PHONE)
        shown.goto(f"{view.address}/#token={view.token}")
        shown.get_by_role("link", name="live", exact=True).click()
        assert view.token not in shown.url
        shown.get_by_text("▶ running").wait_for()
        shown.get_by_role("row", name="meter0").wait_for()  # the link has told of itself
        assert read_witness(emulated.witness).left_on()

        shown.get_by_role("button", name="Pause").click()
        shown.get_by_role("button", name="Cancel").click()
        shown.get_by_role("button", name="Pause").click()
        shown.get_by_role("button", name="Pause and park").click()
        shown.get_by_text("paused, parked").wait_for()
        assert not read_witness(emulated.witness).left_on()
        shown.get_by_role("button", name="Continue").click()
        shown.get_by_role("dialog").get_by_role("button", name="Continue").click()
        shown.get_by_text("It goes on.").wait_for()
        assert read_witness(emulated.witness).left_on()

        shown.get_by_role("button", name="Stop").click()
        shown.get_by_role("dialog").get_by_text("parks the bench").wait_for()
        assert trainer.poll() is None, "nothing happens before it is confirmed"
        shown.get_by_role("button", name="Stop and park").press("Enter")
        shown.get_by_text("It has stopped: the bench is parked, the run saved.").wait_for()
        _, complained = trainer.communicate(timeout=100.0)
        assert trainer.returncode == 143, complained
        seen = read_witness(emulated.witness)
        assert not seen.refused
        assert not seen.left_on()
        assert shown.get_by_role("button", name="Stop").count() == 0
    finally:
        if trainer.poll() is None:
            os.kill(trainer.pid, signal.SIGKILL)
            trainer.communicate()
        emulated.kill()


def test_a_page_of_another_origin_neither_reads_nor_controls(view: Any, browser: Any, runs: Path, made: Any) -> None:
    with made.begun(runs / "run") as run:
        run.status(made.status("running", 1))
    port = view.address.rpartition(":")[2]
    context = browser.new_context()
    # the foreign page: another name of the same machine, which the browser takes for another origin
    other = context.new_page()
    other.route("http://other.example/", lambda route: route.fulfill(body="<p>hello</p>", content_type="text/html"))
    other.goto("http://other.example/")
    outcome = other.evaluate(
        """async ([port, token]) => {
            const tried = async (options) => {
                try {
                    const address = `http://127.0.0.1:${port}/api/control/run`;
                    const answer = await fetch(address, {method: "POST", ...options});
                    return answer.type === "opaque" ? "opaque" : `answered ${answer.status}`;
                } catch { return "refused"; }
            };
            const body = JSON.stringify({request: "stop"});
            const told = {"Content-Type": "application/json", "X-FFzero-Token": token};
            let read = "refused";
            try { read = await (await fetch(`http://127.0.0.1:${port}/api/runs`)).text(); } catch {}
            return [
                await tried({body}), await tried({body, headers: told}), await tried({body, mode: "no-cors"}),
                await tried({body, mode: "no-cors", credentials: "include"}), read,
            ];
        }""",
        [port, view.token],
    )
    context.close()
    assert "answered 202" not in outcome
    assert outcome[-1] == "refused"
    assert list((runs / "run" / "control").iterdir()) == []


def test_without_the_token_a_button_asks_for_it_and_a_wrong_one_does_nothing(
    view: Any, page: Page, runs: Path, made: Any
) -> None:
    with made.begun(runs / "run") as run:
        run.status(made.status("running", 1))
        shown = page()
        shown.goto(f"{view.address}/run/run")
        shown.get_by_role("button", name="Stop").click()
        shown.get_by_role("textbox", name="Token").fill("a-guess")
        shown.get_by_role("button", name="Use it").click()
        shown.get_by_text("That is not the token of this server.").wait_for()
        assert list((runs / "run" / "control").iterdir()) == []
        shown.get_by_role("textbox", name="Token").fill(view.token)
        shown.keyboard.press("Enter")
        shown.get_by_role("button", name="Stop and park").click()
        shown.get_by_text("Asked to stop").wait_for()
        assert [path.name for path in (runs / "run" / "control").iterdir()] == ["stop.json"]


def test_where_other_machines_reach_it_the_token_comes_before_anything_and_opens_reports(
    open_view: Any, page: Page, runs: Path, made: Any
) -> None:
    (made.finished(runs / "run") / "report.html").write_text("<p>the report</p>")
    shown = page()
    shown.goto(f"{open_view.address}/")
    asked = shown.get_by_role("textbox", name="Token")
    asked.fill(open_view.token[:5])
    # as when somebody comes back from the terminal that shows the token
    shown.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    shown.evaluate("fetch('/api/token').then((answer) => answer.text())")
    assert asked.input_value() == open_view.token[:5], "what was typed stays"
    asked.fill(open_view.token)
    assert shown.get_by_role("link", name="run").count() == 0
    shown.keyboard.press("Enter")
    shown.get_by_role("link", name="run", exact=True).click()
    with shown.context.expect_page() as opened:
        shown.get_by_role("link", name="open the report").click()
    opened.value.get_by_text("the report").wait_for()
    assert open_view.token not in opened.value.url


def test_everything_is_reached_from_the_keyboard(view: Any, page: Page, runs: Path, made: Any) -> None:
    made.finished(runs / "run")
    shown = page()
    shown.goto(f"{view.address}/run/run")
    shown.get_by_label("Parameter", exact=True).focus()
    shown.keyboard.press("ArrowRight")
    assert "theta[1] =" in shown.locator("#chip-value").inner_text()
    shown.get_by_role("radio", name="measurements").focus()
    shown.keyboard.press("ArrowRight")
    shown.get_by_role("img", name="Loss over device time").wait_for()
    reached = set[str]()
    for _ in range(30):
        shown.keyboard.press("Tab")
        reached.add(shown.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
    assert {"ffzero-lab", "back", "Newest values as a table", "chip-parameter", "chip-layer"} <= reached
