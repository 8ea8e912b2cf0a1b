"""The mechanical twin behind its port: readout, loads, hidden truth, gauges, hysteresis, creep, faults, snapshots."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import root

from drivers.twin.mechanical import MechanicalTwin, layer
from drivers.twin.mechanical.duffing import equilibrium
from drivers.twin.truth import mechanical_truth
from ffzero_lab.device import DarkBatch, DeviceError, Guarded, StagingLost, VirtualClock, WallClock

FloatArray = NDArray[np.float64]
ODDS = 1e-6
"""Chance that a sound twin fails a statistical test of another seed."""
QUIET: dict[str, Any] = {"noise": 0.0, "adc_bits": 0}


def twin(**options: Any) -> MechanicalTwin:
    return MechanicalTwin.open(MechanicalTwin.Config.model_validate({"preset": "ideal", "nx": 4, "ny": 3, **options}))


def stiffnesses(device: MechanicalTwin, number: int = 0, seed: int = 0) -> FloatArray:
    described = device.description.layers[number]
    lower, upper = described.per_parameter("lower"), described.per_parameter("upper")
    return np.exp(np.random.default_rng(seed).uniform(np.log(lower), np.log(upper)))


def patterns(device: MechanicalTwin, number: int = 0, count: int = 5) -> FloatArray:
    return np.random.default_rng(9).uniform(-1.0, 1.0, (count, device.description.layers[number].n_inputs))


def matrices(nx: int, ny: int, springs: FloatArray) -> list[FloatArray]:
    """Add up the stiffness matrix of each membrane spring by spring, from the order that the description states."""
    node = np.arange(nx * ny).reshape(ny, nx)
    along_x = [(node[y, x], node[y, x + 1]) for y in range(ny) for x in range(nx - 1)]
    along_y = [(node[y, x], node[y + 1, x]) for y in range(ny - 1) for x in range(nx)]
    links = along_x + along_y
    membranes = len(springs) // (len(links) + node.size)
    found: list[FloatArray] = []
    for membrane in range(membranes):
        matrix = np.zeros((node.size, node.size))
        for number, (i, j) in enumerate(links):
            k = springs[membrane * len(links) + number]
            matrix[[i, j], [i, j]] += k
            matrix[[i, j], [j, i]] -= k
        grounds = membranes * len(links) + membrane * node.size
        found.append(matrix + np.diag(springs[grounds : grounds + node.size]))
    return found


def on_nodes(nx: int, ny: int, forces: FloatArray, loaded: list[int], bias: float) -> FloatArray:
    """Put forces (B, n_in) on their nodes, and the bias on those with four neighbours."""
    loads = np.zeros((len(forces), ny, nx))
    loads[:, 1:-1, 1:-1] = bias
    loads = loads.reshape(len(forces), -1)
    loads[:, loaded] += forces
    return loads


def gauged(nx: int, displacements_m: FloatArray, readout: str) -> FloatArray:
    """Read displacements (B, n) in mm: all nodes, or what the nodes of the pairs along x differ by."""
    if readout == "nodes":
        return 1e3 * displacements_m
    rows = displacements_m.reshape(len(displacements_m), -1, nx)
    used = nx // 2 * 2
    return 1e3 * (rows[:, :, 0:used:2] - rows[:, :, 1:used:2]).reshape(len(rows), -1)


def outputs(device: MechanicalTwin, number: int, forces: FloatArray, springs: FloatArray) -> FloatArray:
    device.load_inputs(number, forces)
    device.write_parameters(number, springs)
    return device.read_outputs(number, np.arange(len(forces)))


@pytest.mark.parametrize("membranes", [1, 2])
@pytest.mark.parametrize("readout", ["pairs", "nodes"])
@pytest.mark.parametrize(("size", "loaded"), [((4, 3), [5, 0, 11]), ((5, 4), list(range(20))), ((24, 22), [30, 400])])
def test_outputs_are_those_of_a_dense_solve(membranes: int, readout: str, size: tuple[int, int], loaded: list[int]):
    nx, ny = size
    loads = {"nodes": loaded, "bias_n": 0.3, "full_scale_n": 2.0}
    device = twin(nx=nx, ny=ny, membranes=membranes, loads=loads, gauges={"readout": readout})
    forces, springs = 2.0 * patterns(device), stiffnesses(device)
    displacements = [
        np.linalg.solve(matrix, on_nodes(nx, ny, forces, loaded, 0.3).T).T for matrix in matrices(nx, ny, springs)
    ]
    together = displacements[0] if membranes == 1 else displacements[0] - displacements[1]
    np.testing.assert_allclose(outputs(device, 0, forces, springs), gauged(nx, together, readout), rtol=1e-9, atol=1e-9)


def test_one_membrane_is_read_in_pairs_and_two_node_against_node():
    assert twin(nx=6, ny=6).description.layers[0].output_shape == (18,)
    assert twin(nx=6, ny=6, membranes=2).description.layers[0].output_shape == (36,)
    assert twin(nx=5, ny=4).description.layers[0].output_shape == (8,)


def test_later_layers_carry_the_outputs_before_them_as_evenly_spread_loads():
    device = twin(nx=6, ny=4, layers=2, loads={"count": 3, "bias_n": 0.0})
    assert [described.n_inputs for described in device.description.layers] == [3, 12]
    loaded = device._config.lattice.evenly(12).tolist()
    forces, springs = patterns(device, 1), stiffnesses(device, 1, seed=4)
    (matrix,) = matrices(6, 4, springs)
    moved = np.linalg.solve(matrix, on_nodes(6, 4, forces, loaded, 0.0).T).T
    np.testing.assert_allclose(outputs(device, 1, forces, springs), gauged(6, moved, "pairs"), rtol=1e-9, atol=1e-9)


def test_two_membranes_of_equal_stiffness_cancel_and_exchanging_them_turns_the_sign():
    device = twin(membranes=2)
    forces, springs = patterns(device), stiffnesses(device)
    parts = [group.reshape(2, -1) for group in np.split(springs, [device.description.layers[0].groups[0].size])]
    exchanged = np.concatenate([part[::-1].ravel() for part in parts])
    alike = np.concatenate([np.tile(part[0], 2) for part in parts])
    np.testing.assert_allclose(outputs(device, 0, forces, alike), 0.0, atol=1e-12)
    as_they_are = outputs(device, 0, forces, springs)
    assert np.abs(as_they_are).max() > 1.0
    np.testing.assert_allclose(outputs(device, 0, forces, exchanged), -as_they_are, rtol=1e-9, atol=1e-12)


def test_nodes_under_loads_of_one_sign_all_give_way_to_that_side_and_pairs_differ_by_both_signs():
    forces = np.abs(np.random.default_rng(0).uniform(0.1, 1.0, (50, 12)))
    nodes, pairs = twin(gauges={"readout": "nodes"}), twin()
    assert (outputs(nodes, 0, forces, stiffnesses(nodes)) > 0.0).all()
    differences = outputs(pairs, 0, forces, stiffnesses(pairs))
    assert 0.2 < (differences > 0.0).mean() < 0.8


def test_the_bias_makes_outputs_affine_and_without_it_they_are_linear():
    for bias, affine in ((0.0, False), (0.5, True)):
        device = twin(loads={"bias_n": bias})
        forces = patterns(device)
        there, back, rest = np.split(
            outputs(device, 0, np.concatenate([forces, -forces, 0.0 * forces]), stiffnesses(device)), 3
        )
        np.testing.assert_allclose(there + back, 2.0 * rest, atol=1e-9)
        assert (np.abs(rest).max() > 0.1) == affine


@pytest.mark.parametrize("membranes", [1, 2])
def test_a_duffing_lattice_gives_what_the_root_of_its_equations_gives(membranes: int):
    cubic = 3e5
    device = twin(membranes=membranes, springs={"cubic_n_per_m3": cubic})
    forces, springs = patterns(device), stiffnesses(device)
    moved = np.zeros((len(forces), 12))
    for sign, matrix in zip((1.0, -1.0), matrices(4, 3, springs), strict=False):
        for row, load in enumerate(on_nodes(4, 3, forces, list(range(12)), 0.1)):
            start_mm = 1e3 * np.linalg.solve(matrix, load)
            found = root(lambda u, k=matrix, f=load: k @ u * 1e-3 + cubic * (u * 1e-3) ** 3 - f, start_mm, tol=1e-12)
            assert found.success
            moved[row] += sign * 1e-3 * found.x
    readout = "pairs" if membranes == 1 else "nodes"
    hardened = outputs(device, 0, forces, springs)
    np.testing.assert_allclose(hardened, gauged(4, moved, readout), rtol=1e-6, atol=1e-7)
    linear = outputs(twin(membranes=membranes), 0, forces, springs)
    assert np.abs(hardened - linear).max() > 0.05 * np.abs(linear).max()


def test_equilibrium_not_found_is_a_device_error_that_names_layer_and_rest(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(layer, "equilibrium", partial(equilibrium, most_steps=1))
    device = twin(springs={"cubic_n_per_m3": 1e9})
    with pytest.raises(DeviceError, match=r"twin:mechanical, layer 0: 5 of 5 patterns are not in equilibrium after 1"):
        outputs(device, 0, patterns(device), stiffnesses(device))


def test_outputs_are_those_of_the_revealed_lattice():
    device = twin(preset="typical", seed=3, springs={"backlash": 0.0, "creep": 0.0, "servo_bits": 0}, gauges=QUIET)
    truth = mechanical_truth(Guarded(device), 0)
    forces, springs = patterns(device), stiffnesses(device)
    (matrix,) = matrices(4, 3, springs * truth.spring_factor)
    moved = np.linalg.solve(matrix, on_nodes(4, 3, forces * truth.load_gain, list(range(12)), 0.1).T).T
    expected = gauged(4, moved, "pairs") * truth.gauge_gain + truth.gauge_offset_mm
    np.testing.assert_allclose(outputs(device, 0, forces, springs), expected, rtol=1e-9, atol=1e-9)


def test_the_truth_is_hidden_from_the_port_and_another_seed_is_another_lattice():
    one, same, other = (twin(preset="typical", seed=seed) for seed in (5, 5, 6))
    description = other.description.model_copy(update={"serial_number": one.description.serial_number})
    assert description == one.description
    assert one.read_parameters(0).tolist() == [10.0] * 29
    factors = [mechanical_truth(device, 0).spring_factor for device in (one, same, other)]
    np.testing.assert_array_equal(factors[0], factors[1])
    assert np.abs(factors[0] - factors[2]).max() > 0.01
    layers = twin(preset="typical", layers=2)
    assert np.abs(mechanical_truth(layers, 0).spring_factor - mechanical_truth(layers, 1).spring_factor).max() > 0.01
    with pytest.raises(TypeError, match="is not a mechanical twin"):
        mechanical_truth(Guarded(_NoTwin(one)), 0)


class _NoTwin:
    def __init__(self, device: MechanicalTwin) -> None:
        self.description, self.clock = device.description, device.clock


def test_the_truth_has_the_stated_distributions():
    truth = mechanical_truth(twin(preset="typical", nx=20, ny=20, seed=2), 0)
    full_scale_mm = 20.0
    for drawn in (
        np.log(truth.spring_factor) / 0.05,
        np.log(truth.load_gain) / 0.02,
        np.log(truth.gauge_gain) / 0.02,
        truth.gauge_offset_mm / (0.002 * full_scale_mm),
    ):
        assert stats.kstest(drawn, "norm").pvalue > ODDS


def test_an_imperfection_that_is_switched_off_leaves_the_draws_of_the_others_as_they_are():
    whole = mechanical_truth(twin(preset="harsh"), 0)
    without = mechanical_truth(twin(preset="harsh", springs={"tolerance": 0.0}), 0)
    assert (without.spring_factor == 1.0).all()
    np.testing.assert_array_equal(without.load_gain, whole.load_gain)
    np.testing.assert_array_equal(without.gauge_offset_mm, whole.gauge_offset_mm)


def test_gauge_noise_has_the_stated_variance_in_every_channel_and_is_white():
    device, quiet, readings = twin(gauges={"noise": 0.01, "full_scale_mm": 5.0}), twin(), 4000
    sigma_mm, forces, springs = 0.05, patterns(device, count=1), stiffnesses(device)
    noise = outputs(device, 0, np.repeat(forces, readings, axis=0), springs) - outputs(quiet, 0, forces, springs)
    sums = (noise**2).sum(axis=0) / sigma_mm**2
    low, high = stats.chi2.ppf([ODDS, 1 - ODDS], readings)
    assert (low < sums).all(), sums
    assert (sums < high).all(), sums
    assert stats.kstest(noise.ravel() / sigma_mm, "norm").pvalue > ODDS
    assert np.abs(np.corrcoef(noise.T) - np.eye(noise.shape[1])).max() < 6.0 / readings**0.5
    again = device.read_outputs(0, np.arange(readings))
    assert abs(np.corrcoef(noise[:, 0], again[:, 0])[0, 1]) < 6.0 / readings**0.5


def test_the_floor_is_four_standard_deviations_of_noise_and_offset():
    gauges = {"noise": 0.003, "offset": 0.004, "full_scale_mm": 10.0}
    assert twin(gauges=gauges).description.layers[0].detection_floor == pytest.approx(4 * 0.005 * 10.0)
    assert twin().description.layers[0].detection_floor == 0.0


def test_the_converter_rounds_to_its_steps_and_saturates_to_both_sides():
    device, quiet = twin(gauges={"adc_bits": 6, "full_scale_mm": 2.0}), twin()
    forces, springs = patterns(device, count=40), stiffnesses(device)
    read, true, step = outputs(device, 0, forces, springs), outputs(quiet, 0, forces, springs), 2.0 / 32
    inside = np.abs(true) < 2.0 - step
    assert (true > 2.0).any()
    assert (true < -2.0).any()
    np.testing.assert_allclose(read / step, np.rint(read / step), atol=1e-12)
    assert np.abs(read - true)[inside].max() <= step / 2 + 1e-12
    assert (read[true > 2.0] == 2.0).all()
    assert (read[true < -2.0] == -2.0).all()


def test_without_a_converter_nothing_reaches_the_stated_full_scale():
    device = twin(nx=3, ny=3, membranes=2, loads={"bias_n": 0.4})
    extremes = np.sign(patterns(device, count=200))
    softest, stiffest = (device.description.layers[0].per_parameter(end) for end in ("lower", "upper"))
    second = np.arange(len(softest)) % 2 == 1
    read = np.abs(outputs(device, 0, extremes, np.where(second, stiffest, softest))).max()
    assert 0.05 * device.description.layers[0].output_upper < read < device.description.layers[0].output_upper


def test_a_setpoint_reached_from_either_side_reads_differently_and_is_reported_the_same():
    device = twin(springs={"backlash": 0.02})
    forces, low, middle, high = patterns(device), *(np.full(29, k) for k in (15.0, 60.0, 400.0))
    seen: list[FloatArray] = []
    for before in (low, high):
        device.write_parameters(0, before)
        seen.append(outputs(device, 0, forces, middle))
        np.testing.assert_allclose(device.read_parameters(0), middle)
    assert np.abs(seen[0] - seen[1]).max() > 0.01 * np.abs(seen[0]).max()


def test_readings_creep_towards_their_end_as_device_time_passes():
    device, rested = twin(springs={"creep": 0.1, "creep_s": 60.0}), twin()
    forces, springs = patterns(device, count=1), np.full(29, 500.0)
    end = outputs(rested, 0, forces, springs)
    seen = [outputs(device, 0, forces, springs)]
    for pause_s in (60.0, 60.0, 6000.0):
        device.clock.sleep_s(pause_s)
        seen.append(device.read_outputs(0, np.arange(1)))
    away = [float(np.abs(read - end).max()) for read in seen]
    assert away[0] > 0.05 * np.abs(end).max()
    assert away[0] > 2.0 * away[1] > 4.0 * away[2]
    assert away[3] < 1e-9


@pytest.mark.parametrize("options", [{"membranes": 2, "layers": 2}, {"springs": {"cubic_n_per_m3": 1e5}}])
def test_a_restored_twin_repeats_a_long_history_to_the_bit(options: dict[str, Any]):
    device = twin(preset="harsh", seed=4, **options)

    def history(exchanges: int, seed: int) -> list[Any]:
        seen: list[Any] = []
        for number in range(exchanges):
            at = number % len(device.description.layers)
            device.write_parameters(at, stiffnesses(device, at, seed=1000 * seed + number))
            seen += [device.read_outputs(at, np.array([number % 5, 0])), device.read_parameters(at)]
        return [*seen, device.clock.now_s()]

    for number in range(len(device.description.layers)):
        device.load_inputs(number, patterns(device, number))
    history(25, seed=1)
    state = {name: values.copy() for name, values in device.snapshot().items()}
    once = history(25, seed=2)
    device.park()
    history(7, seed=3)
    device.restore(state)
    again = history(25, seed=2)
    device = twin(preset="harsh", seed=4, **options)  # another process takes the run up
    device.restore(state)
    for number in range(len(device.description.layers)):
        device.load_inputs(number, patterns(device, number))
    for repeated in (again, history(25, seed=2)):
        for one, other in zip(once, repeated, strict=True):
            assert np.array_equal(one, other)


def test_a_snapshot_of_another_lattice_is_refused():
    with pytest.raises(ValueError, match="this is a snapshot of"):
        twin(seed=1).restore(twin(seed=2).snapshot())


def test_the_virtual_clock_accounts_every_write_and_shot_and_nothing_else():
    device = twin(timing={"write_s": 0.25, "shot_s": 0.125})
    device.load_inputs(0, patterns(device))
    device.read_parameters(0)
    device.read_health()
    device.park()
    assert device.clock.now_s() == 0.0
    device.write_parameters(0, stiffnesses(device))
    device.read_outputs(0, np.array([0, 0, 3]))
    assert device.clock.now_s() == 0.625


def test_realtime_waits_on_the_wall_clock():
    assert isinstance(twin().clock, VirtualClock)
    device = twin(realtime=True, timing={"write_s": 0.02, "shot_s": 0.0})
    assert isinstance(device.clock, WallClock)
    began_s = device.clock.now_s()
    device.write_parameters(0, stiffnesses(device))
    assert device.clock.now_s() - began_s >= 0.02


def test_parking_leaves_every_spring_at_its_softest():
    device = twin(preset="harsh")
    device.write_parameters(0, stiffnesses(device))
    device.park()
    assert device.read_parameters(0).tolist() == [10.0] * 29


def test_setpoints_at_both_ends_pass_the_guard_and_can_be_written_back():
    device = Guarded(twin(springs={"servo_bits": 14}))
    for end in ("lower", "upper"):
        device.write_parameters(0, device.description.layers[0].per_parameter(end))
        reported = device.read_parameters(0)
        assert reported is not None
        device.write_parameters(0, reported)
        np.testing.assert_array_equal(device.read_parameters(0), device.description.layers[0].per_parameter(end))


def test_a_closed_twin_has_forgotten_its_patterns():
    device = twin()
    device.load_inputs(0, patterns(device))
    device.close()
    with pytest.raises(StagingLost, match="twin:mechanical, layer 0"):
        device.read_outputs(0, np.arange(2))


def with_fault(**fault: Any) -> MechanicalTwin:
    return twin(faults=[fault])


def test_a_servo_that_dies_keeps_its_spring_where_it_is():
    device, well = with_fault(kind="dead-servo", parameter="coupling[3]", from_s=1.0), twin()
    forces, before, after = patterns(device), stiffnesses(device, seed=1), stiffnesses(device, seed=2)
    device.write_parameters(0, before)
    device.clock.sleep_s(1.0)
    left = after.copy()
    left[3] = before[3]
    np.testing.assert_allclose(outputs(device, 0, forces, after), outputs(well, 0, forces, left), rtol=1e-9)
    np.testing.assert_allclose(device.read_parameters(0), after, rtol=1e-12)
    device.park()
    soft = np.full(29, 10.0)
    soft[3] = before[3]
    np.testing.assert_allclose(device.read_outputs(0, np.arange(5)), outputs(well, 0, forces, soft), rtol=1e-9)


@pytest.mark.parametrize(("parameter", "index"), [("coupling[0]", 0), ("ground[11]", 28)])
@pytest.mark.parametrize("cubic", [0.0, 1e4])
def test_a_broken_spring_has_no_stiffness(parameter: str, index: int, cubic: float):
    springs = {"cubic_n_per_m3": cubic}
    device = twin(springs=springs, faults=[{"kind": "broken-spring", "parameter": parameter}])
    forces, stiffness = patterns(device), stiffnesses(device)
    whole = outputs(twin(springs=springs), 0, forces, stiffness)
    broken = outputs(device, 0, forces, stiffness)
    assert np.abs(broken - whole).max() > 0.01 * np.abs(whole).max()
    if cubic == 0.0:
        stiffness[index] = 0.0
        moved = np.linalg.solve(matrices(4, 3, stiffness)[0], on_nodes(4, 3, forces, list(range(12)), 0.1).T).T
        np.testing.assert_allclose(broken, gauged(4, moved, "pairs"), rtol=1e-9, atol=1e-9)


def test_a_dead_gauge_shows_its_zero_alone():
    device = twin(preset="typical", gauges=QUIET, faults=[{"kind": "dead-gauge", "output": 2}])
    read = outputs(device, 0, patterns(device), stiffnesses(device))
    np.testing.assert_array_equal(read[:, 2], np.full(5, mechanical_truth(device, 0).gauge_offset_mm[2]))
    assert (read.std(axis=0)[[0, 1, 3]] > 0.01).all()


def test_a_dead_load_cell_gives_no_force_from_its_time_on():
    device = with_fault(kind="dead-load", input=4, from_s=10.0)
    forces, springs = patterns(device), stiffnesses(device)
    without = forces.copy()
    without[:, 4] = 0.0
    before = outputs(device, 0, forces, springs)
    np.testing.assert_allclose(before, outputs(twin(), 0, forces, springs), rtol=1e-12)
    device.clock.sleep_s(10.0)
    np.testing.assert_allclose(
        outputs(device, 0, forces, springs), outputs(twin(), 0, without, springs), rtol=1e-9, atol=1e-9
    )


def test_without_supply_the_bias_alone_is_left_and_health_tells():
    device = with_fault(kind="loads-off", from_s=5.0)
    forces, springs = patterns(device), stiffnesses(device)
    assert device.read_health() == {"loads": 1.0}
    device.clock.sleep_s(5.0)
    np.testing.assert_allclose(
        outputs(device, 0, forces, springs), outputs(twin(), 0, 0.0 * forces, springs), rtol=1e-9, atol=1e-12
    )
    assert device.read_health() == {"loads": 0.0}


def test_the_guard_calls_a_twin_without_supply_and_bias_dark():
    device = Guarded(twin(preset="typical", loads={"bias_n": 0.0}, faults=[{"kind": "loads-off"}]))
    device.load_inputs(0, np.ones((20, 12)))
    with pytest.raises(DarkBatch, match="twin:mechanical, layer 0"):
        device.read_outputs(0, np.arange(20))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"faults": [{"kind": "dead-servo", "parameter": "coupling[17]"}]}, r"none of coupling\[0\] to coupling\[16\]"),
        ({"faults": [{"kind": "broken-spring", "parameter": "spring[1]"}]}, r"'spring\[1\]' is none of"),
        ({"faults": [{"kind": "dead-gauge", "output": 6}]}, "output 6 is none of 0 to 5"),
        ({"faults": [{"kind": "dead-load", "input": 12}]}, "input 12 is none of 0 to 11"),
        ({"faults": [{"kind": "dead-load", "layer": 1, "input": 0}]}, "layer 1 is none of 0 to 0"),
        ({"loads": {"count": 13}}, "nodes 0 to 11, one for each input"),
        ({"loads": {"nodes": [3, 12]}}, "nodes 0 to 11, one for each input"),
        ({"loads": {"nodes": [3, 3]}}, "nodes must differ"),
        ({"loads": {"nodes": [3], "count": 1}}, "give count or nodes, not both"),
        ({"gauges": {"noise": 0.2, "offset": 0.3}}, r"detection floor of 28\.84 mm, full scale is 20 mm"),
        ({"springs": {"lower": 10.0}}, "Extra inputs are not permitted"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        twin(**options)


def test_springs_may_break_as_long_as_something_holds_every_part_of_a_membrane():
    around_a_corner = [{"kind": "broken-spring", "parameter": f"coupling[{number}]"} for number in (0, 9)]
    twin(faults=around_a_corner)
    ground = {"kind": "broken-spring", "parameter": "ground[0]"}
    twin(faults=[around_a_corner[0], ground])
    with pytest.raises(ValueError, match="in layer 0, nothing holds a part of a membrane"):
        twin(faults=[*around_a_corner, ground])
    twin(membranes=2, faults=[{"kind": "broken-spring", "parameter": f"ground[{number}]"} for number in range(11)])
    with pytest.raises(ValueError, match="nothing holds"):
        twin(
            membranes=2,
            faults=[{"kind": "broken-spring", "parameter": f"ground[{number}]"} for number in range(12, 24)],
        )


def test_what_a_user_gives_lies_over_the_preset():
    config = MechanicalTwin.Config.model_validate({"preset": "harsh", "springs": {"creep": 0.0}})
    assert config.springs.creep == 0.0
    assert config.springs.tolerance == 0.15
    assert MechanicalTwin.Config().springs.tolerance == 0.05
    assert MechanicalTwin.Config(preset="ideal").springs.backlash == 0.0
