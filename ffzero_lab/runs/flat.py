"""Runs as rows of a table: every setting and every result under one name."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from ffzero_lab.runs.reader import RunReader

_RESULTS = ("test_accuracy", "test_r2", "baselines")
_SPENT = ("writes", "readings", "shots", "device_seconds", "predicted_seconds", "wall_seconds")


def settings_of(run: RunReader) -> dict[str, Any]:
    """Return what a run was told, by dotted names as ``--set`` takes them, and under what it ran."""
    manifest = run.manifest
    calibration: Mapping[str, Any] = manifest["calibration"] or {}
    return {
        **_flat("", manifest["settings"] if "settings" in manifest else {"protocol": manifest["protocol"]}),
        "device.name": manifest["device"]["name"],
        **_flat("device", manifest["device"]["options"]),
        "device.serial_number": manifest["device"]["description"]["serial_number"],
        "dataset.fingerprint": manifest.get("dataset", {}).get("fingerprint"),
        **_flat("interlocks", manifest["interlocks"]),
        "calibration.sha256": calibration.get("sha256"),
        **_flat("versions", manifest["versions"]),
    }


def results_of(run: RunReader) -> dict[str, Any]:
    """Return what came of a run, by dotted names: scores, baselines, those of each layer; empty when incomplete."""
    summary = run.summary
    if summary is None:
        return {}
    found: dict[str, Any] = {}
    for name in _RESULTS:
        found |= _flat(name, summary.get(name))
    for number, layer in enumerate(summary.get("layers", ())):
        found |= {f"layer{number}.{name}": layer[name] for name in layer if name.startswith(("train_", "test_"))}
    return found


def spent_by(run: RunReader) -> dict[str, Any]:
    """Return what a run cost: counts and seconds, and the counts by purpose; empty when incomplete."""
    summary = run.summary
    if summary is None:
        return {}
    return {**{name: summary.get(name) for name in _SPENT}, **_flat("counts", summary.get("counts", {}))}


def row_of(run: RunReader) -> dict[str, Any]:
    """Return one row for a whole run."""
    return {
        "run": run.path.name,
        "started": run.manifest["started"],
        "completed": run.summary is not None,
        **settings_of(run),
        **results_of(run),
        **spent_by(run),
    }


def columns_of(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return every name that occurs in *rows*, in the order of the first occurrence."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _flat(above: str, value: Any) -> dict[str, Any]:
    """Return nested tables as one, with dotted names; lists stay as they are."""
    if not isinstance(value, Mapping):
        return {above: value}
    flat: dict[str, Any] = {}
    for name, inner in cast("Mapping[str, Any]", value).items():
        flat |= _flat(f"{above}.{name}" if above else str(name), inner)
    return flat
