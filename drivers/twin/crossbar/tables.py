"""Tables of a crossbar twin's configuration: what a made array and its bench have that an ideal one has not."""

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from drivers.twin.tables import BenchLatencies, Seconds, Table
from ffzero_lab.device import Timing


def _no_single_bit(bits: int) -> int:
    if bits == 1:
        raise ValueError("one bit has no code for zero between its ends; allowed: 0 (continuous), 2 to 24")
    return bits


Share = Annotated[float, Field(ge=0.0, le=0.2)]
Bits = Annotated[int, Field(ge=0, le=24), AfterValidator(_no_single_bit)]


class Cells(Table):
    """The memory cells, two for each crosspoint: G⁺ and G⁻, each from 0 to its full scale."""

    programming_error: Share = 0.0
    """Standard deviation of a written differential conductance, as a fraction of a cell's full scale, drawn anew at
    every write (phase-change memory, programmed and verified: 0.26 µS of 25 µS; Joshi et al. 2020, Nat. Commun. 11,
    2473)."""
    relative_error: Share = 0.0
    """Additional standard deviation as a fraction of what is written, drawn anew at every write."""
    spread: Share = 0.0
    """Standard deviation of each crosspoint's own conductance, as a fraction of what is written; always the same."""
    bits: Bits = 0
    """Levels of a cell, over its full scale (2,048 were shown by Rao et al. 2023, Nature 615, 823); 0: continuous."""
    stuck_off: Share = 0.0
    """Share of the cells that stay at zero."""
    stuck_on: Share = 0.0
    """Share of the cells that stay at full scale."""


class Drift(Table):
    """Conductances fall with the time since they were written, G(t) = G₀·(1 + t/t₀)^−ν (Joshi et al. 2020)."""

    exponent: Annotated[float, Field(ge=0.0, le=0.5)] = 0.0
    """Mean of ν: 0.05 for crystalline phase-change cells, 0.1 for amorphous ones, 0 for cells that hold."""
    exponent_spread: Annotated[float, Field(ge=0.0, le=0.2)] = 0.0
    """Standard deviation of ν from crosspoint to crosspoint; it is never negative."""
    reference_s: Annotated[float, Field(gt=0.0, le=1e9)] = 20.0
    """t₀, how long after the last pulse the power law sets in."""


class Drivers(Table):
    """The converters that turn inputs into voltages, one for each row."""

    dac_bits: Bits = 0
    """Resolution over the range of the inputs; 0: continuous."""


class Readout(Table):
    """The amplifiers of the columns and the converters behind them."""

    full_scale: Annotated[float, Field(ge=1e-6, le=1e6)] = 4.0
    """Largest readable output, where 1 is one fully driven row through one feedback conductance; 1 behind tanh."""
    gain_error: Share = 0.0
    """Standard deviation of the columns' gains, as a fraction."""
    offset: Share = 0.0
    """Standard deviation of the columns' offsets, as a fraction of full scale."""
    noise: Annotated[float, Field(ge=0.0, le=0.2)] = 0.0  # at 4 sigmas a fourth of full scale would be all noise
    """Standard deviation of a reading, amplifiers and cells together, as a fraction of full scale."""
    adc_bits: Bits = 0
    """Resolution over the range of the outputs, at whose ends readings saturate; 0: continuous and unlimited."""


class Latencies(BenchLatencies):
    """How long the imitated bench takes; one that is left out keeps its default."""

    named_by: ClassVar[frozenset[str]] = frozenset({"write_s", "vector_s"})

    write_s: Seconds = 10e-3
    """τp: one write of all conductances of a layer, row by row, verified."""
    vector_s: Seconds = 1e-6
    """One product: a vector of inputs presented, all columns converted. A convolution takes one for each patch."""
    imitates: str = "memory cells programmed row by row through a controller, converters of 1 MS/s"
    """What bench these latencies belong to."""

    def stated(self, vectors: int) -> Timing:
        """Return what the description says, for patterns of at most so many *vectors* in any layer."""
        return Timing(write_s=self.write_s, shot_s=vectors * self.vector_s, imitates=self.imitates)
