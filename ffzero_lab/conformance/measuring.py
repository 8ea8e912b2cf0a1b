"""Behaviour of readings: shape, order of rows, probe against the loop, staging."""

import numpy as np
import pytest

from ffzero_lab.conformance.basis import ConformanceBasis, staging_layers
from ffzero_lab.device import Device, Resumable, StagingLost

SETTINGS = 4


class MeasuringConformance(ConformanceBasis):
    """What comes back from a driver is what was asked for, in the order in which it was asked."""

    def test_outputs_are_finite_float64_of_the_described_shape(self, driver: Device) -> None:
        """Reading and probing give (rows, n_out) and (settings, rows, n_out) of finite float64."""
        rows = self.prepare(driver)
        for layer, described in enumerate(driver.description.layers):
            settings = self.settings(driver.description, layer, SETTINGS)
            for measure, lead in (
                (lambda n=layer: driver.read_outputs(n, rows), (len(rows),)),
                (lambda n=layer: driver.read_outputs(n, rows[:1]), (1,)),
                (lambda n=layer, v=settings: driver.probe(n, v, rows), (SETTINGS, len(rows))),
            ):
                outputs = measure()
                assert outputs.shape == (*lead, described.n_outputs), f"layer {layer}: shape {outputs.shape}"
                assert outputs.dtype == np.float64, f"layer {layer}: outputs are {outputs.dtype}, not float64"
                assert np.isfinite(outputs).all(), f"layer {layer}: outputs are not finite"

    def test_outputs_follow_the_parameters_and_the_inputs(self, driver: Device) -> None:
        """Other parameters and other patterns give other readings; without this no other test means anything."""
        rows = self.prepare(driver)
        for layer, described in enumerate(driver.description.layers):
            outputs = driver.probe(layer, self.settings(driver.description, layer, 2), rows)
            self.assert_differ(described, outputs[0], outputs[1], f"layer {layer}, other parameters")
            self.assert_differ(described, outputs[0, :1], outputs[0, 1:2], f"layer {layer}, other patterns")

    def test_rows_are_presented_in_the_order_asked_for(self, driver: Device) -> None:
        """Permuted rows give permuted outputs, repeated rows repeated ones."""
        rows = self.prepare(driver)
        permuted = np.roll(rows[::-1], 2)
        repeated = np.array([rows[-1], rows[0], rows[-1], rows[0]], dtype=np.intp)
        for layer, described in enumerate(driver.description.layers):
            setting = self.settings(driver.description, layer, 1)
            driver.write_parameters(layer, setting[0])
            in_order = driver.read_outputs(layer, rows)
            for chosen, what in ((permuted, "permuted rows"), (repeated, "repeated rows")):
                expected = in_order[chosen]
                where = f"layer {layer}, {what}"
                self.assert_same(described, driver.read_outputs(layer, chosen), expected, f"{where} of a reading")
                self.assert_same(described, driver.probe(layer, setting, chosen)[0], expected, f"{where} of a probe")

    def test_probe_equals_writing_and_reading_one_setting_after_the_other(self, driver: Device) -> None:
        """Probe gives what the loop gives: to the bit without noise or from a snapshot, else within the tolerance."""
        rows = self.prepare(driver)
        for layer, described in enumerate(driver.description.layers):
            settings = self.settings(driver.description, layer, SETTINGS)
            state = driver.snapshot() if isinstance(driver, Resumable) else None
            probed = driver.probe(layer, settings.copy(), rows)
            if isinstance(driver, Resumable) and state is not None:
                driver.restore(state)
                self.stage(driver, len(rows))
            looped = np.empty_like(probed)
            for number, values in enumerate(settings):
                driver.write_parameters(layer, values)
                looped[number] = driver.read_outputs(layer, rows)
            if state is not None or self.spread(described) == 0.0:
                assert np.array_equal(probed, looped), f"layer {layer}: probe differs from the loop of write and read"
            else:
                self.assert_same(described, probed, looped, f"layer {layer}, probe against the loop")

    def test_a_snapshot_put_back_repeats_the_readings_to_the_bit(self, driver: Device) -> None:
        """A twin continues from a snapshot as if nothing had happened since, noise and clock included."""
        if not isinstance(driver, Resumable):
            return
        for layer in range(len(driver.description.layers)):
            rows = self.prepare(driver)
            state, taken_s = driver.snapshot(), driver.clock.now_s()
            kept = {name: array.copy() for name, array in state.items()}
            settings = self.settings(driver.description, layer, 2, seed=1)
            before = driver.read_outputs(layer, rows), driver.probe(layer, settings, rows), driver.clock.now_s()
            driver.park()
            driver.restore(state)
            self.stage(driver, len(rows))
            assert driver.clock.now_s() == taken_s, f"layer {layer}: the clock was not put back"
            after = driver.read_outputs(layer, rows), driver.probe(layer, settings, rows), driver.clock.now_s()
            for one, other in zip(before, after, strict=True):
                assert np.array_equal(one, other), f"layer {layer}: readings differ after a snapshot was put back"
            for name, array in kept.items():
                assert np.array_equal(state[name], array), f"layer {layer}: the snapshot's {name} changed afterwards"

    def test_probe_leaves_the_device_at_the_last_setting(self, driver: Device) -> None:
        """After a probe the device stands at its last setting and the next reading is made there."""
        rows = self.prepare(driver)
        for layer, described in enumerate(driver.description.layers):
            settings = self.settings(driver.description, layer, SETTINGS)
            probed = driver.probe(layer, settings, rows)
            reported = driver.read_parameters(layer)
            if reported is not None:
                self.assert_stands_at(described, reported, settings[-1])
            self.assert_same(described, driver.read_outputs(layer, rows), probed[-1], f"layer {layer}, after a probe")

    def test_loading_inputs_replaces_what_was_staged(self, driver: Device) -> None:
        """Other patterns, and another number of them, take the place of the staged ones."""
        rows = self.prepare(driver)
        before = [driver.read_outputs(layer, rows) for layer in range(len(driver.description.layers))]
        for layer in staging_layers(driver.description):
            staged = self.patterns(driver.description, layer, len(rows))
            driver.load_inputs(layer, staged[-2:])
        for layer, described in enumerate(driver.description.layers):
            after = driver.read_outputs(layer, rows[:2])
            self.assert_same(described, after, before[layer][-2:], f"layer {layer}, patterns staged anew")

    def test_reading_without_staged_patterns_raises_staging_lost(self, driver: Device) -> None:
        """The guard stages again on this error and on no other."""
        for layer in range(len(driver.description.layers)):
            setting = self.settings(driver.description, layer, 1)
            with pytest.raises(StagingLost):
                driver.read_outputs(layer, np.zeros(1, dtype=np.intp))
            with pytest.raises(StagingLost):
                driver.probe(layer, setting, np.zeros(1, dtype=np.intp))

    def test_single_precision_patterns_are_taken(self, driver: Device) -> None:
        """The guard lets float32 patterns pass; they give what the same numbers in float64 give."""
        rows = self.prepare(driver)
        before = [driver.read_outputs(layer, rows) for layer in range(len(driver.description.layers))]
        for layer in staging_layers(driver.description):
            driver.load_inputs(layer, self.patterns(driver.description, layer, len(rows)).astype(np.float32))
        for layer, described in enumerate(driver.description.layers):
            self.assert_same(described, driver.read_outputs(layer, rows), before[layer], f"layer {layer}, float32")

    def test_arrays_handed_in_are_left_alone_and_results_are_not_overwritten(self, driver: Device) -> None:
        """A driver neither changes its arguments nor hands out memory that a later call writes to."""
        rows = self.prepare(driver)
        for layer in range(len(driver.description.layers)):
            if layer in staging_layers(driver.description):
                patterns = self.patterns(driver.description, layer, len(rows))
                driver.load_inputs(layer, patterns)
                driver.read_outputs(layer, rows)
                assert np.array_equal(patterns, self.patterns(driver.description, layer, len(rows)))
            settings, asked = self.settings(driver.description, layer, SETTINGS), rows.copy()
            results = driver.read_outputs(layer, asked), driver.probe(layer, settings, asked)
            kept = [result.copy() for result in results]
            driver.probe(layer, settings[::-1].copy(), rows[::-1].copy())
            driver.write_parameters(layer, settings[0])
            settings_before = self.settings(driver.description, layer, SETTINGS)
            assert np.array_equal(settings, settings_before), f"layer {layer}: the settings handed in were changed"
            assert np.array_equal(asked, rows), f"layer {layer}: the rows handed in were changed"
            for result, copy in zip(results, kept, strict=True):
                assert np.array_equal(result, copy), f"layer {layer}: a later call wrote to an earlier result"
