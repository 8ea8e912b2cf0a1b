"""Behaviour behind the guard: nothing over a limit ever reaches the driver, and what reaches it is counted."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from ffzero_lab.conformance.basis import ConformanceBasis, drawn_power_w, staging_layers
from ffzero_lab.conformance.call_log import CallLog
from ffzero_lab.device import PURPOSES, Counts, Device, FloatArray, Guarded, LimitViolation

SETTINGS = 5
HUGE = 9.9e37
"""The over-range value of SCPI instruments."""


class GuardingConformance(ConformanceBasis):
    """The guard knows this driver's limits from its description; a log stands between the two."""

    def test_settings_that_are_not_finite_or_out_of_bounds_never_reach_the_driver(self, driver: Device) -> None:
        """Each group, below and above, alone and anywhere in a batch; the message names all there is to know."""
        device, log = self.guarded(driver)
        rows = self.prepare(device)
        for layer, described in enumerate(device.description.layers):
            good = self.settings(device.description, layer, SETTINGS)
            for number, (index, value) in enumerate(self.bad_values(device, layer)):
                named = (
                    device.description.name,
                    f"layer {layer}",
                    described.name_of(index),
                    f"{value:.6g} {described.unit_of(index)}",
                )
                bad = good.copy()
                bad[number % SETTINGS, index] = value
                single = bad[number % SETTINGS]
                refused(log, named, device.write_parameters, layer, single)
                refused(log, named, device.probe, layer, bad, rows)

    def test_settings_of_the_wrong_shape_or_type_never_reach_the_driver(self, driver: Device) -> None:
        """One parameter too few or too many, another dimension, another type of number, another layer."""
        device, log = self.guarded(driver)
        rows = self.prepare(device)
        for layer in range(len(device.description.layers)):
            good = self.settings(device.description, layer, SETTINGS)
            one = good[0]
            named = (device.description.name, f"layer {layer}")
            for wrong in (one[:-1], np.append(one, one[0]), good, good[:1], np.array(one[0]), *_retyped(one)):
                refused(log, named, device.write_parameters, layer, wrong)
            for wrong in (one, good[:, :-1], good[..., np.newaxis], good[:0], *_retyped(good)):
                refused(log, named, device.probe, layer, wrong, rows)
        good = self.settings(device.description, 0, SETTINGS)
        for layer in (-1, len(device.description.layers)):
            refused(log, (f"layer {layer}",), device.write_parameters, layer, good[0])
            refused(log, (f"layer {layer}",), device.probe, layer, good, rows)

    def test_more_than_the_power_budget_never_reaches_the_driver(self, driver: Device) -> None:
        """Hot settings are admitted until the next one would draw more than its layer, or all layers, may."""
        device, log = self.guarded(driver)
        whole_w = np.inf if device.description.power_budget_w is None else device.description.power_budget_w
        rows = self.prepare(device)
        device.park()
        drawn_w = np.array(
            [
                drawn_power_w(described, described.per_parameter("parked")[np.newaxis])[0]
                for described in device.description.layers
            ]
        )
        for layer, described in enumerate(device.description.layers):
            good = self.settings(device.description, layer, SETTINGS)
            hot = np.where(
                np.abs(described.per_parameter("lower")) > np.abs(described.per_parameter("upper")),
                described.per_parameter("lower"),
                described.per_parameter("upper"),
            )
            of_layer_w = float(drawn_power_w(described, hot[np.newaxis])[0])
            others_w = 0.0 if device.description.shared_hardware else float(drawn_w.sum() - drawn_w[layer])
            own_w = np.inf if described.power_budget_w is None else described.power_budget_w
            if of_layer_w <= own_w and others_w + of_layer_w <= whole_w:
                if not np.isfinite(described.per_parameter("slew_per_s")).any():
                    device.write_parameters(layer, hot)
                    drawn_w[layer] = of_layer_w
                continue
            named = (
                device.description.name,
                f"layer {layer}",
                " W",
                f"{own_w if of_layer_w > own_w else whole_w:.4g} W",
            )
            good[SETTINGS // 2] = hot
            refused(log, named, device.write_parameters, layer, hot)
            refused(log, named, device.probe, layer, good, rows)

    def test_rows_that_are_not_staged_never_reach_the_driver(self, driver: Device) -> None:
        """Rows outside the staged patterns, of another type or shape, or none at all; and nothing staged."""
        device, log = self.guarded(driver)
        one = np.zeros(1, dtype=np.intp)
        for layer in range(len(device.description.layers)):
            setting = self.settings(device.description, layer, 1)
            refused(log, (f"layer {layer}", "load_inputs"), device.read_outputs, layer, one)
            refused(log, (f"layer {layer}", "load_inputs"), device.probe, layer, setting, one)
        rows = self.prepare(device)
        wrong_rows: list[Any] = [rows + 1, rows - 1, rows[:0], rows[np.newaxis], rows.astype(float), rows > 0]
        for layer in range(len(device.description.layers)):
            setting = self.settings(device.description, layer, 1)
            for wrong in wrong_rows:
                named = (device.description.name, f"layer {layer}", "row")
                refused(log, named, device.read_outputs, layer, wrong)
                refused(log, named, device.probe, layer, setting, wrong)

    def test_patterns_outside_the_input_range_never_reach_the_driver(self, driver: Device) -> None:
        """Out of range, not finite, of the wrong shape or type, too many, or for a layer that takes none."""
        device, log = self.guarded(driver)
        for layer, described in enumerate(device.description.layers):
            good = self.patterns(device.description, layer, 3)
            named = (device.description.name, f"layer {layer}")
            if layer not in staging_layers(device.description):
                refused(log, named, device.load_inputs, layer, good)
                continue
            column = described.n_inputs - 1
            below = np.nextafter(described.input_lower, -np.inf)
            above = np.nextafter(described.input_upper, np.inf)
            for value in (np.nan, np.inf, -np.inf, HUGE, -HUGE, below, above):
                bad = good.copy()
                bad[1, column] = value
                place = (*named, "pattern 1", f"input {column}", f"{value:.6g}")
                refused(log, place, device.load_inputs, layer, bad)
            for wrong in (good[0], good[:, :-1], good[:0], good[np.newaxis], *_retyped(good, single=False)):
                refused(log, named, device.load_inputs, layer, wrong)
            if (memory := device.description.pattern_memory) is not None:
                many = self.patterns(device.description, layer, memory + 1)
                refused(log, (*named, str(memory)), device.load_inputs, layer, many)

    def test_a_closed_device_is_used_no_more(self, driver: Device) -> None:
        """After closing, nothing is staged, written or read."""
        device, log = self.guarded(driver)
        rows = self.prepare(device)
        setting, patterns = self.settings(device.description, 0, 1), self.patterns(device.description, 0, 1)
        device.close()
        device.close()
        assert len(log.named("close")) == 1
        refused(log, ("closed",), device.load_inputs, 0, patterns)
        refused(log, ("closed",), device.write_parameters, 0, setting[0])
        refused(log, ("closed",), device.read_outputs, 0, rows)
        refused(log, ("closed",), device.probe, 0, setting, rows)

    def test_counts_are_exact_and_kept_apart_by_purpose(self, driver: Device) -> None:
        """Writes, readings and shots are those that reached the driver, booked on what they were spent on."""
        device, log = self.guarded(driver)
        rows = self.prepare(device)
        prepared = device.ledger.total
        assert prepared == Counts(writes=len(device.description.layers))
        for layer in range(len(device.description.layers)):
            settings = self.settings(device.description, layer, SETTINGS)
            for number, purpose in enumerate(PURPOSES):
                before, log.calls = device.ledger.by_purpose[purpose], []
                with device.ledger.spending_on(purpose):
                    device.write_parameters(layer, settings[0])
                    device.read_outputs(layer, rows)
                    device.probe(layer, settings, rows[: number + 1])
                spent = device.ledger.by_purpose[purpose] - before
                shots = len(rows) + SETTINGS * len(rows[: number + 1])
                assert spent == Counts(writes=1 + SETTINGS, readings=1 + SETTINGS, shots=shots)
                assert len(log.settings_written) == spent.writes
                assert all(call.layer == layer for call in log.calls)
        assert device.ledger.total == sum(device.ledger.by_purpose.values(), Counts())

    def guarded(self, driver: Device) -> tuple[Guarded, CallLog]:
        """Return *driver* behind the guard, with a log between the two."""
        log = CallLog(driver)
        return Guarded(log), log

    def bad_values(self, device: Device, layer: int) -> Iterator[tuple[int, float]]:
        """Yield parameter indices with values that must be refused, for the ends of every group."""
        start = 0
        for group in device.description.layers[layer].groups:
            below, above = np.nextafter(group.lower, -np.inf), np.nextafter(group.upper, np.inf)
            for value in (np.nan, np.inf, -np.inf, HUGE, -HUGE, float(below), float(above)):
                yield start, value
                yield start + group.size - 1, value
            start += group.size


def refused(log: CallLog, named: Sequence[str], call: Callable[..., object], *arguments: Any) -> None:
    """Fail unless *call* raises LimitViolation naming all of *named*, and nothing reaches the driver."""
    log.calls = []
    with pytest.raises(LimitViolation) as caught:
        call(*arguments)
    reached = [reached.name for reached in log.calls]
    assert not reached, f"refused, but the driver was asked to {', '.join(reached)}"
    message = str(caught.value)
    missing = [word for word in named if word not in message]
    assert not missing, f"the refusal does not name {missing}: {message}"


def _retyped(values: FloatArray, *, single: bool = True) -> list[Any]:
    """Return *values* as types that a device must not be given; single precision is one of them for settings."""
    types: list[Any] = [np.int64, np.complex128, np.bool_, object, *([np.float32] if single else [])]
    return [values.astype(kind) for kind in types]
