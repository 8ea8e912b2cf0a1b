"""Pages that are made from the code say what the code says."""

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PACKAGES = ("ffzero_lab", "drivers", "calibration", "protocols")


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


def test_the_page_of_commands_is_up_to_date_and_explains_every_option() -> None:
    made = runpy.run_path(str(DOCS / "make_command_line.py"))["page"]()
    assert (DOCS / "reference" / "command-line.md").read_text() == made, "run python docs/make_command_line.py"
    assert "|  |" not in made


def test_the_page_of_errors_is_up_to_date_and_says_what_to_do_about_every_one() -> None:
    made = runpy.run_path(str(DOCS / "make_errors.py"))["page"]()
    assert (DOCS / "reference" / "errors.md").read_text() == made, "run python docs/make_errors.py"
    assert "*: \n" not in made
    for error in errors_of_the_packages():
        assert f"`{error}`" in made


def errors_of_the_packages() -> set[str]:
    """What derives, by the text of the four packages, from an error that a command ends with."""
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if "emulator" not in path.parts]
    bases = {
        name: {word.strip() for word in bases.split(",")}
        for path in files
        for name, bases in re.findall(r"^class (\w+)\(([\w, ]+)\):", path.read_text(), re.MULTILINE)
    }
    found, before = {"DeviceError", "InputError", "RunFailed", "Interruption"}, set[str]()
    while found != before:
        before = set(found)
        found |= {name for name, of in bases.items() if of & found}
    return found


def test_every_page_stands_in_the_list_of_pages() -> None:
    listed = (DOCS / "README.md").read_text()
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS).as_posix()
        assert name.startswith(("decisions/", "README", "index")) or f"]({name})" in listed, f"{name} is not listed"


def test_links_between_pages_lead_somewhere() -> None:
    root = DOCS.parent
    for page in [root / "README.md", *DOCS.rglob("*.md")]:
        text = page.read_text()
        pictures = re.findall(r'<img src="([^"]+)"', text)
        for target in [*pictures, *(part.split(")")[0] for part in text.split("](")[1:])]:
            if not target.startswith("http"):
                assert (page.parent / target.partition("#")[0]).exists(), f"{page.name} links to {target}"


def test_figures_of_the_readme_stand_word_for_word_on_the_page_of_all_and_their_commands_exist() -> None:
    page = (DOCS / "reference" / "measured-figures.md").read_text()
    rows = [row for row in (ROOT / "README.md").read_text().splitlines() if re.match(r"\| .*`python|`OPENBLAS", row)]
    assert len(rows) > 5
    for row in rows:
        assert row.replace("](docs/", "](../") in page, row
    for script in re.findall(r"python (\S+\.py)", page):
        assert (ROOT / script).is_file(), script
