"""All instruments of a bench, opened together and let go together."""

from collections.abc import Mapping
from typing import Any, Self

from drivers.bench.config import BenchConfig
from drivers.bench.connections import RoleName, connections_of
from drivers.bench.mounting import LayerPlugs, Mounted, plugs_of, wiring_of
from drivers.bench.parking import STAGE_SHARE, Ending, end_in_stages, first_of
from drivers.bench.roles import Actuators, Detectors, Inputs, LinkTable
from ffzero_lab.device import Clock


class Instruments:
    """The instruments of *config* by role and name; `opened` makes one."""

    def __init__(self, config: BenchConfig) -> None:
        self.inputs: dict[str, Mounted[Inputs]] = {}
        self.actuators: dict[str, Mounted[Actuators]] = {}
        self.detectors: dict[str, Mounted[Detectors]] = {}
        self._connections = connections_of(config.layers)
        self._stage_s = STAGE_SHARE * config.timing.park_s

    @classmethod
    def opened(cls, config: BenchConfig, clock: Clock) -> Self:
        """Open all instruments without energising anything.

        When one cannot be opened, the others are parked and let go: after a crash they may still be on, and no other
        way leads to them. Then the first error is raised.
        """
        made = cls(config)
        links = {name: LinkTable(name, settings) for name, settings in config.links.items()}
        of_role: Mapping[RoleName, dict[str, Mounted[Any]]] = {
            "inputs": made.inputs,
            "actuators": made.actuators,
            "detectors": made.detectors,
        }
        errors: list[Exception] = []
        for role, tables in config.instruments.items():
            for name, table in tables.items():
                wiring = wiring_of(name, role, table, made._connections, links, made._stage_s)
                try:
                    of_role[role][name] = Mounted[Any](wiring, table.role_class.open(table.settings, wiring, clock))
                except Exception as error:  # noqa: BLE001 - raised below, after everything was tried
                    error.add_note(f"that was opening {name!r}; what could be opened was parked")
                    errors.append(error)
        if errors:
            made._give_up(errors)
            raise first_of(errors)
        return made

    @property
    def by_name(self) -> Mapping[str, Mounted[Any]]:
        """Every instrument by its name."""
        return {**self.inputs, **self.actuators, **self.detectors}

    @property
    def in_stages(self) -> list[list[Mounted[Any]]]:
        """The instruments in the order in which they are parked: light off first."""
        return [[*self.inputs.values()], [*self.actuators.values()], [*self.detectors.values()]]

    def plugs(self, layer: int) -> LayerPlugs:
        """Return what one layer is plugged into."""
        return LayerPlugs(
            plugs_of(layer, "actuators", self._connections, self.actuators),
            plugs_of(layer, "inputs", self._connections, self.inputs),
            plugs_of(layer, "detectors", self._connections, self.detectors),
        )

    def park(self) -> None:
        """Bring every instrument into its safe state; all are tried before the first error is raised."""
        end_in_stages([[Ending(one.name, one.driver.park) for one in stage] for stage in self.in_stages], self._stage_s)

    def let_go(self) -> None:
        """Close every instrument; all are tried before the first error is raised."""
        endings = [Ending(one.name, one.driver.close, "closing") for one in self.by_name.values()]
        end_in_stages([endings], self._stage_s)

    def _give_up(self, errors: list[Exception]) -> None:
        """Park and let go what was opened; what else goes wrong joins *errors*."""
        for end in (self.park, self.let_go):
            try:
                end()
            except Exception as error:  # noqa: BLE001 - told with the first error
                errors.append(error)
