"""Looks over a bench from one end to the other: who is there, does it answer, how long does it take."""

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Any, TypeVar

import numpy as np

from ffzero_lab.device import DarkBatch, Device, FloatArray, Guarded, Inspectable

T = TypeVar("T")
REPEATS = 5
ENERGISED_SHARE = 0.05
"""Share of its range by which ``energise`` moves each parameter away from its safe value."""


@dataclass
class Report:
    """What was found; every exchange with its median seconds."""

    device: str
    serial_number: str
    identities: dict[str, str] = field(default_factory=dict[str, str])
    exchanges: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    health: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    problems: list[str] = field(default_factory=list[str])


def inspect(device: Guarded, *, energise: bool = False, repeats: int = REPEATS) -> Report:
    """Identify, park, read back the safe state, read in the dark, and park again; measures each exchange.

    Nothing is written and nothing switched on, unless *energise*: then the safe state is written and presented, which
    switches sources on, every parameter is moved by a twentieth of its range, and inputs are driven fully, for one
    reading of each layer. The device is parked at the end, whatever happens; when that fails as well, the first error
    is raised, with the other as its note.
    """
    report = Report(device.description.name, device.description.serial_number)
    look = _Look(device, report, repeats)
    try:
        look.everything(energise=energise)
    except BaseException as error:
        try:
            look.park()
        except Exception as second:  # noqa: BLE001 - told with the first error
            error.add_note("\n".join([f"parking failed as well: {second}", *getattr(second, "__notes__", [])]))
        raise
    look.park()
    return report


class _Look:
    def __init__(self, device: Guarded, report: Report, repeats: int) -> None:
        self._device = device
        self._driver: Device = device.driver
        self._report = report
        self._repeats = repeats

    def everything(self, *, energise: bool) -> None:
        layers = range(len(self._device.description.layers))
        self.identities()
        self.park()
        for layer in layers:
            self.parked_state(layer)
            self.dark(layer)
        self.health()
        for layer in layers if energise else ():
            self.safe_state(layer)
            self.reading(layer, self.safe_inputs(layer), "read outputs, inputs safe")
        for layer in layers if energise else ():
            self.energised(layer)

    def park(self) -> None:
        self.timed("park", None, self._device.park, times=1)

    def timed(self, what: str, layer: int | None, call: Callable[[], T], times: int | None = None) -> T:
        took: list[float] = []
        answers: list[T] = []
        for _ in range(times or self._repeats):
            began_s = self._device.clock.now_s()
            answers.append(call())
            took.append(self._device.clock.now_s() - began_s)
        self._report.exchanges.append({"layer": layer, "exchange": what, "seconds": median(took)})
        return answers[-1]

    def identities(self) -> None:
        if isinstance(self._driver, Inspectable):
            self._report.identities.update(self.timed("identify all", None, self._driver.identify, times=1))

    def parked_state(self, layer: int) -> None:
        self._compare_setpoints(layer, "is safe")

    def dark(self, layer: int) -> None:
        """Read the outputs as parking left them; nothing is presented."""
        if not isinstance(self._driver, Inspectable):
            return
        described, driver = self._device.description.layers[layer], self._driver
        outputs = self.timed("read outputs, parked", layer, lambda: driver.read_standing(layer))
        lit = np.flatnonzero(np.abs(outputs) > described.detection_floor)
        if described.detection_floor > 0.0 and len(lit):
            where = int(lit[0])
            self._report.problems.append(
                f"layer {layer}, {described.output_name(where)} reads {outputs[where]:.3g} {described.output_unit} "
                f"with everything parked, more than the floor of {described.detection_floor:g} {described.output_unit} "
                f"({len(lit)} such outputs)"
            )

    def safe_state(self, layer: int) -> None:
        safe = self._safe_parameters(layer)
        self.timed("write the safe state", layer, lambda: self._driver.write_parameters(layer, safe.copy()))
        took_s = self._report.exchanges[-1]["seconds"]
        self._compare_setpoints(layer, "was written")
        self._compare("write", layer, self._device.description.timing.write_s, took_s)

    def reading(self, layer: int, pattern: FloatArray, what: str) -> FloatArray | None:
        """Read one pattern; None when there is nothing but noise, as it must be in the dark."""
        source = layer if self._device.description.topology == "reinjected" else 0
        self._device.load_inputs(source, pattern[np.newaxis])
        row = np.zeros(1, dtype=np.intp)
        outputs = self.timed(what, layer, lambda: self._outputs(layer, row))
        self._compare("shot", layer, self._device.description.timing.shot_s, self._report.exchanges[-1]["seconds"])
        return outputs

    def health(self) -> None:
        readings = self.timed("read health", None, self._device.read_health)
        for channel in self._device.description.health:
            if channel.name in readings:
                reading = {"channel": channel.name, "value": readings[channel.name], "unit": channel.unit}
                self._report.health.append(reading)
            else:
                self._report.problems.append(f"health {channel.name}: no such reading came; check its instrument")

    def energised(self, layer: int) -> None:
        described = self._device.description.layers[layer]
        safe, lower, upper = self._safe_parameters(layer), *map(described.per_parameter, ("lower", "upper"))
        step, slew = ENERGISED_SHARE * (upper - lower), described.per_parameter("slew_per_s")
        limited = np.isfinite(slew)
        step[limited] = np.minimum(step[limited], 0.9 * slew[limited] * self._device.description.timing.write_s)
        values = np.where(upper - safe >= safe - lower, safe + step, safe - step)
        self.timed("write, energised", layer, lambda: self._device.write_parameters(layer, values), times=1)
        source = 0 if self._device.description.topology == "cascaded" else layer
        taken = self._device.description.layers[source]
        outputs = self.reading(layer, np.full(taken.n_inputs, taken.input_upper), "read outputs, energised")
        if outputs is None:
            floor = f"{described.detection_floor:g} {described.output_unit}"
            self._report.problems.append(f"layer {layer}: energised, all outputs are under the floor of {floor}")
            return
        dark = np.flatnonzero(np.abs(outputs) < described.detection_floor)
        if len(dark):
            self._report.problems.append(f"layer {layer}: outputs {dark.tolist()} are under the detection floor")

    def safe_inputs(self, layer: int) -> FloatArray:
        source = 0 if self._device.description.topology == "cascaded" else layer
        if isinstance(self._driver, Inspectable):
            return self._driver.safe_inputs(source)
        taken = self._device.description.layers[source]
        return np.full(taken.n_inputs, min(max(0.0, taken.input_lower), taken.input_upper))

    def _compare_setpoints(self, layer: int, expected: str) -> None:
        described, safe = self._device.description.layers[layer], self._safe_parameters(layer)
        reported = self.timed("read back", layer, lambda: self._device.read_parameters(layer))
        if reported is None:
            problem = f"layer {layer}: setpoints cannot be read back"
            self._report.problems += [problem] if problem not in self._report.problems else []
            return
        off = np.flatnonzero(np.abs(reported - safe) > described.per_parameter("resolution") + 1e-9 * np.abs(safe))
        if len(off):
            where = int(off[0])
            self._report.problems.append(
                f"layer {layer}, {described.name_of(where)} stands at {reported[where]:g} {described.unit_of(where)}, "
                f"{safe[where]:g} {described.unit_of(where)} {expected} ({len(off)} such parameters)"
            )

    def _safe_parameters(self, layer: int) -> FloatArray:
        if isinstance(self._driver, Inspectable):
            return self._driver.safe_parameters(layer)
        reported = self._driver.read_parameters(layer)
        return self._device.description.layers[layer].per_parameter("parked") if reported is None else reported

    def _outputs(self, layer: int, row: Any) -> FloatArray | None:
        try:
            return self._device.read_outputs(layer, row)[0]
        except DarkBatch:
            return None

    def _compare(self, what: str, layer: int, stated_s: float, took_s: float) -> None:
        if took_s > 2.0 * max(stated_s, 1e-4):
            self._report.problems.append(
                f"layer {layer}: a {what} takes {took_s:.4g} s, timing.{what}_s says {stated_s:.4g} s; correct the file"
            )
