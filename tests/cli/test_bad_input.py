"""Bad input gets one message that names what, where and what is allowed, and exit code 2."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Command = Callable[..., Any]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--device", "twin:fotonic"], ["device 'twin:fotonic'", "twin:photonic"]),
        (["--device", "nowhere:Mesh"], ["device 'nowhere:Mesh'", "allowed"]),
        (["--dataset", "digit"], ["dataset 'digit'", "did you mean 'digits'"]),
        (["--loss", "margn"], ["loss", "'margn'", "did you mean 'margin'"]),
        (["--rule", "backprop"], ["rule", "'backprop'", "ffzero"]),
        (["--directions", "radmacher"], ["directions", "did you mean 'rademacher'"]),
        (["--slopes", "local"], ["slopes", "attributed", "total"]),
        (["--optimizer", "adan"], ["optimizer", "did you mean 'adam'"]),
        (["--preset", "typicl"], ["preset", "did you mean 'typical'"]),
        (["--layers", "two"], ["layers", "'two'"]),
        (["--steps", "0"], ["steps", "greater than or equal to 1"]),
        (["--steps", "many"], ["steps", "'many'"]),
        (["--learning-rate", "nan"], ["learning_rate", "finite"]),
        (["--epsilon", "nan"], ["epsilon", "finite"]),
        (["--epsilon", "small"], ["epsilon", "'small'", "number"]),
        (["--epsilon", "0.0001"], ["epsilon 0.0001", "under half of the resolution", "theta[0]", "use at least"]),
        (["--epsilon", "3"], ["epsilon 3", "leaves no room", "use less than"]),
        (["--batch", "-1"], ["batch", "greater than or equal to 1"]),
        (["--seed", "-1"], ["seed"]),
        (["--budget", "soon"], ["budget", "'soon'", "such as 90s or 2h"]),
        (["--budget", "1ms"], ["budget", "s, m, h or d"]),
        (["--budget", "0.001s"], ["budget", "allow at least"]),
        (["--max-readings", "3"], ["max_readings 3", "allow at least"]),
        (["--set", "sharpnes=3"], ["unknown key 'sharpnes'", "did you mean 'sharpness'"]),
        (["--set", "device.prots=8"], ["unknown key 'prots'", "did you mean 'ports'"]),
        (["--set", "device.heaters.budget=8"], ["heaters.budget", "did you mean 'budget_w'"]),
        (["--set", "device.ports=1"], ["ports", "greater than or equal to 2"]),
        (["--set", "device.clock=3"], ["unknown key 'clock'", "allowed: activation"]),
        (["--set", "device.device=x"], ["unknown key 'device'", "allowed: activation"]),
        (["--set", "device.run=x"], ["unknown key 'run'", "allowed: activation"]),
        (["--set", "device.wait_s=1"], ["unknown key 'wait_s'", "allowed: activation"]),
        (["--set", "device.detectors.thermal_noise=0.3"], ["thermal_noise is 0.3", "less than or equal to 0.2"]),
        (["--set", "device.detectors.thermal_noise=1e300"], ["thermal_noise is 1e+300", "less than or equal to 0.2"]),
        (
            [
                "--preset",
                "ideal",
                "--set",
                "device.detectors.thermal_noise=0.2",
                "--set",
                "device.detectors.full_scale=1e6",
            ],
            ["full_scale 1e+06", "detection floor of 8e+05", "all 64 ports"],
        ),
        (["--set", "device.heaters.pi_power_w=1e-320"], ["heaters.pi_power_w", "greater than or equal to 0.000000001"]),
        (["--set", "device.heaters.crostalk=0.1"], ["'heaters.crostalk'", "did you mean 'crosstalk'", "settling_s"]),
        (["--set", "device.preset=hars"], ["preset is 'hars'", "did you mean 'harsh'"]),
        (["--set", "device.faults=3"], ["faults is 3", "must be an array"]),
        (
            ["--set", 'device.faults=[{kind="opn", parameter="theta[0]"}]'],
            ["faults.0.kind is 'opn'", "did you mean 'open'", "laser-off"],
        ),
        (
            ["--set", 'device.faults=[{kind="open", paramter="theta[0]"}]'],
            ["faults.0.open.paramter", "did you mean 'parameter'", "from_s, kind, layer, parameter"],
        ),
        (["--set", "device.drive=volts"], ["driven in raw units (V)", "--uncalibrated"]),
        (["--set", "epsilon.thta=0.1"], ["epsilon", "'thta'", "did you mean 'theta'"]),
        (["--set", "device.ports=784"], ["784 columns lose 94.1 dB", "mesh.column_loss_db"]),
        (["--set", "device.detectors.full_scale=1e300"], ["full_scale", "less than or equal to 1000000"]),
        (["--set", "device.heaters.power_limit_w=0.003"], ["power_limit_w is 0.003 W", "one period, 2 Pπ = 0.004 W"]),
        (["--set", "device.timing.write_s=1e300"], ["timing.write_s", "less than or equal to 60"]),
        (["--set", "device.timing.write_s=nan"], ["timing.write_s is nan", "finite"]),
        (["--set", "device.timing.exchange_s=1e300"], ["exchange_s", "less than or equal to 60"]),
        (["--set", "device.activation.bias_rad=1e308"], ["activation.bias_rad", "less than or equal to 1000"]),
        (["--set", "sharpness=1e300"], ["sharpness is 1e+300", "less than or equal to 10000"]),
        (["--set", "margin_width=1e308"], ["margin_width is 1e+308", "less than or equal to 10"]),
        (["--learning-rate", "1e300"], ["learning_rate is '1e300'", "finite number above 0 and at most 1e+09"]),
        (["--directions-per-step", "1000000000000"], ["directions_per_step", "less than or equal to 10000"]),
        (["--steps", "9" * 400], ["steps", "less than or equal to 1000000000000"]),
        (["--name", "../../../x"], ["run.name is '../../../x'", "allowed: up to 100 letters"]),
        (["--name", "a/b"], ["run.name is 'a/b'", "'.', '_' and '-'"]),
        (["--name", ""], ["run.name is ''", "beginning with a letter or a digit"]),
        (["--name", ".hidden"], ["run.name is '.hidden'", "beginning with a letter or a digit"]),
        (["--name", "x" * 101], ["run.name", "up to 100"]),
        (["--set", "run.name=a/b"], ["run.name is 'a/b'"]),
        (["--set", "run.nam=ab"], ["unknown key 'run.nam'", "did you mean 'name'", "allowed: checkpoint_every, name"]),
        (["--set", "steps="], ["steps is ''", "integer"]),
        (["--set", "steps=3\nbatch=4"], ["steps is '3\\nbatch=4'", "integer"]),
        (["--set", "steps={a=1}"], ["steps is a table", "integer"]),
        (["--set", "device.heaters=3"], ["heaters is 3: must be a table of keys and values"]),
        (["--set", "device.heaters=3", "--set", "device.heaters.budget_w=1"], ["'heaters' is 3 already, no table"]),
        (
            ["--set", "interlocks.heat_0.uper=3"],
            ["unknown key 'interlocks.heat_0.uper'", "did you mean 'upper'", "allowed: debounce, lower, upper"],
        ),
        (["--set", "interlocks.heat_0.upper=hot"], ["interlocks.heat_0.upper is 'hot'", "number"]),
        (["--set", "interlocks.heat_0={}"], ["interlocks.heat_0: an interlock needs a lower or an upper bound"]),
        (["--set", "interlocks.heat_0=3"], ["interlocks.heat_0 is 3: must be a table"]),
        (["--set", "interlocks=3"], ["write interlocks.CHANNEL.upper=VALUE"]),
        (["--set", "sharpness"], ["KEY=VALUE"]),
        (["--set", "patience=3"], ["patience", "validation"]),
        (["--set", "device.ports=32"], ["64 features", "32 inputs"]),
        (["--config", "missing.toml"], ["missing.toml", "does not exist"]),
        (["--from", "nowhere"], ["nowhere", "no run folder"]),
        (["--dataset", "csv:missing.csv"], ["missing.csv"]),
        (["--data-dir", "nowhere", "--dataset", "csv:a.csv"], ["nowhere/a.csv"]),
    ],
)
def test_one_message_and_exit_code_two(cli: Command, tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    ended = cli("train", *arguments)
    assert ended.code == 2, ended.out
    assert ended.err.count("\n") == 1
    for word in words:
        assert word in ended.err
    assert "Traceback" not in ended.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[train]\nlearning_rat = 0.1\n", ["unknown key 'train.learning_rat'", "did you mean 'learning_rate'"]),
        (
            "[tran]\nsteps = 1\n",
            ["unknown key 'tran'", "did you mean 'train'", "allowed: calibration, device, interlocks, run, train"],
        ),
        ("train = 3\n", ["train is 3: must be a table of keys and values"]),
        ("interlocks = [1]\n", ["interlocks is [1]: must be a table of keys and values"]),
        ("[interlocks]\nheat_0 = 3\n", ["interlocks.heat_0 is 3: must be a table of keys and values"]),
        ("[train.steps]\na = 1\n", ["train.steps is a table: ", "integer"]),
        ("[train]\nsteps = 2020-01-01\n", ["train.steps is 2020-01-01: ", "integer"]),
        ("[device]\nname = 3\n", ["device.name is 3: ", "string"]),
        ("[run]\nname = 'a/b'\n", ["run.name is 'a/b'", "allowed: up to 100 letters"]),
        (
            "[interlocks.heat_0]\nuper = 3\n",
            ["unknown key 'interlocks.heat_0.uper'", "did you mean 'upper'", "allowed: debounce, lower, upper"],
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_named(cli: Command, tmp_path: Path, text: str, words: list[str]) -> None:
    (tmp_path / "run.toml").write_text(text)
    ended = cli("train", "--config", "run.toml")
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    for word in ["run.toml: ", *words]:
        assert word in ended.err


def test_a_broken_file_is_named(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("[train\n")
    ended = cli("train", "--config", "run.toml")
    assert ended.code == 2
    assert "run.toml cannot be read" in ended.err


def test_nan_in_a_table_names_row_and_column(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("a,b,label\n1,2,x\n3,nan,y\n1,2,x\n3,4,y\n")
    ended = cli("train", "--dataset", "csv:d.csv")
    assert ended.code == 2
    assert "row 3" in ended.err
    assert "'b'" in ended.err


def test_a_class_too_small_for_a_validation_part_is_named_with_the_share(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("1,often\n2,often\n3,often\n4,often\n5,rare\n6,rare\n")
    ended = cli("train", "--dataset", "csv:d.csv", "--set", "validation=0.2", "--set", "device.ports=4")
    assert ended.code == 2
    assert "class 'rare' has 1 sample to draw from: a validation share of 0.2" in ended.err


def test_more_classes_than_outputs_are_refused(cli: Command, tmp_path: Path) -> None:
    rows = np.arange(60)
    np.savez(tmp_path / "many.npz", x=np.stack([rows, rows**2], axis=1), y=rows % 10)
    ended = cli("train", "--dataset", "npz:many.npz", "--set", "device.ports=4")
    assert ended.code == 2
    assert "10 classes" in ended.err
    assert "4 outputs" in ended.err


def test_a_run_folder_that_exists_is_never_touched(cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.strftime", lambda *_: "20260101-000000")
    first = cli("train", "--steps", 2, "--name", "mine", "--json")
    before = {path: path.read_bytes() for path in Path(first.json["run"]).iterdir() if path.is_file()}
    ended = cli("train", "--steps", 2, "--name", "mine")
    assert ended.code == 2
    assert "exists already" in ended.err
    assert before == {path: path.read_bytes() for path in Path(first.json["run"]).iterdir() if path.is_file()}


def test_with_json_the_error_is_json_too(cli: Command) -> None:
    ended = cli("train", "--loss", "margn", "--json")
    assert ended.code == 2
    assert ended.json["error"]["exit_code"] == 2
    assert "did you mean 'margin'" in ended.json["error"]["message"]
