"""Phases go on drifting while a calibration is interrupted behind them, and their uncertainties say so."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from calibration import runner as runner_module
from calibration.journal import Journal
from calibration.procedure import Bench, Outcome
from calibration.runner import Runner
from ffzero_lab.device import Counts, Guarded, WallClock
from ffzero_lab.device.record import Quantity
from ffzero_lab.opening import open_device


class Phases:
    name = "offsets"
    needs: tuple[str, ...] = ()

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
    bench.device.load_inputs(0, np.ones((1, 4)))
    bench.device.write_parameters(0, np.zeros(16))
    return {"z": bench.device.read_outputs(0, np.zeros(1, dtype=np.intp))}


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
