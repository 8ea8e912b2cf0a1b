"""``ffzero-lab doctor``: what stands between this computer and a good run."""

from dataclasses import asdict
from pathlib import Path

import typer
from rich.console import Console

from ffzero_lab.cli.bench import table_of
from ffzero_lab.cli.outcome import Exit, outcome, print_json
from ffzero_lab.doctor import examine


def doctor_command(run_dir: Path, *, as_json: bool) -> None:
    """Show everything that was looked at; exit code 1 when something is a problem."""
    with outcome(as_json=as_json):
        findings = examine(run_dir)
        problems = [finding for finding in findings if finding.state == "problem"]
        if as_json:
            print_json({"findings": [asdict(finding) for finding in findings], "problems": len(problems)})
        else:
            Console().print(table_of([asdict(finding) for finding in findings]))
            typer.echo(f"{len(problems)} problem{'s' if len(problems) != 1 else ''}")
    if problems:
        raise typer.Exit(Exit.FAILED)
