"""The error lines of a rack, by the numbers of its manual, and what each means for whoever uses it."""

import re
from dataclasses import dataclass

from drivers.links import ReplyRefused
from ffzero_lab.device import BadReply, DeviceError, InterlockTripped, LimitViolation, StagingLost

OVER_VOLTAGE, OVER_CURRENT, GARBLED = 1, 2, 15
NAMES = {
    0: "unknown error",
    OVER_VOLTAGE: "over-voltage",
    OVER_CURRENT: "over-current",
    3: "power error",
    4: "calibration error",
    5: "output error",
    10: "unrecognised command",
    11: "bad parameter",
    12: "unrecognised channel",
    13: "operation forbidden",
    14: "serial buffer overflow",
    GARBLED: "serial communication error",
    16: "command timed out",
    17: "SPI error",
    18: "ADC error",
    19: "I²C error",
    20: "interlock",
    30: "errors suppressed",
    31: "firmware trap",
    90: "powered up",
}
RESTARTS = frozenset({31, 90})
"""The module has begun anew: its outputs and limits are not what was written."""
TRIPS = frozenset({OVER_VOLTAGE, OVER_CURRENT, 3, 5, 20})
"""Said without being asked, they tell that a channel protects itself."""
UNASKED = frozenset({3, 4, 5, 17, 18, 19, 20, 30, 31, 90})
"""What comes at any time and answers nothing; every other number can be the answer to a message."""
_LINE = re.compile(r"[A-Za-z]{1,3}(\d{1,2}):(\d{1,5})", re.ASCII)


@dataclass(frozen=True)
class ErrorLine:
    """An error that a rack reports: its number and the channel that it is about."""

    code: int
    channel: int

    def __str__(self) -> str:
        return f"E{self.code} ({NAMES.get(self.code, 'of no meaning that is known')}), channel {self.channel}"


def error_line(line: str) -> ErrorLine | None:
    """Return the error that *line* reports, None for any other line."""
    found = _LINE.fullmatch(line)
    return None if found is None else ErrorLine(int(found[1]), int(found[2]))


class RackComplaint(BadReply):
    """The rack did not do as it was told, or reports trouble of its own, and says why."""


class Interrupted(BadReply):
    """The rack has reported something by itself, upon which nothing more was sent."""


class OverLimit(LimitViolation):
    """A channel refused a setpoint that is over the limits it was given."""


class GarbledCommand(ReplyRefused):
    """A message arrived garbled and was not obeyed (E15); it may be sent again, a bounded number of times."""


class ChannelTripped(InterlockTripped):
    """A channel protects itself, or its module has restarted and shall not be energised again; until it is parked."""


class ModuleRestarted(StagingLost):
    """A module was powered up, and lost its setpoints."""


def refusal(errors: list[ErrorLine], resource: str, message: bytes, received: bytes) -> DeviceError:
    """Return what it means that *message* was answered with *errors*, the gravest first."""
    told = ", ".join(map(str, errors))
    codes = {error.code for error in errors}
    if codes & {OVER_VOLTAGE, OVER_CURRENT}:
        return OverLimit(
            f"{resource}: {told}; the setpoint was refused: it is over VMAX or IMAX, which are the limits and "
            "`vmax_v` or `imax_ma` of the bench file"
        )
    if codes == {GARBLED}:
        return GarbledCommand(told, resource=resource, command=message, received=received)
    advice = "; give links.….buffer_bytes less" if 14 in codes else ""
    return RackComplaint(f"{resource}: after {message[:60]!r} the rack reports {told}{advice}")
