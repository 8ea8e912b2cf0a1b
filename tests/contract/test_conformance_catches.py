"""The conformance suite fails on drivers that are wrong in one way each: a suite that cannot fail is worthless."""

from typing import Any

import numpy as np
import pytest

from drivers.twin.photonic import PhotonicTwin
from ffzero_lab.conformance import DeviceConformance, Interruption
from ffzero_lab.conformance.describing import DescribingConformance
from ffzero_lab.conformance.measuring import MeasuringConformance
from ffzero_lab.conformance.standing import StandingConformance
from ffzero_lab.device import Reach, StagingLost

CONFIG = PhotonicTwin.Config(preset="ideal", ports=5, heaters={"budget_w": 0.1})


class ProbeInReverse(PhotonicTwin):
    def probe(self, layer, settings, rows):
        return super().probe(layer, settings[::-1], rows)[::-1]


class ProbeOffByOne(PhotonicTwin):
    def probe(self, layer, settings, rows):
        return np.roll(super().probe(layer, settings, rows), 1, axis=0)


class ProbeGoesBackToTheFirst(PhotonicTwin):
    def probe(self, layer, settings, rows):
        outputs = super().probe(layer, settings, rows)
        self.write_parameters(layer, settings[0])
        return outputs


class ForgetsTheNoiseIndex(PhotonicTwin):
    """Its noise goes on where a snapshot was put back."""

    count = 0

    def read_outputs(self, layer, rows):
        self.count += 1
        return super().read_outputs(layer, rows) + 1e-3 * self.count


class SnapshotIsTheLiveState(PhotonicTwin):
    def snapshot(self):
        self.live = super().snapshot()
        return self.live

    def write_parameters(self, layer, values):
        super().write_parameters(layer, values)
        if hasattr(self, "live"):
            self.live["volts"][layer] = values


class RowsIgnored(PhotonicTwin):
    def read_outputs(self, layer, rows):
        return super().read_outputs(layer, np.arange(len(rows)))


class RowsSorted(PhotonicTwin):
    def read_outputs(self, layer, rows):
        return super().read_outputs(layer, np.sort(rows))


class ParametersIgnored(PhotonicTwin):
    def write_parameters(self, layer, values):
        self.clock.sleep_s(self.description.timing.write_s)


class InputsIgnored(PhotonicTwin):
    def load_inputs(self, layer, patterns):
        super().load_inputs(layer, np.ones_like(patterns))


class KeepsTheFirstPatterns(PhotonicTwin):
    def load_inputs(self, layer, patterns):
        if layer not in self._staged:
            super().load_inputs(layer, patterns)


class MisreadsSinglePrecision(PhotonicTwin):
    def load_inputs(self, layer, patterns):
        super().load_inputs(layer, patterns if patterns.dtype == np.float64 else np.round(patterns, 1))


class AnswersUnstaged(PhotonicTwin):
    def read_outputs(self, layer, rows):
        try:
            return super().read_outputs(layer, rows)
        except StagingLost:
            return np.zeros((len(rows), 5))


class SinglePrecisionOutputs(PhotonicTwin):
    def read_outputs(self, layer, rows):
        return super().read_outputs(layer, rows).astype(np.float32)


class OneOutputShort(PhotonicTwin):
    def read_outputs(self, layer, rows):
        return super().read_outputs(layer, rows)[:, :-1]


class NanOutput(PhotonicTwin):
    def read_outputs(self, layer, rows):
        outputs = super().read_outputs(layer, rows)
        outputs[-1, -1] = np.nan
        return outputs


class NormalisesItsSettings(PhotonicTwin):
    def probe(self, layer, settings, rows):
        settings %= 1.0
        return super().probe(layer, settings, rows)


class OneBufferForAllResults(PhotonicTwin):
    buffer = np.empty((100, 5))

    def read_outputs(self, layer, rows):
        self.buffer[: len(rows)] = super().read_outputs(layer, rows)
        return self.buffer[: len(rows)]


class OpensEnergised(PhotonicTwin):
    def __init__(self, config, clock):
        super().__init__(config, clock)
        super().write_parameters(1, np.full(25, 0.1))


class OpensOverheated(PhotonicTwin):
    def read_health(self):
        return dict.fromkeys(super().read_health(), 99.0)


class SetpointsNeverReported(PhotonicTwin):
    def read_parameters(self, layer):
        return np.zeros(25)


class KeepsTheCallersArray(PhotonicTwin):
    def write_parameters(self, layer, values):
        super().write_parameters(layer, values)
        self.kept = {**getattr(self, "kept", {}), layer: values}

    def read_parameters(self, layer):
        return self.kept[layer] if layer in getattr(self, "kept", {}) else super().read_parameters(layer)


class ParkForgetsALayer(PhotonicTwin):
    def park(self):
        self._chips[0].write(np.zeros(25), self._time.now_s())


class ParksOnce(PhotonicTwin):
    parked = False

    def park(self):
        if not self.parked:
            super().park()
        self.parked = True


class ParkTogglesTheSupply(PhotonicTwin):
    on = False

    def park(self):
        self.on = not self.on
        for chip in self._chips:
            chip.write(np.full(25, 0.0 if self.on else 0.2), self._time.now_s())


class ParkNeedsAWriteFirst(PhotonicTwin):
    def park(self):
        if not any(chip.setpoints.any() for chip in self._chips):
            raise RuntimeError("nothing to park")
        super().park()


class DeadAfterParking(PhotonicTwin):
    parked = False

    def park(self):
        super().park()
        self.parked = True

    def write_parameters(self, layer, values):
        super().write_parameters(layer, np.zeros(25) if self.parked else values)


class BusyAfterAnInterruption(PhotonicTwin):
    busy = False

    def probe(self, layer, settings, rows):
        self.busy = True
        outputs = super().probe(layer, settings, rows)
        self.busy = False
        return outputs

    def park(self):
        if not self.busy:
            super().park()


class SwallowsInterruptions(PhotonicTwin):
    def probe(self, layer, settings, rows):
        try:
            return super().probe(layer, settings, rows)
        except Interruption:
            return np.zeros((len(settings), len(rows), 5))


class ClosesWithOutputsOn(PhotonicTwin):
    def close(self):
        self._staged.clear()


class ClosesSilentlyWithOutputsOn(ClosesWithOutputsOn):
    """Cannot report setpoints at all: only calling park() could show that it parks."""

    def read_parameters(self, layer) -> Any:
        return None


class ClosesOnce(PhotonicTwin):
    closed = False

    def close(self):
        assert not self.closed, "already closed"
        self.closed = True
        super().close()


class ReachTooSmall(PhotonicTwin):
    def __init__(self, config, clock):
        super().__init__(config, clock)
        layer = self.description.layers[0]
        reach = Reach(layer.reach.first, np.maximum(layer.reach.first, layer.reach.stop - 1), 5)
        layers = (layer.model_copy(update={"reach": reach}),) * 2
        self.description = self.description.model_copy(update={"layers": layers})


class RenamesItself(PhotonicTwin):
    def park(self):
        super().park()
        self.description = self.description.model_copy(update={"serial_number": "another"})


class CoarserThanItsRange(PhotonicTwin):
    def __init__(self, config, clock):
        super().__init__(config, clock)
        layer = self.description.layers[0]
        coarse = tuple(group.model_copy(update={"resolution": 99.0}) for group in layer.groups)
        layers = (layer.model_copy(update={"groups": coarse}),) * 2
        self.description = self.description.model_copy(update={"layers": layers})


class ShotsForFree(PhotonicTwin):
    def read_outputs(self, layer, rows):
        before_s = self.clock.now_s()
        outputs = super().read_outputs(layer, rows)
        self.clock._now_s = before_s
        return outputs


class WritesForFree(PhotonicTwin):
    def write_parameters(self, layer, values):
        self._chips[layer].write(values, self._time.now_s())


class HealthWithoutAChannel(PhotonicTwin):
    def read_health(self):
        return {"heat_0": 0.0}


class HealthBeyondTheDescription(PhotonicTwin):
    def read_health(self):
        return {**super().read_health(), "humidity": 40.0}


class SlowHealth(PhotonicTwin):
    def read_health(self):
        self.clock.sleep_s(0.1)
        return super().read_health()


CAUGHT_BY = {
    "test_outputs_are_finite_float64_of_the_described_shape": [SinglePrecisionOutputs, OneOutputShort, NanOutput],
    "test_outputs_follow_the_parameters_and_the_inputs": [ParametersIgnored, InputsIgnored],
    "test_rows_are_presented_in_the_order_asked_for": [RowsIgnored, RowsSorted],
    "test_probe_equals_writing_and_reading_one_setting_after_the_other": [ProbeOffByOne, NormalisesItsSettings],
    "test_a_snapshot_put_back_repeats_the_readings_to_the_bit": [ForgetsTheNoiseIndex, SnapshotIsTheLiveState],
    "test_probe_leaves_the_device_at_the_last_setting": [ProbeInReverse, ProbeGoesBackToTheFirst],
    "test_loading_inputs_replaces_what_was_staged": [KeepsTheFirstPatterns],
    "test_reading_without_staged_patterns_raises_staging_lost": [AnswersUnstaged],
    "test_single_precision_patterns_are_taken": [MisreadsSinglePrecision],
    "test_arrays_handed_in_are_left_alone_and_results_are_not_overwritten": [
        NormalisesItsSettings,
        OneBufferForAllResults,
    ],
    "test_opening_energises_nothing": [OpensEnergised, OpensOverheated],
    "test_setpoints_are_reported_as_written": [SetpointsNeverReported, KeepsTheCallersArray],
    "test_parking_a_fresh_device_works": [ParkNeedsAWriteFirst, ParkTogglesTheSupply],
    "test_parking_after_writes_is_safe_and_idempotent": [ParkForgetsALayer, ParksOnce, ParkTogglesTheSupply],
    "test_parking_in_the_middle_of_a_probe_is_safe": [BusyAfterAnInterruption, SwallowsInterruptions, ParksOnce],
    "test_the_device_works_again_after_parking": [DeadAfterParking],
    "test_closing_parks": [ClosesWithOutputsOn, ClosesSilentlyWithOutputsOn],
    "test_closing_twice_does_nothing_more": [ClosesOnce],
    "test_description_is_frozen_and_stays_the_same": [RenamesItself],
    "test_ranges_of_the_description_are_consistent": [CoarserThanItsRange],
    "test_parameters_move_no_output_outside_their_reach": [ReachTooSmall],
    "test_clock_advances_by_what_the_cost_model_says": [ShotsForFree, WritesForFree],
    "test_health_readings_are_those_described_and_take_no_device_time": [
        HealthWithoutAChannel,
        HealthBeyondTheDescription,
        SlowHealth,
    ],
}


class Suite(DeviceConformance):
    """Not named Test…, so that pytest leaves it to the tests below."""

    def __init__(self, driver: type[PhotonicTwin] = PhotonicTwin) -> None:
        self._driver = driver

    def open_driver(self):
        return self._driver.open(CONFIG)


def run(suite: Suite, behaviour: str) -> None:
    getattr(suite, behaviour)(suite.open_driver())


@pytest.mark.parametrize(
    ("behaviour", "broken"),
    [(behaviour, broken) for behaviour, drivers in CAUGHT_BY.items() for broken in drivers],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
@pytest.mark.parametrize("topology", ["reinjected", "cascaded"])
def test_a_broken_driver_fails(
    behaviour: str, broken: type[PhotonicTwin], topology: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(globals(), "CONFIG", CONFIG.model_copy(update={"topology": topology}))
    run(Suite(), behaviour)  # the same test lets the sound driver pass
    with pytest.raises((AssertionError, pytest.fail.Exception, RuntimeError)):
        run(Suite(broken), behaviour)


def test_every_behaviour_of_a_driver_is_shown_to_fail():
    parts = (DescribingConformance, MeasuringConformance, StandingConformance)
    assert {name for part in parts for name in dir(part) if name.startswith("test_")} == set(CAUGHT_BY)
