"""Dark readings from common drives, within their uncertainties, also where bright readings saturate."""

import numpy as np
import pytest

from calibration.journal import Journal
from calibration.photonic.detectors import DRIVES, RAMPS, dark_readings
from calibration.photonic.modulators import BENT
from calibration.registry import chosen
from calibration.runner import Runner
from drivers.twin.photonic.truth import ChipTruth
from drivers.twin.truth import photonic_truth
from ffzero_lab.device.record import LayerRecord
from ffzero_lab.opening import open_device

SHOT = 0.001
LEAK = 10.0 ** (-30.0 / 20.0)
"""Defaults of the twin: shot noise at full scale, and 30 dB of extinction."""


def test_dark_readings_cover_the_truth_also_on_few_outputs() -> None:
    rng, scores = np.random.default_rng(0), []
    drives = np.array(DRIVES)
    for _ in range(300):
        truth, strength, leak = 0.01 * rng.standard_normal(4), rng.uniform(0.5, 2.0, 4), rng.uniform(0.02, 0.05)
        noise = np.full(4, 0.008)
        mean = truth + np.outer((drives + leak) ** 2, strength)
        ramps = mean + noise / np.sqrt(RAMPS * 16) * rng.standard_normal(mean.shape)
        found = dark_readings(ramps, drives, noise, np.arange(4))
        scores.append((found.readings - truth) / found.spread)
    assert 0.93 <= (np.abs(scores) < 1.96).mean() <= 0.97


def looked_at(seed: int, full_scale: float) -> tuple[LayerRecord, ChipTruth, list[str]]:
    with open_device(
        "twin:photonic", ports=4, layers=1, drive="volts", seed=seed,
        detectors={"full_scale": full_scale, "adc_bits": 12},
    ) as device:  # fmt: skip
        procedures = chosen(("detectors", "modulators"), ())
        layers, findings = Runner(device, procedures, Journal(), 0, lambda _: None).run()
        return layers[0], photonic_truth(device, 0), [finding.what for finding in findings]


@pytest.mark.parametrize("full_scale", [0.7, 0.4])  # the common drives saturate from 0.7 on down
@pytest.mark.parametrize("seed", range(3))
def test_what_saturated_is_in_no_result(seed: int, full_scale: float) -> None:
    layer, truth, findings = looked_at(seed, full_scale)
    dark, shot = layer.quantities["detectors.dark"], layer.quantities["detectors.shot"]
    assert np.abs((dark.array - truth.dark_offset) / dark.spread).max() < 4.5
    assert dark.spread.max() < 1e-3 * full_scale
    assert abs(shot.array[0] - SHOT) < 4.5 * shot.spread[0]
    leak, misfit = layer.quantities["modulators.leak"], layer.quantities["modulators.misfit"]
    assert np.abs((leak.array - LEAK) / leak.spread).max() < 4.5
    assert misfit.array.max() < BENT
    assert sum("saturated in" in what for what in findings) == 4


def test_where_almost_everything_saturates_that_is_told_and_nothing_is_made_up() -> None:
    layer, _, findings = looked_at(2, 0.1)
    for name in ("detectors.dark", "detectors.gain", "detectors.shot", "modulators.gain", "modulators.leak"):
        assert np.isnan(layer.quantities[name].array).all(), name
    told = "\n".join(findings)
    for words in ("dark readings cannot be told", "gains cannot be told", "its amplitude cannot be told"):
        assert words in told
