"""The emulator in a process of its own."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers.emulator import EmulationProcess, EmulationSpec, read_witness

TOML = """
options = { ports = 4, layers = 1, preset = "ideal", drive = "volts", kernel = "numpy" }

[[instruments]]
kind = "voltage-source"
name = "heaters"
channels = 16

[[faults.faults]]
instrument = "heaters"
kind = "reboot"
exchange = 1000
"""


def start(spec: Path, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "drivers.emulator", str(spec), *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=Path(__file__).parents[2])


def ask(address: tuple[str, int], message: str) -> str:
    with socket.create_connection(address, timeout=60.0) as connection, connection.makefile("rwb") as stream:
        stream.write(message.encode() + b"\n")
        stream.flush()
        return stream.readline().decode().strip()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_and_ends_when_told(tmp_path: Path, number: signal.Signals):
    spec = tmp_path / "spec.toml"
    spec.write_text(TOML)
    process = start(spec)
    assert process.stdout is not None
    said = json.loads(process.stdout.readline())
    heaters = said["instruments"]["heaters"]
    assert said["pid"] == process.pid
    assert heaters["resource"] == f"TCPIP0::127.0.0.1::{heaters['port']}::SOCKET"
    assert ask((heaters["host"], heaters["port"]), "*IDN?").startswith("FFzero,VSOURCE-16,")
    process.send_signal(number)
    assert process.communicate(timeout=60.0) == ("", "")
    assert process.returncode == 0


def test_it_ends_with_whoever_holds_its_standard_input(tmp_path: Path):
    spec = tmp_path / "spec.toml"
    spec.write_text(TOML)
    process = start(spec, "--until-stdin-closes")
    assert process.stdout is not None
    assert process.stdout.readline()
    assert process.communicate(timeout=60.0) == ("", "")
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TOML.replace("channels = 16", "channels = 0"), "instruments.0.voltage-source.channels"),
        (TOML.replace("ports = 4", "ports = 1"), "ports"),
        (TOML.replace("[[instruments]]", "nonsense"), "Expected"),
    ],
)
def test_a_wrong_specification_is_explained_without_a_traceback(tmp_path: Path, text: str, message: str):
    spec = tmp_path / "spec.toml"
    spec.write_text(text)
    process = start(spec)
    said, complaint = process.communicate(timeout=60.0)
    assert process.returncode == 2
    assert said == ""
    assert str(spec) in complaint
    assert message in complaint
    assert "Traceback" not in complaint


def test_a_test_can_start_it_kill_it_and_ask_its_witness(tmp_path: Path, specify: Callable[..., EmulationSpec]):
    spec = specify(witness=tmp_path / "witness.jsonl")
    with EmulationProcess(spec, tmp_path) as process:
        assert ask(process.addresses["heaters"], ":SOUR3:VOLT 4;:OUTP ON;*OPC?") == "1"
        process.kill()
    assert read_witness(tmp_path / "witness.jsonl").left_on() == {("heaters", 3): 4.0}
    with EmulationProcess(spec, tmp_path) as process:
        assert ask(process.addresses["heaters"], "*ESR?;:SOUR3:VOLT?") == "128;0.0"
        assert process.close() == ""
    assert read_witness(tmp_path / "witness.jsonl").left_on() == {}


def test_one_that_does_not_start_says_why(tmp_path: Path, specify: Callable[..., EmulationSpec]):
    spec = specify().model_copy(update={"twin": "twin.nothing"})
    with pytest.raises(RuntimeError, match=r"twin 'twin.nothing' is none of .*twin\.photonic"):
        EmulationProcess(spec, tmp_path)
