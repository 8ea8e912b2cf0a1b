"""``ffzero-lab sweep``: many runs under other settings, by several processes, each in a run folder of its own."""

import json
import shlex
import time
import tomllib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from pydantic import ValidationError

from ffzero_lab.applying import apply_chosen
from ffzero_lab.cli.outcome import print_json
from ffzero_lab.cli.request import Request, Tables, checked_request, put, tables_of_content
from ffzero_lab.cli.sweep_point import conduct_point, request_to_json, result_of
from ffzero_lab.cli.train import new_folder
from ffzero_lab.cli.wording import measure_of, spell_duration, tell
from ffzero_lab.datasets import load_dataset
from ffzero_lab.errors import InputError
from ffzero_lab.explain import explain_validation
from ffzero_lab.opening import bench_lock_of, open_chosen
from ffzero_lab.runs import RunReader
from ffzero_lab.signals import Interruption, Signals
from ffzero_lab.sweeps.cluster import cluster
from ffzero_lab.sweeps.folder import SweepFolder
from ffzero_lab.sweeps.space import Point, SweepTable, points_of
from ffzero_lab.training import Session

STOP_WITHIN_S = 30.0
CHECKED_WHOLE = 50
"""So many points, spread over the sweep, are also planned on their device before the first one begins."""


@dataclass(frozen=True)
class Sweep:
    """A checked sweep before it has a folder."""

    table: SweepTable
    points: list[Point]
    requests: list[Request]


def sweep(
    file: Path,
    signals: Signals,
    *,
    workers: int | None,
    scheduler: str | None,
    run_dir: Path,
    name: str | None,
    dry_run: bool,
    as_json: bool,
) -> bool:
    """Carry out the sweep of *file* in a new folder; returns whether every point was completed."""
    read = read_sweep(file)
    count = read.table.workers if workers is None else workers
    _refuse_shared_bench(read.requests, count, scheduler)
    cost = _cost_of(read)
    path = new_folder(run_dir, name or read.requests[0].name or file.stem)
    if dry_run:
        _show_dry_run(read, count, scheduler, cost, as_json=as_json)
        return True
    points = [
        {"settings": point, "request": request_to_json(request)}
        for point, request in zip(read.points, read.requests, strict=True)
    ]
    told = {"sweep_id": uuid.uuid4().hex, "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "workers": count}
    folder = SweepFolder.create(path, {**told, "file": str(file.absolute())}, points)
    return carry_out(folder, count, scheduler, signals, as_json=as_json)


def resume_sweep(path: Path, signals: Signals, *, workers: int | None, scheduler: str | None, as_json: bool) -> bool:
    """Go on with a sweep: points that are complete stay as they are, the others go on from their checkpoints."""
    folder = SweepFolder(path)
    count = folder.workers if workers is None else workers
    devices = {json.dumps(point["request"]["device"], sort_keys=True) for point in folder.points}
    _refuse_bench([(device["driver"], device["options"]) for device in map(json.loads, devices)], count, scheduler)
    return carry_out(folder, count, scheduler, signals, as_json=as_json)


def read_sweep(file: Path) -> Sweep:
    """Read a sweep's file and check every point of it; raises InputError that names the point."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"the sweep's file {file} does not exist") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"the sweep's file {file} cannot be read: {error}") from error
    swept = content.pop("sweep", None)
    if swept is None:
        raise InputError(f"{file} has no table [sweep]; it says what is tried, see docs/how-to/sweep.md")
    try:
        table = SweepTable.model_validate(swept)
    except ValidationError as error:
        raise InputError(explain_validation(error, SweepTable, str(file), ("sweep",))) from None
    tables_of_content(content, str(file))
    points = points_of(table)
    return Sweep(table, points, [_request_of(content, point, file) for point in points])


def carry_out(folder: SweepFolder, workers: int, scheduler: str | None, signals: Signals, *, as_json: bool) -> bool:
    """Bring every unfinished point to its end; returns whether all are complete."""
    began_s = time.perf_counter()
    folder.allow()
    unfinished = folder.unfinished
    total = len(folder.points)
    problems: dict[int, str] = {}
    if not as_json:
        done = f", {total - len(unfinished)} of them complete" if len(unfinished) < total else ""
        typer.echo(f"sweep of {total} points{done}: {folder.path}")
    if unfinished:
        try:
            with cluster(folder.path, min(workers, len(unfinished)), scheduler) as hands:
                signals.finish_exchanges()  # a signal in the middle of Dask's own work might be swallowed there
                try:
                    ended = hands.carry_out(
                        conduct_point, str(folder.path.absolute()), unfinished, folder.sweep_id, signals.heed
                    )
                    for point, result in ended:
                        if result["state"] != "complete":
                            problems[point] = str(result["reason"])
                        if not as_json:
                            left = len(folder.unfinished)
                            typer.echo(f"[{total - left}/{total}] {_told_point(folder, point)}: {_told_result(result)}")
                except BaseException:
                    folder.stop()
                    hands.wait(STOP_WITHIN_S, folder.stop)
                    raise
        except (Interruption, OSError) as error:
            error.add_note(f"{total - len(folder.unfinished)} of {total} points are complete; to go on:")
            error.add_note(f"ffzero-lab sweep --resume {shlex.quote(str(folder.path))}")
            raise
    left = folder.unfinished
    _conclude(folder, left, problems, time.perf_counter() - began_s, as_json=as_json)
    return not left


def _request_of(content: Mapping[str, Any], point: Point, file: Path) -> Request:
    tables = Tables(*(dict(content.get(key, {})) for key in ("device", "train", "run", "interlocks", "calibration")))
    where = f"{file}, point {_spelled(point)}"
    for name, value in point.items():
        put(tables, name, value, where)
    try:
        return checked_request(tables)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _refuse_shared_bench(requests: Iterable[Request], workers: int, scheduler: str | None) -> None:
    """Check every device's options; refuse hardware where more than one process could reach for it."""
    devices = {json.dumps([one.chosen.driver, one.chosen.options], sort_keys=True, default=str) for one in requests}
    _refuse_bench([tuple(json.loads(device)) for device in devices], workers, scheduler)


def _refuse_bench(devices: Iterable[tuple[str, dict[str, Any]]], workers: int, scheduler: str | None) -> None:
    for driver, options in devices:
        lock = bench_lock_of(driver, options)
        if lock is not None and (workers > 1 or scheduler is not None):
            how = "--scheduler" if scheduler is not None else f"{workers} workers"
            raise InputError(
                f"a bench ({lock.bench}) is one process's at a time and cannot be swept with {how}; sweep it with "
                "--workers 1, or sweep a twin"
            )


def _cost_of(read: Sweep) -> dict[str, float]:
    """Plan points on their devices, which finds what does not fit together; returns the cost of all, from these."""
    every = max(1, -(-len(read.points) // CHECKED_WHOLE))
    chosen = range(0, len(read.points), every)
    cost: dict[str, float] = {"writes": 0.0, "shots": 0.0, "predicted_seconds": 0.0}
    for number in chosen:
        request, settings = read.requests[number], read.requests[number].settings
        try:
            dataset = load_dataset(settings.dataset, settings.data_dir, settings.task)
            with open_chosen(request.chosen) as opened:
                plan = Session(apply_chosen(opened, request.calibration)[0], dataset, settings).plan
        except InputError as error:
            raise InputError(f"point {_spelled(read.points[number])}: {error}") from None
        spent = {"writes": plan.total.writes, "shots": plan.total.shots, "predicted_seconds": plan.seconds}
        cost = {name: cost[name] + spent[name] * len(read.points) / len(chosen) for name in cost}
    return cost


def _show_dry_run(
    read: Sweep, workers: int, scheduler: str | None, cost: Mapping[str, float], *, as_json: bool
) -> None:
    if as_json:
        print_json({"points": read.points, "workers": workers, "scheduler": scheduler, **cost})
        return
    names = ", ".join(read.points[0])
    by = f"{workers} processes of this computer" if scheduler is None else f"the workers of {scheduler}"
    typer.echo(f"{len(read.points)} points ({read.table.kind}: {names}), by {by}")
    for number, point in enumerate(read.points):
        typer.echo(f"  point-{number:04d}  {_spelled(point)}")
    typer.echo(
        f"together about {cost['writes']:,.0f} writes, {cost['shots']:,.0f} shots, predicted device time "
        f"{spell_duration(cost['predicted_seconds'])}"
    )
    typer.echo("dry run: nothing was written")


def _conclude(
    folder: SweepFolder, left: Sequence[int], problems: Mapping[int, str], seconds: float, *, as_json: bool
) -> None:
    total = len(folder.points)
    if as_json:
        rows = [_row(folder, number, problems.get(number)) for number in range(total)]
        print_json(
            {
                "sweep": str(folder.path),
                "points": total,
                "complete": total - len(left),
                "wall_seconds": seconds,
                "results": rows,
            }
        )
        return
    typer.echo(f"{total - len(left)} of {total} points are complete, after {spell_duration(seconds)}")
    for number in left:
        reason = problems.get(number, "not carried out")
        typer.echo(f"problem: {_told_point(folder, number)}: {reason}", err=True)
    if left:
        typer.echo(f"to try them again: ffzero-lab sweep --resume {shlex.quote(str(folder.path))}")
    typer.echo(f"as a table: ffzero-lab runs export --run-dir {shlex.quote(str(folder.path))}")


def _row(folder: SweepFolder, number: int, problem: str | None) -> dict[str, Any]:
    summary = RunReader(folder.run(number)).summary if folder.is_complete(number) else None
    return {
        "run": str(folder.run(number)),
        "settings": folder.points[number]["settings"],
        "completed": summary is not None,
        "problem": problem,
        **({} if summary is None else result_of(summary)),
    }


def _told_point(folder: SweepFolder, number: int) -> str:
    point = folder.points[number]
    return f"{point['folder']}  {_spelled(point['settings'])}"


def _told_result(result: Mapping[str, Any]) -> str:
    if result["state"] != "complete":
        return f"{result['state']}: {result['reason']}"
    measure = measure_of(result)
    scores = ", ".join(f"{name} {tell(measure, score)}" for name, score in result[f"test_{measure}"].items())
    return f"{scores}  ({spell_duration(result['wall_seconds'])})"


def _spelled(point: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={f'{value:.6g}' if isinstance(value, float) else value}" for name, value in point.items())
