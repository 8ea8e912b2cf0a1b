"""A mesh of four ports behind emulated instruments, and a bench file's content that leads to them."""

from collections.abc import Callable, Generator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from drivers.bench import Bench, BenchConfig
from drivers.emulator import Emulation, EmulationSpec, Fault, FaultPlan, read_witness
from drivers.emulator.of_bench import emulation_of
from drivers.twin.photonic import PhotonicTwin
from ffzero_lab.device import Device, Guarded, LinkTimeout

PORTS = 4
OPTIONS: dict[str, Any] = {"ports": PORTS, "layers": 1, "preset": "ideal", "drive": "volts", "kernel": "numpy"}
LINK = {"deadline_s": 0.2, "connect_s": 60.0, "pause_s": 0.01, "attempts": 10}
"""An answer that is lost is noticed soon, and asked for again for at least 5 s."""


def content() -> dict[str, Any]:
    """The bench file, its links still leading nowhere."""
    return {
        "bench": {"name": "four ports", "serial_number": "C4", "kind": "photonic"},
        "timing": {"park_s": 1.0},
        "links": {
            "heaters": {"resource": "TCPIP::nowhere::1::SOCKET", "identity": "FFzero,VSOURCE-.*", **LINK},
            "modulators": {"resource": "TCPIP::nowhere::2::SOCKET", "identity": "FFzero,MODULATOR-.*", **LINK},
            "meter": {"resource": "TCPIP::nowhere::3::SOCKET", "identity": "Keysight Technologies,N7744C,.*", **LINK},
        },
        "actuators": {
            "heaters": {
                "driver": "drivers.scpi:ScpiActuators",
                "link": "heaters",
                "channels": PORTS**2,
                "lower_v": 0.0,
                "upper_v": 2.0,
                "set_list": ":SOURce:VOLTage:LIST {values}",
                "read_list": ":SOURce:VOLTage:LIST?",
                "output_on": ":OUTPut ON",
                "output_off": ":OUTPut OFF",
            }
        },
        "inputs": {
            "modulators": {
                "driver": "drivers.scpi:ScpiInputs",
                "link": "modulators",
                "channels": PORTS,
                "lower_amplitude": 0.0,
                "upper_amplitude": 1.0,
                "set_list": ":SOURce:AMPLitude:LIST {values}",
                "read_list": ":SOURce:AMPLitude:LIST?",
                "output_on": ":OUTPut ON",
                "output_off": ":OUTPut OFF",
            }
        },
        "detectors": {
            "meter": {
                "driver": "drivers.scpi:ScpiDetectors",
                "link": "meter",
                "channels": PORTS,
                "full_scale_w": 10.0,
                "read_list": ":READ:POWer:ALL?",
                "form": "f4",
            }
        },
        "layers": [
            {
                "one_sign": True,
                "inputs": {"instrument": "modulators", "channels": "1-4"},
                "outputs": {"instrument": "meter", "channels": "1-4"},
                "groups": [{"name": "phases", "instrument": "heaters", "channels": "1-16"}],
            }
        ],
        "emulation": {"twin": "twin:photonic", "options": OPTIONS, "instruments": {"meter": {"unit": "W"}}},
    }


@dataclass
class OverTheWire:
    """A bench on emulated instruments, the same twin in this process, and the witness."""

    bench: Guarded
    twin: Device
    witness: Path
    emulation: Emulation
    config: BenchConfig

    @property
    def instruments(self) -> Any:
        assert isinstance(self.bench.driver, Bench)
        return self.bench.driver._instruments

    def lose_patience(self) -> None:
        """Give up soon from now on: what does not answer now never will."""
        self._patience(attempts=2, connect_s=1.0, deadline_s=0.2)

    def gain_patience(self) -> None:
        """Wait for a minute for each answer: none is lost any more, and parking asks once."""
        self._patience(deadline_s=60.0)

    def _patience(self, **changed: Any) -> None:
        for instruments in (self.instruments.actuators, self.instruments.inputs, self.instruments.detectors):
            for instrument in instruments.values():
                connection = instrument.driver._connection
                connection._patience = replace(connection._patience, **changed)
                connection.link.patience = connection._patience

    def seen(self) -> Any:
        return read_witness(self.witness)


def _opened(config: BenchConfig) -> Bench:
    """Open it; who is there is asked once, and does not answer in time where the computer stands still."""
    for _ in range(5):
        with suppress(LinkTimeout):
            return Bench.open(config)
    return Bench.open(config)


@pytest.fixture
def file() -> dict[str, Any]:
    """The content of the bench file."""
    return content()


@pytest.fixture
def over_the_wire(tmp_path: Path) -> Generator[Callable[..., OverTheWire]]:
    """Open the bench; keywords: *change* edits the content, *faults* of the instruments."""
    with ExitStack() as stack:

        def opened(change: Callable[[dict[str, Any]], None] | None = None, faults: tuple[Fault, ...] = ()) -> Any:
            file = content()
            file["timing"]["park_s"] = 600.0
            if change is not None:
                change(file)
            witness = tmp_path / "witness.jsonl"
            spec = emulation_of(BenchConfig.model_validate(file))
            spec = EmulationSpec.model_validate(
                {**spec.model_dump(), "witness": witness, "faults": FaultPlan(faults=faults)}
            )
            emulation = stack.enter_context(Emulation(spec))
            for name, (host, port) in emulation.addresses.items():
                file["links"][name]["resource"] = f"TCPIP::{host}::{port}::SOCKET"
            config = BenchConfig.model_validate(file)
            bench = stack.enter_context(Guarded(_opened(config)))
            twin = PhotonicTwin.open(PhotonicTwin.Config(**OPTIONS))
            wire = OverTheWire(bench, twin, witness, emulation, config)
            if not faults:
                wire.gain_patience()
            stack.callback(wire.gain_patience)
            return wire

        yield opened
