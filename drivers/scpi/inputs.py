"""Instruments that present patterns: modulators, force coils, with or without a pattern memory."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from drivers.bench.roles import Inputs, Wiring
from drivers.scpi.commands import OfAddress, OfAddresses, Plain, StoreAt, written
from drivers.scpi.connection import Complained, Connection
from drivers.scpi.sources import Source, SourceConfig
from ffzero_lab.device import BadReply, FloatArray, StagingLost


class InputsConfig(SourceConfig):
    """How a source of patterns is spoken to."""

    store: StoreAt | None = None
    """Stores a pattern, such as ``:MEMory:DATA {address},{values}``."""
    read_stored: OfAddress | None = None
    """Asks for a stored pattern; every pattern is compared after it was stored."""
    recall: OfAddress | None = None
    """Presents a stored pattern."""
    step_through: OfAddresses | None = None
    """Presents stored patterns one after the other, each time the detectors have measured."""
    position: Plain | None = None
    """Asks which of them is presented, from 0; compared at the end."""
    first_address: Annotated[int, Field(ge=0)] = 0
    """Number of the first place in the memory."""

    @model_validator(mode="after")
    def _memory_is_whole(self) -> Self:
        if (self.store is None) != (self.recall is None) or (self.store is None) != (self.read_stored is None):
            raise ValueError(
                "a pattern memory needs store, read_stored and recall: a pattern that cannot be read back may have "
                "been cut short without notice"
            )
        if (self.step_through is None) != (self.position is None):
            raise ValueError("step_through needs position, to notice a step that was lost")
        return self


class ScpiInputs(Source, Inputs):
    """Setpoints that are patterns."""

    Config: ClassVar[type[Any]] = InputsConfig
    remembers: ClassVar[bool] = True

    def __init__(self, config: InputsConfig, wiring: Wiring, connection: Connection) -> None:
        super().__init__(config, wiring, connection)
        self._dialect = config
        self._stored: dict[int, FloatArray] = {}
        self._armed: list[FloatArray] = []
        """The patterns of the sequence that is stepped through, in order."""

    def present(self, values: FloatArray) -> None:
        """Present *values* (n,) and leave them on."""
        self.write(values)

    def load(self, address: int, patterns: FloatArray) -> None:
        """Store *patterns* (S, n) from *address* on, each of them read back and compared."""
        config, spec = self._dialect, self._dialect.number or ""
        if config.store is None or config.read_stored is None:
            super().load(address, patterns)  # says that there is no memory
            return
        for number, pattern in enumerate(patterns, address):
            values, place = self._of_all_channels(pattern), number + config.first_address
            store = config.store.format(address=place, values=written(values, spec, config.separator))
            read_stored = config.read_stored.format(address=place)
            for _ in range(config.attempts):
                self._raise_if_restarted()
                seen = self._insistent(partial(self._stored_as, store, read_stored, len(values)))
                if not self._differing(seen, values).size:
                    self._stored[number] = values
                    break
            else:
                raise BadReply(
                    f"{self._wiring.name}: pattern {number} was stored {config.attempts} times, and reads otherwise"
                )

    def recall(self, address: int) -> None:
        """Present the stored pattern at *address*, and leave it on."""
        config = self._dialect
        if config.recall is None:
            super().recall(address)
            return
        wanted = self._stored[address]
        commands = [config.recall.format(address=address + config.first_address), *self._switching_on]
        try:
            seen = self._confirmed(commands, wanted)
        except Complained as refused:
            raise self._lost(f"pattern {address} cannot be presented: {refused}") from refused
        if self._differing(seen, wanted).size:
            raise self._lost(f"at address {address} stands another pattern than was stored there")

    def arm(self, addresses: Sequence[int]) -> bool:
        """Present the first of the stored patterns, and the next after each reading of the detectors.

        What it presents is read back here and, of the last pattern, in :meth:`finish`; that a pattern between them
        comes out as it was stored, nobody can tell without asking at every step.
        """
        config = self._dialect
        if config.step_through is None:
            return False
        self._raise_if_restarted()
        self._armed = [self._stored[address] for address in addresses]
        self._known = [self._stored[address] for address in {*addresses}]
        places = ",".join(str(address + config.first_address) for address in addresses)
        commands = [config.step_through.format(addresses=places), *self._switching_on]
        try:
            for _ in range(config.attempts):
                seen = self._insistent(lambda: self._sent(commands))
                if not self._differing(seen, self._armed[0]).size:
                    return True
        except Complained as refused:
            raise self._lost(f"the stored patterns cannot be stepped through: {refused}") from refused
        raise BadReply(
            f"{self._wiring.name}: the pattern at address {addresses[0]} was presented {config.attempts} times, and "
            "another one is read back"
        )

    def finish(self, count: int) -> None:
        """Raise StagingLost unless the last of *count* armed patterns stands: a lost trigger shifts all the others."""
        position = int(self._connection.numbers(str(self._dialect.position), 1)[0])
        self._raise_if_restarted()
        if position != count - 1:
            raise self._lost(f"after {count} readings pattern {position} of the sequence stands, not {count - 1}")
        standing = self._asked()
        self._raise_if_restarted()
        if self._differing(standing, self._armed[count - 1]).size:
            raise self._lost(f"after {count} readings another pattern stands than was stored")

    def _stored_as(self, store: str, read_stored: str, count: int) -> FloatArray:
        return self._connection.command_and_read([store], read_stored, count, self._dialect.separator)

    def _forget(self) -> None:
        self._stored.clear()

    def _lost(self, what: str) -> StagingLost:
        self._forget()
        return StagingLost(f"{self._wiring.name}: {what}")
