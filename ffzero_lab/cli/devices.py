"""``ffzero-lab devices``: lists what can be reached, and looks over a bench."""

from dataclasses import asdict

from rich.console import Console

from ffzero_lab.cli.bench import table_of
from ffzero_lab.cli.layout import say
from ffzero_lab.cli.outcome import outcome, print_json
from ffzero_lab.cli.request import device_options
from ffzero_lab.discovery import everything, identifier
from ffzero_lab.errors import InputError
from ffzero_lab.inspection import Report, inspect
from ffzero_lab.opening import open_configured

LONGEST_WAIT_S = 3600.0


def list_command(*, as_json: bool) -> None:
    """List installed drivers and instruments, VISA resources and serial ports."""
    with outcome(as_json=as_json):
        found = everything()
        if as_json:
            print_json(
                {one.kind.lower().replace(" ", "_"): {"found": one.items, "problems": one.problems} for one in found}
            )
            return
        console = Console()
        for one in found:
            console.print(f"{one.kind}: {len(one.items) or 'none'}", style="bold", highlight=False)
            if one.items:
                console.print(table_of(one.items))
            for problem in one.problems:
                console.print(f"problem: {problem}", markup=False, highlight=False, soft_wrap=True)


def check_command(device: str, assignments: list[str], *, energise: bool, as_json: bool) -> None:
    """Open a bench, identify and park it, read it back and in the dark, time every exchange; energise it if asked."""
    with outcome(as_json=as_json):
        with open_configured(device, device_options(assignments)) as opened:
            report = inspect(opened, energise=energise)
        if as_json:
            print_json(asdict(report))
        else:
            _show(report)


def identify_command(resource: str, *, wait_s: float, as_json: bool) -> None:
    """Ask the instrument at *resource* who it is."""
    with outcome(as_json=as_json):
        if not 0.0 < wait_s <= LONGEST_WAIT_S:
            raise InputError(f"--wait is {wait_s:g}; allowed: seconds above 0, up to {LONGEST_WAIT_S:g}")
        identity = identifier()(resource, wait_s)
        if as_json:
            print_json({"resource": resource, "identity": identity})
        else:
            say(f"{resource}: {identity}")


def _show(report: Report) -> None:
    console = Console()
    say(f"{report.device} ({report.serial_number})")
    for name, identity in report.identities.items():
        say(f"{name}: {identity}")
    rows = [{**each, "seconds": f"{each['seconds']:.6f}"} for each in report.exchanges]
    console.print(table_of(rows))
    for reading in report.health:
        say(f"health {reading['channel']}: {reading['value']:g} {reading['unit']}")
    for problem in report.problems:
        say(f"problem: {problem}")
    say("parked")
