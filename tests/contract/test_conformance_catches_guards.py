"""The conformance suite fails when something between guard and driver lets through, or counts wrongly."""

import numpy as np
import pytest

from drivers.twin.photonic import PhotonicTwin
from ffzero_lab.conformance import CallLog, DeviceConformance
from ffzero_lab.conformance.guarding import GuardingConformance
from ffzero_lab.device import Guarded

CONFIG = PhotonicTwin.Config(preset="ideal", ports=5, heaters={"budget_w": 0.1})


class Suite(DeviceConformance):
    """Not named Test…, so that pytest leaves it to the tests below."""

    def __init__(self, guard: type[Guarded]) -> None:
        self._guard = guard

    def open_driver(self):
        return PhotonicTwin.open(CONFIG)

    def guarded(self, driver):
        log = CallLog(driver)
        return self._guard(log), log


def run(suite: Suite, behaviour: str) -> None:
    getattr(suite, behaviour)(suite.open_driver())


class GuardThatClips(Guarded):
    def write_parameters(self, layer, values):
        group = self.description.layers[layer].groups[0]
        super().write_parameters(layer, np.clip(values, group.lower, group.upper))


class GuardThatChecksTheFirstOfABatch(Guarded):
    def probe(self, layer, settings, rows):
        self._limits.check_settings(layer, settings[:1])
        return self.driver.probe(layer, settings, rows)


class GuardThatBoundsWithoutFinite(Guarded):
    def write_parameters(self, layer, values):
        if np.isnan(values).any():
            self.driver.write_parameters(layer, values)
        else:
            super().write_parameters(layer, values)


class GuardThatRefusesAfterwards(Guarded):
    def probe(self, layer, settings, rows):
        for values in settings:
            self.driver.write_parameters(layer, values)
        return super().probe(layer, settings, rows)


class GuardWithoutABudget(Guarded):
    def __init__(self, driver):
        super().__init__(driver)
        self._limits._check_power = lambda *_: None


class GuardOfLastRows(Guarded):
    def _check_rows(self, layer, rows):
        super()._check_rows(layer, np.abs(rows))


class GuardThatLetsPatternsPass(Guarded):
    def load_inputs(self, layer, patterns):
        self.driver.load_inputs(layer, patterns)
        self._staged[layer] = patterns


class GuardThatNeverCloses(Guarded):
    def close(self):
        self.driver.close()


class GuardThatCountsProbesOnce(Guarded):
    def probe(self, layer, settings, rows):
        outputs = super().probe(layer, settings, rows)
        self.ledger.add(writes=1 - len(settings))
        return outputs


class GuardThatBooksOnTraining(Guarded):
    def read_outputs(self, layer, rows):
        with self.ledger.spending_on("training"):
            return super().read_outputs(layer, rows)


LET_THROUGH_BY = {
    "test_settings_that_are_not_finite_or_out_of_bounds_never_reach_the_driver": [
        GuardThatClips,
        GuardThatBoundsWithoutFinite,
        GuardThatChecksTheFirstOfABatch,
        GuardThatRefusesAfterwards,
    ],
    "test_settings_of_the_wrong_shape_or_type_never_reach_the_driver": [GuardThatRefusesAfterwards],
    "test_more_than_the_power_budget_never_reaches_the_driver": [GuardWithoutABudget],
    "test_rows_that_are_not_staged_never_reach_the_driver": [GuardOfLastRows],
    "test_patterns_outside_the_input_range_never_reach_the_driver": [GuardThatLetsPatternsPass],
    "test_a_closed_device_is_used_no_more": [GuardThatNeverCloses],
    "test_counts_are_exact_and_kept_apart_by_purpose": [GuardThatCountsProbesOnce, GuardThatBooksOnTraining],
}


@pytest.mark.parametrize(
    ("behaviour", "guard"),
    [(behaviour, guard) for behaviour, guards in LET_THROUGH_BY.items() for guard in guards],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_broken_guard_fails(behaviour: str, guard: type[Guarded]):
    run(Suite(Guarded), behaviour)  # the same test lets the sound guard pass
    with pytest.raises((AssertionError, pytest.fail.Exception, IndexError, ValueError)):
        run(Suite(guard), behaviour)


def test_every_behaviour_behind_the_guard_is_shown_to_fail():
    assert {name for name in dir(GuardingConformance) if name.startswith("test_")} == set(LET_THROUGH_BY)
