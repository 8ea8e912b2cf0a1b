"""Sensors and actuators of lattices on twins, against the hidden truth."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator

from calibration.journal import Journal
from calibration.mechanical.actuators import Actuators
from calibration.mechanical.sensors import Sensors
from calibration.procedure import Outcome, Procedure, Sweep
from calibration.runner import Runner
from drivers.twin.mechanical.leaf import Leaf
from drivers.twin.truth import mechanical_truth
from ffzero_lab.device import Calibrated, Guarded, LayerDescription
from ffzero_lab.device.record import CalibrationRecord, Quantity
from ffzero_lab.opening import open_device
from ffzero_lab.signals import Interruption

FAULTS = [
    {"kind": "dead-servo", "parameter": "coupling[5]"},
    {"kind": "broken-spring", "parameter": "coupling[17]"},
    {"kind": "dead-servo", "parameter": "ground[6]"},
    {"kind": "broken-spring", "parameter": "ground[0]"},
    {"kind": "dead-gauge", "output": 3},
    {"kind": "dead-load", "input": 9},
]
FAULTY = {5: "stuck", 17: "broken", 24 + 6: "stuck", 24: "broken"}


@dataclass
class PlainBench:
    device: Guarded
    layer: int = 0
    known: dict[str, Quantity] = field(default_factory=dict)
    dead: dict[int, str] = field(default_factory=dict)
    dead_outputs: dict[int, str] = field(default_factory=dict)

    @property
    def described(self) -> LayerDescription:
        return self.device.description.layers[self.layer]

    def kept(self, name: str, measure: Callable[[], Sweep]) -> Sweep:
        assert name
        return measure()

    def rng(self, purpose: int) -> Generator:
        return np.random.default_rng([self.layer, purpose])

    def tell(self, message: str) -> None:
        assert message

    def heed(self) -> None:
        """Nothing is there to heed."""

    def carry_out(self, procedure: Procedure) -> Outcome:
        assert procedure.suits(self) == ""
        planned, before = procedure.predicted(self), self.device.ledger.total
        found = procedure.run(self)
        assert self.device.ledger.total - before == planned
        self.known.update({f"{procedure.name}.{name}": quantity for name, quantity in found.quantities.items()})
        self.dead_outputs.update(found.dead_outputs)
        return found


def lattice(nx: int = 4, ny: int = 4, **options: Any) -> PlainBench:
    return PlainBench(open_device("twin:mechanical", nx=nx, ny=ny, **{"preset": "typical", **options}))


def scores(quantity: Quantity, truth: np.ndarray) -> np.ndarray:
    return (quantity.array - truth) / quantity.spread


def in_its_gauge(bench: PlainBench, found: Outcome) -> dict[str, np.ndarray]:
    """The truth, in the newtons of the mean live load and the millimetres of the mean live gauge."""
    truth = mechanical_truth(bench.device, bench.layer)
    live = np.isfinite(found.quantities["output_gain"].array), np.isfinite(found.quantities["load_gain"].array)
    output, load = (
        truth.gauge_gain / truth.gauge_gain[live[0]].mean(),
        truth.load_gain / truth.load_gain[live[1]].mean(),
    )
    scale = truth.gauge_gain[live[0]].mean() * truth.load_gain[live[1]].mean()
    return {
        "gain": truth.spring_factor / scale,
        "zero": np.zeros_like(truth.spring_factor),
        "output_gain": output,
        "load_gain": load,
    }


def loop_at(setpoint: float, bench: PlainBench) -> float:
    """The width of the loop of a perfect leaf, in N/m, by its law."""
    config = bench.device.driver._config  # pyright: ignore[reportAttributeAccessIssue]
    leaf = Leaf(config.springs)
    ends = leaf.position(np.full(2, setpoint)) + 0.5 * config.springs.backlash * np.array([-1.0, 1.0])
    return float(np.diff(leaf.stiffness(ends))[0])


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3, 4))])
def test_a_lattice_is_known_within_the_stated_uncertainties(seed: int) -> None:
    bench = lattice(seed=seed)
    sensors = bench.carry_out(Sensors())
    offset = sensors.quantities["offset"]
    assert np.abs(offset.array - mechanical_truth(bench.device, 0).gauge_offset_mm).max() < 0.006
    assert (np.abs(scores(offset, mechanical_truth(bench.device, 0).gauge_offset_mm)) < 3.0).all()
    assert np.allclose(sensors.quantities["noise"].array, 1e-3, rtol=0.1)
    assert np.allclose(sensors.quantities["resolution"].array, bench.described.output_upper / 2**13)
    found = bench.carry_out(Actuators())
    truth = in_its_gauge(bench, found)
    every = np.concatenate([scores(found.quantities[name], value) for name, value in truth.items()])
    assert 0.86 < (np.abs(every) < 1.96).mean() <= 1.0
    assert np.abs(every).max() < 5.0
    errors = {name: np.abs(found.quantities[name].array - value).max() for name, value in truth.items()}
    assert errors["gain"] < 0.005
    assert errors["zero"] < 0.5
    assert errors["output_gain"] < 0.003
    assert errors["load_gain"] < 0.003
    loop = scores(found.quantities["backlash"], np.full(len(truth["gain"]), loop_at(100.0, bench)))
    assert (np.abs(loop) < 1.96).mean() > 0.8
    assert abs(found.quantities["backlash_exponent"].array[0] - 4.0 / 3.0) < 0.15  # by k ∝ L⁻³
    assert abs(scores(found.quantities["creep"], np.array([0.02]))[0]) < 3.0
    assert abs(scores(found.quantities["creep_time"], np.array([60.0]))[0]) < 3.0
    assert 0.9 < found.quantities["residual"].array[0] < 1.1
    assert {finding.severity for finding in (*sensors.findings, *found.findings)} <= {"note"}
    assert not found.dead
    assert not sensors.dead_outputs


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_every_fault_is_found_and_nothing_else_accused(seed: int) -> None:
    bench = lattice(seed=seed, faults=FAULTS)
    sensors = bench.carry_out(Sensors())
    assert sensors.dead_outputs == {3: "dead"}
    found = bench.carry_out(Actuators())
    assert found.dead == FAULTY
    blamed = {finding.where for finding in (*sensors.findings, *found.findings) if finding.severity != "note"}
    assert blamed == {
        "layer 0, output 3",
        "layer 0, input 9",
        *(f"layer 0, {bench.described.name_of(index)}" for index in FAULTY),
    }
    truth = in_its_gauge(bench, found)
    alive = np.setdiff1d(np.arange(40), list(FAULTY))
    assert (np.abs(scores(found.quantities["gain"], truth["gain"])[alive]) < 1.96).mean() > 0.8
    stuck = [index for index, why in FAULTY.items() if why == "stuck"]  # at the soft end, 10 N/m
    assert (np.abs(scores(found.quantities["zero"], 10.0 * truth["gain"])[stuck]) < 3.5).all()
    assert found.transfer is not None
    assert set(found.transfer.rows) == set(alive.tolist())


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"membranes": 2, "nx": 3},
        {"gauges": {"readout": "nodes"}, "loads": {"bias_n": 0.0}},
        {"nx": 3, "ny": 5, "springs": {"lower_n_per_m": 50.0, "upper_n_per_m": 90.0}},
        {"preset": "harsh"},
    ],
)
def test_other_lattices_are_known_within_their_uncertainties(options: dict[str, Any]) -> None:
    bench = lattice(**options)
    offset = bench.carry_out(Sensors()).quantities["offset"]
    known = np.isfinite(offset.array)
    assert known.mean() > 0.5
    assert (np.abs(scores(offset, mechanical_truth(bench.device, 0).gauge_offset_mm))[known] < 3.0).all()
    found = bench.carry_out(Actuators())
    truth = in_its_gauge(bench, found)
    every = np.concatenate([scores(found.quantities[name], value) for name, value in truth.items()])
    assert 0.85 < (np.abs(every) < 1.96).mean() <= 1.0
    assert not found.dead


def test_a_perfect_lattice_is_found_perfect() -> None:
    bench = lattice(3, 3, preset="ideal")
    sensors = bench.carry_out(Sensors())
    assert np.abs(sensors.quantities["offset"].array).max() < 1e-9
    assert np.isnan(sensors.quantities["resolution"].array).all()
    found = bench.carry_out(Actuators())
    assert np.allclose(found.quantities["gain"].array, 1.0, atol=1e-6)
    assert not found.findings


@pytest.mark.parametrize(("cubic", "share"), [(3e3, 0.004), (1e5, 0.06)])
def test_cubic_springs_are_told_and_linear_ones_are_not_fitted_to_them(cubic: float, share: float) -> None:
    bench = lattice(springs={"cubic_n_per_m3": cubic})
    sensors = bench.carry_out(Sensors())
    assert any("not linear" in finding.what for finding in sensors.findings)
    assert 0.5 * share < np.nanmean(sensors.quantities["nonlinearity"].array) < 2.0 * share
    assert "not linear" in Actuators().suits(bench)


@pytest.mark.parametrize("seed", range(4))
def test_linear_lattices_pass_for_linear_although_they_creep(seed: int) -> None:
    sensors = lattice(seed=seed, springs={"creep": 0.1, "creep_s": 5.0}).carry_out(Sensors())
    assert not any("not linear" in finding.what for finding in sensors.findings)


def test_without_a_drawing_springs_that_change_nothing_are_found_and_no_transfer_is_made_up() -> None:
    bench = lattice(faults=FAULTS[:2])
    described = bench.described.model_copy(update={"network": None})
    bench.device.description = bench.device.description.model_copy(update={"layers": (described,)})
    bench.carry_out(Sensors())
    found = bench.carry_out(Actuators())
    assert found.dead == {5: "unseen", 17: "unseen"}
    assert found.transfer is None
    assert any("how the springs are put together" in finding.what for finding in found.findings)


@pytest.mark.parametrize("procedure", [Sensors(), Actuators()])
@pytest.mark.parametrize("device", ["twin:photonic", "twin:crossbar"])
def test_other_devices_are_refused_with_the_reason(procedure: Procedure, device: str) -> None:
    with open_device(device, **({"ports": 4} if device == "twin:photonic" else {})) as opened:
        assert "not mechanical" in procedure.suits(PlainBench(opened))


@pytest.mark.slow
def test_an_interrupted_calibration_goes_on_to_the_identical_result(tmp_path: Path) -> None:
    def runner(device: Guarded, journal: Journal) -> Runner:
        return Runner(device, (Sensors(), Actuators()), journal, seed=0, tell=lambda _: None)

    whole, findings = runner(lattice(2, 2).device, Journal.create(tmp_path / "whole", {})).run()
    for exchanges in (8, 200, 900):
        device, left = lattice(2, 2).device, iter(range(exchanges))

        def cut(left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise Interruption("cut", 130)

        device.before_exchange = cut
        folder = tmp_path / str(exchanges)
        with pytest.raises(Interruption):
            runner(device, Journal.create(folder, {})).run()
        assert runner(lattice(2, 2).device, Journal(folder)).run() == (whole, findings)


def test_a_record_makes_a_lattice_out_of_tolerance_answer_like_a_perfect_one() -> None:
    still = {"creep": 0.0, "backlash": 0.0}  # neither of them is taken back by a record
    device = open_device("twin:mechanical", nx=3, ny=3, preset="typical", springs=still, gauges={"noise": 1e-4})
    layers, _ = Runner(device, (Sensors(), Actuators()), Journal(), seed=0, tell=lambda _: None).run()
    record = CalibrationRecord.model_validate(
        {
            **dict.fromkeys(("device", "implementation", "software"), ""),
            **dict.fromkeys(("begun", "ended"), "2026-01-01T00:00:00Z"),
            **{name: {"writes": 0, "readings": 0, "shots": 0, "seconds": 0.0} for name in ("planned", "spent")},
            "serial_number": device.description.serial_number,
            "kind": "mechanical",
            "device_ended_s": 0.0,
            "valid_for_s": 1.0,
            "procedures": (),
            "layers": layers,
        }
    )
    perfect = open_device("twin:mechanical", nx=3, ny=3, preset="ideal", loads={"bias_n": 0.1})
    rng = np.random.default_rng(0)
    stiffness, forces = np.exp(rng.uniform(np.log(30.0), np.log(500.0), 21)), rng.uniform(-1.0, 1.0, (64, 9))
    readings: list[np.ndarray] = []
    for each in (perfect, device, Calibrated(device, record)):
        each.load_inputs(0, forces)
        each.write_parameters(0, stiffness)
        readings.append(each.read_outputs(0, np.arange(64)))
    ideal, raw, applied = (each - each.mean(axis=0) for each in readings)
    scale = float((applied * ideal).sum() / (ideal**2).sum())  # nobody can tell it: see the docstring of actuators
    assert abs(scale - 1.0) < 0.03
    loads_left = 0.02  # gains of loads are known but not applied
    assert np.sqrt(((applied / scale - ideal) ** 2).mean() / (ideal**2).mean()) < loads_left
    assert np.sqrt(((raw - ideal) ** 2).mean() / (ideal**2).mean()) > 1.5 * loads_left
    zeros = readings[2].mean(axis=0) - scale * readings[0].mean(axis=0)
    assert np.abs(zeros).max() < 0.3 * np.abs(mechanical_truth(device, 0).gauge_offset_mm).max()
