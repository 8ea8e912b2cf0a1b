"""A bench whose every setpoint is seen by another process, for tests and campaigns of safe operation.

``--device recorded_bench:RecordedBench --set device.witness=SOCKET`` with this folder on the Python path. It behaves
like hardware: one process at a time, real time, no snapshot, latencies of milliseconds. The :class:`Witness` at the
other end of the socket stamps what arrives with the system's monotonic time and knows which outputs are on. A file of
faults makes the bench slow, hang or fail while it runs. :class:`Table` starts the command line on such a bench.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from drivers.twin.photonic import PhotonicConfig, PhotonicTwin
from drivers.twin.photonic.config import Activation
from ffzero_lab.device import Device, HealthChannel, LinkLost, Timing, VirtualClock, WallClock

FOREVER_S = 3600.0
HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SHORT_DEADLINES = """
import functools
import ffzero_lab.cli.train as train
import ffzero_lab.opening as opening
opening.Walking = functools.partial(opening.Walking, park_deadline_s=0.4)
train.interlocks_on = functools.partial(train.interlocks_on, interval_s=0.02, stale_s=0.3)
from ffzero_lab.__main__ import main
main()
"""


class RecordedConfig(BaseModel):
    """Options of the bench."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    witness: Path
    """Unix socket of the witness."""
    serial: str = "R-1"
    faults: Path | None = None
    """JSON file of faults, looked at on every call: ``{"park": "hang", "exchange_s": 0.5, "health": "raise"}``."""
    ports: int = 8
    layers: int = 2
    topology: str = "reinjected"
    write_s: float = 2e-3
    read_s: float = 1e-3
    park_s: float = 2e-3


class RecordedBench(Device):
    """A small mesh of the photonic twin behind a link that somebody listens to."""

    Config: ClassVar[type[RecordedConfig]] = RecordedConfig

    def __init__(self, config: RecordedConfig) -> None:
        self._config = config
        twin = PhotonicConfig(
            ports=config.ports,
            layers=config.layers,
            kernel="numpy",
            topology=config.topology,
            activation=Activation(bias_rad=0.0),  # lets the light of few patterns through
        )
        self._twin = PhotonicTwin(twin, VirtualClock())
        self.clock = WallClock()
        self.description = self._twin.description.model_copy(
            update={
                "name": "recorded",
                "serial_number": config.serial,
                "timing": Timing(write_s=config.write_s, shot_s=1e-6),
                "health": (HealthChannel(name="temperature", unit="°C", upper=80.0),),
            }
        )
        self._link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._link.connect(str(config.witness))
        self._tell("open")

    @staticmethod
    def bench_name(config: RecordedConfig) -> str:
        """Name the hardware."""
        return f"recorded {config.serial}"

    @classmethod
    def open(cls, config: RecordedConfig, clock=None) -> "RecordedBench":
        """Connect to the witness."""
        return cls(config)

    def load_inputs(self, layer, patterns) -> None:
        """Stage patterns."""
        self._twin.load_inputs(layer, patterns)

    def write_parameters(self, layer, values) -> None:
        """Tell the witness, then wait until settled."""
        self._tell("write", layer=layer, on=np.packbits(values > 0.0).tobytes().hex())
        self._twin.write_parameters(layer, values)
        time.sleep(self._config.write_s)

    def read_outputs(self, layer, rows):
        """Read, as slowly as told."""
        self._tell("exchange")
        time.sleep(self._fault("exchange_s", self._config.read_s))
        outputs = self._twin.read_outputs(layer, rows)
        fault = self._fault("exchange", "")
        if fault == "bug":
            raise ZeroDivisionError("recorded: a mistake in the driver")
        if fault == "fail":
            raise LinkLost("recorded: the connection broke; check the cable")
        self._tell("exchanged")
        return outputs

    def read_parameters(self, layer):
        """Return the setpoints."""
        return self._twin.read_parameters(layer)

    def read_health(self):
        """Return the temperature, or what was told instead."""
        fault = self._fault("health", "")
        if fault == "hang":
            time.sleep(FOREVER_S)
        if fault == "raise":
            raise LinkLost("recorded: the thermometer does not answer")
        if fault == "missing":
            return {}
        return {"temperature": 95.0 if fault == "hot" else 30.0}

    def park(self) -> None:
        """Switch everything off, as slowly as told, or not at all."""
        self._tell("parking")
        how = self._fault("park", "")
        time.sleep(FOREVER_S if how == "hang" else self._fault("park_s", self._config.park_s))
        if how == "fail":
            raise LinkLost("recorded: no answer to park")
        self._twin.park()
        self._tell("parked")

    def close(self) -> None:
        """Park and let go."""
        if self._link.fileno() >= 0:
            self.park()
            self._link.close()

    def _fault(self, name, otherwise):
        try:
            return json.loads(self._config.faults.read_bytes()).get(name, otherwise)
        except (AttributeError, OSError, ValueError):
            return otherwise

    def _tell(self, what, **more) -> None:
        if self._link.fileno() >= 0:
            self._link.sendall(json.dumps({"pid": os.getpid(), "what": what, **more}).encode() + b"\n")


@dataclass(frozen=True)
class Seen:
    """One message of the bench, and how many outputs were on after it."""

    at_s: float
    pid: int
    what: str
    on: int
    layer: int | None = None


class Witness:
    """Listens to benches of other processes; one set of outputs, as on one table."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen: list[Seen] = []
        self._outputs: dict[int, int] = {}
        self._lock = threading.Lock()
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(str(path))
        self._server.listen()
        threading.Thread(target=self._accept, name="witness", daemon=True).start()

    @property
    def layers(self) -> list[int]:
        """Return the layers that were written, in order."""
        return [seen.layer for seen in list(self.seen) if seen.layer is not None]

    @property
    def on(self) -> int:
        """How many outputs are on now."""
        with self._lock:
            return sum(self._outputs.values())

    def whats(self, *kinds: str) -> list[str]:
        """Return what was seen so far, in order, of these kinds or of all."""
        return [seen.what for seen in list(self.seen) if not kinds or seen.what in kinds]

    def wait_for(self, what: str, *, count: int = 1, timeout_s: float = 20.0) -> None:
        """Return when *what* was seen so many times."""
        deadline = time.monotonic() + timeout_s
        while self.whats().count(what) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the witness saw no {count} {what}, only {self.whats()[-20:]}")
            time.sleep(0.002)

    def off_after(self, since_s: float) -> float:
        """Return the seconds from *since_s* until everything was off for good; 0 when nothing was on then or later."""
        off_s, on = since_s, 0
        for seen in list(self.seen):
            if on > 0 and seen.on == 0:
                off_s = max(off_s, seen.at_s)
            on = seen.on
        return float("inf") if on else off_s - since_s

    def forget(self) -> None:
        """Start anew, with everything off."""
        with self._lock:
            self.seen.clear()
            self._outputs.clear()

    def close(self) -> None:
        """Listen no more."""
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                link, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._listen, args=(link,), daemon=True).start()

    def _listen(self, link: socket.socket) -> None:
        with link, link.makefile("rb") as lines:
            for line in lines:
                at_s, told = time.monotonic(), json.loads(line)
                with self._lock:
                    if told["what"] == "write":
                        self._outputs[told["layer"]] = int(told["on"], 16).bit_count()
                    elif told["what"] == "parked":
                        self._outputs.clear()
                    self.seen.append(
                        Seen(at_s, told["pid"], told["what"], sum(self._outputs.values()), told.get("layer"))
                    )


class Table:
    """A recorded bench on a table: its folder, its witness, and the command line in processes of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[subprocess.Popen] = []
        self.witness = Witness(folder / "witness")
        self.faults = folder / "faults.json"
        rows = [f"{5 if i % 2 else i % 5},{i % 3},{i % 7},{'rose' if i % 2 else 'tulip'}" for i in range(40)]
        (folder / "flowers.csv").write_text("\n".join(["a,b,c,label", *rows]) + "\n")
        self.device = ["recorded_bench:RecordedBench"]
        self.options = ["--set", f"device.witness={self.witness.path}", "--set", f"device.faults={self.faults}"]
        here = Path(__file__).resolve().parent
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(here),
            "FFZERO_LOCK_DIR": str(folder / "locks"),
            "OPENBLAS_NUM_THREADS": "1",
        }

    def fault(self, **faults) -> None:
        """Make the bench faulty from now on; nothing heals it."""
        partial = self.faults.with_suffix(".partial")
        partial.write_text(json.dumps(faults))
        partial.replace(self.faults)

    def train(self, *more: str, steps: int = 40) -> list[str]:
        """Return the arguments of a run of about ``17 ms · steps``."""
        dataset = ["--dataset", f"csv:{self.folder / 'flowers.csv'}", "--steps", str(steps), "--batch", "16"]
        return ["train", "--device", *self.device, *self.options, *dataset, "--set", "run.checkpoint_every=0.2", *more]

    def start(self, *arguments: str, script: str | None = None, **how) -> subprocess.Popen:
        """Start a command; *script* is run instead of the plain command line."""
        run = ["-m", "ffzero_lab"] if script is None else ["-c", script]
        given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **how}
        self._started.append(
            process := subprocess.Popen(
                [sys.executable, *run, *arguments],
                cwd=self.folder,
                env=self.environment,
                preexec_fn=_hear_signals,
                **given,
            )
        )
        return process

    def run(self, *arguments: str, script: str | None = None) -> tuple[int, str, str]:
        """Return exit code, standard output and standard error of a command."""
        process = self.start(*arguments, script=script)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def started(self, *more: str, steps: int = 2000, readings: int = 20, script: str | None = None) -> subprocess.Popen:
        """Start a run, and return when the bench was read so many times."""
        process = self.start(*self.train(*more, steps=steps), script=script)
        self.witness.wait_for("exchanged", count=readings)
        return process

    def close(self) -> None:
        """End what was started and still runs."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.communicate()
        self.witness.close()

    @property
    def runs(self) -> list[Path]:
        """The run folders, oldest first."""
        return sorted(manifest.parent for manifest in self.folder.glob("runs/*/manifest.json"))


def _hear_signals() -> None:
    for number in HANDLED:  # a job in the background of a shell may have been started with SIGINT ignored
        signal.signal(number, signal.SIG_DFL)
