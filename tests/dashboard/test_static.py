"""What the pages may not do, read from their files."""

import re

from ffzero_lab.dashboard.app import STATIC


def test_nothing_on_a_page_moves_by_itself() -> None:
    # one progress bar that glides made every open page draw sixty times a second, on the processor a run needs
    found = {
        file.name: moving
        for file in STATIC.glob("*.[cj]s*")
        if (moving := re.findall(r"transition|animation:|@keyframes|setInterval", file.read_text(encoding="utf-8")))
    }
    assert {"style.css", "run.js"} <= {file.name for file in STATIC.glob("*.[cj]s*")}
    assert found == {}
