"""``ffzero-lab sweep`` with hands of this process: what is refused, what is kept, what goes on."""

import importlib
import json
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ffzero_lab.bench_lock import BenchLock
from ffzero_lab.cli.sweep_point import conduct_point
from ffzero_lab.runs import RunReader, RunWriter
from ffzero_lab.signals import Interruption, Signals
from ffzero_lab.sweeps.folder import SweepFolder

Command = Callable[..., Any]
FILE = """
[device]
ports = 8
[train]
dataset = "csv:flowers.csv"
steps = 6
log_every = 1
[run]
checkpoint_every = 1e-9
[sweep]
settings.seed = [0, 1]
settings.device.preset = ["typical", "ideal"]
"""


class OneAfterTheOther:
    """Carries points out in this process; before some it does what a test says."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, str | None]] = []
        self.done: list[int] = []
        self.before: dict[int, Callable[[], None]] = {}

    @contextmanager
    def cluster(self, sweep: Path, workers: int, scheduler: str | None) -> Generator["OneAfterTheOther"]:
        self.asked.append((workers, scheduler))
        yield self

    def carry_out(
        self, act: Any, folder: str, points: Sequence[int], key: str, heed: Callable[[], None]
    ) -> Iterator[Any]:
        for point in points:
            self.before.pop(point, lambda: None)()
            yield point, act(folder, point)
            self.done.append(point)

    def wait(self, seconds: float, meanwhile: Callable[[], None]) -> None:
        meanwhile()


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> OneAfterTheOther:
    hands = OneAfterTheOther()
    monkeypatch.setattr(importlib.import_module("ffzero_lab.cli.sweep"), "cluster", hands.cluster)
    return hands


@pytest.fixture
def file(flowers: Path) -> Path:
    path = flowers.with_name("search.toml")
    path.write_text(FILE)
    return path


def result(run: Path) -> dict[str, Any]:
    reader = RunReader(run)
    arrays, summary = reader.checkpoint().arrays, reader.summary
    assert summary is not None
    return {
        "summary": {**summary, "wall_seconds": None},
        **{name: values.tobytes() for name, values in arrays.items()},
    }


def alone(cli: Command, settings: dict[str, Any]) -> Path:
    """Train one point as anybody would."""
    name = "alone-" + "-".join(str(value) for value in settings.values())
    ended = cli(
        "train", "--dataset", "csv:flowers.csv", "--steps", 6, "--set", "device.ports=8", "--set", "log_every=1",
        "--seed", settings["seed"], "--preset", settings["device.preset"], "--name", name, "--json",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    return Path(ended.json["run"])


def test_each_point_is_an_ordinary_run_equal_to_its_solo_run(cli: Command, file: Path, hands: OneAfterTheOther) -> None:
    ended = cli("sweep", file, "--json")
    assert ended.code == 0, ended.err
    assert (ended.json["points"], ended.json["complete"]) == (4, 4)
    assert hands.asked == [(2, None)]
    for row in ended.json["results"]:
        run = alone(cli, row["settings"])
        assert result(Path(row["run"])) == result(run)
        assert row["test_accuracy"] == (RunReader(run).summary or {})["test_accuracy"]
    listed = cli("runs", "list", "--run-dir", ended.json["sweep"], "--json").json["runs"]
    assert [row["run"] for row in listed] == [f"point-{number:04d}" for number in range(4)]


def test_a_dry_run_lists_the_points_and_their_cost_and_writes_nothing(
    cli: Command, file: Path, hands: OneAfterTheOther
) -> None:
    ended = cli("sweep", file, "--dry-run")
    assert ended.code == 0, ended.err
    assert "point-0003  seed=1 device.preset=ideal" in ended.out
    assert not Path("runs").exists()
    assert hands.asked == []
    dry = cli("sweep", file, "--dry-run", "--workers", 3, "--json").json
    alone = cli(
        "train", "--dataset", "csv:flowers.csv", "--steps", 6, "--set", "device.ports=8", "--dry-run", "--json"
    ).json
    assert (len(dry["points"]), dry["workers"]) == (4, 3)
    assert dry["shots"] == 4 * alone["shots"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("settings.seed = [0, 1]", "settings.sede = [0, 1]"), "did you mean 'seed'"),
        (("settings.seed = [0, 1]", "settings.seed = [0, -1]"), "point seed=-1 device.preset=typical"),
        (('"ideal"]', '"idael"]'), "did you mean 'ideal'"),
        (("ports = 8", "ports = 2"), "point seed=0 device.preset=typical: dataset"),
        (("[sweep]", "[swoop]"), "no table [sweep]"),
        (("settings.seed = [0, 1]", 'kind = "hexagon"'), "kind"),
        (("steps = 6", "stepz = 6"), "did you mean 'steps'"),
        (("[sweep]", "[sweep"), "cannot be read"),
    ],
)
def test_a_mistake_in_any_point_is_told_before_the_first_begins(
    cli: Command, file: Path, hands: OneAfterTheOther, change: tuple[str, str], message: str
) -> None:
    file.write_text(FILE.replace(*change))
    ended = cli("sweep", file)
    assert ended.code == 2
    assert message in ended.err
    assert hands.asked == []
    assert not Path("runs").exists()


def test_a_bench_is_refused_to_more_than_one_worker(
    cli: Command, file: Path, hands: OneAfterTheOther, table: Any
) -> None:
    device = f'[device]\nname = "recorded_bench:RecordedBench"\nwitness = "{table.witness.path}"\n'
    file.write_text(FILE.replace("[device]\n", device).replace("settings.device.preset", "settings.loss")
                    .replace('["typical", "ideal"]', '["margin"]'))  # fmt: skip
    for more in ((), ("--scheduler", "tcp://127.0.0.1:1"), ("--workers", 3)):
        ended = cli("sweep", file, *more)
        assert ended.code == 2
        assert "a bench (recorded R-1) is one process's at a time and cannot be swept with" in ended.err
    assert hands.asked == []
    held = BenchLock("recorded R-1")
    held.acquire(None)
    try:
        ended = cli("sweep", file, "--workers", 1)
    finally:
        held.release()
    assert ended.code == 3
    assert "is in use by this process" in ended.err


def test_what_ended_early_goes_on_and_what_is_complete_stays(
    cli: Command, file: Path, hands: OneAfterTheOther, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> None:
        raise Interruption("interrupted by SIGINT", 130)

    hands.before[2] = interrupt
    ended = cli("sweep", file, "--name", "cut")
    assert ended.code == 130
    (folder,) = Path("runs").glob("*-cut")
    assert ended.err.splitlines()[-1] == f"ffzero-lab sweep --resume {folder}"
    assert "2 of 4 points are complete" in ended.err
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("point-000[01]/*")}
    assert conduct_point(str(folder), 2)["state"] == "stopped"  # nothing begins while the sweep is stopped
    hands.done.clear()
    again = cli("sweep", "--resume", folder, "--json")
    assert again.code == 0, again.out
    assert hands.done == [2, 3]
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("point-000[01]/*")} == before
    assert result(folder / "point-0003") == result(alone(cli, again.json["results"][3]["settings"]))


@pytest.mark.parametrize("exchange", [0, 8, pytest.param(16, marks=pytest.mark.slow)])
def test_a_point_whose_worker_was_killed_goes_on_to_the_same_result(
    cli: Command, file: Path, hands: OneAfterTheOther, monkeypatch: pytest.MonkeyPatch, exchange: int
) -> None:
    hands.before[0] = lambda: (_ for _ in ()).throw(Interruption("", 130))
    cli("sweep", file, "--name", "cut")
    (folder,) = Path("runs").glob("*-cut")
    SweepFolder(folder).allow()
    if exchange:

        class Killed(BaseException):
            pass

        calls = 0

        def heed(_: Signals) -> None:
            nonlocal calls
            calls += 1
            if calls == exchange:
                raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(Signals, "heed", heed)
            with pytest.raises(Killed):
                conduct_point(str(folder), 0)
    else:  # in the middle of making the folder, before there was a manifest
        (folder / "point-0000" / "control").mkdir(parents=True)
    assert conduct_point(str(folder), 0)["state"] == "complete"
    assert result(folder / "point-0000") == result(alone(cli, {"seed": 0, "device.preset": "typical"}))


def test_a_point_that_somebody_still_writes_is_waited_for_and_taken_over(
    cli: Command, file: Path, hands: OneAfterTheOther, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands.before[0] = lambda: (_ for _ in ()).throw(Interruption("", 130))
    cli("sweep", file)
    (folder,) = Path("runs").glob("*-search")
    sweep = SweepFolder(folder)
    sweep.allow()
    calls = 0

    def heed(_: Signals) -> None:
        nonlocal calls
        calls += 1
        if calls == 12:
            raise Interruption("", 130)

    with monkeypatch.context() as patch:
        patch.setattr(Signals, "heed", heed)
        assert conduct_point(str(folder), 0)["state"] == "stopped"
    other = RunWriter(sweep.run(0), {})
    waits = 0

    def wait(_: float) -> None:
        nonlocal waits
        waits += 1
        if waits == 3:
            other.close()

    monkeypatch.setattr("ffzero_lab.cli.sweep_point.time.sleep", wait)
    assert conduct_point(str(folder), 0)["state"] == "complete"
    assert waits == 3


def test_a_point_that_fails_is_told_and_the_others_are_done(
    cli: Command, file: Path, hands: OneAfterTheOther, flowers: Path
) -> None:
    kept = flowers.read_text()
    hands.before[1] = lambda: flowers.unlink() or None
    hands.before[2] = lambda: flowers.write_text(kept) and None
    ended = cli("sweep", file, "--json")
    assert ended.code == 1
    assert [row["completed"] for row in ended.json["results"]] == [True, False, True, True]
    assert "flowers.csv" in ended.json["results"][1]["problem"]
    again = cli("sweep", "--resume", ended.json["sweep"])
    assert again.code == 0
    assert hands.done == [0, 1, 2, 3, 1]
    assert "4 of 4 points are complete" in again.out


def test_what_is_no_sweep_is_refused(cli: Command, trained: Path) -> None:
    for arguments in (("--resume", trained), ("--resume", "nowhere"), (), ("nowhere.toml",)):
        ended = cli("sweep", *arguments, "--json")
        assert ended.code == 2, arguments
        assert json.loads(ended.out)["error"]["kind"] == "InputError"
