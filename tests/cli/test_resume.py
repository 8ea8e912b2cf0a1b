"""``train --resume``: what goes on exactly, what is refused and why."""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ffzero_lab.runs import RunReader, RunWriter
from ffzero_lab.signals import Interruption, Signals

Command = Callable[..., Any]
PRINTED_COMMAND = re.compile(r"ffzero-lab train --resume (\S+)$")


@dataclass
class Runs:
    """Makes runs of an eight-port twin that end before a chosen exchange with the device."""

    cli: Command
    dataset: Path
    monkeypatch: pytest.MonkeyPatch
    made: int = 0

    def train(self, *more: object) -> Any:
        self.made += 1
        return self.cli(
            "train", "--dataset", f"csv:{self.dataset}", "--set", "device.ports=8", "--steps", 6, "--set",
            "log_every=1", "--set", "run.checkpoint_every=1e-9", "--name", f"run{self.made}", *more,
        )  # fmt: skip

    def undisturbed(self, *more: object) -> Path:
        ended = self.train("--json", *more)
        assert ended.code == 0, ended.err
        return Path(ended.json["run"])

    def before_exchange(self, exchange: int, act: Callable[[], None], *arguments: object) -> Any:
        """Train (or do what *arguments* say) and act before that exchange."""
        with self.monkeypatch.context() as patch:
            patch.setattr(Signals, "heed", _acting_before(exchange, act))
            return self.cli(*arguments) if arguments else self.train()

    def stopped(self, exchange: int = 12, *arguments: object) -> Path:
        ended = self.before_exchange(exchange, _stop, *arguments)
        assert ended.code == 130
        printed = PRINTED_COMMAND.search(ended.err.strip())
        assert printed is not None, ended.err
        return Path(printed[1])


def _stop() -> None:
    raise Interruption("stopped by the test", 130)


def _acting_before(exchange: int, act: Callable[[], None]) -> Callable[[Signals], None]:
    seen = 0

    def heed(_: Signals) -> None:
        nonlocal seen
        seen += 1
        if seen == exchange:
            act()

    return heed


@pytest.fixture
def runs(cli: Command, flowers: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    return Runs(cli, flowers, monkeypatch)


def left_behind(run: Path) -> dict[str, Any]:
    """What a complete run left, without wall-clock fields."""
    reader = RunReader(run)
    checkpoint, summary = reader.checkpoint(), reader.summary
    assert summary is not None
    return {
        **{name: values.tobytes() for name, values in checkpoint.arrays.items()},
        "session": checkpoint.plain["session"],
        "summary": {**summary, "wall_seconds": None},
        "metrics": [{**row, "wall_seconds": None} for row in reader.metrics()],
    }


def rewrite_checkpoint(path: Path, **changes: Any) -> None:
    """Write a checkpoint again with other values in its head."""
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    head = json.loads(str(arrays.pop("checkpoint")))
    np.savez(path, checkpoint=np.array(json.dumps({**head, **changes})), **arrays)


def both_checkpoints(run: Path) -> list[Path]:
    return [run / "checkpoint.npz", run / "checkpoint.previous.npz"]


@pytest.mark.parametrize("exchange", [1, 2, 9, 12, 18, 24])
def test_the_command_printed_at_the_end_resumes_to_the_same_result(cli: Command, runs: Runs, exchange: int) -> None:
    expected = left_behind(runs.undisturbed())
    run = runs.stopped(exchange)
    assert cli("train", "--resume", run).code == 0
    assert left_behind(run) == expected


def test_a_run_stopped_again_and_again_only_gains_superseded_rows(cli: Command, runs: Runs) -> None:
    expected = left_behind(runs.undisturbed())
    run = runs.stopped(9)
    superseded = run / "metrics.superseded.jsonl"
    for _ in range(3):
        before = superseded.read_bytes() if superseded.exists() else b""
        with (run / "metrics.jsonl").open("ab") as metrics:
            metrics.write(b'{"event": "a row behind the checkpoint"}\n{"event": "cut o')
        runs.stopped(5, "train", "--resume", run)
        now = superseded.read_bytes()
        assert now.startswith(before)
        assert now.count(b"a row behind the checkpoint") == before.count(b"a row behind the checkpoint") + 1
    assert cli("train", "--resume", run).code == 0
    assert left_behind(run) == expected


def test_a_superseded_row_begins_on_a_line_of_its_own_after_one_that_was_cut_off(cli: Command, runs: Runs) -> None:
    run = runs.stopped()
    (run / "metrics.superseded.jsonl").write_bytes(b'{"event": "cut o')
    with (run / "metrics.jsonl").open("ab") as metrics:
        metrics.write(b'{"event": "behind"}\n')
    assert cli("train", "--resume", run).code == 0
    lines = (run / "metrics.superseded.jsonl").read_bytes().splitlines()
    assert lines == [b'{"event": "cut o', b'{"event": "behind"}']


@pytest.mark.parametrize("damage", ["cut", "empty", "foreign", "format"])
def test_a_checkpoint_that_is_refused_gives_way_to_the_one_before_it_and_never_replaces_it(
    cli: Command, runs: Runs, damage: str
) -> None:
    expected = left_behind(runs.undisturbed())
    run = runs.stopped(20)
    newest, previous = both_checkpoints(run)
    if damage == "cut":
        newest.write_bytes(newest.read_bytes()[:-100])
    elif damage == "empty":
        newest.write_bytes(b"")
    else:
        rewrite_checkpoint(newest, **({"run_id": "another"} if damage == "foreign" else {"format": 99}))
    refused, intact = newest.read_bytes(), previous.read_bytes()
    runs.stopped(1, "train", "--resume", run)
    assert not newest.exists()
    assert previous.read_bytes() == intact
    assert (run / "checkpoint.refused.npz").read_bytes() == refused
    newest.write_bytes(refused)
    ended = cli("train", "--resume", run)
    assert ended.code == 0, ended.err
    assert "an older checkpoint is used: " in ended.out
    assert "checkpoint.npz" in ended.out
    assert left_behind(run) == expected


def test_without_any_checkpoint_that_can_be_used_it_says_why_for_each(cli: Command, runs: Runs) -> None:
    run = runs.stopped(20)
    newest, previous = both_checkpoints(run)
    newest.write_bytes(b"")
    rewrite_checkpoint(previous, run_id="another")
    metrics = (run / "metrics.jsonl").read_bytes()
    ended = cli("train", "--resume", run)
    assert ended.code == 2
    assert "checkpoint.npz is not an NPZ file" in ended.err
    assert "checkpoint.previous.npz belongs to another run (another, not " in ended.err
    assert "move them away to begin the run anew" in ended.err
    assert (run / "metrics.jsonl").read_bytes() == metrics


@pytest.mark.parametrize("name", ["numpy", "kernel", "ffzero_lab", "python"])
def test_other_versions_are_refused_unless_told_and_then_noted(cli: Command, runs: Runs, name: str) -> None:
    run = runs.stopped(20)
    versions = RunReader(run).manifest["versions"]
    for checkpoint in both_checkpoints(run):
        rewrite_checkpoint(checkpoint, versions={**versions, name: "0.0"})
    ended = cli("train", "--resume", run)
    assert ended.code == 2
    assert f"{name} 0.0 (now {versions[name]})" in ended.err
    assert "--other-versions" in ended.err
    assert cli("train", "--resume", run, "--other-versions").code == 0
    assert RunReader(run).checkpoint().versions == versions


def test_other_versions_are_refused_before_the_first_checkpoint_too(cli: Command, runs: Runs) -> None:
    run = runs.stopped(1)
    manifest = RunReader(run).manifest
    manifest["versions"]["numpy"] = "0.0"
    (run / "manifest.json").write_text(json.dumps(manifest))
    ended = cli("train", "--resume", run)
    assert ended.code == 2
    assert "numpy 0.0" in ended.err


def test_another_data_set_or_another_chip_is_refused(cli: Command, runs: Runs) -> None:
    run = runs.stopped()
    manifest, dataset = (run / "manifest.json").read_text(), runs.dataset.read_text()
    runs.dataset.write_text(dataset.replace("5.", "6.", 1))
    ended = cli("train", "--resume", run)
    assert ended.code == 2
    assert "its fingerprint changed" in ended.err
    runs.dataset.write_text(dataset)
    (run / "manifest.json").write_text(manifest.replace("TWIN-typical-0", "TWIN-typical-1"))
    ended = cli("train", "--resume", run)
    assert ended.code == 2
    assert "the serial number TWIN-typical-1, this one has TWIN-typical-0" in ended.err


@pytest.mark.parametrize("left", [b"", b"\0" * 500, b"[]"])
def test_a_power_cut_that_left_no_status_does_not_keep_a_run_from_going_on(
    cli: Command, runs: Runs, left: bytes
) -> None:
    run = runs.stopped()
    (run / "status.json").write_bytes(left)
    refused = cli("train", "--resume", run)
    assert refused.code == 2
    assert "nobody can tell whether an interlock ended the run" in refused.err
    assert "--after-trip" in refused.err
    assert cli("train", "--resume", run, "--after-trip", "--json").code == 0


def test_a_complete_run_is_refused_with_the_remedy(cli: Command, trained: Path) -> None:
    ended = cli("train", "--resume", trained)
    assert ended.code == 2
    assert "is complete; start a new run from it with --from" in ended.err


def test_metrics_that_are_shorter_than_the_checkpoint_or_gone_are_refused(cli: Command, runs: Runs) -> None:
    run = runs.stopped(20)
    metrics = run / "metrics.jsonl"
    metrics.write_bytes(metrics.read_bytes()[:100])
    ended = cli("train", "--resume", run)
    assert ended.code == 2
    assert "is shorter than its checkpoint says: 100 of " in ended.err
    metrics.unlink()
    ended = cli("train", "--resume", run)
    assert ended.code == 2
    assert "is shorter than its checkpoint says: 0 of " in ended.err
    assert not metrics.exists()


def test_a_run_that_another_process_writes_is_refused_and_left_alone(cli: Command, runs: Runs) -> None:
    run = runs.stopped()
    with RunWriter(run, RunReader(run).manifest):
        before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
        ended = cli("train", "--resume", run)
        assert ended.code == 2
        assert "another process is writing the run" in ended.err
        assert {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()} == before
    assert cli("train", "--resume", run).code == 0


@pytest.mark.parametrize(
    "flags", [["--steps", "9"], ["--set", "sharpness=9"], ["--dry-run"], ["--device", "twin"], ["--from", "x"]]
)
def test_a_flag_that_would_count_for_nothing_is_refused(cli: Command, runs: Runs, flags: list[str]) -> None:
    run = runs.stopped()
    ended = cli("train", "--resume", run, *flags)
    assert ended.code == 2
    assert f"{flags[0]}: not beside --resume" in ended.err
    assert RunReader(run).summary is None


@pytest.mark.parametrize("flag", ["--other-versions", "--after-trip"])
def test_a_flag_of_resuming_is_refused_for_a_new_run(cli: Command, flag: str) -> None:
    ended = cli("train", flag)
    assert ended.code == 2
    assert f"{flag}: only with --resume RUN" in ended.err


def test_a_run_started_from_another_begins_from_it_again_from_any_folder(
    cli: Command, runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = runs.undisturbed()
    expected = left_behind(runs.undisturbed("--from", first))
    with monkeypatch.context() as patch:
        patch.setattr(Signals, "heed", _acting_before(1, _stop))
        assert runs.train("--from", first).code == 130
    run = sorted((tmp_path / "runs").iterdir())[-1]
    started_from = RunReader(run).manifest["started_from"]
    assert Path(started_from) == first.resolve()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    ended = cli("train", "--resume", run)
    assert ended.code == 0, ended.err
    assert left_behind(run) == expected
    assert RunReader(run).manifest["started_from"] == started_from


BENCH = '''
from drivers.twin.photonic import PhotonicTwin
from ffzero_lab.device import Device

LOG = []

class Bench(Device):
    """The twin as hardware shows itself: no exact state, nothing remembered after the process."""

    Config = PhotonicTwin.Config

    def __init__(self, twin):
        self._twin, self.description, self.clock = twin, twin.description, twin.clock

    @classmethod
    def open(cls, config, clock):
        return cls(PhotonicTwin.open(config, clock))

    def load_inputs(self, layer, patterns):
        self._twin.load_inputs(layer, patterns)

    def write_parameters(self, layer, values):
        LOG.append(("write", layer, values.tobytes()))
        self._twin.write_parameters(layer, values)

    def read_outputs(self, layer, rows):
        LOG.append(("read", layer))
        return self._twin.read_outputs(layer, rows)

    def read_health(self):
        return self._twin.read_health()

    def park(self):
        LOG.append(("park",))
        self._twin.park()

    def close(self):
        self.park()
        self._twin.close()
'''


def test_hardware_is_parked_and_the_frozen_layers_of_a_cascade_are_written_again(
    cli: Command, runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some_bench.py").write_text(BENCH)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("FFZERO_LOCK_DIR", str(tmp_path / "locks"))
    more = [
        "--device", "some_bench:Bench", "--set", "device.topology=cascaded", "--set", "device.preset=ideal",
    ]  # fmt: skip
    undisturbed = RunReader(runs.undisturbed(*more)).summary
    assert undisturbed is not None
    looking, untrained, steps, carry = 4, 4, 6, 2
    with monkeypatch.context() as patch:
        patch.setattr(Signals, "heed", _acting_before(looking + untrained + steps + carry + 4, _stop))
        assert runs.train(*more).code == 130
    run = sorted((tmp_path / "runs").iterdir())[-1]
    checkpoint = RunReader(run).checkpoint()
    assert len(checkpoint.plain["session"]["progress"]["layers"]) == 1
    assert not any(name.startswith("state.device") for name in checkpoint.arrays)
    log: list[Any] = sys.modules["some_bench"].LOG
    log.clear()
    ended = cli("train", "--resume", run, "--json")
    assert ended.code == 0, ended.err
    assert log[:2] == [("park",), ("write", 0, checkpoint.arrays["layer0.parameters"].tobytes())]
    assert log[2][:2] == ("write", 1)
    assert log[-1] == ("park",)
    assert ended.json["counts"]["training"] == undisturbed["counts"]["training"]
    assert ended.json["counts"]["carry"]["writes"] == undisturbed["counts"]["carry"]["writes"] + 1
    assert ended.json["device_seconds"] > undisturbed["device_seconds"] - 1e-9
    steps = [(row["layer"], row["step"]) for row in RunReader(run).metrics() if row["event"] == "step"]
    assert steps == [(layer, step) for layer in range(2) for step in range(1, 7)]
