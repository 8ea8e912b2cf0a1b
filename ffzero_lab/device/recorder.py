"""Keeps every exchange at the device port, between the guard and the driver."""

import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device.clock import Clock, HeldClock, VirtualClock, VirtualHeldClock
from ffzero_lab.device.described import to_arrays, to_plain
from ffzero_lab.device.exchanges import OUTPUTS, Exchange, Stored, pack
from ffzero_lab.device.link_tally import LinkTally
from ffzero_lab.device.port import Device, FloatArray, Patterns, RowIndex
from ffzero_lab.device.recording import FOLDER, RecordingWriter

T = TypeVar("T")
ASKED_OF_SOME = ("read_actuators", "exact_slopes", "identify", "safe_parameters", "safe_inputs", "read_standing")
"""Methods that only some devices have, and whose answers are kept as well."""
SUPPORTED = (*ASKED_OF_SOME, "snapshot", "restore", "ideal_model")
"""All methods that only some devices have."""


class Recorder(Device):
    """A driver whose every exchange is written down, in order, with the clock's time at its end.

    What happens before :meth:`begin` is kept in memory until then. The clock stands still between two exchanges, so
    that a replay sees the same time. A failure to write ends the run, as any failure to persist does; when it happens
    while the device is parked, closed or asked for its health, the next exchange tells of it.
    """

    def __init__(self, driver: Device) -> None:
        self.driver, self.description = driver, driver.description
        virtual = isinstance(driver.clock, VirtualClock)
        self._held: HeldClock = (VirtualHeldClock if virtual else HeldClock)(driver.clock.now_s(), driver.clock)
        self.clock: Clock = self._held
        self._writer: RecordingWriter | None = None
        self._waiting: list[Callable[[int], list[Stored]]] = []
        self._failure: OSError | None = None
        self._lock = threading.Lock()  # a watcher reads the health meanwhile
        has = [name for name in SUPPORTED if hasattr(driver, name)]
        for name in has:  # on the instance: what a device can do is asked of the object
            method = getattr(driver, name)
            setattr(self, name, partial(self._asked, name, method) if name in ASKED_OF_SOME else method)
        if "restore" in has:
            self.restore = self._restored
        plain = {"description": to_plain(driver.description), "has": has, "virtual": virtual}
        self._keep("opened", None, {}, to_arrays(driver.description), plain)

    def begin(self, writer: RecordingWriter) -> None:
        """Write what was kept in memory so far, and everything from now on, with *writer*."""
        with self._lock:
            self._writer = writer
            for packed in self._waiting:
                writer.append(packed(writer.exchanges + 1))
            self._waiting.clear()

    def go_back(self, exchanges: int) -> None:
        """Go on behind the first so many *exchanges*; later ones move to the superseded ones. Raises OSError."""
        with self._lock:
            writer = self._writer
            if writer is not None and writer.exchanges > exchanges:
                writer.close()
                self._writer = RecordingWriter.reopen(writer.folder, exchanges)

    @property
    def exchanges(self) -> int:
        """How many exchanges were written so far."""
        return 0 if self._writer is None else self._writer.exchanges

    def sync(self) -> None:
        """Wait until everything written is on the disk."""
        if self._writer is not None:
            self._writer.sync()

    def as_json(self) -> dict[str, Any]:
        """Return what a summary says of the recording."""
        size = 0 if self._writer is None else self._writer.bytes
        return {"folder": FOLDER, "exchanges": self.exchanges, "bytes": size}

    def load_inputs(self, layer: int, patterns: Patterns) -> None:
        """Stage *patterns* (S, n_in)."""
        self._exchange("load_inputs", layer, {"patterns": patterns}, lambda: self.driver.load_inputs(layer, patterns))

    def write_parameters(self, layer: int, values: FloatArray) -> None:
        """Set *values* (P,)."""
        given = {"values": values}
        self._exchange("write_parameters", layer, given, lambda: self.driver.write_parameters(layer, values))

    def read_outputs(self, layer: int, rows: RowIndex) -> FloatArray:
        """Read the staged *rows*; returns (len(rows), n_out)."""
        return self._exchange("read_outputs", layer, {"rows": rows}, lambda: self.driver.read_outputs(layer, rows))

    def probe(self, layer: int, settings: FloatArray, rows: RowIndex) -> FloatArray:
        """Measure *settings* (K, P); returns (K, len(rows), n_out)."""
        given = {"settings": settings, "rows": rows}
        return self._exchange("probe", layer, given, lambda: self.driver.probe(layer, settings, rows))

    def read_parameters(self, layer: int) -> FloatArray | None:
        """Return the setpoints (P,) as the hardware reports them, or None."""
        return self._exchange("read_parameters", layer, {}, lambda: self.driver.read_parameters(layer))

    def read_health(self) -> Mapping[str, float]:
        """Return the health readings by channel name; the clock stands still by it."""
        error: Exception | None = None
        health: Mapping[str, float] = {}
        try:
            health = self.driver.read_health()
        except Exception as failure:
            error = failure
            raise
        finally:
            self._keep_later_told("read_health", {name: float(value) for name, value in health.items()}, error)
        return health

    def link_tallies(self) -> Mapping[str, LinkTally]:
        """Return what each link has seen; no exchange, so that nothing is kept of it."""
        return self.driver.link_tallies()

    def park(self) -> None:
        """Park the device, then write it down."""
        self._end("park", self.driver.park)

    def close(self) -> None:
        """Close the device, then the recording."""
        try:
            self._end("close", self.driver.close)
        finally:
            with self._lock:
                if self._writer is not None:
                    self._writer.close()

    def _asked(self, call: str, method: Callable[..., Any], *arguments: Any) -> Any:
        layer = int(arguments[0]) if arguments else None
        return self._exchange(call, layer, arrays_among(arguments), lambda: method(*arguments))

    def _restored(self, state: Mapping[str, NDArray[Any]]) -> None:
        cast("Any", self.driver).restore(state)
        self._held.restore(self.driver.clock.now_s())
        self._keep("restored", None, {}, {})

    def _end(self, call: str, act: Callable[[], None]) -> None:
        error: Exception | None = None
        try:
            act()
        except Exception as failure:
            error = failure
            raise
        finally:
            self._held.reached(self.driver.clock.now_s())
            self._keep_later_told(call, None, error)

    def _keep_later_told(self, call: str, plain: Any, error: Exception | None) -> None:
        """Keep what must not fail for want of a disk; the next exchange tells of that."""
        try:
            self._keep(call, None, {}, {}, plain, error)
        except OSError as failure:
            self._failure = failure

    def _exchange(self, call: str, layer: int | None, given: Mapping[str, NDArray[Any]], act: Callable[[], T]) -> T:
        if self._failure is not None:
            raise self._failure
        try:
            answer = act()
        except Exception as error:
            self._held.reached(self.driver.clock.now_s())
            self._keep(call, layer, given, {}, error=error)
            raise
        self._held.reached(self.driver.clock.now_s())
        self._keep(call, layer, given, *_answered(answer))
        return answer

    def _keep(
        self,
        call: str,
        layer: int | None,
        given: Mapping[str, NDArray[Any]],
        answered: Mapping[str, NDArray[Any]],
        plain: Any = None,
        error: Exception | None = None,
    ) -> None:
        told = None if error is None else (type(error).__name__, str(error))
        now_s = self._held.now_s()
        described = None if layer is None else self.description.layers[layer]
        step, unit = (None, "") if described is None else (described.output_step, described.output_unit)

        def packed(number: int) -> list[Stored]:
            return pack(Exchange(number, call, layer, now_s, given, answered, plain, told), step, unit)

        with self._lock:
            if self._writer is None:
                self._waiting.append(packed)
            else:
                self._writer.append(packed(self._writer.exchanges + 1))


def recorder_of(device: Any) -> Recorder | None:
    """Return the recorder that stands behind a device's guard, or None."""
    driver = getattr(device, "driver", None)
    return driver if isinstance(driver, Recorder) else None


def begin_recording(device: Any, run: Path) -> None:
    """Begin the recording in a new *run* folder, where *device* is one that is recorded."""
    recorder = recorder_of(device)
    if recorder is not None:
        recorder.begin(RecordingWriter.create(run / FOLDER))


def go_on_recording(device: Any, run: Path, exchanges: int) -> None:
    """Go on with the recording of *run* behind so many *exchanges*, where *device* is one that is recorded."""
    recorder = recorder_of(device)
    if recorder is not None:
        recorder.begin(RecordingWriter.reopen(run / FOLDER, exchanges))


def arrays_among(arguments: tuple[Any, ...]) -> dict[str, NDArray[Any]]:
    """Return the arrays among the arguments of a call, by their place."""
    return {f"argument{place}": value for place, value in enumerate(arguments) if isinstance(value, np.ndarray)}


def _answered(answer: Any) -> tuple[dict[str, NDArray[Any]], Any]:
    """Split an answer into arrays by name and what JSON holds."""
    if isinstance(answer, np.ndarray):
        return {OUTPUTS: cast("NDArray[Any]", answer)}, None
    if isinstance(answer, tuple):
        parts = cast("tuple[NDArray[Any], ...]", answer)
        return {f"part{place}": part for place, part in enumerate(parts)}, None
    return {}, dict(cast("Mapping[str, Any]", answer)) if isinstance(answer, Mapping) else answer
