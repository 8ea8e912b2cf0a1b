"""Draws docs/images/terminal.svg from a real run, by what shows it: ``python docs/make_terminal.py``, half a minute."""

import re
import tempfile
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

import ffzero_lab.cli.train as command
from ffzero_lab.cli.display import Shown
from ffzero_lab.cli.layout import wrapped
from ffzero_lab.cli.progress import panel
from ffzero_lab.cli.request import Tables, read_request
from ffzero_lab.cli.wording import describe, plan_lines
from ffzero_lab.datasets import load_dataset
from ffzero_lab.signals import Signals
from ffzero_lab.training import Event, LayerDone, StepDone

PICTURE = Path(__file__).parent / "images" / "terminal.svg"
WIDTH, STEPS = 90, 1500
MOMENT = 300
"""Step of the second layer at which the picture is taken."""
SETTINGS = ("validation=0.1", "interlocks.heat_0.upper=13.5")


class Pictured(Shown):
    """Takes the picture on the way."""

    def show(self, event: Event) -> None:
        """Write down what stays, and at its moment what is live."""
        super().show(event)
        if isinstance(event, LayerDone) and event.layer == 0:
            self.done = describe(event, self.session.device.ledger.total, self.session.network.aim.measure)
        if isinstance(event, StepDone) and (event.layer, event.step) == (1, MOMENT):
            self._draw()

    def _draw(self) -> None:
        console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True, color_system="truecolor")
        given = " ".join(f"--set {setting}" for setting in SETTINGS)
        for told in (f"$ ffzero-lab train --steps {STEPS} {given}", *plan_lines(self.session), self.done):
            console.print(wrapped(told, WIDTH), markup=False, highlight=False)
        for line in panel(self.facts(), WIDTH):
            console.print(Text("").append_text(line), soft_wrap=True)
        console.print()  # else what hangs below the last line is cut
        drawn = console.export_svg(title="ffzero-lab train")
        PICTURE.write_text(re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL), encoding="utf-8")


def main() -> None:
    """Train in a temporary folder, and draw."""
    made: list[Any] = []

    def pictured(*arguments: Any, as_json: bool) -> Shown:
        del as_json
        made.append(Pictured(*arguments))
        return made[-1]

    command.display_for = pictured
    request = read_request(None, Tables(train={"steps": str(STEPS)}), list(SETTINGS))
    dataset = load_dataset(request.settings.dataset, request.settings.data_dir, request.settings.task)
    with tempfile.TemporaryDirectory() as folder, Signals() as signals:
        command.train_in(Path(folder) / "run", "terminal", request, dataset, signals, as_json=False)


if __name__ == "__main__":
    main()
