"""Writes the report of a run: one page in its folder, with the figures as PNG and SVG in a folder beside it."""

from collections.abc import Iterator
from pathlib import Path

from ffzero_lab.figures import require_matplotlib
from ffzero_lab.figures.page import Page, Tile, write
from ffzero_lab.report.account import Account, account_of, trained_within
from ffzero_lab.report.problems import problems_of
from ffzero_lab.report.wording import MEASURES, spelled, told_score
from ffzero_lab.runs import RunReader
from ffzero_lab.runs.index import PROTOCOL
from ffzero_lab.runs.layout import FIGURES, REPORT


def write_report(run: Path) -> Path:
    """Write the report of the training run in the folder *run*, complete or not, and return the page.

    Raises
    ------
    InputError
        When matplotlib is not installed, or *run* is no training run that can be read.
    OSError
        When something cannot be written.
    """
    require_matplotlib("the report")
    account = account_of(run)
    page = run / REPORT
    write(page_of(account), page, run / FIGURES)
    return page


def write_reports(run: Path) -> list[Path]:
    """Write the report of the training run in the folder *run*, or of all those within the run of a protocol.

    Returns the pages. Raises as `write_report` does.
    """
    inner = trained_within(run) if RunReader(run).manifest.get("kind") == PROTOCOL else []
    return [write_report(own) for own in inner or [run]]


def page_of(account: Account) -> Page:
    """Return the report of a run."""
    from ffzero_lab.report.sections import sections_of

    manifest, description = account.manifest, account.description
    dataset = manifest["dataset"]
    return Page(
        title=f"{dataset['name']} on {description.name}: run {manifest['name']}",
        facts=(
            ("run", account.path.name),
            ("started", str(manifest["started"])),
            ("device", f"{description.name}, {description.serial_number}"),
            ("layers", f"{len(description.layers)}, {description.topology}"),
            ("rule", f"{account.settings.rule}, seed {account.settings.seed}"),
            ("steps", f"{manifest['plan']['steps']:,} of each layer, batch {manifest['plan']['batch']:,}"),
        ),
        problems=problems_of(account),
        tiles=tuple(_tiles(account)),
        sections=sections_of(account),
        all_well="complete, nothing wrong" if account.summary is not None else "nothing wrong so far",
    )


def _tiles(account: Account) -> Iterator[Tile]:
    summary, last, measure = account.summary, account.rows.last, account.measure
    if summary is None:
        done = sum(rows.done is not None for rows in account.rows.layers.values())
        yield Tile("layers done", f"{done} of {len(account.trained.layers)}", alarming=True)
        seen = [rows.columns["score"][-1] for rows in account.rows.layers.values() if len(rows.columns["score"])]
        if seen:
            yield Tile(f"{MEASURES[measure]} of the last batch", told_score(measure, float(seen[-1])), "in training")
        if last is not None:
            yield Tile("measurements", f"{last['readings']:,}", f"{last['shots']:,} shots")
            hint = f"planned: {spelled(float(account.manifest['plan']['seconds']))}"
            yield Tile("device time", spelled(float(last["device_seconds"])), hint)
        return
    readout, scores = account.settings.readout, summary[f"test_{measure}"]
    others = ", ".join(f"{name} {told_score(measure, score)}" for name, score in scores.items() if name != readout)
    yield Tile(f"test {MEASURES[measure]}, {readout}", told_score(measure, scores[readout]), others)
    if account.untrained_score is not None:
        yield Tile("untrained device", told_score(measure, account.untrained_score), "the same readout")
    if account.linear_score is not None:
        yield Tile("linear model", told_score(measure, account.linear_score), "of the raw features")
    yield Tile("measurements", f"{summary['readings']:,}", f"{summary['shots']:,} shots, {summary['writes']:,} writes")
    hint = f"predicted: {spelled(float(summary['predicted_seconds']))}"
    yield Tile("device time", spelled(float(summary["device_seconds"])), hint)
    yield Tile("wall time", spelled(float(summary["wall_seconds"])))
