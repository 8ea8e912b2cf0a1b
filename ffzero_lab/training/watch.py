"""Watches the validation part of one layer: keeps the best parameters and tells when patience is at its end."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Watch:
    """The best look so far.

    Attributes
    ----------
    score
        Best validation score; −∞ before the first look.
    parameters
        (P,) parameters at that look, empty before it.
    worse
        Looks since then.
    """

    score: float = -math.inf
    parameters: FloatArray = field(default_factory=lambda: np.empty(0))
    worse: int = 0

    def looked(self, score: float, parameters: FloatArray) -> "Watch":
        """Return the watch after another look; of equally good ones the latest is kept."""
        if score > self.score:
            return Watch(score, parameters)
        kept = parameters if score == self.score else self.parameters
        return replace(self, parameters=kept, worse=self.worse + 1)

    def to_state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays and plain values, for the checkpoint."""
        return {"best_parameters": self.parameters}, {
            "best_score": None if self.score == -math.inf else self.score,
            "worse": self.worse,
        }

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray[Any]], plain: Mapping[str, Any]) -> Self:
        """Read back what :meth:`to_state` gave."""
        score = plain["best_score"]
        return cls(-math.inf if score is None else score, arrays["best_parameters"], plain["worse"])
