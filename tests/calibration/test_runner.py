"""A calibration survives interruption, damage and implausible readings; the command line keeps, checks and shows."""

import json
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibration import registry
from calibration.comparison import allowed_sigmas, compare
from calibration.journal import Journal
from calibration.layer_bench import LayerBench
from calibration.procedure import Bench, Outcome, Sweep
from calibration.runner import Runner
from ffzero_lab.calibrations import load, records_in
from ffzero_lab.device import Counts, Guarded
from ffzero_lab.device.errors import ImplausibleReading
from ffzero_lab.device.record import CalibrationRecord, Finding, Quantity
from ffzero_lab.opening import open_device
from ffzero_lab.signals import Interruption

CHIP = ("--device", "twin:photonic", "--set", "ports=4", "--set", "layers=1", "--set", "drive=volts")
PARTS = 4
Ask = Callable[..., tuple[int, str, str]]


class Levels:
    """Means of the outputs at a few random settings, one part for each."""

    name = "levels"
    needs: tuple[str, ...] = ()
    finds: tuple[str, ...] = ()
    waits_s = 0.0

    def suits(self, bench: Bench) -> str:
        return "" if bench.device.description.kind == "photonic" else "no light"

    def predicted(self, bench: Bench) -> Counts:
        del bench
        return Counts(PARTS, PARTS, 32 * PARTS)

    def run(self, bench: Bench) -> Outcome:
        readings = np.stack([bench.kept(f"setting {n}", lambda n=n: self.measure(bench, n))["z"] for n in range(PARTS)])
        mean, spread = readings.mean(axis=(0, 1)), readings.std(axis=1).mean(axis=0) / np.sqrt(32.0 * PARTS)
        found = Finding(severity="note", where="layer 0", what="levels were looked at")
        return Outcome({"level": Quantity.of("1", "output", mean, spread)}, (found,))

    def measure(self, bench: Bench, number: int) -> Sweep:
        described = bench.described
        bench.device.load_inputs(bench.layer, np.full((1, described.n_inputs), described.input_upper))
        upper = described.per_parameter("upper") * 0.4
        values = np.random.default_rng(number).uniform(0.0, upper)  # the same for every seed: what a check compares
        bench.device.write_parameters(bench.layer, values)
        return {"z": bench.device.read_outputs(bench.layer, np.zeros(32, dtype=np.intp))}


class Heights(Levels):
    """The same again, after the first."""

    name = "heights"
    needs = ("levels",)

    def run(self, bench: Bench) -> Outcome:
        outcome = super().run(bench)
        return Outcome({**outcome.quantities, "rise": bench.known["levels.level"]}, ())


@pytest.fixture(autouse=True)
def two_procedures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "procedures", lambda: (Levels(), Heights()))


def chip(**options: Any) -> Guarded:
    return open_device("twin:photonic", ports=4, layers=1, drive="volts", seed=1, **options)


def runner(device: Guarded, journal: Journal) -> Runner:
    return Runner(device, registry.procedures(), journal, seed=0, tell=lambda _: None)


def test_what_was_interrupted_after_any_part_goes_on_to_the_identical_result(tmp_path: Path) -> None:
    whole, _ = runner(chip(), Journal.create(tmp_path / "whole", {})).run()
    for exchanges in range(1, 30, 3):
        folder = tmp_path / str(exchanges)
        device = chip()
        left = iter(range(exchanges))

        def cut(left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise Interruption("cut", 130)

        device.before_exchange = cut
        journal = Journal.create(folder, {})
        try:
            runner(device, journal).run()
        except Interruption:
            pass
        else:
            pytest.fail("nothing was cut")
        device.close()
        with chip() as again:
            resumed = runner(again, Journal(folder))
            layers, _ = resumed.run()
            counts = again.ledger.by_purpose["calibration"]
        assert layers == whole
        assert counts == Counts(2 * PARTS, 2 * PARTS + 1 + 2 * PARTS, 2 * PARTS * 32 + 16 * (2 * PARTS + 1))
        assert resumed.device_seconds == pytest.approx(counts.seconds(again.description.timing), rel=0.2)


def test_a_part_that_was_damaged_is_measured_again_and_the_others_are_kept(tmp_path: Path) -> None:
    with chip() as device:
        runner(device, Journal.create(tmp_path / "a", {})).run()
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    newest = max((tmp_path / "b").glob("0*.npz"))  # written last: what it held stands in the state as well
    newest.unlink()
    assert Journal(tmp_path / "b").sweeps().keys() == Journal(tmp_path / "a").sweeps().keys()
    damaged = sorted((tmp_path / "a").glob("*levels-setting-2.npz"))[0]
    damaged.write_bytes(damaged.read_bytes()[:-40])
    journal = Journal(tmp_path / "a")
    assert len(journal.refused) == 1
    assert damaged.name in journal.refused[0]
    with chip() as device:
        again = runner(device, journal)
        before = journal.state["counts"]
        again.run()
        assert device.ledger.by_purpose["calibration"].writes == before[0] + 1


def test_light_that_grows_with_the_inputs_off_stops_the_sweep(tmp_path: Path) -> None:
    device = chip()
    answers = device.driver.read_outputs
    device.driver.read_outputs = lambda layer, rows: answers(layer, rows) + drift[0]  # type: ignore[method-assign]
    drift = [0.0]
    journal = Journal.create(tmp_path / "a", {})
    measuring = runner(device, journal)
    levels = Levels()

    def drifting(bench: Bench, number: int) -> Sweep:
        drift[0] = 0.2 * (number == 2)
        return Levels().measure(bench, number)

    levels.measure = drifting  # type: ignore[method-assign]
    measuring.procedures = (levels,)
    with pytest.raises(ImplausibleReading, match="inputs off"):
        measuring.run()
    device.close()
    kept = {key.split("/")[2] for key in Journal(tmp_path / "a").sweeps()}
    assert kept == {"darkness", "setting 0", "setting 1"}  # the part with the light in it does not count


def test_records_are_compared_within_their_uncertainties_and_phases_on_the_circle() -> None:
    with chip() as device:
        layers, findings = runner(device, Journal()).run()
        assert findings
    unchanged = record_with(layers[0].quantities)
    assert compare(unchanged, unchanged).agrees
    moved = layers[0].quantities["levels.level"]
    far = Quantity.of(moved.unit, moved.axis, moved.array + 8.0 * moved.spread * (np.arange(4) == 2), moved.spread)
    found = compare(unchanged, record_with({**layers[0].quantities, "levels.level": far}))
    assert not found.agrees
    assert [(each.name, each.beyond, each.worst) for each in found.quantities if each.beyond] == [
        ("levels.level", 1, 2)
    ]
    here, round_it = (Quantity.of("rad", "parameter", [value], 0.01) for value in (0.001, 2 * np.pi - 0.001))
    assert compare(record_with({"a.phase": here}), record_with({"a.phase": round_it})).agrees


def record_with(quantities: dict[str, Quantity]) -> CalibrationRecord:
    spent = {"writes": 0, "readings": 0, "shots": 0, "seconds": 0.0}
    return CalibrationRecord.model_validate(
        {
            "device": "d", "serial_number": "s", "kind": "photonic", "implementation": "", "software": "0",
            "begun": "2026-01-01T00:00:00Z", "ended": "2026-01-01T01:00:00Z", "device_ended_s": 0.0,
            "valid_for_s": 1.0, "procedures": (), "layers": [{"quantities": quantities}],
            "planned": spent, "spent": spent,
        }
    )  # fmt: skip


def test_the_bound_of_a_comparison_keeps_its_false_alarms() -> None:
    rng = np.random.default_rng(0)
    alarms = np.mean([np.abs(rng.normal(size=50)).max() > allowed_sigmas(50) for _ in range(4000)])
    assert 0.005 < alarms < 0.016


def test_calibrate_keeps_a_record_with_its_sweeps_and_says_what_it_took(ask: Ask, tmp_path: Path) -> None:
    code, shown, _ = ask("calibrate", *CHIP, "--no-report", "--valid-for", "12h")
    assert code == 0, shown
    assert "planned" in shown
    assert "levels were looked at" in shown
    ((path, record),), damaged = records_in(Path("calibrations"))
    assert not damaged
    assert record.valid_for_s == 12 * 3600
    assert record.procedures == ("levels", "heights")
    assert record.layers[0].groups == {"theta": (6,), "phi": (6,), "gamma": (4,)}
    assert record.layers[0].name_of(7) == "phi[1]"
    assert record.spent.shots >= record.planned.shots == 2 * PARTS * 32
    sweeps = np.load(path.with_suffix(".npz"))
    assert sweeps["0/levels/setting 3/z"].shape == (32, 4)
    assert not list(Path("calibrations").rglob("*.unfinished"))
    code, shown, _ = ask("calibrations", "list", "--json")
    assert [row["faults"] for row in json.loads(shown)["records"]] == [0]
    code, shown, _ = ask("calibrations", "show", path)
    assert code == 0
    assert "levels.level" in shown


def test_a_dry_run_touches_nothing(ask: Ask) -> None:
    code, shown, _ = ask("calibrate", *CHIP, "--dry-run", "--json")
    assert code == 0
    assert json.loads(shown)["total"]["shots"] == 2 * PARTS * 32
    assert not Path("calibrations").exists()


def test_single_procedures_build_on_the_newest_record(ask: Ask) -> None:
    assert ask("calibrate", *CHIP, "--no-report", "--only", "levels")[0] == 0
    code, shown, _ = ask("calibrate", *CHIP, "--no-report", "--only", "heights")
    assert code == 0, shown
    (_, first), (_, second) = records_in(Path("calibrations"))[0]
    assert second.layers[0].quantities["heights.rise"] == first.layers[0].quantities["levels.level"]
    code, _, told = ask("calibrate", *CHIP, "--only", "levls")
    assert code == 2
    assert "levels" in told


def test_a_check_overwrites_nothing_and_says_by_its_exit_code_what_it_found(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ffzero_lab.cli.calibration_check.CHECKED", ("levels",))
    assert ask("calibrate", *CHIP, "--no-report")[0] == 0
    ((path, record),), _ = records_in(Path("calibrations"))
    before = path.read_bytes()
    code, shown, _ = ask("calibrate", *CHIP, "--check", "--json")
    assert code == 0, shown
    assert json.loads(shown)["agrees"]
    level = record.layers[0].quantities["levels.level"]
    wrong = Quantity.of("1", "output", level.array + 20.0 * level.spread, level.spread)
    other = record.model_copy(
        update={"layers": (record.layers[0].model_copy(update={"quantities": {"levels.level": wrong}}),)}
    )
    Path("other.json").write_text(other.model_dump_json())
    code, shown, _ = ask("calibrate", *CHIP, "--check", "--against", "other.json")
    assert code == 1
    assert "does NOT agree" in shown
    assert path.read_bytes() == before
    assert len(records_in(Path("calibrations"))[0]) == 1
    code, shown, _ = ask("calibrations", "diff", path, "other.json")
    assert "does NOT agree" in shown


def test_a_signal_parks_and_the_printed_command_goes_on_at_the_next_part(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = Levels.measure

    def interrupted(self: Levels, bench: Bench, number: int) -> Sweep:
        if number == 2:
            signal.raise_signal(signal.SIGTERM)
        return measure(self, bench, number)

    monkeypatch.setattr(Levels, "measure", interrupted)
    code, _, told = ask("calibrate", *CHIP, "--no-report")
    assert code == 143
    assert "the device is parked" in told
    command = told.strip().splitlines()[-1].split()
    assert command[:3] == ["ffzero-lab", "calibrate", "--resume"]
    monkeypatch.setattr(Levels, "measure", measure)
    code, _, told = ask(*command[1:])
    assert code == 0, told
    ((path, _),), _ = records_in(Path("calibrations"))
    assert ask("calibrate", *CHIP, "--no-report", "--calibration-dir", "whole")[0] == 0
    ((undisturbed, _),), _ = records_in(Path("whole"))
    assert load(path).layers == load(undisturbed).layers


def test_a_record_of_another_drive_is_neither_checked_nor_built_on_and_no_calibration_goes_on_there(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ffzero_lab.cli.calibration_check.CHECKED", ("levels",))
    assert ask("calibrate", *CHIP, "--no-report")[0] == 0
    watts = (*CHIP[:-1], "drive=power")
    for more in (("--check",), ("--only", "heights")):
        code, _, told = ask("calibrate", *watts, "--no-report", *more)
        assert code == 2
        assert "in V, square" in told
        assert "in W, linear" in told
    measure = Levels.measure

    def interrupted(self: Levels, bench: Bench, number: int) -> Sweep:
        if number == 2:
            signal.raise_signal(signal.SIGTERM)
        return measure(self, bench, number)

    monkeypatch.setattr(Levels, "measure", interrupted)
    code, _, told = ask("calibrate", *CHIP, "--no-report")
    assert code == 143
    (folder,) = Path("calibrations").rglob("*.unfinished")
    request = folder / "request.json"
    request.write_text(request.read_text().replace('"volts"', '"power"'))  # as when a bench file was changed
    code, _, told = ask("calibrate", "--resume", folder)
    assert code == 2
    assert "was begun on theta (6) in V, square" in told
    assert "in W, linear" in told


def test_a_part_lies_in_memory_as_when_it_is_read_back_so_that_sums_round_alike(tmp_path: Path) -> None:
    measured = np.random.default_rng(0).standard_normal((7, 5, 3)).transpose(2, 0, 1)[:, ::2]
    folder = tmp_path / "parts"
    folder.mkdir()
    parts: list[Any] = []
    with open_device("twin:photonic", ports=4, layers=1, drive="volts") as device:
        for _ in range(2):  # measured, then read back
            bench = LayerBench(device, 0, "levels", 0, Journal(folder), dict, lambda _: None)
            parts.append(bench.kept("a", lambda: {"z": measured, "n": np.array(3.0)}))
    first, second = parts
    assert first["z"].strides == second["z"].strides
    assert first["n"].shape == second["n"].shape == ()
    np.testing.assert_array_equal(first["z"], measured)


def test_records_without_a_common_value_do_not_agree_and_say_what_was_not_compared() -> None:
    values = Quantity.of("V²", "parameter", [1.0, 2.0], 0.1)
    here = record_with({"fringes.pi_setting": values, "electrical.resistance": values, "noise.sigma": values})
    there = record_with({"fringes.pi_setting": Quantity.of("W", "parameter", [1.0, 2.0], 0.1), "offsets.rate": values})
    found = compare(here, there, procedures=("fringes", "electrical", "offsets"))
    assert not found.agrees
    assert found.quantities == ()
    assert found.not_compared == (
        "layer 0, electrical.resistance: known only before",
        "layer 0, fringes.pi_setting: in V² before, in W now",
        "layer 0, offsets.rate: known only now",
    )
    assert compare(here, here, procedures=("fringes", "offsets")).not_compared == ()
    longer = Quantity.of("V²", "parameter", [1.0, 2.0, 3.0], 0.1)
    (told,) = compare(here, record_with({"noise.sigma": longer}), procedures=("noise",)).not_compared
    assert told == "layer 0, noise.sigma: 2 values before, 3 now"


def test_a_check_that_can_measure_nothing_is_refused_and_one_that_compares_nothing_fails(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ffzero_lab.cli.calibration_check.CHECKED", ("levels",))
    assert ask("calibrate", *CHIP, "--no-report")[0] == 0
    found = Levels.run

    def unknown(self: Levels, bench: Bench) -> Outcome:
        level = found(self, bench).quantities["level"]
        return Outcome({"level": Quantity.of(level.unit, level.axis, np.full(4, np.nan), np.nan)})

    monkeypatch.setattr(Levels, "run", unknown)
    code, shown, _ = ask("calibrate", *CHIP, "--check")
    assert code == 1
    assert "not compared: layer 0, levels.level: known only before" in shown
    assert "nothing was compared" in shown
    code, shown, _ = ask("calibrate", *CHIP, "--check", "--json")
    assert (code, json.loads(shown)["agrees"]) == (1, False)
    assert json.loads(shown)["not_compared"] == ["layer 0, levels.level: known only before"]
    monkeypatch.setattr(Levels, "suits", lambda self, bench: "its meter is away")
    code, _, told = ask("calibrate", *CHIP, "--check")
    assert code == 2
    assert "its meter is away" in told
