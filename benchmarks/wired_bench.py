"""The bench file of a photonic twin in volts: the same device once more, but over the wire.

:func:`bench_of` writes what a lab would write that had this chip behind three kinds of instruments: one source for all
heaters, and a modulator and a power meter for each layer. All its limits, ranges and scales are those that the twin
states of itself, so that a run on either is told the same; what is left is the single precision of the meters.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import tomlkit

import drivers
from drivers.twin.photonic import PhotonicTwin
from ffzero_lab.device import LayerDescription

PACKAGES = Path(drivers.__file__).parents[1]
WATTS_PER_UNIT = 2.0**-10
"""Power of one unit of the twin's intensity: about a milliwatt, and a power of two, which changes no digit."""
MEMORY: dict[str, Any] = {
    "memory": 512,
    "store": ":MEMory:DATA {address},{values}",
    "read_stored": ":MEMory:DATA? {address}",
    "recall": ":MEMory:RECall {address}",
    "step_through": ":MEMory:SEQuence {addresses}",
    "position": ":MEMory:SEQuence:POSition?",
}
SWITCH = {"output_on": ":OUTPut ON", "output_off": ":OUTPut OFF"}
PATIENT = {"deadline_s": 10.0, "pause_s": 0.01}


def bench_of(
    options: Mapping[str, Any], *, link: Mapping[str, Any] | None = None, memory: bool = True, name: str = "wired"
) -> dict[str, Any]:
    """Return the content of a bench file for the twin of *options*, driven in volts; its links lead nowhere yet.

    *link* are more keys of every link. Without *memory*, patterns are presented one by one.
    """
    options = {**options, "drive": "volts"}
    described = PhotonicTwin.open(PhotonicTwin.Config.model_validate(options)).description
    width, layers = described.layers[0].n_parameters, range(len(described.layers))
    first = described.layers[0]
    group = first.groups[0]
    identities = {"source": "FFzero,VSOURCE-.*"}
    identities |= {f"modulator{n}": "FFzero,MODULATOR-.*" for n in layers}
    identities |= {f"meter{n}": "Keysight Technologies,.*" for n in layers}
    return {
        "bench": {"name": name, "serial_number": f"{name}-{options.get('seed', 0)}", "kind": "photonic"},
        "timing": {"write_s": 1e-3, "shot_s": 5e-4, "imitates": "the emulator on one computer"},
        "links": {
            one: {"resource": f"TCPIP::192.168.2.{31 + number}::5025::SOCKET", "identity": identity, **(link or {})}
            for number, (one, identity) in enumerate(identities.items())
        },
        "actuators": {
            "source": {
                "driver": "scpi.actuators",
                "link": "source",
                "channels": width * len(layers),
                "lower_v": group.lower,
                "upper_v": group.upper,
                "resolution_v": group.resolution,
                "set_list": ":SOURce:VOLTage:LIST {values}",
                "read_list": ":SOURce:VOLTage:LIST?",
                "measure_volts": ":MEASure:VOLTage:ALL?",
                "measure_amperes": ":MEASure:CURRent:ALL?",
                **SWITCH,
            }
        },
        "inputs": {f"modulator{n}": _modulator(n, first, memory=memory) for n in layers},
        "detectors": {f"meter{n}": _meter(n, first) for n in layers},
        "layers": [_layer(n, first) for n in layers],
        "emulation": {
            "twin": "twin:photonic",
            "options": options,
            "instruments": {f"meter{n}": {"unit": "W", "watts_per_unit": WATTS_PER_UNIT} for n in layers},
        },
    }


def patient(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the bench file with ten seconds for every exchange: whatever else the computer has to do."""
    links = {name: {**link, **PATIENT} for name, link in content["links"].items()}
    return {**content, "links": links, "timing": {**content.get("timing", {}), "park_s": 60.0}}


def as_toml(content: Mapping[str, Any]) -> str:
    """Return *content* as a file."""
    return tomlkit.dumps(content)


def _modulator(number: int, layer: LayerDescription, *, memory: bool) -> dict[str, Any]:
    return {
        "driver": "scpi.inputs",
        "link": f"modulator{number}",
        "channels": layer.n_inputs,
        "lower_amplitude": layer.input_lower,
        "upper_amplitude": layer.input_upper,
        "set_list": ":SOURce:AMPLitude:LIST {values}",
        "read_list": ":SOURce:AMPLitude:LIST?",
        **(MEMORY if memory else {}),
        **SWITCH,
    }


def _meter(number: int, layer: LayerDescription) -> dict[str, Any]:
    return {
        "driver": "scpi.detectors",
        "link": f"meter{number}",
        "channels": layer.n_outputs,
        "full_scale_w": layer.output_upper * WATTS_PER_UNIT,
        "detection_floor_w": layer.detection_floor * WATTS_PER_UNIT,
        "read_list": ":READ:POWer:ALL?",
        "form": "f4",
    }


def _layer(number: int, layer: LayerDescription) -> dict[str, Any]:
    groups: list[dict[str, Any]] = []
    channel = 1 + number * layer.n_parameters
    for group in layer.groups:
        size = group.shape[0]
        row = {
            "name": group.name,
            "instrument": "source",
            "channels": f"{channel}-{channel + size - 1}",
            "scale": group.scale,
            "typical_change": group.typical_change,
            "start_v": list(group.start or (group.lower, group.upper)),
        }
        groups.append(row if group.power is None else row | {"resistance_ohm": 1.0 / group.power.watts})
        channel += size
    return {
        "inputs": {"instrument": f"modulator{number}", "channels": f"1-{layer.n_inputs}"},
        "outputs": {"instrument": f"meter{number}", "channels": f"1-{layer.n_outputs}"},
        "one_sign": True,
        "reach": "mesh",
        "groups": groups,
        "power_budget_w": layer.power_budget_w,
    }


class Emulated:
    """``ffzero-lab emulate`` in a process of its own, serving the bench file of *content* from *folder*.

    ``file`` is the bench file that connects to it, ``witness`` what its outputs saw. Use it as a context; `restarted`
    is a power cut of the whole bench. A twin of one's own is looked for in *paths* as well.
    """

    def __init__(self, folder: Path, content: Mapping[str, Any], paths: Sequence[Path] = ()) -> None:
        self._paths = paths
        self.file, self.witness = folder / "emulated.toml", folder / "witness.jsonl"
        (folder / "bench.toml").write_text(as_toml(content), encoding="utf-8")
        self._process = self._started(folder / "bench.toml", "--output", str(self.file))

    def kill(self) -> None:
        """Cut its power."""
        self._process.kill()
        self._process.communicate()

    def restart(self) -> None:
        """Serve the same file again: the same addresses, all setpoints and patterns lost."""
        self._process = self._started(self.file)

    def close(self) -> None:
        """End it as an operator would; raises RuntimeError unless it ends in order."""
        self._process.terminate()
        _, said = self._process.communicate(timeout=100.0)
        if self._process.returncode != 0:
            raise RuntimeError(f"the emulation ended with {self._process.returncode}: {said}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _started(self, file: Path, *more: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "ffzero_lab", "emulate", str(file), "--witness", str(self.witness), *more]
        process = subprocess.Popen(
            command, env=environment(self._paths), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        if process.stdout is None or not process.stdout.readline():
            raise RuntimeError(f"the emulation did not start: {process.communicate()[1]}")
        return process


def environment(more: Sequence[Path] = ()) -> dict[str, str]:
    """Return the environment of a process that shall find the packages which this one has, and what is in *more*."""
    paths = [str(PACKAGES), *map(str, more), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}
