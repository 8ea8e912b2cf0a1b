"""The photonic twin's imperfections, each against a computation of its own."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from scipy import stats

from drivers.twin.photonic import PhotonicTwin
from drivers.twin.photonic.layout import heater_positions
from drivers.twin.photonic.mesh import Mesh, MeshGeometry
from drivers.twin.truth import photonic_truth
from ffzero_lab.device import DarkBatch, Guarded, VirtualClock, WallClock

PORTS = 6
P = PORTS**2
ODDS = 1e-6
"""Chance that a sound twin fails a statistical test of another seed."""
FloatArray = NDArray[np.float64]


def twin(clock: VirtualClock | None = None, **options: Any) -> PhotonicTwin:
    return PhotonicTwin.open(PhotonicTwin.Config(**{"preset": "ideal", "ports": PORTS, "layers": 1, **options}), clock)


def some(*shape: int, seed: int = 0, upper: float = 1.0) -> FloatArray:
    return np.random.default_rng(seed).uniform(0.0, upper, shape)


def answer(device: PhotonicTwin, values: FloatArray, patterns: FloatArray) -> FloatArray:
    device.load_inputs(0, patterns)
    device.write_parameters(0, values)
    return device.read_outputs(0, np.arange(len(patterns)))


def mesh_intensities(phases: FloatArray, patterns: FloatArray, **losses: float) -> FloatArray:
    return Mesh(MeshGeometry(PORTS), kernel="numpy", **losses).intensities(patterns, phases)


@pytest.mark.parametrize("kernel", ["numba", "numpy"])
@pytest.mark.parametrize("batch", [3, 40])
def test_loss_of_the_waveguides_takes_the_stated_decibels_from_every_output(kernel: str, batch: int) -> None:
    values, patterns = some(P, upper=12.0), some(batch, PORTS)
    lossless = answer(twin(kernel=kernel), values, patterns)
    lossy = answer(twin(kernel=kernel, mesh={"column_loss_db": 0.3}), values, patterns)
    assert_allclose(10.0 * np.log10(lossless / lossy), 0.3 * PORTS, rtol=1e-10)


@pytest.mark.parametrize("kernel", ["numba", "numpy"])
@pytest.mark.parametrize("batch", [1, 7])
def test_loss_of_the_couplers_goes_with_the_couplers_a_path_meets(kernel: str, batch: int) -> None:
    """Five ports: light that stays at the edge meets an MZI in every other column, light inside in every one."""
    geometry, loss_db = MeshGeometry(5), 0.2
    bar = np.concatenate([np.full(geometry.n_mzi, np.pi), np.zeros(geometry.n_mzi + 5)])  # θ = π: nothing crosses
    mesh = Mesh(geometry, coupler_loss_db=loss_db, kernel=kernel)  # type: ignore[arg-type]
    passed = np.diag(mesh.intensities(np.tile(np.eye(5), (batch, 1)), bar)[:5])
    met = np.array([3, 5, 5, 5, 2])  # MZIs on each straight path: ports 0 and 4 lie at the edge
    assert_allclose(-10.0 * np.log10(passed), 2.0 * loss_db * met, atol=1e-9)


def test_a_fringe_is_sinusoidal_in_the_one_phase_that_moves_whatever_splitters_and_losses() -> None:
    device = twin(
        mesh={"splitter_error_rad": 0.1, "random_offsets": True, "column_loss_db": 0.2, "coupler_loss_db": 0.1}
    )
    patterns, base = some(4, PORTS), some(P, upper=6.0)
    phases = np.linspace(0.0, 4.0 * np.pi, 25)
    basis = np.stack([np.ones_like(phases), np.cos(phases), np.sin(phases)], axis=1)
    for parameter in range(0, P, 5):
        swept = []
        for phase in phases:
            values = base.copy()
            values[parameter] = phase
            swept.append(answer(device, values, patterns).ravel())
        _, residual, _, _ = np.linalg.lstsq(basis, np.array(swept), rcond=None)
        assert np.all(residual < 1e-20)


def expected_phases(device: PhotonicTwin, volts: FloatArray, nearest: float, decay: float) -> FloatArray:
    """Return the phases that the truth and the voltages give, heater by heater and pair by pair."""
    truth, positions = photonic_truth(device, 0), heater_positions(MeshGeometry(PORTS))
    powers = volts**2 / truth.resistance_ohm
    phases = truth.offsets.copy()
    for i in range(P):
        arriving = powers[i]
        for j in range(P):
            apart = float(np.hypot(*(positions[i] - positions[j])))
            if i != j and np.exp((1.0 - apart) / decay) >= 0.01:
                arriving += nearest * np.exp((1.0 - apart) / decay) * powers[j]
        phases[i] += np.pi * arriving / truth.pi_power_w[i]
    return phases


def test_heaters_of_their_own_resistance_and_efficiency_warm_one_another() -> None:
    heaters = {"pi_power_spread": 0.1, "resistance_spread": 0.1, "crosstalk": 0.03, "crosstalk_decay_pitches": 1.5}
    device = twin(drive="volts", heaters=heaters, mesh={"random_offsets": True})
    volts, patterns = some(P, upper=2.0), some(5, PORTS)
    expected = mesh_intensities(expected_phases(device, volts, 0.03, 1.5), patterns)
    assert_allclose(answer(device, volts, patterns), expected, atol=1e-12)
    heat = float((volts**2 / photonic_truth(device, 0).resistance_ohm).sum())
    assert device.read_health()["heat_0"] == pytest.approx(heat)


def test_without_power_there_is_no_crosstalk() -> None:
    mesh = {"random_offsets": True}
    crossed = answer(twin(heaters={"crosstalk": 0.1}, mesh=mesh), np.zeros(P), some(4, PORTS))
    assert_array_equal(crossed, answer(twin(mesh=mesh), np.zeros(P), some(4, PORTS)))


def test_no_two_heaters_lie_at_the_same_place_and_neighbours_one_pitch_apart() -> None:
    positions = heater_positions(MeshGeometry(7))
    distances = np.hypot(*(positions[:, np.newaxis] - positions).transpose(2, 0, 1))
    np.fill_diagonal(distances, np.inf)
    assert distances.min() == 1.0
    assert np.all(distances.min(axis=1) <= np.sqrt(2.0))


def test_made_heaters_spread_as_stated_around_the_data_sheet() -> None:
    truth = photonic_truth(twin(ports=64, heaters={"pi_power_spread": 0.05, "resistance_spread": 0.03}), 0)
    for made, nominal, spread in ((truth.pi_power_w, 2e-3, 0.05), (truth.resistance_ohm, 600.0, 0.03)):
        assert stats.kstest(np.log(made / nominal) / spread, "norm").pvalue > ODDS


def test_an_imperfection_switched_off_leaves_the_others_as_they_were() -> None:
    whole = photonic_truth(twin(preset="typical"), 0)
    part = photonic_truth(twin(preset="typical", mesh={"splitter_error_rad": 0.0}, modulators={"gain_error": 0.0}), 0)
    assert not part.splitter_first.any()
    assert_array_equal(part.modulator_gain, 1.0)
    assert_array_equal(part.offsets, whole.offsets)
    assert_array_equal(part.responsivity, whole.responsivity)


def test_phases_approach_their_new_values_exponentially() -> None:
    clock, tau = VirtualClock(), 0.5
    device = twin(clock, heaters={"settling_s": tau}, timing={"write_s": 0.0, "shot_s": 0.0})
    patterns, values = some(3, PORTS), some(P, upper=12.0)
    device.load_inputs(0, patterns)
    device.write_parameters(0, values)
    for waited in (0.0, 0.2, 0.9):
        clock.sleep_s(waited)
        share = 1.0 - np.exp(-clock.now_s() / tau)
        read = device.read_outputs(0, np.arange(3))
        assert_allclose(read, mesh_intensities(share * values, patterns), atol=1e-12)
    device.park()
    clock.sleep_s(0.3)
    read = device.read_outputs(0, np.arange(3))
    assert_allclose(read, mesh_intensities(share * np.exp(-0.3 / tau) * values, patterns), atol=1e-12)


def test_drift_moves_the_phases_with_the_clock_and_not_with_the_readings() -> None:
    clock = VirtualClock()
    device = twin(clock, drift={"phase_rad": 0.1, "time_s": 100.0}, timing={"write_s": 0.0, "shot_s": 0.0})
    patterns, values = some(4, PORTS), some(P, upper=12.0)
    first = answer(device, values, patterns)
    assert_array_equal(device.read_outputs(0, np.arange(4)), first)
    clock.sleep_s(1e-3)
    little = np.abs(device.read_outputs(0, np.arange(4)) - first).max()
    clock.sleep_s(1e4)
    assert 0.0 < little < 0.01 < np.abs(device.read_outputs(0, np.arange(4)) - first).max()


def test_modulators_leak_at_zero_and_differ_at_full_drive() -> None:
    device = twin(modulators={"leak": 1e-2, "gain_error": 0.1}, mesh={"column_loss_db": 0.0})
    gain = photonic_truth(device, 0).modulator_gain
    total = answer(device, some(P), np.vstack([np.zeros(PORTS), np.eye(PORTS), np.ones(PORTS)])).sum(axis=1)
    assert total[0] == pytest.approx(1e-2 * (gain**2).sum())
    assert total[-1] == pytest.approx((gain**2).sum())
    assert_allclose(total[1:-1], 1e-2 * (gain**2).sum() + (1.0 - 1e-2) * gain**2, rtol=1e-10)
    assert np.abs(np.log(gain)).max() > 0.02


def test_chirp_turns_the_phase_of_a_weakly_driven_port() -> None:
    """An input phase γ of the opposite sign takes it back."""
    chirp, pattern = 0.7, np.array([[1.0, 0.25, *np.zeros(PORTS - 2)]])
    values = some(P, seed=4, upper=6.0)
    turned = values.copy()
    turned[-PORTS + 1] += chirp * 0.75
    chirped = answer(twin(modulators={"chirp_rad": chirp}), values, pattern)
    assert_allclose(chirped, answer(twin(), turned, pattern), atol=1e-12)
    assert np.abs(chirped - answer(twin(), values, pattern)).max() > 1e-3


def test_iq_modulators_give_any_phase_and_leave_some_carrier() -> None:
    """What they send is what an amplitude modulator and a phase shifter at the input would."""
    amplitudes, phases, values = some(1, PORTS), some(PORTS, seed=1, upper=6.0), some(P, seed=2, upper=6.0)
    turned = values.copy()
    turned[-PORTS:] += phases
    parts = np.concatenate([amplitudes * np.cos(phases), amplitudes * np.sin(phases)], axis=1)
    iq = twin(modulators={"kind": "iq"})
    assert iq.description.layers[0].n_inputs == 2 * PORTS
    assert_allclose(answer(iq, values, parts), answer(twin(), turned, amplitudes), atol=1e-12)
    leaking = answer(twin(modulators={"kind": "iq", "leak": 0.04}), values, np.zeros((1, 2 * PORTS)))
    assert leaking.sum() == pytest.approx(0.04 * PORTS)


def test_detectors_have_responsivities_and_offsets_of_their_own() -> None:
    constants = {"responsivity_error": 0.1, "dark_offset": 0.02, "full_scale": 2.0}
    device, values, patterns = twin(detectors=constants), some(P), some(3, PORTS)
    truth = photonic_truth(device, 0)
    expected = mesh_intensities(values, patterns) * truth.responsivity + truth.dark_offset
    assert_allclose(answer(device, values, patterns), expected, atol=1e-12)
    assert_array_equal(answer(device, values, np.zeros((1, PORTS)))[0], truth.dark_offset)
    offsets = photonic_truth(twin(ports=512, detectors=constants), 0).dark_offset
    assert stats.kstest(offsets / (0.02 * 2.0), "norm").pvalue > ODDS


def test_noise_has_a_thermal_part_and_one_whose_variance_goes_with_the_light() -> None:
    thermal, shot, full_scale, readings = 0.01, 0.03, 2.0, 4000
    device = twin(detectors={"thermal_noise": thermal, "shot_noise": shot, "full_scale": full_scale})
    values, pattern = some(P, seed=1, upper=6.0), some(1, PORTS, seed=2)
    light = mesh_intensities(values, pattern)[0]
    device.load_inputs(0, pattern)
    device.write_parameters(0, values)
    noise = device.read_outputs(0, np.zeros(readings, dtype=np.intp)) - light
    variance = (thermal * full_scale) ** 2 + shot**2 * light * full_scale
    assert variance.max() > 2.0 * variance.min()
    low, high = stats.chi2.ppf([ODDS, 1.0 - ODDS], readings)
    sums = (noise**2).sum(axis=0) / variance
    assert np.all((low < sums) & (sums < high)), sums


def fault(kind: str, **options: Any) -> dict[str, Any]:
    return {"faults": [{"kind": kind, **options}]}


@pytest.mark.parametrize("kind", ["open", "short"])
def test_a_heater_that_is_open_or_shorted_gives_no_phase(kind: str) -> None:
    values, patterns = some(P, seed=3, upper=6.0), some(4, PORTS)
    broken = twin(**fault(kind, parameter="phi[4]"))
    without = values.copy()
    without[MeshGeometry(PORTS).n_mzi + 4] = 0.0
    assert_array_equal(answer(broken, values, patterns), answer(twin(), without, patterns))
    assert_array_equal(broken.read_parameters(0), twin_at(values))


def twin_at(values: FloatArray) -> FloatArray:
    device = twin()
    device.write_parameters(0, values)
    return device.read_parameters(0)


def test_a_stuck_channel_stays_at_its_voltage_even_when_parked() -> None:
    device = twin(**fault("stuck", parameter="gamma[2]", volts=1.5))
    device.park()
    assert device.read_health()["heat_0"] == pytest.approx(1.5**2 / 600.0)
    values = some(P, upper=6.0)
    stuck = values.copy()
    stuck[P - PORTS + 2] = np.pi * 1.5**2 / (600.0 * 2e-3)
    assert_allclose(answer(device, values, some(3, PORTS)), mesh_intensities(stuck, some(3, PORTS)), atol=1e-12)


def test_a_dead_detector_sees_nothing() -> None:
    outputs = answer(twin(**fault("dead-detector", output=3)), some(P), some(4, PORTS))
    whole = answer(twin(), some(P), some(4, PORTS))
    assert not outputs[:, 3].any()
    assert_array_equal(np.delete(outputs, 3, axis=1), np.delete(whole, 3, axis=1))


def test_the_laser_steps_and_goes_out_at_its_times() -> None:
    clock = VirtualClock()
    faults = [{"kind": "laser-off", "from_s": 20.0}, {"kind": "laser-step", "factor": 0.5, "from_s": 10.0}]
    device = Guarded(twin(clock, faults=faults, detectors={"thermal_noise": 1e-3}, timing={"write_s": 0.0}))
    device.load_inputs(0, some(30, PORTS))
    device.write_parameters(0, some(P))
    powers = []
    for _ in range(2):
        powers.append(device.read_outputs(0, np.arange(30)).sum())
        assert device.read_health()["laser"] == pytest.approx(1.0 if len(powers) == 1 else 0.5)
        clock.sleep_s(10.0)
    assert powers[1] == pytest.approx(0.5 * powers[0], rel=0.01)
    assert device.read_health()["laser"] == 0.0
    with pytest.raises(DarkBatch, match="check the source"):
        device.read_outputs(0, np.arange(30))


def test_a_fault_that_begins_later_takes_its_course_from_then_on() -> None:
    clock, tau = VirtualClock(), 2.0
    options = fault("open", parameter="theta[0]", from_s=10.0)
    device = twin(clock, heaters={"settling_s": tau}, timing={"write_s": 0.0, "shot_s": 0.0}, **options)
    values, patterns = some(P, upper=6.0), some(3, PORTS)
    device.load_inputs(0, patterns)
    device.write_parameters(0, values)
    clock.sleep_s(9.0)
    before = mesh_intensities(values * (1.0 - np.exp(-9.0 / tau)), patterns)
    assert_allclose(device.read_outputs(0, np.arange(3)), before, atol=1e-12)
    clock.sleep_s(4.0)
    left = values * (1.0 - np.exp(-13.0 / tau))
    left[0] = values[0] * (1.0 - np.exp(-10.0 / tau)) * np.exp(-3.0 / tau)
    assert_allclose(device.read_outputs(0, np.arange(3)), mesh_intensities(left, patterns), atol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (fault("open", parameter="theta[15]"), r"theta\[0\] to theta\[14\]"),
        (fault("open", parameter="alpha[0]"), "is none of theta"),
        (fault("open", parameter="theta[0]", layer=1), "layer 1 is none of 0 to 0"),
        (fault("dead-detector", output=6), "output 6 is none of 0 to 5"),
        (fault("melted"), "melted"),
        ({"preset": "typical", "ports": 784}, "784 columns lose"),
        ({"preset": "tipical"}, "'ideal', 'typical' or 'harsh'"),
    ],
)
def test_what_this_chip_cannot_have_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        twin(**options)


def test_a_table_of_ones_own_lies_over_the_preset_key_by_key() -> None:
    config = PhotonicTwin.Config(preset="harsh", heaters={"crosstalk": 0.0})
    assert config.heaters.crosstalk == 0.0
    assert config.heaters.resistance_spread == 0.06
    assert config.mesh.splitter_error_rad == 0.06


@pytest.mark.parametrize("preset", ["ideal", "typical", "harsh"])
def test_phases_powers_and_volts_by_the_data_sheet_are_three_names_of_one_setting(preset: str) -> None:
    phases, patterns = some(P, seed=5, upper=12.0), some(3, PORTS)
    requests = {
        "phase": phases,
        "power": phases * 2e-3 / np.pi,
        "volts": np.sqrt(phases * 2e-3 * 600.0 / np.pi),
    }
    devices = {drive: twin(preset=preset, drive=drive) for drive in requests}
    answers = [answer(devices[drive], values, patterns) for drive, values in requests.items()]
    for one, other in pairwise(answers):
        assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    for drive, values in requests.items():
        assert_allclose(
            devices[drive].read_parameters(0),
            values,
            rtol=0.02,
            atol=devices[drive].description.layers[0].groups[0].resolution,
        )


@pytest.mark.parametrize("drive", ["phase", "power", "volts"])
def test_the_resolution_is_the_largest_step_in_the_unit_that_is_written(drive: str) -> None:
    device = twin(drive=drive, heaters={"drive_bits": 8})
    group = device.description.layers[0].groups[0]
    volts = 3.0 * np.arange(256) / 255
    per_v2 = {"phase": np.pi / 1.2, "power": 1.0 / 600.0}
    levels = volts if drive == "volts" else per_v2[drive] * volts**2
    levels = levels[levels <= group.upper]
    assert np.diff(levels).max() <= group.resolution * (1 + 1e-9)
    assert group.resolution <= np.diff(levels).max() * 1.02


@pytest.mark.parametrize(("drive", "raw"), [("phase", False), ("power", True), ("volts", True)])
def test_what_is_written_raw_says_so_and_the_budget_knows_its_power(drive: str, raw: bool) -> None:
    description = twin(drive=drive).description
    assert description.raw_units is raw
    group = description.layers[0].groups[0]
    assert group.power is not None
    assert group.power.total_w(np.full(3, group.upper)) == pytest.approx(3 * 8e-3)


def test_volts_are_trained_by_their_square_because_nothing_moves_at_zero() -> None:
    group = twin(drive="volts").description.layers[0].groups[0]
    assert group.scale == "square"
    assert group.typical_change == pytest.approx(600.0 * 2e-3 / np.pi)  # one radian
    assert group.start == pytest.approx(((1e-3 * 600.0) ** 0.5, (5e-3 * 600.0) ** 0.5))  # a period, from a quarter on


def test_in_real_time_a_latency_is_waited_for() -> None:
    device = PhotonicTwin.open(
        PhotonicTwin.Config(preset="ideal", ports=4, realtime=True, timing={"write_s": 0.05, "shot_s": 0.0})
    )
    assert isinstance(device.clock, WallClock)
    began = device.clock.now_s()
    device.write_parameters(0, np.zeros(16))
    assert device.clock.now_s() - began >= 0.05


def test_drift_in_real_time_goes_on_from_a_snapshot() -> None:
    options = {"ports": 4, "realtime": True, "timing": {"write_s": 0.0, "shot_s": 0.0}}
    first = PhotonicTwin.open(PhotonicTwin.Config(**options))
    first.load_inputs(0, some(2, 4))
    first.read_outputs(0, np.arange(2))
    state = first.snapshot()
    second = PhotonicTwin.open(PhotonicTwin.Config(**options))
    second.restore(state)
    assert float(second.snapshot()["time_s"]) >= float(state["time_s"])
    assert_array_equal(second.snapshot()["drift_rad"], state["drift_rad"])


@pytest.mark.parametrize("topology", ["reinjected", "cascaded"])
def test_a_snapshot_holds_drift_heat_and_noise_to_the_bit(topology: str) -> None:
    faults = [
        {"kind": "open", "parameter": "theta[1]", "from_s": 0.05},
        {"kind": "laser-step", "factor": 0.7, "from_s": 0.1},
    ]
    options = {
        "preset": "harsh",
        "ports": PORTS,
        "topology": topology,
        "faults": faults,
        "drift": {"phase_rad": 0.5, "time_s": 0.1},
        "heaters": {"settling_s": 0.01},
        "activation": {"bias_rad": 0.0},
    }
    config = PhotonicTwin.Config(**options)

    def go_on(device: PhotonicTwin) -> list[FloatArray]:
        device.load_inputs(0, some(8, PORTS))
        if topology == "reinjected":
            device.load_inputs(1, some(8, PORTS, seed=1))
        told = []
        for number in range(12):
            layer = number % 2
            told.append(device.probe(layer, some(2, P, seed=number, upper=6.0), np.arange(8)))
        return told

    first = PhotonicTwin.open(config)
    go_on(first)
    state = first.snapshot()
    second = PhotonicTwin.open(config)
    second.restore(state)
    for one, other in zip(go_on(first), go_on(second), strict=True):
        assert_array_equal(one, other)
    assert first.clock.now_s() == second.clock.now_s()
