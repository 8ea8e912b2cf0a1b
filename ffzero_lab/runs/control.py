"""Requests to a running process: files in its ``control`` folder, renamed into place, taken away when heard."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from ffzero_lab.runs.atomic import write_briefly
from ffzero_lab.runs.layout import CONTROL

RequestName = Literal["pause", "continue", "stop"]
REQUESTS: tuple[RequestName, ...] = get_args(RequestName)
POLL_S = 0.05


@dataclass(frozen=True)
class ControlRequest:
    """One request. ``park`` says whether a paused run parks or holds its outputs."""

    name: RequestName
    park: bool = True


def ask(run: Path, request: ControlRequest) -> None:
    """Put a request in front of the process that writes *run*; raises OSError when there is no control folder."""
    write_briefly(run / CONTROL / f"{request.name}.json", json.dumps(asdict(request)).encode(), among_others=True)


class ControlFolder:
    """The receiving end; looks at the folder at most every 50 ms."""

    def __init__(self, run: Path, now_s: Callable[[], float] = time.monotonic) -> None:
        self._folder = run / CONTROL
        self._now_s = now_s
        self._next_s = 0.0

    def heard(self, *, at_once: bool = False) -> list[ControlRequest]:
        """Return the requests that came in, in the order stop, pause, continue, and take them away.

        With *at_once* it looks however short ago it did. A file that cannot be understood is taken away as well and
        counts as a request to stop: better safe.
        """
        if self._now_s() < self._next_s and not at_once:
            return []
        self._next_s = self._now_s() + POLL_S
        requests: list[ControlRequest] = []
        for name in ("stop", "pause", "continue"):
            path = self._folder / f"{name}.json"
            try:
                content = path.read_bytes()
                path.unlink()
            except FileNotFoundError:
                continue
            try:
                requests.append(ControlRequest(name, bool(json.loads(content).get("park", True))))
            except (ValueError, AttributeError):
                requests.append(ControlRequest("stop"))
        return requests
