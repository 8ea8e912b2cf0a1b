"""The errors of a device: one hierarchy, each message naming the thing, the value, the unit and the remedy."""


class DeviceError(Exception):
    """Something went wrong between the engine and a device. The device is parked when one of these ends a run."""


class LimitViolation(DeviceError):
    """A setpoint that the device must not see (not finite, out of bounds, too fast, too much power)."""


class InterlockTripped(DeviceError):
    """A health reading crossed its bound."""


class LinkTimeout(DeviceError):
    """An exchange did not end within its deadline."""


class LinkLost(DeviceError):
    """The connection to an instrument broke."""


class BadReply(DeviceError):
    """The device answered something that is not the expected count of finite numbers."""


class DarkBatch(BadReply):
    """No output of a batch rose above the detection floor: source off, fibre out, or power lost on the way."""


class StagingLost(DeviceError):
    """The device no longer holds the staged patterns (power-up, reboot); staging them again is safe.

    Attributes
    ----------
    returns_slowly
        Whether the driver brings the setpoints back along their slew limit by itself, however far the next write is.
    """

    returns_slowly = False


class CalibrationMissing(DeviceError):
    """The device is driven in raw units and no calibration record fits it."""


class CalibrationExpired(CalibrationMissing):
    """The calibration record is older than its validity."""


class ImplausibleReading(BadReply):
    """A reading that physics does not allow, such as light that grows with the source off: something is broken."""


class RecordingDamaged(DeviceError):
    """A recording of exchanges is not what was written."""


class ReplayDiffers(DeviceError):
    """What is asked of a replayed device is not what the recorded one was asked, or the recording has ended."""
