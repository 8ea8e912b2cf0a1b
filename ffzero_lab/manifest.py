"""The manifest of a run: everything needed to say what it was and to run it again."""

import platform
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ffzero_lab._version import __version__
from ffzero_lab.bench_file import ChosenDevice, saved_device
from ffzero_lab.device import DeviceDescription, InterlockBound
from ffzero_lab.errors import InputError
from ffzero_lab.training import Session, TrainSettings

FORMAT = 1


def describe_run(
    session: Session,
    *,
    name: str,
    device: ChosenDevice,
    interlocks: Mapping[str, InterlockBound],
    checkpoint_every_s: float,
    calibration: Mapping[str, str] | None = None,
    record_io: bool = False,
) -> dict[str, Any]:
    """Return the manifest of a run that is about to begin."""
    description = session.device.description
    return {
        "format": FORMAT,
        "run_id": uuid.uuid4().hex,
        "name": name,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "versions": versions_of(description, session.settings),
        "device": {
            **saved_device(device),
            "description": description.model_dump(mode="json"),
        },
        "settings": session.settings.model_dump(mode="json"),
        "interlocks": {channel: bound.model_dump() for channel, bound in interlocks.items()},
        "checkpoint_every_s": checkpoint_every_s,
        "record_io": record_io,
        "dataset": {
            "name": session.dataset.name,
            "fingerprint": session.dataset.fingerprint,
            "task": session.dataset.task,
            "classes": list(session.dataset.classes),
            "train": session.dataset.n_train,
            "test": session.dataset.n_test,
            "features": session.dataset.n_features,
        },
        "calibration": None if calibration is None else dict(calibration),
        "plan": {
            "steps": session.plan.steps,
            "batch": session.plan.batch,
            "counts": {purpose: asdict(counts) for purpose, counts in session.plan.counts.items()},
            "seconds": session.plan.seconds,
        },
    }


def refuse_other_units(run: Path, manifest: Mapping[str, Any], description: DeviceDescription) -> None:
    """Raise InputError when the parameters of *run*, by its *manifest*, mean something else on a device.

    Phases are no volts, though both may be within the limits. *description* is of the device as it is written to:
    behind a calibration record, or as it is.
    """
    trained = [
        _units(*((group["unit"], group["shape"]) for group in layer["groups"]))
        for layer in manifest["device"]["description"]["layers"]
    ]
    here = [_units(*((group.unit, group.shape) for group in layer.groups)) for layer in description.layers]
    if _sizes(trained) == _sizes(here) and trained != here:  # other sizes are told by whoever compares these
        raise InputError(
            f"{run} was trained in {_told(trained)}, {description.name} takes {_told(here)} here: its parameters would "
            "mean something else; use it behind a calibration record, or as it was trained"
        )


def _units(*groups: tuple[str, Sequence[int]]) -> list[str]:
    return [unit for unit, shape in groups for _ in range(prod(shape))]


def _sizes(units: list[list[str]]) -> list[int]:
    return [len(layer) for layer in units]


def _told(units: list[list[str]]) -> str:
    return ", ".join(dict.fromkeys(unit or "no unit" for layer in units for unit in layer))


def versions_of(description: DeviceDescription, settings: TrainSettings) -> dict[str, str]:
    """Return the versions under which numbers come about bit by bit."""
    return {
        "ffzero_lab": __version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "kernel": description.implementation,
        **({"jax": version("jax")} if settings.modelled else {}),
    }
