"""Whatever a drive is told, volts, milliamperes or watts: the power for π is true, and the transfer is in its unit."""

from typing import Any

import numpy as np
import pytest

from calibration.journal import Journal
from calibration.registry import chosen
from calibration.runner import Runner
from drivers.twin.photonic import PhotonicConfig, PhotonicTwin
from drivers.twin.truth import photonic_truth
from ffzero_lab.device import FloatArray, Guarded, PowerLaw, RowIndex

TOLD = {"ports": 4, "layers": 1, "drive": "volts", "seed": 1}
OHM = 600.0


class Told(PhotonicTwin):
    """A chip whose drive is told milliamperes: the heaters' own resistances make volts of them."""

    def __init__(self, config: PhotonicConfig, clock: Any) -> None:
        super().__init__(config, clock)
        (layer,) = self.description.layers
        groups = tuple(
            group.model_copy(
                update={
                    "unit": "mA",
                    "upper": group.upper / OHM * 0.8e3,
                    "start": tuple(volts / OHM * 1e3 for volts in group.start or ()),
                    "resolution": group.resolution / OHM * 1e3,
                    "typical_change": group.typical_change / OHM**2 * 1e6,
                    "power": PowerLaw(watts=OHM * 1e-6, exponent=2.0),
                }
            )
            for group in layer.groups
        )
        self.description = self.description.model_copy(
            update={"layers": (layer.model_copy(update={"groups": groups}),)}
        )
        self._volts_per_ma = self._chips[0].truth.resistance_ohm * 1e-3

    def write_parameters(self, layer: int, values: FloatArray) -> None:
        super().write_parameters(layer, values * self._volts_per_ma)

    def read_parameters(self, layer: int) -> FloatArray:
        return super().read_parameters(layer) / self._volts_per_ma

    def probe(self, layer: int, settings: FloatArray, rows: RowIndex) -> FloatArray:
        outputs: list[FloatArray] = []
        for values in settings:
            self.write_parameters(layer, values)
            outputs.append(self.read_outputs(layer, rows))
        return np.stack(outputs)


def in_milliamperes() -> Guarded:
    config = PhotonicConfig.model_validate({**TOLD, "heaters": {"resistance_spread": 0.1}})
    return Guarded(Told(config, PhotonicTwin.open(config).clock))


def test_in_milliamperes_heat_goes_with_the_resistance() -> None:
    with in_milliamperes() as device:
        truth = photonic_truth(device, 0)
        names = ("detectors", "electrical", "fringes", "crosstalk", "offsets")
        (layer,), findings = Runner(device, chosen(names, ()), Journal(), 0, lambda _: None).run()
    known = layer.quantities
    assert known["electrical.heat"].unit == "W/mA²"
    assert known["electrical.heat"].array == pytest.approx(truth.resistance_ohm * 1e-6, rel=0.005)
    assert known["offsets.pi_setting"].unit == known["fringes.pi_setting"].unit == "mA²"
    for name in ("fringes", "offsets"):
        assert known[f"{name}.pi_power"].array == pytest.approx(truth.pi_power_w, rel=0.01)
    assert layer.transfer is not None
    assert layer.transfer.law == "square"
    assert not [finding for finding in findings if finding.severity != "note"]
    gains = np.zeros((16, 16))
    gains[[*layer.transfer.rows], [*layer.transfer.columns]] = layer.transfer.gains
    arriving = np.pi / truth.pi_power_w[:, np.newaxis] * truth.resistance_ohm * 1e-6  # rad by a square of milliamperes
    shares = gains / arriving
    near = shares[~np.eye(16, dtype=np.bool_)]
    assert near[near > 0.8 * near.max()].mean() == pytest.approx(0.005, rel=0.25)
    assert np.ptp(near[near > 0.8 * near.max()]) < 0.1 * near.max()  # by 1/R the nearest shares scatter by a third


def test_heaters_that_are_driven_in_different_ways_are_left_alone() -> None:
    device = in_milliamperes()
    (layer,) = device.description.layers
    theta, phi, gamma = layer.groups
    mixed = layer.model_copy(update={"groups": (theta, phi, gamma.model_copy(update={"unit": "V"}))})
    device.driver.description = device.description.model_copy(update={"layers": (mixed,)})
    with Guarded(device.driver) as told:
        planned = Runner(told, chosen(("fringes", "crosstalk", "offsets", "relative"), ()), Journal(), 0, print).plan()
    assert {each.why_not for each in planned} == {"its heaters are driven in different ways: V (square), mA (square)"}


def test_without_a_meter_only_a_drive_in_watts_tells_powers() -> None:
    for drive, unit in (("volts", None), ("power", "W")):
        with Guarded(PhotonicTwin.open(PhotonicConfig.model_validate({**TOLD, "drive": drive}))) as device:
            (layer,), _ = Runner(device, chosen(("fringes",), ()), Journal(), 0, lambda _: None).run()
        power = layer.quantities.get("fringes.pi_power")
        assert (None if power is None else power.unit) == unit
