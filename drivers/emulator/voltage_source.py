"""A multi-channel voltage source, as it drives the heaters of a chip."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from drivers.emulator.apparatus import Apparatus
from drivers.emulator.scpi import Commands
from drivers.emulator.source import Source, SourceSpec
from drivers.emulator.troubles import Troubles
from drivers.emulator.witness import Witness
from ffzero_lab.device import FloatArray


class VoltageSourceSpec(SourceSpec):
    """Specification of a voltage source: its channels lead to parameters of the device."""

    kind: Literal["voltage-source"] = "voltage-source"
    lower: float = 0.0
    """Smallest setpoint, in volts (or in the unit of the parameters, where the device is driven in another)."""
    upper: float = 10.0
    """Largest setpoint, in the same unit."""


class VoltageSource(Source):
    """``FFzero,VSOURCE``: one voltage per channel behind one output switch."""

    units: ClassVar[Mapping[str, float]] = {"": 1.0, "V": 1.0, "MV": 1e-3}

    def __init__(self, spec: VoltageSourceSpec, apparatus: Apparatus, troubles: Troubles, witness: Witness) -> None:
        super().__init__(spec, f"FFzero,VSOURCE-{spec.channels},{spec.serial_number},1.0", troubles, witness)
        self._apparatus = apparatus
        self._plugs = apparatus.plug_parameters(spec.name, spec.channels, spec.wires)

    def commands(self) -> Commands:
        """Return the manual."""
        return {
            **super().commands(),
            ":SOURce<n>:VOLTage": self.set_one,
            ":SOURce<n>:VOLTage?": self.read_one,
            ":SOURce:VOLTage:LIST": self.set_list,
            ":SOURce:VOLTage:LIST?": self.read_list,
            ":SOURce:VOLTage:LIMit?": self.limits,
            ":SOURce:CHANnel:COUNt?": self.count,
            ":OUTPut[:STATe]": self.switch,
            ":OUTPut[:STATe]?": self.is_on,
            ":MEASure:VOLTage:ALL?": self._volts,
            ":MEASure:CURRent:ALL?": self._amperes,
        }

    def drive(self, values: FloatArray, driven: NDArray[np.bool_]) -> None:
        """Heat."""
        self._apparatus.drive_parameters(self._plugs, values, driven)

    def _volts(self) -> str:
        return self.listed(self._apparatus.meter(self._plugs, self._spec.n_channels)[0])

    def _amperes(self) -> str:
        return self.listed(self._apparatus.meter(self._plugs, self._spec.n_channels)[1])
