"""Presents staged patterns: one by one, or through an instrument's own memory, in parts where it is too small."""

from collections.abc import Iterator, Mapping

import numpy as np

from drivers.bench.mounting import Mounted, Plug
from drivers.bench.roles import Inputs
from ffzero_lab.device import FloatArray, Patterns, RowIndex


class PatternMemory:
    """What the memory of one instrument holds, as far as this program has filled it."""

    def __init__(self, instrument: Mounted[Inputs]) -> None:
        self._instrument = instrument
        self._layer: int | None = None
        self._addresses: dict[int, int] = {}

    @property
    def size(self) -> int:
        """Patterns that fit."""
        return self._instrument.wiring.memory

    def forget(self) -> None:
        """Take nothing for granted any more: other patterns were staged, or the instrument has restarted."""
        self._layer, self._addresses = None, {}

    def addresses(self, layer: int, rows: RowIndex, vectors: "Vectors") -> list[int]:
        """Return where *rows* stand, having stored those that do not stand there yet, in the order of *rows*.

        Storing is one call that nothing interrupts, so that no other patterns are stored with them. At most ``size``
        different rows may be asked for at once.
        """
        asked = [int(row) for row in rows]
        if layer != self._layer or len({*self._addresses, *asked}) > self.size:
            self.forget()
        missing = [row for row in dict.fromkeys(asked) if row not in self._addresses]
        if missing:
            first = len(self._addresses)
            self._instrument.driver.load(first, vectors.of(np.array(missing, dtype=np.intp)))
            self._layer = layer
            self._addresses |= {row: address for address, row in enumerate(missing, first)}
        return [self._addresses[row] for row in asked]


class Vectors:
    """Patterns of one layer as one instrument is given them: its mapped channels, those of other layers dark."""

    def __init__(self, plug: Plug[Inputs], patterns: Patterns) -> None:
        self._plug = plug
        self._patterns = patterns

    def of(self, rows: RowIndex) -> FloatArray:
        """Return the values (len(rows), n) of the mapped channels."""
        vectors = np.tile(self._plug.instrument.safe, (len(rows), 1))
        vectors[:, self._plug.places] = self._patterns[rows][:, self._plug.indices]
        return vectors


class Presenter:
    """Presents rows of the staged patterns of one layer.

    Parameters
    ----------
    layer
        The layer whose *patterns* (S, n_in) these are.
    plugs
        Where its inputs lead.
    memories
        The pattern memories by the name of their instrument; instruments that have none are missing.
    """

    def __init__(
        self, layer: int, patterns: Patterns, plugs: tuple[Plug[Inputs], ...], memories: Mapping[str, PatternMemory]
    ) -> None:
        self._layer = layer
        self._patterns = patterns
        self._plugs = [(plug.instrument, Vectors(plug, patterns)) for plug in plugs]
        self._memories = memories

    def parts(self, rows: RowIndex) -> Iterator[RowIndex]:
        """Split *rows*, in their order, so that every part fits into every memory."""
        sizes = [self._memories[one.name].size for one, _ in self._plugs if one.name in self._memories]
        most = min(sizes, default=len(rows))
        if most >= len(self._patterns) or most >= len(rows):
            yield rows
            return
        for start in range(0, len(rows), most):
            yield rows[start : start + most]

    def step_by_itself(self, part: RowIndex) -> bool:
        """Let the instrument step through *part* at every reading; False, and nothing done, where it cannot."""
        if len(self._plugs) != 1 or self._plugs[0][0].name not in self._memories:
            return False
        instrument, vectors = self._plugs[0]
        return instrument.driver.arm(self._addresses(instrument, vectors, part))

    def stepped(self, count: int) -> None:
        """Make sure that the instrument has stepped with *count* readings."""
        self._plugs[0][0].driver.finish(count)

    def confirm(self) -> None:
        """Make sure that every instrument still holds what it was given."""
        for instrument, _ in self._plugs:
            instrument.driver.confirm()

    def one_by_one(self, part: RowIndex) -> Iterator[None]:
        """Present one row of *part* after the other; each stays on until the next is asked for."""
        loaded = [
            (one.driver, self._addresses(one, vectors, part) if one.name in self._memories else None, vectors)
            for one, vectors in self._plugs
        ]
        sent = [None if addresses is not None else vectors.of(part) for _, addresses, vectors in loaded]
        for number in range(len(part)):
            for (driver, addresses, _), values in zip(loaded, sent, strict=True):
                if addresses is not None:
                    driver.recall(addresses[number])
                elif values is not None:
                    driver.present(values[number])
            yield

    def _addresses(self, instrument: Mounted[Inputs], vectors: Vectors, part: RowIndex) -> list[int]:
        return self._memories[instrument.name].addresses(self._layer, part, vectors)
