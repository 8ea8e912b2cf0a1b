"""Faults that a photonic twin can be given, each from a time of its own on."""

import re
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from drivers.twin.tables import Table

FloatArray = NDArray[np.float64]


class _Fault(Table):
    from_s: Annotated[float, Field(ge=0.0, le=1e9)] = 0.0
    """Device time from which on it holds."""


class _OfHeater(_Fault):
    layer: Annotated[int, Field(ge=0)] = 0
    """Mesh."""
    parameter: str
    """Phase shifter by its name, such as ``theta[17]``."""


class OpenHeater(_OfHeater):
    """A broken wire: no current, no heat."""

    kind: Literal["open"]


class ShortedHeater(_OfHeater):
    """A short at the pads: current flows, but not through the heater."""

    kind: Literal["short"]


class StuckHeater(_OfHeater):
    """A channel of the drive that stays at one voltage."""

    kind: Literal["stuck"]
    volts: Annotated[float, Field(ge=0.0, le=1e4)]
    """Where it stays."""


class DeadDetector(_Fault):
    """A photodiode that sees no light."""

    kind: Literal["dead-detector"]
    layer: Annotated[int, Field(ge=0)] = 0
    """Mesh."""
    output: Annotated[int, Field(ge=0)]
    """Port."""


class LaserStep(_Fault):
    """The laser's power jumps."""

    kind: Literal["laser-step"]
    factor: Annotated[float, Field(ge=0.0, le=10.0)]
    """New power relative to the nominal one."""


class LaserOff(_Fault):
    """The laser goes out."""

    kind: Literal["laser-off"]


Fault = Annotated[
    OpenHeater | ShortedHeater | StuckHeater | DeadDetector | LaserStep | LaserOff, Field(discriminator="kind")
]
HeaterFault = OpenHeater | ShortedHeater | StuckHeater


def heater_of(fault: HeaterFault, n_mzi: int, ports: int) -> int:
    """Return the index of the parameter that *fault* names; raises ValueError for one that the mesh has not."""
    found = re.fullmatch(r"(theta|phi|gamma)\[(\d+)\]", fault.parameter)
    sizes = {"theta": n_mzi, "phi": n_mzi, "gamma": ports}
    if found is None or int(found[2]) >= sizes[found[1]]:
        raise ValueError(
            f"fault {fault.kind!r}: parameter {fault.parameter!r} is none of theta[0] to theta[{n_mzi - 1}], phi[0] to "
            f"phi[{n_mzi - 1}], gamma[0] to gamma[{ports - 1}]"
        )
    start = {"theta": 0, "phi": n_mzi, "gamma": 2 * n_mzi}[found[1]]
    return start + int(found[2])


def laser_power(faults: tuple[Fault, ...], now_s: float) -> float:
    """Return the laser's power relative to the nominal one: that of the latest fault that holds."""
    power, since_s = 1.0, -1.0
    for fault in faults:
        if isinstance(fault, LaserStep | LaserOff) and since_s <= fault.from_s <= now_s:
            power, since_s = (fault.factor if isinstance(fault, LaserStep) else 0.0), fault.from_s
    return power


def dead_detectors(faults: tuple[Fault, ...], layer: int, now_s: float) -> list[int]:
    """Return the outputs of a mesh whose detectors see nothing."""
    return [
        fault.output
        for fault in faults
        if isinstance(fault, DeadDetector) and fault.layer == layer and fault.from_s <= now_s
    ]
