"""An emulated bench of four ports, its instruments alone, and clients on raw sockets."""

import socket
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from drivers.emulator import (
    Emulation,
    EmulationSpec,
    Fault,
    FaultPlan,
    ModulatorSpec,
    PowerMeterSpec,
    VoltageSourceSpec,
)

PORTS = 4
TWIN = {"ports": PORTS, "layers": 1, "preset": "ideal", "drive": "volts", "kernel": "numpy"}


class Client:
    """A raw socket; every reply is asked for with a deadline that no sound test meets."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=60.0)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self.socket.makefile("rb")

    def write(self, message: str | bytes) -> None:
        self.socket.sendall((message.encode() if isinstance(message, str) else message) + b"\n")

    def line(self) -> bytes:
        """The next line; empty when the other end closed the connection."""
        return self._stream.readline()

    def ask(self, message: str) -> str:
        self.write(message)
        return self.line().decode().removesuffix("\n")

    def ask_block(self, message: str) -> bytes:
        self.write(message)
        mark, digits = self._stream.read(2)
        assert mark == ord("#")
        payload = self._stream.read(int(self._stream.read(digits - ord("0"))))
        assert self._stream.read(1) == b"\n"
        return payload

    def close(self) -> None:
        self._stream.close()
        self.socket.close()


class Bench:
    """A running emulation and the clients that a test opens."""

    def __init__(self, spec: EmulationSpec, stack: ExitStack) -> None:
        self.spec = spec
        self.emulation = stack.enter_context(Emulation(spec))
        self._stack = stack

    def client(self, instrument: str) -> Client:
        client = Client(self.emulation.addresses[instrument])
        self._stack.callback(client.close)
        return client


def specification(*faults: Fault, witness: Path | None = None, seed: int = 0, **twin: object) -> EmulationSpec:
    return EmulationSpec(
        options={**TWIN, **twin},
        instruments=(
            VoltageSourceSpec(name="heaters", channels=PORTS**2),
            ModulatorSpec(name="modulators", channels=PORTS, memory=8),
            PowerMeterSpec(name="meter", model="N7744C", unit="W"),
        ),
        faults=FaultPlan(seed=seed, faults=faults),
        witness=witness,
    )


@pytest.fixture
def specify() -> Callable[..., EmulationSpec]:
    return specification


@pytest.fixture
def serve() -> Generator[Callable[[EmulationSpec], Bench]]:
    """Start emulations that end with the test."""
    with ExitStack() as stack:
        yield lambda spec: Bench(spec, stack)


@pytest.fixture
def bench(serve: Callable[..., Bench], tmp_path: Path) -> Callable[..., Bench]:
    """Start the bench of four ports with these faults and twin options; its witness writes to ``witness.jsonl``."""

    def start(*faults: Fault, **options: Any) -> Bench:
        return serve(specification(*faults, witness=tmp_path / "witness.jsonl", **options))

    return start
