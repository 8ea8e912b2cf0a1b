"""Declares ``evaluate`` and ``predict``."""

from pathlib import Path
from typing import Annotated

import typer

from ffzero_lab.cli.commands.options import (
    CalibrationDir,
    DataDir,
    ExpiredCalibration,
    Json,
    RunCalibration,
    RunDevice,
    RunFolder,
)


def evaluate(
    run: RunFolder,
    dataset: Annotated[
        str | None, typer.Option(show_default="the run's own", help="Another data set with the same classes.")
    ] = None,
    data_dir: DataDir = None,
    device: RunDevice = None,
    calibration: RunCalibration = None,
    calibration_dir: CalibrationDir = None,
    expired_calibration: ExpiredCalibration = False,
    record_io: Annotated[
        Path | None,
        typer.Option(
            show_default="none", help="Keep every exchange with the device in this new folder, for replay:FOLDER."
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Write a run's parameters back to its device and measure the test accuracy again."""
    from ffzero_lab.cli.measure import choice_of, evaluate_command

    choice = choice_of(calibration, calibration_dir, accept_expired=expired_calibration)
    evaluate_command(
        run,
        dataset=dataset,
        data_dir=data_dir,
        device=device,
        calibration=choice,
        record_io=record_io,
        as_json=json_,
    )


def predict(
    run: RunFolder,
    file: Annotated[Path, typer.Argument(help="Unlabelled rows: CSV, or npz with an array x.")],
    output: Annotated[Path | None, typer.Option(help="Write the predictions to this CSV file.")] = None,
    device: RunDevice = None,
    calibration: RunCalibration = None,
    calibration_dir: CalibrationDir = None,
    expired_calibration: ExpiredCalibration = False,
    json_: Json = False,
) -> None:
    """Predict the class of every row of an unlabelled file with a trained run."""
    from ffzero_lab.cli.measure import choice_of, predict_command

    choice = choice_of(calibration, calibration_dir, accept_expired=expired_calibration)
    predict_command(run, file, output=output, device=device, calibration=choice, as_json=json_)
