"""The guard's own work: splitting long calls, staging again, judging replies, counting, closing."""

import numpy as np
import pytest

from ffzero_lab.device import BadReply, Counts, DarkBatch, LimitViolation, LinkTimeout, StagingLost

SETTINGS = np.array([[0.5, 0.1, 1.0, 2.0], [1.0, 0.2, 2.0, 1.0], [1.5, 0.3, 3.0, 0.0], [2.0, 0.4, 4.0, 9.0]])


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
def test_lost_staging_is_staged_again_once_and_the_call_repeated(bench, call):
    setup = bench()
    rows = setup.stage()
    setup.device.write_parameters(0, SETTINGS[0])
    expected = setup.fake.answer(0, rows)
    setup.log.calls = []
    setup.fake.faults.append(StagingLost("rebooted"))
    arguments = (0, rows) if call == "read_outputs" else (0, SETTINGS[:1], rows)
    np.testing.assert_array_equal(getattr(setup.device, call)(*arguments).reshape(6, 2), expected)
    assert setup.reached == [call, "load_inputs", "load_inputs", "write_parameters", call]
    np.testing.assert_array_equal(setup.log.named("write_parameters")[0].values, SETTINGS[0])
    assert {staged.layer for staged in setup.log.named("load_inputs")} == {0, 1}


def test_a_restart_noticed_at_a_write_is_staged_again_and_the_write_repeated(bench):
    setup = bench()
    setup.stage()
    setup.device.write_parameters(0, SETTINGS[0])
    setup.log.calls = []
    setup.fake.write_faults.append(StagingLost("rebooted"))
    setup.device.write_parameters(0, SETTINGS[1])
    assert setup.reached == ["write_parameters", "load_inputs", "load_inputs", "write_parameters", "write_parameters"]
    np.testing.assert_array_equal(setup.log.named("write_parameters")[1].values, SETTINGS[0])
    np.testing.assert_array_equal(setup.fake.setpoints[0], SETTINGS[1])


def test_staging_lost_twice_is_an_error(bench):
    setup = bench()
    rows = setup.stage()
    setup.fake.faults.extend([StagingLost("rebooted"), StagingLost("rebooted again")])
    with pytest.raises(StagingLost, match="again"):
        setup.device.read_outputs(0, rows)


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
