"""What a finished record does to a device: phases are written, whatever the chip, its crosstalk and its drive."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.twin.photonic.mesh import Mesh, MeshGeometry
from drivers.twin.truth import photonic_truth
from ffzero_lab.datasets import load_dataset
from ffzero_lab.device import Calibrated, CalibrationMissing, Guarded, LimitViolation
from ffzero_lab.device.actuation import Actuation
from ffzero_lab.device.record import CalibrationRecord, Transfer
from ffzero_lab.opening import open_device
from ffzero_lab.summary import summarise
from ffzero_lab.training import Session, TrainSettings

TURN = 2.0 * np.pi
STILL: dict[str, Any] = {
    "drift": {"phase_rad": 0.0},
    "modulators": {"leak": 0.0, "gain_error": 0.0},
    "detectors": {"thermal_noise": 0.0, "shot_noise": 0.0, "adc_bits": 0},
}
"""A typical chip on a bench without noise, drift and modulator errors."""
RNG = np.random.default_rng


@pytest.fixture
def true_record(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make the record that a perfect calibration gives."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    return importlib.import_module("true_record").true_record


def chip(drive: str = "volts", layers: int = 1, **options: Any) -> Guarded:
    return open_device("twin:photonic", ports=8, layers=layers, drive=drive, seed=1, **options)


def with_layer(record: CalibrationRecord, layer: int = 0, **changes: Any) -> CalibrationRecord:
    layers = list(record.layers)
    layers[layer] = layers[layer].model_copy(update=changes)
    return record.model_copy(update={"layers": tuple(layers)})


def phase_error(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.abs(np.angle(np.exp(1j * (found - wanted)))).max())


@pytest.mark.parametrize("drive", ["volts", "power"])
def test_written_phases_meet_the_light_within_the_steps_of_the_drive(drive: str, true_record: Any) -> None:
    guard = chip(drive, **STILL)
    device = Calibrated(guard, true_record(guard))
    wanted = RNG(0).uniform(-TURN, TURN, 64)
    device.write_parameters(0, wanted)
    inputs = RNG(1).uniform(0.0, 1.0, (5, 8))
    device.load_inputs(0, inputs)
    read = device.read_outputs(0, np.arange(5))

    truth, geometry = photonic_truth(guard, 0), MeshGeometry(8)
    mesh = Mesh(geometry, truth.splitter_first, truth.splitter_second, column_loss_db=0.1, coupler_loss_db=0.01)
    expected = mesh.intensities(inputs, wanted) * truth.responsivity.mean()
    resolution = device.description.layers[0].groups[0].resolution
    assert 0.0 < resolution < 1e-3
    assert np.abs(read - expected).max() < 64**0.5 * resolution
    shifted = mesh.intensities(inputs, wanted + 0.02 * np.sign(RNG(2).standard_normal(64)))
    assert np.abs(shifted - expected).max() > 3 * 64**0.5 * resolution  # the bound would see an error of 0.02 rad


def test_what_is_read_back_is_what_was_written(true_record: Any) -> None:
    guard = chip()
    device = Calibrated(guard, true_record(guard))
    wanted = RNG(0).uniform(-TURN, TURN, 64)
    device.write_parameters(0, wanted)
    back = device.read_parameters(0)
    assert back is not None
    assert np.abs(back).max() <= np.pi
    assert phase_error(back, wanted) < device.description.layers[0].groups[0].resolution


@given(st.lists(st.floats(-TURN, TURN), min_size=64, max_size=64), st.floats(0.0, 0.1), st.integers(0, 99))
def test_the_settings_of_a_slope_stay_on_one_branch_within_the_limits(
    centre: list[float], amplitude: float, seed: int
) -> None:
    actuation, gain, offset = linear_chip(crosstalk=0.02)
    moves = amplitude * RNG(seed).choice([-1.0, 1.0], 64)
    settings = np.stack([np.array(centre) + moves, np.array(centre) - moves])
    squares = actuation.setpoints(settings) ** 2
    assert squares.min() >= 0.0
    assert squares.max() <= 4.0
    phases = offset + squares @ gain.T
    assert phase_error(phases, settings) < 1e-9
    np.testing.assert_allclose(phases[0] - phases[1], settings[0] - settings[1], atol=1e-9)  # no jump of a period


@given(st.lists(st.floats(-TURN, TURN), min_size=64, max_size=64))
def test_the_branch_is_the_one_of_least_power(wanted: list[float]) -> None:
    actuation, gain, offset = linear_chip(crosstalk=0.02)
    squares = actuation.setpoints(np.array(wanted)[np.newaxis])[0] ** 2
    turns = np.rint((offset + gain @ squares - np.array(wanted)) / TURN)
    given_back = 2 * 0.02**2 * 2.0  # a neighbour's period, through the neighbour between: crosstalk squared, each side
    for index in range(64):  # a period less of any one heater would need a negative power
        fewer = turns.copy()
        fewer[index] -= 1.0
        assert np.linalg.solve(gain, np.array(wanted) - offset + TURN * fewer)[index] < given_back


def test_settings_that_are_no_slope_each_choose_their_own_branch(true_record: Any) -> None:
    guard = chip()
    device = Calibrated(guard, true_record(guard))
    settings = RNG(3).uniform(-TURN, TURN, (40, 64))
    together = device.setpoints(0, settings)
    alone = np.concatenate([device.setpoints(0, one[np.newaxis]) for one in settings])
    np.testing.assert_allclose(together, alone, rtol=1e-9)


def test_many_heaters_are_solved_for_as_well_as_few() -> None:
    guard = open_device("twin:photonic", ports=32, layers=1, drive="power", preset="ideal")
    described, count = guard.description.layers[0], 1024
    gain, offset = np.pi / RNG(0).uniform(1.9e-3, 2.1e-3, count), RNG(1).uniform(0.0, TURN, count)
    near = np.arange(count - 1)
    rows = np.concatenate([np.arange(count), near, near + 1])
    columns = np.concatenate([np.arange(count), near + 1, near])
    gains = np.concatenate([gain, 0.01 * gain[:-1], 0.01 * gain[1:]])
    transfer = transfer_of("linear", offset, rows, columns, gains)
    actuation = Actuation(transfer, described, ())
    wanted = RNG(2).uniform(-TURN, TURN, (1, count))
    assert phase_error(actuation.effects(actuation.setpoints(wanted)[0]), wanted[0]) < 1e-9


def test_slopes_by_the_chain_rule_are_those_of_finite_differences(true_record: Any) -> None:
    guard = chip(**STILL, heaters={"drive_bits": 0, "settling_s": 0.0})
    device = Calibrated(guard, true_record(guard))
    device.load_inputs(0, RNG(1).uniform(0.0, 1.0, (3, 8)))
    rows, weights = np.arange(3), RNG(2).standard_normal((3, 8))
    values = RNG(3).uniform(-3.0, 3.0, 64)
    exact = device.exact_slopes(0, values, rows, lambda _: weights)
    for index in (0, 30, 40):
        step = 1e-4 * np.eye(64)[index]
        up, down = device.probe(0, np.stack([values + step, values - step]), rows)
        assert np.sum(weights * (up - down)) / 2e-4 == pytest.approx(exact[index], rel=1e-5, abs=1e-8)


def test_dead_heaters_stay_off_and_what_they_give_is_known(true_record: Any) -> None:
    guard = chip(**STILL)
    record = with_layer(true_record(guard), dead={5: "open", 40: "dark"})
    device = Calibrated(guard, record)
    assert device.description.layers[0].dead == (5, 40)
    wanted = RNG(0).uniform(-3.0, 3.0, 64)
    device.write_parameters(0, wanted)
    written, back = guard.read_parameters(0), device.read_parameters(0)
    assert written is not None
    assert back is not None
    assert written[[5, 40]].tolist() == [0.0, 0.0]
    assert phase_error(np.delete(back, [5, 40]), np.delete(wanted, [5, 40])) < 1e-3


def test_a_dead_detector_and_the_input_that_would_carry_it_are_left_out(true_record: Any) -> None:
    guard = chip(layers=2, faults=[{"kind": "dead-detector", "output": 2}])
    device = Calibrated(guard, with_layer(true_record(guard), dead_outputs={2: "dark"}))
    first, second = device.description.layers
    raw = guard.description.layers[0]
    assert (first.n_outputs, second.n_inputs, second.n_outputs) == (7, 7, 8)
    assert first.output_names[2] == "the device's output 3"
    assert first.one_sign
    assert first.reach is not None
    assert raw.reach is not None
    per_output = RNG(0).standard_normal(8) * (np.arange(8) != 2)
    np.testing.assert_allclose(
        first.reach.sum_reached(np.delete(per_output, 2)), raw.reach.sum_reached(per_output), atol=1e-12
    )
    dataset = load_dataset("iris", None, None)
    session = Session(device, dataset, TrainSettings(dataset="iris", steps=20, batch=20))
    for _ in session.run():
        pass
    assert session.trained is not None


def test_dark_offsets_and_gains_are_taken_out_of_the_readings(true_record: Any) -> None:
    guard = chip(**STILL, heaters={"settling_s": 0.0})
    device, truth = Calibrated(guard, true_record(guard)), photonic_truth(guard, 0)
    device.load_inputs(0, RNG(1).uniform(0.0, 1.0, (4, 8)))
    device.write_parameters(0, RNG(0).uniform(-3.0, 3.0, 64))
    rows = np.arange(4)
    share = truth.responsivity / truth.responsivity.mean()
    expected = (guard.read_outputs(0, rows) - truth.dark_offset) / share
    np.testing.assert_allclose(device.read_outputs(0, rows), expected, rtol=1e-12)
    assert device.description.layers[0].detection_floor >= guard.description.layers[0].detection_floor
    assert device.ledger is guard.ledger


@pytest.mark.parametrize("wrong", ["nan", "out", "short"])
def test_what_cannot_be_written_is_refused_and_nothing_moves(wrong: str, true_record: Any) -> None:
    guard = chip()
    device = Calibrated(guard, true_record(guard))
    device.write_parameters(0, np.zeros(64))
    before = guard.read_parameters(0)
    values = np.zeros(63 if wrong == "short" else 64)
    values[3] = {"nan": np.nan, "out": 9.0, "short": 0.0}[wrong]
    with pytest.raises(LimitViolation, match="layer 0"):
        device.write_parameters(0, values)
    np.testing.assert_array_equal(guard.read_parameters(0), before)


def test_a_phase_beyond_the_raw_limits_is_refused_by_the_guard(true_record: Any) -> None:
    guard = chip()
    record = true_record(guard)
    transfer = record.layers[0].transfer
    weak = transfer.model_copy(update={"gains": tuple(0.1 * gain for gain in transfer.gains)})
    device = Calibrated(guard, with_layer(record, transfer=weak))
    with pytest.raises(LimitViolation, match="V is out of bounds; allowed 0 to"):
        device.write_parameters(0, RNG(0).uniform(-3.0, 3.0, 64))


def test_a_record_that_does_not_fit_is_refused_with_the_reason(true_record: Any) -> None:
    guard = chip()
    record = true_record(guard)
    foreign = record.model_copy(update={"serial_number": "OTHER-1"})
    with pytest.raises(CalibrationMissing, match=r"OTHER-1.*has TWIN-typical-1"):
        Calibrated(guard, foreign)
    small = true_record(open_device("twin:photonic", ports=4, layers=1, drive="volts", seed=1))
    with pytest.raises(CalibrationMissing, match=r"layer 0, is of theta \(6\) in V.*has theta \(28\)"):
        Calibrated(guard, small)
    watts = true_record(chip("power"))
    with pytest.raises(CalibrationMissing, match=r"theta \(28\) in W, linear;.*it has theta \(28\) in V, square"):
        Calibrated(guard, watts)
    with pytest.raises(CalibrationMissing, match=r"is of theta \(28\) in a unit that it does not say"):
        Calibrated(guard, with_layer(record, drives={}))
    with pytest.raises(CalibrationMissing, match="does not say what the actuators do"):
        Calibrated(guard, with_layer(record, transfer=None))


def test_stiffness_is_written_through_a_linear_record_without_period() -> None:
    guard = open_device("twin:mechanical", preset="ideal", layers=1)
    described = guard.description.layers[0]
    count, diagonal = described.n_parameters, np.arange(described.n_parameters)
    gain, offset = RNG(0).uniform(0.9, 1.1, count), RNG(1).uniform(0.0, 0.5, count)
    transfer = transfer_of("linear", offset, diagonal, diagonal, gain, unit="N/m", period=None)
    actuation = Actuation(transfer, described, ())
    lowest, highest = actuation.ranges()
    wanted = RNG(2).uniform(lowest.max(), highest.min(), (2, count))
    setpoints = actuation.setpoints(wanted)
    np.testing.assert_allclose(offset + gain * setpoints, wanted)
    assert np.all(setpoints >= described.per_parameter("lower") - 1e-9)
    assert np.all(setpoints <= described.per_parameter("upper") + 1e-9)


@pytest.mark.slow
def test_training_through_a_record_is_as_good_as_training_in_phases(true_record: Any) -> None:
    def accuracy(drive: str, seed: int) -> float:
        guard = open_device("twin:photonic", ports=8, layers=1, drive=drive, seed=seed)
        device = guard if drive == "phase" else Calibrated(guard, true_record(guard))
        settings = TrainSettings(dataset="iris", steps=400, seed=seed, batch=60, learning_rate=0.03, baselines=False)
        session = Session(device, load_dataset("iris", None, None), settings)
        for _ in session.run():
            pass
        return summarise(session, 0.0)["test_accuracy"]["sum"]

    phases, volts = ([accuracy(drive, seed) for seed in range(6)] for drive in ("phase", "volts"))
    difference = np.array(volts) - np.array(phases)
    assert difference.mean() > -0.02 - 2.0 * difference.std(ddof=1) / 6**0.5
    assert np.mean(volts) > 0.8


def transfer_of(
    law: Any,
    offset: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    gains: np.ndarray,
    unit: str = "rad",
    period: float | None = TURN,
) -> Transfer:
    return Transfer(
        unit=unit,
        law=law,
        period=period,
        offset=tuple(offset.tolist()),
        rows=tuple(rows.tolist()),
        columns=tuple(columns.tolist()),
        gains=tuple(gains.tolist()),
    )


def linear_chip(crosstalk: float) -> tuple[Actuation, np.ndarray, np.ndarray]:
    """Return heaters that reach four π at 2 V, each giving its neighbours in a row a share, with G and φ₀."""
    rng = RNG(7)
    shares = np.eye(64) + crosstalk * (np.eye(64, k=1) + np.eye(64, k=-1))
    gain = shares * np.pi * rng.uniform(0.95, 1.05, (64, 1))
    offset = rng.uniform(0.0, TURN, 64)
    rows, columns = np.nonzero(gain)
    heaters = {"resistance_ohm": 1.0, "pi_power_w": 1.0, "drive_full_scale_v": 2.0, "budget_w": 1000.0}
    guard = open_device("twin:photonic", ports=8, layers=1, drive="volts", preset="ideal", heaters=heaters)
    transfer = transfer_of("square", offset, rows, columns, gain[rows, columns])
    return Actuation(transfer, guard.description.layers[0], ()), gain, offset
