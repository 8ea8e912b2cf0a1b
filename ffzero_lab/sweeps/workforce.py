"""The worker processes of a sweep on this computer: a fixed number of them, replaced when they are lost."""

import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

LOOK_EVERY_S = 0.1
PAUSE_S = 0.5
"""Between the loss of a worker and the start of the next, so that one that cannot start does not take the computer."""

GO_WITHIN_S = 20.0
"""What workers that are told to go may take."""


class Workforce:
    """So many processes that work for a scheduler; whoever is lost is replaced until the block ends.

    Each has a session of its own: Ctrl-C and a closed terminal reach the sweep's process alone.
    """

    def __init__(self, count: int, scheduler: str, sweep: Path, scratch: Path) -> None:
        self._command = [sys.executable, "-m", "ffzero_lab.sweeps.worker", scheduler, str(sweep), str(scratch)]
        self._count, self._log = count, scratch / "workers.log"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._ending = threading.Event()
        self._watch = threading.Thread(target=self._replace_lost, name="workforce", daemon=True)

    @property
    def last_words(self) -> str:
        """The last line that a worker has written before it was lost, or nothing."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").split("\n") if self._log.exists() else []
        return next((line for line in reversed(lines) if line.strip()), "")

    def __enter__(self) -> Self:
        self._processes = [self._start() for _ in range(self._count)]
        self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._watch.join()
        for process in self._processes:
            process.terminate()  # what it still carries out is parked and saved first
        until = time.monotonic() + GO_WITHIN_S
        for process in self._processes:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
            _let_go(process)

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - this very program
                self._command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
            )

    def _replace_lost(self) -> None:
        while not self._ending.wait(LOOK_EVERY_S):
            for place, process in enumerate(self._processes):
                if process.poll() is not None and not self._ending.wait(PAUSE_S):
                    _let_go(process)
                    self._processes[place] = self._start()


def _let_go(process: subprocess.Popen[bytes]) -> None:
    process.wait()
    if process.stdin is not None:
        process.stdin.close()
