"""A light source with a modulator per channel: the inputs of a network, optionally with a pattern memory."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from drivers.emulator.apparatus import Apparatus
from drivers.emulator.errors import ScpiError
from drivers.emulator.grammar import whole_number
from drivers.emulator.scpi import Commands
from drivers.emulator.source import Source, SourceSpec
from drivers.emulator.troubles import Troubles
from drivers.emulator.witness import Witness
from ffzero_lab.device import FloatArray


class ModulatorSpec(SourceSpec):
    """Specification of a modulator: its channels lead to inputs of the device."""

    kind: Literal["modulator"] = "modulator"
    lower: float = 0.0
    """Smallest amplitude, in the unit of the inputs."""
    upper: float = 1.0
    """Largest amplitude."""
    memory: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Patterns that it can hold; 0: it has no pattern memory."""
    trigger: str | None = None
    """Name of the meter whose trigger output steps a sequence; None: any meter does."""


class Modulator(Source):
    """``FFzero,MODULATOR``: one amplitude per channel; the output switch is that of the laser.

    The memory counts its addresses from 0, survives ``*RST`` and is lost with the power.
    """

    units: ClassVar[Mapping[str, float]] = {"": 1.0}

    def __init__(self, spec: ModulatorSpec, apparatus: Apparatus, troubles: Troubles, witness: Witness) -> None:
        super().__init__(spec, f"FFzero,MODULATOR-{spec.channels},{spec.serial_number},1.0", troubles, witness)
        self._size = spec.memory
        self._trigger = spec.trigger
        self._memory: dict[int, FloatArray] = {}
        self._sequence: list[int] = []
        self._position = 0
        self._apparatus = apparatus
        self._plugs = apparatus.plug_inputs(spec.name, spec.channels, spec.wires)
        apparatus.on_trigger.append(self._step)

    def commands(self) -> Commands:
        """Return the manual."""
        return {
            **super().commands(),
            ":SOURce<n>:AMPLitude": self._set_one,
            ":SOURce<n>:AMPLitude?": self.read_one,
            ":SOURce:AMPLitude:LIST": self._set_list,
            ":SOURce:AMPLitude:LIST?": self.read_list,
            ":SOURce:AMPLitude:LIMit?": self.limits,
            ":SOURce:CHANnel:COUNt?": self.count,
            ":OUTPut[:STATe]": self.switch,
            ":OUTPut[:STATe]?": self.is_on,
            ":MEMory:SIZE?": lambda: str(self._size),
            ":MEMory:COUNt?": lambda: str(len(self._memory)),
            ":MEMory:CLEar": self._forget,
            ":MEMory:DATA": self._upload,
            ":MEMory:DATA?": self._download,
            ":MEMory:RECall": self._present,
            ":MEMory:SEQuence": self._start,
            ":MEMory:SEQuence?": lambda: ",".join(map(str, self._sequence)),
            ":MEMory:SEQuence:POSition?": lambda: str(self._position),
        }

    def drive(self, values: FloatArray, driven: NDArray[np.bool_]) -> None:
        """Modulate the light."""
        self._apparatus.drive_inputs(self._plugs, values, driven)

    def reset(self) -> None:
        """Switch the laser off, all amplitudes to 0; a sequence ends."""
        self._end_sequence()
        super().reset()

    def power_up(self) -> None:
        """Be as after switching on: the memory is empty."""
        self._memory.clear()
        super().power_up()

    def _end_sequence(self) -> None:
        self._sequence, self._position = [], 0

    def _set_one(self, channel: int, value: str) -> None:
        self._end_sequence()
        self.set_one(channel, value)

    def _set_list(self, *values: str) -> None:
        self._end_sequence()
        self.set_list(*values)

    def _forget(self) -> None:
        self._end_sequence()
        self._memory.clear()

    def _upload(self, first: str, *values: str) -> None:
        """Store patterns, one after the other, from address *first* on: all of them or none."""
        width = self._spec.channels
        n_patterns, rest = divmod(len(values), width)
        if rest or not n_patterns:
            raise ScpiError(-109, f"{len(values)} values are not a whole number of patterns of {width}")
        address = whole_number(first)
        if not 0 <= address <= self._size - n_patterns:
            raise ScpiError(-222, f"{n_patterns} patterns from {address} on; the memory holds {self._size}")
        patterns = [self.checked_list(values[i : i + width]) for i in range(0, len(values), width)]
        stored = n_patterns // 2 if self._troubles.strikes("partial-list") else n_patterns
        self._memory.update(enumerate(patterns[:stored], address))

    def _download(self, address: str) -> str:
        return self.listed(self._pattern(whole_number(address)))

    def _present(self, address: str) -> None:
        pattern = self._pattern(whole_number(address))
        self._end_sequence()
        self.apply(pattern)

    def _start(self, *addresses: str) -> None:
        """Present the first of a list of patterns; each trigger goes on to the next, the last one stays."""
        sequence = [whole_number(address) for address in addresses]
        if not sequence:
            raise ScpiError(-109, "a sequence has at least one address")
        first, *_ = [self._pattern(address) for address in sequence]
        self._sequence, self._position = sequence, 0
        self.apply(first)

    def _step(self, meter: str) -> None:
        if self._trigger not in (None, meter) or self._position + 1 >= len(self._sequence):
            return
        self._position += 1
        self.apply(self._pattern(self._sequence[self._position]))

    def _pattern(self, address: int) -> FloatArray:
        if address not in self._memory:
            raise ScpiError(-230, f"there is no pattern at address {address}")
        return self._memory[address]
