"""``python -m ffzero_lab`` and the command ``ffzero-lab``: hears signals before anything else is loaded."""

import sys

from ffzero_lab.signals import Interruption, Signals


def main() -> None:
    """Run the command line; a signal ends any command with 128 + its number, and parks what the command opened."""
    with Signals(last=True):
        try:
            from ffzero_lab.cli import main as command_line

            command_line()
        except Interruption as error:
            print(f"ffzero-lab: {error}", file=sys.stderr)  # noqa: T201
            sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
