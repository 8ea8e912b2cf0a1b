"""What every emulated instrument is, whatever it speaks: a box that answers messages and can be switched on."""

from abc import ABC, abstractmethod
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from drivers.emulator.wires import Wires

Name = Annotated[str, Field(min_length=1, pattern=r"^[\w-]+$")]


class InstrumentSpec(BaseModel):
    """What the specifications of all instruments have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    name: Name
    """Its name in this emulation."""
    serial_number: Annotated[str, Field(pattern=r"^[\w.-]+$")] = "EMU-1"
    """What it says of itself."""
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    """TCP port on the loopback interface; 0: any free one."""
    wires: tuple[Wires, ...] = ()
    """Which channel leads where; empty: all channels in order, layer after layer."""


class Instrument(ABC):
    """A box on the bench. Whoever calls holds the lock of the apparatus."""

    @abstractmethod
    def answer(self, message: bytes) -> bytes:
        """Obey one message, without its terminator; returns the reply with its terminator, or nothing."""

    @abstractmethod
    def overrun(self) -> None:
        """Take note of a message that was too long for the input buffer and is lost."""

    @abstractmethod
    def undelivered(self) -> None:
        """Take note of a reply that nobody took."""

    @abstractmethod
    def power_up(self) -> None:
        """Be as after switching on: setpoints, settings and whatever was staged are lost, nothing is energised."""
