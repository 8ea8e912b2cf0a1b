"""Everything that a run's folder tells, gathered for its report; needs neither the device nor the data set."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from ffzero_lab.calibrations import load
from ffzero_lab.device import DeviceDescription
from ffzero_lab.device.record import CalibrationRecord
from ffzero_lab.errors import InputError
from ffzero_lab.kept import Evaluation, read_evaluation, read_start
from ffzero_lab.report.rows import Rows, gathered
from ffzero_lab.runs import Checkpoint, RunReader
from ffzero_lab.runs.index import PROTOCOL
from ffzero_lab.runs.layout import MANIFEST, METRICS, SUMMARY, SUPERSEDED
from ffzero_lab.training import Network, TrainSettings
from ffzero_lab.training.aim import Measure
from ffzero_lab.training.scale import TrainedScale
from ffzero_lab.training.whole import as_one_layer

FloatArray = NDArray[np.float64]
Found = TypeVar("Found")
TOLD_AT_START: Mapping[str, tuple[str, ...]] = {
    "": ("run_id", "name", "started", "versions"),
    "dataset": ("name", "task", "classes", "train", "test", "features", "fingerprint"),
    "plan": ("steps", "batch", "seconds", "counts"),
    "device": ("name", "description"),
}
"""What a report needs of a manifest, table by table."""
TOLD_AT_END = (
    "layers",
    "readout",
    "baselines",
    "problems",
    "writes",
    "readings",
    "shots",
    "counts",
    "device_seconds",
    "predicted_seconds",
    "wall_seconds",
)
"""What it needs of a summary, beside the scores."""


@dataclass(frozen=True)
class Account:
    """One training run.

    Attributes
    ----------
    path
        Its folder.
    manifest, summary, status
        As the files say; None where they do not exist.
    settings
        Of the rule.
    description
        Of the device, layer by layer; with the way springs are joined, where the run kept that.
    rows
        What was logged.
    superseded
        Logged rows that a resume took back.
    network
        As it stands in the newest checkpoint; None: there is none.
    before, after
        By layer of the device, (P,) parameters at the start and in the newest checkpoint; empty where nobody knows.
    evaluation
        What the test part answered; None: nothing is kept of it.
    calibration
        The record that the device was used with.
    notes
        What a protocol noted while the run went on, such as drift.
    unreadable
        What could not be read, in sentences.
    """

    path: Path
    manifest: Mapping[str, Any]
    summary: Mapping[str, Any] | None
    status: Mapping[str, Any] | None
    settings: TrainSettings
    description: DeviceDescription
    rows: Rows
    superseded: int
    network: Network | None
    before: tuple[FloatArray, ...]
    after: tuple[FloatArray, ...]
    evaluation: Evaluation | None
    calibration: CalibrationRecord | None
    notes: tuple[str, ...]
    unreadable: tuple[str, ...]

    @property
    def measure(self) -> Measure:
        """What a score is."""
        return "r2" if self.manifest["dataset"]["task"] == "regression" else "accuracy"

    def name_of(self, layer: int) -> str:
        """Return what a trained layer is called: with one loss at the end, all of them are trained as one."""
        return "all layers" if self.settings.whole_network else f"layer {layer}"

    @property
    def test_score(self) -> float | None:
        """Score of the test part, by the run's readout; None before its end."""
        return None if self.summary is None else float(self.summary[f"test_{self.measure}"][self.settings.readout])

    @property
    def untrained_score(self) -> float | None:
        """The same of the untrained device; None where it was not measured."""
        scores: Mapping[str, float] = self._baselines.get("untrained_device") or {}
        return scores.get(self.settings.readout)

    @property
    def linear_score(self) -> float | None:
        """Score of a linear model of the raw features; None where there is none."""
        score: float | None = self._baselines.get("linear_classifier", self._baselines.get("linear_regression"))
        return score

    @property
    def _baselines(self) -> Mapping[str, Any]:
        return {} if self.summary is None else self.summary["baselines"] or {}

    @property
    def trained(self) -> DeviceDescription:
        """The device as the rule saw it: layer by layer, or all layers as one."""
        return as_one_layer(self.description) if self.settings.whole_network else self.description


def account_of(run: Path) -> Account:
    """Gather what the folder *run* tells.

    What is missing or damaged is left out and told in `Account.unreadable`. Raises InputError for what is no training
    run, or has no manifest that can be read.
    """
    reader = RunReader(run)
    manifest = reader.manifest
    if "settings" not in manifest:
        raise InputError(_no_training_run(run, manifest))
    for table, names in TOLD_AT_START.items():
        _demand(run / MANIFEST, table, manifest.get(table) if table else manifest, names)
    unreadable: list[str] = []

    def tried(read: Callable[[], Found]) -> Found | None:
        try:
            return read()
        except InputError as error:
            unreadable.append(str(error))
            return None

    try:
        settings = TrainSettings.model_validate(manifest["settings"])
        start = tried(lambda: read_start(run))
        plain = manifest["device"]["description"]
        description = DeviceDescription.model_validate(plain) if start is None else start.description(plain)
    except (ValidationError, KeyError, TypeError, ValueError) as error:
        told = " ".join(str(error).split())
        raise InputError(f"{run} was written by another version: {told}") from None
    rows = tried(lambda: _rows(reader, len(description.layers))) or gathered(())
    found, refused = tried(reader.newest_checkpoint) or (None, ())
    unreadable += [f"an older checkpoint is used: {reason}" for reason in refused]
    whole = settings.whole_network
    network = None if found is None else tried(lambda: _network(run, found))
    return Account(
        path=run,
        manifest=manifest,
        summary=tried(lambda: _summary(reader, len(rows.layers))),
        status=tried(lambda: reader.status),
        settings=settings,
        description=description,
        rows=rows,
        superseded=_lines(run / SUPERSEDED),
        network=network,
        before=() if start is None else _by_layer(start.parameters, description, whole=whole),
        after=()
        if network is None or found is None
        else _by_layer(
            _parameters(network, found, as_one_layer(description) if whole else description), description, whole=whole
        ),
        evaluation=tried(lambda: read_evaluation(run)),
        calibration=tried(lambda: _record(run, manifest)),
        notes=() if found is None else _noted(found),
        unreadable=tuple(unreadable),
    )


def _summary(reader: RunReader, layers: int) -> Mapping[str, Any] | None:
    """Return the summary, if there is one; raises InputError where it lacks what a report tells."""
    summary = reader.summary
    if summary is None:
        return None
    regression = reader.manifest["dataset"]["task"] == "regression"
    _demand(reader.path / SUMMARY, "", summary, (*TOLD_AT_END, "test_r2" if regression else "test_accuracy"))
    if len(summary["layers"]) < layers:
        raise InputError(f"{reader.path / SUMMARY} tells of {len(summary['layers'])} layers; {layers} were logged")
    return summary


def _demand(path: Path, table: str, content: object, names: tuple[str, ...]) -> None:
    """Raise InputError unless *content* is a table that has these *names*."""
    told: Mapping[str, Any] = cast("Mapping[str, Any]", content) if isinstance(content, Mapping) else {}
    lacking = [f"{table}.{name}" if table else name for name in names if name not in told]
    if lacking:
        raise InputError(f"{path} is damaged, or was written by another version: it lacks {', '.join(lacking)}")


def _noted(checkpoint: Checkpoint) -> tuple[str, ...]:
    interlude: Mapping[str, Any] = checkpoint.plain.get("interlude") or {}
    sentinel: Mapping[str, Any] = interlude.get("sentinel") or {}
    again = int(sentinel.get("recalibrations", 0))
    calibrated = [f"drift: calibrated again {again} time{'' if again == 1 else 's'}"] if again else []
    return (*(str(note) for note in interlude.get("notes", ())), *calibrated)


def trained_within(run: Path) -> list[Path]:
    """Return the folders of the training runs within the run of a protocol, in the order of its steps."""
    return sorted(found.parent for found in run.rglob(METRICS) if found.parent != run)


def _no_training_run(run: Path, manifest: Mapping[str, Any]) -> str:
    if manifest.get("kind") != PROTOCOL:
        return f"{run} is no training run"
    inner = ", ".join(str(own) for own in trained_within(run))
    told = f"the run of a protocol, which trained in {inner}" if inner else "the run of a protocol that trained nothing"
    return f"{run} is {told}"


def _rows(reader: RunReader, n_layers: int) -> Rows:
    try:
        rows = gathered(reader.metrics())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{reader.path / METRICS} is damaged: {type(error).__name__}: {error}") from None
    if not set(rows.layers) <= set(range(n_layers)):
        raise InputError(f"{reader.path / METRICS} is damaged: the device has no layer {max(rows.layers)}")
    return rows


def _network(run: Path, checkpoint: Checkpoint) -> Network:
    try:
        return Network.from_arrays(checkpoint.arrays)
    except (KeyError, ValueError) as error:
        raise InputError(f"the checkpoint of {run} cannot be used: it lacks {error}") from None


def _parameters(network: Network, checkpoint: Checkpoint, trained: DeviceDescription) -> tuple[FloatArray, ...]:
    """Return the parameters (P,) of each trained layer; those of the one in training as far as it has come."""
    parameters = [layer.parameters for layer in network.layers]
    in_training = checkpoint.arrays.get("state.trainer.parameters")
    if in_training is not None:
        done = len(checkpoint.plain["session"]["progress"]["layers"])
        scale = TrainedScale(trained.layers[done])
        parameters[done] = scale.values(scale.box.settle(in_training).values)
    return tuple(parameters)


def _by_layer(
    parameters: tuple[FloatArray, ...], description: DeviceDescription, *, whole: bool
) -> tuple[FloatArray, ...]:
    """Return them by layer of the device, where all its layers were trained as one; nothing where they do not fit."""
    sizes = [layer.n_parameters for layer in description.layers]
    if whole and len(parameters) == 1:
        edges = np.cumsum([0, *sizes]).tolist()
        parameters = tuple(parameters[0][start:stop] for start, stop in pairwise(edges))
    return parameters if [len(own) for own in parameters] == sizes else ()


def _record(run: Path, manifest: Mapping[str, Any]) -> CalibrationRecord | None:
    kept = manifest.get("calibration")
    return None if kept is None else load(run / str(kept["file"]))


def _lines(path: Path) -> int:
    try:
        return path.read_bytes().count(b"\n")
    except OSError:
        return 0
