"""The emulator: a twin served as instruments, through their protocols over sockets and serial lines, with faults."""

from drivers.emulator.board_spec import BoardSpec
from drivers.emulator.emulation import AnyInstrumentSpec, Emulation, EmulationSpec
from drivers.emulator.faults import Fault, FaultKind, FaultPlan
from drivers.emulator.modulator import ModulatorSpec
from drivers.emulator.power_meter import PowerMeterSpec
from drivers.emulator.process import EmulationProcess
from drivers.emulator.qontrol_rack import QontrolRackSpec
from drivers.emulator.voltage_source import VoltageSourceSpec
from drivers.emulator.wires import Wires
from drivers.emulator.witness import Output, Witnessed, read_witness

__all__ = [
    "AnyInstrumentSpec",
    "BoardSpec",
    "Emulation",
    "EmulationProcess",
    "EmulationSpec",
    "Fault",
    "FaultKind",
    "FaultPlan",
    "ModulatorSpec",
    "Output",
    "PowerMeterSpec",
    "QontrolRackSpec",
    "VoltageSourceSpec",
    "Wires",
    "Witnessed",
    "read_witness",
]
