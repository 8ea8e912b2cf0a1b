"""The guard's own work: splitting long calls, staging again, judging replies, counting, closing."""

import numpy as np
import pytest

from ffzero_lab.device import BadReply, Counts, DarkBatch, LimitViolation, LinkTimeout, StagingLost

SETTINGS = np.array([[0.5, 0.1, 1.0, 2.0], [1.0, 0.2, 2.0, 1.0], [1.5, 0.3, 3.0, 0.0], [2.0, 0.4, 4.0, 9.0]])


class Restart(StagingLost):
    """A restart that takes everything with it when it happens."""

    def __init__(self, fake):
        super().__init__("rebooted")
        self.forget = fake.forget


def test_long_probes_are_split_between_settings(bench):
    whole, split = bench(max_call_s=100.0), bench(max_call_s=0.35)  # one setting takes 0.1 + 6 · 0.01 s
    expected = whole.device.probe(0, SETTINGS, whole.stage())
    np.testing.assert_array_equal(split.device.probe(0, SETTINGS, split.stage()), expected)
    assert [len(call.values) for call in whole.log.calls] == [4]
    assert [len(call.values) for call in split.log.calls] == [2, 2]
    assert split.device.ledger.total == whole.device.ledger.total == Counts(4, 4, 24)


def test_no_call_of_a_probe_is_longer_than_allowed_when_even_one_setting_is_too_long(bench):
    whole, split = bench(max_call_s=100.0), bench(max_call_s=0.025)
    expected = whole.device.probe(1, SETTINGS, whole.stage())
    np.testing.assert_array_equal(split.device.probe(1, SETTINGS, split.stage()), expected)
    assert split.reached == ["write_parameters", *["read_outputs"] * 3] * 4
    assert {len(call.rows) for call in split.log.named("read_outputs")} == {2}
    assert split.device.ledger.total == whole.device.ledger.total == Counts(4, 4, 24)


def test_long_readings_are_split_between_rows(bench):
    whole, split = bench(max_call_s=100.0), bench(max_call_s=0.04)
    rows = np.array([5, 0, 0, 3, 1, 2, 4])
    for one in (whole, split):
        one.stage()
        one.device.write_parameters(0, SETTINGS[1])
    expected = whole.device.read_outputs(0, rows)
    np.testing.assert_array_equal(split.device.read_outputs(0, rows), expected)
    assert max(len(call.rows) for call in split.log.named("read_outputs")) == 4
    assert split.device.ledger.total == whole.device.ledger.total == Counts(1, 1, 7)


def test_a_device_without_latency_is_not_split(bench, describe):
    free = bench(timing={"write_s": 0.0, "shot_s": 0.0})
    free.device.probe(0, np.repeat(SETTINGS, 50, axis=0), free.stage())
    assert free.reached == ["probe"]


@pytest.mark.parametrize("call", ["read_outputs", "probe"])
def test_lost_staging_is_staged_again_and_the_call_repeated(bench, call):
    setup = bench()
    rows = setup.stage()
    for layer in (0, 1):
        setup.device.write_parameters(layer, SETTINGS[layer])
    expected = setup.fake.answer(0, rows)
    setup.log.calls = []
    setup.fake.faults.append(StagingLost("rebooted"))
    arguments = (0, rows) if call == "read_outputs" else (0, SETTINGS[:1], rows)
    np.testing.assert_array_equal(getattr(setup.device, call)(*arguments).reshape(6, 2), expected)
    writes = ["write_parameters"] * (2 if call == "read_outputs" else 1)  # a probe writes its own layer itself
    assert setup.reached == [call, "load_inputs", "load_inputs", *writes, call]
    assert {staged.layer for staged in setup.log.named("load_inputs")} == {0, 1}
    for layer in (0, 1):
        np.testing.assert_array_equal(setup.fake.setpoints[layer], SETTINGS[layer])
    assert setup.device.restarts == 1


def test_after_a_restart_in_the_middle_of_a_split_setting_the_whole_setting_is_measured_again(bench):
    whole, split = bench(max_call_s=100.0), bench(max_call_s=0.025)
    expected = whole.device.probe(0, SETTINGS[1:], whole.stage())
    rows = split.stage()
    split.device.write_parameters(0, SETTINGS[0])
    split.log.calls = []
    split.fake.faults.extend([None, None, None, None, Restart(split.fake)])  # at the second part of the second setting
    np.testing.assert_array_equal(split.device.probe(0, SETTINGS[1:], rows), expected)
    again = ["load_inputs", "load_inputs", "write_parameters"]
    setting = ["write_parameters", *["read_outputs"] * 3]
    assert split.reached == [*setting, *setting[:3], *again, *setting, *setting]
    np.testing.assert_array_equal(split.fake.setpoints[0], SETTINGS[3])
    # 3 settings, the part of the second that was read in vain, and two more writes of it
    assert split.device.ledger.total == Counts(1, 0, 0) + Counts(3 + 2, 3, 18 + 2)


@pytest.mark.parametrize("act", ["load_inputs", "write_parameters", "split probe"])
def test_whatever_finds_the_restart_is_done_again_after_everything_is_staged(bench, act):
    setup = bench(max_call_s=0.025)
    rows = setup.stage()
    for layer in (0, 1):
        setup.device.write_parameters(layer, SETTINGS[layer])
    setup.fake.forget()
    if act == "load_inputs":
        setup.fake.load_faults.append(StagingLost("rebooted"))
        setup.device.load_inputs(0, np.ones((6, 3)))
    else:
        setup.fake.write_faults.append(StagingLost("rebooted"))
        if act == "write_parameters":
            setup.device.write_parameters(0, SETTINGS[2])
        else:
            setup.device.probe(0, SETTINGS[2:3], rows)
    np.testing.assert_array_equal(setup.fake.setpoints[0], SETTINGS[0 if act == "load_inputs" else 2])
    np.testing.assert_array_equal(setup.fake.setpoints[1], SETTINGS[1])
    assert set(setup.fake.patterns) == {0, 1}
    assert setup.device.ledger.total.writes == len(setup.log.named("write_parameters")) - (act != "load_inputs")


def test_a_write_that_failed_on_shared_hardware_leaves_no_layer_standing(bench):
    setup = bench(shared_hardware=True)
    setup.stage()
    setup.device.write_parameters(0, SETTINGS[0])
    setup.fake.write_faults.append(StagingLost("rebooted"))
    setup.log.calls = []
    setup.device.write_parameters(1, SETTINGS[1])
    assert [call.layer for call in setup.log.named("write_parameters")] == [1, 1]


def test_every_instrument_of_a_rack_may_tell_of_the_same_restart(bench):
    setup = bench()
    rows = setup.stage()
    setup.device.write_parameters(0, SETTINGS[0])
    expected = setup.device.read_outputs(0, rows)
    setup.fake.forget()
    setup.fake.faults.append(StagingLost("the modulator rebooted"))
    setup.fake.write_faults.append(StagingLost("the heaters rebooted"))
    np.testing.assert_array_equal(setup.device.read_outputs(0, rows), expected)


def test_staging_that_is_lost_again_and_again_is_an_error(bench):
    setup = bench()
    rows = setup.stage()
    setup.fake.faults.extend([StagingLost("rebooted")] * 5 + [StagingLost("rebooted again")])
    with pytest.raises(StagingLost, match="again"):
        setup.device.read_outputs(0, rows)
    assert len(setup.log.named("read_outputs")) == 6


def test_nothing_is_read_before_everything_could_be_given_back(bench):
    setup = bench()
    rows = setup.stage()
    setup.device.write_parameters(0, SETTINGS[0])
    expected = setup.device.read_outputs(0, rows)
    setup.fake.faults.append(Restart(setup.fake))
    setup.fake.load_faults.append(LinkTimeout("still booting"))
    with pytest.raises(LinkTimeout):
        setup.device.read_outputs(0, rows)
    np.testing.assert_array_equal(setup.device.read_outputs(0, rows), expected)


def test_a_slew_limited_layer_that_restarted_is_parked_before_anything_else(bench, describe_layer):
    slow = tuple(group.model_copy(update={"slew_per_s": 1e3}) for group in describe_layer().groups)
    setup = bench(of_layer={"groups": slow})
    rows = setup.stage()
    setup.device.write_parameters(0, SETTINGS[0])
    setup.fake.reports = False
    setup.fake.write_faults.append(StagingLost("rebooted"))
    setup.log.calls = []
    for _ in range(2):
        with pytest.raises(StagingLost, match="slew limit and cannot be put back in one step"):
            setup.device.write_parameters(0, SETTINGS[1])
        with pytest.raises(StagingLost, match="slew limit and cannot be put back in one step"):
            setup.device.read_outputs(0, rows)
    assert setup.reached == ["write_parameters"]
    setup.device.park()
    setup.fake.patterns.clear()
    setup.device.write_parameters(0, SETTINGS[1])
    assert setup.device.read_outputs(0, rows).shape == (6, 2)


def test_a_driver_that_brings_setpoints_back_slowly_is_let_to(bench, describe_layer):
    slow = tuple(group.model_copy(update={"slew_per_s": 1e3}) for group in describe_layer().groups)
    setup = bench(of_layer={"groups": slow})
    rows = setup.stage()
    setup.device.write_parameters(0, SETTINGS[0])
    expected = setup.device.read_outputs(0, rows)
    lost = StagingLost("rebooted")
    lost.returns_slowly = True
    setup.fake.forget()
    setup.fake.faults.append(lost)
    np.testing.assert_array_equal(setup.device.read_outputs(0, rows), expected)


def test_patterns_changed_by_their_owner_are_checked_before_they_are_staged_again(bench):
    setup = bench()
    patterns = np.zeros((2, 3))
    setup.device.load_inputs(0, patterns)
    patterns[1, 2] = np.nan
    setup.log.calls = []
    setup.fake.faults.append(StagingLost("rebooted"))
    with pytest.raises(LimitViolation, match="pattern 1, input 2 is nan"):
        setup.device.read_outputs(0, np.array([0]))
    assert setup.reached == ["read_outputs"]


@pytest.mark.parametrize("shape", [(5, 2), (6, 3), (6,), (1, 6, 2)])
def test_a_reply_of_the_wrong_shape_is_refused(bench, shape):
    setup = bench()
    rows = setup.stage()
    setup.fake.faults.append(np.ones(shape))
    with pytest.raises(BadReply, match=r"fake, layer 1: outputs of shape .* instead of \(6, 2\)"):
        setup.device.read_outputs(1, rows)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_reply_that_is_not_finite_is_refused_wherever_it_stands(bench, value):
    setup = bench()
    rows = setup.stage()
    reply = np.ones((6, 2))
    reply[4, 1] = value
    setup.fake.faults.append(reply)
    with pytest.raises(BadReply, match="layer 0, output 1"):
        setup.device.read_outputs(0, rows)
    setup.fake.faults.extend([None, None, reply])
    with pytest.raises(BadReply, match="layer 0, output 1"):
        setup.device.probe(0, SETTINGS, rows)


def test_huge_but_finite_readings_are_no_bad_reply(bench):
    setup = bench()
    rows = setup.stage()
    setup.fake.faults.append(np.full((6, 2), 1e200))
    assert setup.device.read_outputs(0, rows).max() == 1e200


def test_a_dark_batch_is_told_from_a_dim_one(bench):
    setup = bench(of_layer={"detection_floor": 0.5})
    rows = setup.stage()
    dark = np.full((6, 2), 0.2)  # under half the floor: what noise alone gives, whatever its largest sample
    dark[3, 0] = 0.5
    dark[0, :] = 0.0
    for level in (0.26, -0.26):
        dim = np.full((6, 2), level)
        setup.fake.faults.append(dim)
        np.testing.assert_array_equal(setup.device.read_outputs(0, rows), dim)
    setup.fake.faults.append(dark)
    with pytest.raises(
        DarkBatch, match=r"fake, layer 0: the RMS of all 12 outputs is 0\.\d+ mm.*floor 0\.5.*check the source"
    ):
        setup.device.read_outputs(0, rows)
    setup.fake.faults.extend([dark, dark])
    with pytest.raises(DarkBatch):
        setup.device.probe(0, SETTINGS[:2], rows)


def test_what_a_dark_batch_cost_is_counted(bench):
    setup = bench(of_layer={"detection_floor": 0.5})
    rows = setup.stage()
    setup.fake.faults.extend([np.zeros((6, 2))] * 3)
    with pytest.raises(DarkBatch):
        setup.device.read_outputs(0, rows)
    with pytest.raises(DarkBatch):
        setup.device.probe(0, SETTINGS[:2], rows)
    assert setup.device.ledger.total == Counts(writes=2, readings=3, shots=18)


def test_outputs_at_full_scale_are_counted_as_saturated(bench):
    setup = bench(of_layer={"output_upper": 4.0})
    rows = setup.stage()
    reply = np.ones((6, 2))
    reply[0, 0], reply[1, 1], reply[2, 0] = 4.0, 5.0, 3.999
    setup.fake.faults.extend([reply, reply, None])
    setup.device.read_outputs(0, rows)
    assert setup.device.saturated == 2
    setup.device.probe(0, SETTINGS[:1] * 0.0, rows)
    assert setup.device.saturated == 4
    assert setup.device.saturated_at == {"layer 0, output 0", "layer 0, output 1"}


def test_an_interrupted_write_is_not_counted_as_done(bench):
    setup = bench()
    setup.fake.write_faults.append(LinkTimeout("no answer"))
    with pytest.raises(LinkTimeout):
        setup.device.write_parameters(0, SETTINGS[0])
    assert setup.device.ledger.total == Counts()


def test_queries_pass_through(bench):
    setup = bench()
    setup.device.write_parameters(1, SETTINGS[2])
    np.testing.assert_array_equal(setup.device.read_parameters(1), SETTINGS[2])
    assert setup.device.read_health() == {}
    assert setup.device.description is setup.fake.description
    assert setup.device.clock is setup.fake.clock


def test_closing_parks_first_and_only_once(bench):
    setup = bench()
    setup.device.close()
    setup.device.close()
    assert setup.reached == ["park", "close"]


def test_a_park_that_fails_still_closes_the_driver_and_is_reported(bench):
    setup = bench()
    setup.fake.park_fault = LinkTimeout("no answer to park")
    with pytest.raises(LinkTimeout, match="no answer to park"):
        setup.device.close()
    assert setup.reached == ["park", "close"]


def test_when_park_and_close_both_fail_the_park_is_the_error(bench):
    setup = bench()
    setup.fake.park_fault, setup.fake.close_fault = LinkTimeout("no answer to park"), OSError("port is gone")
    with pytest.raises(LinkTimeout, match="no answer to park") as caught:
        setup.device.close()
    assert caught.value.__notes__ == ["closing fake failed as well: port is gone"]


def test_leaving_the_block_closes_the_device(bench):
    setup = bench()
    with setup.device as device:
        device.write_parameters(0, SETTINGS[0])
    assert setup.reached == ["write_parameters", "park", "close"]
    assert not setup.fake.setpoints[0].any()


def test_the_block_never_hides_the_first_error(bench):
    setup = bench()
    setup.fake.park_fault = LinkTimeout("no answer to park")
    with pytest.raises(KeyError, match="first") as caught, setup.device:
        raise KeyError("first")
    assert caught.value.__notes__ == ["closing fake failed as well: no answer to park"]
    assert setup.reached == ["park", "close"]


def test_an_error_of_closing_alone_is_raised(bench):
    setup = bench()
    setup.fake.close_fault = OSError("port is gone")
    with pytest.raises(OSError, match="port is gone"), setup.device:
        pass


def test_a_shot_longer_than_a_call_is_read_pattern_by_pattern(bench):
    setup = bench(timing={"write_s": 0.0, "shot_s": 5.0})
    rows = setup.stage()
    setup.log.calls = []
    setup.device.read_outputs(0, rows)
    assert [len(call.rows) for call in setup.log.named("read_outputs")] == [1] * len(rows)
