"""Whole calibrations of small photonic chips against the twin's truth, taken at the record's time.

python benchmarks/whole_calibration.py --seeds 20
python benchmarks/whole_calibration.py --seeds 20 --faulty

Prints the largest errors, how many 95 % intervals cover the truth, which faults were found, and what it took.
"""

import argparse
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.calibrating import measure
from calibration.journal import Journal
from calibration.photonic.gauge import canonical, wrapped
from calibration.photonic.mesh_model import Layout
from calibration.registry import procedures
from calibration.runner import Runner
from drivers.twin.truth import photonic_phases, photonic_truth
from ffzero_lab.device import Guarded
from ffzero_lab.device.record import Finding, LayerRecord
from ffzero_lab.opening import open_device
from ffzero_lab.signals import Signals

FloatArray = NDArray[np.float64]
LIMITS = {"pi_power": 0.01, "theta": 0.03, "phi": 0.03, "splitters": 0.01, "output_gain": 0.005}
"""Largest errors asked for: relative, rad, rad, rad, relative."""
RANDOM_SETTINGS = 50


@dataclass(frozen=True)
class Compared:
    """Errors by name, and errors over uncertainties; dead heaters and outputs are left out."""

    errors: dict[str, FloatArray]
    scores: FloatArray
    missed: tuple[str, ...]
    """Faults that were not found, and alarms without a fault."""


def compared(device: Guarded, record: LayerRecord, faults: list[dict[str, Any]]) -> Compared:
    """Compare what was found with the truth of a twin at this moment.

    With a θ that does not move, phases are compared at the mean of random settings instead of at zero drive: what is
    equivalent to it changes with the heat of its neighbours.
    """
    n = device.description.layers[0].n_outputs
    layout, truth, known = Layout(n), photonic_truth(device, 0), record.quantities
    m = layout.n_mzi
    alive = np.setdiff1d(np.arange(n * n), [*record.dead])
    still = [k for k in record.dead if k < m]
    lit = np.setdiff1d(np.arange(n), [*record.dead_outputs])
    phases = _phases_off(device, record, layout, still)
    off = {
        "pi_power": known["offsets.pi_power"].array / truth.pi_power_w - 1.0,
        "splitter_first": known["offsets.splitter_first"].array - truth.splitter_first,
        "splitter_second": known["offsets.splitter_second"].array - truth.splitter_second,
        "output_gain": known["offsets.output_gain"].array - truth.responsivity / truth.responsivity[lit].mean(),
        "input_gain": known["offsets.input_gain"].array - truth.modulator_gain / truth.modulator_gain.mean(),
    }
    scores = [off[name] / known[f"offsets.{name}"].spread for name in off if name != "pi_power"]
    scores.append(off["pi_power"] * known["offsets.pi_power"].array / known["offsets.pi_power"].spread)
    if not still:
        scores.append(phases[: 2 * m] / known["offsets.phase"].spread[: 2 * m])
    pooled = np.concatenate(scores)
    errors = {
        "pi_power": off["pi_power"][alive],
        "theta": phases[alive[alive < m]],
        "phi": phases[alive[(alive >= m) & (alive < 2 * m)]],
        "splitters": np.concatenate([off["splitter_first"], off["splitter_second"]]),
        "output_gain": off["output_gain"][lit],
    }
    errors = {name: values[np.isfinite(values)] for name, values in errors.items()}
    return Compared(errors, pooled[np.isfinite(pooled)], _missed(device, record, faults))


def _phases_off(device: Guarded, record: LayerRecord, layout: Layout, still: list[int]) -> FloatArray:
    truth, transfer, described = photonic_truth(device, 0), record.transfer, device.description.layers[0]
    assert transfer is not None
    setpoints = np.zeros(layout.ports**2)
    if still:
        drawn = np.random.default_rng(0).uniform(0.0, 2.0, (RANDOM_SETTINGS, layout.ports**2))
        s = drawn.mean(axis=0) * described.per_parameter("typical_change") * np.pi
        s[list(record.dead)] = 0.0
        setpoints = np.sqrt(s) if transfer.law == "square" else s
    mine = np.array(transfer.offset)
    driven = setpoints**2 if transfer.law == "square" else setpoints
    np.add.at(mine, list(transfer.rows), np.array(transfer.gains) * driven[list(transfer.columns)])
    true = photonic_phases(device, 0, setpoints)
    return wrapped(
        canonical(layout, mine, still=still)
        - canonical(layout, true, truth.splitter_first, truth.splitter_second, still)
    )


def random_faults(seed: int) -> list[dict[str, Any]]:
    """Return an open, a shorted and two stuck heaters, and a dead detector, of an 8-port chip."""
    rng = np.random.default_rng([seed, 5])
    groups = {"theta": 28, "phi": 28, "gamma": 8}
    heaters = [(name, index) for name, count in groups.items() for index in range(count)]
    chosen = [heaters[place] for place in rng.permutation(len(heaters))[:4]]
    kinds: list[dict[str, Any]] = [
        {"kind": "open"},
        {"kind": "short"},
        {"kind": "stuck", "volts": round(float(rng.uniform(0.5, 4.0)), 2)},
        {"kind": "stuck", "volts": 0.0},
    ]
    dead = {"kind": "dead-detector", "output": int(rng.integers(8))}
    of_heaters = [kind | {"parameter": f"{g}[{i}]"} for kind, (g, i) in zip(kinds, chosen, strict=True)]
    return [*of_heaters, dead]


def _missed(device: Guarded, record: LayerRecord, faults: list[dict[str, Any]]) -> tuple[str, ...]:
    described = device.description.layers[0]
    expected = {each["parameter"]: each["kind"] for each in faults if "parameter" in each}
    expected |= {described.output_name(each["output"]): "dead" for each in faults if "output" in each}
    found = {described.name_of(index): word for index, word in record.dead.items()}
    found |= {described.output_name(index): word for index, word in record.dead_outputs.items()}
    missed = [
        f"{name} is {word}, found {found.get(name)}" for name, word in expected.items() if found.get(name) != word
    ]
    return (*missed, *(f"{name} is said to be {word}" for name, word in found.items() if name not in expected))


def carried_out(device: Guarded, seed: int) -> tuple[LayerRecord, tuple[Finding, ...], Runner]:
    """Return what a whole calibration finds, its findings, and the runner with its counts."""
    runner = Runner(device, procedures(), Journal(), seed, lambda _: None)
    with Signals() as signals:
        measured = measure(runner, signals)
    return measured.layers[0], measured.findings, runner


def judge(ports: int, drive: str, seed: int, faults: list[dict[str, Any]], preset: str) -> Compared:
    """Calibrate one chip and print what came of it."""
    device = open_device("twin:photonic", ports=ports, layers=1, drive=drive, preset=preset, seed=seed, faults=faults)
    with device:
        begun = time.perf_counter()
        planned = sum(
            each.counts.shots for each in Runner(device, procedures(), Journal(), seed, lambda _: None).plan()
        )
        record, findings, runner = carried_out(device, seed)
        wall_s = time.perf_counter() - begun
        result, total = compared(device, record, faults), device.ledger.by_purpose["calibration"]
    worst = {name: float(np.abs(values).max()) for name, values in result.errors.items()}
    chi2 = float(record.quantities["offsets.residual"].array[0])
    print(
        f"seed {seed}: "
        + ", ".join(f"{name} {error:.4f}{'' if error <= LIMITS[name] else ' !'}" for name, error in worst.items())
        + f"; 95 % cover {100.0 * _covered(result.scores):.1f} %; χ² {chi2:.2f}; "
        f"{total.writes} writes, {total.shots} shots ({planned} planned), {runner.device_seconds:.0f} s at the bench, "
        f"{wall_s:.1f} s on this computer"
        + "".join(f"; {missed} !" for missed in result.missed)
        + "".join(f"; {each.where}: {each.what}" for each in findings if each.severity == "warning"),
        flush=True,
    )
    return result


def _covered(scores: FloatArray) -> float:
    return float((np.abs(scores) < 1.96).mean())


def main() -> None:
    """Read the arguments, calibrate and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ports", type=int, default=8)
    parser.add_argument("--drive", choices=("volts", "power"), default="volts")
    parser.add_argument("--preset", default="typical")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--faulty", action="store_true", help="with four dead heaters and a dead output, for 8 ports")
    given = parser.parse_args()
    results = [
        judge(given.ports, given.drive, seed, random_faults(seed) if given.faulty else [], given.preset)
        for seed in range(given.seeds)
    ]
    worst = {name: max(float(np.abs(r.errors[name]).max()) for r in results) for name in LIMITS}
    print("worst: " + ", ".join(f"{name} {error:.4f} (asked for {LIMITS[name]})" for name, error in worst.items()))
    scores = np.concatenate([r.scores for r in results])
    print(f"95 % intervals cover {100.0 * _covered(scores):.2f} % of {len(scores)} values")
    print(f"faults missed and false alarms: {sum(len(r.missed) for r in results)}")


if __name__ == "__main__":
    main()
