"""One self-contained HTML page: what is wrong at the top, then titled sections with text, tables and figures.

It opens without a network: figures stand inside the page, and nothing is loaded. Everything that is told is escaped.
"""

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Literal

from ffzero_lab.figures.page_style import CSS
from ffzero_lab.runs.atomic import write_atomically, write_briefly

Severity = Literal["fault", "warning", "note"]
ALWAYS_SHOWN = 25
"""Problems in the list; the ones after them are folded away."""
LARGE_SVG = 500_000
"""Bytes above which a figure stands in the page as PNG, where that is smaller: browsers are slow with large ones."""


@dataclass(frozen=True)
class Problem:
    """Something that a person should know."""

    severity: Severity
    where: str
    what: str


@dataclass(frozen=True)
class Tile:
    """One number that is read at a glance."""

    label: str
    value: str
    hint: str = ""
    alarming: bool = False


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    severity: Severity | None = None
    """Set off from the others when it tells of something wrong."""


@dataclass(frozen=True)
class Table:
    """Rows under headings; columns whose cells all begin like numbers are aligned to the right."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    folded: bool = False
    """Shown only when its title is clicked."""


@dataclass(frozen=True)
class Picture:
    """A figure, under a file name without suffix."""

    name: str
    title: str
    caption: str
    svg: bytes
    png: bytes


@dataclass(frozen=True)
class Tiles:
    """Numbers side by side."""

    tiles: tuple[Tile, ...]


Block = Text | Table | Picture | Tiles


@dataclass(frozen=True)
class Section:
    """Blocks under a title."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Page:
    """A whole page."""

    title: str
    facts: tuple[tuple[str, str], ...]
    """Names and values that say what the page is about."""
    problems: tuple[Problem, ...]
    """In the order in which they are listed: the worst first."""
    sections: tuple[Section, ...]
    tiles: tuple[Tile, ...] = ()
    all_well: str = "nothing is out of family"
    """Said where no problem is worse than a note."""

    @property
    def pictures(self) -> list[Picture]:
        """All figures in their order."""
        return [block for section in self.sections for block in section.blocks if isinstance(block, Picture)]


def write(page: Page, path: Path, folder: Path | None = None) -> Path:
    """Write *page* to *path* and its figures, as SVG and PNG, into *folder*, by default beside it; return the folder.

    The page comes last, and does not need the folder. Two may write the same page at once. Raises OSError.
    """
    folder = path.with_name(f"{path.stem}-figures") if folder is None else folder
    path.parent.mkdir(parents=True, exist_ok=True)
    if page.pictures:
        folder.mkdir(parents=True, exist_ok=True)
    for picture in page.pictures:
        stem = slug(picture.name)
        write_briefly(folder / f"{stem}.svg", picture.svg, among_others=True)
        write_briefly(folder / f"{stem}.png", picture.png, among_others=True)
    write_atomically(path, html_of(page).encode(errors="replace"), among_others=True)
    return folder


def html_of(page: Page) -> str:
    """Return the page as it stands in a file."""
    links = "".join(f'<a href="#{slug(section.title)}">{escape(section.title)}</a>' for section in page.sections)
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(page.title)}</title><style>{CSS}</style></head><body><main>",
        f"<header><h1>{escape(page.title)}</h1>{_verdict(page)}</header>",
        _problems(page.problems),
        _tiles(page.tiles),
        _facts(page.facts),
        f"<nav>{links}</nav>",
        *(_section(section) for section in page.sections),
        "</main></body></html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def slug(name: str) -> str:
    """Return *name* as it may stand in a link or a file name."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower() or "untitled"


def _verdict(page: Page) -> str:
    counted = [(word, sum(problem.severity == word for problem in page.problems)) for word in ("fault", "warning")]
    told = " and ".join(f"{count} {word}{'' if count == 1 else 's'}" for word, count in counted if count)
    worst = next((word for word, count in counted if count), "well")
    return f'<p class="verdict {worst}">{escape(told or page.all_well)}</p>'


def _problems(problems: Sequence[Problem]) -> str:
    if not problems:
        return ""
    shown, folded = problems[:ALWAYS_SHOWN], problems[ALWAYS_SHOWN:]
    more = f"<details><summary>{len(folded)} more</summary>{_listed(folded)}</details>" if folded else ""
    return f'<section class="problems">{_listed(shown)}{more}</section>'


def _listed(problems: Iterable[Problem]) -> str:
    items = "".join(
        f'<li class="{escape(each.severity)}"><b>{escape(each.severity)}</b><i>{escape(each.where)}</i>'
        f"<span>{escape(each.what)}</span></li>"
        for each in problems
    )
    return f"<ul>{items}</ul>"


def _tiles(tiles: Iterable[Tile]) -> str:
    cells = "".join(
        f"<div{' class=alarming' if tile.alarming else ''}><small>{escape(tile.label)}</small>"
        f"<b>{escape(tile.value)}</b><small>{escape(tile.hint)}</small></div>"
        for tile in tiles
    )
    return f'<div class="tiles">{cells}</div>' if cells else ""


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    listed = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)
    return f"<dl>{listed}</dl>"


def _section(section: Section) -> str:
    blocks = "\n".join(_block(block) for block in section.blocks)
    return f'<section id="{slug(section.title)}"><h2>{escape(section.title)}</h2>\n{blocks}</section>'


def _block(block: Block) -> str:
    match block:
        case Text():
            return f'<p class="text {block.severity or ""}">{escape(block.text)}</p>'
        case Table():
            return _table(block)
        case Picture():
            return _figure(block)
        case Tiles():
            return _tiles(block.tiles)


def _figure(picture: Picture) -> str:
    drawn = len(picture.svg) <= max(LARGE_SVG, len(picture.png))
    kind, content = ("svg+xml", picture.svg) if drawn else ("png", picture.png)
    source = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
    return (
        f'<figure><h3>{escape(picture.title)}</h3><div class="wide" role="region" tabindex="0" '
        f'aria-label="{escape(picture.title)}"><img alt="{escape(picture.title)}" src="{source}"></div>'
        f"<figcaption>{escape(picture.caption)}</figcaption></figure>"
    )


def _table(table: Table) -> str:
    right = [_is_numeric(column) for column in zip(*table.rows, strict=True)] or [False] * len(table.headings)
    align = [' class="n"' if numeric else "" for numeric in right]
    head = "".join(f"<th{a}>{escape(cell)}</th>" for a, cell in zip(align, table.headings, strict=True))
    rows = "".join(
        "<tr>" + "".join(f"<td{a}>{escape(cell)}</td>" for a, cell in zip(align, row, strict=True)) + "</tr>"
        for row in table.rows
    )
    named = f'role="region" aria-label="{escape(table.title or ", ".join(table.headings))}" tabindex="0"'
    content = f'<div class="wide" {named}><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    if table.folded:
        return f"<details><summary>{escape(table.title)}</summary>{content}</details>"
    return (f"<h3>{escape(table.title)}</h3>" if table.title else "") + content


def _is_numeric(column: Sequence[str]) -> bool:
    told = [cell for cell in column if cell]
    return bool(told) and all(re.match(r"[-+−]?\.?\d", cell) for cell in told)
