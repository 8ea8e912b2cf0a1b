"""Run folders survive what happens to folders."""

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ffzero_lab.errors import InputError
from ffzero_lab.runs import RunReader, RunWriter, list_runs
from ffzero_lab.runs.atomic import write_atomically

MANIFEST = {"run_id": "r1", "versions": {"numpy": "2"}}


def writer(path: Path, **manifest: Any) -> RunWriter:
    return RunWriter.create(path, {**MANIFEST, **manifest})


def rows_of(path: Path) -> list[int]:
    return [json.loads(row)["step"] for row in path.read_bytes().splitlines()]


def test_a_folder_that_exists_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "precious").write_text("data")
    with pytest.raises(InputError, match="exists already"):
        writer(tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["precious"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        writer(tmp_path / "file" / "run")


def test_every_row_is_with_the_operating_system_when_append_returns(tmp_path: Path) -> None:
    with writer(tmp_path / "run") as run:
        for step in range(3):
            run.append({"step": step})
            assert rows_of(tmp_path / "run" / "metrics.jsonl") == list(range(step + 1))


def test_numbers_that_are_not_finite_never_reach_a_file(tmp_path: Path) -> None:
    with writer(tmp_path / "run") as run:
        with pytest.raises(ValueError, match="JSON compliant"):
            run.append({"loss": float("nan")})
        with pytest.raises(ValueError, match="JSON compliant"):
            run.complete({"loss": float("inf")})
    assert RunReader(tmp_path / "run").summary is None


def test_a_folder_deleted_while_running_is_noticed_at_the_next_row(tmp_path: Path) -> None:
    with writer(tmp_path / "run") as run:
        run.append({"step": 1})
        shutil.rmtree(tmp_path / "run")
        with pytest.raises(FileNotFoundError, match="was deleted while the run was writing"):
            run.append({"step": 2})


def test_rows_behind_the_checkpoint_move_to_the_superseded_ones_and_are_never_lost(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with writer(folder) as run:
        run.append({"step": 1})
        run.checkpoint({"x": np.arange(3)}, {"a": 1}, run.metrics_bytes)
        run.append({"step": 2})
        run.append({"step": 3})
    with (folder / "metrics.jsonl").open("ab") as cut:
        cut.write(b'{"step": 4')
    for _ in range(2):
        checkpoint = RunReader(folder).checkpoint()
        with RunWriter.reopen(folder, MANIFEST, checkpoint.metrics_bytes) as run:
            run.append({"step": 2})
    assert rows_of(folder / "metrics.jsonl") == [1, 2]
    superseded = (folder / "metrics.superseded.jsonl").read_bytes().splitlines()
    assert [json.loads(row)["step"] for row in superseded[:2]] == [2, 3]
    assert superseded[2] == b'{"step": 4'
    assert json.loads(superseded[3]) == {"step": 2}


def test_metrics_shorter_than_the_checkpoint_says_are_refused(tmp_path: Path) -> None:
    with writer(tmp_path / "run") as run:
        run.append({"step": 1})
    with pytest.raises(InputError, match="shorter than its checkpoint says"):
        RunWriter.reopen(tmp_path / "run", MANIFEST, 1000)


def test_a_write_that_fails_half_way_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "checkpoint.npz"
    write_atomically(target, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(target, b"new")
    assert target.read_bytes() == b"old"


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 nonsense", b"not a zip", None])
def test_a_damaged_checkpoint_gives_way_to_the_one_before_it_with_the_reason(
    tmp_path: Path, damage: bytes | None
) -> None:
    folder = tmp_path / "run"
    with writer(folder) as run:
        for value in (1, 2):
            run.checkpoint({"x": np.full(1000, value)}, {}, 0)
    newest = folder / "checkpoint.npz"
    whole = newest.read_bytes()
    for content in [damage] if damage is not None else [whole[:10], whole[: len(whole) // 2], whole[:-1]]:
        newest.write_bytes(content)
        checkpoint, reasons = RunReader(folder).newest_checkpoint()
        assert checkpoint is not None
        assert checkpoint.arrays["x"][0] == 1
        assert "checkpoint.npz" in reasons[0]
    (folder / "checkpoint.previous.npz").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"checkpoint\.npz.*; .*checkpoint\.previous\.npz"):
        RunReader(folder).newest_checkpoint()


def test_a_checkpoint_of_another_run_or_format_is_refused_with_the_reason(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    writer(folder).close()
    with RunWriter(folder, {**MANIFEST, "run_id": "r2"}) as other:
        other.checkpoint({}, {}, 0)
    with pytest.raises(InputError, match=r"belongs to another run \(r2, not r1\)"):
        RunReader(folder).newest_checkpoint()
    np.savez(folder / "checkpoint.npz", checkpoint=np.array('{"format": 99}'))
    with pytest.raises(InputError, match="format 99, this version reads 1"):
        RunReader(folder).newest_checkpoint()
    np.savez(folder / "checkpoint.npz", something=np.arange(3))
    with pytest.raises(InputError, match="is no checkpoint of a run"):
        RunReader(folder).newest_checkpoint()


def test_a_run_without_any_checkpoint_begins_anew(tmp_path: Path) -> None:
    writer(tmp_path / "run").close()
    assert RunReader(tmp_path / "run").newest_checkpoint() == (None, ())
    with pytest.raises(InputError, match="before its first checkpoint"):
        RunReader(tmp_path / "run").checkpoint()


def test_a_full_disk_is_an_error_and_the_checkpoint_before_stays_intact(tmp_path: Path) -> None:
    code = """
import sys, numpy as np
from pathlib import Path
from ffzero_lab.runs import RunWriter
run = RunWriter.create(Path(sys.argv[1]), {"run_id": "r1", "versions": {}})
run.checkpoint({"x": np.arange(10)}, {}, 0)
try:
    run.checkpoint({"x": np.arange(100_000)}, {}, 0)
except OSError as error:
    print("refused", error.errno)
"""
    limit = 64 * 1024
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "run")],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert ended.stdout.startswith("refused")
    assert RunReader(tmp_path / "run").checkpoint().arrays["x"][-1] == 9


def test_runs_are_listed_oldest_first_and_other_folders_are_left_out(tmp_path: Path) -> None:
    for name in ("20260102-a", "20260101-b"):
        writer(tmp_path / name, name=name).close()
    (tmp_path / "notes").mkdir()
    assert [folder.name for folder in list_runs(tmp_path)] == ["20260101-b", "20260102-a"]


def test_a_manifest_that_is_damaged_names_its_file(tmp_path: Path) -> None:
    writer(tmp_path / "run").close()
    (tmp_path / "run" / "manifest.json").write_text("{")
    with pytest.raises(InputError, match=r"manifest\.json cannot be read"):
        RunReader(tmp_path / "run")
