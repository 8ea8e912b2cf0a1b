"""The reference firmware, compiled for this computer, at a pseudo-terminal with a twin behind it."""

import shutil
import signal
import socket
import struct
import subprocess
from pathlib import Path
from threading import RLock, Thread
from typing import Self

import numpy as np

from drivers.board.messages import CASCADED
from drivers.emulator.board_plant import BoardPlant
from ffzero_lab.device import DeviceError

SOURCES = Path(__file__).parents[1] / "board" / "firmware"
FLAGS = ("-std=c++17", "-Wall", "-Wextra", "-Werror", "-Wpedantic", "-Wconversion", "-O1")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
PROGRAMS = {
    "board-host": ("host/main.cpp", "host/plant.cpp", "host/line.cpp"),
    "board-feed": ("host/feed.cpp",),
}
LIBRARIES = ("-lutil",)
END_S = 5.0
_DONE, _FAILED = b"\x01", b"\x00"


def compiler() -> str | None:
    """Return the path of a C++ compiler, None where there is none."""
    return shutil.which("g++") or shutil.which("clang++")


def compiled(program: str, folder: Path, *, sanitized: bool = True) -> Path:
    """Compile *program* into *folder*, unless it is there; raises RuntimeError with what the compiler says."""
    target = folder / (program if sanitized else f"{program}-plain")
    if target.exists():
        return target
    found = compiler()
    if found is None:
        raise RuntimeError("no C++ compiler: install g++ or clang++")
    core = sorted((SOURCES / "core").glob("*.cpp"))
    files = [*map(str, core), *(str(SOURCES / file) for file in PROGRAMS[program])]
    unfinished = target.with_suffix(".unfinished")
    command = [found, *FLAGS, *(SANITIZERS if sanitized else ()), *files, *LIBRARIES, "-o", str(unfinished)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own sources
    if ended.returncode != 0:
        raise RuntimeError(f"{program} does not compile:\n{ended.stderr}")
    unfinished.rename(target)
    return target


class FirmwareBoard:
    """The firmware at a pseudo-terminal of its own, until ``close``.

    Attributes
    ----------
    port
        Path of the line.
    """

    def __init__(self, binary: Path, plant: BoardPlant, lock: RLock, *, baud: int = 0) -> None:
        self._plant = plant
        self._lock = lock
        ours, theirs = socket.socketpair()
        self._bench = ours
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [str(binary), str(theirs.fileno()), str(baud)],
            pass_fds=[theirs.fileno()],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        theirs.close()
        self._thread = Thread(target=self._serve, name="bench of the board", daemon=True)
        self._thread.start()
        self.port = "" if self._process.stdout is None else self._process.stdout.readline().strip()
        if not self.port:
            raise RuntimeError(f"the firmware did not start: {self.close()}")

    def power_cut(self) -> None:
        """Take its power away and give it back."""
        self._process.send_signal(signal.SIGUSR1)

    def close(self) -> str:
        """End it; returns what it said to its standard error: nothing, when all is well."""
        self._bench.shutdown(socket.SHUT_RDWR)
        _, said = self._process.communicate(timeout=END_S)
        self._thread.join()
        self._bench.close()
        return said

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        said = self.close()
        if said:
            raise RuntimeError(f"the firmware complains: {said}")

    def _serve(self) -> None:
        hello = self._plant.hello
        serial = hello.serial_number.encode("ascii")
        cascaded = bool(hello.flags & CASCADED)
        sizes = (len(hello.layers), cascaded, hello.health_channels, 0, hello.gap_ms, hello.watchdog_ms)
        head = struct.pack("<16sBBBBHH", serial, *sizes)
        layers = [
            own.encoded() + limits.encoded() for own, limits in zip(hello.layers, self._plant.limits, strict=True)
        ]
        try:
            self._bench.sendall(head + b"".join(layers))
            while request := self._taken(4):
                what, layer, count = struct.unpack("<cBH", request)
                self._bench.sendall(self._answer(what, layer, count))
        except ConnectionError:
            return  # the firmware has ended

    def _answer(self, what: bytes, layer: int, count: int) -> bytes:
        layers = self._plant.hello.layers
        entrance = layers[0] if self._plant.hello.flags & CASCADED else layers[min(layer, len(layers) - 1)]
        words = {b"W": count, b"M": count * entrance.inputs}.get(what, 0)
        codes = np.frombuffer(self._taken(2 * words), dtype="<u2").astype(np.uint16)
        try:
            with self._lock:
                return _DONE + self._done(what, layer, codes, entrance.inputs)
        except DeviceError:
            return _FAILED

    def _done(self, what: bytes, layer: int, codes: np.ndarray, width: int) -> bytes:
        match what:
            case b"W":
                self._plant.write(layer, codes)
            case b"M":
                return self._plant.measure(layer, codes.reshape(-1, width)).astype("<u2").tobytes()
            case b"R":
                return self._plant.read(layer).astype("<u2").tobytes()
            case b"H":
                return np.array(self._plant.health(), dtype="<i4").tobytes()
            case _:
                self._plant.park()
        return b""

    def _taken(self, n_bytes: int) -> bytes:
        content = b""
        while len(content) < n_bytes:
            part = self._bench.recv(n_bytes - len(content))
            if not part:
                return b""
            content += part
        return content
