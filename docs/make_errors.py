"""Writes docs/reference/errors.md from the errors themselves: ``python docs/make_errors.py``."""

import inspect
from collections.abc import Iterable, Iterator
from contextlib import redirect_stderr
from importlib import import_module
from io import StringIO
from pathlib import Path

import typer

from ffzero_lab.cli.outcome import outcome
from ffzero_lab.device import errors
from ffzero_lab.device.errors import DeviceError
from ffzero_lab.errors import InputError, RunFailed
from ffzero_lab.signals import Interruption

PAGE = Path(__file__).parent / "reference" / "errors.md"
HEAD = """# Errors

What a message means, what happened to the outputs of the bench, and what to do. The name of an error is its `kind` with
`--json`. This page is made by `python docs/make_errors.py`.

Every message names the device or the file, the channel or the key, the value with its unit, and what is allowed. Where
a run or a calibration was under way, the last line is the command that goes on with it. A problem that ends nothing (a
saturated output, another firmware, a record with old values) is no error: it is told on the way, and stands in
`summary.json` under `problems`.

What the computer itself refuses (a full disk, a file that may not be read) has the name that Python gives it, such as
`OSError` or `PermissionError`, and exit code 1; the device is parked. A traceback is a mistake in the program; the
device is parked all the same.
"""
KINDS_HEAD = """
## Kinds that say more

Drivers and the engine raise these in place of the error in the second column, and what stands there holds for them too.

"""
WITH_ERRORS_OF_THEIR_OWN = (
    "drivers.board",
    "drivers.links",
    "drivers.qontrol",
    "drivers.scpi",
    "ffzero_lab.bench_lock",
    "ffzero_lab.runs",
)
ENDS_OF_RUNS = (DeviceError, InputError, RunFailed, Interruption)
OUTPUTS, REMEDY = "Outputs:", "Remedy:"


def page() -> str:
    """Return the whole page."""
    for module in WITH_ERRORS_OF_THEIR_OWN:
        import_module(module)
    kinds = [kind for base in ENDS_OF_RUNS for kind in _family(base)]
    told = [kind for kind in kinds if REMEDY in (kind.__doc__ or "")]
    rows = [[f"[`{kind.__name__}`](#{kind.__name__.lower()})", _code(kind), _parts(kind)[0]] for kind in told]
    text = HEAD + "\n" + _table(["error", "exit code", "what it means"], rows)
    text += "".join(_section(kind) for kind in told)
    more = [[f"`{kind.__name__}`", _nearest(kind, told), _parts(kind)[0]] for kind in kinds if kind not in told]
    return text + KINDS_HEAD + _table(["kind", "is a", "what it means"], more)


def _family(base: type[BaseException]) -> Iterator[type[BaseException]]:
    """Yield *base* and what derives from it in the four packages, each once."""
    found: dict[type[BaseException], None] = {}
    waiting = [base]
    while waiting:
        kind = waiting.pop(0)
        if kind.__module__.partition(".")[0] in {"ffzero_lab", "drivers", "calibration", "protocols"}:
            found[kind] = None
        waiting += sorted(kind.__subclasses__(), key=_place)
    yield from found


def _place(kind: type[BaseException]) -> tuple[int, str]:
    """Order the errors of the device port as they stand there, then all others by name, whatever was imported first."""
    of_the_port = list(vars(errors))
    return (of_the_port.index(kind.__name__) if kind.__module__ == errors.__name__ else len(of_the_port)), kind.__name__


def _section(kind: type[BaseException]) -> str:
    meaning, outputs, remedy = _parts(kind)
    said = f"{meaning} Exit code {_code(kind)}."
    return f"\n## `{kind.__name__}`\n\n{said}\n\n- *Outputs*: {outputs}\n- *What to do*: {remedy}\n"


def _parts(kind: type[BaseException]) -> tuple[str, str, str]:
    """Return what the docstring says: the meaning, what happened to the outputs, what to do."""
    paragraphs = [" ".join(part.split()).replace("``", "`") for part in (inspect.getdoc(kind) or "").split("\n\n")]
    outputs, remedy = (
        next((part.removeprefix(head).strip() for part in paragraphs if part.startswith(head)), "")
        for head in (OUTPUTS, REMEDY)
    )
    return paragraphs[0], outputs, remedy


def _code(kind: type[BaseException]) -> str:
    """Return the exit code with which a command really ends."""
    if issubclass(kind, Interruption):
        return "128 + signal"
    error = kind.__new__(kind, "raised to see the exit code")
    with redirect_stderr(StringIO()):
        try:
            with outcome(as_json=False):
                raise error
        except typer.Exit as end:
            return str(int(end.exit_code))
    raise AssertionError(f"{kind.__name__} was swallowed")


def _nearest(kind: type[BaseException], told: list[type[BaseException]]) -> str:
    nearest = next(base for base in kind.__mro__ if base in told)
    return f"[`{nearest.__name__}`](#{nearest.__name__.lower()})"


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
