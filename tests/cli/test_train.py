"""The main job: what a person gets on the screen, on disk and as JSON."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ffzero_lab import conduct
from ffzero_lab.runs import ControlRequest, RunWriter, ask, control

Command = Callable[..., Any]

SUMMARY_KEYS = {
    "device", "dataset", "rule", "seed", "layers", "test_accuracy", "writes", "shots", "device_seconds",
    "wall_seconds", "predicted_seconds", "completed",
}  # fmt: skip


def test_a_short_run_learns_far_above_chance_and_keeps_its_files(cli: Command) -> None:
    ended = cli("train", "--device", "twin", "--steps", 250, "--json")
    assert ended.code == 0
    run = Path(ended.json["run"])
    assert {path.name for path in run.iterdir()} == {
        "manifest.json", "metrics.jsonl", "checkpoint.npz", "checkpoint.previous.npz", "summary.json", "status.json",
        "control", "start.npz", "evaluation.npz", "health.jsonl",
    }  # fmt: skip
    summary = json.loads((run / "summary.json").read_text())
    assert summary.keys() >= SUMMARY_KEYS
    assert {k: v for k, v in ended.json.items() if k != "run"} == summary
    assert summary["test_accuracy"]["sum"] > 0.35
    assert summary["baselines"]["untrained_device"]["sum"] < 0.25
    assert 0.95 < summary["baselines"]["linear_classifier"] < 0.99
    assert summary["completed"] is True


def test_counts_and_device_time_come_out_as_predicted(cli: Command) -> None:
    summary = cli("train", "--steps", 7, "--batch", 100, "--json").json
    assert summary["counts"]["training"] == {"writes": 28, "readings": 28, "shots": 2800}
    assert summary["counts"]["carry"] == {"writes": 2, "readings": 2, "shots": 2 * 1437}
    assert summary["counts"]["evaluation"] == summary["counts"]["baseline"] == {
        "writes": 2, "readings": 2, "shots": 2 * 360,
    }  # fmt: skip
    assert summary["predicted_seconds"] == pytest.approx(34 * 1e-3 + (2800 + 2874 + 1440) * 1e-5)
    assert summary["device_seconds"] == pytest.approx(summary["predicted_seconds"], rel=0.1)
    assert summary["device_seconds"] != summary["predicted_seconds"]
    assert [layer["writes"] for layer in summary["layers"]] == [14, 14]


def test_the_same_seed_gives_the_same_run_and_another_seed_another(cli: Command) -> None:
    first, again, other = (
        cli("train", "--steps", 5, "--seed", seed, "--name", name, "--json").json
        for seed, name in ((3, "first"), (3, "again"), (4, "other"))
    )
    with np.load(Path(first["run"]) / "checkpoint.npz") as a, np.load(Path(again["run"]) / "checkpoint.npz") as b:
        assert set(a.files) == set(b.files)
        assert all(np.array_equal(a[name], b[name]) for name in a.files if name != "checkpoint")
    with np.load(Path(first["run"]) / "checkpoint.npz") as a, np.load(Path(other["run"]) / "checkpoint.npz") as b:
        assert not np.array_equal(a["layer0.parameters"], b["layer0.parameters"])


def test_the_manifest_says_what_was_run(cli: Command) -> None:
    run = Path(cli("train", "--steps", 2, "--loss", "margin", "--preset", "ideal", "--json").json["run"])
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["settings"]["loss"] == "margin"
    assert manifest["settings"]["directions"] == "rademacher"
    assert manifest["device"]["options"] == {"preset": "ideal"}
    assert manifest["device"]["description"]["layers"][0]["groups"][0]["unit"] == "rad"
    assert manifest["versions"].keys() >= {"ffzero_lab", "numpy", "python", "kernel"}
    assert manifest["calibration"] is None
    assert len(manifest["dataset"]["fingerprint"]) == 64


def test_every_row_of_metrics_carries_the_counts_so_far(cli: Command) -> None:
    run = Path(cli("train", "--steps", 100, "--json").json["run"])
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [(row["event"], row["layer"]) for row in rows] == [
        ("step", 0), ("step", 0), ("layer", 0), ("step", 1), ("step", 1), ("layer", 1),
    ]  # fmt: skip
    assert [row["step"] for row in rows if row["event"] == "step"] == [50, 100, 50, 100]
    shots = [row["shots"] for row in rows]
    assert shots == sorted(shots)
    assert shots[0] == 100 * 512 + 2 * 360


def test_plain_lines_tell_the_plan_the_progress_and_the_result(cli: Command) -> None:
    ended = cli("train", "--steps", 20, "--layers", 1)
    assert ended.code == 0
    assert "1 layer, reinjected" in ended.out
    assert "predicted device time" in ended.out
    assert "layer 0 done after 20 steps" in ended.out
    assert "untrained device" in ended.out
    assert "\x1b[" not in ended.out


def test_max_readings_ends_training_at_exactly_that_count(cli: Command) -> None:
    summary = cli("train", "--max-readings", 50, "--json").json
    assert summary["counts"]["training"]["readings"] == 48  # two layers of two readings a step: 12 steps each


def test_a_budget_of_device_time_is_kept(cli: Command) -> None:
    summary = cli("train", "--budget", "0.5s", "--json").json
    assert 0.4 < summary["device_seconds"] <= 0.5


def test_abba_reads_four_times_and_total_slopes_need_no_reach(cli: Command) -> None:
    summary = cli("train", "--steps", 3, "--set", "readings=abba", "--slopes", "total", "--json").json
    assert summary["counts"]["training"]["readings"] == 2 * 3 * 4


@pytest.mark.parametrize("directions", ["gaussian", "orthogonal", "coordinate"])
@pytest.mark.parametrize("optimizer", ["sgd", "momentum"])
def test_every_kind_of_direction_and_optimizer_runs(cli: Command, directions: str, optimizer: str) -> None:
    ended = cli(
        "train", "--steps", 3, "--directions", directions, "--optimizer", optimizer, "--directions-per-step", 2,
        "--layers", 1, "--loss", "cosine", "--json",
    )  # fmt: skip
    assert ended.code == 0
    assert ended.json["counts"]["training"]["readings"] == 3 * 2 * 2


def test_a_validation_part_is_watched_and_patience_stops_early(cli: Command) -> None:
    ended = cli(
        "train", "--layers", 1, "--steps", 400, "--learning-rate", 1e-9, "--set", "validation=0.2",
        "--set", "check_every=10", "--set", "patience=3", "--json",
    )  # fmt: skip
    assert ended.json["layers"][0]["stopped_by"] == "patience"
    assert ended.json["layers"][0]["steps"] < 200
    assert ended.json["counts"]["evaluation"]["shots"] > 360


def test_a_configuration_file_is_read_and_flags_win_over_it(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(
        '[device]\nname = "twin:photonic"\nlayers = 1\n[train]\nsteps = 4\nsharpness = 20\n[run]\nname = "filed"\n'
    )
    ended = cli("train", "--config", "run.toml", "--steps", 6, "--json")
    manifest = json.loads((Path(ended.json["run"]) / "manifest.json").read_text())
    assert manifest["settings"]["steps"] == 6
    assert manifest["settings"]["sharpness"] == 20
    assert manifest["device"]["options"] == {"layers": 1}
    assert ended.json["run"].endswith("-filed")


def test_a_run_starts_from_the_parameters_of_another(cli: Command, trained: Path, flowers: Path) -> None:
    ended = cli(
        "train", "--dataset", f"csv:{flowers}", "--set", "device.ports=8", "--steps", 1, "--learning-rate", 1e-12,
        "--from", trained, "--name", "again", "--json",
    )  # fmt: skip
    assert ended.code == 0
    with np.load(trained / "checkpoint.npz") as a, np.load(Path(ended.json["run"]) / "checkpoint.npz") as b:
        np.testing.assert_allclose(a["layer0.parameters"], b["layer0.parameters"], atol=0.02)
        assert np.array_equal(a["layer1.prototypes"], b["layer1.prototypes"])


def test_a_dark_cascade_is_reported_at_every_tap_and_stops_with_a_device_fault(cli: Command) -> None:
    ended = cli("train", "--set", "device.topology=cascaded", "--steps", 3)
    assert ended.code == 3
    assert "tap 0: mean reading" in ended.out
    assert "tap 1: mean reading under the detection floor" in ended.out
    assert "detection floor" in ended.err


def test_an_ideal_cascade_trains_both_layers(cli: Command) -> None:
    ended = cli("train", "--set", "device.topology=cascaded", "--preset", "ideal", "--steps", 3, "--json")
    assert ended.code == 0
    first, second = ended.json["tap_power"]
    assert first > 0.05
    assert second < 1e-2 * first


def test_a_paused_run_goes_on_telling_how_its_bench_is(
    cli: Command, flowers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Mapping[str, Any]] = []
    write = RunWriter.status

    def written(run: RunWriter, content: Mapping[str, Any]) -> None:
        write(run, content)
        told.append(content)
        paused = [each for each in told if each["state"] == "paused"]
        if len(told) == 1 or len(paused) == 3:
            ask(run.path, ControlRequest("continue" if paused else "pause", park=False))

    monkeypatch.setattr(RunWriter, "status", written)
    monkeypatch.setattr(conduct, "STATUS_EVERY_S", 0.0)
    monkeypatch.setattr(conduct, "PAUSE_POLL_S", 0.0)
    monkeypatch.setattr(control, "POLL_S", 0.0)
    ended = cli("train", "--dataset", f"csv:{flowers}", "--set", "device.ports=8", "--steps", 6, "--json")
    assert ended.code == 0, ended.err
    paused = [each for each in told if each["state"] == "paused"]
    assert len(paused) >= 3
    assert all(each["parked"] is False and each["health"]["readings"] for each in paused)
    assert told[-1]["state"] == "complete"
