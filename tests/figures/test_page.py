"""A page of sections: complete in itself, escaped, and problems folded when there are many."""

import subprocess
import sys
from pathlib import Path

from ffzero_lab.figures.page import Page, Picture, Problem, Section, Table, Text, Tile, Tiles, html_of, slug, write

PICTURE = Picture("Layer 0/../x", "Title <1>", "caption & more", b"<svg>s</svg>", b"\x89PNG-p")


def page_with(*blocks: Text | Table | Picture | Tiles, problems: tuple[Problem, ...] = ()) -> Page:
    return Page("A & B", (("device", "<chip>"),), problems, (Section("Part", blocks),))


def test_everything_that_is_told_is_escaped() -> None:
    evil = "<b onclick='x'>&\""
    page = Page(
        title=evil,
        facts=((evil, evil),),
        problems=(Problem("fault", evil, evil),),
        sections=(Section(evil, (Text(evil), Table((evil,), ((evil,),), evil), Tiles((Tile(evil, evil, evil),)))),),
        tiles=(Tile(evil, evil, evil),),
    )
    assert "<b onclick" not in html_of(page)
    assert "&lt;b onclick=&#x27;x&#x27;&gt;&amp;&quot;" in html_of(page)


def test_figures_are_written_beside_the_page_under_names_that_stay_in_their_folder(tmp_path: Path) -> None:
    folder = write(page_with(PICTURE), tmp_path / "new" / "page.html")
    assert {path.name for path in folder.iterdir()} == {"layer-0-x.svg", "layer-0-x.png"}
    assert folder == tmp_path / "new" / "page-figures"
    assert (folder / "layer-0-x.png").read_bytes() == PICTURE.png
    assert "data:image/svg+xml;base64,PHN2Zz5zPC9zdmc+" in (tmp_path / "new" / "page.html").read_text()


def test_a_page_without_figures_has_no_folder(tmp_path: Path) -> None:
    write(page_with(Text("alone")), tmp_path / "page.html")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_drawing_too_large_for_a_browser_stands_in_the_page_as_png() -> None:
    large = Picture("x", "x", "", b"<svg>" + b" " * 2_000_000, b"\x89PNG")
    assert "data:image/png;base64,iVBORw==" in html_of(page_with(large))
    assert "image/svg" not in html_of(page_with(large))


def test_many_problems_are_listed_and_the_rest_folded_away() -> None:
    problems = tuple(Problem("warning", f"heater {k}", "odd") for k in range(40))
    whole = html_of(page_with(problems=problems))
    assert "40 warnings" in whole
    assert whole.index("heater 24<") < whole.index("15 more") < whole.index("heater 25<")


def test_the_verdict_is_that_of_the_worst() -> None:
    fault, warning, note = (Problem(word, "x", "y") for word in ("fault", "warning", "note"))
    assert 'verdict fault">1 fault and 1 warning<' in html_of(page_with(problems=(fault, warning, note)))
    assert 'verdict warning">1 warning<' in html_of(page_with(problems=(warning, note)))
    assert 'verdict well">nothing is out of family<' in html_of(page_with(problems=(note,)))


def test_numbers_are_aligned_to_the_right() -> None:
    whole = html_of(page_with(Table(("name", "value"), (("a", "1.5 ± 0.1"), ("b", "-3"), ("c", "")))))
    assert '<td class="n">1.5 ± 0.1</td>' in whole
    assert "<td>a</td>" in whole


def test_a_slug_may_stand_in_links_and_file_names() -> None:
    assert slug("Layer 1: Phases, splitters") == "layer-1-phases-splitters"
    assert slug("../..") == "untitled"


def test_a_page_is_made_without_matplotlib() -> None:
    code = "import sys, ffzero_lab.figures.page, ffzero_lab.cli, calibration.report; print('matplotlib' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"
