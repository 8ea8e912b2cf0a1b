"""The mechanical twin: membrane lattices of servo-tuned springs, loads, gauges and hidden truth."""

from drivers.twin.mechanical.config import MechanicalConfig
from drivers.twin.mechanical.device import MechanicalTwin

__all__ = ["MechanicalConfig", "MechanicalTwin"]
