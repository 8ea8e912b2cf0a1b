"""Several may replace one file at once; readers see one whole content or another."""

import errno
import threading
from pathlib import Path

import pytest

from ffzero_lab.runs.atomic import write_atomically, write_briefly
from ffzero_lab.runs.control import ControlFolder, ControlRequest, ask

CONTENTS = [bytes([number]) * 5000 for number in range(4)]


def test_writers_at_once_do_not_fail_each_other_and_leave_one_whole_content(tmp_path: Path) -> None:
    failures: list[Exception] = []
    together = threading.Barrier(len(CONTENTS))

    def write(content: bytes) -> None:
        try:
            together.wait()
            for _ in range(20):
                write_briefly(tmp_path / "briefly", content, among_others=True)
                ask(tmp_path, ControlRequest("stop"))
            write_atomically(tmp_path / "atomically", content, among_others=True)
        except Exception as error:  # noqa: BLE001 - of a thread: it is looked at below
            failures.append(error)

    (tmp_path / "control").mkdir()
    threads = [threading.Thread(target=write, args=(content,)) for content in CONTENTS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert (tmp_path / "briefly").read_bytes() in CONTENTS
    assert (tmp_path / "atomically").read_bytes() in CONTENTS
    assert {path.name for path in tmp_path.iterdir()} == {"briefly", "atomically", "control"}
    assert ControlFolder(tmp_path).heard() == [ControlRequest("stop")]


def test_a_disk_that_is_full_is_not_filled_further_with_what_was_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> int:
        path.touch()
        raise OSError(errno.ENOSPC, f"No space left on device: {len(content)} bytes")

    monkeypatch.setattr(Path, "write_bytes", full)
    for _ in range(3):
        with pytest.raises(OSError, match="No space left"):
            write_briefly(tmp_path / "file", b"content", among_others=True)
    assert list(tmp_path.iterdir()) == []
