"""One point of a sweep, as a worker carries it out: begun, gone on with or found complete, in its own run folder."""

import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ffzero_lab.applying import Choice
from ffzero_lab.bench_file import ChosenDevice
from ffzero_lab.cli.request import Request
from ffzero_lab.cli.train import resume_in, train_in
from ffzero_lab.datasets import load_dataset
from ffzero_lab.device import DeviceError, InterlockBound
from ffzero_lab.errors import InputError
from ffzero_lab.runs import RunReader
from ffzero_lab.runs.layout import MANIFEST
from ffzero_lab.runs.writer import RunBusy
from ffzero_lab.signals import Interruption, Signals
from ffzero_lab.sweeps.folder import SweepFolder
from ffzero_lab.sweeps.leaving import here
from ffzero_lab.training import TrainSettings

BUSY_S, POLL_S = 120.0, 0.5
"""A worker that was cut off may still be at its point: so long another one waits for it to end."""
TOLD = ("test_accuracy", "test_r2", "writes", "shots", "device_seconds", "wall_seconds")


def conduct_point(folder: str, number: int) -> dict[str, Any]:
    """Carry out point *number* of the sweep in *folder*; returns its ``state``, and its scores or the ``reason``."""
    sweep = SweepFolder(Path(folder))
    try:
        with here.carrying_out(sweep.run(number)):
            return {"state": "complete", **result_of(_summary_of(sweep, number))}
    except Interruption as error:
        return {"state": "stopped", "reason": str(error)}
    except (InputError, DeviceError, OSError) as error:
        return {"state": "failed", "reason": str(error)}
    except Exception as error:  # noqa: BLE001 - a mistake of one point must not end the others; it is told
        return {"state": "failed", "reason": f"{type(error).__name__}: {error}"}


def result_of(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the sweep tells of a complete run."""
    return {name: summary[name] for name in TOLD if name in summary}


def request_to_json(request: Request) -> dict[str, Any]:
    """Return a request as JSON holds it; what it names is found from any folder."""
    choice = request.calibration
    return {
        "device": {"driver": request.chosen.driver, "options": request.chosen.options},
        "settings": request.settings.model_dump(mode="json"),
        "interlocks": {channel: bound.model_dump() for channel, bound in request.interlocks.items()},
        "checkpoint_every_s": request.checkpoint_every_s,
        "calibration": asdict(choice)
        | {
            "record": choice.record if choice.record in (None, "newest") else str(Path(choice.record).absolute()),
            "folder": str(choice.folder.absolute()),
        },
        "record_io": request.record_io,
    }


def request_from_json(saved: Mapping[str, Any], run_dir: Path, name: str) -> Request:
    """Return the request that :func:`request_to_json` wrote down, for a run folder of that name."""
    kept = saved["calibration"]
    return Request(
        ChosenDevice(saved["device"]["driver"], saved["device"]["options"]),
        TrainSettings(**saved["settings"]),
        {channel: InterlockBound(**bound) for channel, bound in saved["interlocks"].items()},
        run_dir,
        name,
        saved["checkpoint_every_s"],
        Choice(kept["record"], Path(kept["folder"]), kept["accept_expired"], kept["uncalibrated"]),
        saved["record_io"],
    )


def _summary_of(sweep: SweepFolder, number: int) -> dict[str, Any]:
    """Bring the run of a point to its end; returns its summary."""
    run, signals = sweep.run(number), Signals()  # not entered: signals are the sweep's, a request to stop is heard
    until = time.monotonic() + BUSY_S
    while True:
        if sweep.is_complete(number):
            return RunReader(run).summary or {}
        if sweep.is_stopping:
            raise Interruption("stopped before it began", 143)
        try:
            if (run / MANIFEST).is_file():
                return resume_in(run, signals, other_versions=False, after_trip=False, as_json=True)
            if run.exists():  # ended before the manifest, which is written before anything else
                shutil.rmtree(run)
            request = request_from_json(sweep.points[number]["request"], sweep.path, run.name)
            settings = request.settings
            dataset = load_dataset(settings.dataset, settings.data_dir, settings.task)
            return train_in(run, run.name, request, dataset, signals, as_json=True)
        except RunBusy:
            if time.monotonic() > until:
                raise
            time.sleep(POLL_S)
