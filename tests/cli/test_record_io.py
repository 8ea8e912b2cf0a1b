"""``--record-io`` and ``--device replay:RUN``: the same run without the device, and the first difference told."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ffzero_lab.device.exchanges import pack
from ffzero_lab.device.recording import RecordingReader, RecordingWriter, files_of
from ffzero_lab.runs import RunReader
from ffzero_lab.signals import Interruption, Signals

Command = Callable[..., Any]
SHORT = ("--steps", 6, "--set", "log_every=1", "--set", "run.checkpoint_every=1e-9")
EIGHT = ("--set", "device.ports=8")


@pytest.fixture
def record(cli: Command, flowers: Path) -> Callable[..., Path]:
    def make(*more: object) -> Path:
        ended = cli("train", "--dataset", f"csv:{flowers}", *SHORT, "--record-io", "--json", *more)
        assert ended.code == 0, ended.err
        return Path(ended.json["run"])

    return make


def replay(cli: Command, flowers: Path, run: Path, *more: object) -> Any:
    return cli(
        "train",
        "--dataset",
        f"csv:{flowers}",
        *SHORT,
        "--device",
        f"replay:{run}",
        "--run-dir",
        "replays",
        "--json",
        *more,
    )


def learned(run: Path) -> dict[str, bytes]:
    arrays = RunReader(run).checkpoint().arrays
    return {name: values.tobytes() for name, values in arrays.items() if not name.startswith("state.device")}


def outcome(run: Path) -> dict[str, Any]:
    summary = RunReader(run).summary
    assert summary is not None
    left_out = ("wall_seconds", "recording")
    return {name: value for name, value in summary.items() if name not in left_out}


def alter(run: Path, number: int, change: Callable[[Any], None]) -> None:
    """Write a recording again with one exchange changed, and sums to fit."""
    reader, folder = RecordingReader(run / "exchanges"), run / "altered"
    writer = RecordingWriter.create(folder)
    while (exchange := reader.next()) is not None:
        if exchange.number == number:
            change(exchange)
        writer.append(pack(exchange))
    writer.close()
    for path in files_of(run / "exchanges"):
        path.unlink()
    files_of(folder)[0].rename(run / "exchanges" / "000001.ffx")


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "device",
    [
        pytest.param((*EIGHT,), id="photonic"),
        pytest.param(("--device", "twin:crossbar", "--set", "device.sizes=[3, 4]"), id="crossbar"),
        pytest.param(("--device", "twin:mechanical"), id="mechanical", marks=SLOW),
        pytest.param(
            (*EIGHT, "--preset", "ideal", "--set", "device.topology=cascaded", "--set", "readings=abba"),
            id="cascaded",
            marks=SLOW,
        ),
        pytest.param(
            (*EIGHT, "--set", "device.detectors.adc_bits=0", "--set", "epsilon=auto"), id="no-converter", marks=SLOW
        ),
        pytest.param((*EIGHT, "--rule", "bp-dd", "--budget", "0.2s"), id="whole-network", marks=SLOW),
        pytest.param(
            (*EIGHT, "--set", "diagnose=true", "--set", "validation=0.2", "--set", "check_every=2"),
            id="diagnosed",
            marks=SLOW,
        ),
    ],
)
def test_a_replay_learns_the_same_to_the_last_bit_without_the_driver(
    cli: Command,
    flowers: Path,
    record: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    device: tuple[object, ...],
) -> None:
    run = record(*device)
    rest: list[object] = []
    for option, value in zip(device[::2], device[1::2], strict=True):
        if option not in ("--device", "--preset") and not str(value).startswith("device."):
            rest += [option, value]
    for name in ("photonic", "crossbar", "mechanical"):
        monkeypatch.setitem(sys.modules, f"drivers.twin.{name}", None)
    assert cli("train", "--dataset", f"csv:{flowers}", *device).code == 2  # the drivers are gone indeed
    ended = replay(cli, flowers, run, *rest)
    assert ended.code == 0, ended.out
    assert learned(Path(ended.json["run"])) == learned(run)
    assert outcome(Path(ended.json["run"])) == outcome(run)


def test_counts_of_a_converter_are_kept_and_the_size_is_told_before_and_after(
    cli: Command, flowers: Path, record: Callable[..., Path]
) -> None:
    run = record("--set", "device.ports=64", "--set", "batch=30")
    summary = RunReader(run).summary
    assert summary is not None
    size = sum(path.stat().st_size for path in files_of(run / "exchanges"))
    assert size == pytest.approx(summary["recording"]["bytes"], abs=2000)  # closing comes after the summary
    told = ("--set", "device.ports=64", "--set", "batch=30", "--record-io", "--dry-run")
    dry = cli("train", "--dataset", f"csv:{flowers}", *SHORT, *told, "--json")
    assert dry.json["recording_bytes"] == pytest.approx(size, rel=0.15)
    assert "recording: about" in cli("train", "--dataset", f"csv:{flowers}", *SHORT, *told).out
    reader = RecordingReader(run / "exchanges")
    while (exchange := reader.next()) is not None and exchange.call != "probe":
        pass
    assert exchange is not None
    step = exchange.answered["outputs"] / (12.8 / 2**14)
    assert exchange.answered["outputs"].dtype == np.float64
    assert step.size


def test_another_seed_is_told_at_the_first_value_that_differs(
    cli: Command, flowers: Path, record: Callable[..., Path]
) -> None:
    run = record(*EIGHT)
    ended = replay(cli, flowers, run, "--seed", 1)
    assert ended.code == 3
    message = ended.json["error"]["message"]
    pattern = r"exchange \d+ \(write_parameters, layer 0\): values, theta\[0\]: recorded \S+ rad, given \S+ rad"
    assert re.search(pattern, message), message
    assert ended.json["error"]["kind"] == "ReplayDiffers"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            ("--steps", 7),
            r"\(probe, layer 0\): settings, setting 0, theta\[0\]: recorded \S+ rad, given \S+ rad",
        ),
        (("--batch", 8), r"exchange \d+ \(probe, layer 0\): rows had the shape \(32,\), now \(8,\)"),
        (
            ("--set", "baselines=false"),
            "the recorded run asked write_parameters of layer 0, this one asks load_inputs",
        ),
        (("--set", "device.ports=8"), "ports"),
    ],
)
def test_other_settings_are_told_where_they_first_matter(
    cli: Command, flowers: Path, record: Callable[..., Path], more: tuple[object, ...], message: str
) -> None:
    ended = replay(cli, flowers, record(*EIGHT), *more)
    assert ended.code in (2, 3)
    assert re.search(message, ended.json["error"]["message"]), ended.json["error"]["message"]


def test_an_altered_reading_is_named_though_the_sums_were_made_to_fit(
    cli: Command, flowers: Path, record: Callable[..., Path]
) -> None:
    run = record(*EIGHT)
    reader, probes = RecordingReader(run / "exchanges"), []
    while (exchange := reader.next()) is not None:
        probes += [exchange.number] if exchange.call == "probe" else []
    fourth, fifth = probes[3], probes[4]

    def change(exchange: Any) -> None:
        exchange.answered["outputs"][0, 3, 2] += 0.5

    alter(run, fourth, change)
    ended = replay(cli, flowers, run)
    assert ended.code == 3
    assert f"exchange {fifth} (probe, layer 0): settings, setting 0, " in ended.json["error"]["message"]


def test_one_flipped_bit_in_a_reading_is_told_at_its_place(
    cli: Command, flowers: Path, record: Callable[..., Path]
) -> None:
    run = record(*EIGHT)
    (path,) = files_of(run / "exchanges")
    reader, chosen = RecordingReader(run / "exchanges"), None
    while (exchange := reader.next()) is not None:
        if exchange.call == "probe":
            chosen = exchange
    assert chosen is not None
    step = RunReader(run).manifest["device"]["description"]["layers"][0]["output_step"]
    counts = np.rint(chosen.answered["outputs"] / step).astype("<i2")
    content = bytearray(path.read_bytes())
    at = bytes(content).index(counts.tobytes()) + 2 * int(np.ravel_multi_index((1, 7, 5), counts.shape))
    content[at] ^= 4
    path.write_bytes(content)
    ended = replay(cli, flowers, run)
    assert ended.code == 3
    place = rf"exchange {chosen.number} \(probe, layer 1\) was altered: setting 1, pattern {chosen.given['rows'][7]} "
    told = f"what was written there was {chosen.answered['outputs'][1, 7, 5]:.9g} intensity"
    assert re.search(place + r"\(place 7\), output 5 is", ended.json["error"]["message"]), ended.out
    assert told in ended.json["error"]["message"]


def stop_before(monkeypatch: pytest.MonkeyPatch, exchange: int, call: Callable[[], Any]) -> Any:
    seen = 0

    def heed(_: Signals) -> None:
        nonlocal seen
        seen += 1
        if seen == exchange:
            raise Interruption("stopped by the test", 130)

    with monkeypatch.context() as patch:
        patch.setattr(Signals, "heed", heed)
        return call()


@pytest.mark.parametrize("exchange", [pytest.param(2, marks=SLOW), pytest.param(11, marks=SLOW), 16])
def test_a_resumed_recording_is_that_of_one_run_and_keeps_what_was_superseded(
    cli: Command, flowers: Path, record: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, exchange: int
) -> None:
    undisturbed = record(*EIGHT, "--name", "whole")
    train = ("train", "--dataset", f"csv:{flowers}", *SHORT, *EIGHT, "--record-io", "--name", "cut")
    assert stop_before(monkeypatch, exchange, lambda: cli(*train)).code == 130
    (run,) = Path("runs").glob("*-cut")
    assert cli("train", "--resume", run).code == 0
    assert learned(run) == learned(undisturbed)
    ended = replay(cli, flowers, run)
    assert ended.code == 0, ended.out
    assert learned(Path(ended.json["run"])) == learned(run)
    assert outcome(Path(ended.json["run"])) == outcome(run)


@pytest.mark.parametrize("exchange", [pytest.param(11, marks=SLOW), 16, pytest.param(24, marks=SLOW)])
def test_a_replay_that_was_interrupted_goes_on(
    cli: Command, flowers: Path, record: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, exchange: int
) -> None:
    run = record(*EIGHT)
    stopped = stop_before(monkeypatch, exchange, lambda: replay(cli, flowers, run, "--name", "again"))
    assert stopped.code == 130
    (second,) = Path("replays").glob("*-again")
    resumed = cli("train", "--resume", second, "--json")
    assert resumed.code == 0, resumed.out
    assert learned(second) == learned(run)


def test_an_interrupted_recording_is_replayed_to_where_it_ends(
    cli: Command, flowers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = ("train", "--dataset", f"csv:{flowers}", *SHORT, *EIGHT, "--record-io", "--name", "cut")
    stop_before(monkeypatch, 14, lambda: cli(*train))
    (run,) = Path("runs").glob("*-cut")
    ended = replay(cli, flowers, run)
    assert ended.code == 3
    assert "the recording ends after exchange" in ended.json["error"]["message"]


def test_a_calibrated_run_is_replayed_with_its_own_record(
    cli: Command, flowers: Path, record: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ffzero_lab.calibrations import save
    from ffzero_lab.opening import open_device

    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    from true_record import true_record

    applied = save(true_record(open_device("twin:photonic", ports=8, drive="volts")), Path("elsewhere"), None)
    run = record(*EIGHT, "--set", "device.drive=volts", "--calibration", applied)
    applied.unlink()
    ended = replay(cli, flowers, run)
    assert ended.code == 0, ended.out
    assert learned(Path(ended.json["run"])) == learned(run)


def test_evaluating_is_recorded_and_replayed_as_well(cli: Command, trained: Path) -> None:
    first = cli("evaluate", trained, "--record-io", "kept", "--json")
    assert first.code == 0, first.err
    again = cli("evaluate", trained, "--device", "replay:kept", "--json")
    assert again.json == first.json
    assert cli("evaluate", trained, "--record-io", "kept").code == 2
    assert cli("evaluate", trained, "--device", f"replay:{trained}").code == 2  # it kept no recording


def test_a_disk_that_is_full_ends_the_run_parked_and_the_recording_whole(
    cli: Command, flowers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, calls = RecordingWriter.append, 0

    def full(self: RecordingWriter, parts: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > 20:
            raise OSError(28, "No space left on device", str(self.folder))
        append(self, parts)

    with monkeypatch.context() as patch:
        patch.setattr(RecordingWriter, "append", full)
        ended = cli("train", "--dataset", f"csv:{flowers}", *SHORT, *EIGHT, "--record-io", "--name", "full", "--json")
    assert ended.code == 1
    assert "No space left" in ended.json["error"]["message"]
    assert "the device is parked" in ended.json["error"]["notes"]
    (run,) = Path("runs").glob("*-full")
    assert json.loads((run / "status.json").read_text())["state"] == "failed"
    assert cli("train", "--resume", run).code == 0
    assert replay(cli, flowers, run).code == 0


def test_a_run_without_a_recording_cannot_be_replayed(cli: Command, flowers: Path, trained: Path) -> None:
    for run, message in ((trained, "holds no recording"), (Path("nowhere"), "there is no such folder")):
        ended = replay(cli, flowers, run)
        assert ended.code == 2
        assert message in ended.json["error"]["message"]


@pytest.mark.slow
@pytest.mark.parametrize("topology", ["reinjected", "cascaded"])
def test_a_bench_in_real_time_is_replayed_though_it_was_parked_and_resumed_on_the_way(
    cli: Command, flowers: Path, monkeypatch: pytest.MonkeyPatch, table: Any, topology: str
) -> None:
    bench = ("--device", "recorded_bench:RecordedBench", "--set", f"device.witness={table.witness.path}",
             "--set", f"device.topology={topology}", "--set", "budget=60s")  # fmt: skip
    train = ("train", "--dataset", f"csv:{flowers}", *SHORT, *bench, "--record-io", "--name", "bench")
    stopped = stop_before(monkeypatch, 21, lambda: cli(*train))
    assert stopped.code == 130, stopped.err
    (run,) = Path("runs").glob("*-bench")
    resumed = cli("train", "--resume", run)
    assert resumed.code == 0, resumed.err
    seen = len(table.witness.whats())
    ended = replay(cli, flowers, run, "--set", "budget=60s")
    assert ended.code == 0, ended.out
    assert learned(Path(ended.json["run"])) == learned(run)
    assert len(table.witness.whats()) == seen  # nothing reached the bench
