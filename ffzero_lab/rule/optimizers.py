"""Turns gradient estimates into updates; the whole state is a few arrays, so that a run can resume exactly."""

from collections.abc import Mapping
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
OptimizerName = Literal["adam", "normalised", "momentum", "sgd"]
ScheduleName = Literal["cosine", "constant"]


class Optimizer(Protocol):
    """An update rule with its memory."""

    def update(self, gradient: FloatArray, learning_rate: float | FloatArray) -> FloatArray:
        """Return the change (P,) to add to the parameters, for one learning rate or one per parameter (P,)."""
        ...

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return the memory as named arrays."""
        ...

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Put back what :meth:`state` returned."""
        ...


class Sgd:
    """θ ← θ − η ĝ, the paper's rule."""

    def update(self, gradient: FloatArray, learning_rate: float | FloatArray) -> FloatArray:
        """Return −η ĝ."""
        return -learning_rate * gradient

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return no arrays: plain descent has no memory."""
        return {}

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Accept an empty state."""
        del state


class Normalised:
    """Descent by steps of one length: θ ← θ − η u/RMS(u), the slopes u being those per learning rate of each parameter.

    A steep batch counts no more than a flat one, which plain descent needs a fitting η for; unlike in Adam, a parameter
    whose slope is small stays nearly where it is, so that its noise is not made large.
    """

    def update(self, gradient: FloatArray, learning_rate: float | FloatArray) -> FloatArray:
        """Return −η u/RMS(u) with u = η ĝ, which has no unit; the RMS is over what was measured, not over zeros."""
        slope = learning_rate * gradient
        largest = float(np.abs(slope).max(initial=0.0))
        if largest == 0.0:
            return np.zeros_like(gradient)
        slope = slope / largest
        measured = np.count_nonzero(slope)
        return -learning_rate * slope / np.sqrt((slope @ slope) / measured)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return no arrays: every step stands for itself."""
        return {}

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Accept an empty state."""
        del state


class Momentum:
    """Heavy-ball momentum (Polyak 1964): m ← μm + ĝ, θ ← θ − η m."""

    def __init__(self, n_parameters: int, decay: float = 0.9) -> None:
        self._decay = decay
        self._velocity = np.zeros(n_parameters)

    def update(self, gradient: FloatArray, learning_rate: float | FloatArray) -> FloatArray:
        """Return −η m."""
        self._velocity = self._decay * self._velocity + gradient
        return -learning_rate * self._velocity

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return the velocity."""
        return {"velocity": self._velocity}

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Put the velocity back."""
        self._velocity = np.array(state["velocity"], dtype=np.float64)


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1)."""

    def __init__(
        self, n_parameters: int, first_decay: float = 0.9, second_decay: float = 0.999, floor: float = 1e-8
    ) -> None:
        self._decays = (first_decay, second_decay)
        self._floor = floor
        self._first = np.zeros(n_parameters)
        self._second = np.zeros(n_parameters)
        self._count = 0

    def update(self, gradient: FloatArray, learning_rate: float | FloatArray) -> FloatArray:
        """Return −η m̂/(√v̂ + floor)."""
        first_decay, second_decay = self._decays
        self._count += 1
        self._first = first_decay * self._first + (1.0 - first_decay) * gradient
        self._second = second_decay * self._second + (1.0 - second_decay) * gradient * gradient
        first = self._first / (1.0 - first_decay**self._count)
        second = self._second / (1.0 - second_decay**self._count)
        return -learning_rate * first / (np.sqrt(second) + self._floor)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return both moments and the count of updates."""
        return {"first": self._first, "second": self._second, "count": np.array(self._count)}

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Put the moments back."""
        self._first = np.array(state["first"], dtype=np.float64)
        self._second = np.array(state["second"], dtype=np.float64)
        self._count = int(state["count"])


def optimizer_named(name: OptimizerName, n_parameters: int) -> Optimizer:
    """Return a fresh optimizer of that name."""
    if name == "sgd":
        return Sgd()
    if name == "normalised":
        return Normalised()
    return Momentum(n_parameters) if name == "momentum" else Adam(n_parameters)


def scheduled(schedule: ScheduleName, step: int, steps: int) -> float:
    """Return the share of the learning rate at *step* (from 0) out of *steps*: all of it, or half a cosine to zero."""
    if schedule == "constant":
        return 1.0
    return 0.5 * (1.0 + float(np.cos(np.pi * step / steps)))
