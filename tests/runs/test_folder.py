"""Run folders survive what happens to folders."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from ffzero_lab.errors import InputError
from ffzero_lab.runs import RunReader, RunWriter, list_runs
from ffzero_lab.runs.folder import write_atomically


def test_a_folder_that_exists_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "precious").write_text("data")
    with pytest.raises(InputError, match="exists already"):
        RunWriter(tmp_path / "run", {})
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["precious"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        RunWriter(tmp_path / "file" / "run", {})


def test_every_row_is_with_the_operating_system_when_append_returns(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run", {"a": 1}) as run:
        for step in range(3):
            run.append({"step": step})
            assert len((tmp_path / "run" / "metrics.jsonl").read_bytes().splitlines()) == step + 1


def test_numbers_that_are_not_finite_never_reach_a_file(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run", {}) as run:
        with pytest.raises(ValueError, match="JSON compliant"):
            run.append({"loss": float("nan")})
        with pytest.raises(ValueError, match="JSON compliant"):
            run.complete({"loss": float("inf")})
    assert RunReader(tmp_path / "run").summary is None


def test_a_checkpoint_holds_the_length_of_the_metrics_it_belongs_to(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run", {}) as run:
        run.append({"step": 1})
        run.checkpoint({"x": np.arange(3)})
        run.append({"step": 2})
    arrays = RunReader(tmp_path / "run").checkpoint()
    length = int(arrays["metrics_bytes"])
    assert [json.loads(r)["step"] for r in (tmp_path / "run" / "metrics.jsonl").read_bytes()[:length].splitlines()] == [
        1
    ]


def test_a_write_that_fails_half_way_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "checkpoint.npz"
    write_atomically(target, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(target, b"new")
    assert target.read_bytes() == b"old"


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 nonsense", b"not a zip"])
def test_a_damaged_checkpoint_is_a_clear_error(tmp_path: Path, damage: bytes) -> None:
    with RunWriter(tmp_path / "run", {}) as run:
        run.checkpoint({"x": np.arange(1000)})
    path = tmp_path / "run" / "checkpoint.npz"
    path.write_bytes(damage)
    with pytest.raises(InputError, match=r"checkpoint\.npz is (not an|a corrupt) NPZ file"):
        RunReader(tmp_path / "run").checkpoint()


def test_a_truncated_checkpoint_is_a_clear_error(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run", {}) as run:
        run.checkpoint({"x": np.arange(1000)})
    path = tmp_path / "run" / "checkpoint.npz"
    whole = path.read_bytes()
    for cut in (10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(InputError, match="a corrupt NPZ file"):
            RunReader(tmp_path / "run").checkpoint()


def test_runs_are_listed_oldest_first_and_other_folders_are_left_out(tmp_path: Path) -> None:
    for name in ("20260102-a", "20260101-b"):
        RunWriter(tmp_path / name, {"name": name}).close()
    (tmp_path / "notes").mkdir()
    assert [run.path.name for run in list_runs(tmp_path)] == ["20260101-b", "20260102-a"]


def test_a_manifest_that_is_damaged_names_its_file(tmp_path: Path) -> None:
    RunWriter(tmp_path / "run", {}).close()
    (tmp_path / "run" / "manifest.json").write_text("{")
    with pytest.raises(InputError, match=r"manifest\.json cannot be read"):
        RunReader(tmp_path / "run")
