"""Pages that are made from the code say what the code says."""

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_settings_page_is_up_to_date_and_explains_every_key() -> None:
    made = runpy.run_path(str(DOCS / "make_settings.py"))["page"]()
    assert (DOCS / "reference" / "settings.md").read_text() == made, "run python docs/make_settings.py"
    assert "|  |" not in made


def test_the_page_of_bench_files_is_up_to_date_and_explains_every_key() -> None:
    made = runpy.run_path(str(DOCS / "make_bench_file.py"))["page"]()
    assert (DOCS / "reference" / "bench-file.md").read_text() == made, "run python docs/make_bench_file.py"
    assert "|  |" not in made


def test_the_page_of_protocols_is_up_to_date_and_explains_every_key() -> None:
    made = runpy.run_path(str(DOCS / "make_protocols.py"))["page"]()
    assert (DOCS / "reference" / "protocols.md").read_text() == made, "run python docs/make_protocols.py"
    assert "| – |\n" not in made


def test_links_between_pages_lead_somewhere() -> None:
    root = DOCS.parent
    for page in [root / "README.md", *DOCS.rglob("*.md")]:
        for target in [part.split(")")[0] for part in page.read_text().split("](")[1:]]:
            if not target.startswith("http"):
                assert (page.parent / target.partition("#")[0]).exists(), f"{page.name} links to {target}"
