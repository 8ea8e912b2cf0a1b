"""The adapters on real sockets and pseudo-terminals; no test waits for a time-out."""

import os
import pty
import socket
import subprocess
import sys
import threading
import time
import tty

import pytest

import drivers.links.visa as visa
from drivers.links import ConnectionLost, Identity, Link, Numbers, Patience, SerialTransport, Text, VisaTransport
from ffzero_lab.device import WallClock

ONE = Numbers(1)
PATIENT = Patience(deadline_s=60.0, connect_s=60.0, attempts=1, quiet_s=0.01)
IDENTITY = Identity(b"*IDN?\n", "Acme,M1,.*")
VALUES = ",".join(f"{channel / 7.0:+.6E}" for channel in range(64)).encode() + b"\n"


def replies(line):
    """Return what the instruments of this file answer to a line."""
    return {b"*IDN?": b"Acme,M1,7,1.0\n", b"READ?": VALUES, b"GET?": b"1\n"}.get(line, b"")


class Server:
    """An instrument on a loopback port; ``CLOSE`` makes it close the connection. Counts the connections."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.resource = f"TCPIP::127.0.0.1::{self.listener.getsockname()[1]}::SOCKET"
        self.connections = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection):
        with connection, connection.makefile("rb") as lines:
            try:
                for line in lines:
                    if line == b"CLOSE\n":
                        return
                    connection.sendall(replies(line.strip()))
            except OSError:
                return

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def rack():
    """A pseudo-terminal with an instrument at its other end; yields the name of the port and the other end."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    ended = threading.Event()

    def answer():
        line = b""
        while not ended.is_set():
            try:
                line += os.read(master, 4096)
            except OSError:
                return
            if line.endswith(b"\n"):
                os.write(master, replies(line.strip()))
                line = b""

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    yield os.ttyname(slave), master, slave
    ended.set()
    os.write(slave, b"x")  # wakes the reader
    thread.join()
    os.close(slave)
    os.close(master)


def link_to(transport):
    return Link(transport, WallClock(), owner="test", identify=IDENTITY, patience=PATIENT)


def test_trap_pyvisa_py_leaves_nagle_on(server):
    with link_to(VisaTransport(server.resource)) as link:
        for _ in range(3):  # also after a reconnect
            connection = visa.raw_socket(link._transport._session)
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
            link.write(b"SET 1\n")
            assert len(link.query(b"READ?\n", Numbers(64))) == 64
            link._tainted = True
            link.query(b"GET?\n", ONE)
    assert server.connections == 4


def test_trap_port_is_closed_but_pyvisa_py_opens_it(server):
    server.close()
    began_s = time.monotonic()
    with pytest.raises(ConnectionLost, match=r"no connection: .*refused; is the instrument on, and the address right"):
        link_to(VisaTransport(server.resource)).open()
    assert time.monotonic() - began_s < 0.5 * PATIENT.connect_s
    server.listener = socket.create_server(("127.0.0.1", 0))


def test_trap_peer_close_makes_pyvisa_py_spin_until_its_timeout(server):
    with link_to(VisaTransport(server.resource)) as link:
        began_s = time.monotonic()
        with pytest.raises(ConnectionLost, match="closed by the other side"):
            link.exchange(b"CLOSE\n", ONE)
        assert time.monotonic() - began_s < 0.5 * PATIENT.deadline_s, "noticed by the deadline only"
        assert link.query(b"GET?\n", ONE) == 1.0
        link.write(b"CLOSE\n")
        while server.connections == 2:
            try:
                link.write(b"SET 1\n")
            except ConnectionLost:
                break
        assert link.query(b"GET?\n", ONE) == 1.0


@pytest.mark.parametrize("resource", ["TCPIP::nonsense", "ASRL/dev/nothing::INSTR", "TCPIP::127.0.0.1::1::SOCKET"])
def test_what_cannot_be_opened_is_a_lost_connection(resource):
    with pytest.raises(ConnectionLost, match="no connection"):
        link_to(VisaTransport(resource)).open()


def test_a_visa_library_that_is_not_there_is_a_lost_connection():
    with pytest.raises(ConnectionLost, match=r"nowhere\.so"):
        link_to(VisaTransport("USB0::1::2::3::INSTR", "/nowhere.so")).open()


def test_a_connection_can_be_closed_in_any_state(server):
    transport = VisaTransport(server.resource)
    transport.close()
    stream = transport.open(1.0)
    transport.close()
    transport.close()
    with pytest.raises(OSError, match="descriptor"):
        stream.send(b"x", 1.0)


def test_a_full_send_buffer_is_reported_as_nothing_taken():
    listener = socket.create_server(("127.0.0.1", 0))
    transport = VisaTransport(f"TCPIP::127.0.0.1::{listener.getsockname()[1]}::SOCKET")
    stream = transport.open(1.0)
    taken = sum(iter(lambda: stream.send(b"x" * 1_000_000, 0.001), 0))
    assert taken > 0
    transport.close()
    listener.close()


def test_a_serial_reply_is_read_in_chunks(rack, within):
    name, _, _ = rack
    with link_to(SerialTransport(name)) as link:

        def query():
            began_s = time.monotonic()
            assert link.query(b"READ?\n", Numbers(64))[7] == 1.0
            return time.monotonic() - began_s

        within(0.008, lambda: min(query() for _ in range(20)))  # a readline costs 10 ms each


def test_a_serial_port_that_was_closed_moves_nothing_any_more(rack):
    name, _, _ = rack
    transport = SerialTransport(name)
    stream = transport.open(1.0)
    transport.close()
    with pytest.raises(OSError, match=r"not open|closed|descriptor"):
        stream.send(b"v0=1\n", 0.1)


def test_a_serial_port_is_taken_exclusively(rack):
    name, _, _ = rack
    with link_to(SerialTransport(name)):
        other = SerialTransport(name)
        with pytest.raises(OSError, match=r"lock|busy"):
            other.open(1.0)


def test_a_serial_port_that_is_unplugged_is_a_lost_connection():
    master, slave = pty.openpty()
    tty.setraw(slave)
    transport = SerialTransport(os.ttyname(slave))
    stream = transport.open(1.0)
    os.close(slave)
    os.close(master)
    with pytest.raises(OSError, match=r"read failed|no data"):
        stream.receive(10, 1.0)
    transport.close()
    transport.close()
    with pytest.raises(OSError, match="could not open"):
        transport.open(1.0)


def test_importing_the_links_imports_no_instrument_library():
    code = (
        "import sys, drivers.links; print([name for name in ('pyvisa', 'pyvisa_py', 'serial') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_without_a_socket_in_reach_bytes_go_through_the_library(server, monkeypatch):
    monkeypatch.setattr(visa, "raw_socket", lambda session: None)
    link = link_to(VisaTransport(server.resource))
    with pytest.warns(RuntimeWarning, match="cannot set tcpip_nodelay, a write and a query may cost 40 ms"):
        link.open()
    began_s = time.monotonic()
    assert link.query(b"GET?\n", ONE) == 1.0
    assert link.query(b"*IDN?\n", Text()) == "Acme,M1,7,1.0"
    assert len(link.query(b"READ?\n", Numbers(64))) == 64
    taken_s = time.monotonic() - began_s
    assert taken_s < 0.5 * PATIENT.deadline_s, "a reply ends with its last byte, not with the time-out of the library"
    link.close()
