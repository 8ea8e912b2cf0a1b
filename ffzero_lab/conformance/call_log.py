"""A wrapper that notes every call reaching a driver: the judge of what the guard let through."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device import Device, FloatArray, Patterns, RowIndex

NOTHING: NDArray[np.float64] = np.empty(0)


@dataclass(frozen=True, eq=False)
class Call:
    """One call that reached the driver.

    Attributes
    ----------
    name
        The method: ``load_inputs``, ``write_parameters``, ``read_outputs``, ``probe``, ``park`` or ``close``.
    layer
        The layer, or None for ``park`` and ``close``.
    values
        The patterns or settings as they were handed over, not a copy; empty when the call carries none.
    rows
        The rows; empty when the call carries none.
    """

    name: str
    layer: int | None
    values: NDArray[Any]
    rows: NDArray[Any]


class CallLog(Device):
    """A device that passes every call on and keeps a list of them; queries (setpoints, health) are not listed.

    Parameters
    ----------
    driver
        The device to listen to.
    """

    def __init__(self, driver: Device) -> None:
        self.driver = driver
        self.description = driver.description
        self.clock = driver.clock
        self.calls: list[Call] = []

    def load_inputs(self, layer: int, patterns: Patterns) -> None:
        """Note the patterns (S, n_in), then stage them."""
        self._note("load_inputs", layer, patterns)
        self.driver.load_inputs(layer, patterns)

    def write_parameters(self, layer: int, values: FloatArray) -> None:
        """Note the setting (P,), then write it."""
        self._note("write_parameters", layer, values)
        self.driver.write_parameters(layer, values)

    def read_outputs(self, layer: int, rows: RowIndex) -> FloatArray:
        """Note the rows, then read them."""
        self._note("read_outputs", layer, rows=rows)
        return self.driver.read_outputs(layer, rows)

    def probe(self, layer: int, settings: FloatArray, rows: RowIndex) -> FloatArray:
        """Note the settings (K, P) and rows, then measure them."""
        self._note("probe", layer, settings, rows)
        return self.driver.probe(layer, settings, rows)

    def read_parameters(self, layer: int) -> FloatArray | None:
        """Return the setpoints (P,) as the driver reports them."""
        return self.driver.read_parameters(layer)

    def read_health(self) -> Mapping[str, float]:
        """Return the driver's health readings."""
        return self.driver.read_health()

    def park(self) -> None:
        """Note it, then park."""
        self._note("park")
        self.driver.park()

    def close(self) -> None:
        """Note it, then close."""
        self._note("close")
        self.driver.close()

    def named(self, name: str) -> list[Call]:
        """Return the calls of one method, in order."""
        return [call for call in self.calls if call.name == name]

    @property
    def settings_written(self) -> list[FloatArray]:
        """Every setting (P,) that reached the driver, alone or in a probe, in order."""
        written: list[FloatArray] = []
        for call in self.calls:
            if call.name == "write_parameters":
                written.append(call.values)
            elif call.name == "probe":
                written.extend(call.values)
        return written

    def _note(
        self, name: str, layer: int | None = None, values: NDArray[Any] = NOTHING, rows: NDArray[Any] = NOTHING
    ) -> None:
        self.calls.append(Call(name, layer, values, rows))
