"""Sockets: clients that come, go and misbehave."""

import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest

from drivers.emulator import server
from drivers.emulator.delivery import Delivery
from drivers.emulator.server import TcpServer


def cut(client: Any) -> None:
    """Close with a reset, as a killed process with unread data does."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def test_it_listens_on_the_loopback_interface_only_and_answers_at_once(bench: Callable[..., Any]):
    running = bench()
    addresses = running.emulation.addresses
    assert {host for host, _ in addresses.values()} == {"127.0.0.1"}
    assert len({port for _, port in addresses.values()}) == 3


def test_replies_go_out_without_waiting_for_more(bench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch):
    options: list[int] = []

    class Watched(server._Client):
        def setup(self) -> None:
            super().setup()
            options.append(self.connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    monkeypatch.setattr(server, "_Client", Watched)
    bench().client("meter").ask("*OPC?")
    assert options
    assert all(options)


def test_clients_that_vanish_leave_the_instrument_to_others(bench: Callable[..., Any]):
    running = bench()
    for message in (b"", b"*IDN?", b"*IDN?\n" * 100, b":SOUR1:VO", b"\x00\xff\n"):
        vanishing = running.client("heaters")
        vanishing.socket.sendall(message)
        cut(vanishing)
    assert running.client("heaters").ask("*OPC?;:SOUR1:VOLT?") == "1;0.0"


def test_a_reply_that_nobody_takes_is_an_interrupted_query(bench: Callable[..., Any]):
    class Deaf:
        def sendall(self, _: bytes) -> None:
            raise BrokenPipeError

    running = bench()
    heaters = running.client("heaters")
    heaters.ask("*ESR?")
    client = object.__new__(server._Client)
    client.connection = Deaf()  # type: ignore[assignment]
    client._server = running.emulation._servers["heaters"]._server
    assert not client._send(Delivery((b"1\n",)))
    assert heaters.ask(":SYST:ERR?;*ESR?") == '-410,"Query INTERRUPTED";4'


def test_messages_may_come_in_pieces_or_many_at_once(bench: Callable[..., Any]):
    heaters = bench().client("heaters")
    for piece in (b":SOUR1", b":VOLT 2", b".5;VOLT?", b"\n*OP", b"C?\r\n*ESR?\n"):
        heaters.socket.sendall(piece)
    assert [heaters.line() for _ in range(3)] == [b"2.5\n", b"1\n", b"128\n"]


def test_a_message_beyond_the_input_buffer_is_lost_and_reported(
    bench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(server, "LONGEST_MESSAGE", 64)
    heaters = bench().client("heaters")
    for length in (64, 65, 128, 1000):
        heaters.write(":SOUR1:VOLT 1 ".ljust(length, "0"))
        assert heaters.ask(":SYST:ERR?;:SOUR1:VOLT?") == '-363,"Input buffer overrun";0.0', length
    heaters.write(":SOUR1:VOLT 1".ljust(63))
    assert heaters.ask(":SYST:ERR?;:SOUR1:VOLT?") == '0,"No error";1.0'


def test_many_clients_share_one_instrument(bench: Callable[..., Any]):
    running = bench()
    clients = [running.client("heaters") for _ in range(20)]
    for value, client in enumerate(clients):
        client.write(f":SOUR1:VOLT {value / 2};VOLT?")
        assert client.line() == f"{value / 2!r}\n".encode()
    assert {client.ask(":SOUR1:VOLT?") for client in clients} == {"9.5"}


def test_thousands_of_exchanges_and_reconnections(bench: Callable[..., Any]):
    running = bench()
    heaters = running.client("heaters")
    for _ in range(5000):
        assert heaters.ask("*OPC?") == "1"
    for _ in range(200):
        client = running.client("heaters")
        assert client.ask("*OPC?") == "1"
        client.close()


def test_closing_ends_all_connections_and_frees_the_port(bench: Callable[..., Any], serve: Callable[..., Any]):
    running = bench()
    heaters = running.client("heaters")
    heaters.ask("*OPC?")
    address = running.emulation.addresses["heaters"]
    running.emulation.close()
    assert heaters.line() == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    first, *others = running.spec.instruments
    again = running.spec.model_copy(update={"instruments": (first.model_copy(update={"port": address[1]}), *others)})
    restarted = serve(again)
    assert restarted.emulation.addresses["heaters"] == address
    assert restarted.client("heaters").ask("*ESR?") == "128"


def test_a_port_that_is_taken_leaves_nothing_running(bench: Callable[..., Any], serve: Callable[..., Any]):
    running = bench()
    taken = running.emulation.addresses["meter"][1]
    first, second, third = running.spec.instruments
    spec = running.spec.model_copy(update={"instruments": (first, second, third.model_copy(update={"port": taken}))})
    with pytest.raises(OSError, match="in use"):
        serve(spec)
    assert running.client("meter").ask("*OPC?") == "1"


def test_a_server_can_be_closed_before_anyone_came():
    class Nobody:
        pass

    server_ = TcpServer(Nobody())  # type: ignore[arg-type]
    server_.close()
