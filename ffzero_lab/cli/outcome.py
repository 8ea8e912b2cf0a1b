"""How a command ends: exit codes, one readable message, and nothing but JSON with ``--json``."""

import contextlib
import json
import shutil
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

import typer

from ffzero_lab.cli.layout import wrapped
from ffzero_lab.device.errors import CalibrationMissing, DeviceError, InterlockTripped, LimitViolation
from ffzero_lab.errors import InputError, RunFailed
from ffzero_lab.signals import Interruption


class Exit(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    FAILED = 1
    BAD_INPUT = 2
    DEVICE_FAULT = 3
    LIMIT = 4
    INTERRUPTED = 130


@contextmanager
def outcome(*, as_json: bool) -> Generator[None]:
    """Turn the errors that a person can act on into one message and the right exit code; others are bugs."""
    try:
        yield
    except (InputError, CalibrationMissing) as error:
        _end(Exit.BAD_INPUT, error, as_json)
    except (LimitViolation, InterlockTripped) as error:
        _end(Exit.LIMIT, error, as_json)
    except DeviceError as error:
        _end(Exit.DEVICE_FAULT, error, as_json)
    except (OSError, RunFailed) as error:
        _end(Exit.FAILED, error, as_json)
    except Interruption as error:
        _end(error.exit_code, error, as_json)
    except KeyboardInterrupt as error:
        _end(Exit.INTERRUPTED, error, as_json)


def print_json(content: Mapping[str, Any]) -> None:
    """Print one JSON document on standard output."""
    unicode = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf")
    typer.echo(json.dumps(content, indent=2, allow_nan=False, ensure_ascii=not unicode))


def _is_printed(content: Mapping[str, Any]) -> bool:
    """Print a document; returns whether it was taken, which a full disk does not do."""
    try:
        print_json(content)
    except OSError:
        return False
    return True


def _laid_out(told: list[str]) -> list[str]:
    """Wrap what is told between words on a terminal; commands stay whole, to be copied."""
    if not sys.stderr.isatty():
        return told
    width = shutil.get_terminal_size().columns
    lines = [line for each in told for line in each.splitlines()]
    return [line if line.startswith("ffzero-lab ") else wrapped(line, width) for line in lines]


def _end(code: int, error: BaseException, as_json: bool) -> None:
    message = str(error) or "interrupted"
    notes = [str(note) for note in getattr(error, "__notes__", [])]
    # Output may be gone with the terminal, which is what SIGHUP tells: the exit code still says how it ended.
    told = {"kind": type(error).__name__, "message": message, "notes": notes, "exit_code": int(code)}
    if not (as_json and _is_printed({"error": told})):
        with contextlib.suppress(OSError):
            typer.echo("\n".join(_laid_out([f"ffzero-lab: {message}", *notes])), err=True)
    raise typer.Exit(code) from None
