"""A whole emulated bench from plain data: one twin, its instruments at their ports, faults, and a witness."""

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from drivers.emulator.apparatus import Apparatus
from drivers.emulator.board import EmulatedBoard
from drivers.emulator.board_plant import BoardPlant
from drivers.emulator.board_spec import BoardSpec
from drivers.emulator.faults import FaultPlan
from drivers.emulator.instrument import Instrument, LineSpec, SocketSpec
from drivers.emulator.line import SerialLine
from drivers.emulator.modulator import Modulator, ModulatorSpec
from drivers.emulator.power_meter import PowerMeter, PowerMeterSpec
from drivers.emulator.qontrol_rack import QontrolRack, QontrolRackSpec
from drivers.emulator.server import TcpServer
from drivers.emulator.station import Station
from drivers.emulator.troubles import Troubles
from drivers.emulator.voltage_source import VoltageSource, VoltageSourceSpec
from drivers.emulator.wire_time import BITS_PER_BYTE
from drivers.emulator.witness import Witness
from ffzero_lab.device import Device, Driver

AnyInstrumentSpec = Annotated[
    VoltageSourceSpec | ModulatorSpec | PowerMeterSpec | QontrolRackSpec | BoardSpec, Field(discriminator="kind")
]
DRIVER_GROUP = "ffzero_lab.drivers"


class EmulationSpec(BaseModel):
    """Everything that one emulator process serves."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    twin: str = "twin.photonic"
    """Twin behind the instruments: the name of an installed driver, with ``.`` or ``:``, or ``module:Class``."""
    options: dict[str, Any] = {}
    """Configuration of that twin."""
    instruments: Annotated[tuple[AnyInstrumentSpec, ...], Field(min_length=1)]
    """The instruments, each with a ``kind``: voltage-source, modulator, power-meter, qontrol-rack or board."""
    faults: FaultPlan = FaultPlan()
    """What goes wrong."""
    witness: Path | None = None
    """File to which everything that reaches an output is appended."""

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        by_name = {instrument.name: instrument for instrument in self.instruments}
        if len(by_name) < len(self.instruments):
            raise ValueError(f"instruments must have names of their own, not {[i.name for i in self.instruments]}")
        for fault in self.faults.faults:
            if fault.instrument not in by_name:
                raise ValueError(f"fault {fault.kind!r}: {fault.instrument!r} is none of {', '.join(by_name)}")
            instrument = by_name[fault.instrument]
            if fault.kind not in instrument.breaks_by:
                raise ValueError(f"fault {fault.kind!r} cannot happen to a {instrument.kind}")
            if fault.channel is not None and fault.channel > instrument.n_channels:
                raise ValueError(
                    f"fault {fault.kind!r}: channel {fault.channel} of {fault.instrument} is none of 1 to "
                    f"{instrument.n_channels}"
                )
        for modulator in self.instruments:
            meters = [meter.name for meter in self.instruments if meter.kind == "power-meter"]
            if modulator.kind == "modulator" and modulator.trigger not in (None, *meters):
                raise ValueError(f"{modulator.name}: trigger {modulator.trigger!r} is none of {', '.join(meters)}")
        return self


class Emulation:
    """The instruments of *spec*, switched on and listening until ``close``; raises OSError for a port that is taken."""

    def __init__(self, spec: EmulationSpec) -> None:
        self._apparatus = Apparatus(_twin(spec.twin, spec.options))
        self._apparatus.warm_up()
        self._witness = Witness(spec.witness)
        self._folder: TemporaryDirectory[str] | None = None
        self._servers: dict[str, TcpServer] = {}
        self._lines: dict[str, SerialLine] = {}
        try:
            stations = [(one, self._station(one, spec.faults)) for one in spec.instruments]
            for one, station in stations:
                station.power_up()
                if isinstance(one, LineSpec):
                    self._lines[one.name] = SerialLine(station, one.path or self._path(one.name), one.baud)
                else:
                    self._servers[one.name] = _listening(station, one)
        except BaseException:
            self.close()
            raise

    @property
    def addresses(self) -> Mapping[str, tuple[str, int]]:
        """Host and port of each instrument at a socket, by its name."""
        return {name: server.address for name, server in self._servers.items()}

    @property
    def ports(self) -> Mapping[str, Path]:
        """Path of the port of each instrument at a serial line, by its name."""
        return {name: line.path for name, line in self._lines.items()}

    @property
    def resources(self) -> Mapping[str, str]:
        """Where each instrument can be reached, as a bench file says it: a VISA resource, or the path of a port."""
        sockets = {name: f"TCPIP0::{host}::{port}::SOCKET" for name, (host, port) in self.addresses.items()}
        return sockets | {name: str(path) for name, path in self.ports.items()}

    def close(self) -> None:
        """Cut all connections and end; what stood at the outputs is as it was."""
        for server in (*self._servers.values(), *self._lines.values()):
            server.close()
        self._witness.close()
        self._apparatus.close()
        if self._folder is not None:
            self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _path(self, name: str) -> Path:
        """Return a place for a port."""
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="ffzero-lines-")
        return Path(self._folder.name) / name

    def _station(self, spec: AnyInstrumentSpec, plan: FaultPlan) -> Station:
        troubles = Troubles(spec.name, plan, self._witness)
        return Station(self._instrument(spec, troubles), troubles, self._apparatus.lock)

    def _instrument(self, spec: AnyInstrumentSpec, troubles: Troubles) -> Instrument:
        match spec:
            case VoltageSourceSpec():
                return VoltageSource(spec, self._apparatus, troubles, self._witness)
            case ModulatorSpec():
                return Modulator(spec, self._apparatus, troubles, self._witness)
            case PowerMeterSpec():
                return PowerMeter(spec, self._apparatus, troubles)
            case BoardSpec():
                plant = BoardPlant(spec.name, spec.converters, self._apparatus, troubles, self._witness)
                return EmulatedBoard(plant, troubles, BITS_PER_BYTE / spec.baud)
            case QontrolRackSpec():
                return QontrolRack(spec, self._apparatus, troubles, self._witness)


def _listening(station: Station, spec: SocketSpec) -> TcpServer:
    try:
        return TcpServer(station, spec.port)
    except OSError as error:
        what = f"{spec.name} cannot listen at port {spec.port} of this computer: {error.strerror}"
        raise OSError(f"{what}; is it emulated already, or something else there?") from error


def _twin(name: str, options: Mapping[str, Any]) -> Device:
    """Open the twin *name*; raises ValueError for one that there is not."""
    installed = {entry.name: entry for entry in entry_points(group=DRIVER_GROUP)}
    entry = installed.get(name.replace(":", "."))
    if entry is not None:
        driver: Driver = entry.load()
    else:
        module, _, attribute = name.partition(":")
        try:
            driver = getattr(import_module(module), attribute)
        except (ModuleNotFoundError, AttributeError, ValueError) as error:
            known = ", ".join(sorted(installed))
            raise ValueError(f"twin {name!r} is none of {known} and no module:Class ({error})") from None
    return driver.open(driver.Config.model_validate(dict(options)), None)
