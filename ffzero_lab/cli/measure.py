"""``ffzero-lab evaluate`` and ``predict``: writes a trained network back and measures with it."""

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from ffzero_lab.applying import Choice, apply_chosen, apply_kept
from ffzero_lab.calibrations import DEFAULT_FOLDER
from ffzero_lab.cli.outcome import outcome, print_json
from ffzero_lab.cli.wording import tell
from ffzero_lab.datasets import Dataset, load_dataset, read_unlabelled
from ffzero_lab.device import InterlockBound, Patterns, interlocks_for, interlocks_on
from ffzero_lab.device.recorder import recorder_of
from ffzero_lab.device.recording import RecordingWriter
from ffzero_lab.errors import InputError
from ffzero_lab.manifest import refuse_other_units
from ffzero_lab.opening import open_configured
from ffzero_lab.runs import RunReader
from ffzero_lab.training import Measured, Network, TrainSettings
from ffzero_lab.training.aim import Aim, Classes
from ffzero_lab.training.whole import trained_as


def evaluate_command(
    run: Path,
    *,
    dataset: str | None,
    data_dir: Path | None,
    device: str | None,
    calibration: Choice,
    record_io: Path | None,
    as_json: bool,
) -> None:
    """Measure the test part of the run's data set, or of another with the same classes.

    Every exchange is kept in the new folder *record_io*, if there is one.
    """
    with outcome(as_json=as_json):
        if record_io is not None and record_io.exists():
            raise InputError(f"--record-io {record_io} exists already; choose another folder")
        reader = RunReader(run)
        settings = _settings(reader)
        network = network_of(reader)
        loaded = load_dataset(dataset or settings.dataset, data_dir or settings.data_dir, settings.task)
        _check_same_aim(loaded, network.aim)
        measured, n_outside = _measure(reader, settings, network, loaded.test_inputs, device, calibration, record_io)
        aim = network.aim
        scores = aim.scores(measured.similarity, aim.wanted(loaded)[1])
        result = {
            "run": str(run),
            "dataset": loaded.name,
            "patterns": loaded.n_test,
            "readout": settings.readout,
            f"test_{aim.measure}": scores,
            "inputs_limited": n_outside,
            "dark": list(measured.dark),
        }
        if as_json:
            print_json(result)
            return
        for name, value in scores.items():
            typer.echo(f"{name:5s} {tell(aim.measure, value)}" + ("  (default)" if name == settings.readout else ""))
        _warn(measured, n_outside)


def predict_command(
    run: Path, file: Path, *, output: Path | None, device: str | None, calibration: Choice, as_json: bool
) -> None:
    """Predict the class, or the number, of every row of an unlabelled file."""
    with outcome(as_json=as_json):
        if output is not None and (as_json or output.exists() or not output.parent.is_dir()):
            why = "goes without --json" if as_json else "exists already" if output.exists() else "is in no folder"
            raise InputError(f"--output {output} {why}; choose another")
        reader = RunReader(run)
        network = network_of(reader)
        features = read_unlabelled(file, len(network.encoder.offset))
        settings = _settings(reader)
        measured, n_outside = _measure(reader, settings, network, features, device, calibration)
        readout = settings.readout
        answers = network.aim.answers(measured.similarity, readout)
        kind = "class" if isinstance(network.aim, Classes) else "value"
        if as_json:
            rows = [{kind: answer, "similarity": sure} for answer, sure in answers]
            print_json({"run": str(run), "file": str(file), "readout": readout, "predictions": rows})
            return
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([kind, "similarity"])
        writer.writerows((answer, f"{sure:.4f}") for answer, sure in answers)
        if output is None:
            typer.echo(text.getvalue(), nl=False)
        else:
            output.write_text(text.getvalue(), encoding="utf-8")
            typer.echo(f"{len(answers)} predictions in {output}")
        _warn(measured, n_outside)


def choice_of(record: str | None, folder: Path | None, *, accept_expired: bool) -> Choice:
    """Return which record is wanted; None: the run's own."""
    return Choice(record, DEFAULT_FOLDER if folder is None else folder, accept_expired)


def _check_same_aim(loaded: Dataset, aim: Aim) -> None:
    names = aim.names if isinstance(aim, Classes) else ()
    if loaded.classes != names:
        raise InputError(
            f"dataset {loaded.name} has the classes {list(loaded.classes)}, the run was trained on {list(names)}"
        )


def network_of(reader: RunReader) -> Network:
    """Return the network of a run; tells on standard error when the run is not complete."""
    checkpoint = reader.checkpoint()
    try:
        network = Network.from_arrays(checkpoint.arrays)
    except KeyError as error:
        raise InputError(f"the checkpoint of {reader.path} lacks {error}; it was written by another program") from None
    if reader.summary is None:
        done = len(checkpoint.plain["session"]["progress"]["layers"])
        typer.echo(
            f"ffzero-lab: {reader.path} is not complete: {done} of {len(network.layers)} layers are trained, "
            "the others stand at their start",
            err=True,
        )
    return network


def _settings(reader: RunReader) -> TrainSettings:
    return TrainSettings(**reader.manifest["settings"])


def _measure(
    reader: RunReader,
    settings: TrainSettings,
    network: Network,
    features: Patterns,
    device: str | None,
    calibration: Choice,
    record_io: Path | None = None,
) -> tuple[Measured, int]:
    saved: dict[str, Any] = reader.manifest["device"]
    name: str = saved["name"] if device is None else device
    options: dict[str, Any] = saved["options"] if device is None else {}
    encoded = network.encoder.encode(features)
    with open_configured(name, options, recorded=record_io is not None) as guard:
        kept: dict[str, Any] | None = reader.manifest["calibration"]
        if calibration.record is None and kept is not None and (device is None or guard.description.raw_units):
            opened, notes = apply_kept(guard, reader.path, kept)
        else:
            uncalibrated = settings.uncalibrated and calibration.record is None
            opened, applied = apply_chosen(guard, replace(calibration, uncalibrated=uncalibrated))
            notes = () if applied is None else applied.notes
        for note in notes:
            typer.echo(f"ffzero-lab: {note}", err=True)
        refuse_other_units(reader.path, reader.manifest, opened.description)
        seen = trained_as(settings, opened)
        described = [(layer.n_parameters, layer.n_outputs) for layer in seen.description.layers]
        trained = [(len(layer.parameters), layer.head.n_outputs) for layer in network.layers]
        if described != trained:
            raise InputError(
                f"device {name!r} has (parameters, outputs) {described} by layer, the run was trained on {trained}"
            )
        bounds = {channel: InterlockBound(**bound) for channel, bound in reader.manifest["interlocks"].items()}
        recorder = recorder_of(opened)
        if recorder is not None and record_io is not None:
            recorder.begin(RecordingWriter.create(record_io))
        with interlocks_on(opened, interlocks_for(opened.description, bounds)) as interlocks:
            opened.before_exchange = interlocks.check
            with opened.ledger.spending_on("evaluation"):
                measured = network.measure(seen, encoded.patterns)
            interlocks.check()
        return measured, encoded.n_outside


def _warn(measured: Measured, n_outside: int) -> None:
    if n_outside:
        typer.echo(f"problem: {n_outside} values lie outside the training range and were limited to it", err=True)
    if any(measured.dark):
        typer.echo(f"problem: patterns under the detection floor, by layer: {list(measured.dark)}", err=True)
