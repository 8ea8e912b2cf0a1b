"""What is known of a device without asking it: layers, ranges, resolution, timing, reach. All of it is frozen."""

from functools import cached_property
from math import prod
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ffzero_lab.device.network import SpringNetwork
from ffzero_lab.device.reach import Reach

Topology = Literal["cascaded", "reinjected"]
Scale = Literal["linear", "log", "square"]
PositiveInt = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, use_attribute_docstrings=True)


class PowerLaw(_Frozen):
    """Electrical power of one actuator: ``watts · |value|**exponent`` (1 in phase or power, 2 in volts)."""

    watts: Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
    exponent: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 1.0

    def total_w(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the summed power in watts over the last axis of *values* (…, P)."""
        if self.exponent == 2.0:
            return self.watts * np.vecdot(values, values)
        magnitudes = np.abs(values)
        return self.watts * (magnitudes if self.exponent == 1.0 else magnitudes**self.exponent).sum(axis=-1)


class ParameterGroup(_Frozen):
    """A named block of parameters of one kind; all numbers are in *unit*."""

    name: str
    shape: tuple[PositiveInt, ...]
    unit: str
    lower: Finite
    upper: Finite
    period: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] | None = None
    resolution: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 0.0
    """The worst-case step between two setpoints over the whole range."""
    slew_per_s: Annotated[float, Field(gt=0.0)] | None = None
    safe: Finite | None = None
    """Where parking leaves the parameters, within their bounds or not; None: at the value nearest to zero."""
    power: PowerLaw | None = None
    scale: Scale = "linear"
    """Scale on which training moves the parameter: the value itself, its natural logarithm (stiffness), or its square
    (volts over a heater, whose effect vanishes at zero)."""
    typical_change: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 1.0
    """Change on that scale, from data sheets, that does about as much as one radian of phase: default perturbations
    and learning rates are multiples of it."""
    start: tuple[Finite, Finite] | None = None
    """Range from which training draws its first values; None: the period nearest to zero, or the whole range."""

    @model_validator(mode="after")
    def _ranges_are_open(self) -> Self:
        if not self.lower < self.upper:
            raise ValueError(f"group {self.name!r}: lower {self.lower} must be below upper {self.upper}")
        if self.start is not None and not self.lower <= self.start[0] <= self.start[1] <= self.upper:
            raise ValueError(f"group {self.name!r}: start {self.start} must lie within {self.lower} to {self.upper}")
        return self

    @model_validator(mode="after")
    def _scale_fits(self) -> Self:
        if self.scale == "linear":
            return self
        if self.period is not None:
            raise ValueError(f"group {self.name!r}: a periodic parameter is trained on the linear scale only")
        if self.lower < 0.0 or (self.scale == "log" and self.lower == 0.0):
            raise ValueError(
                f"group {self.name!r}: lower {self.lower} does not go with scale {self.scale!r}; "
                f"needed: {'more than 0' if self.scale == 'log' else 'at least 0'}"
            )
        return self

    @property
    def size(self) -> int:
        """The number of parameters of the group."""
        return prod(self.shape)

    @property
    def parked(self) -> float:
        """Where parking leaves the parameters."""
        return min(max(0.0, self.lower), self.upper) if self.safe is None else self.safe


class LayerDescription(_Frozen):
    """One layer: what it takes, what it gives, what can be written."""

    input_shape: tuple[PositiveInt, ...]
    input_lower: Finite
    input_upper: Finite
    input_unit: str
    output_shape: tuple[PositiveInt, ...]
    output_upper: Finite
    """Full scale of the detectors: a reading at or above it is saturated."""
    output_unit: str
    output_names: tuple[str, ...] = ()
    """What the outputs are called, such as channels of an instrument; empty: by their number."""
    one_sign: bool
    """True for intensities: negative readings are noise, and all outputs share a common mode."""
    detection_floor: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 0.0
    """Magnitude under which an output cannot be told from noise; 0 for a noiseless device."""
    output_step: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] | None = None
    """Step of the converter: every reading is a whole multiple of it, to the last bit; None: of nothing known. A
    recording keeps counts then."""
    groups: Annotated[tuple[ParameterGroup, ...], Field(min_length=1)]
    power_budget_w: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] | None = None
    """Most power that the layer's actuators may draw together, as its own cooling carries away."""
    dead: tuple[int, ...] = ()
    """Indices of parameters that do not move; training leaves them out."""
    reach: Annotated[Reach | None, Field(exclude=True)] = None
    """Which outputs each parameter can influence; None: every output."""
    network: Annotated[SpringNetwork | None, Field(exclude=True)] = None
    """How the layer's springs are put together, one for each parameter; None: no springs, or nobody says."""

    @model_validator(mode="after")
    def _ranges_are_open(self) -> Self:
        if not self.input_lower < self.input_upper:
            raise ValueError(f"input_lower {self.input_lower} must be below input_upper {self.input_upper}")
        if not self.detection_floor < self.output_upper:
            raise ValueError(f"detection_floor {self.detection_floor} must be below output_upper {self.output_upper}")
        names = [group.name for group in self.groups]
        if len(set(names)) < len(names):
            raise ValueError(f"groups must have names of their own, not {', '.join(names)}")
        return self

    @model_validator(mode="after")
    def _sizes_agree(self) -> Self:
        if self.reach is not None and (
            self.reach.n_parameters != self.n_parameters or self.reach.n_outputs != self.n_outputs
        ):
            raise ValueError(
                f"reach covers {self.reach.n_parameters} parameters and {self.reach.n_outputs} outputs, "
                f"the layer has {self.n_parameters} and {self.n_outputs}"
            )
        sizes = (self.n_parameters, self.n_inputs, self.n_outputs)
        if self.network is not None and sizes != (
            self.network.n_parameters,
            self.network.n_inputs,
            self.network.n_outputs,
        ):
            raise ValueError(
                f"network has {self.network.n_parameters} springs, {self.network.n_inputs} inputs and "
                f"{self.network.n_outputs} outputs, the layer has {', '.join(map(str, sizes))}"
            )
        if len(self.output_names) not in (0, self.n_outputs):
            raise ValueError(f"{len(self.output_names)} output_names for {self.n_outputs} outputs; give all or none")
        if any(not 0 <= index < self.n_parameters for index in self.dead):
            raise ValueError(f"dead channels must be parameter indices from 0 to {self.n_parameters - 1}")
        return self

    @property
    def n_inputs(self) -> int:
        """Values of one pattern."""
        return prod(self.input_shape)

    @property
    def n_outputs(self) -> int:
        """Values of one reading of one pattern."""
        return prod(self.output_shape)

    @cached_property
    def n_parameters(self) -> int:
        """Parameters of all groups, in the groups' order."""
        return sum(group.size for group in self.groups)

    @cached_property
    def alive(self) -> NDArray[np.intp]:
        """Indices of the parameters that move, ascending."""
        indices = np.setdiff1d(np.arange(self.n_parameters), np.array(self.dead, dtype=np.intp))
        indices.flags.writeable = False
        return indices

    def per_parameter(
        self, attribute: Literal["lower", "upper", "parked", "period", "resolution", "slew_per_s", "typical_change"]
    ) -> NDArray[np.float64]:
        """Return a group attribute spread over the parameters, shape (P,); infinite where a group has none."""
        values = [getattr(group, attribute) for group in self.groups]
        known = [np.inf if value is None else value for value in values]
        return np.repeat(np.array(known, dtype=np.float64), [group.size for group in self.groups])

    def group_of(self, index: int) -> ParameterGroup:
        """Return the group of parameter *index*."""
        return self._place_of(index)[0]

    def name_of(self, index: int) -> str:
        """Return a parameter's name such as ``theta[17]``, for messages."""
        group, place = self._place_of(index)
        return f"{group.name}[{place}]"

    def output_name(self, index: int) -> str:
        """Return an output's name such as ``output 3 (meter channel 4)``, for messages."""
        return f"output {index} ({self.output_names[index]})" if self.output_names else f"output {index}"

    def unit_of(self, index: int) -> str:
        """Return a parameter's unit, for messages."""
        return self.group_of(index).unit

    def _place_of(self, index: int) -> tuple[ParameterGroup, int]:
        for group in self.groups:
            if index < group.size:
                return group, index
            index -= group.size
        raise IndexError(index)


class HealthChannel(_Frozen):
    """One reading of the bench's own state, with the bounds it must keep."""

    name: str
    unit: str
    lower: float | None = None
    upper: float | None = None


class Timing(_Frozen):
    """The cost model's constants and the bench they imitate or were measured on."""

    write_s: Seconds
    """τp: one write of all parameters of a layer, settling included."""
    shot_s: Seconds
    """τx: one presented and read pattern."""
    imitates: str = ""
    """What bench these latencies belong to."""


class DeviceDescription(_Frozen):
    """A whole device."""

    name: str
    serial_number: str
    kind: str
    topology: Topology
    layers: Annotated[tuple[LayerDescription, ...], Field(min_length=1)]
    timing: Timing
    implementation: str = ""
    """Firmware or kernel behind the port, with its version: the same numbers are promised only under the same one."""
    shared_hardware: bool = False
    """True when the layers are one piece of hardware that is written anew for each of them."""
    pattern_memory: PositiveInt | None = None
    """Patterns the device can hold; None: as many as the engine stages."""
    power_budget_w: Annotated[float, Field(gt=0.0)] | None = None
    """Most power that all actuators may draw together."""
    raw_units: bool = False
    """True when the parameters are what the drive is given (volts, watts), so that what they do is not known without a
    calibration record."""
    health: tuple[HealthChannel, ...] = ()
