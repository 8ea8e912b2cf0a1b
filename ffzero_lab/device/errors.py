"""The errors of a device: one hierarchy, each message naming the thing, the value, the unit and the remedy."""


class DeviceError(Exception):
    """Something went wrong between the engine and a device. The device is parked when one of these ends a run.

    Outputs: parked, before anything else is done.

    Remedy: read the message, which names the device and the channel; mend what it names, then go on with the
    command in its last line.
    """


class LimitViolation(DeviceError):
    """A setpoint that the device must not see (not finite, out of bounds, too fast, too much power).

    Outputs: the setpoint was not sent, and nothing was clipped; what stood before was parked.

    Remedy: the message names the parameter, the value and what is allowed. Correct the limits of the bench file
    where they are wrong, else the setting that asks for it; a training run in its limits never needs one of these.
    """


class InterlockTripped(DeviceError):
    """A health reading crossed its bound.

    Outputs: parked; an instrument that switched itself off stays off.

    Remedy: find the cause and remove it, then say so: `ffzero-lab train --resume RUN --after-trip`, or `ffzero-lab
    run` with the same options.
    """


class LinkTimeout(DeviceError):
    """An exchange did not end within its deadline.

    Outputs: unknown for the exchange in question, as the instrument may have obeyed; parked since, over a link that
    was opened anew.

    Remedy: look at cable, power and front panel; `ffzero-lab devices check BENCH` measures how long exchanges take.
    A slow instrument needs a longer `deadline_s` of its link.
    """


class LinkLost(DeviceError):
    """The connection to an instrument broke.

    Outputs: parked as far as the others are concerned; of the lost instrument the message says whether parking
    reached it. If it did not, its outputs stand where they stood.

    Remedy: switch the instrument off by hand where parking did not reach it. Mend the connection, `ffzero-lab park
    BENCH`, and go on.
    """


class BadReply(DeviceError):
    """The device answered something that is not the expected count of finite numbers.

    Outputs: parked.

    Remedy: the message shows what was sent and what came. Compare the commands of the bench file with the
    instrument's manual; on a line that garbles, look at baud rate, cable and earth.
    """


class DarkBatch(BadReply):
    """No output of a batch rose above the detection floor: source off, fibre out, or power lost on the way.

    Outputs: parked.

    Remedy: look for the light: source, shutter, fibre, photodiodes. If the signal is as weak as that, average
    longer, or lower `detection_floor` of the layer.
    """


class StagingLost(DeviceError):
    """The device no longer holds the staged patterns (power-up, reboot); staging them again is safe.

    Outputs: at their safe values, as after any power-up; where they cannot be brought back, parked.

    Remedy: none while it is handled. When it ends a run, the instrument restarts again and again, or a slew limit
    forbids the way back: look at its power supply, then go on with the command in the last line.

    Attributes
    ----------
    returns_slowly
        Whether the driver brings the setpoints back along their slew limit by itself, however far the next write is.
    """

    returns_slowly = False


class CalibrationMissing(DeviceError):
    """The device is driven in raw units and no calibration record fits it.

    Outputs: none was moved; in a protocol, parked.

    Remedy: `ffzero-lab calibrate --device DEVICE`, or name a record with `--calibration RECORD`. `--uncalibrated`
    trains in raw units all the same.
    """


class CalibrationExpired(CalibrationMissing):
    """The calibration record is older than its validity.

    Outputs: none was moved; in a protocol, parked.

    Remedy: `ffzero-lab calibrate --check` tells whether it still holds, `ffzero-lab calibrate` makes a new one;
    `--expired-calibration` takes it as it is.
    """


class ImplausibleReading(BadReply):
    """A reading that physics does not allow, such as light that grows with the source off: something is broken.

    Outputs: parked, and not driven any further.

    Remedy: look at the heater or the detector that the message names before it is driven again; then go on with
    `ffzero-lab calibrate --resume FOLDER`, or list it in `dead_channels`.
    """


class RecordingDamaged(DeviceError):
    """A recording of exchanges is not what was written.

    Outputs: there are none: a replay has no device. A damaged recording that a resumed run would add to ends it
    parked.

    Remedy: the message names the exchange and what stood there. Fetch the recording again from where it was copied.
    """


class ReplayDiffers(DeviceError):
    """What is asked of a replayed device is not what the recorded one was asked, or the recording has ended.

    Outputs: there are none: a replay has no device.

    Remedy: replay with the settings, the seed and the versions of the recorded run; the message names the first
    difference.
    """
