"""A pseudo-terminal behind a fixed path: what a serial port of a computer is to the instrument at its other end."""

import os
import pty
import tty
from contextlib import suppress
from pathlib import Path


class PseudoTerminal:
    """The port at *path*, a link to whatever pseudo-terminal the system gives; not there until ``plug_in``.

    Raises OSError for a path that something else has.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ours = self._theirs = -1
        if path.is_symlink() and not path.exists():
            path.unlink()  # left over by an emulation that was killed
        if path.is_symlink() or path.exists():
            raise OSError(f"{path} exists already; choose another path")

    @property
    def is_in(self) -> bool:
        """Whether a client can open it."""
        return self._ours >= 0

    @property
    def descriptor(self) -> int:
        """The instrument's end, to wait for; only while it is plugged in."""
        return self._ours

    def plug_in(self) -> None:
        """Appear at the path, as a new terminal."""
        self._ours, self._theirs = pty.openpty()  # theirs is kept open: clients may come and go
        tty.setraw(self._theirs)
        os.set_blocking(self._ours, False)
        self._path.symlink_to(os.ttyname(self._theirs))

    def unplug(self) -> None:
        """Vanish; what a client does with it from now on fails. Calling it again does nothing."""
        if not self.is_in:
            return
        with suppress(FileNotFoundError):
            self._path.unlink()
        os.close(self._theirs)
        os.close(self._ours)
        self._ours = self._theirs = -1

    def receive(self) -> bytes:
        """Return what has come, or nothing."""
        try:
            return os.read(self._ours, 65_536)
        except BlockingIOError:
            return b""

    def send(self, content: bytes) -> bool:
        """Hand *content* to whoever listens; returns whether all of it was taken: nobody may be there to read."""
        try:
            return os.write(self._ours, content) == len(content)
        except BlockingIOError:
            return False
