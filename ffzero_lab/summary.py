"""Sums up a finished session: the result, the baselines beside it, what it cost."""

from typing import Any

from ffzero_lab.rule.readout import accuracies
from ffzero_lab.training import Session
from ffzero_lab.training.baselines import linear_classifier_accuracy


def summarise(session: Session, wall_seconds: float) -> dict[str, Any]:
    """Return the content of ``summary.json``; raises ValueError when the session has not come to its end."""
    progress, trained = session.progress, session.trained
    if progress is None or trained is None:
        raise ValueError("only a session that ran to its end can be summed up")
    labels = session.dataset.test_labels
    own = [float((layer.argmax(axis=1) == labels).mean()) for layer in trained.similarity]
    total = session.device.ledger.total
    baselines = None
    if session.settings.baselines:
        baselines = {
            "untrained_device": None if progress.untrained is None else accuracies(progress.untrained, labels),
            "linear_classifier": linear_classifier_accuracy(session.dataset),
        }
    return {
        "device": session.device.description.name,
        "dataset": session.dataset.name,
        "rule": session.settings.rule,
        "seed": session.settings.seed,
        "readout": session.settings.readout,
        "layers": [
            {
                "train_accuracy": done.train_accuracy,
                "test_accuracy": own_accuracy,
                "loss": done.loss,
                "steps": done.steps,
                "stopped_by": done.stopped_by,
                "writes": counts.writes,
                "shots": counts.shots,
                "wrapped": done.wrapped,
                "projected": done.projected,
                "dark": done.dark,
            }
            for (done, counts), own_accuracy in zip(progress.layers, own, strict=True)
        ],
        "test_accuracy": accuracies(trained.similarity, labels),
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
