"""A fixed setting of a device that is measured again and again, to see whether anything drifts: light in, outputs read.

Every layer stands at random setpoints within its start range, drawn once, and is given the same random patterns. What
two readings differ by beyond their noise is drift. Setpoints are raw: a calibration record does not enter, so that
readings before and after a re-calibration can be compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.journal import Journal
from calibration.layer_bench import LayerBench
from calibration.photonic import contexts
from ffzero_lab.device import Counts, DeviceDescription, Guarded

FloatArray = NDArray[np.float64]
PATTERNS, REPEATS = 16, 8
BUDGET_SHARE = 0.8
"""Share of the device's power budget that the setpoints of all layers together take."""


@dataclass(frozen=True)
class Looked:
    """One look: of every layer the mean readings (B, n), and the variance of each such mean."""

    means: tuple[FloatArray, ...]
    variances: tuple[FloatArray, ...]

    def as_plain(self) -> dict[str, list[list[list[float]]]]:
        """Return it as lists."""
        return {
            "means": [layer.tolist() for layer in self.means],
            "variances": [layer.tolist() for layer in self.variances],
        }

    @classmethod
    def from_plain(cls, plain: dict[str, list[list[list[float]]]]) -> "Looked":
        """Read back what :meth:`as_plain` gave."""
        return cls(tuple(map(np.array, plain["means"])), tuple(map(np.array, plain["variances"])))

    def change_since(self, earlier: "Looked") -> float:
        """Return the RMS change of the outputs beyond noise, as a share of their RMS; of the layer that changed most.

        Noise adds the variances of both means to the mean square of the differences; that part is taken away.
        """
        shares: list[float] = []
        for now, then, var_now, var_then in zip(
            self.means, earlier.means, self.variances, earlier.variances, strict=True
        ):
            square = float(np.mean((now - then) ** 2) - np.mean(var_now + var_then))
            shares.append(float(np.sqrt(max(square, 0.0) / np.mean(then**2))))
        return max(shares)


@dataclass(frozen=True)
class Reference:
    """The fixed setting of one device.

    Attributes
    ----------
    device
        In raw units.
    seed
        Decides setpoints and patterns.
    """

    device: Guarded
    seed: int

    def hold(self) -> None:
        """Write the setpoints of all layers; the device may stand in any state."""
        for layer in self._layers:
            bench = self._bench(layer)
            self.device.write_parameters(layer, self._setpoints(bench))

    def look(self) -> Looked:
        """Stage the patterns and read every layer, which stand at their setpoints; raises what the guard raises."""
        rows = np.tile(np.arange(PATTERNS, dtype=np.intp), REPEATS)
        means: list[FloatArray] = []
        variances: list[FloatArray] = []
        cascaded = self.device.description.topology == "cascaded"
        for layer in self._layers:
            bench = self._bench(layer)
            if not cascaded or layer == 0:
                contexts.load(bench, contexts.coherent_patterns(bench, PATTERNS))
            if self.device.description.shared_hardware:
                self.device.write_parameters(layer, self._setpoints(bench))
            read = self.device.read_outputs(layer, rows).reshape(REPEATS, PATTERNS, -1)
            means.append(read.mean(axis=0))
            variances.append(read.var(axis=0, ddof=1) / REPEATS)
        return Looked(tuple(means), tuple(variances))

    @property
    def _layers(self) -> Sequence[int]:
        """Layers that are looked at; those on shared hardware would be the same one again."""
        return range(1 if self.device.description.shared_hardware else len(self.device.description.layers))

    def _bench(self, layer: int) -> LayerBench:
        return LayerBench(self.device, layer, "reference", self.seed, Journal(), dict, _silently)

    def _setpoints(self, bench: LayerBench) -> FloatArray:
        drawn = contexts.to_s(bench.described, contexts.background(bench, 0))
        return contexts.within_budget(bench, drawn, BUDGET_SHARE / len(self._layers))


def cost_of(description: DeviceDescription) -> Counts:
    """Return what one look takes, the setpoints written."""
    layers = 1 if description.shared_hardware else len(description.layers)
    return Counts(writes=layers, readings=layers, shots=layers * PATTERNS * REPEATS)


def _silently(message: str) -> None:
    del message
