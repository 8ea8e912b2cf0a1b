"""An all-in-one board behind the device port: parameters, pattern memory and outputs at one serial line."""

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, TypeVar

import numpy as np

from drivers.board import requests
from drivers.board.config import BoardConfig, BoardGroup
from drivers.board.connection import Connection
from drivers.board.describing import check_agreement, check_limits, describe
from drivers.board.frames import Type
from drivers.board.heartbeat import BEATS_PER_WATCHDOG, Heartbeat
from drivers.board.messages import LIMIT_BYTES, Codes, Entry, Limits
from ffzero_lab.device import (
    BadReply,
    Clock,
    Device,
    FloatArray,
    LinkLost,
    LinkTally,
    Patterns,
    RowIndex,
    StagingLost,
    WallClock,
)

T = TypeVar("T")

_PROBE_HEAD, _READ_HEAD = 4, 2
_WORD = 2


class Board(Device):
    """One board; a probe of many settings and rows is one exchange, as far as the board's memory goes."""

    Config: ClassVar[type[BoardConfig]] = BoardConfig

    def __init__(self, config: BoardConfig, clock: Clock) -> None:
        self.clock = clock
        self._config = config
        self._told = threading.Lock()
        self._news: StagingLost | None = None
        """What the heartbeat has found, for whoever uses the board next."""
        self._closed = False
        self._standing: list[list[Codes] | None] = [None] * len(config.layers)
        """Where each layer may stand: the setting written last, several while one is under way; None: unknown."""
        self._connection = Connection(config, clock, lost=self._forget, standing=self._check_standing)
        try:
            self._connection.open()
            hello = self._connection.hello
            check_agreement(config, hello)
            self._layers = hello.layers
            self.description = describe(config, hello)
            self._safe = [self._read_limits(layer).safe for layer in range(len(self._layers))]
            self._heartbeat = Heartbeat(
                clock,
                beat=self._beat,
                park=self._park_unused,
                spoken_s=lambda: self._connection.used_s,
                period_s=1e-3 * hello.watchdog_ms / BEATS_PER_WATCHDOG,
                idle_s=config.idle_park_s,
            )
            self._connection.watch_for_restarts()
        except BaseException as error:
            self._connection.close()
            error.add_note(f"{config.name} was not opened, and nothing was energised")
            raise

    @staticmethod
    def bench_name(config: BoardConfig) -> str:
        """Return the name that all bench files of this board share."""
        return f"board {config.serial_number}"

    @staticmethod
    def parking_s(config: BoardConfig) -> float:
        """Return how long parking may take."""
        return config.park_s

    @staticmethod
    def wiring(config: BoardConfig) -> list[dict[str, Any]]:
        """Return which parameter is what, as rows for people."""
        rows: list[dict[str, Any]] = []
        for number, layer in enumerate(config.layers):
            first = 0
            for group in layer.groups:
                places = f"{first}-{first + group.count - 1}"
                rows.append({"layer": number, "parameters": group.name, "places": places, "range": _range(group)})
                first += group.count
        return rows

    @classmethod
    def open(cls, config: BoardConfig, clock: Clock | None = None) -> "Board":
        """Greet the board and hold it against the bench file; moves nothing."""
        return cls(config, WallClock() if clock is None else clock)

    def load_inputs(self, layer: int, patterns: Patterns) -> None:
        """Put *patterns* (S, n_in) into the board's memory."""
        self._check_usable()
        codes = self._layers[layer].input_span.codes(patterns)
        for payload in requests.staging(layer, codes, self._connection.hello.payload_max):
            self._connection.act(Type.STAGE, payload)

    def write_parameters(self, layer: int, values: FloatArray) -> None:
        """Move all parameters (P,) of a layer; the board answers when they have settled."""
        self._check_usable()
        codes = self._layers[layer].parameter_span.codes(values)
        self._about_to_stand(layer, codes[np.newaxis])
        self._connection.act(Type.WRITE, requests.write(layer, codes), 1e-6 * self._layers[layer].settle_us)
        self._standing[layer] = [codes]
        self._heartbeat.energised()

    def read_outputs(self, layer: int, rows: RowIndex) -> FloatArray:
        """Read staged *rows* (B,) at the standing setting, in as many exchanges as the board's memory asks for."""
        self._check_usable()
        own, hello = self._layers[layer], self._connection.hello
        most = min((hello.payload_max - _READ_HEAD) // _WORD, hello.readings_max // own.outputs)
        counts = [
            self._measure(Type.READ, layer, requests.read(layer, part), (1, len(part)))
            for part in np.split(rows, np.arange(most, len(rows), most))
        ]
        return own.output_span.values(np.concatenate(counts, axis=1)[0])

    def probe(self, layer: int, settings: FloatArray, rows: RowIndex) -> FloatArray:
        """Measure *settings* (K, P) in order, as many in one exchange as the board's memory has room for."""
        self._check_usable()
        own, hello = self._layers[layer], self._connection.hello
        room = (hello.payload_max - _PROBE_HEAD - _WORD * len(rows)) // (_WORD * own.parameters)
        at_once = min(room, hello.readings_max // (len(rows) * own.outputs), 0xFFFF)
        if at_once < 1:
            return super().probe(layer, settings, rows)
        codes = own.parameter_span.codes(settings)
        counts: list[Codes] = []
        for first in range(0, len(codes), at_once):
            part = codes[first : first + at_once]
            self._about_to_stand(layer, part)
            payload = requests.probe(layer, part, rows)
            counts.append(self._measure(Type.PROBE, layer, payload, (len(part), len(rows))))
            self._standing[layer] = [part[-1]]
        return own.output_span.values(np.concatenate(counts))

    def read_parameters(self, layer: int) -> FloatArray:
        """Return the setpoints (P,) as the board holds them."""
        self._check_usable()
        return self._layers[layer].parameter_span.values(self._read_setpoints(layer))

    def read_health(self) -> Mapping[str, float]:
        """Return the health readings."""
        self._check_open()
        names = [channel.name for channel in self._config.health]
        payload = self._asked_anyway(lambda: self._connection.ask(Type.HEALTH, length=4 * len(names)))
        return dict(zip(names, (1e-3 * np.frombuffer(payload, dtype="<i4")).tolist(), strict=True))

    def link_tallies(self) -> Mapping[str, LinkTally]:
        """Return what the link has seen."""
        return {self._connection.link.owner: self._connection.link.tally}

    def read_log(self) -> list[Entry]:
        """Return what the board's log still holds, the oldest entry first; also of a board that has restarted."""
        self._check_open()
        entries: list[Entry] = []
        while True:
            part = self._asked_anyway(partial(self._connection.log_from, entries[-1].number + 1 if entries else 0))
            entries += part.entries
            if not part.entries or part.entries[-1].number + 1 >= part.next:
                return entries

    def identify(self) -> Mapping[str, str]:
        """Ask the board who it is."""
        self._check_open()
        self._asked_anyway(self._connection.beat)
        return {self._config.name: self._connection.link.identity or ""}

    def safe_parameters(self, layer: int) -> FloatArray:
        """Return the parameters (P,) that parking leaves."""
        return self._layers[layer].parameter_span.values(self._safe[layer])

    def safe_inputs(self, layer: int) -> FloatArray:
        """Return the pattern (n_in,) that parking leaves."""
        own = self._layers[layer]
        return own.input_span.values(np.full(own.inputs, own.safe_input, dtype=np.uint16))

    def read_standing(self, layer: int) -> FloatArray:
        """Read the outputs (n_out,) of a layer once, as everything stands."""
        self._check_usable()
        own = self._layers[layer]
        payload = requests.read(layer, np.empty(0, dtype=np.intp))
        counts = self._connection.measure(Type.READ, payload, own.outputs, self._config.timing.shot_s)
        return own.output_span.values(counts)

    def park(self) -> None:
        """Have the board bring everything to its safe code, and see that it did."""
        if self._closed:
            return
        self._heartbeat.rest()  # whatever happens from here on, the board's watchdog is not held back
        try:
            with self._connection.parking():
                self._connection.park()
                for layer, safe in enumerate(self._safe):
                    try:
                        self._check_parked(layer, safe)
                    except StagingLost:  # it had parked or restarted by itself, and is greeted by now
                        self._check_parked(layer, safe)
        except Exception as error:
            watchdog_ms = self._connection.hello.watchdog_ms
            name = self._config.name
            error.add_note(
                f"{name} may be energised still; it parks itself {watchdog_ms} ms after the last word from here"
            )
            raise
        finally:
            self._forget()

    def close(self) -> None:
        """Park, then let the port go."""
        if self._closed:
            return
        try:
            self.park()
        finally:
            self._closed = True
            self._heartbeat.end()
            self._connection.close()

    def _measure(self, kind: Type, layer: int, payload: bytes, shape: tuple[int, int]) -> Codes:
        n_settings, n_rows = shape
        own, timing = self._layers[layer], self._config.timing
        takes_s = n_settings * (max(timing.write_s, 1e-6 * own.settle_us) + n_rows * timing.shot_s)
        count = n_settings * n_rows * own.outputs
        self._heartbeat.energised()  # it may be energised however this ends
        counts = self._connection.measure(kind, payload, count, takes_s)
        self._heartbeat.energised()
        return counts.reshape(n_settings, n_rows, own.outputs)

    def _read_setpoints(self, layer: int) -> Codes:
        length = _WORD * self._layers[layer].parameters
        payload = self._connection.ask(Type.SETPOINTS, requests.setpoints(layer), length)
        return np.frombuffer(payload, dtype="<u2").astype(np.uint16)

    def _read_limits(self, layer: int) -> Limits:
        n_parameters = self._layers[layer].parameters
        at_once = self._connection.hello.payload_max // LIMIT_BYTES
        content = b""
        for first in range(0, n_parameters, at_once):
            count = min(at_once, n_parameters - first)
            content += self._connection.ask(Type.LIMITS, requests.limits(layer, first, count), LIMIT_BYTES * count)
        limits = Limits.decoded(content)
        check_limits(self._config, layer, self._layers[layer], limits)
        return limits

    def _about_to_stand(self, layer: int, settings: Codes) -> None:
        """Take note that a layer may stand at any of *settings* (K, P) from now on."""
        self._heartbeat.energised()
        before = self._standing[layer]
        self._standing[layer] = None if before is None else [*before, *settings]

    def _check_standing(self, connection: Connection) -> None:
        """After a recovery, raise StagingLost when a layer stands where nobody has put it."""
        for layer, allowed in enumerate(self._standing):
            if allowed is None:
                continue
            length = _WORD * self._layers[layer].parameters
            payload = connection.ask(Type.SETPOINTS, requests.setpoints(layer), length)
            codes = np.frombuffer(payload, dtype="<u2")
            if not any(np.array_equal(codes, setting) for setting in allowed):
                self._forget()
                raise StagingLost(f"{self._config.name}, layer {layer}: the setpoints read back are not those written")

    def _check_parked(self, layer: int, safe: Codes) -> None:
        standing = self._read_setpoints(layer)
        wrong = np.flatnonzero(standing != safe)
        if len(wrong):
            described, span = self.description.layers[layer], self._layers[layer].parameter_span
            index = int(wrong[0])
            value, expected = span.values(standing[index : index + 1])[0], span.values(safe[index : index + 1])[0]
            raise BadReply(
                f"{self._config.name}, layer {layer}, {described.name_of(index)} stands at {value:.6g} "
                f"{described.unit_of(index)} after parking, not at {expected:.6g}: switch the board off by hand"
            )

    def _asked_anyway(self, ask: Callable[[], T]) -> T:
        """Ask what does not depend on what the board was given; that it is lost is told to who uses the board next."""
        try:
            return ask()
        except StagingLost as lost:
            self._tell(lost)
            return ask()

    def _forget(self) -> None:
        """Take note that nobody knows where the layers stand."""
        self._standing = [None] * len(self._config.layers)

    def _beat(self) -> None:
        """Keep the board alive; what it has lost is told to whoever uses it next."""
        try:
            self._connection.beat()
        except StagingLost as lost:
            self._heartbeat.rest()
            self._tell(lost)
            raise

    def _park_unused(self, idle_s: float) -> None:
        """Park a board that nobody uses."""
        self.park()
        self._tell(StagingLost(f"{self._config.name} was parked, since nobody had used it for {idle_s:.0f} s"))

    def _tell(self, lost: StagingLost) -> None:
        with self._told:
            self._news = lost

    def _check_open(self) -> None:
        if self._closed:
            raise LinkLost(f"{self._config.name} is closed; open it again before using it")

    def _check_usable(self) -> None:
        self._check_open()
        with self._told:
            news, self._news = self._news, None
        if news is not None:
            raise news


def _range(group: BoardGroup) -> str:
    stated = group.stated
    return f"{stated.lower:g} to {stated.upper:g} {stated.unit}, safe {stated.safe:g} {stated.unit}"
