"""Options that several commands have, declared once."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
DEVICES = "twin, twin:photonic, an installed driver, module:Class, a bench file (.toml), or replay:RUN."
RunDevice = Annotated[str | None, typer.Option(show_default="the run's own", help=DEVICES)]
DataDir = Annotated[Path | None, typer.Option(help="Folder of data sets (mnist); relative paths start from it.")]
RunDir = Annotated[Path, typer.Option(help="Folder that holds the run folders.")]
Calibration = Annotated[
    str | None,
    typer.Option(
        show_default="the newest for a device in raw units", metavar="RECORD|newest", help="Calibration record to use."
    ),
]
RunCalibration = Annotated[
    str | None,
    typer.Option(show_default="the run's own", metavar="RECORD|newest", help="Another calibration record to use."),
]
CalibrationDir = Annotated[
    Path | None, typer.Option(show_default="calibrations", help="Folder in which the newest record is looked for.")
]
ExpiredCalibration = Annotated[
    bool, typer.Option("--expired-calibration", help="Use a calibration record that has expired.")
]
RecordIo = Annotated[
    bool, typer.Option("--record-io", help="Keep every exchange with the device, for --device replay:RUN.")
]
OtherVersions = Annotated[
    bool, typer.Option("--other-versions", help="With --resume: accept other versions, and so other numbers.")
]
AfterTrip = Annotated[
    bool, typer.Option("--after-trip", help="With --resume: the cause of the interlock's trip is removed.")
]
RunFolder = Annotated[Path, typer.Argument(help="A run folder.")]
