"""Instruments that speak SCPI, or anything like it: what they are told stands in the bench file, as in their manual."""

from drivers.scpi.detectors import ScpiDetectors
from drivers.scpi.inputs import ScpiInputs
from drivers.scpi.sources import ScpiActuators

__all__ = ["ScpiActuators", "ScpiDetectors", "ScpiInputs"]
