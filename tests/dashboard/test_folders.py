"""Nothing outside of the folder of runs is opened, whatever a browser names."""

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from ffzero_lab.dashboard.folders import RunsFolder
from ffzero_lab.errors import InputError

OUTSIDE = [
    "..",
    "../secret",
    "run/../../secret",
    "%2e%2e/secret",
    "..%2fsecret",
    "..\\secret",
    "/etc",
    "//etc",
    ".",
    "./run",
    ".hidden",
    "run//step",
    "run/",
    "",
    "link",
    "run/link",
    "run\x00",
    "run\n",
    "a/b/c/d",
    "x" * 300,
]
PLACES = ["/api/run/", "/api/events/", "/api/drawing/", "/api/parameters/", "/api/ticket/", "/report/"]


@pytest.fixture
def folder(tmp_path: Path, runs: Path, made: Any) -> RunsFolder:
    made.finished(runs / "run")
    for secret in (tmp_path / "secret", runs / ".hidden"):
        made.finished(secret)
        (secret / "report.html").write_text("the secret")
    (runs / "link").symlink_to(tmp_path / "secret")
    (runs / "run" / "link").symlink_to(tmp_path / "secret")
    (runs / "run" / "report.html").symlink_to(tmp_path / "secret" / "report.html")
    return RunsFolder(runs)


def test_a_name_that_is_no_folder_within_is_refused(folder: RunsFolder) -> None:
    for name in OUTSIDE:
        with pytest.raises(InputError, match=r"no (name of a )?run"):
            folder.run(name)


def test_no_address_leads_outside(folder: RunsFolder, server: TestClient) -> None:
    for place in PLACES:
        for name in ["../secret", "%2e%2e%2fsecret", "..%5csecret", "link", "run/link", ".hidden", "%00", "run%2flink"]:
            answer = server.get(place + name)
            assert answer.status_code == 404, (place, name, answer.text)
            assert str(folder.root.parent) not in answer.text
    assert server.get("/report/run").status_code == 404, "a report that is a link may lead anywhere"
    for name in ("../app.py", "%2e%2e/app.py", "..%2fapp.py"):
        assert server.get(f"/static/{name}").status_code == 404
    assert server.get("/api/runs", params={"under": "../secret"}).status_code == 404


def test_runs_are_listed_newest_first_without_what_leads_outside(folder: RunsFolder, runs: Path, made: Any) -> None:
    made.finished(runs / "20260102-000000-later")
    made.finished(runs / "20260101-000000-earlier")
    assert [row["run"] for row in folder.listing().rows] == ["run", "20260102-000000-later", "20260101-000000-earlier"]
    found = folder.listing(words="LATER complete", most=1)
    assert (found.total, found.rows[0]["test_accuracy"]) == (1, 0.9)
    assert folder.listing(most=1).total == 3


def test_a_run_is_listed_with_how_it_stands_now(folder: RunsFolder, runs: Path, made: Any) -> None:
    for name, pid in (("alive", None), ("gone", 2**22 + 1)):
        with made.begun(runs / name) as run:
            run.status(made.status("running", 3, **({} if pid is None else {"pid": pid})))
    states = {row["run"]: row["state"] for row in folder.listing().rows}
    assert states == {"run": "complete", "alive": "running", "gone": "interrupted"}


def test_a_sweep_is_one_row_and_its_points_are_a_list_of_their_own(folder: RunsFolder, runs: Path, made: Any) -> None:
    made.finished(runs / "sweep" / "point-0000")
    (runs / "sweep" / "sweep.json").write_text("{}")
    (row,) = (row for row in folder.listing().rows if row["kind"] == "sweep")
    assert row["points"] == 1
    assert [row["path"] for row in folder.listing("sweep").rows] == ["sweep/point-0000"]
    assert folder.run("sweep/point-0000") == (runs / "sweep" / "point-0000").resolve()
