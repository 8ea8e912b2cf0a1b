"""A bench composed of instruments that a file names: actuators, inputs and detectors behind the device port."""

from drivers.bench.config import BenchConfig
from drivers.bench.device import Bench
from drivers.bench.roles import Actuators, Detectors, Inputs, Instrument, LinkTable, Wiring

__all__ = ["Actuators", "Bench", "BenchConfig", "Detectors", "Inputs", "Instrument", "LinkTable", "Wiring"]
