"""Phases go on drifting behind their measurement, also while a calibration is interrupted: uncertainties say so."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from calibration import runner as runner_module
from calibration.calibrating import Measured, record_of
from calibration.journal import Journal
from calibration.photonic import contexts
from calibration.procedure import Bench, Outcome
from calibration.runner import Runner
from ffzero_lab.device import Counts, Guarded, WallClock
from ffzero_lab.device.record import Quantity
from ffzero_lab.opening import open_device


class Phases:
    name = "offsets"
    needs: tuple[str, ...] = ()
    finds: tuple[str, ...] = ()
    waits_s = 0.0

    def suits(self, bench: Bench) -> str:
        del bench
        return ""

    def predicted(self, bench: Bench) -> Counts:
        del bench
        return Counts()

    def run(self, bench: Bench) -> Outcome:
        bench.kept("part", lambda: read_once(bench))
        return Outcome({"phase": Quantity.of("rad", "parameter", np.zeros(16), np.where(np.arange(16) < 12, 1e-4, 0))})


class Walk(Phases):
    name = "drift"

    def run(self, bench: Bench) -> Outcome:
        del bench
        return Outcome({"phase_walk": Quantity.of("rad/√h", "layer", 0.03, 0.01)})


class After(Phases):
    name = "after"

    def __init__(self, fails: bool) -> None:
        self.fails = fails

    def run(self, bench: Bench) -> Outcome:
        if self.fails:
            raise KeyboardInterrupt
        return Outcome()


def read_once(bench: Bench) -> dict[str, np.ndarray]:
    bench.device.load_inputs(bench.layer, np.ones((1, 4)))
    bench.device.write_parameters(bench.layer, np.zeros(16))
    return {"z": bench.device.read_outputs(bench.layer, np.zeros(1, dtype=np.intp))}


def bench(monkeypatch: pytest.MonkeyPatch) -> Guarded:
    """A device without exact state, as a real one."""
    device = open_device("twin:photonic", ports=4, layers=1, drive="volts", realtime=True)
    monkeypatch.setattr(device, "snapshot", lambda: None)
    assert isinstance(device.clock, WallClock)
    return device


@pytest.fixture
def an_hour_later(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def pass_it() -> None:
        now = runner_module.time.time
        monkeypatch.setattr(runner_module.time, "time", lambda: now() + 3600.0)

    return pass_it


def test_an_hour_between_the_phases_and_going_on_is_in_their_uncertainties(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, an_hour_later: Callable[[], None]
) -> None:
    spreads: list[np.ndarray] = []
    for pause in (False, True):
        folder = tmp_path / str(pause)
        with bench(monkeypatch) as device:
            procedures = (Walk(), Phases(), After(fails=True))
            interrupted = Runner(device, procedures, Journal.create(folder, {}), 0, lambda _: None)
            with pytest.raises(KeyboardInterrupt):
                interrupted.run()
        if pause:
            an_hour_later()
        with bench(monkeypatch) as device:
            procedures = (Walk(), Phases(), After(fails=False))
            (layer,), _ = Runner(device, procedures, Journal(folder), 0, lambda _: None).run()
        spreads.append(layer.quantities["offsets.phase"].spread)
    assert spreads[0][:12].max() < 0.003
    assert spreads[1][:6] == pytest.approx(0.03, rel=0.01)
    assert not spreads[1][12:].any()


HOURS = 168.0


class Stepwise(Phases):
    """Parts after the phases, of which one interrupts."""

    name = "after"

    def __init__(self, until: int) -> None:
        self.until = until

    def run(self, bench: Bench) -> Outcome:
        for number in range(3):
            if number == self.until:
                raise KeyboardInterrupt
            bench.kept(f"part {number}", lambda: read_once(bench))
        return Outcome()


class InTwoParts(Phases):
    """Phases whose measurement is interrupted in the middle."""

    def __init__(self, until: int) -> None:
        self.until = until

    def run(self, bench: Bench) -> Outcome:
        bench.kept("first", lambda: read_once(bench))
        if self.until == 1:
            raise KeyboardInterrupt
        return super().run(bench)


def sessions(
    monkeypatch: pytest.MonkeyPatch, folder: Path, procedures: Callable[[int], tuple[Phases, ...]], *pauses_h: float
) -> Runner:
    """Interrupt a calibration so often, go on after so many hours each, and return the runner that came to its end."""
    now, later = runner_module.time.time, [0.0]
    monkeypatch.setattr(runner_module.time, "time", lambda: now() + later[0])
    Journal.create(folder, {})
    for number, pause_h in enumerate(pauses_h, start=1):
        with bench(monkeypatch) as device, pytest.raises(KeyboardInterrupt):
            Runner(device, procedures(number), Journal(folder), 0, lambda _: None).run()
        later[0] += 3600.0 * pause_h
    with bench(monkeypatch) as device:
        runner = Runner(device, procedures(99), Journal(folder), 0, lambda _: None)
        record = record_of(
            runner, Measured(*runner.run(), {}), begun=datetime.now(UTC), valid_for_s=86400.0, planned=runner.plan()
        )
    runner.record = record  # type: ignore[attr-defined]
    return runner


def spread_of(runner: Runner) -> np.ndarray:
    return runner.record.layers[0].quantities["offsets.phase"].spread  # type: ignore[attr-defined]


@pytest.mark.parametrize("pauses_h", [(HOURS, 0.0), (0.0, HOURS), (HOURS / 2, HOURS / 2)])
def test_time_between_several_interruptions_is_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses_h: tuple[float, ...]
) -> None:
    after = sessions(monkeypatch, tmp_path / "a", lambda n: (Walk(), Phases(), Stepwise(n)), *pauses_h)
    assert spread_of(after)[:6] == pytest.approx(0.03 * np.sqrt(HOURS), rel=0.01)


def test_time_before_the_phases_were_measured_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sessions(monkeypatch, tmp_path / "a", lambda n: (Walk(), Stepwise(n), Phases()), HOURS, HOURS)
    assert spread_of(before)[:6].max() < 0.003


def test_phases_that_were_interrupted_in_the_middle_are_as_old_as_their_first_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    within = sessions(monkeypatch, tmp_path / "a", lambda n: (Walk(), InTwoParts(n)), HOURS)
    assert spread_of(within)[:6] == pytest.approx(0.03 * np.sqrt(HOURS), rel=0.01)


@pytest.mark.parametrize(("pauses_h", "told"), [((1.0, 1.0), 0), ((20.0, 20.0), 1)])
def test_a_record_of_parts_that_are_older_than_it_is_valid_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses_h: tuple[float, ...], told: int
) -> None:
    after = sessions(monkeypatch, tmp_path / "a", lambda n: (Phases(), Stepwise(n)), *pauses_h)
    findings = after.record.findings  # type: ignore[attr-defined]
    assert [each.severity for each in findings] == ["warning"] * told
    assert all("40 h before its end" in each.what and "valid for 24 h" in each.what for each in findings)


class Hour(Phases):
    """Takes an hour of the second layer."""

    name = "after"

    def suits(self, bench: Bench) -> str:
        return "" if bench.layer == 1 else "not here"

    def run(self, bench: Bench) -> Outcome:
        bench.kept("hour", lambda: {"waited": np.array(contexts.wait(bench, 3600.0) is None)})
        return Outcome()


def test_phases_of_the_first_layer_drift_while_the_second_one_is_measured() -> None:
    with open_device("twin:photonic", ports=4, layers=2, drive="volts", seed=1) as device:
        layers, _ = Runner(device, (Walk(), Phases(), Hour()), Journal(), 0, lambda _: None).run()
    for layer in layers:
        assert layer.quantities["offsets.phase"].spread[:6] == pytest.approx(0.03, rel=0.01)
