"""What a worker process carries out, and its way out when told to go: its points are parked, others take them up."""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from ffzero_lab.signals import Interruption
from ffzero_lab.sweeps.folder import ask_to_stop

ASK_EVERY_S = 0.1


class UnderWay:
    """The run folders of the points that this process carries out."""

    def __init__(self) -> None:
        self._runs: set[Path] = set()
        self._leaving = threading.Event()

    @contextmanager
    def carrying_out(self, run: Path) -> Generator[None]:
        """Note a point while it is carried out. One that is stopped because the process goes never returns.

        So nobody is told that it is over, and another worker takes it up.
        """
        self._runs.add(run)
        try:
            yield
        except Interruption:
            self._runs.discard(run)  # it is parked and saved by now
            if self._leaving.is_set():
                threading.Event().wait()  # for the end of the process
            raise
        finally:
            self._runs.discard(run)

    def leave(self, within_s: float) -> None:
        """Return when every point is parked and saved, or after so long: then the process may go."""
        self._leaving.set()
        until = time.monotonic() + within_s
        while (runs := [*self._runs]) and time.monotonic() < until:
            for run in runs:
                ask_to_stop(run)
            time.sleep(ASK_EVERY_S)


here = UnderWay()
"""Of this process."""
