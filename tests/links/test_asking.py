"""Asking whoever is at an address who it is: emulated instruments over TCP, a serial line, and nobody."""

import math
import os
import pty
import socket
import threading
import time
import tty
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from drivers.emulator import Emulation, EmulationSpec, Fault, FaultPlan, PowerMeterSpec, VoltageSourceSpec
from drivers.links import ConnectionLost, ExchangeTimeout, LinkFault, ReplyRefused, identify
from ffzero_lab.cli import app

PATIENT_S = 60.0
TWIN = {"ports": 8, "layers": 1, "preset": "ideal", "drive": "volts", "kernel": "numpy"}


def serve(*faults: Fault) -> Emulation:
    instruments = (PowerMeterSpec(name="meter"), VoltageSourceSpec(name="heaters", channels=8))
    return Emulation(EmulationSpec(options=TWIN, instruments=instruments, faults=FaultPlan(faults=faults)))


def resource(emulation: Emulation, name: str = "meter") -> str:
    host, port = emulation.addresses[name]
    return f"TCPIP::{host}::{port}::SOCKET"


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address where nobody listens, nor anybody else begins to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"TCPIP::127.0.0.1::{taken.getsockname()[1]}::SOCKET"


def command(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["devices", "identify", *map(str, arguments)])


def test_an_instrument_says_who_it_is() -> None:
    with serve() as emulation:
        assert identify(resource(emulation), PATIENT_S) == "Keysight Technologies,N7745C,EMU-1,V1.00"
        told = command(resource(emulation, "heaters"))
    assert (told.exit_code, told.stdout) == (0, f"{resource(emulation, 'heaters')}: FFzero,VSOURCE-8,EMU-1,1.0\n")


@pytest.mark.parametrize(
    ("kind", "fault"),
    [("drop", ExchangeTimeout), ("dribble", ExchangeTimeout), ("garbage", ReplyRefused), ("close", ConnectionLost)],
)
def test_who_does_not_answer_is_told_within_the_time(
    kind: Any, fault: type[LinkFault], within: Callable[[float, Callable[[], float]], None]
) -> None:
    with serve(Fault(instrument="meter", kind=kind, exchange=1, delay_s=3.0, lasts=100)) as emulation:

        def asked() -> float:
            began_s = time.monotonic()
            with pytest.raises(LinkFault, match=r"TCPIP::127.0.0.1::\d+::SOCKET: .*") as told:
                identify(resource(emulation), 0.3)
            if not (isinstance(told.value, fault) and "IDN" in str(told.value)):
                return math.inf  # the computer stood still, and the time was over before
            return time.monotonic() - began_s

        within(0.4, asked)


def test_where_nobody_listens_one_message_says_so(nobody: str) -> None:
    told = command(nobody, "--wait", 60)
    assert told.exit_code == 3
    assert told.stderr.startswith(f"ffzero-lab: {nobody}: no connection: ")
    assert "is the instrument on, and the address right?" in told.stderr
    assert len(told.stderr.splitlines()) == 1


@pytest.mark.parametrize("address", ["/dev/no-such-port", "ASRL/dev/no-such-port::INSTR", "TCPIP::nonsense", "meter"])
def test_an_address_that_leads_nowhere_is_one_message(address: str) -> None:
    told = command(address, "--wait", 60)
    assert (told.exit_code, len(told.stderr.splitlines())) == (3, 1)
    assert told.stderr.startswith(f"ffzero-lab: {address.removeprefix('ASRL').removesuffix('::INSTR')}: no connection")


@pytest.mark.parametrize("wait", ["0", "-1", "nan", "inf"])
def test_a_time_that_is_none_is_refused(wait: str, nobody: str) -> None:
    told = command(nobody, f"--wait={wait}")
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
    thread.join()
    os.close(master)


@pytest.mark.parametrize("form", ["{}", "ASRL{}::INSTR"])
def test_a_serial_port_is_asked_too(serial_port: str, form: str) -> None:
    assert identify(form.format(serial_port), PATIENT_S) == "Acme,RACK,7,1.0"
