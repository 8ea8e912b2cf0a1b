"""One training over the wire under a plan of faults: what the engine was given meanwhile, and how it ended."""

import traceback
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from exchange_watch import Watch
from fault_subjects import TWIN, Subject
from typer.testing import CliRunner

from drivers.emulator import Emulation, EmulationSpec, FaultPlan, Witnessed, read_witness
from drivers.twin.photonic import PhotonicTwin
from ffzero_lab import opening
from ffzero_lab.cli import app
from ffzero_lab.cli.measure import network_of
from ffzero_lab.device import Guarded
from ffzero_lab.runs import RunReader

SETTINGS = ("--steps", "4", "--batch", "6", "--set", "learning_rate=0.02", "--set", "epsilon=0.02")
QUIET = ("--set", "baselines=false", "--set", "log_every=1", "--set", "run.checkpoint_every=1000")


@dataclass
class Given:
    """What the engine asked for and was given, by a device that stands between it and the driver."""

    staged: list[np.ndarray] = field(default_factory=list)
    readings: list[tuple[int, np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=list)
    """Index of the staged patterns, setpoints (P,), rows, outputs."""
    saturated: int = 0


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    code: int
    told: str
    given: Given
    witnessed: Witnessed
    parameters: np.ndarray | None
    exchanges: Counter[str]
    late: list[tuple[str, float]]
    reported_saturation: bool
    resources: Mapping[str, str]


def recording(given: Given) -> type[Guarded]:
    """Return the guard that every command opens devices behind, noting what passes."""

    class Recording(Guarded):
        standing: np.ndarray

        def load_inputs(self, layer: int, patterns: Any) -> None:
            super().load_inputs(layer, patterns)
            given.staged.append(np.array(patterns))

        def write_parameters(self, layer: int, values: Any) -> None:
            super().write_parameters(layer, values)
            self.standing = np.array(values)

        def read_outputs(self, layer: int, rows: Any) -> Any:
            outputs = super().read_outputs(layer, rows)
            self._note([self.standing], rows, outputs[np.newaxis])
            return outputs

        def probe(self, layer: int, settings: Any, rows: Any) -> Any:
            outputs = super().probe(layer, settings, rows)
            self._note(settings, rows, outputs)
            self.standing = np.array(settings[-1])
            return outputs

        def _note(self, settings: Any, rows: Any, outputs: np.ndarray) -> None:
            place = len(given.staged) - 1
            given.readings += [
                (place, np.array(one), np.array(rows), each.copy()) for one, each in zip(settings, outputs, strict=True)
            ]
            given.saturated = self.saturated

    return Recording


class Judge:
    """The twin in this process: what a reading must be."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._twin = PhotonicTwin.open(PhotonicTwin.Config.model_validate({**TWIN, "drive": "volts"}))
        self.full_scale_w = subject.reported(np.array([self._twin.description.layers[0].output_upper]))[0]

    def wrong(self, given: Given, saturated_channels: set[int]) -> int:
        """Return how many values were believed that are not the twin's, told saturation at those channels aside."""
        found = 0
        for place, setpoints, rows, outputs in given.readings:
            self._twin.write_parameters(0, self._subject.driven(setpoints))
            for row, output in zip(rows, outputs, strict=True):
                self._twin.load_inputs(0, self._subject.presented(given.staged[place][row])[np.newaxis])
                expected = self._subject.reported(self._twin.read_outputs(0, np.zeros(1, dtype=np.intp))[0])
                differing = np.flatnonzero(output != expected)
                found += sum(
                    output[index] != self.full_scale_w or int(index) not in saturated_channels for index in differing
                )
        return found


def run(subject: Subject, folder: Path, way: str, plan: FaultPlan) -> Ended:
    """Train once under *plan*."""
    folder.mkdir()
    spec = EmulationSpec.model_validate(
        {**subject.spec_of(way).model_dump(), "faults": plan, "witness": folder / "witness.jsonl"}
    )
    given = Given()
    with Emulation(spec) as emulation:
        resources = emulation.resources
        (folder / "bench.toml").write_text(subject.file_of(way, resources), encoding="utf-8")
        opening.Walking = recording(given)  # type: ignore[misc]
        arguments = ["train", "--device", str(folder / "bench.toml"), "--dataset", f"csv:{folder.parent / 'two.csv'}"]
        arguments += ["--uncalibrated", "--run-dir", str(folder / "runs"), *SETTINGS, *QUIET]
        with Watch() as watch:
            ended = CliRunner().invoke(app, arguments)
    told = ended.stdout + ended.stderr
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        told += "".join(traceback.format_exception(ended.exception))
    runs = sorted((folder / "runs").glob("*"))
    rows = (runs[0] / "metrics.jsonl").read_text().splitlines() if ended.exit_code == 0 else []
    return Ended(
        ended.exit_code,
        told,
        given,
        read_witness(folder / "witness.jsonl"),
        network_of(RunReader(runs[0])).layers[0].parameters if ended.exit_code == 0 else None,
        Counter({name: watch.counted[resource] for name, resource in resources.items()}),
        watch.late,
        any("at or above the detectors' full scale" in row for row in rows),
        resources,
    )
