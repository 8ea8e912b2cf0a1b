"""What every emulated instrument is, whatever it speaks: a box that answers messages and can be switched on."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Annotated, ClassVar

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
    wires: tuple[Wires, ...] = ()
    """Which channel leads where; empty: all channels in order, layer after layer."""


class SocketSpec(InstrumentSpec):
    """What the specifications of instruments at a socket have in common."""

    port: Annotated[int, Field(ge=0, le=65535)] = 0
    """TCP port on the loopback interface; 0: any free one."""


class LineSpec(InstrumentSpec):
    """What the specifications of instruments at a serial line have in common."""

    baud: Annotated[int, Field(ge=300, le=20_000_000)] = 115_200
    """Speed of the line, bits per second: a byte takes ten of them, each way."""
    path: Path | None = None
    """Where the port appears (a link to a pseudo-terminal); None: ``NAME`` in a new temporary folder."""


class Instrument(ABC):
    """A box on the bench. Whoever calls holds the lock of the apparatus.

    The class attributes and the methods that are not abstract are for instruments at a serial line.
    """

    gap_s: ClassVar[float | None] = None
    """Silence inside a message after which it has broken off; None: the rest is waited for without end."""
    tick_s: ClassVar[float | None] = None
    """How often ``tick`` is called; None: never."""
    longest: ClassVar[int] = 65_536
    """Bytes of a message that its buffer can hold."""

    @abstractmethod
    def answer(self, message: bytes) -> bytes:
        """Obey one message, without its terminator; returns the reply with its terminator, or nothing."""

    @abstractmethod
    def overrun(self) -> bytes:
        """Take note of a message that was too long for the input buffer and is lost; returns what it says to that."""

    @abstractmethod
    def undelivered(self) -> None:
        """Take note of a reply that nobody took."""

    @abstractmethod
    def power_up(self) -> None:
        """Be as after switching on: setpoints, settings and whatever was staged are lost, nothing is energised."""

    def message_end(self, received: bytes) -> int | None:
        """Return the length of the message that begins *received*, terminator included; None while more is needed.

        At a serial line ``answer`` is given the whole of it. Default: a line.
        """
        return received.find(b"\n") + 1 or None

    def broken_off(self, received: bytes) -> bytes:
        """Take note of a message of which no more came for ``gap_s``; returns what the instrument says to that."""
        del received
        return b""

    def tick(self) -> bytes:
        """Do what is done without being told to, such as to watch over a heartbeat; returns what it says unasked."""
        return b""

    def greeting(self) -> bytes | None:
        """Return what it says by itself after switching on; None: its port vanishes instead, and comes back."""
        return None
