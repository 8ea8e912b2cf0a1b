"""Racks of Qontrol voltage and current sources: serial, eight channels a module, modules in a chain."""

from drivers.qontrol.sources import QontrolActuators, QontrolInputs

__all__ = ["QontrolActuators", "QontrolInputs"]
