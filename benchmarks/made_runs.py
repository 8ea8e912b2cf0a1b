"""Run folders made in moments, as a training run writes them: for the live view's tests and its benchmark."""

import json
import os
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from drivers.twin.photonic import PhotonicTwin
from ffzero_lab.runs import RunWriter
from ffzero_lab.runs.layout import METRICS

VERSIONS = {"ffzero_lab": "0", "numpy": "0", "python": "0", "kernel": "0"}
STEPS = 1000
LAYERS = 2


@cache
def description(ports: int = 8) -> dict[str, Any]:
    """Return the description of a small chip as a manifest holds it."""
    twin = PhotonicTwin.open(PhotonicTwin.Config.model_validate({"ports": ports, "layers": LAYERS, "kernel": "numpy"}))
    return twin.description.model_dump(mode="json")


def manifest(name: str, **more: Any) -> dict[str, Any]:
    """Return the manifest of a run."""
    return {
        "format": 1,
        "run_id": name,
        "name": name,
        "started": "2026-01-31T14:25:00+0000",
        "versions": VERSIONS,
        "device": {"name": "twin:photonic", "options": {}, "description": description()},
        "settings": {"dataset": "digits", "seed": 0, "readout": "sum", "rule": "ffzero"},
        "interlocks": {"heat_0": {"lower": None, "upper": 5.0, "debounce": 1}},
        "dataset": {"name": "digits", "task": "classification", "train": 1437, "test": 360},
        "calibration": None,
        "plan": {"steps": STEPS, "seconds": 60.0},
        **more,
    }


def step_row(number: int, *, loss: float | None = None) -> dict[str, Any]:
    """Return the row of the step of that number, counted from 1 over all layers."""
    layer, step = divmod(number - 1, STEPS)
    return {
        "event": "step",
        "layer": layer,
        "step": step + 1,
        "steps": STEPS,
        "loss": 2.0 * np.exp(-number / STEPS) + 0.1 * np.sin(number) if loss is None else loss,
        "score": min(0.95, 0.3 + number / (3 * STEPS)),
        "slope_rms": 1.0 + 0.5 * np.cos(number),
        "cosine": None,
        "writes": number,
        "readings": 2 * number,
        "shots": 512 * number,
        "device_seconds": 0.02 * number,
        "wall_seconds": 0.03 * number,
    }


def status(state: str, number: int = 0, **more: Any) -> dict[str, Any]:
    """Return a status that this very process would tell."""
    return {
        "state": state,
        "pid": os.getpid(),
        "updated": "2026-01-31T14:25:00+0000",
        "steps": STEPS,
        "layers": LAYERS,
        "last_event": step_row(number) if number else None,
        "device_seconds": 0.02 * number,
        "predicted_seconds": 60.0,
        "health": {"at_s": time.time(), "readings": {"heat_0": 1.25, "heat_1": 1.5, "laser": 1.0}},
        "links": {"source": {"exchanges": 40, "retries": 1, "recoveries": 0, "latency_s": 2e-4, "slowest_s": 0.01}},
        **more,
    }


def summary() -> dict[str, Any]:
    """Return the summary of a complete run."""
    return {
        "test_accuracy": {"sum": 0.9, "last": 0.8, "vote": 0.7},
        "readout": "sum",
        "baselines": None,
        "problems": [],
        "writes": 2000,
        "readings": 4000,
        "shots": 1_024_000,
        "device_seconds": 40.0,
        "wall_seconds": 60.0,
        "predicted_seconds": 41.0,
    }


def begun(path: Path, **more: Any) -> RunWriter:
    """Begin a run in *path*; the caller appends to it and closes it."""
    return RunWriter.create(path, manifest(path.name, **more))


def parameters(ports: int = 8, seed: int = 0) -> dict[str, Any]:
    """Return the arrays of a checkpoint."""
    drawn = np.random.default_rng(seed)
    return {f"layer{layer}.parameters": drawn.uniform(0.0, 6.0, ports * ports) for layer in range(LAYERS)}


def finished(path: Path, rows: int = 40) -> Path:
    """Write a whole run of so many steps."""
    with begun(path) as run:
        for number in range(1, rows + 1):
            run.append(step_row(number))
        run.checkpoint(parameters(), {}, run.metrics_bytes)
        run.complete(summary())
        run.status(status("complete", rows))
    return path


def long(path: Path, rows: int, changes: Mapping[int, float] | None = None) -> Path:
    """Write a finished run with so many rows of metrics; *changes* are losses of single rows."""
    finished(path, 1)
    with (path / METRICS).open("w", encoding="utf-8") as file:
        for number in range(1, rows + 1):
            row = step_row(number, loss=(changes or {}).get(number))
            file.write(json.dumps(row | {"layer": 0 if number <= rows // 2 else 1}) + "\n")
    return path
