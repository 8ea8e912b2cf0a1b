"""What a run told of its bench: readings against their bounds, links, and the history of the readings."""

from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from ffzero_lab.dashboard.envelope import Envelope
from ffzero_lab.runs.parsing import parsed

Standing = Literal["within", "beyond", "not bounded", "no reading"]


def channels(manifest: Mapping[str, Any], status: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return every health channel of the run's device with its newest reading and its bounds, the tightest of each."""
    health: Mapping[str, Any] = (status or {}).get("health") or {}
    readings: Mapping[str, float] = health.get("readings", {})
    extra: Mapping[str, Mapping[str, Any]] = manifest.get("interlocks") or {}
    told = {channel["name"]: channel for channel in manifest["device"]["description"].get("health", ())}
    found: list[dict[str, Any]] = []
    for name in dict.fromkeys([*told, *readings]):
        own: Mapping[str, Any] = told.get(name, {})
        bounds = (own, extra.get(name, {}))
        lower = max((b["lower"] for b in bounds if b.get("lower") is not None), default=None)
        upper = min((b["upper"] for b in bounds if b.get("upper") is not None), default=None)
        reading = readings.get(name)
        found.append(
            {
                "name": name,
                "unit": own.get("unit", ""),
                "reading": reading,
                "lower": lower,
                "upper": upper,
                "standing": _standing(reading, lower, upper),
            }
        )
    return found


def _standing(reading: float | None, lower: float | None, upper: float | None) -> Standing:
    if reading is None:
        return "no reading"
    if lower is None and upper is None:
        return "not bounded"
    return "beyond" if (lower is not None and reading < lower) or (upper is not None and reading > upper) else "within"


class HealthHistory:
    """Follows ``health.jsonl`` of a run: one bounded curve for each channel."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0
        self.curves: dict[str, Envelope] = {}
        """By channel, over wall seconds since the Epoch."""

    def refresh(self) -> None:
        """Read what was appended; a file that is not there, or cannot be read, holds nothing."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._position)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self._position += len(line)
                    for name, at_s, reading in _readings(line):
                        self.curves.setdefault(name, Envelope()).extend([at_s], [at_s], [reading])
        except OSError:
            return


def _readings(line: bytes) -> Iterator[tuple[str, float, float]]:
    """Yield channel, time and reading of one line; nothing of a line that is damaged."""
    try:
        row: Any = parsed(line)
        at_s = float(row["at_s"])
        told = [(str(name), at_s, float(reading)) for name, reading in row["readings"].items() if reading is not None]
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return
    yield from (each for each in told if isfinite(each[1]) and isfinite(each[2]))
