"""What a step is given: a straight line of kept parts.

As procedures of a calibration do, a step goes through its parts from top to bottom. What a part found is on disk, with
the exact state of a twin behind it, before the next one begins. A resumed step runs again: kept parts are read, and the
first that is not there is measured. So a part writes its own setpoints and loads its own patterns.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protocols.sentinel import Sentinel
from protocols.shift import Shift


@dataclass(frozen=True)
class Work:
    """One step at work.

    Attributes
    ----------
    shift
        What all steps share.
    sentinel
        Looks for drift between parts and while time passes; None: nobody does.
    prefix
        In front of the names of parts, where a step carries out others.
    """

    shift: Shift
    sentinel: Sentinel | None = None
    prefix: str = ""

    def inside(self, name: str) -> "Work":
        """Return the work of a part that is made of parts."""
        return Work(self.shift, self.sentinel, f"{self.prefix}{name}/")

    def kept(self, name: str, measure: Callable[[], Any]) -> Any:
        """Return the plain value of a part, measuring it if that was not done before."""
        parts, key = self.shift.book.parts, f"{self.prefix}{name}"
        if key not in parts:
            self.moment()
            parts[key] = measure()
            self.shift.row("part", part=key)
            self.shift.commit()
        return parts[key]

    def moment(self) -> None:
        """Between two parts: pause if asked to, look for drift if it is time."""
        self.shift.moment()
        if self.sentinel is not None and self.sentinel.due():
            self.sentinel.act()

    def wait(self, name: str, seconds: float, *, watched: bool = True) -> None:
        """Let device time pass, as a part; where *watched*, the sentinel looks meanwhile, and parks."""

        def waited() -> None:
            self.pass_time(seconds, watched=watched)

        self.kept(name, waited)

    def pass_time(self, seconds: float, *, watched: bool = False) -> None:
        """Let device time pass."""
        clock = self.shift.guard.clock
        until_s = clock.now_s() + seconds
        sentinel = self.sentinel if watched else None
        while (left_s := until_s - clock.now_s()) > 0.0:
            if sentinel is not None:
                if sentinel.due():
                    sentinel.act()
                    continue
                left_s = min(left_s, sentinel.due_in_s())
            self.shift.moment()
            self.shift.sleep_slice(left_s)

    @property
    def folder(self) -> Path:
        """Where the step keeps files, within the run folder; another one each time it is begun anew."""
        return self.shift.folder / self.prefix.strip("/")

    def within_run(self, path: Path) -> str:
        """Return *path* as it is written down: from the run folder on, so that the folder can be moved."""
        return path.relative_to(self.shift.run.path).as_posix()

    def found(self, path: str) -> Path:
        """Return a path that a step refers to: one of this run, else from the working folder of its beginning."""
        own = self.shift.run.path / path
        return own if own.exists() else self.shift.data_dir / path

    def tell(self, message: str) -> None:
        """Show what is going on."""
        self.shift.tell(f"{self.prefix.replace('/', ' ')}{message}")
