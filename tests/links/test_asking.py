"""Asking whoever is at an address who it is: emulated instruments over TCP, a serial line, and nobody."""

import os
import pty
import socket
import threading
import time
import tty
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from drivers.emulator import Emulation, EmulationSpec, Fault, FaultPlan, PowerMeterSpec, VoltageSourceSpec
from drivers.links import ConnectionLost, ExchangeTimeout, LinkFault, ReplyRefused, identify
from ffzero_lab.cli import app

TWIN = {"ports": 8, "layers": 1, "preset": "ideal", "drive": "volts", "kernel": "numpy"}


def serve(*faults: Fault) -> Emulation:
    instruments = (PowerMeterSpec(name="meter"), VoltageSourceSpec(name="heaters", channels=8))
    return Emulation(EmulationSpec(options=TWIN, instruments=instruments, faults=FaultPlan(faults=faults)))


def resource(emulation: Emulation, name: str = "meter") -> str:
    host, port = emulation.addresses[name]
    return f"TCPIP::{host}::{port}::SOCKET"


def nobody() -> str:
    """An address where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"TCPIP::127.0.0.1::{free.getsockname()[1]}::SOCKET"


def command(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["devices", "identify", *map(str, arguments)])


def test_an_instrument_says_who_it_is() -> None:
    with serve() as emulation:
        assert identify(resource(emulation), 2.0) == "Keysight Technologies,N7745C,EMU-1,V1.00"
        told = command(resource(emulation, "heaters"))
    assert (told.exit_code, told.stdout) == (0, f"{resource(emulation, 'heaters')}: FFzero,VSOURCE-8,EMU-1,1.0\n")


@pytest.mark.parametrize(
    ("kind", "fault"),
    [("drop", ExchangeTimeout), ("dribble", ExchangeTimeout), ("garbage", ReplyRefused), ("close", ConnectionLost)],
)
def test_who_does_not_answer_is_told_within_the_time(kind: Any, fault: type[LinkFault]) -> None:
    with serve(Fault(instrument="meter", kind=kind, exchange=1, delay_s=3.0)) as emulation:
        began_s = time.monotonic()
        with pytest.raises(fault, match=r"TCPIP::127.0.0.1::\d+::SOCKET: .*IDN"):
            identify(resource(emulation), 0.3)
        assert time.monotonic() - began_s < 0.4


def test_where_nobody_listens_one_message_says_so() -> None:
    address = nobody()
    told = command(address, "--wait", 1)
    assert told.exit_code == 3
    assert told.stderr.startswith(f"ffzero-lab: {address}: no connection: ")
    assert "is the instrument on, and the address right?" in told.stderr
    assert len(told.stderr.splitlines()) == 1


@pytest.mark.parametrize("address", ["/dev/no-such-port", "ASRL/dev/no-such-port::INSTR", "TCPIP::nonsense", "meter"])
def test_an_address_that_leads_nowhere_is_one_message(address: str) -> None:
    told = command(address, "--wait", 1)
    assert (told.exit_code, len(told.stderr.splitlines())) == (3, 1)
    assert told.stderr.startswith(f"ffzero-lab: {address.removeprefix('ASRL').removesuffix('::INSTR')}: no connection")


@pytest.mark.parametrize("wait", ["0", "-1", "nan", "inf"])
def test_a_time_that_is_none_is_refused(wait: str) -> None:
    told = command(nobody(), f"--wait={wait}")
    assert (told.exit_code, told.stderr.startswith("ffzero-lab: --wait is ")) == (2, True)


@pytest.fixture
def serial_port() -> Iterator[str]:
    """A rack at a pseudo-terminal that knows its name."""
    master, slave = pty.openpty()
    tty.setraw(master)
    tty.setraw(slave)

    def answer() -> None:
        asked = b""
        while True:
            try:
                asked += os.read(master, 4096)
            except OSError:
                return
            if asked.endswith(b"*IDN?\n"):
                asked = b""
                os.write(master, b"Acme,RACK,7,1.0\r\n")

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    yield os.ttyname(slave)
    os.close(slave)  # the reader's end is then over
    thread.join(5.0)
    os.close(master)


@pytest.mark.parametrize("form", ["{}", "ASRL{}::INSTR"])
def test_a_serial_port_is_asked_too(serial_port: str, form: str) -> None:
    assert identify(form.format(serial_port), 2.0) == "Acme,RACK,7,1.0"
