"""``compare``: the same task by several rules, with the same number of loss evaluations."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ffzero_lab.cli.compare import settings_for
from ffzero_lab.training import TrainSettings
from ffzero_lab.training.settings import RuleName

Command = Callable[..., Any]
CROSSBAR = ("--device", "twin:crossbar", "--set", "device.sizes=[4,8,8]", "--set", "device.activation=tanh")


def compare(cli: Command, *more: object) -> Any:
    return cli("compare", *CROSSBAR, "--dataset", "iris", "--steps", 60, "--batch", 64, *more)


@pytest.mark.parametrize(
    ("rule", "steps", "evaluations"),
    [("ffzero", 100, 2 * 100 * 6), ("bp-dd", 200, 200 * 6), ("ff-ad", 300, 2 * 300 * 2), ("bp-ad", 600, 600 * 2)],
)
def test_every_rule_gets_the_same_number_of_loss_evaluations(rule: RuleName, steps: int, evaluations: int) -> None:
    own = settings_for(rule, 5, TrainSettings(steps=100, directions_per_step=3), n_layers=2)
    assert (own.rule, own.seed, own.steps) == (rule, 5, steps)
    assert evaluations == 1200
    trained = 1 if own.whole_network else 2
    assert 35 <= trained * own.steps / own.check_every <= 40


def test_rules_and_seeds_are_run_told_and_drawn(cli: Command) -> None:
    ended = compare(cli, "--rules", "bp-dd,ffzero", "--seeds", 2, "--json")
    assert ended.code == 0, ended.err
    told = ended.json
    assert list(told["rules"]) == ["ffzero", "bp-dd"]
    for rule, readings_each in (("ffzero", 1), ("bp-dd", 2)):
        runs = told["rules"][rule]["runs"]
        assert [run["seed"] for run in runs] == [0, 1]
        assert runs[0]["curve"] != runs[1]["curve"]
        for run in runs:
            summary = json.loads(Path(told["folder"], run["run"], "summary.json").read_text())
            assert summary["rule"] == rule
            assert run["score"] == summary["test_accuracy"]["sum"]
            assert run["evaluations"] == 240
            assert summary["counts"]["training"]["readings"] == 240 * readings_each
            assert run["curve"][-1][0] == 240
            assert all(0.0 <= score <= 1.0 for _, score in run["curve"])
        assert told["rules"][rule]["mean"] == pytest.approx(sum(run["score"] for run in runs) / 2)
    figure = Path(told["figure"]).read_bytes()
    assert figure.startswith(b"\x89PNG")
    assert len(figure) > 20_000
    assert json.loads(Path(told["folder"], "compare.json").read_text())["rules"] == told["rules"]


def test_settings_by_group_go_for_all_layers_under_every_rule(cli: Command) -> None:
    ended = compare(cli, "--set", "learning_rate.weights=0.02", "--rules", "ffzero,bp-dd", "--json")
    assert ended.code == 0, ended.err


def test_the_table_stands_beside_the_figure(cli: Command) -> None:
    ended = compare(cli, "--rules", "ffzero")
    assert ended.code == 0, ended.err
    assert "iris on twin:crossbar" in ended.out
    assert "240" in ended.out
    assert "compare.png" in ended.out


def test_regression_is_compared_by_r2(cli: Command) -> None:
    ended = cli(
        "compare", "--device", "twin:crossbar", "--set", "device.sizes=[2,8]", "--dataset", "function1", "--rules",
        "ffzero", "--steps", 20, "--json",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert ended.json["measure"] == "r2"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rules", "ffzero,bpdd"], "did you mean 'bp-dd'"),
        (["--seeds", "0"], "one seed at least"),
        (["--set", "max_readings=100"], "set steps instead"),
        (["--set", "budget=2h"], "set steps instead"),
        (["--set", "rule=bp-dd"], "name them with --rules"),
        (["--set", "validation=0"], "set a share such as 0.1"),
        (["--set", "diagnose=true"], "diagnose compares the slopes of single layers"),
        (["--set", "subspace=2"], "subspace narrows the weights of single layers"),
        (["--device", "bench_of_one:Bench"], "'bench_of_one:Bench' is unknown"),
    ],
)
def test_what_cannot_be_compared_is_refused(cli: Command, arguments: list[str], message: str) -> None:
    ended = compare(cli, *arguments)
    assert ended.code == 2
    assert message in ended.err
    assert not list(Path.cwd().glob("runs/*"))


@pytest.mark.parametrize(
    ("missing", "rules", "message"),
    [("jax", "ffzero,bp-ad", "bp-ad need"), ("matplotlib", "ffzero", "draws with matplotlib")],
)
def test_without_the_extra_it_says_how_to_get_it(
    cli: Command, monkeypatch: pytest.MonkeyPatch, missing: str, rules: str, message: str
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr("ffzero_lab.cli.compare.find_spec", lambda name: None if name == missing else find_spec(name))
    ended = compare(cli, "--rules", rules)
    assert ended.code == 2
    assert message in ended.err
    assert "pip install 'ffzero-lab[reference]'" in ended.err
