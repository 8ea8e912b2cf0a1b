"""The crossbar twin: layers of programmable conductances that multiply by Ohm's law and add by Kirchhoff's."""

from drivers.twin.crossbar.config import CrossbarConfig
from drivers.twin.crossbar.device import CrossbarTwin

__all__ = ["CrossbarConfig", "CrossbarTwin"]
