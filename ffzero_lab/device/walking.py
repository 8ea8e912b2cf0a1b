"""The guard that walks: where actuators have a slew limit, a far setting is reached by near ones on the line to it."""

from collections.abc import Iterator

import numpy as np

from ffzero_lab.device.errors import StagingLost
from ffzero_lab.device.guard import Guarded
from ffzero_lab.device.port import FloatArray, RowIndex

SLEW_SHARE = 0.999
"""Share of the largest step that a step of a walk takes: rounding makes none too large."""
PACE_SLACK = 1e-6
"""Share of a write's time that is not waited for."""


class Walking(Guarded):
    """A guard that walks to settings which it would have to refuse as too far for one write.

    Every step is a write like any other: checked, counted, and after it the time of a write has passed, also where the
    link is faster. Whatever ends the walk leaves the actuators on the way, and is raised. What will be refused is
    refused before the first step. Parking is not walked: that way is the driver's own, and may be a jump.
    """

    def write_parameters(self, layer: int, values: FloatArray) -> None:
        """Set *values* (P,) after every check, as slowly as the slew limits ask for; raises LimitViolation."""
        if self._walks(layer):
            self._limits.check_values(layer, values[np.newaxis])
            self._walk(layer, values)
        super().write_parameters(layer, values)

    def probe(self, layer: int, settings: FloatArray, rows: RowIndex) -> FloatArray:
        """Measure *settings* (K, P) in order, all of them checked before the first is walked to."""
        if not self._walks(layer):
            return super().probe(layer, settings, rows)
        self._limits.check_values(layer, settings)
        self._check_rows(layer, rows)
        if not self._is_far(layer, np.vstack([self._start(layer), settings])):
            return super().probe(layer, settings, rows)
        measured: list[FloatArray] = []
        for wanted in settings:
            self._walk(layer, wanted)
            measured.append(super().probe(layer, wanted[np.newaxis], rows))
        return np.concatenate(measured)

    def _walks(self, layer: int) -> bool:
        self._check_usable(layer)
        return self._limits.limits_slew(layer) and self.description.timing.write_s > 0.0

    def _walk(self, layer: int, wanted: FloatArray) -> None:
        """Write every setting on the way to *wanted* (P,), that one left out."""
        write_s = self.description.timing.write_s
        for setting in way(self._start(layer), wanted, self._limits.most_in_one_write(layer)):
            began_s = self.clock.now_s()
            super().write_parameters(layer, setting)
            left_s = write_s - (self.clock.now_s() - began_s)
            if left_s > PACE_SLACK * write_s:
                self.clock.sleep_s(left_s)

    def _is_far(self, layer: int, settings: FloatArray) -> bool:
        return bool((np.abs(np.diff(settings, axis=0)) > SLEW_SHARE * self._limits.most_in_one_write(layer)).any())

    def _start(self, layer: int) -> FloatArray:
        """Return where *layer* stands (P,): as the hardware reports it, as it was parked, or parked now."""
        self._refuse_before_parking()
        self._learn_standing(layer)
        standing = self._limits.where(layer)
        if standing is None and not self._limits.standing():
            self.park()
            standing = self._limits.where(layer)
        if standing is None:
            self._must_park = (
                f"{self.description.name}, layer {layer}: nobody knows where its setpoints stand, and its slew limit "
                "forbids a jump; park, then resume the run"
            )
            raise StagingLost(self._must_park)
        return standing


def way(start: FloatArray, wanted: FloatArray, most: FloatArray) -> Iterator[FloatArray]:
    """Yield the settings (P,) between *start* and *wanted*, both left out, no two further apart than *most* (P,)."""
    steps = int(np.ceil((np.abs(wanted - start) / (SLEW_SHARE * most)).max()))
    for step in range(1, steps):
        yield start + (wanted - start) * (step / steps)
