"""What a calibration found out about a device: values with uncertainties, by layer. Written as JSON."""

from math import nan, prod
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from ffzero_lab.device.description import Scale

SCHEMA_VERSION = 1
Axis = Literal["device", "layer", "input", "output", "parameter", "mzi", "pair", "time"]
Severity = Literal["note", "warning", "fault"]
Number = Annotated[float, Field(allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Quantity(_Frozen):
    """One measured quantity over one axis of a layer, with standard uncertainties; None: not measured there."""

    unit: str
    axis: Axis
    """What the values are numbered by; ``pair``, ``device`` and ``time`` are told in *about*."""
    values: tuple[Number | None, ...]
    uncertainties: tuple[Amount | None, ...]
    """Standard uncertainties (GUM), drift during the calibration included."""
    about: str = ""
    """One line for a reader: what it is, and by which formula."""

    @model_validator(mode="after")
    def _lengths_agree(self) -> Self:
        if len(self.values) != len(self.uncertainties):
            raise ValueError(f"{len(self.values)} values with {len(self.uncertainties)} uncertainties")
        return self

    @classmethod
    def of(cls, unit: str, axis: Axis, values: ArrayLike, uncertainties: ArrayLike, about: str = "") -> Self:
        """Make one from arrays (n,), where NaN or infinity stands for what was not measured."""
        given = np.atleast_1d(np.asarray(values, dtype=np.float64))
        spread = np.broadcast_to(np.asarray(uncertainties, dtype=np.float64), given.shape)
        return cls(unit=unit, axis=axis, values=_optional(given), uncertainties=_optional(spread), about=about)

    @property
    def array(self) -> NDArray[np.float64]:
        """The values (n,), NaN where not measured."""
        return np.array([nan if value is None else value for value in self.values])

    @property
    def spread(self) -> NDArray[np.float64]:
        """The standard uncertainties (n,), NaN where not known."""
        return np.array([nan if value is None else value for value in self.uncertainties])


class Finding(_Frozen):
    """Something that a person should know: out of family, dead, implausible."""

    severity: Severity
    where: str
    """Layer and channel by name, such as ``layer 0, theta[17]``."""
    what: str


class Transfer(_Frozen):
    """What the actuators of a layer do: effect = offset + Σ_j gain_ij·s(setpoint_j).

    Phases of heaters: s(V) = V² when driven in volts, else the setpoint itself; the off-diagonal gains are thermal
    crosstalk (Milanizadeh et al. 2019, J. Lightwave Technol. 37, 1325). Servos: effect is the stiffness.
    """

    unit: str
    """Unit of the effect: rad, N/m."""
    law: Literal["linear", "square"]
    """s: the setpoint itself, or its square."""
    period: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] | None = None
    """Effects that differ by it are the same."""
    offset: tuple[Number, ...]
    """(P,) effect at s = 0."""
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    gains: tuple[Number, ...]
    """Gain of parameter *rows* by the setpoint of parameter *columns*; what is not listed is zero."""


class Driven(_Frozen):
    """What the setpoints of a group are."""

    unit: str
    scale: Scale
    """As the description has it: volts over a heater act by their square."""


class LayerRecord(_Frozen):
    """One layer."""

    groups: dict[str, tuple[int, ...]] = {}
    """The parameters by group, in the groups' order, with the shape of each: what their numbers stand for."""
    drives: dict[str, Driven] = {}
    """By group, what its setpoints were when it was measured: the record says nothing of it driven otherwise."""
    output_names: tuple[str, ...] = ()
    """What the outputs are called, such as channels of an instrument; empty: by their number."""
    quantities: dict[str, Quantity] = {}
    """By procedure and name, such as ``fringes.pi_power``."""
    earlier: dict[str, AwareDatetime] = {}
    """Quantities that were not measured in this calibration, and when the one ended in which they were: it built on
    them."""
    dead: dict[int, str] = {}
    """Parameters that do not move, with what is wrong: open, short, stuck, dark."""
    dead_outputs: dict[int, str] = {}
    """Outputs that see nothing, with what is wrong."""
    transfer: Transfer | None = None
    """What `Calibrated` applies; None where it was not measured."""

    def name_of(self, index: int) -> str:
        """Return a parameter's name such as ``theta[17]``, as findings call it."""
        place = index
        for group, shape in self.groups.items():
            if place < prod(shape):
                return f"{group}[{place}]"
            place -= prod(shape)
        return f"parameter {index}"

    def output_name(self, index: int) -> str:
        """Return an output's name such as ``output 3 (meter channel 4)``, as findings call it."""
        return f"output {index} ({self.output_names[index]})" if self.output_names else f"output {index}"


class Spent(_Frozen):
    """What a calibration took: by plan and as counted."""

    writes: int
    readings: int
    shots: int
    seconds: float


class CalibrationRecord(_Frozen):
    """One calibration of one device."""

    schema_version: Literal[1] = SCHEMA_VERSION
    device: str
    serial_number: str
    kind: str
    implementation: str
    """Firmware or kernel that answered."""
    software: str
    """Version of ffzero-lab."""
    begun: AwareDatetime
    ended: AwareDatetime
    device_ended_s: float
    """The device's own clock at the end, seconds."""
    valid_for_s: Annotated[float, Field(gt=0.0)]
    """Age up to which training accepts the record."""
    procedures: tuple[str, ...]
    """Those that were carried out, in their order."""
    conditions: dict[str, float] = {}
    """Health readings at the end, such as temperatures."""
    layers: tuple[LayerRecord, ...]
    findings: tuple[Finding, ...] = ()
    """The worst first."""
    planned: Spent
    spent: Spent
    sweeps: str = ""
    """Name of the sidecar file with the raw sweeps (npz), in the record's folder."""
    sweeps_sha256: str = ""


def _optional(values: NDArray[np.float64]) -> tuple[float | None, ...]:
    return tuple(value if np.isfinite(value) else None for value in values.tolist())
