"""Only who has the token controls a run, from this server's own page; a foreign name gets nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from ffzero_lab.dashboard.access import CONTENT_POLICY, TOKEN_HEADER

ORIGIN = {"Origin": "http://localhost:8730"}
ASKED = {"request": "stop"}


@pytest.fixture
def running(runs: Path, made: Any) -> Path:
    with made.begun(runs / "run") as run:
        run.append(made.step_row(1))
        run.status(made.status("running", 1))
    (runs / "run" / "report.html").write_text("<p>the report</p>")
    return runs / "run"


def requests_in(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "control").iterdir())


REFUSED: list[tuple[dict[str, str | None], int]] = [
    ({TOKEN_HEADER: None}, 401),
    ({TOKEN_HEADER: "another"}, 401),
    ({TOKEN_HEADER: ""}, 401),
    ({"Origin": "http://evil.example"}, 403),
    ({"Origin": "http://localhost:8731"}, 403),
    ({"Origin": "null"}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Host": "evil.example:8730"}, 421),
    ({"Host": ""}, 421),
    ({"Content-Type": "text/plain"}, 415),
    ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
]


def test_control_is_refused_and_nothing_reaches_the_run(server: TestClient, token: str, running: Path) -> None:
    for change, refused in REFUSED:
        headers = {TOKEN_HEADER: token, "Content-Type": "application/json", **ORIGIN} | change
        sent = {name: value for name, value in headers.items() if value is not None}
        answer = server.post("/api/control/run", content=json.dumps(ASKED), headers=sent)
        assert answer.status_code == refused, change
        assert answer.json()["error"]
        assert token not in answer.text
        assert requests_in(running) == [], change


@pytest.mark.parametrize("request_name", ["pause", "stop"])
def test_a_request_with_the_token_is_put_into_the_control_folder(
    server: TestClient, token: str, running: Path, request_name: str
) -> None:
    headers = {TOKEN_HEADER: token, **ORIGIN}
    answer = server.post("/api/control/run", json={"request": request_name}, headers=headers)
    assert answer.status_code == 202
    assert requests_in(running) == [f"{request_name}.json"]
    asked = json.loads((running / "control" / f"{request_name}.json").read_text())
    assert asked == {"name": request_name, "park": True}


def test_what_no_run_understands_is_refused(server: TestClient, token: str, running: Path) -> None:
    headers = {TOKEN_HEADER: token, "Content-Type": "application/json"}
    for content in (
        "",
        "[]",
        "{}",
        '{"request": "burn"}',
        '{"request": ["stop"]}',
        "x" * 20_000,
        "[" * 2000,
        '{"request": "stop", "seen": 3}',
    ):
        answer = server.post("/api/control/run", content=content, headers=headers)
        assert answer.status_code == 400, content
        assert "pause, continue, stop" in answer.json()["error"]
        assert requests_in(running) == []


def test_an_answer_counts_for_the_question_that_was_shown_and_for_no_other(
    server: TestClient, token: str, runs: Path, running: Path, made: Any
) -> None:
    headers = {TOKEN_HEADER: token}

    def asked(**more: Any) -> Any:
        return server.post("/api/control/run", json={"request": "continue", **more}, headers=headers)

    def tells(**more: Any) -> None:
        (running / "status.json").write_text(json.dumps(made.status("paused", 1, **more)))

    tells(reason="waits for an answer: is the cover closed?")
    answer = asked(seen="waits for an answer: is the laser off?")
    assert (answer.status_code, "is the cover closed?" in answer.json()["error"]) == (409, True)
    assert asked(seen=None).status_code == 409
    assert requests_in(running) == []
    assert asked(seen="waits for an answer: is the cover closed?").status_code == 202
    tells()
    assert asked(seen=None).status_code == 202
    assert asked().status_code == 202, "a script need not say what it saw"


def test_a_run_is_stopped_though_nothing_of_it_can_be_shown(server: TestClient, token: str, running: Path) -> None:
    for name in ("metrics.jsonl", "health.jsonl", "summary.json"):
        (running / name).write_bytes(b"\xff[[[[")
    assert server.get("/api/run/run").status_code == 404
    assert server.post("/api/control/run", json=ASKED, headers={TOKEN_HEADER: token}).status_code == 202
    assert requests_in(running) == ["stop.json"]


def test_only_a_run_that_goes_on_is_asked(server: TestClient, token: str, runs: Path, made: Any) -> None:
    made.finished(runs / "done")
    answer = server.post("/api/control/done", json=ASKED, headers={TOKEN_HEADER: token})
    assert answer.status_code == 409
    assert "complete" in answer.json()["error"]
    assert server.get("/api/control/done").status_code == 405


def test_a_training_run_of_a_protocol_is_asked_through_its_protocol(
    server: TestClient, token: str, runs: Path, made: Any
) -> None:
    protocol = {"kind": "protocol", "protocol": {"name": "p", "title": "P"}, "steps": []}
    with made.begun(runs / "p", **protocol) as above, made.begun(runs / "p" / "01-train") as run:
        above.status(made.status("running"))
        run.status(made.status("running", 1))
    answer = server.post("/api/control/p/01-train", json=ASKED, headers={TOKEN_HEADER: token})
    assert answer.status_code == 409
    assert requests_in(runs / "p" / "01-train") == []
    assert server.post("/api/control/p", json=ASKED, headers={TOKEN_HEADER: token}).status_code == 202
    assert requests_in(runs / "p") == ["stop.json"]


def test_names_that_lead_here_but_are_not_ours_get_nothing(server: TestClient, running: Path) -> None:
    for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "192.168.0.5", "[::2]", "a b"):
        for path in ("/", "/api/runs", "/api/run/run", "/static/run.js", "/report/run"):
            assert server.get(path, headers={"Host": host}).status_code == 421, (host, path)
    for host in ("localhost", "localhost:9000", "127.0.0.1:1", "[::1]:8730", "LOCALHOST"):
        assert server.get("/api/runs", headers={"Host": host}).status_code == 200, host


def test_from_other_machines_reading_needs_the_token_as_well(
    serve: Callable[..., TestClient], token: str, running: Path
) -> None:
    server = serve("192.168.0.5", "http://192.168.0.5:8730")
    for path in ("/api/runs", "/api/run/run", "/api/events/run", "/api/parameters/run", "/api/ticket/run"):
        assert server.get(path).status_code == 401
        assert server.get(path, headers={TOKEN_HEADER: "another"}).status_code == 401
    assert server.get("/report/run").status_code == 401
    assert server.get("/api/run/run", headers={TOKEN_HEADER: token}).status_code == 200
    assert server.get("/").status_code == 200, "the page asks for the token"
    assert server.get("/", headers={"Host": "evil.example"}).status_code == 421


def test_a_report_opens_once_by_a_ticket_for_that_run(
    serve: Callable[..., TestClient], token: str, runs: Path, running: Path
) -> None:
    server = serve("0.0.0.0", "http://192.168.0.5:8730")
    ticket = server.get("/api/ticket/run", headers={TOKEN_HEADER: token}).json()["ticket"]
    assert server.get("/report/other", params={"ticket": ticket}).status_code == 401
    ticket = server.get("/api/ticket/run", headers={TOKEN_HEADER: token}).json()["ticket"]
    assert "the report" in server.get("/report/run", params={"ticket": ticket}).text
    assert server.get("/report/run", params={"ticket": ticket}).status_code == 401


def test_every_answer_says_what_a_browser_may_do_with_it(server: TestClient, running: Path) -> None:
    for path in ("/", "/run/run", "/api/runs", "/static/run.js", "/nothing", "/api/run/none"):
        headers = server.get(path).headers
        assert headers["content-security-policy"] == CONTENT_POLICY, path
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers
        assert "set-cookie" not in headers
    report = server.get("/report/run").headers["content-security-policy"]
    assert "sandbox" in report
    assert "script" not in report
    assert "'unsafe-inline'" not in CONTENT_POLICY


def test_a_page_of_another_origin_takes_no_place_of_those_who_look(server: TestClient, running: Path) -> None:
    for path in ("/api/runs", "/api/run/run", "/api/events/run", "/api/drawing/run", "/api/ticket/run"):
        for foreign in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
            assert server.get(path, headers=foreign).status_code == 403, (path, foreign)
    assert server.get("/api/runs", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200
    assert server.get("/api/runs", headers={"Sec-Fetch-Site": "none"}).status_code == 200, "typed into the address bar"
    assert server.get("/run/run", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200, "a link leads there"


def test_what_is_told_of_runs_is_kept_by_no_browser(server: TestClient, running: Path) -> None:
    for path in ("/api/runs", "/api/run/run", "/api/run/none", "/report/run"):
        assert server.get(path).headers["cache-control"] == "no-store", path


def test_the_preflight_of_another_origin_is_not_granted(server: TestClient, running: Path) -> None:
    headers = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    answer = server.options("/api/control/run", headers=headers)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]
