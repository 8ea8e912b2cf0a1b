"""What the guard lets pass: bounds, power and slew of setpoints, range of patterns; whatever is offered."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from ffzero_lab.device import BadReply, DeviceDescription, LimitViolation, LinkTimeout, ParameterGroup

COOL = np.array([0.5, -0.5, 1.0, 2.0])


def at(stiffness: float = 0.0, voltage: float = 0.0) -> np.ndarray:
    return np.array([stiffness, stiffness, voltage, voltage])


@pytest.mark.parametrize(
    ("index", "value", "message"),
    [
        (1, 2.5, r"fake, layer 1, stiffness\[1\]: 2\.5 N/m is out of bounds; allowed -1 to 2 .*nothing was written"),
        (2, -0.25, r"fake, layer 1, voltage\[0\]: -0\.25 V is out of bounds; allowed 0 to 10"),
        (3, np.nan, r"fake, layer 1, voltage\[1\]: nan V is not a finite number"),
        (0, np.inf, r"fake, layer 1, stiffness\[0\]: inf N/m is not a finite number"),
    ],
)
def test_a_refusal_names_the_parameter_and_nothing_is_written(bench, index, value, message):
    setup = bench()
    rows = setup.stage()
    batch = np.tile(COOL, (7, 1))
    batch[5, index] = value
    with pytest.raises(LimitViolation, match=message):
        setup.device.probe(1, batch, rows)
    with pytest.raises(LimitViolation, match=message):
        setup.device.write_parameters(1, batch[5])
    assert setup.reached == []
    assert not setup.fake.setpoints[1].any()


def test_the_bounds_themselves_are_allowed_and_nothing_is_clipped_or_copied(bench):
    setup = bench()
    rows = setup.stage()
    batch = np.array([at(-1.0, 0.0), at(2.0, 10.0), COOL])
    setup.device.write_parameters(0, batch[1])
    setup.device.probe(0, batch, rows)
    write, probe = setup.log.calls
    assert write.values is not None
    assert write.values.base is batch
    np.testing.assert_array_equal(probe.values, batch)


def test_a_batch_is_checked_before_its_first_setting_is_written_even_when_it_is_split(bench):
    setup = bench(max_call_s=0.2)
    rows = setup.stage()
    batch = np.tile(COOL, (6, 1))
    batch[-1, 2] = 10.5
    with pytest.raises(LimitViolation, match=r"10\.5 V"):
        setup.device.probe(0, batch, rows)
    assert setup.reached == []


@pytest.mark.parametrize("number", [2, 7, -1])
def test_layers_that_do_not_exist_are_refused(bench, number):
    setup = bench()
    with pytest.raises(LimitViolation, match=f"fake has no layer {number}; its layers are 0 to 1"):
        setup.device.write_parameters(number, COOL)
    assert setup.reached == []


def test_power_counts_all_layers_unless_they_share_the_hardware(bench):
    hot = at(voltage=8.0)  # 2 · 0.5 · 8² = 64 W
    apart, shared = bench(power_budget_w=100.0), bench(power_budget_w=100.0, shared_hardware=True)
    for setup in (apart, shared):
        setup.device.write_parameters(0, hot)
    shared.device.write_parameters(1, hot)
    with pytest.raises(LimitViolation, match=r"fake, layer 1: the actuators would draw 128 W, the budget is 100 W"):
        apart.device.write_parameters(1, hot)
    apart.device.write_parameters(0, at())
    apart.device.write_parameters(1, hot)


@pytest.mark.parametrize(("budget_w", "hottest"), [(100.0, 10.0), (99.0, 9.9), (1.0, 1.0)])
def test_a_budget_that_only_the_bounds_can_exceed_is_kept_like_any_other(bench, budget_w, hottest):
    """Both voltages up to 10 V draw 2 · 0.5 · 10² = 100 W at most."""
    setup = bench(of_layer={"power_budget_w": budget_w})
    setup.device.write_parameters(0, at(voltage=hottest))
    if budget_w < 100.0:
        with pytest.raises(LimitViolation, match=f"would draw 100 W, the layer's budget is {budget_w:g} W"):
            setup.device.write_parameters(0, at(voltage=10.0))
    with pytest.raises(LimitViolation, match="out of bounds"):
        setup.device.write_parameters(0, at(voltage=10.1))


def test_a_layer_keeps_the_power_budget_of_its_own_cooling(bench):
    setup = bench(power_budget_w=100.0, of_layer={"power_budget_w": 60.0})
    with pytest.raises(LimitViolation, match=r"layer 0: the actuators would draw 64 W, the layer's budget is 60 W"):
        setup.device.write_parameters(0, at(voltage=8.0))
    setup.device.write_parameters(0, at(voltage=6.0))


def test_power_is_checked_anywhere_in_a_batch_and_forgotten_after_parking(bench):
    setup = bench(power_budget_w=60.0)
    rows = setup.stage()
    batch = np.array([at(), at(voltage=8.0), at()])
    with pytest.raises(LimitViolation, match="64 W"):
        setup.device.probe(0, batch, rows)
    setup.device.write_parameters(0, at(voltage=6.0))  # 36 W
    with pytest.raises(LimitViolation, match="72 W"):
        setup.device.write_parameters(1, at(voltage=6.0))
    setup.device.park()
    setup.device.write_parameters(1, at(voltage=6.0))


def test_what_is_drawn_at_the_safe_values_counts_from_the_start_and_after_parking(bench, describe_layer):
    stiffness, voltage = describe_layer().groups
    warm = (stiffness, voltage.model_copy(update={"safe": 4.0}))  # 16 W in each layer
    setup = bench(power_budget_w=60.0, of_layer={"groups": warm})
    for _ in range(2):
        with pytest.raises(LimitViolation, match="65 W, the budget is 60 W"):
            setup.device.write_parameters(1, at(voltage=7.0))
        with pytest.raises(LimitViolation, match="65 W, the budget is 60 W"):
            setup.device.check_parameters(1, at(voltage=7.0))
        setup.device.write_parameters(0, at())
        setup.device.write_parameters(1, at(voltage=7.0))
        setup.device.park()


def test_a_probe_leaves_the_power_of_its_last_setting_booked(bench):
    setup = bench(power_budget_w=100.0)
    rows = setup.stage()
    setup.device.probe(0, np.array([at(voltage=8.0), at(voltage=1.0)]), rows)  # ends at 1 W
    setup.device.write_parameters(1, at(voltage=9.0))  # 81 W
    with pytest.raises(LimitViolation, match="145 W"):
        setup.device.write_parameters(0, at(voltage=8.0))


def test_after_a_failed_write_the_power_it_may_have_switched_on_is_counted(bench):
    setup = bench(power_budget_w=100.0)
    setup.fake.write_faults.append(LinkTimeout("no answer"))
    with pytest.raises(LinkTimeout):
        setup.device.write_parameters(0, at(voltage=8.0))
    with pytest.raises(LimitViolation, match="128 W"):
        setup.device.write_parameters(1, at(voltage=8.0))
    setup.device.write_parameters(0, at())
    setup.device.write_parameters(1, at(voltage=8.0))


def slow(unit_per_s: float) -> tuple[ParameterGroup, ...]:
    return (
        ParameterGroup(name="stiffness", shape=(2,), unit="N/m", lower=-1.0, upper=2.0, slew_per_s=unit_per_s),
        ParameterGroup(name="voltage", shape=(2,), unit="V", lower=0.0, upper=10.0),
    )


def test_slew_is_kept_from_where_the_hardware_stands_and_within_a_batch(bench):
    setup = bench(of_layer={"groups": slow(5.0)})  # 0.5 N/m per write of 0.1 s
    rows = setup.stage()
    with pytest.raises(LimitViolation, match=r"stiffness\[0\]: 0\.6 N/m moves too fast; .* at most 5 N/m/s"):
        setup.device.write_parameters(0, at(0.6, 10.0))
    setup.device.write_parameters(0, at(0.5, 10.0))
    setup.device.probe(0, np.array([at(1.0), at(0.5), at(0.0)]), rows)
    setup.log.calls = []
    with pytest.raises(LimitViolation, match=r"stiffness\[0\]: 1\.1 N/m moves too fast"):
        setup.device.probe(0, np.array([at(0.5), at(1.1), at(0.7)]), rows)
    assert setup.reached == []


def test_slew_is_kept_between_settings_of_a_batch_not_only_from_its_start(bench):
    setup = bench(of_layer={"groups": slow(5.0)})
    rows = setup.stage()
    with pytest.raises(LimitViolation, match=r"stiffness\[0\]: -0\.4 N/m moves too fast"):
        setup.device.probe(0, np.array([at(0.4), at(-0.4)]), rows)
    assert setup.reached == []


def test_after_a_failed_write_the_slew_starts_from_what_is_reported(bench):
    setup = bench(of_layer={"groups": slow(5.0)})
    setup.device.write_parameters(0, at(0.0))
    setup.fake.write_faults.append(LinkTimeout("no answer, but carried out"))
    with pytest.raises(LinkTimeout):
        setup.device.write_parameters(0, at(0.4))
    with pytest.raises(LimitViolation, match="too fast"):
        setup.device.write_parameters(0, at(-0.3))


def test_waiting_does_not_make_a_jump_slower(bench):
    setup = bench(of_layer={"groups": slow(5.0)})
    setup.device.write_parameters(0, at(0.0))
    setup.fake.clock.sleep_s(3600.0)
    with pytest.raises(LimitViolation, match="too fast"):
        setup.device.write_parameters(0, at(2.0))


def test_after_parking_the_slew_starts_from_what_is_reported(bench):
    setup = bench(of_layer={"groups": slow(5.0)})
    for stiffness in (0.4, 0.8, 1.2):
        setup.device.write_parameters(0, at(stiffness))
    setup.device.park()
    with pytest.raises(LimitViolation, match="too fast"):
        setup.device.write_parameters(0, at(1.2))


def test_setpoints_read_back_as_nonsense_are_a_bad_reply(bench):
    setup = bench(of_layer={"groups": slow(5.0)})
    for nonsense in (np.full(4, np.nan), np.zeros(3)):
        setup.fake.setpoints[0] = nonsense
        with pytest.raises(BadReply, match="layer 0: the setpoints read back"):
            setup.device.write_parameters(0, at(2.0))
    assert setup.reached == []


def test_single_precision_patterns_reach_the_driver_without_a_copy(bench):
    setup = bench()
    patterns = np.linspace(-1, 1, 30, dtype=np.float32).reshape(10, 3)
    setup.device.load_inputs(0, patterns)
    assert setup.log.calls[0].values is patterns


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ([0.0, 0.0, 1.5], r"fake, layer 0: pattern 1, input 2 is 1\.5 N; allowed -1 to 1; nothing was staged"),
        ([0.0, -1.5, 0.0], r"pattern 1, input 1 is -1\.5 N"),
        ([np.nan, 0.0, 0.0], "pattern 1, input 0 is nan"),
        ([0.0, -np.inf, 0.0], "pattern 1, input 1 is -inf"),
    ],
)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_refused_pattern_is_named(bench, pattern, message, kind):
    setup = bench()
    with pytest.raises(LimitViolation, match=message):
        setup.device.load_inputs(0, np.array([[0.0, 0.5, 1.0], pattern], dtype=kind))
    assert setup.reached == []


def test_pattern_memory_and_cascades_are_respected(bench):
    small, cascade = bench(pattern_memory=4), bench(topology="cascaded")
    small.device.load_inputs(0, np.zeros((4, 3)))
    with pytest.raises(LimitViolation, match="5 patterns do not fit into its memory of 4"):
        small.device.load_inputs(0, np.zeros((5, 3)))
    with pytest.raises(LimitViolation, match="layer 1: a cascade takes patterns at layer 0 only"):
        cascade.device.load_inputs(1, np.zeros((1, 3)))
    rows = cascade.stage()
    cascade.fake.patterns[1] = cascade.fake.patterns[0]
    assert cascade.device.read_outputs(1, rows).shape == (6, 2)


KINDS = st.sampled_from(["<f8", ">f8", "<f4", "<f2", "<i8", "<u1", "?", "<c16"])
NUMBERS = st.sampled_from([0.0, 0.5, 1.0, 2.0, -1.0, 10.0, -0.5, np.nan, np.inf, -np.inf, 9.9e37, 2.0000001])


@st.composite
def arrays(draw, near: tuple[int, ...]):
    """Arrays of any type, of the right shape or one near it, with values good and bad."""
    shape = draw(st.one_of(st.just(near), npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)))
    kind = np.dtype(draw(KINDS))
    wild = draw(npst.arrays(np.float64, shape, elements=st.one_of(NUMBERS, st.floats(0.0, 1.5))))
    with np.errstate(invalid="ignore", over="ignore"):
        return wild.astype(kind)


def allowed(described: DeviceDescription, values: np.ndarray) -> bool:
    layer = described.layers[0]
    inside = (values >= layer.per_parameter("lower")) & (values <= layer.per_parameter("upper"))
    return values.dtype == np.float64 and bool(inside.all())


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_whatever_setting_is_offered_only_allowed_ones_reach_the_driver(bench, data):
    setup = bench(power_budget_w=60.0)
    rows = setup.stage()
    single = data.draw(st.booleans())
    offered = data.draw(arrays(near=(4,) if single else (3, 4)))
    before = offered.copy()
    try:
        if single:
            setup.device.write_parameters(0, offered)
        else:
            setup.device.probe(0, offered, rows)
    except LimitViolation:
        assert setup.reached == []
    else:
        assert setup.reached == ["write_parameters" if single else "probe"]
        written = setup.log.settings_written
        assert [values.tolist() for values in written] == before.reshape(-1, 4).tolist()
        assert all(allowed(setup.fake.description, values) for values in written)
        assert all(0.5 * float((values[2:] ** 2).sum()) <= 60.0 for values in written)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_whatever_pattern_is_offered_only_allowed_ones_are_staged(bench, data):
    setup = bench()
    offered = data.draw(arrays(near=(2, 3)))
    try:
        setup.device.load_inputs(0, offered)
    except LimitViolation:
        assert setup.reached == []
    else:
        (staged,) = setup.log.calls
        assert staged.values is offered
        assert staged.values.ndim == 2
        assert staged.values.shape[1] == 3
        assert np.abs(staged.values).max() <= 1.0


@settings(max_examples=200, deadline=None)
@given(offered=npst.arrays(st.sampled_from([np.intp, np.int8, np.uint64, np.float64, np.bool_]), st.integers(0, 4)))
def test_whatever_rows_are_offered_only_staged_ones_are_read(bench, offered):
    setup = bench()
    setup.stage(count=5)
    try:
        outputs = setup.device.read_outputs(0, offered)
    except LimitViolation:
        assert setup.reached == []
    else:
        assert outputs.shape == (len(offered), 2)
        assert all(0 <= row < 5 for row in setup.log.calls[0].rows.tolist())


@settings(max_examples=100, deadline=None)
@given(moves=st.lists(st.floats(-1.0, 2.0), min_size=1, max_size=12))
def test_no_sequence_of_writes_moves_faster_than_the_slew(bench, moves):
    setup = bench(of_layer={"groups": slow(5.0)})
    stood_at, since_s = np.zeros(4), setup.fake.clock.now_s()
    for stiffness in moves:
        try:
            setup.device.write_parameters(0, at(stiffness))
        except LimitViolation:
            continue
        elapsed_s = setup.fake.clock.now_s() - since_s
        assert np.abs(setup.fake.setpoints[0] - stood_at).max() <= 5.0 * elapsed_s * (1 + 1e-9)
        stood_at, since_s = setup.fake.setpoints[0].copy(), setup.fake.clock.now_s()
