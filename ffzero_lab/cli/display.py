"""What a person sees while a run goes on: live progress on a terminal, plain lines elsewhere, nothing with ``--json``.

With ``--json`` nothing is shown on standard error either, but for errors: who wants to look asks ``ffzero-lab status``.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, Self

from rich.text import Text

from ffzero_lab.cli.following import Follower, is_virtual
from ffzero_lab.cli.progress import Facts, line, panel
from ffzero_lab.cli.remaining import remaining
from ffzero_lab.cli.screen import Screen
from ffzero_lab.cli.wording import describe, plan_lines, result_table, result_title, tell_spent
from ffzero_lab.device import InterlockGuard
from ffzero_lab.training import Checked, Event, Session, StepDone


class Display(Protocol):
    """Shows one run. A failure to display never ends it."""

    def show(self, event: Event) -> None:
        """Take in one event."""
        ...

    def status(self, content: Mapping[str, Any]) -> None:
        """Take in what is written to ``status.json``."""
        ...

    def conclude(self, summary: Mapping[str, Any]) -> None:
        """Show the result."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None: ...


class Silent(Display):
    """Shows nothing: standard output belongs to the JSON document."""

    def show(self, event: Event) -> None:
        """Do nothing."""

    def status(self, content: Mapping[str, Any]) -> None:
        """Do nothing."""

    def conclude(self, summary: Mapping[str, Any]) -> None:
        """Do nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        pass


class Stopwatch:
    """Time on the wall, pauses left out."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._began_s, self._stopped_s = clock, clock(), 0.0
        self._since_s: float | None = None

    def stop(self) -> None:
        """Let no time pass from now on; stopping twice is stopping once."""
        if self._since_s is None:
            self._since_s = self._clock()

    def go_on(self) -> None:
        """Let time pass again."""
        if self._since_s is not None:
            self._stopped_s += self._clock() - self._since_s
            self._since_s = None

    @property
    def stopped_s(self) -> float:
        """Seconds for which no time passed."""
        since_s = self._since_s
        return self._stopped_s + (0.0 if since_s is None else self._clock() - since_s)

    @property
    def is_stopped(self) -> bool:
        """Whether no time passes."""
        return self._since_s is not None

    def seconds(self) -> float:
        """Return the seconds that have passed."""
        since_s = self._since_s
        return (self._clock() if since_s is None else since_s) - self._began_s - self._stopped_s

    def worked(self, device_s: float, *, virtual: bool) -> float:
        """Return device time without the pauses, during which only a real clock goes on."""
        return device_s if virtual else device_s - self.stopped_s


class Shown(Display):
    """Shows a training run.

    Parameters
    ----------
    session
        What is shown.
    path
        Its run folder.
    notes
        Told first.
    interlocks
        What watches the device: its last readings are shown.
    earlier_wall_s
        Time on the wall of earlier parts of a resumed run.
    """

    def __init__(
        self,
        session: Session,
        path: Path,
        notes: tuple[str, ...],
        interlocks: InterlockGuard,
        earlier_wall_s: float = 0.0,
    ) -> None:
        self.session, self.path, self.notes, self.interlocks = session, path, notes, interlocks
        self.follower, self.watch = Follower(session), Stopwatch()
        self._earlier_s, self._paused = earlier_wall_s, ""
        self.screen = Screen(self._panel, self._line)

    def show(self, event: Event) -> None:
        """Take in one event; what is rare enough gets a line of its own."""
        self._try(lambda: self.follower.note(event))
        if not isinstance(event, StepDone | Checked):
            self._tell(lambda: describe(event, self.session.device.ledger.total, self.session.network.aim.measure))

    def status(self, content: Mapping[str, Any]) -> None:
        """Take in whether the run is paused."""
        self._try(lambda: self._status(content))

    def conclude(self, summary: Mapping[str, Any]) -> None:
        """Show the result."""
        self._try(lambda: self.screen.show(result_title(summary)))
        self._try(lambda: self.screen.show(result_table(summary)))
        self._try(lambda: self.screen.show(Text(tell_spent(summary))))
        self._try(lambda: self.screen.show(f"run folder: {self.path}"))

    def facts(self) -> Facts:
        """Return what is known now; asks the device nothing."""
        follower, device = self.follower, self.session.device
        now, virtual = follower.spent(self.watch.seconds()), is_virtual(device)
        worked = replace(now, device_s=self.watch.worked(now.device_s, virtual=virtual))
        left = remaining(follower.planned(), follower.began, worked, virtual=virtual)
        total = device.ledger.total
        return Facts(
            state=self._paused or follower.state(),
            waits=bool(self._paused),
            writes=total.writes,
            shots=total.shots,
            device_s=now.device_s,
            wall_s=self._earlier_s + now.wall_s,
            device_left_s=left.device_s,
            wall_left_s=left.wall_s,
            learning=follower.learning(),
            health=self.interlocks.watched,
            trouble=follower.trouble(),
        )

    def __enter__(self) -> Self:
        self._try(self._begin)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._tell(lambda: line(replace(self.facts(), state="ended early"), ascii_only=self.screen.ascii_only))
        self._try(self.screen.close)

    def _begin(self) -> None:
        self.screen.start()
        for told in (*self.notes, *plan_lines(self.session)):
            self.screen.show(Text(told))
        self.screen.show(f"run folder: {self.path}")

    def _status(self, content: Mapping[str, Any]) -> None:
        if content["state"] == "paused" and not self.watch.is_stopped:
            self.watch.stop()
            self._paused = "paused, parked" if content.get("parked", True) else "paused, outputs on"
            self.screen.show(f"{self._paused}; to go on: ffzero-lab continue {self.path}")
        elif content["state"] == "running" and self.watch.is_stopped:
            self.watch.go_on()
            self._paused = ""
            self.screen.show("going on")

    def _panel(self, width: int, ascii_only: bool) -> list[Text]:
        return panel(self.facts(), width, ascii_only=ascii_only)

    def _line(self, ascii_only: bool) -> str:
        return line(self.facts(), ascii_only=ascii_only)

    def _tell(self, told: Callable[[], str]) -> None:
        self._try(lambda: self.screen.show(Text(told())))

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - a failure to display never ends a run
            self.screen.fail(error)


def display_for(
    session: Session,
    path: Path,
    notes: tuple[str, ...],
    interlocks: InterlockGuard,
    earlier_wall_s: float = 0.0,
    *,
    as_json: bool,
) -> Display:
    """Return the display that fits standard output."""
    return Silent() if as_json else Shown(session, path, notes, interlocks, earlier_wall_s)
