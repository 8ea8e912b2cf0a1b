"""The photonic twin: a rectangular interferometer mesh with heaters, detectors and hidden truth."""

from drivers.twin.photonic.config import PhotonicConfig
from drivers.twin.photonic.device import PhotonicTwin

__all__ = ["PhotonicConfig", "PhotonicTwin"]
