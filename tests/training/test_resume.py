"""A session that is stopped anywhere goes on exactly: checked to the bit against the same session undisturbed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ffzero_lab import open_device
from ffzero_lab.conduct import Conductor
from ffzero_lab.datasets import Dataset
from ffzero_lab.device import Guarded
from ffzero_lab.runs import Checkpoint, RunReader, RunWriter
from ffzero_lab.signals import Interruption, Signals
from ffzero_lab.summary import summarise
from ffzero_lab.training import Event, Network, Session, TrainSettings
from ffzero_lab.training.progress import named_under, under

MANIFEST = {"run_id": "r1", "versions": {}}
CROSSBAR = {"sizes": (5, 6, 6), "activation": "none"}
IDEAL_CASCADE = {"topology": "cascaded", "preset": "ideal"}

CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "adam": ({}, {}),
    "momentum, K=2, abba, validation": (
        {},
        {"optimizer": "momentum", "directions_per_step": 2, "readings": "abba", "validation": 0.25, "check_every": 2},
    ),
    "sgd, patience": (
        {},
        {"optimizer": "sgd", "learning_rate": 1e-9, "validation": 0.25, "check_every": 1, "patience": 2, "steps": 9},
    ),
    "best parameters are not the last": (
        {},
        {"learning_rate": 0.5, "validation": 0.25, "check_every": 2, "schedule": "constant", "steps": 6},
    ),
    "orthogonal": ({"ports": 8}, {"directions": "orthogonal", "directions_per_step": 2}),
    "coordinate, total slopes, margin": (
        {},
        {"directions": "coordinate", "slopes": "total", "loss": "margin", "accumulate": False},
    ),
    "group, fed again": ({}, {"readings": "group", "directions_per_step": 3, "feed": "input"}),
    "a start of one's own": ({}, {"start": {"theta": [6.0, 6.5]}}),
    "group, total": ({}, {"readings": "group", "directions_per_step": 3, "slopes": "total"}),
    "gaussian, cosine, no baselines": ({}, {"directions": "gaussian", "loss": "cosine", "baselines": False}),
    "weights along axes": (CROSSBAR, {"subspace": 3, "directions_per_step": 2, "optimizer": "normalised"}),
    "budget": ({}, {"budget": 0.06, "steps": 1000}),
    "saturated detectors": ({"detectors": {"full_scale": 0.25}}, {}),
    "strong noise": ({"detectors": {"thermal_noise": 0.02}}, {}),
    "cascade": (IDEAL_CASCADE, {"validation": 0.25, "check_every": 2}),
    "cascade of three, noisy": (
        {**IDEAL_CASCADE, "layers": 3, "detectors": {"thermal_noise": 1e-4}, "activation": {"bias_rad": 1.0}},
        {"steps": 3},
    ),
}


def clusters() -> Dataset:
    rng = np.random.default_rng(1)
    centres = rng.uniform(0.2, 0.8, (3, 5))
    labels = np.repeat(np.arange(3), 16)
    inputs = np.clip(centres[labels] + 0.1 * rng.standard_normal((len(labels), 5)), 0.0, 1.0)
    test = np.arange(len(labels)) % 4 == 0
    return Dataset("clusters", inputs[~test], labels[~test], inputs[test], labels[test], ("a", "b", "c"))


def fresh_session(case: str) -> Session:
    options, settings = CASES[case]
    device = (
        open_device("twin:crossbar", **options) if "sizes" in options else open_device("twin", **{"ports": 6} | options)
    )
    return Session(device, clusters(), TrainSettings(**({"steps": 4, "batch": 16} | settings)))


def keep(run: RunWriter, session: Session) -> Checkpoint:
    """Send the session's state through a checkpoint file and back."""
    state = session.state()
    assert state is not None
    arrays, plain = state
    run.checkpoint({**session.network.to_arrays(), **named_under("state", arrays)}, {"session": plain}, 0)
    return RunReader(run.path).checkpoint()


def taken_up(case: str, checkpoint: Checkpoint) -> Session:
    session = fresh_session(case)
    session.restore(
        Network.from_arrays(checkpoint.arrays), under("state", checkpoint.arrays), checkpoint.plain["session"]
    )
    return session


def result(session: Session) -> dict[str, Any]:
    """Everything that a session leaves behind, arrays as bytes."""
    assert session.progress is not None
    assert session.trained is not None
    snapshot = session.device.snapshot()
    assert snapshot is not None
    progress, _ = session.progress.to_state(measured=True)
    arrays = {**session.network.to_arrays(), **progress, **snapshot, "measured": session.trained.similarity}
    return {
        **{name: (values.dtype, values.shape, values.tobytes()) for name, values in arrays.items()},
        "summary": summarise(session, 0.0),
        "problems": session.progress.problems,
    }


@pytest.mark.parametrize("case", CASES)
def test_a_session_stopped_at_any_moment_goes_on_to_the_same_bits(case: str, tmp_path: Path) -> None:
    session = fresh_session(case)
    moments: list[tuple[Event, ...]] = []
    checkpoints: list[Checkpoint | None] = []
    with RunWriter.create(tmp_path / "run", MANIFEST) as run:
        for moment in session.run():
            moments.append(moment)
            checkpoints.append(None if session.state() is None else keep(run, session))
    assert [number for number, checkpoint in enumerate(checkpoints) if checkpoint is None] == [0, len(moments) - 1]
    assert len(moments) > 8
    expected = result(session)
    some = slice(1 + list(CASES).index(case) % 3, None, 3)  # every moment of some case; all of one case below
    for number, checkpoint in list(enumerate(checkpoints))[some]:
        if checkpoint is not None:
            again = taken_up(case, checkpoint)
            assert list(again.run()) == moments[number + 1 :]
            assert result(again) == expected


@pytest.mark.parametrize("case", ["adam", "momentum, K=2, abba, validation", "cascade of three, noisy"])
def test_a_session_taken_up_anew_at_every_single_moment_ends_the_same(case: str, tmp_path: Path) -> None:
    undisturbed = fresh_session(case)
    expected_events = [event for moment in undisturbed.run() for event in moment]
    session, events = fresh_session(case), []
    with RunWriter.create(tmp_path / "run", MANIFEST) as run:
        going = session.run()
        while (moment := next(going, None)) is not None:
            events += moment
            assert len(events) <= len(expected_events)
            if session.state() is not None:
                session = taken_up(case, keep(run, session))
                going = session.run()
    assert events == expected_events
    assert result(session) == result(undisturbed)


def test_the_cases_reach_what_they_are_named_for() -> None:
    ended = {case: fresh_session(case) for case in CASES}
    summaries = {}
    for case, session in ended.items():
        list(session.run())
        summaries[case] = summarise(session, 0.0)
    stops = {case: [layer["stopped_by"] for layer in summary["layers"]] for case, summary in summaries.items()}
    assert stops["sgd, patience"] == ["patience", "patience"]
    assert stops["budget"] == ["budget", "budget"]
    assert stops["adam"] == ["steps", "steps"]
    assert ended["saturated detectors"].device.saturated > 0
    assert sum(layer["wrapped"] for layer in summaries["best parameters are not the last"]["layers"]) > 0


class StopAt(Signals):
    """Signals of which the first comes in before a given exchange with the device."""

    def __init__(self, exchange: int | None) -> None:
        super().__init__()
        self.exchange, self.exchanges = exchange, 0

    def heed(self) -> None:
        self.exchanges += 1
        if self.exchanges == self.exchange:
            raise Interruption("stopped by the test", 130)


def conduct(session: Session, run: RunWriter, exchange: int | None = None, every_s: float = 1e9) -> StopAt:
    signals = StopAt(exchange)
    Conductor(session, run, lambda _: None, signals, lambda: None, every_s).conduct()
    return signals


def left_behind(folder: Path) -> dict[str, Any]:
    """What a complete run left in its folder, without wall-clock fields."""
    reader = RunReader(folder)
    checkpoint, summary = reader.checkpoint(), reader.summary
    assert summary is not None
    return {
        "arrays": {name: values.tobytes() for name, values in checkpoint.arrays.items()},
        "session": checkpoint.plain["session"],
        "summary": {**summary, "wall_seconds": None},
        "metrics": [{**row, "wall_seconds": None} for row in reader.metrics()],
    }


@pytest.mark.parametrize("case", ["momentum, K=2, abba, validation", "cascade"])
@pytest.mark.parametrize("every_s", [1e-9, 1e9], ids=["always saved", "saved at the end of a layer"])
def test_a_run_stopped_before_any_exchange_with_the_device_is_resumed_to_the_same_folder(
    case: str, every_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)  # what survives a power failure is not asked here
    with RunWriter.create(tmp_path / "undisturbed", MANIFEST) as run:
        n_exchanges = conduct(fresh_session(case), run).exchanges
    expected = left_behind(tmp_path / "undisturbed")
    assert n_exchanges > 20
    for exchange in range(1, n_exchanges + 1, 3 if every_s > 1.0 else 5):
        folder = tmp_path / f"stopped{exchange}"
        stopped = fresh_session(case)
        with RunWriter.create(folder, MANIFEST) as run, pytest.raises(Interruption):
            conduct(stopped, run, exchange, every_s)
        assert_parked(stopped.device)
        acknowledged = [{**row, "wall_seconds": None} for row in RunReader(folder).metrics()]
        checkpoint, _ = RunReader(folder).newest_checkpoint()
        session = fresh_session(case) if checkpoint is None else taken_up(case, checkpoint)
        with RunWriter.reopen(folder, MANIFEST, 0 if checkpoint is None else checkpoint.metrics_bytes) as run:
            conduct(session, run, every_s=every_s)
        assert left_behind(folder) == expected
        superseded = folder / "metrics.superseded.jsonl"
        kept = superseded.read_text().splitlines() if superseded.exists() else []
        standing = expected["metrics"] + [{**json.loads(row), "wall_seconds": None} for row in kept]
        assert all(row in standing for row in acknowledged)


def assert_parked(device: Guarded) -> None:
    for layer in range(len(device.description.layers)):
        setpoints = device.read_parameters(layer)
        assert setpoints is not None
        assert not setpoints.any()


def test_a_failure_after_the_last_measurement_does_not_measure_it_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RunWriter.create(tmp_path / "undisturbed", MANIFEST) as run:
        conduct(fresh_session("saturated detectors"), run)
    folder = tmp_path / "run"
    full: Callable[..., None] = lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))  # noqa: E731
    with monkeypatch.context() as patch, RunWriter.create(folder, MANIFEST) as run:
        patch.setattr(RunWriter, "complete", full)
        with pytest.raises(OSError, match="No space left"):
            conduct(fresh_session("saturated detectors"), run, every_s=1e-9)
    checkpoint = RunReader(folder).checkpoint()
    with RunWriter.reopen(folder, MANIFEST, checkpoint.metrics_bytes) as run:
        conduct(taken_up("saturated detectors", checkpoint), run)
    assert left_behind(folder) == left_behind(tmp_path / "undisturbed")
