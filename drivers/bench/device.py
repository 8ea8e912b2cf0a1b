"""A device composed of instruments: one drives the parameters, one presents the patterns, one reads the outputs."""

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np

from drivers.bench.config import BenchConfig
from drivers.bench.connections import as_rows, connections_of
from drivers.bench.describing import describe
from drivers.bench.instruments import Instruments
from drivers.bench.mounting import Mounted, Plug
from drivers.bench.parking import first_of
from drivers.bench.presenting import PatternMemory, Presenter
from drivers.bench.quantities import range_in_words
from drivers.bench.roles import Actuators, Detectors
from ffzero_lab.device import (
    BadReply,
    Clock,
    Device,
    FloatArray,
    LinkLost,
    LinkTally,
    LinkTimeout,
    Patterns,
    RowIndex,
    StagingLost,
    WallClock,
)


class Bench(Device):
    """Instruments of a bench file behind the device port."""

    Config: ClassVar[type[BenchConfig]] = BenchConfig

    def __init__(self, config: BenchConfig, instruments: Instruments, clock: Clock) -> None:
        self.description = describe(config)
        self.clock = clock
        self._timing = config.timing
        self._instruments = instruments
        self._plugs = [instruments.plugs(layer) for layer in range(len(config.layers))]
        self._health = config.health
        self._standing = {name: one.safe for name, one in instruments.actuators.items()}
        self._driven: set[str] = set()
        """Actuators that something was written to since they were at their safe values."""
        self._memories = {name: PatternMemory(one) for name, one in instruments.inputs.items() if one.wiring.memory}
        self._staged: dict[int, Patterns] = {}
        self._closed = False

    @staticmethod
    def bench_name(config: BenchConfig) -> str:
        """Return the name that all bench files of this hardware share."""
        return f"bench {config.bench.lock or config.bench.serial_number}"

    @staticmethod
    def parking_s(config: BenchConfig) -> float:
        """Return how long parking may take."""
        return config.timing.park_s

    @staticmethod
    def wiring(config: BenchConfig) -> list[dict[str, Any]]:
        """Return which channel is what, as rows for people."""
        ranges = {
            name: range_in_words(one.stated) for some in config.instruments.values() for name, one in some.items()
        }
        return as_rows(connections_of(config.layers), ranges)

    @classmethod
    def open(cls, config: BenchConfig, clock: Clock | None = None) -> "Bench":
        """Connect to all instruments, without energising anything; the clock is the wall's unless one is given."""
        clock = WallClock() if clock is None else clock
        return cls(config, Instruments.opened(config, clock), clock)

    def load_inputs(self, layer: int, patterns: Patterns) -> None:
        """Stage *patterns* (S, n_in); those that are read are stored in an instrument's memory when they are."""
        self._check_open()
        self._staged[layer] = patterns
        self._forget_memories()

    def write_parameters(self, layer: int, values: FloatArray) -> None:
        """Set all parameters (P,) of a layer at its instruments, then let them settle.

        What other layers were given stands on, unless all are one piece of hardware: then everything that this layer
        does not map goes back to its safe value.
        """
        self._check_open()
        if self.description.shared_hardware:
            self._make_safe(except_for=layer)
        for plug in self._plugs[layer].actuators:
            one = plug.instrument
            setpoints = one.safe if self.description.shared_hardware else self._standing[one.name].copy()
            setpoints[plug.places] = values[plug.indices]
            self._drive(one, setpoints)
        self.clock.sleep_s(self._timing.settle_s)

    def read_outputs(self, layer: int, rows: RowIndex) -> FloatArray:
        """Present staged *rows* in order and return the outputs (len(rows), n_out); over-range reads as full scale."""
        self._check_open()
        with self._memories_forgotten_after_a_failure():
            presenter = self._presenter(layer)
            outputs = np.concatenate([self._read_part(layer, presenter, part) for part in presenter.parts(rows)])
            for actuators in self._passed(layer):
                actuators.driver.confirm()
            presenter.confirm()
            return outputs

    def read_parameters(self, layer: int) -> FloatArray | None:
        """Return the setpoints (P,) as the instruments report them; None where one of them cannot."""
        self._check_open()
        values = np.empty(self.description.layers[layer].n_parameters)
        for plug in self._plugs[layer].actuators:
            reported = plug.instrument.driver.read_back()
            if reported is None:
                return None
            values[plug.indices] = plug.instrument.checked(reported, "setpoints")[plug.places]
        return values

    def read_actuators(self, layer: int) -> tuple[FloatArray, FloatArray] | None:
        """Return measured volts (P,) and amperes (P,) of a layer's actuators; None where one of them measures none."""
        self._check_open()
        volts, amperes = np.empty((2, self.description.layers[layer].n_parameters))
        for plug in self._plugs[layer].actuators:
            measured = plug.instrument.driver.measure()
            if measured is None:
                return None
            for values, own, what in zip((volts, amperes), measured, ("volts", "amperes"), strict=True):
                values[plug.indices] = plug.instrument.checked(own, what)[plug.places]
        return volts, amperes

    def read_health(self) -> Mapping[str, float]:
        """Return the readings that the file names, as far as the instruments report them."""
        self._check_open()
        instruments = self._instruments.by_name
        reported = {name: instruments[name].driver.health() for name in {t.instrument for t in self._health.values()}}
        return {
            channel: float(reported[table.instrument][table.reading])
            for channel, table in self._health.items()
            if table.reading in reported[table.instrument]
        }

    def link_tallies(self) -> Mapping[str, LinkTally]:
        """Return what each link has seen; one that instruments share stands there once."""
        by_link: dict[str, LinkTally] = {}
        for one in self._instruments.by_name.values():
            by_link |= one.driver.link_tallies()
        return by_link

    def identify(self) -> Mapping[str, str]:
        """Ask every instrument who it is."""
        return {name: one.driver.identify() for name, one in self._instruments.by_name.items()}

    def safe_parameters(self, layer: int) -> FloatArray:
        """Return the parameters (P,) that parking leaves."""
        values = np.empty(self.description.layers[layer].n_parameters)
        for plug in self._plugs[layer].actuators:
            values[plug.indices] = plug.instrument.safe[plug.places]
        return values

    def safe_inputs(self, layer: int) -> FloatArray:
        """Return the pattern (n_in,) that parking leaves."""
        values = np.empty(self.description.layers[layer].n_inputs)
        for plug in self._plugs[layer].inputs:
            values[plug.indices] = plug.instrument.safe[plug.places]
        return values

    def read_standing(self, layer: int) -> FloatArray:
        """Read the outputs (n_out,) of a layer once, as everything stands."""
        self._check_open()
        outputs = np.empty(self.description.layers[layer].n_outputs)
        for plug in self._plugs[layer].detectors:
            outputs[plug.indices] = self._judged(plug, plug.instrument.driver.read())
        return outputs

    def park(self) -> None:
        """Bring every instrument into its safe state, light off first; all are tried before an error is raised."""
        if self._closed:
            return
        for name, one in self._instruments.actuators.items():
            self._standing[name] = one.safe
        self._instruments.park()
        self._driven.clear()

    def close(self) -> None:
        """Park, then let every instrument go."""
        if self._closed:
            return
        errors: list[Exception] = []
        for end in (self.park, self._let_go):
            try:
                end()
            except Exception as error:  # noqa: BLE001 - raised below, after everything was tried
                errors.append(error)
        if errors:
            raise first_of(errors)

    def _let_go(self) -> None:
        self._closed = True
        self._staged.clear()
        self._instruments.let_go()

    def _drive(self, actuators: Mounted[Actuators], setpoints: FloatArray) -> None:
        self._driven.add(actuators.name)
        actuators.driver.write(setpoints.copy())
        self._standing[actuators.name] = setpoints

    def _make_safe(self, except_for: int) -> None:
        """Bring the actuators that a layer does not use back to their safe values."""
        used = {plug.instrument.name for plug in self._plugs[except_for].actuators}
        for name in sorted(self._driven - used):
            self._drive(self._instruments.actuators[name], self._instruments.actuators[name].safe)
            self._driven.discard(name)

    def _passed(self, layer: int) -> Iterable[Mounted[Actuators]]:
        """Return the actuators that the signal passes on its way to the tap of a layer, each once."""
        first = 0 if self.description.topology == "cascaded" else layer
        plugs = [plug for plugs in self._plugs[first : layer + 1] for plug in plugs.actuators]
        return {plug.instrument.name: plug.instrument for plug in plugs}.values()

    def _read_part(self, layer: int, presenter: Presenter, part: RowIndex) -> FloatArray:
        outputs = np.empty((len(part), self.description.layers[layer].n_outputs))
        plugs = self._plugs[layer].detectors
        pause_s = self._timing.shot_settle_s
        if len(plugs) == 1 and pause_s == 0.0 and presenter.step_by_itself(part):
            steps = self._stepped(presenter, plugs[0].instrument.driver, part)
            outputs[:, plugs[0].indices] = self._judged(plugs[0], steps, len(part))
            return outputs
        for number, _ in enumerate(presenter.one_by_one(part)):
            self.clock.sleep_s(pause_s)
            for plug in plugs:
                outputs[number, plug.indices] = self._judged(plug, plug.instrument.driver.read())
        return outputs

    def _stepped(self, presenter: Presenter, detectors: Detectors, part: RowIndex) -> FloatArray:
        """Read every row of *part* while the instruments step by themselves; after a fault once more from its start.

        A reading that got lost has stepped all the same: nobody knows which pattern the next one would be of. Nor is
        it known when it ends: one more reading, which is thrown away, has its link recovered and outlasts it, so that
        it steps no more when the sequence has begun again.
        """
        try:
            steps = detectors.read_steps(len(part))
            presenter.stepped(len(part))
        except (LinkTimeout, LinkLost, BadReply):
            detectors.read()
            presenter.step_by_itself(part)
            steps = detectors.read_steps(len(part))
            presenter.stepped(len(part))
        if len(steps) != len(part):
            raise BadReply(f"{self.description.name}: {len(steps)} readings of {len(part)} presented patterns")
        return steps

    def _judged(self, plug: Plug[Detectors], readings: FloatArray, times: int | None = None) -> FloatArray:
        """Return the outputs of one reading of an instrument, or of several; raises BadReply for what is no number."""
        instrument = plug.instrument
        values = instrument.checked(readings, "readings", times)
        if np.isfinite(values).all():  # nearly always
            return values[..., plug.places]
        over = np.isposinf(values)
        wrong = np.argwhere(~np.isfinite(values) & ~over)
        if len(wrong):
            where = instrument.channel(int(wrong[0][-1]))
            raise BadReply(f"{where} reads {values[tuple(wrong[0])]}; the reading was discarded")
        return np.where(over, instrument.wiring.upper, values)[..., plug.places]

    def _presenter(self, layer: int) -> Presenter:
        source = layer if self.description.topology == "reinjected" else 0
        if source not in self._staged:
            raise StagingLost(f"{self.description.name}, layer {layer}: no patterns are staged")
        return Presenter(source, self._staged[source], self._plugs[source].inputs, self._memories)

    @contextmanager
    def _memories_forgotten_after_a_failure(self) -> Generator[None]:
        """After any failure nobody knows what the memories hold: an instrument may have restarted."""
        try:
            yield
        except BaseException:
            self._forget_memories()
            raise

    def _forget_memories(self) -> None:
        for memory in self._memories.values():
            memory.forget()

    def _check_open(self) -> None:
        if self._closed:
            raise LinkLost(f"{self.description.name} is closed; open it again before using it")
