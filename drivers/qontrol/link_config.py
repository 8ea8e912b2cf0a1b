"""Keys of the ``[links.NAME]`` of a rack."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from drivers.qontrol.commands import Form
from drivers.qontrol.finding import PREFIX

Seconds = Annotated[float, Field(gt=0.0, le=3600.0, allow_inf_nan=False)]


def _port(text: str) -> str:
    if text.startswith(PREFIX) and re.fullmatch(r"[0-9A-Fa-f]{1,8}", text.removeprefix(PREFIX)) is None:
        raise ValueError(f"behind {PREFIX} stands the hexadecimal serial number of the first module, as in serial:0A2F")
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"it is no regular expression: {error}") from None
    return text


class RackLinkConfig(BaseModel):
    """The serial line of a Qontrol rack."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    port: Annotated[str, Field(min_length=1), AfterValidator(_port)]
    """Serial port, such as ``/dev/ttyUSB0``; or ``serial:0A2F``: the one at which the rack answers whose first module
    has this serial number."""
    search: Annotated[tuple[str, ...], Field(min_length=1)] = ("/dev/ttyUSB*", "/dev/ttyACM*")
    """Which ports are asked with ``serial:``; each is sent one line, so leave out what must not be spoken to."""
    baud: Annotated[int, Field(ge=300, le=20_000_000)] = 115_200
    """Speed of the port, bits per second."""
    identity: Annotated[str, AfterValidator(_pattern)] = "Q8.*"
    """Regular expression that the whole answer to ``id?`` must match; another instrument is refused."""
    form: Form = "ascii"
    """Of vectors: ``ascii``, or ``binary``, which takes a third of the time and is in steps of the converter."""
    buffer_bytes: Annotated[int, Field(ge=1, le=65536)] = 256
    """Most bytes that are sent before answers are waited for; 1: one message at a time."""
    deadline_s: Seconds = 0.25
    """Longest exchange, besides the time that its bytes take on the wire; in parking 0.2 of its time if shorter."""
    connect_s: Seconds = 2.0
    """Longest time to connect, searching included."""
    quiet_s: Seconds = 0.2
    """A line that is silent for so long has no late answer on the way any more."""
    attempts: Annotated[int, Field(ge=1, le=20)] = 3
    """How often a reading or a connection is tried."""
    pause_s: Seconds = 0.1
    """Before the second attempt; doubles."""
    log: Path | None = None
    """File to which every exchange is appended."""
