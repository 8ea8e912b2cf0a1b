"""Conducts one run: drives the session, writes down what it tells, and sums up."""

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from ffzero_lab._version import __version__
from ffzero_lab.device import Guarded
from ffzero_lab.rule.readout import accuracies
from ffzero_lab.runs import RunWriter
from ffzero_lab.training import Event, LayerDone, Measured, Problem, Session, StepDone, TapPower, as_row
from ffzero_lab.training.baselines import linear_classifier_accuracy

MANIFEST_FORMAT = 1


def describe_run(session: Session, device_name: str, device_options: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the manifest: everything needed to say what a run was and to run it again."""
    return {
        "format": MANIFEST_FORMAT,
        "name": name,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "versions": {
            "ffzero_lab": __version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            "kernel": session.device.description.implementation,
        },
        "device": {
            "name": device_name,
            "options": dict(device_options),
            "description": session.device.description.model_dump(mode="json"),
        },
        "settings": session.settings.model_dump(mode="json"),
        "dataset": {
            "name": session.dataset.name,
            "fingerprint": session.dataset.fingerprint,
            "classes": list(session.dataset.classes),
            "train": len(session.dataset.train_labels),
            "test": len(session.dataset.test_labels),
            "features": session.dataset.n_features,
        },
        "calibration": None,
        "plan": {
            "steps": session.plan.steps,
            "batch": session.plan.batch,
            "counts": {purpose: asdict(counts) for purpose, counts in session.plan.counts.items()},
            "seconds": session.plan.seconds,
        },
    }


def conduct(session: Session, run: RunWriter, show: Callable[[Event], None]) -> dict[str, Any]:
    """Run *session* to its end, keep everything in *run*, and return the summary.

    Raises whatever the device or the disk raises; the metrics up to there are kept.
    """
    device, settings = session.device, session.settings
    began_s, began_device_s = time.perf_counter(), device.clock.now_s()
    problems: list[str] = []
    taps: list[float | None] = []
    for event in session.run():
        show(event)
        if isinstance(event, StepDone) and event.step % settings.log_every and event.step != event.steps:
            continue
        total = device.ledger.total
        run.append(
            {
                **as_row(event),
                "writes": total.writes,
                "readings": total.readings,
                "shots": total.shots,
                "device_seconds": device.clock.now_s() - began_device_s,
                "wall_seconds": round(time.perf_counter() - began_s, 3),
            }
        )
        if isinstance(event, LayerDone):
            run.checkpoint(session.network.to_arrays())
        elif isinstance(event, Problem):
            problems.append(event.message)
        elif isinstance(event, TapPower):
            taps.append(event.mean)
    device_seconds = device.clock.now_s() - began_device_s
    summary = _summarise(session, device, problems, taps, device_seconds)
    summary["wall_seconds"] = time.perf_counter() - began_s
    run.complete(summary)
    return summary


def _summarise(
    session: Session, device: Guarded, problems: list[str], taps: list[float | None], device_seconds: float
) -> dict[str, Any]:
    labels = session.dataset.test_labels
    assert session.trained is not None  # noqa: S101 - the session ran to its end
    accuracy = accuracies(session.trained.similarity, labels)
    own = [float((layer.argmax(axis=1) == labels).mean()) for layer in session.trained.similarity]
    total = device.ledger.total
    return {
        "device": device.description.name,
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
            for done, own_accuracy, counts in zip(session.layers, own, session.layer_counts, strict=True)
        ],
        "test_accuracy": accuracy,
        "baselines": _baselines(session, session.untrained),
        "tap_power": taps,
        "problems": problems,
        "writes": total.writes,
        "readings": total.readings,
        "shots": total.shots,
        "counts": device.ledger.as_json(),
        "device_seconds": device_seconds,
        "predicted_seconds": session.plan.seconds,
        "completed": True,
    }


def _baselines(session: Session, untrained: Measured | None) -> dict[str, Any] | None:
    if untrained is None:
        return None
    return {
        "untrained_device": accuracies(untrained.similarity, session.dataset.test_labels),
        "linear_classifier": linear_classifier_accuracy(session.dataset),
    }
