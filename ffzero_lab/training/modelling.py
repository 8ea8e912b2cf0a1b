"""Slopes computed from a twin's ideal physics by automatic differentiation (JAX), for comparison with measured ones.

Importing this module imports JAX; `ffzero_lab.training.trainers` does so for the rules that need it.
"""

# What JAX transforms is of unknown type.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device import IdealModel, LayerDescription, Modelled, Patterns
from ffzero_lab.training.carry import Carry
from ffzero_lab.training.comparison import LayerTask
from ffzero_lab.training.scale import TrainedScale
from ffzero_lab.training.slopes import Estimate, Look
from ffzero_lab.training.subspace import Coordinates
from ffzero_lab.training.whole import WholeNetwork

FloatArray = NDArray[np.float64]
Rows = NDArray[np.intp]


class ModelledSlopes:
    """The gradient of a layer's loss in a model of the device; the device itself is not asked.

    Parameters
    ----------
    model
        Path from the patterns to the layer's outputs.
    frozen
        Parameters of the layers before, where the model passes them.
    described
        The layer.
    patterns
        (S, n_in) what the model is given.
    task
        What the layer is trained on.
    coordinates
        What training moves.
    """

    def __init__(
        self,
        model: IdealModel,
        frozen: Sequence[FloatArray],
        described: LayerDescription,
        patterns: Patterns,
        task: LayerTask,
        coordinates: Coordinates,
    ) -> None:
        self._patterns, self._task, self._coordinates = patterns, task, coordinates
        self._scale, self._still = TrainedScale(described), np.zeros(described.n_parameters)

        def outputs(values: Any, inputs: Any) -> Any:
            return model([*frozen, values], inputs)

        def pulled(values: Any, inputs: Any, slope: Any) -> Any:
            return jax.vjp(lambda own: outputs(own, inputs), values)[1](slope)[0]

        self._outputs, self._pulled = jax.jit(outputs), jax.jit(pulled)

    def at(self, step: int) -> Look:
        """Return the look of any step: it moves nothing."""
        del step
        return Look(self._still, self._compute)

    def _compute(self, parameters: FloatArray, rows: Rows) -> Estimate:
        values, inputs = self._scale.values(parameters), np.asarray(self._patterns[rows], dtype=np.float64)
        wanted, judge = self._task.wanted[rows], self._task.judge
        outputs = np.array(self._outputs(values, inputs))
        if outputs.dtype != np.float64:
            raise TypeError(f"the ideal model computes in {outputs.dtype}; it has to switch JAX to double precision")
        judged = judge(outputs, wanted, self._task.base[rows])
        slopes = np.array(self._pulled(values, inputs, judge.slope_in_outputs(judged)))
        gradient = self._scale.slopes(parameters, slopes)
        return Estimate(
            self._coordinates.pull(gradient),
            judged.loss,
            self._task.score(judged.similarity, wanted),
            judged.dark,
            self._scale.slope_rms(gradient),
        )


def whole_model(driver: Modelled, whole: WholeNetwork) -> IdealModel:
    """Return the model of all layers from their parameters side by side."""
    n_layers = len(whole.device.description.layers)
    if not whole.carries:
        cascade = driver.ideal_model(n_layers - 1)
        return lambda values, inputs: cascade(whole.parts(values[0]), inputs)
    models = [driver.ideal_model(layer) for layer in range(n_layers)]

    def outputs(values: Sequence[Any], inputs: Any) -> Any:
        parts = whole.parts(values[0])
        seen = models[0]([parts[0]], inputs)
        for model, part, carry in zip(models[1:], parts[1:], whole.carries, strict=True):
            seen = model([part], carried(carry, seen))
        return seen

    return outputs


def carried(carry: Carry, outputs: Any) -> Any:
    """Return what `Carry.apply` does to outputs (S, n) without levels, in a form that can be traced."""
    start = max(carry.lower, 0.0)
    driven = outputs if carry.lower < 0.0 else jnp.maximum(outputs, 0.0)
    peak = jnp.abs(driven).max(axis=1, keepdims=True)
    lit = peak > 0.0
    return start + driven * jnp.where(lit, (carry.upper - start) / jnp.where(lit, peak, 1.0), 0.0)
