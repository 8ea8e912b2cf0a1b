"""A bench file as the device of every command: train, resume, evaluate, predict, park, and what is told of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ffzero_lab import open_device
from ffzero_lab.bench_file import choose_device
from ffzero_lab.errors import InputError
from ffzero_lab.runs import RunReader
from ffzero_lab.signals import Interruption, Signals

Cli = Callable[..., Any]
BenchFile = Callable[..., Path]


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    rows = [
        f"{5 * (i % 2) + 0.1 * (i % 5)},{1 + 0.1 * (i % 3)},{i % 7},{'rose' if i % 2 else 'tulip'}" for i in range(40)
    ]
    (tmp_path / "flowers.csv").write_text("a,b,c,label\n" + "\n".join(rows) + "\n")
    return tmp_path / "flowers.csv"


@pytest.fixture
def training(cli: Cli, flowers: Path) -> Cli:
    return lambda *more: cli(
        "train", "--dataset", f"csv:{flowers}", "--steps", 4, "--uncalibrated", "--set", "feed=input",
        "--set", "validation=0", "--set", "baselines=false", "--json", *more,
    )  # fmt: skip


def small(content: dict[str, Any]) -> None:
    """Leave one array of 6 × 5, without pauses: two layers fed with the same patterns need as many inputs each."""
    del content["layers"][1]
    content["timing"] = {}


def test_a_run_keeps_the_whole_file_and_can_do_without_it(
    fakes: Any, content: Any, bench_file: BenchFile, training: Cli, cli: Cli, flowers: Path, tmp_path: Path
) -> None:
    small(content)
    file = bench_file()
    done = training("--device", file)
    assert done.code == 0, done.err
    run = Path(done.json["run"])
    saved = RunReader(run).manifest["device"]
    assert saved["name"] == "drivers.bench:Bench"
    assert saved["options"] == json.loads(json.dumps(content))
    assert saved["file"] == str(file.resolve())
    file.unlink()
    assert cli("evaluate", run, "--json").code == 0
    (tmp_path / "rows.csv").write_text("a,b,c\n5,1,3\n0,1,3\n")
    assert len(cli("predict", run, tmp_path / "rows.csv", "--json").json["predictions"]) == 2
    assert "parked" in cli("park", bench_file("again.toml")).out
    assert cli("evaluate", run, "--device", bench_file("again.toml"), "--json").code == 0


def test_resuming_keeps_to_the_file_as_it_was_and_tells_that_it_changed(
    fakes: Any, content: Any, bench_file: BenchFile, training: Cli, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(content)
    file = bench_file()
    heeded: list[int] = []
    heed = Signals.heed

    def stopping(signals: Signals) -> None:
        heeded.append(1)
        if len(heeded) == 8:
            raise Interruption("stopped", 130)
        heed(signals)

    with monkeypatch.context() as patch:
        patch.setattr(Signals, "heed", stopping)
        training("--device", file, "--name", "night")
    run = next(Path("runs").iterdir())
    content["actuators"]["cells"]["upper_share"] = 1.25
    bench_file()
    resumed = cli("train", "--resume", run)
    assert resumed.code == 0, resumed.err
    assert "lab.toml has changed since (actuators); the run keeps to what it was started with" in (
        resumed.out + resumed.err
    )


def test_options_lie_over_the_file_table_by_table(fakes: Any, bench_file: BenchFile) -> None:
    chosen = choose_device(str(bench_file()), {"timing": {"write_s": 0.5}, "bench": {"name": "another"}})
    assert chosen.options["timing"]["settle_s"] == 0.01
    assert chosen.options["timing"]["write_s"] == 0.5
    assert chosen.options["bench"]["serial_number"] == "XB-7"


def test_any_driver_may_be_put_in_a_file_and_paths_start_from_it(tmp_path: Path) -> None:
    file = tmp_path / "mesh.toml"
    file.write_text('driver = "twin:photonic"\nports = 5\npreset = "ideal"\n[heaters]\nbudget_w = 0.5\n')
    with open_device(str(file), layers=1) as device:
        assert device.description.layers[0].n_outputs == 5
        assert device.description.layers[0].power_budget_w == 0.5
        assert len(device.description.layers) == 1
    file.write_text(
        'driver = "lab:Bench"\ntable = "./a.csv"\nmore = [{deep = "../b.csv"}]\nplain = "c.csv"\nsince = 2026-11-24\n'
    )
    assert choose_device(str(file), {}).options == {
        "table": str(tmp_path / "./a.csv"),
        "more": [{"deep": str(tmp_path / "../b.csv")}],
        "plain": "c.csv",
        "since": "2026-11-24",
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, ["the bench file", "lab.toml does not exist"]),
        ("ports = \n", ["lab.toml cannot be read", "line 1"]),
        ("driver = 3\n", ["lab.toml: driver is 3", "module:Class"]),
        ('driver = "other.toml"\n', ["driver is 'other.toml'"]),
        ('driver = "twim"\n', ["'twim' is unknown", "did you mean 'twin'?"]),
        ('driver = "twin"\nprots = 5\n', ["lab.toml: unknown key 'prots'", "did you mean 'ports'?"]),
    ],
)
def test_a_file_that_cannot_be_used_is_explained(tmp_path: Path, text: str | None, words: list[str]) -> None:
    file = tmp_path / "lab.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(InputError) as caught:
        open_device(str(file))
    for word in words:
        assert word in str(caught.value)


def test_two_files_of_one_bench_exclude_each_other(
    fakes: Any, content: Any, bench_file: BenchFile, cli: Cli, tmp_path: Path
) -> None:
    first = bench_file()
    content["bench"]["name"] = "the same, said otherwise"
    second = bench_file("second.toml")
    with open_device(str(first)):
        ended = cli("devices", "check", second)
        assert ended.code == 3
        assert "bench 'bench XB-7' is in use by this process" in ended.err
    assert cli("devices", "check", second).code == 0


def test_check_shows_the_map(fakes: Any, bench_file: BenchFile, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    file = bench_file()
    shown = cli("bench", "check", file)
    assert shown.code == 0
    for word in ("weights", "0-29", "cells", "1-30", "-1.5 to 1.5 share, safe 0 share", "up to 12 V", "is in order"):
        assert word in shown.out
    told = cli("bench", "check", file, "--json").json
    assert told["lock"] == "bench XB-7"
    assert [row["what"] for row in told["map"]] == ["inputs", "weights", "bias", "outputs"] * 2
    assert fakes.TABLES["table"].log == []


def test_check_explains_mistakes_with_the_name_of_the_file(
    fakes: Any, content: Any, bench_file: BenchFile, cli: Cli
) -> None:
    content["layers"][0]["groups"][0]["channels"] = "1-80"
    ended = cli("bench", "check", bench_file())
    assert ended.code == 2
    assert "lab.toml: layers.0.groups.0.channels is '1-80': 'cells' has no channel 60-80; it has 1-59" in ended.err
    assert cli("bench", "check", "lab.ini").code == 2


def test_the_schema_is_one_json_document(cli: Cli) -> None:
    schema = json.loads(cli("bench", "schema", "drivers.bench:Bench").out)
    assert {"driver", "bench", "layers", "actuators"} <= set(schema["properties"])
