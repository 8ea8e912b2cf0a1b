"""The recommended amplitude and batch: what the model says of slopes made so, and what a chip's calibration finds."""

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.general.step_size import best_batch
from calibration.journal import Journal
from calibration.registry import chosen
from calibration.runner import Runner
from ffzero_lab import open_device
from ffzero_lab.device.record import LayerRecord

FloatArray = NDArray[np.float64]


def slopes_of(diversity: float, noise: float, patterns: int = 24, directions: int = 200) -> FloatArray:
    """Slopes (R, K, B, n) of single patterns: mean of variance 1 over the directions, and what patterns add to it."""
    rng = np.random.default_rng(0)
    mean = rng.standard_normal((directions, 1, 4))
    each = mean + diversity**0.5 * rng.standard_normal((directions, patterns, 4))
    return each + (noise * diversity) ** 0.5 * rng.standard_normal((3, directions, patterns, 4))


@pytest.mark.parametrize(("diversity", "noise"), [(1.0, 0.0), (10.0, 1.0), (3.0, 5.0)])
def test_the_batch_is_recovered_from_slopes_of_known_variance(diversity: float, noise: float) -> None:
    found = best_batch(slopes_of(diversity, noise), write_s=0.01, shot_s=1e-4)
    assert found == pytest.approx((diversity * (1.0 + noise) * 100.0) ** 0.5, rel=0.1)


def test_the_formulas_batch_is_the_best_that_a_simulation_of_training_by_the_hour_finds() -> None:
    """Slopes of batches, each measured for one direction of a step: their squared correlation with the true ones."""
    rng, diversity, noise, write_s, shot_s = np.random.default_rng(1), 4.0, 0.5, 0.05, 1e-3
    batches = np.unique(np.geomspace(2, 200, 24).astype(int))
    true = rng.standard_normal(4000)
    value: list[float] = []
    for batch in batches:
        patterns = true[:, np.newaxis] + diversity**0.5 * rng.standard_normal((4000, batch))
        measured = (patterns + (noise * diversity) ** 0.5 * rng.standard_normal(patterns.shape)).mean(axis=1)
        value.append(float(np.corrcoef(measured, true)[0, 1]) ** 2 / (write_s + batch * shot_s))
    formula = best_batch(slopes_of(diversity, noise), write_s, shot_s)
    at = float(np.interp(formula, batches, value))
    assert at > 0.98 * max(value)
    assert float(np.interp(formula / 6.0, batches, value)) < 0.8 * max(value)
    assert float(np.interp(formula * 6.0, batches, value)) < 0.8 * max(value)


def test_the_batch_is_unknown_where_slopes_cancel_or_time_is_not_known() -> None:
    random = np.random.default_rng(2).standard_normal((3, 4, 24, 4))
    cancelling = random - random.mean(axis=2, keepdims=True)
    assert np.isnan(best_batch(cancelling, 0.01, 1e-4))
    assert np.isnan(best_batch(slopes_of(1.0, 1.0), 0.01, 0.0))
    assert np.isnan(best_batch(slopes_of(1.0, 1.0), 0.0, 1e-4))


def recommended(noise: float, drive: str = "phase") -> LayerRecord:
    detectors = {"thermal_noise": 0.002 * noise, "shot_noise": 0.001 * noise}
    device = open_device("twin:photonic", ports=8, layers=1, drive=drive, detectors=detectors)
    runner = Runner(device, chosen(("latency", "epsilon"), ()), Journal(), 0, lambda _: None)
    planned = sum((each.counts.writes for each in runner.plan()), 0)
    layers, findings = runner.run()
    assert device.ledger.by_purpose["calibration"].writes == pytest.approx(planned, rel=0.05)
    assert any("recommended epsilon" in finding.what for finding in findings)
    return layers[0]


def test_a_calibration_recommends_more_under_more_noise_and_the_record_holds_it() -> None:
    quiet, noisy = recommended(1.0).quantities, recommended(10.0).quantities
    growth = noisy["epsilon.multiple"].array[0] / quiet["epsilon.multiple"].array[0]
    assert growth == pytest.approx(10.0 ** (1.0 / 3.0), rel=0.3)
    assert 0.0 < quiet["epsilon.multiple"].spread[0] < 0.3 * quiet["epsilon.multiple"].array[0]
    assert noisy["epsilon.signal_to_noise"].array[0] < quiet["epsilon.signal_to_noise"].array[0]
    assert quiet["epsilon.batch"].array[0] >= 1.0
    assert quiet["epsilon.directions_per_step"].array[0] == 1.0
    written = LayerRecord(quantities=quiet).model_dump_json()
    assert LayerRecord.model_validate_json(written).quantities == quiet


def test_volts_and_phases_are_recommended_the_same_amplitude() -> None:
    phases, volts = (recommended(3.0, drive).quantities["epsilon.multiple"].array[0] for drive in ("phase", "volts"))
    assert volts == pytest.approx(phases, rel=0.3)
