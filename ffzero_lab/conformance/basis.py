"""What all parts of the suite stand on: the driver, allowed settings and patterns, and when two readings agree."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress

import numpy as np
import pytest

from ffzero_lab.device import Clock, Device, DeviceDescription, DeviceError, FloatArray, LayerDescription, RowIndex

ROUNDING = 1e-9
"""Share of full scale by which two computations of the same thing may differ on a noiseless device."""
DETECTABLE_SHARE = 1e-6
"""Share of full scale that a change must exceed to count as one, on a noiseless device."""


class Interruption(KeyboardInterrupt):
    """Stands for Ctrl-C in the middle of a probe: no ``except Exception`` may swallow it."""


class ConformanceBasis(ABC):
    """The knobs and the tools of the suite. Only `open_driver` must be given.

    Attributes
    ----------
    tolerance
        Largest difference between two readings of the same thing, in the output unit. None derives it from the
        description: twice the detection floor, and no difference at all for a noiseless device.
    excursion
        Share of a parameter's range, from its point of least power, that the suite moves in.
    timing_tolerance
        Share by which measured device time may fall short of writes·τp + shots·τx.
    """

    tolerance: float | None = None
    excursion: float = 0.5
    timing_tolerance: float = 0.1

    @abstractmethod
    def open_driver(self) -> Device:
        """Open the driver under test anew. The suite closes it and never holds two at once."""

    @contextmanager
    def interrupting(self, driver: Device) -> Generator[None]:
        """Raise `Interruption` in the middle of the next probe of *driver*.

        It is raised at the second write, or when the device's clock is asked to sleep for the second time. Override
        this for a driver that probes without either, for instance with a transport that raises.
        """
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(driver, "clock", _InterruptingClock(driver.clock))
            patch.setattr(driver, "write_parameters", _InterruptingWrite(driver))
            yield

    @pytest.fixture
    def driver(self) -> Iterator[Device]:
        """Yield a freshly opened driver and close it afterwards, whatever happened."""
        driver = self.open_driver()
        try:
            yield driver
        finally:
            driver.close()

    def settings(self, description: DeviceDescription, layer: int, count: int, seed: int = 0) -> FloatArray:
        """Return *count* different settings (count, P) within bounds, slew and power budget, in any order."""
        described = description.layers[layer]
        lower, upper = described.per_parameter("lower"), described.per_parameter("upper")
        slew, write_s = described.per_parameter("slew_per_s"), description.timing.write_s
        reachable = np.where(np.isfinite(slew), 0.9 * np.nan_to_num(slew, posinf=0.0) * write_s, np.inf)
        share = np.minimum(self.excursion, reachable / (upper - lower))
        start = np.clip(0.0, lower, upper)
        drawn = np.random.default_rng(seed).uniform(lower, upper, (count, described.n_parameters))
        whole_w = np.inf if description.power_budget_w is None else description.power_budget_w / len(description.layers)
        budget_w = min(whole_w, described.power_budget_w or np.inf)
        while drawn_power_w(described, start + share * (drawn - start)).max() > budget_w:
            share = share / 2.0
        return start + share * (drawn - start)

    def patterns(self, description: DeviceDescription, layer: int, count: int, seed: int = 0) -> FloatArray:
        """Return *count* different patterns (count, n_in) within the input range, exact in single precision."""
        described = description.layers[layer]
        lower, upper = described.input_lower, described.input_upper
        drawn = np.random.default_rng(1000 + seed).uniform(lower, upper, (count, described.n_inputs))
        return np.clip(drawn.astype(np.float32), np.float32(lower), np.float32(upper)).astype(np.float64)

    def prepare(self, device: Device, seed: int = 0) -> RowIndex:
        """Write a setting to every layer and stage patterns wherever the device takes them; returns all rows."""
        description = device.description
        count = 7 if description.pattern_memory is None else min(7, description.pattern_memory)
        for layer in range(len(description.layers)):
            device.write_parameters(layer, self.settings(description, layer, 1, seed)[0])
        self.stage(device, count, seed)
        return np.arange(count, dtype=np.intp)

    def stage(self, device: Device, count: int, seed: int = 0) -> None:
        """Stage *count* patterns wherever the device takes them."""
        for layer in staging_layers(device.description):
            device.load_inputs(layer, self.patterns(device.description, layer, count, seed))

    def spread(self, described: LayerDescription) -> float:
        """Return the largest difference of two readings of the same thing; 0 when they must agree to the bit."""
        return 2.0 * described.detection_floor if self.tolerance is None else self.tolerance

    def assert_same(self, described: LayerDescription, found: FloatArray, expected: FloatArray, what: str) -> None:
        """Fail unless two sets of readings agree to within the tolerance, or to rounding where it is zero."""
        allowed = max(self.spread(described), ROUNDING * described.output_upper)
        difference = float(np.abs(found - expected).max())
        assert difference <= allowed, f"{what}: readings differ by {difference:.3g}, at most {allowed:.3g} expected"

    def assert_differ(self, described: LayerDescription, one: FloatArray, other: FloatArray, what: str) -> None:
        """Fail unless two sets of readings differ by more than noise."""
        noise = max(self.spread(described), DETECTABLE_SHARE * described.output_upper)
        difference = float(np.abs(one - other).max())
        assert difference > noise, f"{what}: readings differ by {difference:.3g} only, more than {noise:.3g} expected"

    def assert_stands_at(self, described: LayerDescription, reported: FloatArray, expected: FloatArray) -> None:
        """Fail unless reported setpoints (P,) are the expected ones to within one resolution step."""
        assert reported.shape == expected.shape, "setpoints are reported in another shape than they are written"
        span = described.per_parameter("upper") - described.per_parameter("lower")
        excess = np.abs(reported - expected) - described.per_parameter("resolution") - ROUNDING * span
        worst = int(excess.argmax())
        assert excess[worst] <= 0.0, (
            f"{described.name_of(worst)} stands at {reported[worst]:.6g} {described.unit_of(worst)} instead of "
            f"{expected[worst]:.6g}"
        )

    def assert_healthy(self, device: Device) -> None:
        """Fail unless every described channel is read, no other, and each keeps its bounds."""
        readings = device.read_health()
        described = {channel.name for channel in device.description.health}
        assert set(readings) == described, f"health: {sorted(readings)} are read, {sorted(described)} are described"
        for channel in device.description.health:
            lower = -np.inf if channel.lower is None else channel.lower
            upper = np.inf if channel.upper is None else channel.upper
            value = readings[channel.name]
            assert lower <= value <= upper, f"health: {channel.name} is {value:.6g} {channel.unit}"


def staging_layers(description: DeviceDescription) -> range:
    """Return the layers that take patterns: all of them, or the first of a cascade."""
    return range(len(description.layers) if description.topology == "reinjected" else 1)


def drawn_power_w(described: LayerDescription, settings: FloatArray) -> FloatArray:
    """Return the electrical power (K,) in watts of settings (K, P) of one layer."""
    bounds = np.cumsum([group.size for group in described.groups])[:-1]
    blocks = np.split(settings, bounds, axis=1)
    drawn = [g.power.total_w(b) for g, b in zip(described.groups, blocks, strict=True) if g.power is not None]
    return np.sum(drawn, axis=0) if drawn else np.zeros(len(settings))


def setpoints_after_closing(driver: Device, layer: int) -> FloatArray | None:
    """Return what a closed driver still reports, or None where it no longer answers."""
    with suppress(DeviceError):
        return driver.read_parameters(layer)
    return None


class _InterruptingClock:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sleeps = 0

    def now_s(self) -> float:
        return self._clock.now_s()

    def sleep_s(self, duration_s: float) -> None:
        self._sleeps += 1
        if self._sleeps == 2:
            raise Interruption
        self._clock.sleep_s(duration_s)


class _InterruptingWrite:
    def __init__(self, driver: Device) -> None:
        self._write = driver.write_parameters
        self._writes = 0

    def __call__(self, layer: int, values: FloatArray) -> None:
        self._writes += 1
        if self._writes == 2:
            raise Interruption
        self._write(layer, values)
