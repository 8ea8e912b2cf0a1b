"""The index of thousands of runs: right whatever becomes of it, and quick."""

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from ffzero_lab.runs.index import INDEX, indexed_runs

MANIFEST: dict[str, Any] = {
    "settings": {"dataset": "digits", "seed": 3, "readout": "sum"},
    "device": {"name": "twin"},
}
SUMMARY: dict[str, Any] = {"test_accuracy": {"sum": 0.75}, "shots": 1200}


def make(folder: Path, *, seed: int = 3, complete: bool = True) -> Path:
    folder.mkdir(parents=True)
    settings = {**MANIFEST["settings"], "seed": seed}
    (folder / "manifest.json").write_text(json.dumps({**MANIFEST, "settings": settings}))
    if complete:
        (folder / "summary.json").write_text(json.dumps(SUMMARY))
    return folder


def test_what_the_index_tells_is_what_the_folders_say(tmp_path: Path) -> None:
    for number in range(5):
        make(tmp_path / f"run{number}", seed=number, complete=number != 2)
    (tmp_path / "no-run").mkdir()
    (tmp_path / "a-file").write_text("")
    fresh = indexed_runs(tmp_path)
    assert [(row["run"], row["seed"], row["completed"]) for row in fresh] == [
        (f"run{number}", number, number != 2) for number in range(5)
    ]
    assert fresh[0]["test_accuracy"] == 0.75
    assert indexed_runs(tmp_path) == fresh


def test_a_run_that_changed_is_read_again_and_one_that_went_is_forgotten(tmp_path: Path) -> None:
    runs = [make(tmp_path / name, complete=False) for name in "abc"]
    indexed_runs(tmp_path)
    (runs[0] / "summary.json").write_text(json.dumps(SUMMARY))
    shutil.rmtree(runs[1])
    make(tmp_path / "d", seed=9)
    rows = indexed_runs(tmp_path)
    assert [(row["run"], row["completed"]) for row in rows] == [("a", True), ("c", False), ("d", True)]


def test_unchanged_runs_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "a")
    first = indexed_runs(tmp_path)
    monkeypatch.setattr("ffzero_lab.runs.index.RunReader", None)
    assert indexed_runs(tmp_path) == first


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 0}', '{"format": 2, "runs": {"a": 3}}'])
def test_a_damaged_index_is_made_anew_from_the_folders(tmp_path: Path, content: str) -> None:
    make(tmp_path / "a")
    first = indexed_runs(tmp_path)
    (tmp_path / INDEX).write_text(content)
    assert indexed_runs(tmp_path) == first
    assert json.loads((tmp_path / INDEX).read_text())["runs"]["a"][1] == first[0]


def test_where_no_index_can_be_written_the_runs_are_listed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("read-only")

    make(tmp_path / "a")
    monkeypatch.setattr("ffzero_lab.runs.index.write_briefly", refuse)
    assert [row["run"] for row in indexed_runs(tmp_path)] == ["a"]
    assert not os.path.lexists(tmp_path / INDEX)


def test_a_damaged_run_is_told_and_told_again_until_it_is_mended(tmp_path: Path) -> None:
    folder = make(tmp_path / "a")
    whole = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text("{")
    for _ in range(2):
        (row,) = indexed_runs(tmp_path)
        assert row["state"] == "unreadable"
        assert "manifest.json cannot be read" in row["problem"]
    (folder / "manifest.json").write_text(whole)
    assert indexed_runs(tmp_path)[0]["state"] == "complete"


def test_a_protocol_is_listed_by_its_name(tmp_path: Path) -> None:
    folder = make(tmp_path / "a")
    manifest = {"kind": "protocol", "protocol": {"name": "first-light"}, "device": {"name": "twin"}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (row,) = indexed_runs(tmp_path)
    assert (row["dataset"], row["device"], row["shots"], row["state"]) == ("first-light", "twin", 1200, "complete")
    assert row["seed"] is None


def test_a_folder_that_nobody_may_look_into_is_told_and_a_link_in_a_circle_is_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "theirs").mkdir()
    stat = os.stat

    def refusing(path: Any, **more: Any) -> os.stat_result:
        if "theirs/" in str(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return stat(path, **more)

    monkeypatch.setattr(os, "stat", refusing)
    (row,) = indexed_runs(tmp_path)
    assert (row["run"], row["state"]) == ("theirs", "unreadable")
    assert "Permission denied" in str(row["problem"])
