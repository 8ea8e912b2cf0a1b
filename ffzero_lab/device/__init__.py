"""The device port: what a driver implements, and the guard that stands around it."""

from ffzero_lab.device.calibrated import Calibrated, Protected
from ffzero_lab.device.clock import Clock, VirtualClock, WallClock
from ffzero_lab.device.counts import PURPOSES, Counts, Ledger, Purpose
from ffzero_lab.device.description import (
    DeviceDescription,
    HealthChannel,
    LayerDescription,
    ParameterGroup,
    PowerLaw,
    Timing,
    Topology,
)
from ffzero_lab.device.errors import (
    BadReply,
    CalibrationExpired,
    CalibrationMissing,
    DarkBatch,
    DeviceError,
    ImplausibleReading,
    InterlockTripped,
    LimitViolation,
    LinkLost,
    LinkTimeout,
    StagingLost,
)
from ffzero_lab.device.guard import Guarded
from ffzero_lab.device.interlocks import (
    Interlock,
    InterlockBound,
    InterlockGuard,
    InterlockJudge,
    NoInterlocks,
    interlocks_for,
)
from ffzero_lab.device.link_tally import LinkTally
from ffzero_lab.device.network import GROUND, SpringNetwork
from ffzero_lab.device.parking import PARK_DEADLINE_S
from ffzero_lab.device.port import (
    Adjoint,
    Device,
    Driver,
    FloatArray,
    IdealModel,
    Inspectable,
    Metered,
    Modelled,
    Patterns,
    Resumable,
    RowIndex,
)
from ffzero_lab.device.reach import Reach
from ffzero_lab.device.synchronous import SynchronousInterlocks
from ffzero_lab.device.walking import Walking
from ffzero_lab.device.watched import WatchedReading
from ffzero_lab.device.watcher import Watcher, interlocks_on
from ffzero_lab.errors import near_match

__all__ = [
    "GROUND",
    "PARK_DEADLINE_S",
    "PURPOSES",
    "Adjoint",
    "BadReply",
    "Calibrated",
    "CalibrationExpired",
    "CalibrationMissing",
    "Clock",
    "Counts",
    "DarkBatch",
    "Device",
    "DeviceDescription",
    "DeviceError",
    "Driver",
    "FloatArray",
    "Guarded",
    "HealthChannel",
    "IdealModel",
    "ImplausibleReading",
    "Inspectable",
    "Interlock",
    "InterlockBound",
    "InterlockGuard",
    "InterlockJudge",
    "InterlockTripped",
    "LayerDescription",
    "Ledger",
    "LimitViolation",
    "LinkLost",
    "LinkTally",
    "LinkTimeout",
    "Metered",
    "Modelled",
    "NoInterlocks",
    "ParameterGroup",
    "Patterns",
    "PowerLaw",
    "Protected",
    "Purpose",
    "Reach",
    "Resumable",
    "RowIndex",
    "SpringNetwork",
    "StagingLost",
    "SynchronousInterlocks",
    "Timing",
    "Topology",
    "VirtualClock",
    "Walking",
    "WallClock",
    "WatchedReading",
    "Watcher",
    "interlocks_for",
    "interlocks_on",
    "near_match",
]
