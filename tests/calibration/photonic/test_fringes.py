"""Fringes and resistances of heaters on twins, against the hidden truth."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator

from calibration.photonic.electrical import Electrical
from calibration.photonic.fringe_fit import Sweep as FringeSweep
from calibration.photonic.fringe_fit import components, fit, informative_points
from calibration.photonic.fringes import Fringes
from calibration.procedure import Outcome, Procedure, Sweep
from drivers.twin.truth import photonic_truth
from ffzero_lab.device import BadReply, Guarded, LayerDescription
from ffzero_lab.device.record import Quantity
from ffzero_lab.opening import open_device

FAULTS = [
    {"kind": "open", "parameter": "theta[3]"},
    {"kind": "short", "parameter": "phi[10]"},
    {"kind": "stuck", "parameter": "gamma[2]", "volts": 1.3},
    {"kind": "stuck", "parameter": "theta[20]", "volts": 0.0},
]
FAULTY = {3: "open", 38: "short", 58: "stuck", 20: "stuck"}


@dataclass
class PlainBench:
    device: Guarded
    layer: int = 0
    known: dict[str, Quantity] = field(default_factory=dict)
    dead: dict[int, str] = field(default_factory=dict)
    dead_outputs: dict[int, str] = field(default_factory=dict)
    sidecar: dict[str, Sweep] = field(default_factory=dict)
    measured: list[str] = field(default_factory=list)

    @property
    def described(self) -> LayerDescription:
        return self.device.description.layers[self.layer]

    def kept(self, name: str, measure: Callable[[], Sweep]) -> Sweep:
        if name not in self.sidecar:
            self.sidecar[name] = measure()
            self.measured.append(name)
        return self.sidecar[name]

    def rng(self, purpose: int) -> Generator:
        return np.random.default_rng([self.layer, purpose])

    def tell(self, message: str) -> None:
        assert message

    def heed(self) -> None:
        """Nothing is there to heed."""

    def carry_out(self, procedure: Procedure) -> Outcome:
        assert procedure.suits(self) == ""
        found = procedure.run(self)
        self.known.update({f"{procedure.name}.{name}": quantity for name, quantity in found.quantities.items()})
        self.dead.update(found.dead)
        return found


def chip(ports: int = 8, **options: Any) -> PlainBench:
    given = {"layers": 1, "drive": "volts", "preset": "typical", **options}
    return PlainBench(open_device("twin:photonic", ports=ports, **given))


def true_pi_settings(bench: PlainBench) -> np.ndarray:
    truth = photonic_truth(bench.device, 0)
    return truth.resistance_ohm * truth.pi_power_w


@pytest.mark.parametrize("seed", range(5))
def test_resistances_agree_with_the_truth_within_their_uncertainties(seed: int) -> None:
    bench = chip(seed=seed)
    found = bench.carry_out(Electrical())
    resistance = found.quantities["resistance"]
    off = resistance.array - photonic_truth(bench.device, 0).resistance_ohm
    assert np.abs(off / resistance.array).max() < 0.004
    assert 0.85 <= (np.abs(off) < 1.96 * resistance.spread).mean() <= 1.0
    assert not found.dead
    assert not found.findings
    assert not bench.device.driver.read_parameters(0).any()


@pytest.mark.parametrize("seed", range(5))
def test_the_meters_tell_every_faulty_heater_and_accuse_no_other(seed: int) -> None:
    found = chip(seed=seed, faults=FAULTS).carry_out(Electrical())
    assert found.dead == FAULTY
    assert {finding.where for finding in found.findings} == {
        "layer 0, theta[3]",
        "layer 0, phi[10]",
        "layer 0, gamma[2]",
        "layer 0, theta[20]",
    }


def test_a_heater_out_of_its_band_is_reported_but_not_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = chip()
    real = bench.device.driver.read_actuators  # pyright: ignore[reportAttributeAccessIssue]

    def one_is_larger(layer: int) -> Any:
        volts, amperes = real(layer)
        amperes[7] *= 0.65
        return volts, amperes

    monkeypatch.setattr(bench.device.driver, "read_actuators", one_is_larger)
    found = bench.carry_out(Electrical())
    assert not found.dead
    assert [finding.where for finding in found.findings] == ["layer 0, theta[7]"]


@pytest.mark.parametrize(("factor", "told"), [(0.0, "no current"), (np.nan, "finite")])
def test_meters_that_cannot_be_believed_stop(factor: float, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = chip()
    real = bench.device.driver.read_actuators  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setattr(bench.device.driver, "read_actuators", lambda layer: (real(layer)[0], real(layer)[1] * factor))
    with pytest.raises(BadReply, match=told):
        bench.carry_out(Electrical())


def test_a_ramp_stays_within_a_small_budget() -> None:
    bench = chip(heaters={"budget_w": 0.2})
    resistance = bench.carry_out(Electrical()).quantities["resistance"]
    assert np.abs(resistance.array / photonic_truth(bench.device, 0).resistance_ohm - 1.0).max() < 0.004


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
def test_the_setting_for_pi_is_found_within_its_uncertainty(seed: int) -> None:
    bench = chip(seed=seed)
    bench.carry_out(Electrical())
    found = bench.carry_out(Fringes())
    setting = found.quantities["pi_setting"]
    off = setting.array / true_pi_settings(bench) - 1.0
    assert np.abs(off).max() < 0.0125
    assert (np.abs(off) < 0.01).mean() > 0.98
    assert 0.88 <= (np.abs(off) < 1.96 * setting.spread / setting.array).mean() <= 1.0
    assert (setting.spread / setting.array).max() < 0.0075
    power = found.quantities["pi_power"].array / photonic_truth(bench.device, 0).pi_power_w - 1.0
    assert (np.abs(power) < 0.01).mean() > 0.98
    assert not found.dead
    assert not found.findings


def test_without_crosstalk_the_setting_for_pi_is_known_to_a_thousandth() -> None:
    bench = chip(heaters={"crosstalk": 0.0})
    setting = bench.carry_out(Fringes()).quantities["pi_setting"]
    assert np.abs(setting.array / true_pi_settings(bench) - 1.0).max() < 0.003


@pytest.mark.parametrize("drive", ["power", "phase"])
def test_other_drives_are_calibrated_in_their_own_unit(drive: str) -> None:
    bench = chip(ports=4, drive=drive, heaters={"crosstalk": 0.0})
    quantities = bench.carry_out(Fringes()).quantities
    truth = photonic_truth(bench.device, 0)
    expected = truth.pi_power_w * truth.resistance_ohm / 600.0  # what is asked for is converted by the data sheet
    if drive == "phase":
        expected = expected * np.pi / 2e-3
    assert quantities["pi_setting"].unit == {"power": "W", "phase": "rad"}[drive]
    assert np.abs(quantities["pi_setting"].array / expected - 1.0).max() < 0.004
    assert ("pi_power" in quantities) == (drive == "power")


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
def test_heaters_that_do_nothing_are_dark_and_no_others(seed: int) -> None:
    faults = [*FAULTS, {"kind": "dead-detector", "output": 5}]
    bench = chip(seed=seed, faults=faults)
    found = bench.carry_out(Fringes())
    assert found.dead == dict.fromkeys(FAULTY, "dark")
    assert len(found.findings) == len(FAULTY)
    assert np.isnan(found.quantities["pi_setting"].array[list(FAULTY)]).all()


def test_a_laser_that_steps_in_a_sweep_stops_it() -> None:
    bench = chip(faults=[{"kind": "laser-step", "factor": 0.9, "from_s": 0.504}])
    with pytest.raises(BadReply, match="light changed by"):
        bench.carry_out(Fringes())


def test_a_laser_that_goes_out_stops_it() -> None:
    with pytest.raises(BadReply):
        chip(faults=[{"kind": "laser-off", "from_s": 0.5}]).carry_out(Fringes())


def test_an_interrupted_sweep_goes_on_with_the_next_heater() -> None:
    broken = chip(faults=[{"kind": "laser-off", "from_s": 0.5}])
    with pytest.raises(BadReply):
        broken.carry_out(Fringes())
    before = list(broken.measured)
    assert 5 < len(before) < 60
    mended = chip()
    mended.sidecar = dict(broken.sidecar)
    setting = mended.carry_out(Fringes()).quantities["pi_setting"]
    assert not set(before) & set(mended.measured)
    assert np.abs(setting.array / true_pi_settings(mended) - 1.0).max() < 0.0125


def test_the_fit_finds_the_period_of_a_known_fringe_and_states_its_error() -> None:
    rng = np.random.default_rng(0)
    kappa, noise, columns = 2.6, 0.02, 20
    s = np.linspace(0.0, 4.8, 7)
    amplitude, phase = rng.uniform(0.2, 1.0, columns), rng.uniform(-np.pi, np.pi, columns)
    clean = 1.0 + amplitude * np.cos(kappa * s[:, np.newaxis] + phase)
    found = [fit(FringeSweep(s, clean + noise * rng.standard_normal(clean.shape), noise), 2.0, 3.2) for _ in range(60)]
    z = np.array([(one.kappa / kappa - 1.0) / one.share for one in found])
    assert 0.7 < z.std() < 1.3
    assert abs(z.mean()) < 0.5
    offset, measured, at_zero = components(FringeSweep(s, clean, noise), kappa)
    np.testing.assert_allclose(offset, 1.0, atol=1e-12)
    np.testing.assert_allclose(measured, amplitude, atol=1e-12)
    np.testing.assert_allclose(np.exp(1j * at_zero), np.exp(1j * phase), atol=1e-12)


def test_chosen_points_tell_more_of_the_period_than_even_ones() -> None:
    rng = np.random.default_rng(1)
    turn, noise, columns = 12.5, 0.02, 40

    def share(places: np.ndarray) -> float:
        phase = rng.uniform(-np.pi, np.pi, columns)
        clean = 1.0 + np.cos(turn * places[:, np.newaxis] + phase)
        readings = clean + noise * rng.standard_normal(clean.shape)
        return fit(FringeSweep(places, readings, noise), 0.97 * turn, 1.03 * turn).share

    chosen, even = np.array(informative_points(turn, 5)), np.linspace(0.0, 1.0, 5)
    assert np.median([share(chosen) for _ in range(20)]) < 0.8 * np.median([share(even) for _ in range(20)])
