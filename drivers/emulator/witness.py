"""The witness: every setpoint that reached an emulated output, kept in a file for who must judge it later."""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Channel = tuple[str, int]
"""Name of an instrument and number of a channel, from 1."""


class Witness:
    """Appends one line of JSON per event to a file, flushed at once: another process can read it any time.

    Times are Unix seconds, so that what two processes saw can be put in order.
    """

    def __init__(self, path: Path | None, now_s: Callable[[], float] = time.time) -> None:
        self._file = None if path is None else path.open("a", encoding="utf-8")
        self._now_s = now_s

    def output(self, instrument: str, channels: Sequence[int], values: Sequence[float], *, on: bool) -> None:
        """Record what stands at *channels* from now on; values are 0 where nothing is driven."""
        self._write("output", instrument=instrument, on=on, channels=list(channels), values=list(values))

    def refused(self, instrument: str, channel: int, value: float) -> None:
        """Record a setpoint out of limits: the instrument was asked for it and did not obey."""
        self._write("refused", instrument=instrument, channel=channel, value=value)

    def fault(self, instrument: str, kind: str, exchange: int, channel: int | None) -> None:
        """Record that a planned fault struck."""
        self._write("fault", instrument=instrument, kind=kind, exchange=exchange, channel=channel)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, event: str, **what: Any) -> None:
        if self._file is not None:
            self._file.write(json.dumps({"time_s": self._now_s(), "event": event, **what}) + "\n")
            self._file.flush()


@dataclass(frozen=True)
class Output:
    """What stood at one channel from a time on."""

    time_s: float
    value: float
    on: bool


@dataclass(frozen=True)
class Witnessed:
    """What a witness saw.

    Attributes
    ----------
    outputs
        Everything that reached each channel, in order.
    refused
        Setpoints out of limits that a channel was asked for, in order.
    faults
        The faults that struck, in order, with ``instrument``, ``kind``, ``exchange`` and ``channel``.
    """

    outputs: Mapping[Channel, Sequence[Output]]
    refused: Sequence[tuple[Channel, float]]
    faults: Sequence[Mapping[str, Any]]

    def range(self) -> dict[Channel, tuple[float, float]]:
        """Return the lowest and the highest value that ever reached each channel."""
        values = {channel: [output.value for output in seen] for channel, seen in self.outputs.items()}
        return {channel: (min(seen), max(seen)) for channel, seen in values.items()}

    def final(self) -> dict[Channel, Output]:
        """Return what stands at each channel at last."""
        return {channel: seen[-1] for channel, seen in self.outputs.items()}

    def left_on(self) -> dict[Channel, float]:
        """Return the channels that are still driven with anything but 0, and with what."""
        return {channel: output.value for channel, output in self.final().items() if output.on and output.value != 0.0}


def read_witness(path: Path) -> Witnessed:
    """Read what a witness wrote to *path*; a last line that is still being written is left out."""
    outputs: defaultdict[Channel, list[Output]] = defaultdict(list)
    refused: list[tuple[Channel, float]] = []
    faults: list[Mapping[str, Any]] = []
    for seen in _events(path):
        match seen["event"]:
            case "output":
                for channel, value in zip(seen["channels"], seen["values"], strict=True):
                    outputs[seen["instrument"], channel].append(Output(seen["time_s"], value, seen["on"]))
            case "refused":
                refused.append(((seen["instrument"], seen["channel"]), seen["value"]))
            case _:
                faults.append(seen)
    return Witnessed(outputs, refused, faults)


def _events(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)
