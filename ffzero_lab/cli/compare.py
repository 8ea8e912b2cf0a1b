"""``ffzero-lab compare``: trains one task by several rules with the same number of loss evaluations, and draws them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from statistics import mean, stdev
from typing import Any, get_args

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ffzero_lab.applying import apply_chosen
from ffzero_lab.cli.outcome import print_json
from ffzero_lab.cli.request import Request
from ffzero_lab.cli.train import default_name, new_folder, train_in
from ffzero_lab.cli.wording import MEASURES, measure_of, tell
from ffzero_lab.datasets import load_dataset
from ffzero_lab.errors import InputError, not_one_of
from ffzero_lab.opening import open_chosen
from ffzero_lab.runs import RunReader
from ffzero_lab.signals import Signals
from ffzero_lab.training import Session, TrainSettings
from ffzero_lab.training.aim import aim_of
from ffzero_lab.training.settings import RuleName

RULES: tuple[RuleName, ...] = get_args(RuleName)
LOOKS = 40
"""Looks at the validation part during each run: points of its curve."""
VALIDATION = 0.1
"""Share of the training part that curves are measured on, where none is set."""


@dataclass(frozen=True)
class Compared:
    """One run of a comparison.

    Attributes
    ----------
    rule, seed
        What it was.
    run
        Its folder.
    score
        On the test part, with the readout of the settings.
    evaluations
        Loss evaluations spent on training.
    readings, writes
        What training asked of the device.
    device_seconds
        Device time, everything included.
    curve
        Points (evaluations, score on the validation part).
    """

    rule: RuleName
    seed: int
    run: str
    score: float
    evaluations: int
    readings: int
    writes: int
    device_seconds: float
    curve: list[tuple[int, float]]


def compare_command(request: Request, rules: str | None, seeds: int, *, as_json: bool) -> None:
    """Run every rule with every seed, then print the table and draw the figure."""
    chosen = _chosen(rules)
    _check(request.settings, chosen, seeds)
    settings = request.settings
    dataset = load_dataset(settings.dataset, settings.data_dir, settings.task)
    with open_chosen(request.chosen) as opened:
        device, _ = apply_chosen(opened, request.calibration)
        description = device.description
        for rule in chosen:  # what one of them does not allow is told before anything is measured
            Session(device, dataset, settings_for(rule, settings.seed, settings, len(description.layers)))
    folder = new_folder(request.run_dir, request.name or default_name(settings.dataset, "compare"))
    found: list[Compared] = []
    told: dict[str, Any] = {}
    for seed in range(settings.seed, settings.seed + seeds):
        for rule in chosen:
            own = settings_for(rule, seed, settings, len(description.layers))
            path, name = folder / f"{rule}-seed{seed}", f"{rule}-seed{seed}"
            with Signals() as signals:
                summary = train_in(path, name, replace(request, settings=own), dataset, signals, as_json=as_json)
                signals.heed()  # one that came while the run parked ends what comes after it
            found.append(_compared(path, own, summary))
            told = comparison(found, dataset.name, description.name, aim_of(dataset).measure)
            folder.joinpath("compare.json").write_text(json.dumps(told, indent=2), encoding="utf-8")
    figure = folder / "compare.png"
    from ffzero_lab.figures.comparison import draw

    draw(told, figure)
    if as_json:
        print_json({"folder": str(folder), "figure": str(figure), **told})
        return
    Console().print(_table(told))
    Console().print(f"figure: {figure}", soft_wrap=True, markup=False, highlight=False)


def settings_for(rule: RuleName, seed: int, settings: TrainSettings, n_layers: int) -> TrainSettings:
    """Return the settings under which *rule* spends as many loss evaluations as ``ffzero`` does with *settings*."""
    measured = settings.model_copy(update={"rule": "ffzero"}).evaluations_per_step
    own = settings.model_copy(update={"rule": rule, "seed": seed})
    steps = settings.steps * (n_layers if own.whole_network else 1)
    if own.modelled:
        steps = max(1, steps * measured // own.equivalent_evaluations)
    trained = own.trained_in_turn(n_layers)
    return own.model_copy(
        update={
            "steps": steps,
            "validation": settings.validation or VALIDATION,
            "baselines": False,
            "check_every": max(1, ceil(steps * trained / LOOKS)),
        }
    )


def comparison(found: Sequence[Compared], dataset: str, device: str, measure: str) -> dict[str, Any]:
    """Return everything that is told of a comparison."""
    rules: dict[str, Any] = {}
    for rule in dict.fromkeys(one.rule for one in found):
        own = [one for one in found if one.rule == rule]
        scores = [one.score for one in own]
        rules[rule] = {
            "mean": mean(scores),
            "deviation": stdev(scores) if len(scores) > 1 else None,
            "runs": [asdict(one) for one in own],
        }
    return {"dataset": dataset, "device": device, "measure": measure, "rules": rules}


def _chosen(rules: str | None) -> list[RuleName]:
    names = list(RULES) if rules is None else [name.strip() for name in rules.split(",")]
    for name in names:
        if name not in RULES:
            raise not_one_of("--rules", name, RULES)
    return [rule for rule in RULES if rule in names]


def _check(settings: TrainSettings, rules: Sequence[RuleName], seeds: int) -> None:
    if seeds < 1:
        raise InputError(f"--seeds {seeds}: one seed at least")
    if "rule" in settings.model_fields_set:
        raise InputError("rule: compare runs several; name them with --rules")
    if "validation" in settings.model_fields_set and settings.validation == 0.0:
        raise InputError("validation 0: curves are measured on the part held back; set a share such as 0.1")
    for name in ("max_readings", "budget", "patience"):
        if getattr(settings, name) is not None:
            raise InputError(f"{name}: compare gives every rule the same number of loss evaluations; set steps instead")
    if find_spec("matplotlib") is None:
        raise InputError("compare draws with matplotlib, which is not installed: pip install 'ffzero-lab[reference]'")
    modelled = [rule for rule in rules if rule.endswith("ad")]
    if modelled and find_spec("jax") is None:
        raise InputError(
            f"{' and '.join(modelled)} need JAX, which is not installed: pip install 'ffzero-lab[reference]'; "
            "or compare without them: --rules ffzero,bp-dd"
        )


def _compared(path: Path, settings: TrainSettings, summary: Mapping[str, Any]) -> Compared:
    per_step = settings.equivalent_evaluations
    rows = [row for row in RunReader(path).metrics() if row["event"] == "check"]
    curve = [((row["layer"] * settings.steps + row["step"]) * per_step, row["validation_score"]) for row in rows]
    return Compared(
        settings.rule,
        settings.seed,
        path.name,
        summary[f"test_{measure_of(summary)}"][settings.readout],
        len(summary["layers"]) * settings.steps * per_step,
        summary["counts"]["training"]["readings"],
        summary["counts"]["training"]["writes"],
        summary["device_seconds"],
        curve,
    )


def _table(told: Mapping[str, Any]) -> Table:
    measure = told["measure"]
    table = Table(title=Text(f"{told['dataset']} on {told['device']}"), title_justify="left", title_style="bold")
    table.add_column("rule")
    for column in (f"test {MEASURES[measure]}", "evaluations", "readings", "writes"):
        table.add_column(column, justify="right")
    for rule, result in told["rules"].items():
        deviation = result["deviation"]
        spread = "" if deviation is None else f" ± {tell(measure, deviation).removeprefix('R² ')}"
        run = result["runs"][0]
        counts = [f"{run[name]:,}" for name in ("evaluations", "readings", "writes")]
        table.add_row(rule, tell(measure, result["mean"]) + spread, *counts)
    table.caption = (
        "ff…: a loss for each layer; bp-…: one at the last. …-ad: slopes of the ideal model, an exact gradient counted "
        "as two evaluations of the loss; else measured on the device."
    )
    table.caption_justify = "left"
    return table
