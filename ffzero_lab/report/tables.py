"""Configuration and provenance of a run, in tables."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ffzero_lab.figures.page import Table
from ffzero_lab.report.account import Account
from ffzero_lab.report.wording import MEASURES, spelled, told_score
from ffzero_lab.training import TrainSettings


def layers_table(account: Account) -> Table | None:
    """Return the scores and ends of the layers; None before the first one has ended."""
    rows: list[tuple[str, ...]] = []
    summary = account.summary
    for number, own in account.rows.layers.items():
        done = own.done
        if done is None:
            continue
        test = (
            "" if summary is None else told_score(account.measure, summary["layers"][number][f"test_{account.measure}"])
        )
        spent = "" if summary is None else f"{summary['layers'][number]['shots']:,}"
        rows.append(
            (
                f"layer {number}",
                told_score(account.measure, done["train_score"]),
                told_score(account.measure, done["sum_train_score"]),
                test,
                f"{done['loss']:.4g}",
                f"{done['steps']:,} ({done['stopped_by']})",
                spent,
            )
        )
    what = MEASURES[account.measure]
    headings = (
        "layer",
        f"training {what}",
        "with the layers before",
        f"test {what}",
        "loss",
        "steps (ended by)",
        "shots of training",
    )
    return Table(headings, tuple(rows), "At the end of each layer, scored by itself") if rows else None


def settings_table(account: Account) -> Table:
    """Return every setting, those that differ from their default first."""
    defaults = TrainSettings().model_dump(mode="json")
    given: Mapping[str, Any] = account.settings.model_dump(mode="json")
    changed = [name for name in given if given[name] != defaults[name]]
    ordered = [*changed, *(name for name in given if name not in changed)]
    rows = tuple(
        (name, _plain(given[name]), _plain(defaults[name]) if name in changed else "as here") for name in ordered
    )
    return Table(("setting", "value", "default"), rows, "Settings of the rule")


def device_table(account: Account) -> Table:
    """Return what the device said of itself, layer by layer."""
    rows: list[tuple[str, ...]] = []
    for number, layer in enumerate(account.description.layers):
        for group in layer.groups:
            period = "" if group.period is None else f"{group.period:.4g}"
            span = f"{group.lower:.4g} to {group.upper:.4g}"
            cells = (f"{group.size:,}", span, group.unit, period, f"{group.resolution:.3g}")
            rows.append((f"layer {number}", group.name, *cells))
    return Table(("layer", "group", "parameters", "range", "unit", "period", "resolution"), tuple(rows), "Parameters")


def provenance_table(account: Account) -> Table:
    """Return who, what, when, and under which versions."""
    return Table(("what", "value"), tuple(_provenance(account)), "Provenance")


def _provenance(account: Account) -> Iterator[tuple[str, str]]:
    manifest, description = account.manifest, account.description
    device, dataset, timing = manifest["device"], manifest["dataset"], description.timing
    yield "run", account.path.name
    yield "identity", str(manifest["run_id"])
    yield "started", str(manifest["started"])
    yield "device", f"{device['name']}, which says it is {description.name}, serial number {description.serial_number}"
    if device.get("options"):
        yield "options of the device", json.dumps(device["options"], ensure_ascii=False)
    yield "answered by", description.implementation or "nobody says"
    shared = ", one piece of hardware for all layers" if description.shared_hardware else ""
    yield "kind and topology", f"{description.kind}, {description.topology}{shared}"
    yield "τp, one write with settling", f"{timing.write_s:.4g} s"
    yield "τx, one pattern presented and read", f"{timing.shot_s:.4g} s"
    if timing.imitates:
        yield "these latencies imitate", timing.imitates
    if description.power_budget_w is not None:
        yield "power budget", f"{description.power_budget_w:g} W"
    sizes = f"{dataset['train']:,} training and {dataset['test']:,} test patterns of {dataset['features']:,} features"
    yield "data set", f"{dataset['name']}: {sizes}"
    yield "SHA-256 of the data", str(dataset["fingerprint"])
    calibration = manifest.get("calibration")
    if calibration is None:
        yield "calibration", "none: used as it is"
    else:
        yield "calibration", f"{calibration['source']}, kept as {calibration['file']}"
        yield "SHA-256 of the record", str(calibration["sha256"])
    interlocks: Mapping[str, Mapping[str, Any]] = manifest.get("interlocks") or {}
    for channel, bound in interlocks.items():
        yield f"interlock {channel}", _plain({name: limit for name, limit in bound.items() if limit is not None})
    if manifest.get("started_from"):
        yield "started from", str(manifest["started_from"])
    for name, version in manifest["versions"].items():
        yield f"version of {name}", str(version)
    if account.summary is not None:
        yield "wall time", spelled(float(account.summary["wall_seconds"]))
        recording = account.summary.get("recording")
        if recording:
            yield "recording", f"{recording['exchanges']:,} exchanges, {recording['bytes']:,} bytes"


def _plain(value: Any) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
