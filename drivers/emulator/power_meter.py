"""The Keysight N7744C and N7745C multiport optical power meters (SCPI, port 5025 of the real ones)."""

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from drivers.emulator.apparatus import Apparatus
from drivers.emulator.errors import ScpiError
from drivers.emulator.faults import OF_METERS, ON_THE_WIRE, FaultKind
from drivers.emulator.grammar import block, choice, number
from drivers.emulator.instrument import SocketSpec
from drivers.emulator.scpi import Commands, ScpiInstrument, channel_index
from drivers.emulator.source import miscounted
from drivers.emulator.troubles import Troubles
from ffzero_lab.device import FloatArray

PORTS = {"N7744C": 4, "N7745C": 8}
UNITS = {"DBM": 0, "W": 1, "0": 0, "1": 1}
METRES = {"": 1.0, "M": 1.0, "UM": 1e-6, "NM": 1e-9, "PM": 1e-12}
LONGEST_M, SHORTEST_M, INITIAL_M = 1625e-9, 1250e-9, 1550e-9
OVER_RANGE, NO_POWER = 9.9e37, -9.9e37
"""What stands for +∞ and −∞ (SCPI-99, volume 1, 7.2.1): power beyond the range, and no power in dBm."""
Model = Literal["N7744C", "N7745C"]
PowerUnit = Literal["W", "dBm"]


class PowerMeterSpec(SocketSpec):
    """Specification of a power meter: its ports are lit by outputs of the device."""

    kind: Literal["power-meter"] = "power-meter"
    model: Model = "N7745C"
    """Four ports or eight."""
    ports: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Another number of ports than the model has, for meshes larger than any real one."""
    unit: PowerUnit = "dBm"
    """Unit of every port after switching on."""
    watts_per_unit: Annotated[float, Field(gt=0.0)] = 1.0
    """Power of one unit of the device's outputs."""
    full_scale_w: Annotated[float, Field(gt=0.0)] | None = None
    """Largest power that it can measure; None: all the device gives."""

    @property
    def n_channels(self) -> int:
        """Ports, numbered from 1."""
        return PORTS[self.model] if self.ports is None else self.ports

    @property
    def breaks_by(self) -> tuple[FaultKind, ...]:
        """What can happen to it."""
        return ON_THE_WIRE + OF_METERS


class PowerMeter(ScpiInstrument):
    """One power per port. A block is in watts whatever the units are; a single reading is in the port's unit.

    Both are of single precision: the nine digits of a single reading in watts are exactly the number of the block.
    """

    def __init__(self, spec: PowerMeterSpec, apparatus: Apparatus, troubles: Troubles) -> None:
        super().__init__(f"Keysight Technologies,{spec.model},{spec.serial_number},V1.00")
        self._spec = spec
        self._n_ports = spec.n_channels
        self._apparatus = apparatus
        self._troubles = troubles
        self._plugs = apparatus.plug_outputs(spec.name, self._n_ports, spec.wires)
        self._last_w = np.zeros(self._n_ports, dtype=np.float32)
        self._in_watts = np.zeros(self._n_ports, dtype=np.bool_)
        self._wavelength_m = np.zeros(self._n_ports)
        self.reset()

    def commands(self) -> Commands:
        """Return the manual."""
        return {
            **super().commands(),
            ":READ[n]:POWer:ALL?": self._read_all,
            ":FETCh[n]:POWer:ALL?": self._fetch_all,
            ":READ[n]:POWer:ALL:CONFig?": self._slots,
            ":FETCh[n]:POWer:ALL:CONFig?": self._slots,
            ":READ[n]:POWer?": self._read_one,
            ":FETCh[n]:POWer?": self._fetch_one,
            ":SENSe[n]:POWer:UNIT": self._set_unit,
            ":SENSe[n]:POWer:UNIT?": self._unit,
            ":SENSe:POWer:UNIT:ALL": self._set_units,
            ":SENSe:POWer:UNIT:ALL:CSV?": lambda: ",".join(map(str, self._in_watts.astype(int))),
            ":SENSe[n]:POWer:WAVelength": self._set_wavelength,
            ":SENSe[n]:POWer:WAVelength?": self._wavelength,
            ":SENSe[n]:POWer:WAVelength:ALL": self._set_wavelengths,
        }

    def reset(self) -> None:
        """Units as after switching on, 1550 nm, nothing measured."""
        self._last_w[:] = 0.0
        self._in_watts[:] = self._spec.unit == "W"
        self._wavelength_m[:] = INITIAL_M

    def _read_all(self, port: int) -> bytes:
        self._measure(np.ones(self._n_ports, dtype=np.bool_))
        reply = self._fetch_all(port)
        self._apparatus.triggered(self._spec.name)
        return reply

    def _fetch_all(self, port: int) -> bytes:
        self._port(port)
        return block(np.array(miscounted(self._last_w.tolist(), self._troubles), dtype="<f4").tobytes())

    def _slots(self, port: int) -> bytes:
        self._port(port)
        pairs = np.ones((self._n_ports, 2), dtype="<u2")
        pairs[:, 0] = np.arange(1, self._n_ports + 1)
        return block(pairs.tobytes())

    def _read_one(self, port: int) -> str:
        measured = np.zeros(self._n_ports, dtype=np.bool_)
        measured[self._port(port)] = True
        self._measure(measured)
        return self._fetch_one(port)

    def _fetch_one(self, port: int) -> str:
        index = self._port(port)
        power_w = float(self._last_w[index])
        if self._in_watts[index] or power_w >= np.float32(OVER_RANGE):
            return _decimal(power_w)
        return _decimal(10.0 * np.log10(power_w / 1e-3) if power_w > 0.0 else NO_POWER)

    def _measure(self, ports: NDArray[np.bool_]) -> None:
        """Measure some ports (n,) anew."""
        readings: FloatArray = self._apparatus.read(self._plugs, self._n_ports) * self._spec.watts_per_unit
        readings[self._troubles.channels("dead-channel", self._n_ports)] = 0.0
        over = self._troubles.channels("over-range", self._n_ports)
        if self._spec.full_scale_w is not None:
            over |= readings > self._spec.full_scale_w
        readings[over] = OVER_RANGE
        fresh = ports & ~self._troubles.channels("stuck", self._n_ports)
        self._last_w[fresh] = readings[fresh]

    def _set_unit(self, port: int, unit: str) -> None:
        self._in_watts[self._port(port)] = choice(unit, UNITS)

    def _unit(self, port: int) -> str:
        return str(int(self._in_watts[self._port(port)]))

    def _set_units(self, unit: str) -> None:
        self._in_watts[:] = choice(unit, UNITS)

    def _set_wavelength(self, port: int, wavelength: str) -> None:
        self._wavelength_m[self._port(port)] = _wavelength_m(wavelength)

    def _wavelength(self, port: int) -> str:
        return _decimal(self._wavelength_m[self._port(port)])

    def _set_wavelengths(self, port: int, wavelength: str) -> None:
        self._port(port)
        self._wavelength_m[:] = _wavelength_m(wavelength)

    def _port(self, number: int) -> int:
        return channel_index(number, self._n_ports)


def _wavelength_m(text: str) -> float:
    wavelength_m = round(number(text, METRES), 15)
    if not SHORTEST_M <= wavelength_m <= LONGEST_M:
        raise ScpiError(-222, f"{wavelength_m!r} m; limits {SHORTEST_M!r} to {LONGEST_M!r}")
    return wavelength_m


def _decimal(value: float) -> str:
    """Return a number as this meter prints it: ``+1.33555600E-006``."""
    mantissa, exponent = f"{value:+.8e}".split("e")
    return f"{mantissa}E{int(exponent):+04d}"
