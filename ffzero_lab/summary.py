"""Sums up a finished session: the result, the baselines beside it, what it cost."""

from typing import Any

from ffzero_lab.training import Session
from ffzero_lab.training.baselines import linear_baseline


def summarise(session: Session, wall_seconds: float) -> dict[str, Any]:
    """Return the content of ``summary.json``; raises ValueError when the session has not come to its end."""
    progress, trained = session.progress, session.trained
    if progress is None or trained is None:
        raise ValueError("only a session that ran to its end can be summed up")
    aim, wanted = session.network.aim, session.test_wanted
    own = [aim.score(layer, wanted) for layer in trained.similarity]
    total = session.device.ledger.total
    baselines = None
    if session.settings.baselines:
        baselines = {
            "untrained_device": None if progress.untrained is None else aim.scores(progress.untrained, wanted),
            **linear_baseline(session.dataset),
        }
    return {
        "device": session.device.description.name,
        "dataset": session.dataset.name,
        "rule": session.settings.rule,
        "seed": session.settings.seed,
        "readout": session.settings.readout,
        "layers": [
            {
                f"train_{aim.measure}": done.train_score,
                f"test_{aim.measure}": own_score,
                "loss": done.loss,
                "steps": done.steps,
                "stopped_by": done.stopped_by,
                "writes": counts.writes,
                "shots": counts.shots,
                "wrapped": done.wrapped,
                "projected": done.projected,
                "dark": done.dark,
                "epsilon": done.epsilon,
            }
            for (done, counts), own_score in zip(progress.layers, own, strict=True)
        ],
        f"test_{aim.measure}": aim.scores(trained.similarity, wanted),
        "baselines": baselines,
        "tap_power": list(progress.tap_power),
        "problems": list(progress.problems),
        "writes": total.writes,
        "readings": total.readings,
        "shots": total.shots,
        "counts": session.device.ledger.as_json(),
        "device_seconds": session.device_seconds,
        "wall_seconds": wall_seconds,
        "predicted_seconds": session.plan.seconds,
        "completed": True,
    }
