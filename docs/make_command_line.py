"""Writes docs/reference/command-line.md from the commands themselves: ``python docs/make_command_line.py``."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

from typer.main import get_command

from ffzero_lab.cli import app
from ffzero_lab.cli.outcome import Exit

PAGE = Path(__file__).parent / "reference" / "command-line.md"
HEAD = """# Command line

Every command, argument and option of `ffzero-lab`, as `--help` tells them. This page is made by
`python docs/make_command_line.py`.

Bad input is answered with one message: what is wrong, where, and which values are allowed. With `--json` standard
output holds one JSON document and nothing else, also when a command fails (`error`, with `kind`, `message`, `notes`
and `exit_code`); `kind` is one of the [errors](errors.md).
"""
ENDS = {
    Exit.DONE: "Done as asked.",
    Exit.FAILED: "Failed: a full disk, a goal that was not reached, records that do not agree, a point of a sweep.",
    Exit.BAD_INPUT: "Bad input: a file, an option or a calibration record that cannot be used.",
    Exit.DEVICE_FAULT: "A device fault; the device was parked.",
    Exit.LIMIT: "A limit or an interlock; the device was parked.",
    Exit.INTERRUPTED: "Interrupted and parked; 128 plus the number of the signal: SIGTERM 143, SIGHUP 129.",
}
VARIABLES = """
## Environment

| variable | what it does |
|---|---|
| `FFZERO_DATA` | folder of data sets, in place of `--data-dir` |
| `FFZERO_LOCK_DIR` | folder of locks, in place of `/var/tmp/ffzero-lab-locks`; the same for all who share a bench |
| `OPENBLAS_NUM_THREADS`, `OMP_NUM_THREADS`, `MKL_NUM_THREADS` | threads of the linear algebra; 1 unless set |
"""


def page() -> str:
    """Return the whole page."""
    commands = list(_commands(get_command(app), ("ffzero-lab",)))
    overview = [[f"[`{' '.join(path)}`](#{'-'.join(path)})", _text(command.help)] for path, command in commands]
    text = HEAD + "\n" + _table(["command", "what it does"], overview)
    text += "\n## Exit codes\n\n" + _table(["code", "meaning"], [[f"{code:d}", ENDS[code]] for code in Exit])
    return text + VARIABLES + "".join(_section(path, command) for path, command in commands)


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command that does something, with the words that call it."""
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, inner in command.commands.items():
        yield from _commands(inner, (*path, name))


def _section(path: tuple[str, ...], command: Any) -> str:
    words = " ".join(path)
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option" and each.name != "help"]
    call = " ".join([words, *(_of_call(each) for each in arguments), *(["[OPTIONS]"] if options else [])])
    text = f"\n## `{words}`\n\n{_text(command.help)}\n\n```text\n{call}\n```\n"
    if arguments:
        rows = [[f"`{_metavar(each)}`", _text(each.help)] for each in arguments]
        text += "\n" + _table(["argument", "meaning"], rows)
    if options:
        kinds = get_type_hints(command.callback)
        rows = [[f"`{_written(each, kinds[each.name])}`", _default(each), _text(each.help)] for each in options]
        text += "\n" + _table(["option", "default", "meaning"], rows)
    return text


def _of_call(argument: Any) -> str:
    return _metavar(argument) if argument.required else f"[{_metavar(argument)}]"


def _metavar(argument: Any) -> str:
    return argument.metavar or argument.name.rstrip("_").upper()


def _written(option: Any, kind: Any) -> str:
    names = ", ".join(option.opts)
    return names if option.is_flag else f"{names} {option.metavar or _kind(kind)}"


def _kind(kind: Any) -> str:
    kinds = {kind, *get_args(kind)}
    return "PATH" if Path in kinds else "NUMBER" if kinds & {int, float} else "VALUE"


def _default(option: Any) -> str:
    if option.is_flag:
        return "–"
    if isinstance(option.show_default, str):
        return option.show_default
    return "–" if option.default is None else f"`{option.default}`"


def _text(said: str | None) -> str:
    """Return help without the marks of typer's own markup."""
    return re.sub(r"\s+", " ", (said or "").replace("\\[", "[")).strip()


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
