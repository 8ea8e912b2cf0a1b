"""An emulation in a process of its own: nothing but its sockets and its witness leads to it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from drivers.emulator.emulation import EmulationSpec

PACKAGES = Path(__file__).parents[2]
END_S = 5.0
"""Time within which the process must end when asked to."""


class EmulationProcess:
    """Runs ``python -m drivers.emulator`` for *spec*, written to *folder*, until ``close`` or until this process dies.

    Raises RuntimeError with what the process said when it does not start.
    """

    def __init__(self, spec: EmulationSpec, folder: Path) -> None:
        file = folder / "emulation.json"
        file.write_text(spec.model_dump_json(), encoding="utf-8")
        self._complaints = folder / "emulation.err"
        path = os.pathsep.join(filter(None, [str(PACKAGES), os.environ.get("PYTHONPATH")]))
        with self._complaints.open("w", encoding="utf-8") as complaints:  # a file, since nobody empties a pipe
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-P", "-m", "drivers.emulator", str(file), "--until-stdin-closes"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                env={**os.environ, "PYTHONPATH": path},
                text=True,
            )
        line = "" if self._process.stdout is None else self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the emulation did not start: {self._ended()}")
        instruments = json.loads(line)["instruments"]
        self.addresses: Mapping[str, tuple[str, int]] = {
            name: (one["host"], one["port"]) for name, one in instruments.items() if "host" in one
        }
        self.resources: Mapping[str, str] = {name: one["resource"] for name, one in instruments.items()}

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._ended()

    def close(self) -> str:
        """Ask it to end; returns what it wrote to its standard error: nothing, when all is well."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self._ended()

    def _ended(self) -> str:
        self._process.communicate(timeout=END_S)
        return self._complaints.read_text(encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
