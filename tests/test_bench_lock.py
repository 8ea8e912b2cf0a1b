"""One bench, one process; and a crash is told to the next one. The owners here are real processes that are killed."""

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from filelock import FileLock

from ffzero_lab.bench_lock import BenchBusy, BenchLock, Owner, default_folder
from ffzero_lab.device.errors import DeviceError
from ffzero_lab.errors import InputError

BENCH = "mesh 4x4 SN-17/β"
PREAMBLE = f"""
import os, sys, time
from pathlib import Path
from ffzero_lab.bench_lock import BenchBusy, BenchLock
folder = Path(sys.argv[1])
lock = BenchLock({BENCH!r}, folder)
def say(*words):
    print(*words, flush=True)
def wait():
    sys.stdin.readline()
"""
HOLD = "say(lock.acquire('runs/night')); wait()"

Start = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Generator[Start]:
    started: list[subprocess.Popen[str]] = []

    def run(script: str) -> subprocess.Popen[str]:
        arguments = [sys.executable, "-c", PREAMBLE + script, str(tmp_path)]
        started.append(subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def lock(tmp_path: Path) -> Generator[BenchLock]:
    with BenchLock(BENCH, tmp_path) as lock:
        yield lock


def note(folder: Path) -> Path:
    (found,) = folder.glob("*.owner.json")
    return found


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()


def test_a_clean_release_leaves_a_free_bench_and_no_need_to_park(lock: BenchLock, tmp_path: Path) -> None:
    for _ in range(3):
        assert lock.acquire("runs/a") is False
        lock.release()
        lock.release()
        assert lock.owner is None
    (left,) = tmp_path.iterdir()
    assert left.name.startswith("mesh-4x4-sn-17-")
    assert left.suffix == ".lock"


def test_a_live_owner_is_named_with_what_to_do(lock: BenchLock, start: Start) -> None:
    holder = start(HOLD)
    assert said(holder) == "False"
    with pytest.raises(BenchBusy) as caught:
        lock.acquire("runs/b")
    owner = lock.owner
    assert owner is not None
    assert (owner.pid, owner.run) == (holder.pid, "runs/night")
    assert caught.value.owner == owner
    assert isinstance(caught.value, DeviceError)
    for part in (BENCH, str(holder.pid), "runs/night", str(owner.since), str(owner.host), "ffzero-lab park"):
        assert part in str(caught.value)


def test_a_killed_owner_holds_nothing_and_the_next_ones_are_told_until_one_releases(
    lock: BenchLock, start: Start
) -> None:
    for told in ("False", "True", "True"):
        holder = start(HOLD)
        assert said(holder) == told
        kill(holder)
    assert lock.owner is None
    assert lock.acquire("runs/b") is True
    lock.release()
    assert lock.acquire("runs/b") is False


def test_who_could_not_park_hands_the_duty_on(lock: BenchLock) -> None:
    assert lock.acquire(None) is False
    lock.release(parked=False)
    assert lock.owner is None
    assert lock.acquire(None) is True


def test_a_block_left_by_an_error_hands_the_duty_on(lock: BenchLock, tmp_path: Path) -> None:
    broken = BenchLock(BENCH, tmp_path)
    broken.acquire(None)
    with pytest.raises(ZeroDivisionError), broken:
        _ = 1 / 0
    assert lock.owner is None
    assert lock.acquire(None) is True


def test_a_lock_forgotten_without_release_counts_as_a_crash(lock: BenchLock, start: Start) -> None:
    ended = start("lock.acquire(None)")
    assert ended.wait(timeout=100) == 0
    assert lock.acquire(None) is True


def test_a_living_process_that_inherited_the_number_of_a_crashed_owner_is_no_owner(
    lock: BenchLock, start: Start, tmp_path: Path
) -> None:
    holder = start(HOLD)
    said(holder)
    kill(holder)
    content = json.loads(note(tmp_path).read_text())
    note(tmp_path).write_text(json.dumps(content | {"pid": os.getppid()}))
    assert lock.owner is None
    assert lock.acquire(None) is True


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\xfe", b"[]", b'{"pid": "x"}'])
def test_a_damaged_note_neither_frees_a_held_bench_nor_hides_a_crash(
    lock: BenchLock, tmp_path: Path, damage: bytes
) -> None:
    other = BenchLock(BENCH, tmp_path)
    lock.acquire("runs/a")
    note(tmp_path).write_bytes(damage)
    with pytest.raises(BenchBusy, match="unknown owner"):
        other.acquire(None, wait_s=0)
    assert other.owner == Owner()
    lock.release(parked=False)
    assert other.acquire(None) is True
    other.release()


def test_the_owner_may_name_its_run_later(lock: BenchLock, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="not held"):
        lock.set_run("runs/a")
    lock.acquire(None)
    before = BenchLock(BENCH, tmp_path).owner
    lock.set_run("runs/a")
    after = BenchLock(BENCH, tmp_path).owner
    assert before is not None
    assert after is not None
    assert (before.run, after.run) == (None, "runs/a")
    assert before.since == after.since
    assert after.is_this_process
    assert "this process" in str(after)


def test_locks_within_one_process_exclude_each_other_and_themselves(lock: BenchLock, tmp_path: Path) -> None:
    other = BenchLock(BENCH, tmp_path)
    lock.acquire(None)
    for again in (lock, other):
        with pytest.raises(BenchBusy):
            again.acquire(None, wait_s=0)
    other.release()
    assert lock.owner is not None
    assert BenchLock("another bench", tmp_path).owner is None


def test_threads_exclude_each_other_and_any_thread_may_release(lock: BenchLock, tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work(shared: BenchLock) -> None:
        for _ in range(10):
            shared.acquire(None, wait_s=100)
            inside.append(1)
            most.append(len(inside))
            inside.pop()
            shared.release()

    locks = [lock, BenchLock(BENCH, tmp_path), BenchLock(BENCH, tmp_path)]
    threads = [threading.Thread(target=work, args=(each,)) for each in locks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 30
    lock.acquire(None)
    releaser = threading.Thread(target=lock.release)
    releaser.start()
    releaser.join()
    assert lock.owner is None


def test_processes_never_hold_the_bench_together(start: Start, tmp_path: Path) -> None:
    journal = tmp_path / "journal.txt"
    hammer = f"""
wait()
for _ in range(20):
    assert lock.acquire(None, wait_s=100) is False
    with open({str(journal)!r}, "a") as file:
        for word in ("in", "out"):
            print(word, os.getpid(), file=file, flush=True)
            time.sleep(0.001)
    lock.release()
"""
    processes = [start(hammer) for _ in range(4)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.wait(timeout=100) for process in processes] == [0, 0, 0, 0]
    lines = [line.split() for line in journal.read_text().splitlines()]
    assert len(lines) == 160
    assert [word for word, _ in lines] == ["in", "out"] * 80
    assert [pid for _, pid in lines[::2]] == [pid for _, pid in lines[1::2]]


def test_another_who_only_looks_never_turns_away_a_start(lock: BenchLock, tmp_path: Path) -> None:
    lock.acquire(None)
    lock.release()
    (path,) = tmp_path.glob("*.lock")
    look = FileLock(path, thread_local=False)
    for begin in (lambda: lock.acquire(None), lambda: lock.owner):
        for _ in range(8):  # a computer that stands still makes a look longer than it is
            look.acquire()
            looking = threading.Timer(0.03, look.release)
            looking.start()
            try:
                turned_away = begin()
            except BenchBusy as busy:
                turned_away = busy
            looking.join()
            lock.release()
            if not turned_away:
                break
        assert not turned_away


def test_a_forked_child_neither_keeps_nor_frees_the_bench(lock: BenchLock, start: Start) -> None:
    forking = start(
        """
lock.acquire("runs/night")
if os.fork() == 0:
    lock.release()
    try:
        lock.set_run("runs/child")
    except RuntimeError:
        say("child", os.getpid())
    while True: time.sleep(0.05)
wait()
"""
    )
    child = int(said(forking).split()[1])
    try:
        owner = lock.owner
        assert owner is not None
        assert (owner.pid, owner.run) == (forking.pid, "runs/night")
        kill(forking)
        os.kill(child, 0)
        assert lock.owner is None
        assert lock.acquire(None) is True
    finally:
        os.kill(child, 9)


def test_a_program_started_by_the_owner_does_not_keep_the_bench(lock: BenchLock, start: Start) -> None:
    holder = start(
        "import subprocess\nlock.acquire(None)\n"
        "say(subprocess.Popen(['sleep', '60'], close_fds=False, stdout=subprocess.DEVNULL).pid)\nwait()"
    )
    child = int(said(holder))
    try:
        kill(holder)
        os.kill(child, 0)
        assert lock.acquire(None) is True
    finally:
        os.kill(child, 9)


def test_a_wait_ends_as_soon_as_the_owner_lets_go(lock: BenchLock, start: Start) -> None:
    holder = start("lock.acquire(None); say('held'); wait(); lock.release(); wait()")
    assert said(holder) == "held"
    assert holder.stdin is not None
    threading.Timer(0.05, lambda: holder.stdin and (holder.stdin.write("\n"), holder.stdin.flush())).start()
    assert lock.acquire(None, wait_s=100) is False


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "locks"):
        with pytest.raises(InputError, match="FFZERO_LOCK_DIR") as caught:
            BenchLock(BENCH, folder).acquire(None)
        assert str(folder) in str(caught.value)


def test_a_note_that_cannot_be_written_leaves_the_bench_free(lock: BenchLock, tmp_path: Path) -> None:
    lock.acquire(None)
    path = note(tmp_path)
    lock.release()
    (path / "in the way").mkdir(parents=True)
    with pytest.raises(InputError, match="FFZERO_LOCK_DIR"):
        lock.acquire(None)
    assert lock.owner is None


def test_half_a_note_of_a_crashed_writer_is_replaced_not_followed(lock: BenchLock, tmp_path: Path) -> None:
    lock.acquire(None)
    partial = note(tmp_path).with_suffix(".partial")
    lock.release()
    (tmp_path / "precious").write_text("keep")
    partial.symlink_to(tmp_path / "precious")
    lock.acquire(None)
    assert (tmp_path / "precious").read_text() == "keep"


def test_folder_and_files_are_open_to_every_user_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with BenchLock(BENCH, tmp_path / "locks") as lock:
            lock.acquire(None)
            modes = {path.suffix: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "locks").iterdir()}
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "locks").stat().st_mode) == 0o777
    assert modes == {".lock": 0o666, ".json": 0o644}


def test_the_folder_follows_the_environment_and_asking_makes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FFZERO_LOCK_DIR", str(tmp_path / "mine"))
    assert BenchLock(BENCH).folder == tmp_path / "mine"
    assert BenchLock(BENCH).owner is None
    assert not (tmp_path / "mine").exists()
    monkeypatch.setenv("FFZERO_LOCK_DIR", "")
    elsewhere = default_folder()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert default_folder() == elsewhere
