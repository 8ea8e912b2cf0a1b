"""The crossbar twin: arrays of programmable conductances behind the device port."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from drivers.twin.crossbar.adjoint import conductance_slopes
from drivers.twin.crossbar.cells import CellArray, CellTruth, Precision, fabricate_cells
from drivers.twin.crossbar.columns import Columns, ColumnTruth, fabricate_columns
from drivers.twin.crossbar.config import CrossbarConfig
from drivers.twin.crossbar.convolution import PatchProduct
from drivers.twin.crossbar.dense import DenseProduct
from drivers.twin.crossbar.description import describe
from drivers.twin.crossbar.geometry import LayerShape
from drivers.twin.latency import Latency
from drivers.twin.time import DeviceTime, clock_for
from ffzero_lab.device import Clock, Device, IdealModel, Patterns, RowIndex, StagingLost

FloatArray = NDArray[np.float64]
Floats = NDArray[np.floating[Any]]

SINGLE_PRECISION_NOISE = 1e-5
"""From this noise on, a hundred times the rounding of single precision, arrays are computed in it: twice as fast."""


@dataclass(frozen=True)
class CrossbarTruth:
    """What one array really is, and nobody outside may see.

    Attributes
    ----------
    cells, columns
        What fabrication made.
    conductances
        (P,) differential conductances at this moment, in feedback conductances.
    """

    cells: CellTruth
    columns: ColumnTruth
    conductances: FloatArray


@dataclass(frozen=True)
class _Array:
    """One layer: its shape, its cells, what adds their currents, and what stands behind the columns."""

    shape: LayerShape
    cells: CellArray
    product: DenseProduct | PatchProduct
    columns: Columns


class CrossbarTwin(Device):
    """Layers of differential conductances, z = f((G⁺ − G⁻)x + b), dense or convolutions by patches.

    Parameters are differential conductances in units of the amplifiers' feedback conductance: weights. ``reinjected``:
    each array has row drivers of its own. ``cascaded``: patterns enter the first array, its outputs drive the next
    one as they are, and a tap behind each array is converted.
    """

    Config: ClassVar[type[CrossbarConfig]] = CrossbarConfig

    def __init__(self, config: CrossbarConfig, clock: Clock) -> None:
        self.clock = clock
        self._config = config
        self._arrays = [_make(config, shape, layer) for layer, shape in enumerate(config.shapes())]
        self._staged: dict[int, Patterns] = {}
        self._entering: dict[int, Floats] = {}
        self._writes, self._readings = 0, 0
        self._identity = config.model_dump_json(exclude={"kernel", "timing", "realtime"})
        """Everything that decides which chips these are; kept, because a snapshot is taken at every step."""
        self._time = DeviceTime(clock)
        self._latency = Latency(clock, config.seed, exchange_s=config.timing.exchange_s, jitter=config.timing.jitter)
        kernels = {array.product.kernel for array in self._arrays}
        self.description = describe(config, [array.cells for array in self._arrays], kernels)

    @staticmethod
    def bench_name(config: CrossbarConfig) -> None:
        """Tell that a twin is nobody else's: everyone has their own."""
        del config

    @classmethod
    def open(cls, config: CrossbarConfig, clock: Clock | None = None) -> "CrossbarTwin":
        """Make the arrays of *config*, all cells discharged; the clock is virtual unless one is given or asked for."""
        return cls(config, clock_for(clock, realtime=config.realtime))

    def load_inputs(self, layer: int, patterns: Patterns) -> None:
        """Stage inputs (S, n_in), as fractions of a row's full drive."""
        self._staged[layer] = patterns
        self._entering.clear()

    def write_parameters(self, layer: int, values: FloatArray) -> None:
        """Program all differential conductances (P,) of one array; takes τp."""
        for later in [known for known in self._entering if known > layer]:
            del self._entering[later]
        self._latency.spend(self._config.timing.write_s)
        self._writes += 1
        self._arrays[layer].cells.program(values, self._writes, self._time.now_s())

    def read_outputs(self, layer: int, rows: RowIndex) -> FloatArray:
        """Read the outputs (len(rows), n_out) of one array; takes τx per row."""
        return self._read(layer, self._added(layer, self._inputs_of(layer, rows)))

    def probe(self, layer: int, settings: FloatArray, rows: RowIndex) -> FloatArray:
        """Measure *settings* (K, P) in order; returns (K, len(rows), n_out).

        The inputs are fetched once. An ideal dense array computes readings around one centre together, which equals
        the loop within rounding; everything else equals it to the bit.
        """
        if layer > 0 and self._drifts_before(layer):
            return super().probe(layer, settings, rows)
        array, inputs = self._arrays[layer], self._inputs_of(layer, rows)
        together = array.product.columns_of_pairs(inputs, settings) if array.cells.exact else None
        outputs = np.empty((len(settings), len(rows), self.description.layers[layer].n_outputs))
        for number, values in enumerate(settings):
            self.write_parameters(layer, values)
            added = self._added(layer, inputs) if together is None else next(together)
            outputs[number] = self._read(layer, added)
        return outputs

    def read_parameters(self, layer: int) -> FloatArray:
        """Return the levels (P,) that were written, not what the cells made of them."""
        return self._arrays[layer].cells.setpoints.copy()

    def park(self) -> None:
        """Discharge all cells."""
        for array in self._arrays:
            array.cells.park()
        self._entering.clear()

    def close(self) -> None:
        """Park and drop the staged patterns."""
        self.park()
        self._staged.clear()

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Return what decides future outputs but for the patterns: setpoints, indices of the noise, device time."""
        cells = [array.cells for array in self._arrays]
        return {
            "identity": np.array(self._identity),
            "written": np.array([each.written for each in cells]),
            "written_s": np.array([each.written_s for each in cells]),
            "counts": np.array([self._writes, self._readings, self._latency.exchanges]),
            "time_s": np.array(self._time.now_s()),
            **{f"setpoints{layer}": each.setpoints for layer, each in enumerate(cells)},
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Put a snapshot back; patterns must be staged anew. Raises ValueError when it is of other arrays."""
        if str(state["identity"]) != self._identity:
            raise ValueError(f"this is a snapshot of {state['identity']}, not of {self._identity}")
        self._time.restore(float(state["time_s"]))
        self._writes, self._readings, self._latency.exchanges = (int(count) for count in state["counts"])
        self._entering.clear()
        for layer, array in enumerate(self._arrays):
            array.cells.park()
            if number := int(state["written"][layer]):
                array.cells.program(state[f"setpoints{layer}"], number, float(state["written_s"][layer]))

    def exact_slopes(
        self, layer: int, values: FloatArray, rows: RowIndex, slope_of: Callable[[FloatArray], FloatArray]
    ) -> FloatArray:
        """Return ∂L/∂(parameters) (P,) of one array as it is; see :class:`ffzero_lab.device.Adjoint`."""
        array = self._arrays[layer]
        inputs = self._inputs_of(layer, rows).astype(np.float64)
        conductances, gains = array.cells.reached(values)
        outputs = array.columns.activate(array.product.columns(inputs, conductances)).astype(np.float64, copy=False)
        slopes_in_sums = array.columns.slopes_in_sums(slope_of(outputs), outputs)
        return gains * conductance_slopes(array.shape, inputs, conductances, slopes_in_sums)

    def ideal_model(self, layer: int) -> IdealModel:
        """Return perfect arrays for JAX, of which *layer* is the last; see :class:`ffzero_lab.device.Modelled`."""
        from drivers.twin.crossbar.ideal import ideal_model

        first = layer if self._config.topology == "reinjected" else 0
        return ideal_model([array.shape for array in self._arrays[first : layer + 1]])

    def reveal(self, layer: int) -> CrossbarTruth:
        """Return the hidden truth of one array, for `drivers.twin.truth` alone."""
        array = self._arrays[layer]
        conductances = array.cells.conductances(self._time.now_s()).astype(np.float64)
        return CrossbarTruth(array.cells.truth, array.columns.truth, conductances)

    def _read(self, layer: int, added: Floats) -> FloatArray:
        columns = self._arrays[layer].columns
        outputs = columns.activate(added)
        self._readings += 1
        self._latency.spend(len(outputs) * self.description.timing.shot_s)
        return columns.read(outputs, self._readings)

    def _added(self, layer: int, inputs: Floats) -> Floats:
        """Return what the columns of one array add up to now, pooled, (B, n_out)."""
        array = self._arrays[layer]
        return array.product.columns(inputs, array.cells.conductances(self._time.now_s()))

    def _inputs_of(self, layer: int, rows: RowIndex) -> Floats:
        """Return what drives one array (len(rows), n_in) when the staged patterns *rows* are presented."""
        if layer == 0 or self._config.topology == "reinjected":
            return self._driven(layer, rows)
        if self._drifts_before(layer):
            return self._outputs_inside(layer - 1, self._inputs_of(layer - 1, rows))
        return self._signals_into(layer)[rows]

    def _signals_into(self, layer: int) -> Floats:
        """Return what drives an array of the cascade (S, n_in) for all staged patterns.

        It is kept until something before that array changes: while a layer is trained, the frozen ones before it need
        not be computed again. Cells that drift change all the time, so nothing is kept behind them.
        """
        if layer not in self._entering:
            before = self._everything() if layer == 1 else self._signals_into(layer - 1)
            self._entering[layer] = self._outputs_inside(layer - 1, before)
        return self._entering[layer]

    def _everything(self) -> Floats:
        return self._driven(0, np.arange(len(self._patterns(0)), dtype=np.intp))

    def _outputs_inside(self, layer: int, inputs: Floats) -> Floats:
        return self._arrays[layer].columns.activate(self._added(layer, inputs))

    def _drifts_before(self, layer: int) -> bool:
        """Tell whether what drives *layer* changes by itself."""
        return self._config.topology == "cascaded" and any(array.cells.drifts for array in self._arrays[:layer])

    def _driven(self, layer: int, rows: RowIndex) -> Floats:
        """Return the voltages of the rows (len(rows), n_in), in the steps of their converters."""
        driven = self._patterns(layer)[rows].astype(_precision(self._config), copy=False)
        bits = self._config.drivers.dac_bits
        if bits:
            codes = 2.0 ** (bits - 1 if self._config.signed_inputs else bits) - 1.0
            driven = np.rint(driven * codes) / codes
        return driven

    def _patterns(self, layer: int) -> Patterns:
        if layer not in self._staged:
            raise StagingLost(f"{self.description.name}, layer {layer}: no patterns are staged")
        return self._staged[layer]


def _make(config: CrossbarConfig, shape: LayerShape, layer: int) -> _Array:
    """Make one array and its bench."""
    seed, full_scale = config.seed, config.full_scale(shape)
    cell_truth = fabricate_cells(config.cells, config.drift, shape.n_parameters, seed, layer)
    column_truth = fabricate_columns(config.readout, full_scale, shape.columns, seed, layer)
    key, precision = (seed, layer), _precision(config)
    cells = CellArray(config.cells, config.drift, cell_truth, config.weight_limit(shape), key, precision)
    columns = Columns(config.readout, full_scale, column_truth, shape, key, precision)
    product = DenseProduct(shape) if shape.patches is None else PatchProduct(shape, shape.patches, config.kernel)
    return _Array(shape, cells, product, columns)


def _precision(config: CrossbarConfig) -> Precision:
    return np.float32 if config.readout.noise >= SINGLE_PRECISION_NOISE else np.float64
