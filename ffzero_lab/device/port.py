"""The device port: the one small class that a driver author writes."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from ffzero_lab.device.clock import Clock
from ffzero_lab.device.description import DeviceDescription
from ffzero_lab.device.link_tally import LinkTally

FloatArray = NDArray[np.float64]
RowIndex = NDArray[np.intp]
Patterns = NDArray[np.floating[Any]]
IdealModel = Callable[[Sequence[Any], Any], Any]
"""(values, inputs (B, n_in)) -> outputs (B, n_out), traceable by JAX in both arguments, see :class:`Modelled`."""


class Device(ABC):
    """A physical network behind parameters that can be written and outputs that can be read.

    Limits, counting, staging after a reboot and the dark-batch check are not the driver's work: the guard that wraps
    every driver does them. Raises the errors of :mod:`ffzero_lab.device.errors` and no others for what goes wrong on
    the way to the hardware.
    """

    description: DeviceDescription
    clock: Clock

    @abstractmethod
    def load_inputs(self, layer: int, patterns: Patterns) -> None:
        """Stage *patterns* (S, n_in), in the layer's input unit, for *layer*; replaces what was staged."""

    @abstractmethod
    def write_parameters(self, layer: int, values: FloatArray) -> None:
        """Set all parameters (P,) of *layer*, in the description's units and order; returns when settled."""

    @abstractmethod
    def read_outputs(self, layer: int, rows: RowIndex) -> FloatArray:
        """Present the staged patterns *rows* in that order and return the outputs (len(rows), n_out)."""

    def probe(self, layer: int, settings: FloatArray, rows: RowIndex) -> FloatArray:
        """Measure *settings* (K, P) in order; returns (K, len(rows), n_out). The device stays at the last one.

        A driver whose hardware takes lists of settings overrides this; the result must equal the loop.
        """
        n_out = self.description.layers[layer].n_outputs
        outputs = np.empty((len(settings), len(rows), n_out))
        for setting, values in enumerate(settings):
            self.write_parameters(layer, values)
            outputs[setting] = self.read_outputs(layer, rows)
        return outputs

    def read_parameters(self, layer: int) -> FloatArray | None:
        """Return the setpoints (P,) as the hardware reports them, or None where it cannot."""
        del layer
        return None

    def read_health(self) -> Mapping[str, float]:
        """Return the health readings by channel name; takes no device time and no noise on a twin."""
        return {}

    def link_tallies(self) -> Mapping[str, LinkTally]:
        """Return what each link to the hardware has seen, by its name; exchanges nothing, any thread may ask."""
        return {}

    @abstractmethod
    def park(self) -> None:
        """Bring every actuator into its safe state, from any state; calling it again changes nothing."""

    @abstractmethod
    def close(self) -> None:
        """Park, then release the hardware; calling it again does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except Exception as closing_error:
            if error is None:
                raise
            error.add_note(f"closing {self.description.name} failed as well: {closing_error}")


class Driver(Protocol):
    """What an entry point of the group ``ffzero_lab.drivers`` names.

    A driver may also have a static method ``bench_name(config) -> str | None`` that names the hardware without touching
    it, so that two configurations of the same bench exclude each other; None says that it is nobody else's (a twin).
    Without one the whole configuration stands for the bench. The seconds that a static method ``parking_s(config)``
    returns are the deadline of parking and closing, else the guard's own. Rows (dicts with the same keys) that a static
    method ``wiring(config)`` returns are what ``ffzero-lab bench check`` shows as the map of the device.
    """

    Config: ClassVar[type[BaseModel]]

    @classmethod
    def open(cls, config: Any, clock: Clock | None) -> Device:
        """Open the device of *config* without energising anything; None leaves the choice of clock to the driver."""
        ...


@runtime_checkable
class Inspectable(Protocol):
    """A device made of instruments that can be asked one by one who they are."""

    def identify(self) -> Mapping[str, str]:
        """Ask every instrument who it is; energises nothing."""
        ...

    def safe_parameters(self, layer: int) -> FloatArray:
        """Return the parameters (P,) at which parking leaves a layer."""
        ...

    def safe_inputs(self, layer: int) -> FloatArray:
        """Return the pattern (n_in,) at which parking leaves a layer."""
        ...

    def read_standing(self, layer: int) -> FloatArray:
        """Read the outputs (n_out,) of a layer once, as everything stands: presents nothing, switches nothing on."""
        ...


@runtime_checkable
class Resumable(Protocol):
    """A twin: its exact state can be saved and put back."""

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Return everything that decides future outputs, but for the staged patterns."""
        ...

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Put a snapshot back; raises ValueError when it belongs to another device."""
        ...


@runtime_checkable
class Metered(Protocol):
    """A device whose drive measures what each actuator draws."""

    def read_actuators(self, layer: int) -> tuple[FloatArray, FloatArray] | None:
        """Return measured volts (P,) and amperes (P,) of a layer's actuators; None where nothing measures them.

        Changes nothing.
        """
        ...


@runtime_checkable
class Adjoint(Protocol):
    """A twin that can tell exact slopes: the yardstick of diagnostics, never a part of training in place."""

    def exact_slopes(
        self, layer: int, values: FloatArray, rows: RowIndex, slope_of: Callable[[FloatArray], FloatArray]
    ) -> FloatArray:
        """Return ∂L/∂(parameters) (P,) of *layer*, per unit of the description, at *values* (P,).

        It is the slope of this very device, with everything that fabrication and time made of it, as it would answer
        right after *values* were written at this moment and had settled. Left out is what has no slope: noise, the
        steps and the ends of converters, the play of gears. Parameters that nothing moves (faults, cells that are
        stuck or at their end) have slope 0. In a cascade it holds at the present setpoints of the earlier layers.

        Nothing changes by asking: no setpoint, no device time, no draw of the noise, no snapshot.

        Parameters
        ----------
        layer
            Layer whose parameters are meant.
        values
            (P,) where the slope is taken, in the description's units.
        rows
            (B,) the staged patterns that L is about.
        slope_of
            Maps the noiseless outputs (B, n_out) of the layer to ∂L/∂(outputs) (B, n_out).

        Raises
        ------
        StagingLost
            When no patterns are staged.
        """
        ...


@runtime_checkable
class Modelled(Protocol):
    """A twin that knows its ideal physics as a function that JAX can trace, for training on a computer."""

    def ideal_model(self, layer: int) -> IdealModel:
        """Return the outputs of *layer* as a function of parameters and inputs, by the data sheet alone.

        The function takes (values, inputs). *values* holds one array (P,), in the description's units, for each layer
        that the signal passes: layers 0 to *layer* of a cascade, just the one when patterns are reinjected. *inputs*
        (B, n_in) are what ``load_inputs`` takes. It returns outputs (B, n_out) in the description's unit, in
        double precision.

        Ideal are nominal constants, the geometry, the activation and the unit of the drive. There are no fabrication
        errors, losses, leaks, offsets, crosstalk, noise, steps, limits, drift and faults. Nothing hidden enters.

        Raises
        ------
        ModuleNotFoundError
            Without JAX, the extra ``reference``.
        """
        ...
