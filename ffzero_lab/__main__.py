"""``python -m ffzero_lab`` and the command ``ffzero-lab``: hears signals before anything else is loaded."""

import contextlib
import os
import sys

from ffzero_lab.signals import Interruption, Signals


def main() -> None:
    """Run the command line; a signal ends any command with 128 + its number, and parks what the command opened."""
    _open_what_is_closed()
    with Signals(last=True):
        try:
            from ffzero_lab.cli import main as command_line

            command_line()
        except Interruption as error:
            with contextlib.suppress(OSError):
                print(f"ffzero-lab: {error}", file=sys.stderr)  # noqa: T201
            sys.exit(error.exit_code)
        finally:
            _give_up_what_cannot_be_shown()


def _open_what_is_closed() -> None:
    """Let what is said go nowhere where a stream was closed for us (``>&-``): a file of a run would get its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):  # in their order: each takes its own number
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - to the very end


def _give_up_what_cannot_be_shown() -> None:
    """Flush what was said; where nobody is there any more, drop it: Python would end with 120 in place of our code."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    main()
