"""What a link costs: a set-64-and-read-64 over TCP and a 64-channel reply over a serial line, beside the bare way.

Run with ``python benchmarks/links.py``. The other side, in a process of its own, answers every line at once with the
same 64 numbers (895 bytes). In one run, ours and the bare way take turns on connections of their own. Bare is a
blocking socket with TCP_NODELAY, or pyserial read in chunks, up to the terminator; ours has the lock, the deadline, the
check for stray bytes and the state of the link on top. ``bytes``: both hand out what came; ``numbers``: ours checks
count and values, the bare way takes what ``float`` makes of it. Once with a core for each side, as an instrument has,
and once with one core for both, where nothing is waited for but work: the harshest comparison.
"""

import argparse
import json
import os
import pty
import socket
import statistics
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import serial

from drivers.links import Link, Numbers, SerialTransport, Text, Transport, VisaTransport
from ffzero_lab.device import WallClock

CHANNELS = 64
VALUES = b",".join(b"%+.5E" % (1.0 + channel / 7.0) for channel in range(CHANNELS))
REPLY = VALUES.ljust(894) + b"\n"
SET_AND_READ = b"SOUR:VOLT:LIST " + VALUES + b";:READ:POW:ALL?\n"
READ = b"vall?\n"
WARM_UP = 50
Exchange = Callable[[], Any]


class Bytes(Text):
    """A line as it came."""

    def read(self, reply: bytes) -> bytes:
        """Return the bytes."""
        return reply


def serve_tcp() -> None:
    """Answer lines on connections, each in a thread of its own."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            connection, _ = server.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            way = (partial(connection.recv, 65_536), connection.sendall)
            threading.Thread(target=answer_lines, args=way, daemon=True).start()


def serve_serial() -> None:
    """Answer lines on a pseudo-terminal."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    print(os.ttyname(slave), flush=True)
    answer_lines(partial(os.read, master, 65_536), partial(os.write, master))


def answer_lines(receive: Callable[[], bytes], send: Callable[[bytes], object]) -> None:
    """Answer each line until the connection ends."""
    line = b""
    while received := receive():
        line += received
        if line.endswith(b"\n"):
            send(REPLY)
            line = b""


def bare_tcp(port: int) -> Exchange:
    """Return one exchange over a blocking socket."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def exchange() -> bytes:
        connection.sendall(SET_AND_READ)
        reply = connection.recv(65_536)
        while not reply.endswith(b"\n"):
            reply += connection.recv(65_536)
        return reply

    return exchange


def bare_serial(name: str) -> Exchange:
    """Return one exchange over pyserial, read in chunks."""
    port = serial.Serial(name, 115_200, timeout=2.0)

    def exchange() -> bytes:
        port.write(READ)
        reply = port.read(max(1, port.in_waiting))
        while not reply.endswith(b"\n"):
            reply += port.read(max(1, port.in_waiting))
        return reply

    return exchange


def with_numbers(exchange: Exchange) -> Exchange:
    """Return *exchange* with its numbers, as one reads them by hand: neither their count nor the values are checked."""
    return lambda: np.array([float(number) for number in exchange().split(b",")])


def linked(transport: Transport) -> Link:
    """Return a link to the other side, which has no identity."""
    return Link(transport, WallClock(), owner="benchmark", identify=lambda link: "the other side")


def compare(ours: Exchange, bare: Exchange, times: int) -> dict[str, float]:
    """Return the medians of both, in microseconds, over *times* exchanges that take turns, and their ratio."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    ways = {True: ours, False: bare}
    for turn in range(-WARM_UP, times):
        for is_ours in (True, False) if turn % 2 else (False, True):
            began = time.perf_counter()
            ways[is_ours]()
            if turn >= 0:
                seconds[is_ours].append(time.perf_counter() - began)
    ours_s, bare_s = statistics.median(seconds[True]), statistics.median(seconds[False])
    return {"ours_us": 1e6 * ours_s, "bare_us": 1e6 * bare_s, "ratio": ours_s / bare_s}


def measure(client_core: int, server_core: int, times: int) -> dict[str, dict[str, float]]:
    """Return the comparisons: for TCP and serial, the bytes alone and the numbers."""
    os.sched_setaffinity(0, {server_core})  # the servers inherit it
    servers = [
        subprocess.Popen([sys.executable, __file__, "--serve", kind], stdout=subprocess.PIPE, text=True)
        for kind in ("tcp", "serial", "serial")
    ]
    os.sched_setaffinity(0, {client_core})
    try:
        port, ours_at, bare_at = (server.stdout.readline().strip() for server in servers)
        tcp, serial_line = f"TCP, set {CHANNELS} and read {CHANNELS}", f"serial, read {CHANNELS}"
        with linked(VisaTransport(f"TCPIP::127.0.0.1::{port}::SOCKET")) as link:
            bare = bare_tcp(int(port))
            ours = partial(link.exchange, SET_AND_READ)
            result = {f"{tcp}: bytes": compare(partial(ours, Bytes()), bare, times)}
            result[f"{tcp}: numbers"] = compare(partial(ours, Numbers(CHANNELS)), with_numbers(bare), times)
        with linked(SerialTransport(ours_at)) as link:
            bare = bare_serial(bare_at)
            ours = partial(link.exchange, READ)
            result[f"{serial_line}: bytes"] = compare(partial(ours, Bytes()), bare, times)
            result[f"{serial_line}: numbers"] = compare(partial(ours, Numbers(CHANNELS)), with_numbers(bare), times)
        return result
    finally:
        for server in servers:
            server.kill()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=1000, help="exchanges of each kind")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", choices=["tcp", "serial"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        {"tcp": serve_tcp, "serial": serve_serial}[arguments.serve]()
        return
    cores = sorted(os.sched_getaffinity(0))
    result = {
        "a core each": measure(cores[0], cores[-1], arguments.times),
        "one core": measure(cores[0], cores[0], arguments.times),
    }
    if arguments.json:
        print(json.dumps(result))
        return
    for layout, comparisons in result.items():
        print(f"{f'{layout}; median of {arguments.times}, in turns':40s}       ours         bare   ratio")
        for name, figures in comparisons.items():
            print(f"  {name:38s} {figures['ours_us']:7.1f} us   {figures['bare_us']:7.1f} us   {figures['ratio']:.2f}")


if __name__ == "__main__":
    main()
