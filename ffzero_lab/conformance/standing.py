"""Behaviour of setpoints: opening, writing, parking from any state, closing."""

import numpy as np
import pytest

from ffzero_lab.conformance.basis import ConformanceBasis, Interruption, setpoints_after_closing, staging_layers
from ffzero_lab.device import Device, FloatArray, RowIndex


class StandingConformance(ConformanceBasis):
    """A driver energises nothing by itself, parks from any state, and never leaves outputs on."""

    def test_opening_energises_nothing(self, driver: Device) -> None:
        """A driver just opened stands where parking puts it, and its health is within bounds."""
        opened = self.stands_at(driver)
        driver.park()
        self.assert_parked(driver, opened, "just opened, the device does not stand where parking puts it")

    def test_setpoints_are_reported_as_written(self, driver: Device) -> None:
        """Where setpoints can be read back, they are those written, to within one resolution step."""
        for layer, described in enumerate(driver.description.layers):
            for values in self.settings(driver.description, layer, 3):
                handed_in = values.copy()
                driver.write_parameters(layer, handed_in)
                handed_in += 1.0  # the caller's array is the caller's: the driver must have taken its own copy
                reported = driver.read_parameters(layer)
                if reported is not None:
                    self.assert_stands_at(described, reported, values)

    def test_parking_a_fresh_device_works(self, driver: Device) -> None:
        """Parking needs no write before it and changes nothing on a fresh device."""
        driver.park()
        parked = self.stands_at(driver)
        driver.park()
        self.assert_parked(driver, parked, "parking a second time moved the device")

    def test_parking_after_writes_is_safe_and_idempotent(self, driver: Device) -> None:
        """Whatever was written, parking leads to the one safe state."""
        driver.park()
        parked = self.stands_at(driver)
        self.prepare(driver)
        for _ in range(2):
            driver.park()
            self.assert_parked(driver, parked, "after writes, parking leads to another state")

    def test_parking_in_the_middle_of_a_probe_is_safe(self, driver: Device) -> None:
        """A probe cut short leaves a device that parks, and that works again afterwards."""
        driver.park()
        parked = self.stands_at(driver)
        for layer in range(len(driver.description.layers)):
            rows = self.prepare(driver)
            settings = self.settings(driver.description, layer, 4)
            with self.interrupting(driver):
                try:
                    driver.probe(layer, settings, rows)
                except Interruption:
                    pass
                else:
                    pytest.fail(
                        "the probe was not interrupted, or swallowed it; a driver that neither writes one setting at "
                        "a time nor sleeps on its clock needs an interrupting() of its own"
                    )
            driver.park()
            self.assert_parked(driver, parked, f"layer {layer}: a probe cut short cannot be parked")
            self.assert_works(driver, layer, settings)

    def test_the_device_works_again_after_parking(self, driver: Device) -> None:
        """Writing and reading after parking give what they gave before."""
        for layer, described in enumerate(driver.description.layers):
            rows = self.prepare(driver)
            before = driver.read_outputs(layer, rows)
            driver.park()
            self.prepare(driver)
            self.assert_same(described, driver.read_outputs(layer, rows), before, f"layer {layer}, after parking")

    def test_closing_parks(self, driver: Device) -> None:
        """A closed driver leaves nothing on; where it can no longer tell, the next opening must find it parked."""
        driver.park()
        parked = [driver.read_parameters(layer) for layer in range(len(driver.description.layers))]
        self.prepare(driver)
        parkings = 0
        park = driver.park

        def counted_park() -> None:
            nonlocal parkings
            parkings += 1
            park()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(driver, "park", counted_park)
            driver.close()
        left = [setpoints_after_closing(driver, layer) for layer in range(len(parked))]
        if parkings == 0 and any(values is None for values in left):
            reopened = self.open_driver()
            try:
                left = [reopened.read_parameters(layer) for layer in range(len(parked))]
            finally:
                reopened.close()
            assert all(values is not None for values in left), "close() must call park(): nothing else shows it parks"
        for described, values, expected in zip(driver.description.layers, left, parked, strict=True):
            if values is not None and expected is not None:
                self.assert_stands_at(described, values, expected)

    def test_closing_twice_does_nothing_more(self, driver: Device) -> None:
        """A second close neither raises nor moves anything, and parking a closed driver raises nothing either."""
        self.prepare(driver)
        driver.close()
        driver.close()
        driver.park()
        driver.close()

    def stands_at(self, driver: Device) -> list[FloatArray]:
        """Return where each layer stands: its setpoints (P,), or its readings where it reports none."""
        rows: RowIndex = np.arange(2, dtype=np.intp)
        reported = [driver.read_parameters(layer) for layer in range(len(driver.description.layers))]
        if any(values is None for values in reported):
            for layer in staging_layers(driver.description):
                driver.load_inputs(layer, self.patterns(driver.description, layer, len(rows)))
        return [driver.read_outputs(n, rows) if values is None else values for n, values in enumerate(reported)]

    def assert_parked(self, driver: Device, expected: list[FloatArray], otherwise: str) -> None:
        """Fail unless every layer stands at *expected* and the health readings keep their bounds."""
        for layer, (now, then) in enumerate(zip(self.stands_at(driver), expected, strict=True)):
            described = driver.description.layers[layer]
            if now.ndim == 1:
                self.assert_stands_at(described, now, then)
            else:
                self.assert_same(described, now, then, f"layer {layer}, {otherwise}")
        self.assert_healthy(driver)

    def assert_works(self, driver: Device, layer: int, settings: FloatArray) -> None:
        """Fail unless the device can be staged, written and read."""
        rows = self.prepare(driver)
        described = driver.description.layers[layer]
        probed = driver.probe(layer, settings[:2], rows)
        self.assert_differ(described, probed[0], probed[1], f"layer {layer}, used again")
        driver.write_parameters(layer, settings[0])
        self.assert_same(described, driver.read_outputs(layer, rows), probed[0], f"layer {layer}, used again")
