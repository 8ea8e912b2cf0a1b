"""The guard around every driver: it refuses what must not reach the hardware, and counts what does."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device.counts import Ledger
from ffzero_lab.device.errors import BadReply, DarkBatch, LimitViolation, StagingLost
from ffzero_lab.device.limits import SetpointLimits
from ffzero_lab.device.link_tally import LinkTally
from ffzero_lab.device.parking import PARK_DEADLINE_S, within_deadline
from ffzero_lab.device.port import Device, FloatArray, Patterns, Resumable, RowIndex

T = TypeVar("T")
MAX_CALL_S = 1.0
MOST_RESTARTS = 5
"""So often one act is repeated: when a rack restarts, each of its instruments tells of it, one after the other."""
DARK_RMS = 0.5
"""A batch whose RMS is under this share of the detection floor holds no light: the floor is some sigmas of noise."""


class Guarded(Device):
    """A driver behind limits. Every setpoint and every reading passes here; nothing is ever clipped.

    Parameters
    ----------
    driver
        The device to protect.
    max_call_s
        Longest single call to the driver in predicted device seconds; longer probes and readings are split, so
        that parking never waits longer.
    park_deadline_s
        How long parking, and closing, may take.
    when_closed
        Called last of all with ``parked``, whether parking went well.
    """

    def __init__(
        self,
        driver: Device,
        max_call_s: float = MAX_CALL_S,
        when_closed: Callable[..., None] | None = None,
        park_deadline_s: float = PARK_DEADLINE_S,
    ) -> None:
        self._when_closed, self._park_deadline_s = when_closed, park_deadline_s
        self.driver = driver
        self.description = driver.description
        self.clock = driver.clock
        self.ledger = Ledger()
        self.before_exchange: Callable[[], None] | None = None
        """Called before every exchange with the driver; what it raises ends the call before anything is sent."""
        self.saturated = 0
        """Outputs read at or above full scale so far."""
        self.saturated_at: set[str] = set()
        """Which outputs these were, by layer and name."""
        self.restarts = 0
        """How often the device lost what it was given, and was given it again."""
        self.is_parking = False
        """Whether parking is under way; any thread may look."""
        self._max_call_s = max_call_s
        self._limits = SetpointLimits(driver.description)
        self._staged: dict[int, Patterns] = {}
        self._lost: StagingLost | None = None
        """Why the device must be given everything again before anything else is done."""
        self._must_park = ""
        """Why nothing is done any more before the device is parked; empty: nothing is in the way."""
        self._closed = False

    def load_inputs(self, layer: int, patterns: Patterns) -> None:
        """Stage *patterns* (S, n_in) after checking shape, finiteness and range; raises LimitViolation."""
        self._check_usable(layer)
        self._limits.check_patterns(layer, patterns)
        self._staged.pop(layer, None)  # while they are replaced, and when that fails, nobody knows what is staged
        self._after_restarts(partial(self._load_once, layer, patterns))
        self._staged[layer] = patterns

    def write_parameters(self, layer: int, values: FloatArray) -> None:
        """Set *values* (P,) after every check; raises LimitViolation and then writes nothing."""
        self._check_usable(layer)
        self._learn_standing(layer)
        self._limits.check_settings(layer, values[np.newaxis])
        self._after_restarts(partial(self._write_once, layer, values), moves=layer)

    def check_parameters(self, layer: int, values: FloatArray) -> None:
        """Raise LimitViolation when *values* (P,) could not be written with all other layers parked; writes nothing."""
        self._check_usable(layer)
        SetpointLimits(self.description).check_settings(layer, values[np.newaxis])

    def read_outputs(self, layer: int, rows: RowIndex) -> FloatArray:
        """Read staged *rows* in order; raises BadReply, DarkBatch or LimitViolation (rows that are not staged)."""
        self._check_usable(layer)
        self._check_rows(layer, rows)
        outputs = self._after_restarts(partial(self._read_in_parts, layer, self._split_rows(rows)))
        self.ledger.add(readings=1)  # spent, even when the batch is judged dark
        self._judge(layer, outputs)
        return outputs

    def probe(self, layer: int, settings: FloatArray, rows: RowIndex) -> FloatArray:
        """Measure *settings* (K, P) in order, all of them checked before the first is written."""
        self._check_usable(layer)
        self._learn_standing(layer)
        self._limits.check_settings(layer, settings)
        self._check_rows(layer, rows)
        seconds_each = self.description.timing.write_s + len(rows) * self.description.timing.shot_s
        at_once = max(1, int(self._max_call_s // seconds_each)) if seconds_each > 0.0 else len(settings)
        row_parts = self._split_rows(rows)
        measured: list[FloatArray] = []
        for start in range(0, len(settings), at_once):
            part = settings[start : start + at_once]
            if len(row_parts) == 1:
                act = partial(self._probe_once, layer, part, rows)
            else:
                act = partial(self._write_and_read, layer, part[0], row_parts)
            outputs = self._after_restarts(act, moves=layer)
            self.ledger.add(readings=len(part))
            self._judge(layer, outputs)
            measured.append(outputs)
        return measured[0] if len(measured) == 1 else np.concatenate(measured)

    def read_parameters(self, layer: int) -> FloatArray | None:
        """Return the setpoints (P,) as the hardware reports them, or None."""
        return self._after_restarts(partial(self.driver.read_parameters, layer))

    def read_health(self) -> Mapping[str, float]:
        """Return the health readings by channel name."""
        return self.driver.read_health()

    def link_tallies(self) -> Mapping[str, LinkTally]:
        """Return what each link to the hardware has seen; exchanges nothing."""
        return self.driver.link_tallies()

    def snapshot(self) -> dict[str, NDArray[Any]] | None:
        """Return the exact state of a device that has one (a twin), else None."""
        return self.driver.snapshot() if isinstance(self.driver, Resumable) else None

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Put the exact state of a twin back; raises ValueError for another device."""
        if not isinstance(self.driver, Resumable):
            raise ValueError(f"{self.description.name} has no state that could be put back")
        self.driver.restore(state)
        for layer in range(len(self.description.layers)):
            standing = self.driver.read_parameters(layer)
            if standing is not None:
                self._limits.written(layer, standing)

    def park(self) -> None:
        """Bring every actuator into its safe state; raises LinkTimeout when the driver does not get there in time."""
        self.is_parking = True
        try:
            within_deadline(self.driver.park, self._park_deadline_s, self.description.name, "parking")
        finally:
            self.is_parking = False
        self._limits.parked()
        self._must_park = ""

    def close(self) -> None:
        """Park, then release the hardware; it is released even when parking fails, and the first error stays first."""
        if self._closed:
            return
        self._closed = True
        errors: list[Exception] = []
        for end in (self.park, self._close_driver):
            try:
                end()
            except Exception as error:  # noqa: BLE001 - raised below, after everything was tried
                errors.append(error)
        if self._when_closed is not None:
            self._when_closed(parked=not errors)
        if errors:
            for second in errors[1:]:
                errors[0].add_note(f"closing {self.description.name} failed as well: {second}")
            raise errors[0]

    def _close_driver(self) -> None:
        within_deadline(self.driver.close, self._park_deadline_s, self.description.name, "closing")

    def _check_usable(self, layer: int) -> None:
        if self._closed:
            raise LimitViolation(f"{self.description.name} is closed; open it again before using it")
        last = len(self.description.layers) - 1
        if not 0 <= layer <= last:
            raise LimitViolation(f"{self.description.name} has no layer {layer}; its layers are 0 to {last}")

    def _learn_standing(self, layer: int) -> None:
        if self._limits.needs_standing(layer):
            reported = self.read_parameters(layer)
            if reported is not None:
                self._check_reported(layer, reported)
                self._limits.written(layer, reported)

    def _check_reported(self, layer: int, reported: FloatArray) -> None:
        expected = (self.description.layers[layer].n_parameters,)
        if reported.shape != expected or not np.isfinite(reported).all():
            raise BadReply(
                f"{self.description.name}, layer {layer}: the setpoints read back have shape {reported.shape}, "
                f"expected {expected} of finite numbers; nothing was written"
            )

    def _check_rows(self, layer: int, rows: RowIndex) -> None:
        staged_layer = layer if self.description.topology == "reinjected" else 0
        staged = self._staged.get(staged_layer)
        if staged is None:
            raise LimitViolation(
                f"{self.description.name}, layer {layer}: no patterns are staged; load_inputs comes first"
            )
        if rows.ndim != 1 or rows.dtype.kind not in "iu" or len(rows) == 0:
            raise LimitViolation(
                f"{self.description.name}, layer {layer}: rows must be a non-empty one-dimensional array of "
                f"integers, not shape {rows.shape} of {rows.dtype}"
            )
        if rows.min() < 0 or rows.max() >= len(staged):
            raise LimitViolation(
                f"{self.description.name}, layer {layer}: row {rows.min() if rows.min() < 0 else rows.max()} "
                f"is not among the {len(staged)} staged patterns"
            )

    def _begin_exchange(self) -> None:
        if self.before_exchange is not None:
            self.before_exchange()

    def _split_rows(self, rows: RowIndex) -> list[RowIndex]:
        shot_s = self.description.timing.shot_s
        n_parts = min(len(rows), int(np.ceil(len(rows) * shot_s / self._max_call_s)))
        return np.array_split(rows, n_parts) if n_parts > 1 else [rows]

    def _load_once(self, layer: int, patterns: Patterns) -> None:
        self._begin_exchange()
        self.driver.load_inputs(layer, patterns)

    def _write_once(self, layer: int, values: FloatArray) -> None:
        with self._limits.moving(layer, values[np.newaxis]):
            self._begin_exchange()
            self.driver.write_parameters(layer, values)
        self.ledger.add(writes=1)

    def _read_in_parts(self, layer: int, row_parts: list[RowIndex]) -> FloatArray:
        outputs: list[FloatArray] = []
        for rows in row_parts:
            self._begin_exchange()
            outputs.append(self._shaped(layer, self.driver.read_outputs(layer, rows), (len(rows),)))
            self.ledger.add(shots=len(rows))
        return np.concatenate(outputs)

    def _write_and_read(self, layer: int, values: FloatArray, row_parts: list[RowIndex]) -> FloatArray:
        self._write_once(layer, values)
        return self._read_in_parts(layer, row_parts)[np.newaxis]

    def _probe_once(self, layer: int, settings: FloatArray, rows: RowIndex) -> FloatArray:
        with self._limits.moving(layer, settings):
            self._begin_exchange()
            outputs = self._shaped(layer, self.driver.probe(layer, settings, rows), (len(settings), len(rows)))
        self.ledger.add(writes=len(settings), shots=len(settings) * len(rows))
        return outputs

    def _after_restarts(self, act: Callable[[], T], moves: int | None = None) -> T:
        """Return what *act* does, which *moves* a layer or none.

        When the device restarts meanwhile, it is given its patterns and setpoints again, and the whole act is
        repeated, a bounded number of times. What could not be given to it then comes before the next act.
        """
        restarts = 0
        while True:
            self._refuse_before_parking()
            try:
                return self._once_staged(act)
            except StagingLost as lost:
                self._lost, restarts = lost, restarts + 1
                self.restarts += 1
                if not lost.returns_slowly:
                    self._look_for_jumps(moves)
                if restarts > MOST_RESTARTS:
                    raise

    def _refuse_before_parking(self) -> None:
        if self._must_park:
            raise StagingLost(self._must_park) from self._lost

    def _once_staged(self, act: Callable[[], T]) -> T:
        if self._lost is not None:
            self._stage_again()
            self._lost = None
        return act()

    def _stage_again(self) -> None:
        """Give a device that restarted its patterns and its setpoints back."""
        for layer, patterns in self._staged.items():
            self._limits.check_patterns(layer, patterns)  # no copy was kept: their owner may have changed them
            self._load_once(layer, patterns)
        for layer, values in self._limits.standing().items():
            self._begin_exchange()
            self.driver.write_parameters(layer, values)
            self.ledger.add(writes=1)

    def _look_for_jumps(self, moves: int | None) -> None:
        """Do nothing more until the device is parked, if a layer would have to jump from where the restart left it."""
        for layer in {*self._limits.standing(), *([] if moves is None else [moves])}:
            if self._limits.limits_slew(layer):
                self._must_park = (
                    f"{self.description.name} restarted and lost its setpoints; layer {layer} has a slew limit and "
                    "cannot be put back in one step: park, then resume the run"
                )

    def _shaped(self, layer: int, outputs: FloatArray, lead: tuple[int, ...]) -> FloatArray:
        expected = (*lead, self.description.layers[layer].n_outputs)
        if getattr(outputs, "dtype", np.dtype(object)).kind != "f":
            raise BadReply(
                f"{self.description.name}, layer {layer}: outputs that are no array of floating-point numbers "
                f"({getattr(outputs, 'dtype', type(outputs).__name__)}); the reply was discarded"
            )
        if outputs.shape != expected:
            raise BadReply(
                f"{self.description.name}, layer {layer}: outputs of shape {outputs.shape} instead of {expected}; "
                "the reply was discarded"
            )
        return outputs.astype(np.float64, copy=False)

    def _judge(self, layer: int, outputs: FloatArray) -> None:
        described = self.description.layers[layer]
        # A sum of squares is finite unless a reading is not, or the squares overflow, which the second look clears.
        flat = outputs.ravel()
        with np.errstate(over="ignore"):
            squares = flat @ flat
        if not np.isfinite(squares) and not np.isfinite(outputs).all():
            output = described.output_name(int(np.argwhere(~np.isfinite(outputs))[0][-1]))
            raise BadReply(
                f"{self.description.name}, layer {layer}, {output}: a reading is not a finite number; "
                "the reply was discarded"
            )
        largest = float(outputs.max())
        if largest >= described.output_upper:
            saturated = outputs >= described.output_upper
            self.saturated += int(np.count_nonzero(saturated))
            which = np.flatnonzero(saturated.reshape(-1, described.n_outputs).any(axis=0))
            self.saturated_at |= {f"layer {layer}, {described.output_name(int(output))}" for output in which}
        if squares < outputs.size * (DARK_RMS * described.detection_floor) ** 2:
            raise DarkBatch(
                f"{self.description.name}, layer {layer}: the RMS of all {outputs.size} outputs is "
                f"{np.sqrt(squares / outputs.size):.3g} {described.output_unit}, nothing but noise (detection floor "
                f"{described.detection_floor:.3g}, largest reading {largest:.3g}); check the source, the path to this "
                "tap and the detectors' range"
            )
