"""The protocol of the how-to guide has no mistake, and its sentinel fits it."""

import re
from pathlib import Path

from protocols.reading import read

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "write-a-protocol.md"


def test_the_protocol_of_the_guide_is_one() -> None:
    steps, sentinel = re.findall(r"```toml\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    for short in (False, True):
        protocol = read("guide", sentinel + steps, short=short)
        assert [step.kind for step in protocol.steps] == ["calibrate", "train", "confirm", "evaluate", "report"]
    assert protocol.sentinel is not None
    assert protocol.sentinel.every == 1800.0
