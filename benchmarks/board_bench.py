"""A bench that is one board: the content of its file, and an emulation of it, for benchmarks and tests."""

import os
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drivers.board.messages import Hello
from drivers.emulator import EmulationSpec
from drivers.emulator.apparatus import Apparatus
from drivers.emulator.board_firmware import FirmwareBoard
from drivers.emulator.board_plant import BoardPlant, Converters
from drivers.emulator.faults import FaultPlan
from drivers.emulator.troubles import Troubles
from drivers.emulator.witness import Witness
from drivers.twin.photonic import PhotonicTwin

SERIAL = "BRD-1"
UNITS = {"V": "v", "rad": "rad", "W": "w"}


def board_file(options: Mapping[str, Any], port: str, **more: Any) -> dict[str, Any]:
    """Return the content of a bench file for a board around the photonic twin of *options*, at *port*."""
    described = PhotonicTwin.open(PhotonicTwin.Config.model_validate(dict(options))).description
    layers: list[dict[str, Any]] = []
    for layer in described.layers:
        groups = []
        for group in layer.groups:
            unit = UNITS[group.unit]
            row = {
                "name": group.name,
                "count": group.size,
                f"lower_{unit}": group.lower,
                f"upper_{unit}": group.upper,
                "scale": group.scale,
                "typical_change": group.typical_change,
            }
            if group.start is not None:
                row[f"start_{unit}"] = list(group.start)
            if group.period is not None:
                row[f"period_{unit}"] = group.period
            if group.power is not None and group.unit == "V":
                row["resistance_ohm"] = 1.0 / group.power.watts
            groups.append(row)
        full = {"full_scale_w": layer.output_upper, "detection_floor_w": layer.detection_floor}
        table = {
            "inputs": {
                "count": layer.n_inputs,
                "lower_amplitude": layer.input_lower,
                "upper_amplitude": layer.input_upper,
            },
            "outputs": {"count": layer.n_outputs, **full},
            "groups": groups,
            "one_sign": True,
            "reach": "mesh",
        }
        if layer.power_budget_w is not None:
            table["power_budget_w"] = layer.power_budget_w
        layers.append(table)
    health = [channel.model_dump(exclude_none=True) for channel in described.health]
    return {
        "serial_number": SERIAL,
        "kind": "photonic",
        "topology": described.topology,
        "port": port,
        "health": health,
        "layers": layers,
        **more,
    }


def board_spec(
    options: Mapping[str, Any], *, witness: Path | None = None, faults: FaultPlan | None = None, **board: Any
) -> EmulationSpec:
    """Return an emulation of that board."""
    instrument = {"kind": "board", "name": "board", "serial_number": SERIAL, **board}
    content = {"twin": "twin.photonic", "options": dict(options), "instruments": [instrument], "witness": witness}
    return EmulationSpec.model_validate({**content, "faults": faults or FaultPlan()})


def board_hello(options: Mapping[str, Any]) -> Hello:
    """Return what that board says of itself."""
    twin = PhotonicTwin.open(PhotonicTwin.Config.model_validate(dict(options)))
    return _plant(Apparatus(twin), Converters(SERIAL), Witness(None)).hello


@contextmanager
def firmware_board(
    binary: Path, options: Mapping[str, Any], *, baud: int = 0, witness: Path | None = None, **board: Any
) -> Generator[FirmwareBoard]:
    """Serve the firmware with the same twin behind it, in real time."""
    apparatus = Apparatus(PhotonicTwin.open(PhotonicTwin.Config.model_validate(dict(options))))
    seen = Witness(witness)
    plant = _plant(apparatus, Converters(SERIAL, **board), seen)
    try:
        with FirmwareBoard(binary, plant, apparatus.lock, baud=baud) as board:
            yield board
    finally:
        seen.close()
        apparatus.close()


def _plant(apparatus: Apparatus, converters: Converters, witness: Witness) -> BoardPlant:
    apparatus.warm_up()
    return BoardPlant("board", converters, apparatus, Troubles("board", FaultPlan(), witness), witness)


def environment() -> dict[str, str]:
    """Return the environment of a process that shall find the packages which this one has."""
    home = Path(__file__).parents[1]
    paths = [str(home), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHON": sys.executable}
