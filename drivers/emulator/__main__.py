"""``python -m drivers.emulator SPEC``: serve a specification (TOML or JSON) until told to end."""

import argparse
import json
import os
import signal
import sys
import tomllib
from pathlib import Path
from threading import Event, Thread
from typing import Any

from drivers.emulator.emulation import Emulation, EmulationSpec


def main() -> int:
    """Start the instruments, print one line of JSON that says where they listen, and wait for the end."""
    parser = argparse.ArgumentParser(prog="python -m drivers.emulator", description=main.__doc__)
    parser.add_argument("spec", type=Path, help="specification, .toml or .json")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end with whoever started this")
    arguments = parser.parse_args()
    ended = told_to_end()
    if arguments.until_stdin_closes:
        Thread(target=_wait_for_stdin, args=(ended,), daemon=True).start()
    try:
        emulation = Emulation(_read(arguments.spec))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{arguments.spec}: {error}\n")
        return 2
    with emulation:
        sys.stdout.write(json.dumps(announcement(emulation)) + "\n")
        sys.stdout.flush()
        ended.wait()
    return 0


def told_to_end() -> Event:
    """Return what is set by SIGTERM or SIGINT from now on."""
    ended = Event()

    def end(*_: object) -> None:
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    return ended


def announcement(emulation: Emulation) -> dict[str, Any]:
    """Return where the instruments of a running emulation can be reached, for a program to read."""
    instruments: dict[str, dict[str, Any]] = {
        name: {"resource": resource} for name, resource in emulation.resources.items()
    }
    for name, (host, port) in emulation.addresses.items():
        instruments[name] |= {"host": host, "port": port}
    return {"pid": os.getpid(), "instruments": instruments}


def _read(path: Path) -> EmulationSpec:
    text = path.read_text(encoding="utf-8")
    return EmulationSpec.model_validate(json.loads(text) if path.suffix == ".json" else tomllib.loads(text))


def _wait_for_stdin(ended: Event) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    ended.set()


if __name__ == "__main__":
    sys.exit(main())
