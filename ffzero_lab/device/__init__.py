"""The device port: what a driver implements, and the guard that stands around it."""

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
    InterlockTripped,
    LimitViolation,
    LinkLost,
    LinkTimeout,
    StagingLost,
)
from ffzero_lab.device.guard import Guarded
from ffzero_lab.device.port import Device, Driver, FloatArray, Patterns, Resumable, RowIndex
from ffzero_lab.device.reach import Reach

__all__ = [
    "PURPOSES",
    "BadReply",
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
    "InterlockTripped",
    "LayerDescription",
    "Ledger",
    "LimitViolation",
    "LinkLost",
    "LinkTimeout",
    "ParameterGroup",
    "Patterns",
    "PowerLaw",
    "Purpose",
    "Reach",
    "Resumable",
    "RowIndex",
    "StagingLost",
    "Timing",
    "Topology",
    "VirtualClock",
    "WallClock",
]
