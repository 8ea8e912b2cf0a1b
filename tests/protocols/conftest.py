"""Small protocols on small twins, and the command line in this process."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ffzero_lab.runs import RunReader
from ffzero_lab.signals import Signals

HEAD = """
[protocol]
title = "A test"

[device]
name = "twin:photonic"
ports = 4
layers = 1
"""
TRAIN = """
[[step]]
name = "train"
kind = "train"
checkpoint_every = 1e-3
settings = { dataset = "iris", steps = 12, batch = 16, log_every = 1, baselines = false }
"""


@dataclass(frozen=True)
class Carried:
    """A protocol that was carried out, or refused."""

    code: int
    out: str
    err: str

    @property
    def run(self) -> Path:
        return Path(json.loads(self.out)["run"])

    @property
    def steps(self) -> dict[str, dict[str, Any]]:
        return {step["name"]: step for step in json.loads(self.out)["steps"]}

    def results(self, step: str) -> dict[str, Any]:
        return self.steps[step]["results"]


Carry = Callable[..., Carried]


@pytest.fixture
def carry(ask: Callable[..., tuple[int, str, str]], tmp_path: Path) -> Carry:
    """Carry out the text of a protocol, on its own twin."""

    def carry_out(text: str, *arguments: object) -> Carried:
        (tmp_path / "protocol.toml").write_text(text)
        return Carried(*ask("run", "protocol.toml", "--json", *arguments))

    return carry_out


@pytest.fixture
def resume(ask: Callable[..., tuple[int, str, str]]) -> Carry:
    """Go on with a run."""

    def go_on(run: Path, *arguments: object) -> Carried:
        return Carried(*ask("run", "--resume", run, "--json", *arguments))

    return go_on


@pytest.fixture
def before_exchange(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], None]], Any]:
    """Within the block, act before the exchange of that number, from 1; 0: only count them."""

    class Acting:
        def __init__(self, number: int, act: Callable[[], None]) -> None:
            self.number, self.act, self.seen = number, act, 0

        def __enter__(self) -> "Acting":
            self._patch = pytest.MonkeyPatch()

            def heed(_: Signals) -> None:
                self.seen += 1
                if self.seen == self.number:
                    self.act()

            self._patch.setattr(Signals, "heed", heed)
            return self

        def __exit__(self, *_: object) -> None:
            self._patch.undo()

    return Acting


WALL_CLOCK = {
    "wall_seconds", "updated", "started", "began", "ended", "begun", "run_id", "pid", "sha256", "data_dir", "name",
    "source",
}  # fmt: skip


def timeless(content: Any) -> Any:
    """Leave out what a clock on the wall, or where the run is, decides."""
    if isinstance(content, dict):
        return {key: timeless(value) for key, value in content.items() if key not in WALL_CLOCK}
    return [timeless(value) for value in content] if isinstance(content, list) else content


def left_behind(run: Path) -> dict[str, Any]:
    """What a complete protocol left: outcomes, exact states, rows and parameters."""
    left: dict[str, Any] = {}
    for folder in [run, *sorted(path.parent for path in run.glob("*/manifest.json"))]:
        reader, name = RunReader(folder), folder.relative_to(run).as_posix()
        checkpoint = reader.checkpoint()
        left |= {f"{name}: {key}": values.tobytes() for key, values in checkpoint.arrays.items()}
        left[f"{name}: plain"] = timeless(checkpoint.plain)
        left[f"{name}: summary"] = timeless(reader.summary)
        left[f"{name}: manifest"] = timeless(reader.manifest)
        left[f"{name}: rows"] = [timeless(row) for row in reader.metrics()]
    return left
