"""What a user can set of a crossbar twin: layers, preset, and every constant of its physics."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from drivers.twin.crossbar.geometry import ActivationName, LayerShape, Shape
from drivers.twin.crossbar.layers import Dense, Layer, Size
from drivers.twin.crossbar.presets import PRESETS
from drivers.twin.crossbar.tables import Cells, Drift, Drivers, Latencies, Readout
from drivers.twin.presets import over_preset
from drivers.twin.tables import Table
from ffzero_lab.device import Topology

PresetName = Literal["ideal", "typical", "harsh"]
KernelName = Literal["auto", "numba", "numpy"]
DEFAULT_SIZES = (64, 100, 100)


class CrossbarConfig(Table):
    """Configuration of ``twin:crossbar``; what is left out takes the preset's value."""

    sizes: Annotated[tuple[Size, ...], Field(min_length=2)] | None = None
    """Short form for dense layers: inputs, then the outputs of each layer; 64, 100, 100 when nothing is given."""
    inputs: Size | Annotated[tuple[Size, ...], Field(min_length=1, max_length=3)] | None = None
    """Shape of a pattern: a number, or [channels, height, width]; goes with ``layers``."""
    layers: tuple[Layer, ...] = ()
    """Layers, as an array of tables: kind dense (outputs) or conv (channels, kernel, stride, padding, pool)."""
    activation: ActivationName = "relu"
    """Circuit behind the columns of layers that name none of their own: none, relu or tanh."""
    signed_inputs: bool = True
    """Whether rows are driven from -1 to 1, or from 0 to 1."""
    weight_range: Annotated[float, Field(ge=1e-3, le=1e6)] = 4.0
    """Largest weight, in units of 1/√(inputs of a column): the feedback conductances are chosen for it."""
    preset: PresetName = "typical"
    """Set of constants that the tables below start from."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the hidden truth and of the noise: another seed is another chip."""
    topology: Topology = "reinjected"
    """Reinjected: each array has drivers of its own; cascaded: outputs drive the next array inside the device."""
    realtime: bool = False
    """Really wait for every latency, instead of letting virtual time pass."""
    kernel: KernelName = "auto"
    """What computes convolutions; auto takes numba where it is installed."""
    cells: Cells = Cells()
    drift: Drift = Drift()
    drivers: Drivers = Drivers()
    readout: Readout = Readout()
    timing: Latencies = Latencies()

    @model_validator(mode="before")
    @classmethod
    def _start_from_the_preset(cls, given: Any) -> Any:
        return over_preset(given, PRESETS, "typical")

    @model_validator(mode="after")
    def _layers_follow_each_other(self) -> Self:
        if self.sizes is not None and (self.layers or self.inputs is not None):
            raise ValueError("give sizes, or inputs with layers, not both")
        if bool(self.layers) != (self.inputs is not None):
            raise ValueError("inputs (the shape of a pattern) and layers go together")
        self.shapes()
        return self

    def shapes(self) -> list[LayerShape]:
        """Return the shape of every layer; raises ValueError, naming the layer that does not fit."""
        shapes: list[LayerShape] = []
        inputs = self._input_shape
        for number, layer in enumerate(self._listed):
            try:
                shapes.append(layer.shape_behind(inputs, self.activation))
            except ValueError as error:
                raise ValueError(f"layer {number}: {error}") from None
            inputs = shapes[-1].output_shape
        return shapes

    def weight_limit(self, shape: LayerShape) -> float:
        """Return the largest weight of a layer, in feedback conductances."""
        return self.weight_range / shape.fan_in**0.5

    def full_scale(self, shape: LayerShape) -> float:
        """Return the largest output that can be read of a layer."""
        return 1.0 if shape.activation == "tanh" else self.readout.full_scale

    @property
    def _sizes(self) -> tuple[int, ...]:
        return DEFAULT_SIZES if self.sizes is None else self.sizes

    @property
    def _input_shape(self) -> Shape:
        if self.inputs is None:
            return self._sizes[:1]
        return (self.inputs,) if isinstance(self.inputs, int) else self.inputs

    @property
    def _listed(self) -> tuple[Layer, ...]:
        return self.layers or tuple(Dense(outputs=outputs) for outputs in self._sizes[1:])
