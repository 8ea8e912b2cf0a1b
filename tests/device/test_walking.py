"""A guard that walks: far settings are reached by near ones where actuators have a slew limit."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ffzero_lab.device import Guarded, LimitViolation, StagingLost, Walking

FAR = np.array([0.5, -0.4, 2.0, 9.0])
MOST = np.array([np.inf, np.inf, 0.3, 0.3])
"""Of each parameter in one write: 3 V/s for the 0.1 s that a write takes; the stiffnesses have no limit."""


@pytest.fixture
def walker(bench, describe_layer) -> Callable[..., Any]:
    stiffness, voltage = describe_layer().groups
    slow = (stiffness, voltage.model_copy(update={"slew_per_s": 3.0}))

    def build(guard: type[Guarded] = Walking, **changes: Any) -> Any:
        setup = bench(guard=guard, of_layer={"groups": slow}, **changes)
        setup.stage()
        return setup

    return build


def settings_of(setup: Any, layer: int = 0) -> np.ndarray:
    """Return every setting (K, P) that reached a layer, in order."""
    moving = [call for call in setup.log.calls if call.name in ("write_parameters", "probe") and call.layer == layer]
    return np.vstack([call.values for call in moving])


def steps_of(setup: Any, layer: int = 0) -> np.ndarray:
    return np.abs(np.diff(np.vstack([np.zeros(4), settings_of(setup, layer)]), axis=0))


def test_a_guard_that_does_not_walk_refuses(walker):
    setup = walker(Guarded)
    with pytest.raises(LimitViolation, match="moves too fast"):
        setup.device.write_parameters(0, FAR)
    assert setup.log.calls == []


def test_a_far_setting_is_reached_on_a_straight_line_of_allowed_steps(walker):
    setup = walker()
    setup.device.write_parameters(0, FAR)
    assert (steps_of(setup) <= MOST).all()
    settings = settings_of(setup)
    np.testing.assert_allclose(settings, np.outer(np.arange(1, len(settings) + 1) / len(settings), FAR))
    np.testing.assert_array_equal(settings[-1], FAR)
    assert len(settings) == 31  # 9 V by less than 0.3 V
    assert setup.device.ledger.total.writes == 31
    assert setup.fake.clock.now_s() == pytest.approx(3.1)


def test_near_settings_are_one_exchange_as_before(walker):
    setup = walker()
    near = np.array([[0.5, 0.5, 0.2, 0.2], [0.1, 0.9, 0.0, 0.4]])
    setup.device.probe(0, near, np.arange(6))
    assert setup.reached == ["probe"]


def test_each_far_setting_of_a_probe_is_walked_to_and_measured(walker):
    setup = walker()
    settings = np.array([FAR, 0.5 * FAR, FAR])
    measured = setup.device.probe(0, settings, np.arange(6))
    assert (steps_of(setup) <= MOST).all()
    for setting, outputs in zip(settings, measured, strict=True):
        setup.fake.setpoints[0] = setting
        np.testing.assert_array_equal(outputs, setup.fake.answer(0, np.arange(6)))
    assert setup.device.ledger.total.readings == 3


@pytest.mark.parametrize("wrong", [np.nan, 10.1])
def test_nothing_moves_towards_a_setting_that_will_be_refused(walker, wrong):
    setup = walker()
    with pytest.raises(LimitViolation):
        setup.device.write_parameters(0, np.array([0.0, 0.0, 1.0, wrong]))
    with pytest.raises(LimitViolation):
        setup.device.probe(0, np.array([FAR, [0.0, 0.0, 1.0, wrong]]), np.arange(6))
    assert setup.reached == []


def test_a_budget_that_a_setting_exceeds_is_told_before_anything_moves(walker):
    setup = walker(power_budget_w=30.0)
    with pytest.raises(LimitViolation, match="budget"):
        setup.device.write_parameters(0, FAR)
    assert "write_parameters" not in setup.reached


def test_between_two_steps_of_a_fast_link_the_time_of_a_write_passes(walker):
    setup = walker()
    reached_s: list[float] = []

    def at_once(layer: int, values: np.ndarray) -> None:
        setup.fake.setpoints[layer] = values.copy()
        reached_s.append(setup.fake.clock.now_s())

    setup.fake.write_parameters = at_once
    setup.device.write_parameters(0, FAR)
    assert np.diff(reached_s) == pytest.approx(0.1)


def test_a_signal_or_an_interlock_ends_a_walk_at_any_step(walker):
    setup = walker()

    def after_ten() -> None:
        if len(setup.log.named("write_parameters")) == 10:
            raise KeyboardInterrupt

    setup.device.before_exchange = after_ten
    with pytest.raises(KeyboardInterrupt):
        setup.device.write_parameters(0, FAR)
    assert len(settings_of(setup)) == 10


def test_a_driver_that_does_not_report_is_parked_first_and_walked_from_there(walker):
    setup = walker()
    setup.fake.reports = False
    setup.fake.setpoints[0] = np.full(4, 1.9)
    setup.device.write_parameters(0, FAR)
    assert setup.reached[0] == "park"
    assert (steps_of(setup) <= MOST).all()
    setup.device.park()
    setup.log.calls = []
    setup.device.write_parameters(1, FAR)  # parked just now: that is known
    assert "park" not in setup.reached
    assert (steps_of(setup, 1) <= MOST).all()


def test_where_one_layer_stands_and_another_one_is_unknown_nothing_moves_until_it_is_parked(walker):
    setup = walker()
    setup.device.write_parameters(0, FAR)
    setup.fake.reports = False
    setup.log.calls = []
    for _ in range(2):
        with pytest.raises(StagingLost, match="park, then resume"):
            setup.device.write_parameters(1, FAR)
    assert "write_parameters" not in setup.reached
    setup.device.park()
    setup.device.write_parameters(1, FAR)
    np.testing.assert_array_equal(setup.fake.setpoints[1], FAR)


def test_layers_on_the_same_actuators_are_walked_from_one_to_the_other(walker):
    setup = walker(shared_hardware=True)
    setup.fake.reports = False
    setup.device.park()
    setup.device.write_parameters(0, FAR)
    setup.log.calls = []
    setup.device.write_parameters(1, np.zeros(4))
    steps = np.abs(np.diff(np.vstack([FAR, settings_of(setup, 1)]), axis=0))
    assert len(steps) == 31
    assert (steps <= MOST).all()


def test_a_restart_on_the_way_is_parked_and_then_walked_anew(walker):
    setup = walker()
    setup.fake.write_faults.extend([None, None, StagingLost("rebooted")])
    with pytest.raises(StagingLost, match="park, then resume"):
        setup.device.write_parameters(0, FAR)
    setup.device.park()
    setup.fake.forget()
    setup.log.calls = []
    setup.device.write_parameters(0, FAR)
    assert (steps_of(setup) <= MOST).all()


def test_a_limit_for_writes_that_take_no_time_is_told_as_what_it_is(walker):
    setup = walker(timing={"write_s": 0.0, "shot_s": 0.0})
    with pytest.raises(LimitViolation, match="moves too fast"):
        setup.device.write_parameters(0, FAR)
