"""The settings at which a mesh is read for its transfer matrices: random ones, each with several input phases."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.photonic import contexts
from calibration.photonic.mesh_model import Layout
from calibration.procedure import Bench, Sweep, standing_at

FloatArray = NDArray[np.float64]
PARTS = 3
_APART = 10_000
"""Numbers of backgrounds that one attempt may use; `fringes` and `detectors` draw from generators of their own."""


@dataclass(frozen=True)
class Design:
    """How much is read: at each of ``groups`` random settings of θ and φ, ``turns`` settings of γ, and again some.

    A transfer matrix of N ports needs more than N² + 1 readings of each output, with several γ to tell the phases.
    """

    ports: int
    groups: int
    turns: int = 4
    again: int = 8
    """Settings that are read again at the end, to see the drift."""

    @property
    def patterns(self) -> int:
        """Patterns read at each setting."""
        return max(24, -(-3 * self.ports**2 // (2 * self.turns)))

    @property
    def settings(self) -> int:
        """Settings in all."""
        return self.groups * self.turns + self.again


def design_for(layout: Layout) -> Design:
    """Return how much is read of a mesh; MZIs that pass little light at one setting are seen at another."""
    return Design(layout.ports, max(30, 3 * layout.ports))


def measured(bench: Bench, layout: Layout, design: Design, attempt: int) -> tuple[Sweep, Sweep]:
    """Return setpoints (S, P), readings (S, B, n) and seconds at random settings, and of the first groups once more.

    Turns of one group follow one another. Everything comes in parts that are kept.
    """

    def read(setpoints: FloatArray) -> Sweep:
        began_s = bench.device.clock.now_s()
        contexts.load(bench, contexts.coherent_patterns(bench, design.patterns))
        readings = bench.device.probe(bench.layer, setpoints, np.arange(design.patterns))
        seconds = bench.device.clock.now_s() - began_s
        return {"setpoints": setpoints, "readings": readings.astype(np.float32), "seconds": np.array([seconds])}

    wanted = _settings(bench, layout, design, attempt)
    parts: list[Sweep] = []
    for number, those in enumerate(np.array_split(wanted, PARTS)):
        parts.append(bench.kept(f"attempt {attempt}, part {number}", lambda those=those: read(those)))
    again = bench.kept(f"attempt {attempt}, again", lambda: read(wanted[: design.again * design.turns : design.turns]))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, again


def _settings(bench: Bench, layout: Layout, design: Design, attempt: int) -> FloatArray:
    """Return setpoints (groups·turns, P) within limits and budget, dead heaters as parking leaves them."""
    described = bench.described
    count = design.groups * design.turns
    drawn = np.stack([contexts.background(bench, _APART * (1 + attempt) + number) for number in range(count)])
    drawn[:, : 2 * layout.n_mzi] = np.repeat(drawn[:: design.turns, : 2 * layout.n_mzi], design.turns, axis=0)
    s, parked = contexts.to_s(described, drawn), contexts.to_s(described, standing_at(described))
    heaviest = int(np.argmax([contexts.drawn_w(described, setpoints) for setpoints in drawn]))
    allowed = contexts.to_s(described, contexts.within_budget(bench, s[heaviest]))
    moved = s[heaviest] - parked
    share = float(moved @ (allowed - parked) / (moved @ moved))
    return drawn if share > 1.0 - 1e-9 else contexts.from_s(described, parked + share * (s - parked))
