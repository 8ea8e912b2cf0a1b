"""``epsilon = "auto"``: starts from the calibration's recommendation, measures again, says why, counts apart."""

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ffzero_lab import open_device
from ffzero_lab.datasets import Dataset
from ffzero_lab.device import Calibrated, Counts, Guarded, LayerDescription, ParameterGroup, Protected
from ffzero_lab.device.record import CalibrationRecord, Quantity
from ffzero_lab.errors import InputError
from ffzero_lab.rule.amplitude import best_amplitude
from ffzero_lab.training import AmplitudeChosen, Session, TrainSettings
from ffzero_lab.training.amplitude import EVALUATED, multiples_for, settled_on
from ffzero_lab.training.recommendation import recommended_multiple


def small_dataset() -> Dataset:
    """Clusters in six features, three quarters of them for training."""
    rng = np.random.default_rng(0)
    centres = rng.uniform(0.2, 0.8, (3, 6))
    labels = np.repeat(np.arange(3), 40)
    inputs = np.clip(centres[labels] + 0.05 * rng.standard_normal((len(labels), 6)), 0.0, 1.0)
    test = np.arange(len(labels)) % 4 == 0
    names = ("a", "b", "c")
    return Dataset("clusters", inputs[~test], labels[~test], inputs[test], labels[test], names)


def session(device: Protected, **settings: Any) -> Session:
    chosen = {"steps": 20, "batch": 32, "baselines": False, "epsilon": "auto"} | settings
    return Session(device, small_dataset(), TrainSettings(**chosen))


def choices(running: Session) -> list[AmplitudeChosen]:
    return [event for moment in running.run() for event in moment if isinstance(event, AmplitudeChosen)]


def twin(**options: Any) -> Guarded:
    return open_device("twin:photonic", **({"ports": 8, "layers": 1} | options))


def calibrated(multiple: float | None, monkeypatch: pytest.MonkeyPatch) -> Calibrated:
    """A chip in volts behind a record that recommends *multiple*."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    make: Any = importlib.import_module("true_record").true_record
    device = twin(drive="volts")
    record: CalibrationRecord = make(device)
    if multiple is not None:
        quantities = {"epsilon.multiple": Quantity.of("1", "layer", multiple, 0.001)}
        layer = record.layers[0].model_copy(update={"quantities": record.layers[0].quantities | quantities})
        record = record.model_copy(update={"layers": (layer,)})
    return Calibrated(device, record)


def test_the_amplitude_is_measured_at_each_layers_start_and_in_its_middle() -> None:
    chosen = choices(session(twin(layers=2)))
    assert [(event.layer, event.step) for event in chosen] == [(0, 0), (0, 10), (1, 0), (1, 10)]
    assert all(event.reason for event in chosen)
    assert [event.before for event in chosen[::2]] == [None, None]
    assert [event.before for event in chosen[1::2]] == [event.multiple for event in chosen[::2]]


def test_these_readings_are_counted_apart_from_training_and_planned() -> None:
    running = session(twin())
    looks = len(choices(running))
    batch, ledger = running.plan.batch, running.device.ledger.by_purpose
    readings = looks * EVALUATED * 2
    assert ledger["calibration"] == running.plan.counts["calibration"] == Counts(readings, readings, readings * batch)
    assert ledger["training"] == running.plan.counts["training"] == Counts(40, 40, 40 * batch)


def test_training_perturbs_by_the_amplitude_that_was_chosen() -> None:
    device, settings = twin(preset="ideal"), []
    original = device.driver.probe

    def spy(layer: int, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        settings.append(values.copy())
        return original(layer, values, rows)

    device.driver.probe = spy  # type: ignore[method-assign]
    chosen = choices(session(device))
    last_pair = settings[-1]
    assert 0.5 * np.abs(last_pair[0] - last_pair[1]) == pytest.approx(chosen[-1].multiple, rel=1e-6)


def test_a_record_is_where_training_starts_from(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = choices(session(calibrated(None, monkeypatch)))[0]
    assert measured.before is None
    assert "no calibration record" in measured.reason
    as_good = 1.2 * measured.measured
    kept = choices(session(calibrated(as_good, monkeypatch)))[0]
    assert kept.before == pytest.approx(as_good, rel=0.05)
    assert kept.multiple == kept.before
    assert kept.multiple != measured.multiple
    assert "what the calibration recommends" in kept.reason


@pytest.mark.parametrize("recommended", [0.004, 0.4])
def test_a_recommendation_that_is_worse_here_is_left_with_the_reason(
    recommended: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = choices(session(calibrated(recommended, monkeypatch)))[0]
    assert chosen.before == pytest.approx(recommended, rel=0.05)
    assert chosen.multiple == chosen.measured
    assert chosen.reason.startswith("measured here; what the calibration recommends")


def test_a_recommendation_in_volts_squared_becomes_one_in_radians(monkeypatch: pytest.MonkeyPatch) -> None:
    device = calibrated(0.1, monkeypatch)
    transfer, raw = device.record.layers[0].transfer, device.guard.description.layers[0]
    assert transfer is not None
    listed = zip(transfer.rows, transfer.columns, transfer.gains, strict=True)
    own = [gain for row, column, gain in listed if row == column]
    radians = 0.1 * raw.groups[0].typical_change * np.array(own)
    assert recommended_multiple(device, 0) == pytest.approx(float(np.exp(np.log(radians).mean())), rel=1e-9)
    assert recommended_multiple(device.guard, 0) is None
    assert recommended_multiple(calibrated(None, monkeypatch), 0) is None


def test_a_fixed_amplitude_measures_nothing_whatever_the_record_says(monkeypatch: pytest.MonkeyPatch) -> None:
    running = session(calibrated(0.1, monkeypatch), epsilon=0.05)
    assert choices(running) == []
    assert running.device.ledger.by_purpose["calibration"] == Counts()


def test_what_is_as_good_as_the_best_is_kept_and_nothing_else() -> None:
    multiples = np.geomspace(1e-3, 0.5, 7)
    rng = np.random.default_rng(0)
    true, bent = rng.standard_normal((2, 12, 8))
    noise = 3e-3 / multiples[:, None, None, None] * rng.standard_normal((7, 2, 12, 8))
    best = best_amplitude(multiples, (true + (multiples[:, None, None] / 0.1) ** 2 * bent)[:, None] + noise, odd=True)
    between = (best.multiple * best.best) ** 0.5
    assert settled_on(best, between, "the amplitude so far")[0] == between
    for other in (0.5 * best.multiple, 1.2 * best.best, 2.0 * multiples[-1]):
        taken, reason = settled_on(best, other, "the amplitude so far")
        assert taken == best.multiple
        assert "measured here; the amplitude so far" in reason


def test_an_amplitude_is_kept_while_resampled_slopes_may_find_it_as_good() -> None:
    multiples = np.geomspace(0.002, 0.5, 7)
    rng = np.random.default_rng(5)
    slopes = (
        rng.standard_normal((1, 1, 12, 1)) + 0.01 * rng.standard_normal((7, 2, 12, 1)) / multiples[:, None, None, None]
    )
    here = best_amplitude(multiples, slopes, odd=True)
    flat = replace(here, correlations=np.ones_like(here.correlations))
    assert settled_on(here, 0.002, "the amplitude so far", [here] * 20)[0] == here.multiple
    assert settled_on(here, 0.002, "the amplitude so far", [here] * 18 + [flat] * 2)[0] == here.multiple
    taken, reason = settled_on(here, 0.002, "the amplitude so far", [here] * 17 + [flat] * 3)
    assert taken == 0.002
    assert "3 of 20 resamplings of these slopes find it no worse" in reason


def layer_with(resolution: float, upper: float = 10.0) -> LayerDescription:
    described = twin().description.layers[0]
    group = ParameterGroup(name="theta", shape=(8,), unit="rad", lower=0.0, upper=upper, resolution=resolution)
    fields = {name: getattr(described, name) for name in LayerDescription.model_fields}
    return LayerDescription(**(fields | {"groups": (group,), "reach": None}))


def test_amplitudes_are_tried_from_half_of_the_resolution_to_what_has_room() -> None:
    multiples = multiples_for("here", layer_with(0.02))
    assert multiples[0] == pytest.approx(0.01)
    assert multiples[-1] == pytest.approx(0.5)
    assert multiples_for("here", layer_with(0.0, upper=3.0))[-1] < 0.25
    with pytest.raises(InputError, match=r"epsilon 'auto': here has steps of 0.8 and room for 0.5 .* name an epsilon"):
        multiples_for("here", layer_with(0.8))


def test_a_fixed_amplitude_below_half_of_the_resolution_is_refused_with_the_reason() -> None:
    device = twin()
    resolution = device.description.layers[0].groups[0].resolution
    with pytest.raises(InputError, match=r"under half of the resolution of .*theta\[0\].*would not move; use at least"):
        session(device, epsilon=0.49 * resolution)
    session(twin(), epsilon=0.51 * resolution)


def test_a_run_taken_up_again_goes_on_with_the_amplitude_it_had() -> None:
    whole = session(twin())
    expected = choices(whole)
    first = session(twin())
    moments = first.run()
    while (state := first.state()) is None or state[1].get("trainer", {}).get("step", 0) < 5:
        next(moments)
    second = session(twin())
    second.restore(first.network, *state)
    later = choices(second)
    assert later == expected[1:]
    assert second.network.layers[0].parameters.tobytes() == whole.network.layers[0].parameters.tobytes()


@pytest.mark.parametrize("given", ["nan", "small", "-1", "0", "inf", True, [1.0], {"theta": "auto"}, {"theta": -1.0}])
@pytest.mark.parametrize("setting", ["epsilon", "learning_rate"])
def test_what_is_no_amount_is_refused_in_one_message(setting: str, given: Any) -> None:
    with pytest.raises(ValueError, match="a finite number above 0") as refused:
        TrainSettings(**{setting: given})
    assert len(refused.value.errors()) == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("given", ["auto", "0.1", 0.1, {"theta": 0.1, "phi": "0.2"}, None])
def test_what_is_an_amount_is_taken(given: Any) -> None:
    taken = TrainSettings(epsilon=given).epsilon
    assert taken == (
        given if given in ("auto", None) else 0.1 if not isinstance(given, dict) else {"theta": 0.1, "phi": 0.2}
    )
