"""The drift sentinel: what it sees, what it does, and that it leaves training as it was."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ffzero_lab.errors import RunFailed
from ffzero_lab.opening import open_device
from ffzero_lab.runs import RunReader
from protocols.reference import Looked, Reference
from protocols.runner import Runner
from protocols.steps import Calibrate
from tests.protocols.conftest import HEAD, TRAIN, Carry
from tests.protocols.test_resuming import answering

IDEAL = HEAD + 'preset = "ideal"\n'
CALIBRATE = """
[[step]]
name = "measure"
kind = "calibrate"
only = ["detectors", "modulators", "electrical", "fringes", "offsets"]
"""


def sentinel(every_s: float, bound: float, on_drift: str = "note", more: str = "") -> str:
    return f'[sentinel]\nevery = {every_s}\nbound = {bound}\non_drift = "{on_drift}"\n{more}\n'


def parameters(run: Path, layer: int) -> np.ndarray:
    return RunReader(run / "01-train").checkpoint().arrays[f"layer{layer}.parameters"]


@pytest.mark.parametrize("topology", ["reinjected", "cascaded"])
def test_looking_between_two_steps_of_training_changes_nothing_of_it(carry: Carry, topology: str) -> None:
    text = IDEAL.replace("layers = 1", "layers = 2") + f'topology = "{topology}"\n'
    text += "activation = { gain_rad = 3.0, bias_rad = 0.5 }\n"
    train = TRAIN.replace("steps = 12", "steps = 30")
    plain = carry(text + train)
    watched = carry(text + sentinel(0.005, 0.5) + train, "--name", "watched")
    assert plain.code == watched.code == 0, watched.out
    summary = json.loads(watched.out)
    assert summary["sentinel"]["looks"] > 5
    assert summary["sentinel"]["largest_change"] == 0.0
    for layer in range(2):
        np.testing.assert_array_equal(parameters(watched.run, layer), parameters(plain.run, layer))
    assert watched.results("train")["score"] == plain.results("train")["score"]
    assert watched.results("train")["shots"] == plain.results("train")["shots"]
    seconds = [ended.results("train")["device_seconds"] for ended in (plain, watched)]
    assert seconds[1] == pytest.approx(seconds[0], rel=0.2 if topology == "cascaded" else 1e-9)


def test_the_change_is_that_of_the_outputs_beyond_noise() -> None:
    rng = np.random.default_rng(0)
    true = rng.uniform(0.2, 1.0, (64, 50))
    sigma, repeats = 0.05, 8

    def looked(at: np.ndarray) -> Looked:
        read = at + sigma * rng.standard_normal((repeats, *at.shape))
        return Looked((read.mean(axis=0),), (read.var(axis=0, ddof=1) / repeats,))

    still = [looked(true).change_since(looked(true)) for _ in range(20)]
    rms = np.sqrt(np.mean(true**2))
    assert np.sqrt(np.mean(np.square(still))) * rms < 0.2 * sigma / np.sqrt(repeats)
    moved = true + 0.03 * rng.standard_normal(true.shape)
    assert looked(moved).change_since(looked(true)) == pytest.approx(0.03 / rms, rel=0.1)


def test_a_step_of_the_laser_is_seen_at_its_size() -> None:
    faults = [{"kind": "laser-step", "from_s": 10.0, "factor": 0.9}]
    with open_device("twin:photonic", ports=4, layers=2, preset="typical", faults=faults) as device:
        reference = Reference(device, 3)
        reference.hold()
        first = reference.look()
        again = reference.look()
        device.clock.sleep_s(20.0)
        later = reference.look()
    assert again.change_since(first) < 0.01
    assert later.change_since(first) == pytest.approx(0.1, abs=0.015)


@pytest.mark.slow
def test_drift_in_the_middle_of_training_has_the_chip_calibrated_again_and_training_goes_on(carry: Carry) -> None:
    chip = HEAD + 'drive = "volts"\ndrift = { phase_rad = 0.15, time_s = 5.0 }\n'
    watch = sentinel(0.3, 0.02, "recalibrate", 'calibrate = "measure"\nmost = 1')
    ended = carry(chip + watch + CALIBRATE + TRAIN.replace("steps = 12", "steps = 400"))
    assert ended.code == 0, ended.out
    summary, run = json.loads(ended.out), ended.run
    actions = [look["action"] for look in summary["sentinel"]["seen"]]
    assert actions.count("recalibrated") == summary["sentinel"]["recalibrations"] == 1
    assert "noted" in actions  # beyond the most that it may calibrate
    assert summary["calibration_in_force"] == "recalibration-1/calibration.json"
    nested = RunReader(run / "02-train")
    kept = nested.manifest["calibration"]
    assert (nested.path / kept["file"]).read_bytes() == (run / summary["calibration_in_force"]).read_bytes()
    assert nested.summary is not None
    assert nested.summary["counts"]["training"]["writes"] == 2 * 400  # none of the sentinel's or the calibration's
    assert nested.summary["counts"]["calibration"]["writes"] == 0


@pytest.mark.parametrize(("exact", "faults", "anew"), [(True, 0, False), (False, 0, True), (True, 1, True)])
def test_a_recalibration_on_hardware_or_that_found_faults_is_not_made_of_what_was_measured_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exact: bool, faults: int, anew: bool
) -> None:
    begun: list[bool] = []

    def carry_out(_: Calibrate, shift: Any, folder: Path, number: int) -> tuple[Path, Any]:
        begun.append(not folder.exists())
        folder.mkdir(exist_ok=True)
        found = [SimpleNamespace(severity="fault", what="open heater")] * faults
        return folder / "calibration.json", SimpleNamespace(findings=found, layers=())

    monkeypatch.setattr(Calibrate, "carry_out", carry_out)
    step = SimpleNamespace(resolved=lambda results: Calibrate(name="measure"))
    protocol: Any = SimpleNamespace(sentinel=SimpleNamespace(calibrate="measure"), steps=[step], at=lambda name: 0)
    run, book = SimpleNamespace(path=tmp_path), SimpleNamespace(results=dict)
    shift: Any = SimpleNamespace(protocol=protocol, exact=exact, run=run, book=book, guard=None)
    monkeypatch.setattr("protocols.runner.Sentinel", lambda *_: None)
    runner = Runner(shift, 0.0)
    for _ in range(2):  # the second time after a resume, or by on_failure = "retry"
        if faults:
            with pytest.raises(RunFailed, match="open heater"):
                runner._recalibrate(1)
        else:
            assert runner._recalibrate(1) == "recalibration-1/calibration.json"
    assert begun == [True, anew]
    assert (tmp_path / "superseded-1-recalibration-1").is_dir() == anew


def test_a_drift_that_pauses_waits_until_somebody_continues(carry: Carry) -> None:
    drifting = HEAD + "drift = { phase_rad = 0.3, time_s = 1.0 }\n"
    hold = '[[step]]\nname = "hold"\nkind = "drift-check"\nduration = "2s"\nevery = "1s"\n'
    agreeing = answering("continue")
    ended = carry(drifting + sentinel(1.5, 0.01, "pause") + hold)
    agreeing.join()
    assert ended.code == 0, ended.out
    assert agreeing.reason.startswith("drift: the reference has changed by")
    summary = json.loads(ended.out)
    assert [look["action"] for look in summary["sentinel"]["seen"]] == ["paused"]
    assert any("drift: the reference has changed" in note for note in summary["notes"])


def test_a_laser_that_goes_out_in_the_night_ends_the_protocol_parked(carry: Carry) -> None:
    dark = HEAD + 'faults = [{ kind = "laser-off", from_s = 0.5 }]\n'
    hold = '[[step]]\nname = "hold"\nkind = "drift-check"\nduration = "10h"\nevery = "5h"\n'
    ended = carry(dark + sentinel(60.0, 0.5) + hold)
    assert ended.code == 3
    assert "nothing but noise" in json.loads(ended.out)["error"]["message"]
    status = RunReader(next(Path("runs").iterdir())).status
    assert status is not None
    assert status["device_seconds"] < 100.0  # it did not take five hours to notice
