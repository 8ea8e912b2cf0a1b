"""``report``: writes one page about the protocol so far."""

from collections.abc import Iterator
from html import escape
from typing import Any, ClassVar, Literal, cast
from urllib.parse import quote

from ffzero_lab.runs.atomic import write_atomically
from protocols.book import Book, Entry
from protocols.planning import Look, Planned
from protocols.schema import Results, Step
from protocols.work import Work

PAGE = "report.html"
LONGEST = 200
"""Longer values, such as the looks of a night, stand in the manifest alone."""
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;margin:1rem 0}td,th{padding:.25rem .7rem;border-bottom:1px solid #ddd;"
    "text-align:left;vertical-align:top}td.n{text-align:right;font-variant-numeric:tabular-nums}.failed{color:#b00020}"
)


class Reported(Results):
    """What ``report`` makes."""

    page: str
    """The page's file, within the run folder."""


class Report(Step):
    """Write ``report.html`` into the run folder: every step with what it found and cost, and what the sentinel saw."""

    found: ClassVar[type[Results]] = Reported
    energises: ClassVar[bool] = False

    kind: Literal["report"] = "report"
    title: str | None = None
    """Heading; None: the protocol's title. May refer to results."""

    def plan(self, look: Look) -> Planned:
        """Return the plan."""
        del look
        return Planned(touches=(f"nothing of the device; writes {PAGE}",))

    def run(self, work: Work) -> Reported:
        """Write the page; raises OSError."""
        shift = work.shift
        device = shift.guard.description
        page = written(
            self.title or shift.protocol.head.title, f"{device.name}, serial number {device.serial_number}", shift.book
        )
        path = shift.run.path / PAGE
        write_atomically(path, page.encode())
        work.tell(f"report: {path}")
        return Reported(page=PAGE)


def written(title: str, device: str, book: Book) -> str:
    """Return the page, in HTML."""
    rows = "".join(_step_row(number, entry) for number, entry in enumerate(book.entries, start=1))
    notes = "".join(f"<li>{escape(note)}</li>" for note in book.notes)
    seen = "".join(
        f"<tr><td class=n>{each['device_s'] / 3600.0:.2f} h</td><td>{escape(each['step'])}</td>"
        f"<td class=n>{each['change']:.2%}</td><td>{escape(each['action'])}</td></tr>"
        for each in book.sentinel.get("seen", [])
    )
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title><style>{_STYLE}</style>"
        f"<h1>{escape(title)}</h1><p>{escape(device)}</p>"
        "<table><tr><th>step<th>kind<th>state<th>found<th>writes<th>shots<th>device time</tr>"
        f"{rows}</table>"
        + (
            f"<h2>Sentinel</h2><table><tr><th>at<th>during<th>change<th>what followed</tr>{seen}</table>"
            if seen
            else ""
        )
        + _training_runs(book)
        + (f"<h2>Notes</h2><ul>{notes}</ul>" if notes else "")
        + "</html>\n"
    )


def _training_runs(book: Book) -> str:
    """Return links to the pages of the training runs; no bench that is on waits the seconds that drawing them takes."""
    runs = dict.fromkeys(run for entry in book.entries for run in _runs_in(entry.results))
    if not runs:
        return ""
    links = "".join(f'<li><a href="{escape(quote(run))}/{PAGE}">{escape(run)}</a>' for run in runs)
    told = "Their pages are drawn by <code>ffzero-lab report</code>, told the folder of this page."
    return f"<h2>Training runs</h2><ul>{links}</ul><p>{told}</p>"


def _runs_in(results: Any) -> Iterator[str]:
    """Yield the folders of training runs among *results*, those of a sweep's points included."""
    if isinstance(results, dict):
        content = cast("dict[str, Any]", results)
        if isinstance(run := content.get("run"), str):
            yield run
        for inner in content.get("points") or ():
            yield from _runs_in(inner)


def _step_row(number: int, entry: Entry) -> str:
    spent, results = entry.spent(), entry.results or {}
    found = "".join(
        f"{escape(key)}: {escape(_told(value))}<br>"
        for key, value in results.items()
        if value is not None and len(str(value)) <= LONGEST
    )
    failures = "".join(f"<span class=failed>{escape(failure)}</span><br>" for failure in entry.failures)
    return (
        f"<tr><td>{number} {escape(entry.name)}<td>{escape(entry.kind)}<td>{escape(entry.state)}"
        f"<td>{failures}{found}<td class=n>{spent.writes:,}<td class=n>{spent.shots:,}"
        f"<td class=n>{entry.device_seconds:,.1f} s</tr>"
    )


def _told(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
