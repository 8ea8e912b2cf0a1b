"""What the progress of a run says and how it is laid out: facts in, lines of a given width out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite

from rich.cells import cell_len
from rich.text import Text

from ffzero_lab.cli.layout import fitting
from ffzero_lab.cli.wording import tell
from ffzero_lab.device import WatchedReading
from ffzero_lab.training.aim import Measure

MOST_WITHIN = 4
"""So many health channels that are well within their bounds are told one by one; the others are counted."""
LEAST_BAR = 10
"""Columns under which a bar says nothing."""
FEW_S = 10
"""Seconds under which tenths are told."""
LEAST_RATIO = 0.5
"""Below it a mean over the last steps cannot tell a slope from none."""
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_PLACES = {"within": "green", "near": "bold yellow", "beyond": "bold red"}


@dataclass(frozen=True)
class Learning:
    """How a layer learns; scores and losses are running means over the last steps."""

    layer: int
    layers: int
    step: int
    steps: int
    measure: Measure
    loss: float | None = None
    score: float | None = None
    validation: float | None = None
    signal_to_noise: float | None = None
    """Of a slope: how far it stands out of its standard error."""
    cosine: float | None = None


@dataclass(frozen=True)
class Facts:
    """Everything that the progress of a run tells at one moment."""

    state: str
    writes: int
    shots: int
    device_s: float
    wall_s: float
    device_left_s: float | None = None
    wall_left_s: float | None = None
    heading: tuple[str, ...] = ()
    """Of a protocol: which step, its name, its attempt."""
    learning: Learning | None = None
    health: tuple[WatchedReading, ...] = ()
    trouble: tuple[str, ...] = ()
    waits: bool = False
    """Whether it stands still until somebody acts."""


def panel(facts: Facts, width: int, *, ascii_only: bool = False) -> list[Text]:
    """Return the lines of the live progress, none of them wider than *width* columns."""
    state = Text(facts.state, style="bold yellow" if facts.waits else "cyan")
    learning = facts.learning
    lines: list[Text] = []
    if facts.heading or learning is None:
        lines += flow([*map(Text, facts.heading), state], width, ascii_only=ascii_only)
    if learning is not None:
        lines += _bar_line(learning, None if facts.heading else state, width, ascii_only=ascii_only)
        lines += flow(map(Text, _learnt(learning)), width, ascii_only=ascii_only)
    spent, times = [*map(Text, _spent(facts))], [*map(Text, _times(facts))]
    together = flow([*spent, *times], width, ascii_only=ascii_only)
    if len(together) > 1:  # counts in one line, times in another
        together = flow(spent, width, ascii_only=ascii_only) + flow(times, width, ascii_only=ascii_only)
    lines += together
    if facts.health:
        lines += flow([Text("health"), *_health(facts.health)], width, ascii_only=ascii_only)
    if facts.trouble:
        told = [Text(each, style="yellow") for each in facts.trouble]
        lines += flow([Text("trouble", style="yellow"), *told], width, ascii_only=ascii_only)
    return lines


def line(facts: Facts, *, ascii_only: bool = False) -> str:
    """Return the same as one plain line."""
    learning = facts.learning
    at = [] if learning is None else [_place(learning), f"step {learning.step:,} of {learning.steps:,}"]
    marked = [piece.plain for piece in _health([one for one in facts.health if one.place != "within"])]
    state = [] if facts.state == "training" and learning is not None else [facts.state]
    learnt = [] if learning is None else _learnt(learning)
    pieces = [*facts.heading, *at, *state, *learnt, *_spent(facts), *_times(facts), *marked, *facts.trouble]
    return fitting("  ".join(pieces), ascii_only=ascii_only)


def flow(pieces: Iterable[Text], width: int, *, ascii_only: bool = False, indent: int = 2) -> list[Text]:
    """Lay pieces out in lines of at most *width* columns, two spaces apart; a piece is broken only if it is wider."""
    lines: list[Text] = []
    for given in pieces:
        piece = Text(fitting(given.plain, ascii_only=ascii_only), style=given.style)
        if lines and lines[-1].cell_len + 2 + piece.cell_len <= width:
            lines[-1].append("  ").append_text(piece)
            continue
        start = Text(" " * indent if lines else "")
        room = max(1, width - start.cell_len)
        if piece.cell_len > room:
            piece = Text(cut(piece.plain, room, ascii_only=ascii_only), style=piece.style)
        lines.append(start.append_text(piece))
    return lines


def cut(text: str, width: int, *, ascii_only: bool = False) -> str:
    """Return *text* in at most *width* columns; what was left out is told by dots at the end."""
    if cell_len(text) <= width:
        return text
    dots = "..." if ascii_only else "…"
    kept = Text(text)
    kept.truncate(max(0, width - len(dots)))
    return kept.plain.rstrip() + dots[:width]


def spell_left(seconds: float) -> str:
    """Return a time as coarse as it is wanted: ``3.1 s``, ``31 s``, ``5 min 10 s``, ``1 h 05 min``, ``2 d 03 h``."""
    if not isfinite(seconds):
        return "unknown"
    whole = max(0, round(seconds))
    if whole < FEW_S:
        return f"{max(0.0, seconds):.1f} s"
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR:02d} h"


def tell_reading(reading: WatchedReading) -> str:
    """Return one health channel in words: its value, its bounds, and whether it is near them or beyond."""
    if not isfinite(reading.value):
        return f"{reading.channel} NO READING"
    lower, upper = reading.lower, reading.upper
    unit = f" {reading.unit}" if reading.unit not in ("", "1") else ""
    if lower is not None and upper is not None:
        bounds = f"{lower:.4g} to {upper:.4g}"
    else:
        bounds = f"at most {upper:.4g}" if upper is not None else f"at least {lower:.4g}"
    mark = {"within": "", "near": " NEAR", "beyond": " OUT"}[reading.place]
    return f"{reading.channel} {reading.value:.4g}{unit} ({bounds}){mark}"


def _bar_line(learning: Learning, state: Text | None, width: int, *, ascii_only: bool) -> list[Text]:
    """Return layer, bar, steps and *state*; where there is no room for a bar, without it."""
    head, tail = _place(learning), f"{learning.step:,} of {learning.steps:,}"
    taken = len(head) + len(tail) + 4 + (0 if state is None else 2 + state.cell_len)
    if width - taken < LEAST_BAR:
        pieces = [Text(head), Text(f"step {tail}"), *([] if state is None else [state])]
        return flow(pieces, width, ascii_only=ascii_only)
    told = Text(f"{head}  ")
    told.append_text(_bar(learning.step, learning.steps, min(40, width - taken), ascii_only=ascii_only))
    told.append(f"  {tail}")
    if state is not None:
        told.append("  ").append_text(state)
    return [told]


def _bar(done: int, total: int, width: int, *, ascii_only: bool) -> Text:
    full = width if total <= 0 else min(width, width * done // total)
    on, off = ("#", "-") if ascii_only else ("━", "─")
    return Text(on * full, style="green").append(off * (width - full), style="dim")


def _place(learning: Learning) -> str:
    return f"layer {learning.layer} ({learning.layer + 1} of {learning.layers})"


def _learnt(learning: Learning) -> list[str]:
    told: list[str] = []
    if learning.loss is not None:
        told.append(f"loss {learning.loss:.4f}")
    name = "accuracy " if learning.measure == "accuracy" else ""
    if learning.score is not None:
        told.append(f"{name}{tell(learning.measure, learning.score)}")
    if learning.validation is not None:
        told.append(f"validation {tell(learning.measure, learning.validation)}")
    if learning.signal_to_noise is not None:
        ratio = learning.signal_to_noise
        told.append(f"slope/noise {f'{ratio:.1f}' if ratio >= LEAST_RATIO else f'<{LEAST_RATIO}'}")
    if learning.cosine is not None:
        told.append(f"cosine {learning.cosine:.3f}")
    return told


def _spent(facts: Facts) -> list[str]:
    return [f"{facts.writes:,} writes", f"{facts.shots:,} shots"]


def _times(facts: Facts) -> list[str]:
    left = ("", "")
    if facts.device_left_s is not None:
        left = (f", {spell_left(facts.device_left_s)} left", "")
    if facts.wall_left_s is not None:
        left = (left[0], f", {spell_left(facts.wall_left_s)} left")
    return [f"device {spell_left(facts.device_s)}{left[0]}", f"wall {spell_left(facts.wall_s)}{left[1]}"]


def _health(readings: Sequence[WatchedReading]) -> list[Text]:
    """Return the channels that are near their bounds or beyond, then some of the others."""
    within = [one for one in readings if one.place == "within"]
    shown = [one for one in readings if one.place != "within"] + within[:MOST_WITHIN]
    told = [Text(tell_reading(one), style=_PLACES[one.place]) for one in shown]
    more = len(within) - MOST_WITHIN
    return [*told, *([Text(f"and {more} more within bounds")] if more > 0 else [])]
