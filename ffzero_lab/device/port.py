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

FloatArray = NDArray[np.float64]
RowIndex = NDArray[np.intp]
Patterns = NDArray[np.floating[Any]]
IdealModel = Callable[[Sequence[Any], Any], Any]
"""Ideal physics that JAX can trace in both arguments: parameters (P,) of each array that the signal passes, and inputs
(B, n_in) in; outputs (B, n_out) out. A cascade passes the arrays up to the tap, a reinjected layer is one array."""


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
    Without one the whole configuration stands for the bench. Rows (dicts with the same keys) that a static method
    ``wiring(config)`` returns are what ``ffzero-lab bench check`` shows as the map of the device.
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
class Adjoint(Protocol):
    """A twin that can tell how exact an estimate is; for diagnostics, training in place has no use for it."""

    def exact_slopes(
        self, layer: int, values: FloatArray, rows: RowIndex, slope_of: Callable[[FloatArray], FloatArray]
    ) -> FloatArray:
        """Return ∂L/∂parameters (P,), in the description's units, at *values* (P,) for the staged *rows* (B,).

        *slope_of* maps the outputs (B, n_out) to ∂L/∂outputs. The slope is that of the twin as it really is, without
        noise and converters; asking takes no device time, draws no noise and changes nothing.
        """
        ...


@runtime_checkable
class Modelled(Protocol):
    """A twin that knows its ideal physics, as its data sheet would, in a form that can be differentiated."""

    def ideal_model(self, layer: int) -> IdealModel:
        """Return the path to the tap of *layer*; raises ModuleNotFoundError without JAX."""
        ...
