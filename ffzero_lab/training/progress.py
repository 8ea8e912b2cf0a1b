"""How far a session has come: everything that a checkpoint holds beside the network, nothing of it changed in place."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device import Counts, Patterns
from ffzero_lab.training.events import LayerDone

FloatArray = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]
Plain = dict[str, Any]


@dataclass(frozen=True)
class Progress:
    """The finished part of a session.

    Attributes
    ----------
    patterns
        (S, n_in) inputs of the layer in training.
    similarity
        (layers, S, C) similarities of the finished layers with the training patterns; zeros for the others.
    untrained
        (layers, T, C) similarities of the untrained device with the test patterns, or None.
    layers
        Finished layers, with what training each of them was counted at.
    problems
        Everything the operator was told.
    tap_power
        Mean readings at the taps of a cascade before training; None under the detection floor.
    """

    patterns: Patterns
    similarity: FloatArray
    untrained: FloatArray | None = None
    layers: tuple[tuple[LayerDone, Counts], ...] = ()
    problems: tuple[str, ...] = ()
    tap_power: tuple[float | None, ...] = ()

    def to_state(self, *, measured: bool) -> tuple[Arrays, Plain]:
        """Return arrays and plain values, for the checkpoint.

        Patterns are part of them only when they were *measured*: what the encoder gives need not be kept.
        """
        arrays: Arrays = {"similarity": self.similarity}
        if measured:
            arrays["patterns"] = self.patterns
        if self.untrained is not None:
            arrays["untrained"] = self.untrained
        plain: Plain = {
            "layers": [{"done": asdict(done), "counts": asdict(counts)} for done, counts in self.layers],
            "problems": list(self.problems),
            "tap_power": list(self.tap_power),
        }
        return arrays, plain

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray[Any]], plain: Mapping[str, Any]) -> "Progress":
        """Read back what :meth:`to_state` gave."""
        return cls(
            patterns=arrays["patterns"],
            similarity=arrays["similarity"],
            untrained=arrays.get("untrained"),
            layers=tuple((LayerDone(**entry["done"]), Counts(**entry["counts"])) for entry in plain["layers"]),
            problems=tuple(plain["problems"]),
            tap_power=tuple(plain["tap_power"]),
        )


def under(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> Arrays:
    """Return the arrays whose names start with ``prefix.``, without it."""
    start = f"{prefix}."
    return {name.removeprefix(start): values for name, values in arrays.items() if name.startswith(start)}


def named_under(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> Arrays:
    """Return the arrays with ``prefix.`` in front of their names."""
    return {f"{prefix}.{name}": values for name, values in arrays.items()}
