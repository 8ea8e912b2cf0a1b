"""``train``: trains the device in place, in a run folder of its own within the protocol's."""

from pathlib import Path
from typing import Any, ClassVar, Literal

from ffzero_lab.datasets import anchored, load_dataset
from ffzero_lab.errors import InputError
from ffzero_lab.manifest import refuse_other_units
from ffzero_lab.runs import RunReader
from ffzero_lab.training import Session, TrainSettings
from ffzero_lab.training.settings import Duration
from protocols.measuring import Scores, trained_in
from protocols.planning import Look, Planned
from protocols.schema import Results, Step
from protocols.training import CHECKPOINT_EVERY_S, Training
from protocols.work import Work


class Trained(Results):
    """What ``train`` finds."""

    run: str
    """The training run's folder, within that of the protocol."""
    test_accuracy: Scores | None = None
    """Share of right answers on the test part, by readout; None for regression."""
    test_r2: Scores | None = None
    """R² on the test part by readout; None for classes."""
    score: float
    """That of the readout the run was trained for."""
    untrained: float | None
    """The same of the device before training; None where it was not measured."""
    linear: float | None
    """The same of a linear model of the raw features."""
    train_score: float
    """Of the last layer alone, on the training part."""
    loss: float
    """Of the last layer, at its end."""
    steps: int
    """Of all layers together."""
    writes: int
    """Parameter writes, everything included."""
    shots: int
    """Patterns presented, everything included."""
    device_seconds: float
    """Device time, the sentinel's left out."""


class Train(Step):
    """Train by the settings of a training run."""

    found: ClassVar[type[Results]] = Trained

    kind: Literal["train"] = "train"
    settings: TrainSettings = TrainSettings()
    """As in the table ``[train]`` of a configuration file."""
    start_from: str | None = None
    """A training run whose parameters and prototypes are started from: ``${train.run}``, or a run folder."""
    checkpoint_every: Duration = CHECKPOINT_EVERY_S
    """Wall time between two checkpoints."""

    def plan(self, look: Look) -> Planned:
        """Return the plan; raises InputError when data set, settings and device do not fit together."""
        settings = self.settings_from(look.data_dir)
        dataset = load_dataset(settings.dataset, settings.data_dir, settings.task)
        start = None
        if self.start_from is not None:
            planned_training(self.start_from, look, None)
            if (look.data_dir / self.start_from).exists():
                start = trained_in(look.data_dir / self.start_from, None, look.data_dir).network
        waits = look.needs_record(uncalibrated=settings.uncalibrated)
        admitted = settings.model_copy(update={"uncalibrated": True}) if waits else settings
        device = look.device if waits or settings.uncalibrated else look.as_trained
        session = Session(device, dataset, admitted, None if waits else start)
        parameters = sum(layer.n_parameters for layer in look.device.description.layers)
        touches = f"moves {parameters} parameters of {len(look.device.description.layers)} layers, light in"
        return Planned(
            counts=session.plan.total,
            waits_s=session.plan.seconds - session.plan.total.seconds(_timing(look)),
            touches=(touches,),
            staged=dataset.n_train + 2 * dataset.n_test,
        )

    def run(self, work: Work) -> Trained:
        """Train; raises what the device raises."""
        shift, settings = work.shift, self.settings_from(work.shift.data_dir)
        path = work.folder / "training" if work.prefix else work.folder

        def trained() -> dict[str, Any]:
            dataset = load_dataset(settings.dataset, settings.data_dir, settings.task)
            start = None
            if self.start_from is not None:
                earlier = trained_in(work.found(self.start_from), None, shift.data_dir)
                device = shift.protected(uncalibrated=settings.uncalibrated)
                refuse_other_units(earlier.run, earlier.manifest, device.description)
                start = earlier.network
            training = Training(shift, work.sentinel, path, settings, dataset, start, self.checkpoint_every)
            with shift.account() as ledger:
                summary = training.carry_out()
            shift.add(ledger)
            return _results(summary, work.within_run(path))

        found = Trained(**work.kept("training", trained))
        work.tell(f"test score {found.score:.4f} after {found.steps} steps, {found.shots:,} shots")
        return found

    def settings_from(self, data_dir: Path) -> TrainSettings:
        """Return the settings with the folder of the data set written down, to be found again from anywhere."""
        given = self.settings.data_dir
        folder = anchored(self.settings.dataset, given)
        if folder is not None and (given is None or not given.is_absolute()):
            relative = Path() if given is None else given
            folder = data_dir / relative if self.settings.dataset.partition(":")[0] in ("csv", "npz") else folder
        return self.settings.model_copy(update={"data_dir": folder})


def planned_training(run: str, look: Look, dataset: str | None) -> tuple[TrainSettings, int]:
    """Return settings and number of test patterns of a run that a step refers to.

    One of an earlier step does not exist yet: it is the last train step before. Raises InputError when there is none.
    """
    path = look.data_dir / run
    if path.is_dir():
        settings = TrainSettings(**RunReader(path).manifest["settings"])
    else:
        trains = [step for step in look.earlier.values() if isinstance(step, Train)]
        if not trains:
            raise InputError(f"{run!r} is no run folder, and no step before trains")
        settings = trains[-1].settings_from(look.data_dir)
    folder = settings.data_dir if dataset is None else look.data_dir
    return settings, load_dataset(dataset or settings.dataset, folder, settings.task).n_test


def _timing(look: Look) -> Any:
    return look.device.description.timing


def _results(summary: dict[str, Any], run: str) -> dict[str, Any]:
    key = "test_accuracy" if "test_accuracy" in summary else "test_r2"
    readout: str = summary["readout"]
    baselines: dict[str, Any] = summary["baselines"] or {}
    untrained = baselines.get("untrained_device")
    last = summary["layers"][-1]
    return {
        "run": run,
        key: summary[key],
        "score": summary[key][readout],
        "untrained": None if untrained is None else untrained[readout],
        "linear": baselines.get("linear_classifier", baselines.get("linear_regression")),
        "train_score": last["train_accuracy" if key == "test_accuracy" else "train_r2"],
        "loss": last["loss"],
        "steps": sum(layer["steps"] for layer in summary["layers"]),
        "writes": summary["writes"],
        "shots": summary["shots"],
        "device_seconds": summary["device_seconds"],
    }
