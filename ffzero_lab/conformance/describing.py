"""Truth of the description: sizes, ranges, reach, timing and health are what the device then shows."""

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from ffzero_lab.conformance.basis import DETECTABLE_SHARE, ConformanceBasis
from ffzero_lab.device import Device, DeviceDescription, FloatArray, LayerDescription, VirtualClock

REACHES_TRIED_PER_GROUP = 12


HEALTH_WITHIN_S = 1.0
"""Interlocks on hardware ask once a second."""


class DescribingConformance(ConformanceBasis):
    """A driver is what it says it is."""

    def test_description_is_frozen_and_stays_the_same(self, driver: Device) -> None:
        """Nobody can change the description, and using the device does not change it either."""
        assert isinstance(driver.description, DeviceDescription)
        before = driver.description.model_copy(deep=True)
        with pytest.raises(ValidationError):
            driver.description.name = "another"
        rows = self.prepare(driver)
        for layer in range(len(driver.description.layers)):
            driver.probe(layer, self.settings(driver.description, layer, 2), rows)
        driver.park()
        assert driver.description == before

    def test_ranges_of_the_description_are_consistent(self, driver: Device) -> None:
        """Ranges are open, resolutions are below them, floors below full scale, names unique and units given."""
        description = driver.description
        assert description.name
        assert description.serial_number
        for number, described in enumerate(description.layers):
            where = f"layer {number}"
            assert described.input_lower < described.input_upper, f"{where}: empty input range"
            assert described.detection_floor < described.output_upper, f"{where}: nothing is above the floor"
            assert described.input_unit and described.output_unit, f"{where}: an input or output without a unit"
            names = [group.name for group in described.groups]
            assert len(set(names)) == len(names), f"{where}: groups share a name: {names}"
            for group in described.groups:
                span = group.upper - group.lower
                assert group.unit, f"{where}, {group.name}: no unit"
                assert group.resolution < span, f"{where}, {group.name}: resolution above the range"
                assert group.period is None or group.period <= span, f"{where}, {group.name}: less than one period"
        channels = [channel.name for channel in description.health]
        assert len(set(channels)) == len(channels), f"health channels share a name: {channels}"

    def test_health_readings_are_those_described_and_take_no_device_time(self, driver: Device) -> None:
        """Every described channel is read, no other, within bounds; a virtual clock does not move meanwhile."""
        self.assert_healthy(driver)
        self.prepare(driver)
        before_s = driver.clock.now_s()
        driver.read_health()
        elapsed_s = driver.clock.now_s() - before_s
        allowed_s = 0.0 if isinstance(driver.clock, VirtualClock) else HEALTH_WITHIN_S
        assert elapsed_s <= allowed_s, f"reading health took {elapsed_s:.3g} s of device time"
        self.assert_healthy(driver)

    def test_clock_advances_by_what_the_cost_model_says(self, driver: Device) -> None:
        """Writes take τp and shots τx at least: what is shown before a run must not be a dream."""
        rows = self.prepare(driver)
        timing = driver.description.timing
        for layer in range(len(driver.description.layers)):
            settings = self.settings(driver.description, layer, 3)
            measured_s = [driver.clock.now_s()]
            driver.write_parameters(layer, settings[0])
            measured_s.append(driver.clock.now_s())
            driver.read_outputs(layer, rows)
            measured_s.append(driver.clock.now_s())
            driver.probe(layer, settings, rows)
            measured_s.append(driver.clock.now_s())
            write_s, read_s = timing.write_s, len(rows) * timing.shot_s
            predicted_s = {"writing": write_s, "reading": read_s, "probing": 3 * (write_s + read_s)}
            for (what, least_s), elapsed_s in zip(predicted_s.items(), np.diff(measured_s), strict=True):
                assert elapsed_s >= (1.0 - self.timing_tolerance) * least_s, (
                    f"layer {layer}, {what}: {elapsed_s:.6g} s passed, the description says {least_s:.6g} s"
                )

    def test_parameters_move_no_output_outside_their_reach(self, driver: Device) -> None:
        """A declared reach is never too small: it decides which readings a slope is made of."""
        rows = self.prepare(driver)
        for layer, described in enumerate(driver.description.layers):
            if described.reach is None:
                continue
            tried = _parameters_to_try(described)
            settings = np.repeat(self.settings(driver.description, layer, 1), len(tried) + 1, axis=0)
            settings[np.arange(1, len(tried) + 1), tried] = self._moved(driver.description, layer, settings[0])[tried]
            outputs = driver.probe(layer, settings, rows)
            changes = np.abs(outputs[1:] - outputs[0]).max(axis=1)
            allowed = max(self.spread(described), DETECTABLE_SHARE * described.output_upper)
            for parameter, change in zip(tried, changes, strict=True):
                change[described.reach.first[parameter] : described.reach.stop[parameter]] = 0.0
                farthest = int(change.argmax())
                assert change[farthest] <= allowed, (
                    f"layer {layer}, {described.name_of(int(parameter))} moves output {farthest} by "
                    f"{change[farthest]:.3g} {described.output_unit}, which its declared reach leaves out"
                )

    def _moved(self, description: DeviceDescription, layer: int, values: FloatArray) -> FloatArray:
        """Return every parameter moved by a quarter of its range (or by what the slew allows), staying inside."""
        described = description.layers[layer]
        lower, upper = described.per_parameter("lower"), described.per_parameter("upper")
        slewed = 0.9 * described.per_parameter("slew_per_s") * max(description.timing.write_s, np.finfo(float).tiny)
        step = np.minimum(0.25 * (upper - lower), slewed)
        return np.where(values + step <= upper, values + step, values - step)


def _parameters_to_try(described: LayerDescription) -> NDArray[np.intp]:
    """Return living parameters of every group, those of the narrowest reach first (n,)."""
    assert described.reach is not None
    width = described.reach.stop - described.reach.first
    chosen: list[NDArray[np.intp]] = []
    start = 0
    for group in described.groups:
        members = np.intersect1d(np.arange(start, start + group.size), described.alive)
        by_width = members[np.argsort(width[members], kind="stable")]
        count = min(len(by_width), REACHES_TRIED_PER_GROUP)
        chosen.append(by_width[np.linspace(0, len(by_width) - 1, count, dtype=np.intp)])
        start += group.size
    return np.concatenate(chosen)
