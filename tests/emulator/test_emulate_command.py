"""``ffzero-lab emulate``: the instruments of a bench file, served in a process of their own."""

import json
import os
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

import drivers
from drivers.emulator import read_witness
from ffzero_lab import open_device

EXAMPLE = Path(drivers.__file__).parent / "benches" / "photonic-8-port.toml"
LINKS = ("source", "modulator", "meter")
Ask = Callable[..., tuple[int, str, str]]


class Emulated:
    """The command in a process of its own, serving."""

    def __init__(self, folder: Path, *arguments: object) -> None:
        command = [sys.executable, "-m", "ffzero_lab", "emulate", *map(str, arguments)]
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(Path(drivers.__file__).parents[1]), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._folder = folder

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        self.process.send_signal(number)
        said, complained = self.process.communicate(timeout=100.0)
        return self.process.returncode, said, complained


@pytest.fixture
def emulate(tmp_path: Path) -> Generator[Callable[..., Emulated]]:
    started: list[Emulated] = []

    def start(*arguments: object) -> Emulated:
        started.append(Emulated(tmp_path, *arguments))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.communicate()


@pytest.fixture(autouse=True)
def _locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FFZERO_LOCK_DIR", str(tmp_path / "locks"))


def resources(text: str) -> dict[str, str]:
    return {name: link["resource"] for name, link in tomllib.loads(text)["links"].items()}


def comments(text: str) -> list[str]:
    return [line.partition("#")[2] for line in text.splitlines() if "#" in line]


def changed(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    text = EXAMPLE.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file = tmp_path / "bench.toml"
    file.write_text(text)
    return file


def test_the_bench_file_it_writes_connects_to_what_it_serves(tmp_path: Path, emulate: Callable[..., Emulated]) -> None:
    running = emulate(EXAMPLE, "--output", "emulated.toml", "--witness", "witness.jsonl")
    assert running.line() == "the instruments are served; their bench file is emulated.toml\n"
    text = (tmp_path / "emulated.toml").read_text()
    assert comments(text) == comments(EXAMPLE.read_text())
    assert all(resource.startswith("TCPIP0::127.0.0.1::") for resource in resources(text).values())
    given, served = tomllib.loads(EXAMPLE.read_text()), tomllib.loads(text)
    assert {key: served[key] for key in served if key != "links"} == {
        key: given[key] for key in given if key != "links"
    }
    with open_device(str(tmp_path / "emulated.toml")) as device:
        device.write_parameters(0, device.description.layers[0].per_parameter("lower") + 0.5)
        assert set(read_witness(tmp_path / "witness.jsonl").left_on()) == {("heaters", n) for n in range(1, 65)}
    assert not read_witness(tmp_path / "witness.jsonl").left_on()
    assert running.end() == (0, "", "")


@pytest.mark.slow
def test_it_prints_json_serves_the_same_addresses_again_and_never_two_at_one(
    tmp_path: Path, emulate: Callable[..., Emulated], ask: Ask
) -> None:
    first = emulate(EXAMPLE, "--json")
    told = ""
    while not told.endswith("\n}\n"):
        told += first.line()
    told = json.loads(told)
    assert told["pid"] == first.process.pid
    assert {name: one["resource"] for name, one in told["instruments"].items()} == {
        {"source": "heaters"}.get(link, link): resource for link, resource in resources(told["bench"]).items()
    }
    (tmp_path / "emulated.toml").write_text(told["bench"])
    code, _, says = ask("emulate", "emulated.toml")
    assert code == 1
    assert "cannot listen at port" in says
    assert "is it emulated already" in says
    assert first.end(signal.SIGINT)[0] == 0
    again = emulate("emulated.toml", "--output", "again.toml")
    again.line()
    assert (tmp_path / "again.toml").read_text() == told["bench"]
    assert again.end()[0] == 0


def test_a_twin_of_ones_own_stands_behind_the_instruments(tmp_path: Path, emulate: Callable[..., Emulated]) -> None:
    file = changed(tmp_path, ('twin = "twin:photonic"', 'twin = "drivers.twin.photonic:PhotonicTwin"'))
    running = emulate(file, "--output", "emulated.toml")
    assert running.line() == "the instruments are served; their bench file is emulated.toml\n"
    with open_device(str(tmp_path / "emulated.toml")) as device:
        assert device.description.layers[0].n_outputs == 8
    assert running.end() == (0, "", "")


@pytest.mark.slow
def test_a_port_may_be_named(tmp_path: Path, emulate: Callable[..., Emulated]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    file = changed(tmp_path, ("[emulation.instruments.meter]", f"[emulation.instruments.meter]\nport = {port}"))
    emulate(file, "--output", "emulated.toml").line()
    assert resources((tmp_path / "emulated.toml").read_text())["meter"] == f"TCPIP0::127.0.0.1::{port}::SOCKET"


CANNOT = [
    ((("[emulation]", "[health]\n[emulation_]"),), "emulation"),
    ((("[emulation.instruments.meter]", "[emulation.instruments.metre]"),), "emulation.instruments.metre"),
    (
        (('link = "modulator"', 'link = "meter"'), ("deadline_s = 2.0", "deadline_s = 1.0")),
        "inputs.modulator.link: an emulated instrument has a link of its own",
    ),
    (
        (
            ("channels = 8\nfull_scale", 'channels = "0-7"\nfull_scale'),
            ('"meter", channels = "1-8"', '"meter", channels = "0-7"'),
        ),
        "detectors.meter.channels: emulated instruments count their channels from 1",
    ),
    ((('twin = "twin:photonic"', 'twin = "twin:phtonic"'),), "twin 'twin:phtonic' is none of"),
    (
        (("watts_per_unit = 1e-3", "watts_per_unit = 0.0"),),
        "emulation.instruments.meter.watts_per_unit: input should be greater than 0",
    ),
    (
        (("watts_per_unit", "watt_per_unit"),),
        "emulation.instruments.meter.watt_per_unit: extra inputs are not permitted",
    ),
    ((('preset = "typical"', 'preset = "typcal"'),), "preset"),
    ((("ports = 8, layers = 1", "ports = 4, layers = 1"),), "wires lead to place"),
]


@pytest.mark.parametrize(("changes", "says"), CANNOT)
def test_what_it_cannot_emulate_is_refused_in_one_message(
    tmp_path: Path, ask: Ask, changes: tuple[tuple[str, str], ...], says: str
) -> None:
    code, told, complained = ask("emulate", changed(tmp_path, *changes))
    assert (code, told) == (2, "")
    assert complained.startswith("ffzero-lab: ")
    assert "bench.toml" in complained
    assert says in complained
    assert len(complained.splitlines()) == 1


FAULTS = [
    ('[[faults]]\ninstrument = "meter"\nkind = "dorp"\nexchange = 3', "faults.0.kind is 'dorp': input should be"),
    ('[[faults]]\ninstrument = "meter"\nkind = "drop"', "give either exchange or probability"),
    ('[[faults]]\ninstrument = "metre"\nkind = "drop"\nexchange = 3', "'metre' is none of"),
    ('[[faults]]\ninstrument = "heaters"\nkind = "stuck"\nexchange = 3', "'stuck' cannot happen to a voltage-source"),
    ("[[faults]", "plan.toml cannot be read"),
]


@pytest.mark.parametrize(("plan", "says"), FAULTS)
def test_a_mistake_in_the_file_of_faults_is_explained(tmp_path: Path, ask: Ask, plan: str, says: str) -> None:
    (tmp_path / "plan.toml").write_text(plan)
    code, _, complained = ask("emulate", EXAMPLE, "--faults", "plan.toml")
    assert code == 2
    assert complained.startswith("ffzero-lab: plan.toml")
    assert says in complained
    assert len(complained.splitlines()) == 1


def test_a_file_that_is_there_is_not_written_over_and_one_driver_is_no_bench(tmp_path: Path, ask: Ask) -> None:
    (tmp_path / "emulated.toml").write_text("mine")
    code, _, complained = ask("emulate", EXAMPLE, "--output", "emulated.toml")
    assert (code, "exists already" in complained) == (2, True)
    assert (tmp_path / "emulated.toml").read_text() == "mine"
    code, _, complained = ask("emulate", EXAMPLE.parent / "twin-8-port.toml")
    assert (code, "only a bench of instruments can be emulated" in complained) == (2, True)
    assert ask("emulate", "none.toml")[0] == 2
    assert ask("emulate", EXAMPLE, "--faults", "none.toml")[0] == 2


@pytest.mark.slow
def test_faults_happen_as_planned(tmp_path: Path, emulate: Callable[..., Emulated], ask: Ask) -> None:
    plan = {"faults": [{"instrument": "meter", "kind": "drop", "probability": 1.0}]}
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    short = ("deadline_s = 2.0", "deadline_s = 0.05")
    running = emulate(changed(tmp_path, short), "--output", "emulated.toml", "--faults", "plan.json")
    running.line()
    code, _, complained = ask("devices", "check", "emulated.toml")
    assert code == 3
    assert "not done within 0.050 s" in complained
    assert "'meter'" in complained
    assert running.end()[0] == 0
