"""A recorded device without the hardware: it answers as it did, and refuses what it was not asked."""

from collections import deque
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ffzero_lab.device import errors
from ffzero_lab.device.clock import Clock, VirtualHeldClock
from ffzero_lab.device.described import from_both
from ffzero_lab.device.differing import difference
from ffzero_lab.device.errors import DeviceError, RecordingDamaged, ReplayDiffers, StagingLost
from ffzero_lab.device.exchanges import OUTPUTS, Exchange
from ffzero_lab.device.interlocks import SameReading
from ffzero_lab.device.port import Device, FloatArray, Patterns, RowIndex
from ffzero_lab.device.recorder import ASKED_OF_SOME, RETURNS_SLOWLY, arrays_among
from ffzero_lab.device.recording import FOLDER, RecordingReader
from ffzero_lab.errors import InputError

_ENDINGS = ("park", "close", "opened", "restored")
_SETTING = {"load_inputs": "patterns", "write_parameters": "values", "probe": "settings"}
"""Calls that leave something standing, and the array that says what."""


class ReplayConfig(BaseModel):
    """Options of a replay."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: Path
    """Run folder that was recorded, or the folder of the recording itself."""


class Replay(Device):
    """Answers from a recording, call by call; raises ReplayDiffers at the first that is not the recorded one.

    Health is answered in order and never asked for. Parking is always allowed. After parking, opening or going on, on
    either side, patterns and setpoints that only repeat what stood before may be given again.
    """

    Config: ClassVar[type[BaseModel]] = ReplayConfig

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reader = RecordingReader(folder)
        opened = self._reader.next()
        if opened is None or opened.call != "opened":
            raise RecordingDamaged(f"recording {folder} does not begin with the opening of a device")
        self.description = from_both(opened.plain["description"], opened.answered)
        self._held = VirtualHeldClock(opened.now_s)
        self.clock: Clock = self._held
        self._ahead: Exchange | None = None
        self._trouble: RecordingDamaged | None = None
        self._health: deque[Exchange] = deque()
        self._last_health: Mapping[str, float] = {}
        self._standing: dict[tuple[str, int | None], NDArray[Any]] = {}
        self._answered = opened.number
        self._may_skip = self._may_repeat = False
        for name in opened.plain["has"]:
            if name in ASKED_OF_SOME:
                setattr(self, name, partial(self._asked, name))

    @staticmethod
    def bench_name(config: ReplayConfig) -> None:
        """Tell that a recording is nobody else's: any number of processes may read it."""
        del config

    @classmethod
    def open(cls, config: ReplayConfig, clock: Clock | None = None) -> "Replay":
        """Open a recording; its own clock readings count, whatever *clock*."""
        del clock
        inside = config.run / FOLDER
        if not config.run.is_dir():
            raise InputError(f"replay:{config.run}: there is no such folder")
        return cls(inside if inside.is_dir() else config.run)

    def load_inputs(self, layer: int, patterns: Patterns) -> None:
        """Compare *patterns* with those that were staged."""
        self._answer("load_inputs", layer, {"patterns": patterns})

    def write_parameters(self, layer: int, values: FloatArray) -> None:
        """Compare *values* with those that were written."""
        self._answer("write_parameters", layer, {"values": values})

    def read_outputs(self, layer: int, rows: RowIndex) -> FloatArray:
        """Return what was read."""
        return _result_of(self._answer("read_outputs", layer, {"rows": rows}))

    def probe(self, layer: int, settings: FloatArray, rows: RowIndex) -> FloatArray:
        """Return what was measured."""
        return _result_of(self._answer("probe", layer, {"settings": settings, "rows": rows}))

    def read_parameters(self, layer: int) -> FloatArray | None:
        """Return what the hardware reported; after going on, what stands."""
        return _result_of(self._answer("read_parameters", layer, {}))

    def read_health(self) -> Mapping[str, float]:
        """Return the next health reading before the next exchange, else the last one again."""
        if not self._health and self._trouble is None:
            try:
                self._look_ahead()
            except RecordingDamaged as damage:  # nothing is wrong with the health: the next exchange tells of it
                self._trouble = damage
        if self._health:
            return self._read(self._health.popleft())
        if not self._last_health and self.description.health:
            self._look_ahead_for_health()
        return SameReading(self._last_health)

    def park(self) -> None:
        """Switch nothing off: nothing is on. Where the recorded run parked as well, as much time passes."""
        self._may_repeat = True
        try:
            recorded = self._look_ahead() if self._trouble is None else None
        except RecordingDamaged as damage:  # parking never fails by it: the next exchange tells of it
            self._trouble = damage
            return
        if recorded is not None and recorded.call == "park":
            self._ahead, self._answered, self._may_skip = None, recorded.number, True
            self._held.reached(recorded.now_s)

    def check_end(self) -> None:
        """Raise ReplayDiffers when the recorded run did not end here: it asked for more."""
        while (recorded := self._look_ahead()) is not None:
            if not self._passed_over(recorded):
                raise ReplayDiffers(
                    f"replay of {self._folder}, {recorded.where}: the recorded run went on, this one is at its "
                    "end. This is the first difference: settings and steps must be those of the recorded run"
                )
            self._ahead = None
            self._note(recorded)

    def close(self) -> None:
        """Close the recording."""
        self._reader.close()

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Return the place in the recording, and the time."""
        return {"exchange": np.array(self._answered), "time_s": np.array(self._held.now_s())}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on at a place; raises ValueError when the recording ends before it."""
        if "exchange" not in state:
            raise ValueError("this is no snapshot of a replay")
        number = int(state["exchange"])
        self._reader.rewind()
        self._standing.clear()
        while self._reader.number < number:
            passed = self._reader.next()
            if passed is None:
                raise ValueError(f"recording {self._folder} ends before exchange {number}")
            self._note(passed)
        self._ahead, self._answered = None, number
        self._health.clear()
        self._held.restore(float(state["time_s"]))
        self._may_repeat = True

    def _asked(self, call: str, *arguments: Any) -> Any:
        layer = int(arguments[0]) if arguments else None
        return _result_of(self._answer(call, layer, arrays_among(arguments)))

    def _answer(self, call: str, layer: int | None, given: Mapping[str, NDArray[Any]]) -> Exchange:
        """Return the recorded exchange for a call; raises what was raised then, or ReplayDiffers."""
        if self._trouble is not None:
            raise self._trouble
        while (recorded := self._look_ahead()) is not None:
            differs = difference(recorded, call, layer, given, self.description)
            if differs is None:
                return self._take(recorded)
            if not self._passed_over(recorded):
                break
            self._ahead = None
            self._note(recorded)
        if self._may_repeat and self._repeats(call, layer, given):
            stood = {} if call != "read_parameters" else self._reported(layer)
            return Exchange(0, call, layer, self._held.now_s(), answered=stood)
        asked = f"{call}{'' if layer is None else f' of layer {layer}'}"
        if recorded is None:
            raise ReplayDiffers(
                f"replay of {self._folder}: the recording ends after exchange {self._reader.number}, before the "
                f"{asked} that is asked now; it was interrupted there, or this run goes on for longer"
            )
        raise ReplayDiffers(
            f"replay of {self._folder}, {recorded.where}: {difference(recorded, call, layer, given, self.description)}"
            ". This is the first difference: settings, seed and versions must be those of the recorded run"
        )

    def _take(self, recorded: Exchange) -> Exchange:
        self._ahead = None
        self._may_skip = self._may_repeat = False
        self._answered = recorded.number
        for passed in self._health:
            self._last_health = self._last_health if passed.error else passed.plain
        self._health.clear()
        self._note(recorded)
        self._held.reached(recorded.now_s)
        if recorded.error is not None:
            raise _as_raised(*recorded.error, recorded.plain)
        return recorded

    def _look_ahead(self) -> Exchange | None:
        """Return the next exchange that is not about health; what is goes into the queue."""
        while self._ahead is None:
            following = self._reader.next()
            if following is None:
                return None
            if following.call == "read_health":
                self._health.append(following)
            else:
                self._ahead = following
        return self._ahead

    def _look_ahead_for_health(self) -> None:
        """Find the first health reading at all, for a watcher that looks before the recorded one did."""
        reader = RecordingReader(self._folder)
        while (exchange := reader.next()) is not None:
            if exchange.call == "read_health" and exchange.error is None:
                self._last_health = exchange.plain
                break
        reader.close()

    def _read(self, exchange: Exchange) -> Mapping[str, float]:
        if exchange.error is not None:
            raise _as_raised(*exchange.error)
        self._last_health = exchange.plain
        return dict(self._last_health)

    def _passed_over(self, recorded: Exchange) -> bool:
        """Tell whether this run need not repeat an exchange: it parked, or gave again what stood already."""
        if recorded.call in _ENDINGS:
            self._may_skip = True
            return True
        return self._may_skip and self._repeats(recorded.call, recorded.layer, recorded.given)

    def _repeats(self, call: str, layer: int | None, given: Mapping[str, NDArray[Any]]) -> bool:
        if call == "read_parameters":
            return True
        if call not in ("load_inputs", "write_parameters"):
            return False
        stood = self._standing.get((_kind(call), layer))
        return stood is not None and np.array_equal(stood, given[_SETTING[call]])

    def _reported(self, layer: int | None) -> dict[str, NDArray[Any]]:
        stood = self._standing.get((_kind("write_parameters"), layer))
        return {} if stood is None else {OUTPUTS: stood.copy()}

    def _note(self, recorded: Exchange) -> None:
        """Keep what an exchange left standing."""
        name = _SETTING.get(recorded.call)
        if name is not None and recorded.error is None:
            array = recorded.given[name]
            self._standing[_kind(recorded.call), recorded.layer] = array[-1] if recorded.call == "probe" else array


def check_replayed(device: Any) -> None:
    """Raise ReplayDiffers when *device* is a replay and the recorded run went on where this one has come to its end."""
    driver = getattr(device, "driver", None)
    if isinstance(driver, Replay):
        driver.check_end()


def _kind(call: str) -> str:
    return "patterns" if call == "load_inputs" else "setpoints"


def _result_of(exchange: Exchange) -> Any:
    """Return what the call returned."""
    if OUTPUTS in exchange.answered:
        return exchange.answered[OUTPUTS]
    return tuple(exchange.answered.values()) if exchange.answered else exchange.plain


def _as_raised(kind: str, message: str, more: Any = None) -> Exception:
    """Return the error that was raised then; one that the port does not know becomes a DeviceError."""
    found = getattr(errors, kind, None)
    if not (isinstance(found, type) and issubclass(found, DeviceError)):
        return DeviceError(f"{kind}: {message}")
    raised = found(message)
    if isinstance(raised, StagingLost) and isinstance(more, Mapping):
        raised.returns_slowly = bool(cast("Mapping[str, Any]", more).get(RETURNS_SLOWLY))
    return raised
