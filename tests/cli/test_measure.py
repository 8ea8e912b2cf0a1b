"""Evaluating a run again, and predicting for unlabelled rows."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Command = Callable[..., Any]


def test_evaluate_measures_what_the_run_measured(cli: Command, trained: Path) -> None:
    summary = json.loads((trained / "summary.json").read_text())
    ended = cli("evaluate", trained, "--json")
    assert ended.code == 0
    assert ended.json["patterns"] == 8
    assert abs(ended.json["test_accuracy"]["sum"] - summary["test_accuracy"]["sum"]) <= 1 / 8


def test_predict_names_the_classes_of_unlabelled_rows(cli: Command, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("a,b,c\n0.2,1.1,3\n5.2,1.1,3\n")
    ended = cli("predict", trained, "new.csv", "--json")
    assert ended.code == 0
    assert [row["class"] for row in ended.json["predictions"]] == ["rose", "tulip"]
    plain = cli("predict", trained, "new.csv")
    assert [line.split(",")[0] for line in plain.out.splitlines()] == ["class", "rose", "tulip"]


def test_predict_counts_what_lies_outside_the_training_range(cli: Command, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "far.csv").write_text("a,b,c\n99,1.1,3\n")
    ended = cli("predict", trained, "far.csv")
    assert ended.code == 0
    assert "1 values lie outside the training range" in ended.err


def test_predict_refuses_another_count_of_columns_and_an_existing_output(
    cli: Command, trained: Path, tmp_path: Path
) -> None:
    (tmp_path / "wide.csv").write_text("a,b,c,d,e\n1,2,3,4,5\n")
    ended = cli("predict", trained, "wide.csv")
    assert ended.code == 2
    assert "3" in ended.err
    assert "5" in ended.err
    (tmp_path / "new.csv").write_text("a,b,c\n0.2,1.1,3\n")
    (tmp_path / "there.csv").write_text("precious")
    ended = cli("predict", trained, "new.csv", "--output", "there.csv")
    assert ended.code == 2
    assert (tmp_path / "there.csv").read_text() == "precious"


def test_evaluate_refuses_a_device_that_does_not_fit(cli: Command, trained: Path) -> None:
    ended = cli("evaluate", trained, "--device", "twin")
    assert ended.code == 2
    assert "the run was trained on" in ended.err


def test_evaluate_refuses_a_data_set_with_other_classes(cli: Command, trained: Path) -> None:
    ended = cli("evaluate", trained, "--dataset", "digits")
    assert ended.code == 2
    assert "classes" in ended.err
    assert "rose" in ended.err


def test_a_folder_that_is_no_run_is_refused(cli: Command, tmp_path: Path) -> None:
    ended = cli("evaluate", tmp_path)
    assert ended.code == 2
    assert "no run folder" in ended.err


def test_evaluate_keeps_the_interlocks_of_the_run(cli: Command, trained: Path) -> None:
    manifest = json.loads((trained / "manifest.json").read_text())
    manifest["interlocks"] = {"heat_0": {"lower": None, "upper": 1e-6, "debounce": 1}}
    (trained / "manifest.json").write_text(json.dumps(manifest))
    ended = cli("evaluate", trained)
    assert ended.code == 4
    assert "heat_0" in ended.err


def test_a_damaged_checkpoint_is_never_replaced_by_an_older_one_in_an_evaluation(cli: Command, trained: Path) -> None:
    (trained / "checkpoint.npz").write_bytes((trained / "checkpoint.npz").read_bytes()[:1000])
    for command in (("evaluate", trained), ("predict", trained, "nothing.csv"), ("train", "--from", trained)):
        ended = cli(*command)
        assert ended.code == 2
        assert "cannot be used" in ended.err


def test_predict_refuses_a_place_it_cannot_write_before_it_measures(
    cli: Command, trained: Path, tmp_path: Path
) -> None:
    (tmp_path / "new.csv").write_text("a,b,c\n0.2,1.1,3\n")
    ended = cli("predict", trained, "new.csv", "--output", "no/where.csv")
    assert ended.code == 2
    assert "is in no folder" in ended.err


def test_a_network_trained_by_one_loss_at_its_end_is_measured_as_a_whole(cli: Command, flowers: Path) -> None:
    ended = cli(
        "train", "--dataset", f"csv:{flowers}", "--device", "twin:crossbar", "--set", "device.sizes=[3,6,6]",
        "--preset", "ideal", "--set", "device.activation=tanh", "--rule", "bp-dd", "--steps", 200, "--json",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert ended.json["test_accuracy"]["sum"] > 0.9
    again = cli("evaluate", ended.json["run"], "--json")
    assert again.json["test_accuracy"] == ended.json["test_accuracy"]
