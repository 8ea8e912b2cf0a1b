"""One bench, one process: a lock that the kernel frees, with a note beside it that says who holds it.

The lock guards against accidents between people who share a bench, not against malice. Whether it is held is decided by
the kernel's file lock alone, never by a process id: the kernel frees it however the owner ends, and a number may have
been given to another process since. The note (who, since when, for which run) is written after the lock is taken and
removed before a clean release; a note that nobody holds the lock to is therefore what a crash leaves behind.
"""

import contextlib
import hashlib
import json
import os
import re
import socket
import tempfile
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout
from pydantic import TypeAdapter

from ffzero_lab.device.errors import DeviceError
from ffzero_lab.errors import InputError
from ffzero_lab.runs.atomic import sync_folder

LOCK_DIR = "FFZERO_LOCK_DIR"
GRACE_S = 0.2  # another process that only looks at the lock, or writes its note, needs it for less than this
POLL_S = 0.01


@dataclass(frozen=True)
class Owner:
    """Who holds a bench. Every field is None when the note is missing, damaged or unreadable."""

    pid: int | None = None
    run: str | None = None
    since: str | None = None
    host: str | None = None

    def __str__(self) -> str:
        if self.pid is None:
            return "an unknown owner (the note beside the lock cannot be read)"
        who = "this process" if self.is_this_process else f"process {self.pid} on {self.host}"
        return f"{who} since {self.since}, " + (f"run {self.run}" if self.run else "no run named")

    @property
    def is_this_process(self) -> bool:
        """Whether the note names the calling process."""
        return (self.pid, self.host) == (os.getpid(), socket.gethostname())


class BenchBusy(DeviceError):
    """Another owner holds the bench.

    Outputs: untouched: they are its owner's.

    Remedy: wait for the owner whom the message names, or let `ffzero-lab park DEVICE` ask it to stop.
    """

    def __init__(self, bench: str, owner: Owner) -> None:
        super().__init__(
            f"bench {bench!r} is in use by {owner}; let it finish, or park the bench with `ffzero-lab park DEVICE`, "
            "which asks its owner first"
        )
        self.bench = bench
        self.owner = owner


class BenchLock:
    """The right to drive one bench, for one object at a time on this machine.

    Two locks on the same bench exclude each other within a process, too. A forked child neither holds nor frees one.
    A lock that is dropped without `release` is freed, and the next owner is told to park as after a crash.

    Parameters
    ----------
    bench
        What stands on the table: the name and the serial number of its description.
    folder
        Where locks are kept; None takes ``FFZERO_LOCK_DIR``, else ``/var/tmp/ffzero-lab-locks``, which is the same for
        every user and session and outlives a reboot. It is made writable for everyone, without the sticky bit: after
        a crash the next owner may be somebody else, who replaces the note.

    Raises
    ------
    InputError
        From any method: the folder cannot be used. The message names it and ``FFZERO_LOCK_DIR``.
    """

    def __init__(self, bench: str, folder: Path | None = None) -> None:
        self.bench = bench
        self.folder = (default_folder() if folder is None else folder).absolute()
        self._lock_file = self.folder / f"{_slug(bench)}.lock"
        self._note = self._lock_file.with_suffix(".owner.json")
        self._held: FileLock | None = None
        self._me = Owner()

    def acquire(self, run: str | None, *, wait_s: float = GRACE_S) -> bool:
        """Take the bench and say whether it must be parked before anything else.

        Parameters
        ----------
        run
            The run folder, or None when there is none yet.
        wait_s
            How long to wait for the present owner.

        Returns
        -------
        bool
            Whether the previous owner ended without releasing. It stays so, through any number of further crashes,
            until an owner releases the bench parked.

        Raises
        ------
        BenchBusy
            After *wait_s*: somebody else holds it.
        """
        try:
            lock = self._take(wait_s)
        except Timeout:
            raise BenchBusy(self.bench, self._read_note()) from None
        me = Owner(os.getpid(), run, datetime.now().astimezone().isoformat(timespec="seconds"), socket.gethostname())
        try:
            crashed = os.path.lexists(self._note)
            self._write_note(me)
        except BaseException:
            lock.release()
            raise
        self._held, self._me = lock, me
        return crashed

    def set_run(self, run: str) -> None:
        """Name the run that the owner now writes; raises RuntimeError when the bench is not held."""
        if not self._is_mine():
            raise RuntimeError(f"bench {self.bench!r} is not held")
        self._me = replace(self._me, run=run)
        self._write_note(self._me)

    def release(self, *, parked: bool = True) -> None:
        """Free the bench; does nothing when it is not held.

        Pass ``parked=False`` when parking failed: the next owner is then told to park first.
        """
        mine, lock = self._is_mine(), self._held
        self._held = None
        if lock is None or not mine:
            return
        try:
            if parked:
                # A note that cannot be removed costs the next owner one needless parking; it must not hide an error.
                with contextlib.suppress(OSError):
                    self._note.unlink()
        finally:
            lock.release()

    @property
    def owner(self) -> Owner | None:
        """Who holds the bench now; None when it is free. Takes up to `GRACE_S` when it is held."""
        if not os.path.lexists(self._lock_file):
            return None
        try:
            self._take(GRACE_S).release()
        except Timeout:
            return self._read_note()
        return None

    def __enter__(self) -> Self:
        """Return the lock as it is; leaving the block releases it, by an error with the duty to park handed on."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release(parked=error is None)

    def _is_mine(self) -> bool:
        return self._held is not None and self._me.pid == os.getpid()  # false in a forked child

    def _take(self, wait_s: float) -> FileLock:
        # A fresh FileLock each time, for any thread to release: one object taken twice would just count to two.
        lock = FileLock(self._lock_file, mode=0o666, thread_local=False, fallback_to_soft=False)
        try:
            self._make_folder()
            lock.acquire(timeout=wait_s, poll_interval=POLL_S)
        except Timeout:
            raise
        except OSError as error:
            raise self._unusable(error) from error
        return lock

    def _make_folder(self) -> None:
        with contextlib.suppress(FileExistsError):
            self.folder.mkdir(parents=True)
            self.folder.chmod(0o777)  # whatever the umask says

    def _read_note(self) -> Owner:
        try:
            return TypeAdapter(Owner).validate_json(self._note.read_bytes())
        except (OSError, ValueError):
            return Owner()

    def _write_note(self, owner: Owner) -> None:
        # Not the run store's writer: half a note may be left here by another user, and all users must read the result.
        partial = self._note.with_suffix(".partial")
        try:
            partial.unlink(missing_ok=True)
            with partial.open("x") as file:
                os.fchmod(file.fileno(), 0o644)
                json.dump(asdict(owner), file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self._note)
            sync_folder(self.folder)
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> InputError:
        return InputError(
            f"the lock of bench {self.bench!r} cannot be kept in {self.folder}: {error}; make that folder writable for "
            f"everyone who uses the bench (chmod 0777, no sticky bit), or set {LOCK_DIR} to one that is, for all"
        )


def default_folder() -> Path:
    """Return the folder of locks that every process on this machine agrees on."""
    if named := os.environ.get(LOCK_DIR):
        return Path(named).expanduser()
    shared = Path("/var/tmp")  # noqa: S108 (unlike the temporary folder: no session has its own, no reboot empties it)
    usable = os.access(shared, os.W_OK | os.X_OK)
    return (shared if usable else Path(tempfile.gettempdir())) / "ffzero-lab-locks"


def _slug(bench: str) -> str:
    readable = re.sub(r"[^a-z0-9]+", "-", bench.lower()).strip("-")[:48]
    return f"{readable or 'bench'}-{hashlib.sha256(bench.encode()).hexdigest()[:8]}"
