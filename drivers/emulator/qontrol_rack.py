"""A rack of Qontrol Q8iv modules: a chain of voltage sources with eight channels each, at one serial line."""

from collections.abc import Callable, Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from drivers.emulator.apparatus import Apparatus
from drivers.emulator.errors import ScpiError
from drivers.emulator.faults import OF_RACKS, ON_THE_WIRE, FaultKind
from drivers.emulator.instrument import Instrument, LineSpec
from drivers.emulator.qontrol_grammar import (
    BAD_CHANNEL,
    BAD_PARAMETER,
    FORBIDDEN,
    FULL_WORD,
    GARBLED,
    OVERFLOW,
    TIMED_OUT,
    UNRECOGNISED,
    Command,
    Refused,
    command_of,
    message_end,
)
from drivers.emulator.source import miscounted
from drivers.emulator.troubles import Troubles
from drivers.emulator.wires import Plug, Wires
from drivers.emulator.witness import Witness
from ffzero_lab.device import DeviceError, FloatArray

PER_MODULE = 8
MODEL = "Q8iv"
OVER_VOLTAGE, OVER_CURRENT, ADC_ERROR, POWERED_UP = 1, 2, 18, 90
OK = "OK"


class QontrolRackSpec(LineSpec):
    """Specification of a rack: channels, numbered from 0 through the chain, lead to parameters and to inputs."""

    kind: Literal["qontrol-rack"] = "qontrol-rack"
    serial_number: Annotated[str, Field(pattern=r"^[0-9A-F]{4}$")] = "0A2F"
    """Of the first module, hexadecimal; the others count on from there."""
    modules: Annotated[int, Field(ge=1, le=64)] = 1
    """Modules of eight channels."""
    full_scale_v: Annotated[float, Field(gt=0.0)] = 12.0
    """Largest voltage."""
    full_scale_ma: Annotated[float, Field(gt=0.0)] = 24.0
    """Largest current."""
    load_ohm: Annotated[float, Field(gt=0.0)] = 600.0
    """Resistance at every output, by which a set current or a limit of it is judged."""
    wires: tuple[Wires, ...] = ()
    """Which channel leads to which parameter; channel 0 counts as 1 here."""
    input_wires: tuple[Wires, ...] = ()
    """Which channel leads to which input, counted in the same way."""
    volts_per_unit: Annotated[float, Field(gt=0.0)] = 1.0
    """Voltage at which a modulator gives an amplitude of 1."""

    @property
    def n_channels(self) -> int:
        """Channels; a fault numbers them from 1."""
        return PER_MODULE * self.modules

    @property
    def breaks_by(self) -> tuple[FaultKind, ...]:
        """What can happen to it."""
        return ON_THE_WIRE + OF_RACKS


class QontrolRack(Instrument):
    """Setpoints of 16 bits between 0 and full scale; a vector with one out of limits is refused altogether.

    Switching on leaves every output at 0 and the limits at full scale, and is told by an error line for each module.
    """

    gap_s: ClassVar[float | None] = 0.05
    longest: ClassVar[int] = 512

    def __init__(self, spec: QontrolRackSpec, apparatus: Apparatus, troubles: Troubles, witness: Witness) -> None:
        self._spec, self._apparatus, self._troubles, self._witness = spec, apparatus, troubles, witness
        count = spec.n_channels
        heats = spec.wires or not spec.input_wires
        self._heated = apparatus.plug_parameters(spec.name, count, spec.wires) if heats else ()
        self._lit = apparatus.plug_inputs(spec.name, count, spec.input_wires) if spec.input_wires else ()
        self._heats, self._lights = _leading(self._heated, count), _leading(self._lit, count)
        self._volts, self._seen = np.zeros((2, count))
        self._vmax, self._imax = np.full(count, spec.full_scale_v), np.full(count, spec.full_scale_ma)
        self._dead, self._stuck = np.zeros((2, count), dtype=np.bool_)
        self._numbered = False
        self._booted: list[int] = []

    def message_end(self, received: bytes) -> int | None:
        """Return where the line or the frame ends."""
        return message_end(received)

    def answer(self, message: bytes) -> bytes:
        """Obey a line or a frame."""
        self._look_for_troubles()
        if self._troubles.strikes("serial-error"):
            return _error(GARBLED, 0)
        try:
            lines = self._obey(command_of(message))
        except Refused as refused:
            return _error(refused.code, refused.channel)
        except (DeviceError, ScpiError):
            return _error(ADC_ERROR, 0)
        said = "".join(f"{line}\n" for line in lines).encode()
        for fault in self._troubles.strikes("complaint"):
            said += _error(ADC_ERROR, (fault.channel or 1) - 1)
        for fault in self._troubles.strikes("module-restart"):
            module = ((fault.channel or 1) - 1) // PER_MODULE
            self._switch_on([module])
            said += self.greeting() or b""
        return said

    def overrun(self) -> bytes:
        """Complain of a message that was too long."""
        return _error(OVERFLOW, 0)

    def broken_off(self, received: bytes) -> bytes:
        """Complain of a message of which the rest did not come."""
        del received
        return _error(TIMED_OUT, 0)

    def undelivered(self) -> None:
        """Do nothing: nobody has to listen to a serial line."""

    def power_up(self) -> None:
        """Be as after switching on."""
        self._switch_on(range(self._spec.modules))

    def greeting(self) -> bytes:
        """Return the error line of every module that was switched on since the last time."""
        booted, self._booted = self._booted, []
        return b"".join(_error(POWERED_UP, PER_MODULE * module) for module in booted)

    def _switch_on(self, modules: "range | list[int]") -> None:
        for module in modules:
            own = slice(PER_MODULE * module, PER_MODULE * (module + 1))
            self._vmax[own], self._imax[own] = self._spec.full_scale_v, self._spec.full_scale_ma
            self._volts[own] = 0.0
            self._energise(own)
        self._booted = [*modules]

    def _look_for_troubles(self) -> None:
        if not self._troubles.are_planned("dead-channel", "stuck"):
            return
        dead = self._troubles.channels("dead-channel", self._spec.n_channels)
        if not np.array_equal(dead, self._dead):
            self._dead = dead
            self._energise(slice(0, self._spec.n_channels))
        self._stuck = self._troubles.channels("stuck", self._spec.n_channels)

    def _obey(self, command: Command) -> list[str]:
        """Return the lines that answer *command*; raises Refused."""
        spec = self._spec
        asked: dict[str, Callable[[], list[str]]] = {
            "id": lambda: [self._identity(0)],
            "nupall": self._enumerate,
            "vfull": lambda: [_quantity(spec.full_scale_v, "V")],
            "ifull": lambda: [_quantity(spec.full_scale_ma, "mA")],
            "nchan": lambda: [str(PER_MODULE)],
            "firmware": lambda: ["FFzero emulation 1.0"],
            "vall": lambda: [*self._all(self._measured_v(), "V"), OK],
            "iall": lambda: [*self._all(self._measured_ma(), "mA"), OK],
        }
        if command.asks and command.name in asked and command.channel is None:
            return asked[command.name]()
        if command.name == "nup" and not command.asks:
            self._numbered = command.values == (0.0,)
            return [OK]
        if command.name not in ("v", "i", "vmax", "imax", "vvec", "ivec"):
            raise Refused(UNRECOGNISED)
        channel = self._known_channel(command)
        if command.asks:
            return [self._reading(command.name, channel)]
        self._set(command, channel)
        return [OK]

    def _known_channel(self, command: Command) -> int:
        if command.channel is None or not command.channel < self._spec.n_channels:
            raise Refused(BAD_CHANNEL, command.channel or 0)
        return command.channel

    def _identity(self, module: int) -> str:
        return f"{MODEL}-{(int(self._spec.serial_number, 16) + module) & FULL_WORD:04X}"

    def _enumerate(self) -> list[str]:
        if not self._numbered:
            raise Refused(FORBIDDEN)
        return [*(f"{self._identity(module)}:{module}" for module in range(self._spec.modules)), OK]

    def _reading(self, name: str, channel: int) -> str:
        if name in ("vvec", "ivec"):
            raise Refused(FORBIDDEN, channel)
        values, unit = {
            "v": (self._measured_v, "V"),
            "i": (self._measured_ma, "mA"),
            "vmax": (lambda: self._vmax, "V"),
            "imax": (lambda: self._imax, "mA"),
        }[name]
        return _quantity(float(values()[channel]), unit)

    def _set(self, command: Command, first: int) -> None:
        count = len(command.values)
        same_module = (first + count - 1) // PER_MODULE == first // PER_MODULE
        if not same_module or (count > 1 and not command.name.endswith("vec")):
            raise Refused(BAD_PARAMETER, first)
        full = self._spec.full_scale_v if command.name[0] == "v" else self._spec.full_scale_ma
        values = [value * full for value in command.values] if command.is_share else [*command.values]
        if command.name.endswith("max"):
            self._set_limit(command.name, first, _stepped(values[0], full), full)
        else:
            per_unit = 1.0 if command.name[0] == "v" else 1e-3 * self._spec.load_ohm
            self._drive(first, values, [_stepped(value, full) * per_unit for value in values])

    def _set_limit(self, name: str, channel: int, value: float, full: float) -> None:
        if not 0.0 <= value <= full:
            raise Refused(BAD_PARAMETER, channel)
        (self._vmax if name == "vmax" else self._imax)[channel] = value

    def _drive(self, first: int, values: Sequence[float], volts: Sequence[float]) -> None:
        """Drive *volts* (n,) at the channels from *first* on: all of them, or none and Refused."""
        own = slice(first, first + len(volts))
        step_v, step_ma = self._spec.full_scale_v / FULL_WORD, self._spec.full_scale_ma / FULL_WORD
        per_volt = 1e3 / self._spec.load_ohm
        most_v, most_ma = self._vmax[own].tolist(), self._imax[own].tolist()
        too_much_v = [not 0.0 <= volt <= most + step_v / 2.0 for volt, most in zip(volts, most_v, strict=True)]
        too_much_i = [volt * per_volt > most + step_ma for volt, most in zip(volts, most_ma, strict=True)]
        for place, wrong in enumerate(zip(too_much_v, too_much_i, strict=True)):
            if any(wrong):
                self._witness.refused(self._spec.name, first + place, values[place])
        for wrong, code in ((too_much_v, OVER_VOLTAGE), (too_much_i, OVER_CURRENT)):
            if any(wrong):
                raise Refused(code, first + wrong.index(True))
        reached = len(volts)
        if reached > 1 and self._troubles.strikes("partial-list"):
            reached //= 2
        self._volts[first : first + reached] = volts[:reached]
        self._energise(slice(first, first + reached))

    def _energise(self, changed: slice) -> None:
        levels = np.where(self._dead, 0.0, self._volts)
        channels = [*range(changed.start, changed.stop)]
        self._witness.output(self._spec.name, channels, levels[changed].tolist(), on=True)
        if True in self._heats[changed]:
            self._apparatus.drive_parameters(self._heated, levels, ~self._dead)
        if True in self._lights[changed]:
            self._apparatus.drive_inputs(self._lit, levels / self._spec.volts_per_unit, levels > 0.0)

    def _measured_v(self) -> FloatArray:
        self._seen = np.where(self._stuck, self._seen, np.where(self._dead, 0.0, self._volts))
        return self._seen

    def _measured_ma(self) -> FloatArray:
        """Return the currents: of heaters what the twin draws, of everything else by ``load_ohm``."""
        currents = np.where(self._dead, 0.0, self._volts) / self._spec.load_ohm * 1e3
        if self._heated:
            _, amperes = self._apparatus.meter(self._heated, self._spec.n_channels)
            for plug in self._heated:
                currents[plug.channels] = 1e3 * amperes[plug.channels]
        return currents

    def _all(self, values: FloatArray, unit: str) -> list[str]:
        return [_quantity(value, unit) for value in miscounted(values.tolist(), self._troubles)]


def _leading(plugs: tuple[Plug, ...], n_channels: int) -> list[bool]:
    """Return which channels (n_channels,) lead anywhere."""
    leads = [False] * n_channels
    for channel in (channel for plug in plugs for channel in plug.channels.tolist()):
        leads[channel] = True
    return leads


def _stepped(value: float, full: float) -> float:
    """Return *value* as a converter of 16 bits makes it."""
    return round(value / full * FULL_WORD) * (full / FULL_WORD)


def _quantity(value: float, unit: str) -> str:
    return f"{value:+.6f} {unit}"


def _error(code: int, channel: int) -> bytes:
    return f"E{code:02d}:{channel:02d}\n".encode()
