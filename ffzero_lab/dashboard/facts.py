"""What a run is, how it stands, what it spent and how its bench is: everything on its page but curves and log."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ffzero_lab.dashboard.bench_health import channels
from ffzero_lab.runs import RunReader
from ffzero_lab.runs.checkpoint import CHECKPOINT
from ffzero_lab.runs.index import PROTOCOL
from ffzero_lab.runs.layout import MANIFEST, REPORT, START
from ffzero_lab.runs.liveness import is_elsewhere
from ffzero_lab.runs.standing import ENDED, state_told

SETTINGS_SHOWN = ("rule", "seed", "loss", "directions", "slopes", "optimizer", "learning_rate", "batch", "readout")


def measure_of(manifest: Mapping[str, Any]) -> str:
    """Return what the scores of a run are: ``accuracy`` or ``r2``."""
    return "r2" if manifest.get("dataset", {}).get("task") == "regression" else "accuracy"


def facts_of(path: Path, name: str, manifest: Mapping[str, Any], last: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of the run in *path*; *last* holds the newest value of every key of its metrics.

    Raises InputError, or KeyError, TypeError or ValueError where a file holds something else than runs write.
    """
    reader = RunReader(path)
    status, summary = reader.status, reader.summary
    state = "complete" if summary is not None else state_told(path)
    is_protocol = manifest.get("kind") == PROTOCOL
    owner = owner_of(path, name)
    description = manifest["device"]["description"]
    told: Mapping[str, Any] = status or {}
    newest: Mapping[str, Any] = told.get("training") or told.get("last_event") or last
    return {
        "name": name,
        "kind": "protocol" if is_protocol else "training",
        "measure": measure_of(manifest),
        "state": state,
        "reason": told.get("reason"),
        "elsewhere": told["host"] if is_elsewhere(told) and state not in ENDED else None,
        "parked": told.get("parked", state in ENDED),
        "updated": told.get("updated"),
        "started": manifest["started"],
        "title": manifest["protocol"]["title"] if is_protocol else None,
        "device": {key: description.get(key) for key in ("name", "serial_number", "kind", "topology")},
        "dataset": manifest.get("dataset"),
        "settings": {key: manifest.get("settings", {}).get(key) for key in SETTINGS_SHOWN if not is_protocol},
        "progress": _progress(manifest, told, last, state, is_protocol=is_protocol),
        "spent": _spent(manifest, summary, told, last),
        "newest": {key: value for key in ("loss", "score") if (value := newest.get(key, last.get(key))) is not None},
        "result": _result(manifest, summary),
        "problems": [] if summary is None else summary.get("problems", []),
        "channels": channels(manifest, status),
        "watched": told.get("health"),
        "links": told.get("links", {}),
        "can": _can(state, owner),
        "owner": owner,
        "layers": len(description["layers"]),
        "report": (path / REPORT).is_file(),
        "parameters": _stamp(path / CHECKPOINT) or _stamp(path / START),
        "steps": _steps(path, name, manifest) if is_protocol else None,
    }


def _can(state: str, owner: str | None) -> list[str]:
    """Return what the run can be asked for now; a part of a protocol is asked through the protocol's own folder."""
    if owner is not None:
        return []
    return {"running": ["pause", "stop"], "paused": ["continue", "stop"]}.get(state, [])


def owner_of(path: Path, name: str) -> str | None:
    """Return the protocol that *path* is a step of, or None."""
    above = path.parent / MANIFEST
    if "/" not in name or not os.path.isfile(above):  # noqa: PTH113 - false, too, where nobody may look
        return None
    return name.rpartition("/")[0]


def _progress(
    manifest: Mapping[str, Any], status: Mapping[str, Any], last: Mapping[str, Any], state: str, *, is_protocol: bool
) -> dict[str, Any]:
    if is_protocol:
        steps = manifest.get("steps", ())
        done = sum(step["state"] in ("done", "failed") for step in steps)
        share = done / len(steps) if steps else 0.0
        return {"done": done, "of": len(steps), "share": share, "seconds_left": None}
    steps = int(manifest["plan"]["steps"])
    layers = int(status.get("layers") or len(manifest["device"]["description"]["layers"]))
    layer, step = int(last.get("layer", 0)), int(last.get("step", 0))
    written = _share(layer, step, layers, steps)
    newest: Mapping[str, Any] = status.get("last_event") or {}
    if (newest.get("layer", -1), newest.get("step", -1)) > (layer, step):
        layer, step = newest["layer"], newest["step"]
    share = 1.0 if state == "complete" else _share(layer, step, layers, steps)
    wall_s = last.get("wall_seconds")
    left = wall_s / written * (1.0 - share) if wall_s and written > 0.0 and state == "running" else None
    return {"layer": layer, "layers": layers, "step": step, "steps": steps, "share": share, "seconds_left": left}


def _share(layer: int, step: int, layers: int, steps: int) -> float:
    """Return how much of the training is done, were all layers alike."""
    return min(1.0, (layer + step / max(1, steps)) / max(1, layers))


def _spent(
    manifest: Mapping[str, Any], summary: Mapping[str, Any] | None, status: Mapping[str, Any], last: Mapping[str, Any]
) -> dict[str, Any]:
    names = ("writes", "readings", "shots", "device_seconds", "wall_seconds")
    totals = last if summary is None else summary
    spent = {name: totals.get(name) for name in names}
    if summary is None and status.get("device_seconds") is not None:
        spent["device_seconds"] = status["device_seconds"]
    plan: Mapping[str, Any] = manifest.get("plan") or {}
    return spent | {"predicted_seconds": plan.get("seconds")}


def _result(manifest: Mapping[str, Any], summary: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if summary is None or "settings" not in manifest:
        return None
    readout, scores = summary["readout"], summary.get("test_accuracy", summary.get("test_r2", {}))
    if readout not in scores:
        raise ValueError(f"its summary has no score of the readout {readout!r}")
    names = ("test_accuracy", "test_r2", "baselines", "readout")
    return {name: summary[name] for name in names if name in summary}


def _steps(path: Path, name: str, manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the steps of a protocol, and which of them have a training run of their own."""
    folders = {folder.parent.name for folder in path.glob(f"*/{MANIFEST}")}
    steps: list[dict[str, Any]] = []
    for number, step in enumerate(manifest.get("steps", ()), start=1):
        again = "" if step.get("round", 1) == 1 else f"-{step['round']}"
        own = f"{number:02d}-{step['name']}{again}"
        results: Mapping[str, Any] = step["results"] or {}
        steps.append(
            {
                "name": step["name"],
                "kind": step["kind"],
                "state": step["state"],
                "failures": step["failures"][-1:],
                "score": results.get("score"),
                "device_seconds": step["device_seconds"],
                "run": f"{name}/{own}" if own in folders else None,
            }
        )
    return steps


def _stamp(path: Path) -> str | None:
    """Return what changes when a file is replaced, as text: a script's numbers have not digits enough."""
    try:
        return str(path.stat().st_mtime_ns)
    except OSError:
        return None
