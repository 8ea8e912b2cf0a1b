"""Where the recording of a protocol goes on, so that it stays that of one straight run however often it was broken."""

from pathlib import Path

from calibration.journal import RECORDED, STATE, Journal
from ffzero_lab.runs import RunReader
from ffzero_lab.runs.layout import MANIFEST

RECALIBRATION = "recalibration"
"""Begins the name of a folder in which the sentinel's calibrations are kept, within the run folder."""


def own_point(folder: Path) -> int | None:
    """Return the exchanges behind which the step that keeps its files in *folder* takes itself up; None: it does not.

    A training run goes on from its newest checkpoint, a calibration behind its newest part: both know how much of the
    recording is theirs. Of several, in a sweep, the newest counts: those before it are over.
    """
    points: list[int] = []
    for manifest in folder.rglob(MANIFEST):
        checkpoint, _ = RunReader(manifest.parent).newest_checkpoint()
        if checkpoint is not None and "exchanges" in checkpoint.plain:
            points.append(int(checkpoint.plain["exchanges"]))
    points += [point for state in folder.rglob(STATE) if (point := _of_journal(state.parent)) is not None]
    return max(points, default=None)


def set_aside_ahead(run: Path, exchanges: int) -> None:
    """Let re-calibrations that know of more than so many *exchanges* count no more; their folders stay.

    The run goes on before them. Were their parts used, the recording would miss what they were measured with.
    """
    for folder in run.glob(f"{RECALIBRATION}-*"):
        point = max((_of_journal(state.parent) or 0 for state in folder.rglob(STATE)), default=0)
        if point > exchanges:
            set_aside(folder)


def set_aside(folder: Path) -> None:
    """Let a re-calibration count no more, if there is one; its *folder* stays under another name."""
    if folder.is_dir():
        number = 1 + len(list(folder.parent.glob(f"superseded-*-{folder.name}")))
        folder.rename(folder.parent / f"superseded-{number}-{folder.name}")


def _of_journal(parts: Path) -> int | None:
    state = Journal(parts).state
    return int(state[RECORDED]) if RECORDED in state else None
