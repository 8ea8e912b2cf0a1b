"""Dark readings from common drives: within their uncertainties, of which the common leak is a part."""

import numpy as np

from calibration.photonic.detectors import DRIVES, RAMPS, dark_readings


def test_dark_readings_cover_the_truth_also_on_few_outputs() -> None:
    rng, scores = np.random.default_rng(0), []
    drives = np.array(DRIVES)
    for _ in range(300):
        truth, strength, leak = 0.01 * rng.standard_normal(4), rng.uniform(0.5, 2.0, 4), rng.uniform(0.02, 0.05)
        noise = np.full(4, 0.008)
        mean = truth + np.outer((drives + leak) ** 2, strength)
        ramps = mean + noise / np.sqrt(RAMPS * 16) * rng.standard_normal(mean.shape)
        found = dark_readings(ramps, noise, np.arange(4))
        scores.append((found.readings - truth) / found.spread)
    assert 0.93 <= (np.abs(scores) < 1.96).mean() <= 0.97
