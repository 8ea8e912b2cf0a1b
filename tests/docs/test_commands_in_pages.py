"""Every command that a page names exists, with the options that the page gives it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from ffzero_lab.cli import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
TYPED = re.compile(r"ffzero-lab ((?:[^`\n#|]|\\\n)+)")
SCRIPT = re.compile(r"python ((?:benchmarks|docs)/\w+\.py)")


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield where, and the words that follow `ffzero-lab` in code."""
    for page in PAGES:
        for code in re.findall(r"```(?:sh|text)\n(.*?)```|(`[^`]+`)", page.read_text(), re.DOTALL):
            for line in TYPED.findall("".join(code)):
                yield f"{page.name}: ffzero-lab {line}", line.split()


def mistake(words: list[str]) -> str | None:
    """Return what the command line does not know of these words."""
    command: Any = get_command(app)
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        if words[0] not in command.commands:
            return f"no command {words[0]!r}"
        command, words = command.commands[words[0]], words[1:]
    known = {name for option in command.params for name in option.opts} | {"--help"}
    unknown = [word for word in words if word.startswith("--") and word.partition("=")[0].rstrip(".,;)") not in known]
    return f"no option {unknown[0]}" if unknown else None


def test_every_command_of_the_pages_exists_with_its_options() -> None:
    found = {where: mistake(words) for where, words in commands() if words and words[0].isalpha()}
    assert len(found) > 100
    assert {where: told for where, told in found.items() if told is not None} == {}


def test_an_unknown_command_or_option_would_be_found() -> None:
    assert mistake(["trian"]) == "no command 'trian'"
    assert mistake(["runs", "list", "--folder", "x"]) == "no option --folder"


def test_every_script_of_the_pages_exists() -> None:
    for page in PAGES:
        for script in SCRIPT.findall(page.read_text()):
            assert (ROOT / script).is_file(), f"{page.name} names {script}"
