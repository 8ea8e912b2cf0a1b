"""axe-core finds no error of WCAG 2.2 A or AA on any page, light at a desk and dark on a telephone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
Page = Callable[..., Any]
Violations = Callable[[Any], list[str]]
SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


@pytest.mark.parametrize(("scheme", "size"), [("light", "desk"), ("dark", "phone")])
def test_pages_have_no_violation_and_fit_their_window(
    view: Any, page: Page, violations: Violations, runs: Path, made: Any, scheme: str, size: str
) -> None:
    made.finished(runs / "20260131-142500-finished")
    manifest = made.finished(runs / ("20260131-142600-" + "long" * 30)) / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"digits"', f'"csv:{"measured" * 12}.csv"'))
    steps = [{"name": "learn", "kind": "train", "state": "failed", "failures": ["too cold"], "results": None}]
    protocol = {"kind": "protocol", "protocol": {"name": "p", "title": "P"}}
    with (
        made.begun(runs / "running") as run,
        made.begun(runs / "tripped") as tripped,
        made.begun(runs / "protocol", **protocol, steps=[steps[0] | {"device_seconds": 3.0}]) as above,
    ):
        for number in range(1, 30):
            run.append(made.step_row(number))
        run.append({"event": "problem", "message": "a fan stands still", "device_seconds": 1.0})
        run.checkpoint(made.parameters(), {}, run.metrics_bytes)
        hot = {"at_s": 1.0, "readings": {"heat_0": 9.5, "heat_1": None, "laser": 1.0}}
        run.status(made.status("running", 29))
        tripped.status(made.status("tripped", 3, health=hot, reason="heat_0: 9.5 W is over the upper bound of 5 W"))
        above.status(made.status("failed", reason="too cold"))
        shown = page(SIZES[size], scheme)
        shown.goto(f"{view.address}/#token={view.token}")
        shown.get_by_role("link", name="tripped").wait_for()
        assert violations(shown) == []
        assert shown.evaluate("[...document.querySelectorAll('.panel')].every((p) => p.scrollWidth <= p.clientWidth)")
        for name, seen in (
            ("20260131-142500-finished", "✓ complete"),
            ("running", "▶ running"),
            ("tripped", "⚠ interlock tripped"),
            ("protocol", "✕ failed"),
        ):
            shown.goto(f"{view.address}/run/{name}")
            shown.get_by_text(seen, exact=True).first.wait_for()
            if name == "running":
                shown.get_by_label("Layer 0 as a mesh").wait_for()
            assert violations(shown) == [], name
            assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        shown.goto(f"{view.address}/run/running")
        shown.get_by_role("button", name="Stop").click()
        shown.get_by_role("dialog").wait_for()
        assert violations(shown) == []


def test_the_report_of_a_run_has_no_violation_and_fits_a_telephone(
    view: Any, page: Page, violations: Violations, runs: Path, ask: Any
) -> None:
    small = ("--set", "device.ports=8", "--set", "device.kernel=numpy", "--set", "validation=0.2")
    code, told, complained = ask(
        "train",
        "--device",
        "twin:photonic",
        *small,
        "--dataset",
        "iris",
        "--steps",
        20,
        "--run-dir",
        runs,
        "--report",
        "--json",
    )
    assert code == 0, complained
    run = Path(json.loads(told)["run"])
    shown = page()
    shown.goto(f"{view.address}/run/{run.name}")
    with shown.context.expect_page() as opened:
        shown.get_by_role("link", name="open the report").click()
    opened.value.get_by_role("heading", level=1).wait_for()
    for scheme, size in (("light", "desk"), ("dark", "phone")):
        report = page(SIZES[size], scheme)
        report.goto((run / "report.html").as_uri())  # from the server it may run no script, axe-core's neither
        assert violations(report) == [], scheme
        assert report.evaluate("document.documentElement.scrollWidth <= innerWidth"), size
