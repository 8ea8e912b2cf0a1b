"""Declares ``report``."""

from ffzero_lab.cli.commands.options import Json, RunFolder


def report(run: RunFolder, json_: Json = False) -> None:
    """Write the report of a training run, complete or not; of a protocol, those of its training runs."""
    from ffzero_lab.cli.report import report_command

    report_command(run, as_json=json_)
