"""What a board of an emulation can be, and what can happen to it."""

from typing import Annotated, Literal

from pydantic import Field

from drivers.emulator.board_plant import Converters
from drivers.emulator.faults import ON_THE_WIRE, FaultKind
from drivers.emulator.instrument import LineSpec

OF_BOARDS: tuple[FaultKind, ...] = (*ON_THE_WIRE, "reboot", "dead-channel", "over-range", "wrong-count")


class BoardSpec(LineSpec):
    """Specification of a board: it drives, presents and reads the whole twin."""

    kind: Literal["board"] = "board"
    full_scale: Annotated[float, Field(gt=0.0)] | None = None
    """Reading at which a converter is saturated, in the twin's unit; None: the twin's own full scale."""
    watchdog_ms: Annotated[int, Field(ge=50, le=65_535)] = 1000
    """Time after which it parks itself when nobody speaks to it."""
    gap_ms: Annotated[int, Field(ge=1, le=1000)] = 50
    """Silence in which a frame has broken off, and after damage."""
    settle_us: Annotated[int, Field(ge=0)] = 0
    """Time to settle after a write."""
    payload_max: Annotated[int, Field(ge=64, le=65_535)] = 8192
    """Bytes of the largest payload."""
    pattern_words: Annotated[int, Field(ge=1)] = 65_536
    """Words of pattern memory."""
    readings_max: Annotated[int, Field(ge=16)] = 16_384
    """Words of memory for readings."""

    @property
    def n_channels(self) -> int:
        """Channels that a fault may name: the outputs of a layer count from 1, any of them may be meant."""
        return 1

    @property
    def breaks_by(self) -> tuple[FaultKind, ...]:
        """What can happen to it."""
        return OF_BOARDS

    @property
    def converters(self) -> Converters:
        """The board that is built around the twin."""
        sizes = {"payload_max", "pattern_words", "readings_max", "full_scale", "watchdog_ms", "gap_ms", "settle_us"}
        return Converters(serial_number=self.serial_number, **{name: getattr(self, name) for name in sizes})
