"""Procedures together on chips of four ports: every constant within bounds of the truth, every fault, no other."""

from typing import Any

import numpy as np
import pytest

from calibration.journal import Journal
from calibration.photonic.gauge import canonical, wrapped
from calibration.photonic.mesh_model import Layout
from calibration.registry import chosen
from calibration.runner import Runner
from drivers.twin.truth import photonic_phases, photonic_truth
from ffzero_lab.device import Guarded
from ffzero_lab.device.record import Finding, LayerRecord
from ffzero_lab.opening import open_device

PHASES = ("detectors", "modulators", "electrical", "fringes", "crosstalk", "offsets")
LAYOUT = Layout(4)


def carried_out(*names: str, seed: int = 0, **options: Any) -> tuple[Guarded, LayerRecord, tuple[Finding, ...]]:
    """Return a chip, and what *names* found of it."""
    given = {"ports": 4, "layers": 1, "drive": "volts", "preset": "typical", "seed": seed, **options}
    device = open_device("twin:photonic", **given)
    records, findings = Runner(device, chosen(names, ()), Journal(), seed, lambda _: None).run()
    return device, records[0], findings


@pytest.mark.parametrize(("seed", "drive"), [(0, "volts"), (1, "power"), (2, "volts")])
def test_every_constant_is_found(seed: int, drive: str) -> None:
    device, record, findings = carried_out(*PHASES, seed=seed, drive=drive)
    truth, known = photonic_truth(device, 0), record.quantities
    true_phases = canonical(LAYOUT, photonic_phases(device, 0), truth.splitter_first, truth.splitter_second)
    off = wrapped(known["offsets.phase"].array - true_phases)
    assert np.abs(off).max() < 0.03
    assert np.abs(off[:12] / known["offsets.phase"].spread[:12]).max() < 4.5
    assert np.abs(known["offsets.pi_power"].array / truth.pi_power_w - 1.0).max() < 0.01
    for which in ("first", "second"):
        assert np.abs(known[f"offsets.splitter_{which}"].array - getattr(truth, f"splitter_{which}")).max() < 0.01
    relative = truth.responsivity / truth.responsivity.mean()
    assert np.abs(known["offsets.output_gain"].array - relative).max() < 0.005
    assert np.abs(known["detectors.gain"].array - relative).max() < 0.005
    assert np.abs(known["detectors.dark"].array - truth.dark_offset).max() < 0.02
    assert np.abs(known["modulators.gain"].array - truth.modulator_gain / truth.modulator_gain.mean()).max() < 0.01
    assert known["offsets.residual"].array[0] == pytest.approx(1.0, abs=0.25)
    assert [finding for finding in findings if finding.severity != "note"] == []
    assert not record.dead
    assert not record.dead_outputs


def test_faults_of_every_kind_are_found_and_no_other_and_the_rest_is_known() -> None:
    faults = [
        {"kind": "open", "parameter": "theta[3]"},
        {"kind": "short", "parameter": "phi[4]"},
        {"kind": "stuck", "parameter": "gamma[1]", "volts": 1.3},
        {"kind": "dead-detector", "output": 2},
    ]
    device, record, findings = carried_out(*PHASES, seed=3, faults=faults)
    assert record.dead == {3: "open", 10: "short", 13: "stuck"}
    assert record.dead_outputs == {2: "dead"}
    assert sum(finding.severity == "fault" for finding in findings) == 4
    truth = photonic_truth(device, 0)
    alive = np.setdiff1d(np.arange(16), [3, 10, 13])
    off = (record.quantities["offsets.pi_power"].array / truth.pi_power_w - 1.0)[alive]
    assert np.abs(off).max() < 0.01
    assert record.transfer is not None
    assert not {3, 10, 13} & set(record.transfer.columns), "dead heaters have no gain"


@pytest.mark.slow
def test_uncertainties_hold_on_a_bench_on_which_phases_drift_while_offsets_are_measured() -> None:
    """A minute for the offsets; the walk that was measured before is in their uncertainties."""
    covered: list[np.ndarray] = []
    for seed in range(6):
        timing = {"write_s": 0.5}
        device, record, _ = carried_out(*PHASES, "drift", seed=seed, timing=timing)
        truth, known = photonic_truth(device, 0), record.quantities
        off = wrapped(known["offsets.phase"].array - canonical(LAYOUT, photonic_phases(device, 0)))
        pairs = [
            (off, known["offsets.phase"].spread),
            (known["offsets.pi_power"].array - truth.pi_power_w, known["offsets.pi_power"].spread),
            (known["offsets.splitter_first"].array - truth.splitter_first, known["offsets.splitter_first"].spread),
            (known["offsets.splitter_second"].array - truth.splitter_second, known["offsets.splitter_second"].spread),
            (
                known["offsets.output_gain"].array - truth.responsivity / truth.responsivity.mean(),
                known["offsets.output_gain"].spread,
            ),
        ]
        covered += [np.abs(difference[spread > 0.0]) < 1.96 * spread[spread > 0.0] for difference, spread in pairs]
    assert 0.9 <= np.concatenate(covered).mean() <= 0.99


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
def test_turns_by_two_pi_show_the_crosstalk_within_its_uncertainty(seed: int) -> None:
    _, record, findings = carried_out("electrical", "fringes", "crosstalk", seed=seed, ports=6)
    nearest, decay = (record.quantities[f"crosstalk.{name}"] for name in ("nearest", "decay"))
    assert abs(nearest.array[0] - 0.005) < 4.0 * nearest.spread[0] < 0.002
    assert abs(decay.array[0] - 1.0) < 4.0 * decay.spread[0] < 0.4
    assert not findings


def test_a_chip_without_crosstalk_shows_none() -> None:
    _, record, _ = carried_out("electrical", "fringes", "crosstalk", ports=6, heaters={"crosstalk": 0.0})
    nearest = record.quantities["crosstalk.nearest"]
    assert abs(nearest.array[0]) < 4.0 * nearest.spread[0] < 0.001


def test_crosstalk_is_not_measured_where_the_budget_has_no_room_for_it() -> None:
    _, record, findings = carried_out("fringes", "crosstalk", heaters={"budget_w": 0.02})
    assert not [name for name in record.quantities if name.startswith("crosstalk")]
    assert any("no room for a turn" in finding.what for finding in findings)


def test_crosstalk_is_not_guessed_from_the_data_sheet() -> None:
    _, record, findings = carried_out("crosstalk")
    assert record.quantities == {}
    assert any("carry out fringes first" in finding.what for finding in findings)


def test_a_fit_that_contradicts_the_turns_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from calibration.photonic.crosstalk import Crosstalk
    from calibration.procedure import Bench, Outcome
    from ffzero_lab.device.record import Quantity

    def another(self: Crosstalk, bench: Bench) -> Outcome:
        return Outcome({"nearest": Quantity.of("1", "layer", 0.02, 1e-4)})

    monkeypatch.setattr(Crosstalk, "run", another)
    _, _, findings = carried_out(*PHASES)
    assert any("turns by 2π show 2.00%" in finding.what for finding in findings)


def test_phases_after_a_calibration_age_by_the_walk_that_was_measured() -> None:
    from calibration.ageing import aged
    from ffzero_lab.device.record import Quantity

    spread = np.where(np.arange(16) < 12, 0.003, 0.0)
    known = {
        "offsets.phase": Quantity.of("rad", "parameter", np.arange(16.0), spread),
        "drift.phase_walk": Quantity.of("rad/√h", "layer", 0.06, 0.01),
    }
    after = aged(known, 900.0)["offsets.phase"]
    assert after.array.tolist() == list(range(16))
    rng = np.random.default_rng(0)
    walked = np.array([canonical(LAYOUT, 0.03 * rng.standard_normal(16)) for _ in range(4000)]).std(axis=0)
    assert after.spread == pytest.approx(np.hypot(spread, walked), rel=0.05)
    assert aged(known, 0.0) == known
    assert aged({"offsets.phase": known["offsets.phase"]}, 900.0)["offsets.phase"] == known["offsets.phase"]


def test_a_fit_that_failed_is_a_fault_and_never_drives_a_chip() -> None:
    walk = {"phase_rad": 0.2, "time_s": 1.0}
    _, record, findings = carried_out("detectors", "electrical", "fringes", "offsets", drift=walk)
    assert record.transfer is None
    chi2 = record.quantities["offsets.residual"].array[0]
    assert chi2 > 10.0
    assert findings[0].severity == "fault"
    assert f"reduced χ² is {chi2:.3g} (allowed: 10)" in findings[0].what


def test_a_heater_whose_phase_is_a_guess_leaves_the_record_without_a_transfer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calibration.photonic.offsets.FAILED", 1000.0)
    walk = {"phase_rad": 0.5, "time_s": 3.0}
    _, record, findings = carried_out("detectors", "electrical", "fringes", "offsets", drift=walk)
    assert record.transfer is None
    spread = record.quantities["offsets.phase"].spread
    for heater in range(6):
        assert (f"theta[{heater}]" in findings[0].what) == (spread[heater] > 0.5)
    assert "uncertain by more than 0.5 rad" in findings[0].what


def test_a_chip_too_large_for_the_joint_fit_gets_phases_that_count_from_zero_drive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("calibration.photonic.offsets.MOST_PORTS", 3)
    faults = [{"kind": "open", "parameter": "theta[3]"}]
    device, record, findings = carried_out("electrical", "fringes", "offsets", "relative", faults=faults)
    assert record.transfer is not None
    assert 3 not in record.transfer.columns
    assert not any(record.transfer.offset)
    truth = photonic_truth(device, 0)
    rates = np.pi / (truth.pi_power_w * truth.resistance_ohm)
    assert np.array(record.transfer.gains) == pytest.approx(rates[list(record.transfer.rows)], rel=0.02)
    assert any("counted from zero drive" in finding.what for finding in findings)


def test_a_chip_that_the_joint_fit_knows_needs_no_relative_phases() -> None:
    _, record, _ = carried_out("fringes", "relative")
    assert record.transfer is None, "a record of fringes alone never stands in for offsets"
