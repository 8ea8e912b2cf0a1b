"""``ffzero-lab protocols``: lists the shipped protocols, shows and checks one."""

from pathlib import Path

import typer

from ffzero_lab.cli.outcome import outcome, print_json
from protocols.checked import Protocol
from protocols.reading import find, read, shipped


def list_command(*, as_json: bool) -> None:
    """List the shipped protocols with their titles."""
    with outcome(as_json=as_json):
        known = [read(name, path.read_text(encoding="utf-8")) for name, path in shipped().items()]
        if as_json:
            rows = [{"name": each.name, "title": each.head.title, "steps": len(each.steps)} for each in known]
            print_json({"protocols": rows})
            return
        width = max(len(each.name) for each in known)
        for each in known:
            typer.echo(f"{each.name:{width}s}  {each.head.title}")


def show_command(protocol: str, *, as_json: bool) -> None:
    """Print the text of a protocol: a beginning for one of one's own."""
    with outcome(as_json=as_json):
        name, source = find(protocol)
        if as_json:
            print_json(_told(read(name, source)))
        else:
            typer.echo(source, nl=False)


def check_command(protocol: str, changes: list[str], *, as_json: bool) -> None:
    """Check a protocol as far as that goes without a device; raises InputError for every mistake."""
    with outcome(as_json=as_json):
        name, source = find(protocol)
        checked = read(name, source, changes=changes)
        if as_json:
            print_json(_told(checked))
            return
        for number, step in enumerate(checked.steps, start=1):
            used = ", ".join(dict.fromkeys(str(reference) for _, reference in step.references))
            typer.echo(f"{number:2d} {step.name} ({step.kind})" + (f"  uses {used}" if used else ""))
        typer.echo(f"{Path(protocol).name}: {len(checked.steps)} steps, no mistakes found")


def _told(protocol: Protocol) -> dict[str, object]:
    return {
        "name": protocol.name,
        "title": protocol.head.title,
        "about": protocol.head.about,
        "kind": protocol.head.kind,
        "steps": [
            {"name": step.name, "kind": step.kind, "uses": [str(ref) for _, ref in step.references]}
            for step in protocol.steps
        ],
    }
