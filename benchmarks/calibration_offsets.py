"""Offsets of small meshes against the twin's truth: errors, coverage of the uncertainties, what it takes.

python benchmarks/calibration_offsets.py --ports 8 --drive volts --seeds 0 1 2 3 4
python benchmarks/calibration_offsets.py --seeds 0 1 2 3 4 --faulty
"""

import argparse
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from fringes import PlainBench
from numpy.typing import NDArray

from calibration.photonic import contexts
from calibration.photonic.detectors import Detectors
from calibration.photonic.electrical import Electrical
from calibration.photonic.fringes import Fringes
from calibration.photonic.gauge import canonical, wrapped
from calibration.photonic.mesh_model import Layout
from calibration.photonic.offsets import Offsets
from calibration.procedure import Outcome
from drivers.twin.truth import photonic_phases, photonic_truth
from ffzero_lab.opening import open_device

FloatArray = NDArray[np.float64]
LIMITS = {"pi_setting": 0.01, "theta": 0.03, "phi": 0.03, "splitters": 0.01, "output_gain": 0.005}
"""Largest errors asked for: relative, rad, rad, rad, relative."""


@dataclass(frozen=True)
class Compared:
    """Errors by name, and errors over uncertainties; dead heaters and outputs are left out."""

    errors: dict[str, FloatArray]
    scores: FloatArray


def compared(bench: PlainBench, found: Outcome) -> Compared:
    """Compare what was found with the truth of a twin at this moment.

    With a θ that does not move, phases are compared at the mean of random settings instead of at zero drive: what is
    equivalent to it changes with the heat of its neighbours.
    """
    n = bench.described.n_outputs
    layout, truth = Layout(n), photonic_truth(bench.device, bench.layer)
    m, quantities = layout.n_mzi, found.quantities
    alive = np.setdiff1d(np.arange(n * n), [*bench.dead])
    still = [k for k in bench.dead if k < m]
    lit = np.setdiff1d(np.arange(n), [*bench.dead_outputs])
    phases = _phases_off(bench, found, layout, still)
    spread = quantities["phase"].spread
    off = {
        "pi_setting": quantities["pi_setting"].array / true_pi_settings(bench) - 1.0,
        "splitter_first": quantities["splitter_first"].array - truth.splitter_first,
        "splitter_second": quantities["splitter_second"].array - truth.splitter_second,
        "output_gain": quantities["output_gain"].array - truth.responsivity / truth.responsivity[lit].mean(),
        "input_gain": quantities["input_gain"].array - truth.modulator_gain / truth.modulator_gain.mean(),
    }
    scores = [off[name] / quantities[name].spread for name in off if name != "pi_setting"]
    scores.append(off["pi_setting"] / (quantities["pi_setting"].spread / quantities["pi_setting"].array))
    if not still:
        scores.append(phases[: 2 * m] / spread[: 2 * m])
    pooled = np.concatenate(scores)
    errors = {
        "pi_setting": off["pi_setting"][alive],
        "theta": phases[alive[alive < m]],
        "phi": phases[alive[(alive >= m) & (alive < 2 * m)]],
        "splitters": np.concatenate([off["splitter_first"], off["splitter_second"]]),
        "output_gain": off["output_gain"][lit],
    }
    errors = {name: values[np.isfinite(values)] for name, values in errors.items()}
    return Compared(errors, pooled[np.isfinite(pooled)])


def _phases_off(bench: PlainBench, found: Outcome, layout: Layout, still: list[int]) -> FloatArray:
    truth, transfer = photonic_truth(bench.device, bench.layer), found.transfer
    assert transfer is not None
    s = np.zeros(layout.ports**2)
    if still:
        drawn = [contexts.to_s(bench.described, contexts.background(bench, number)) for number in range(50)]
        s = np.mean(drawn, axis=0)
    setpoints = contexts.from_s(bench.described, s)
    mine = np.array(transfer.offset)
    np.add.at(mine, list(transfer.rows), np.array(transfer.gains) * s[list(transfer.columns)])
    true = photonic_phases(bench.device, bench.layer, setpoints)
    return wrapped(
        canonical(layout, mine, still=still)
        - canonical(layout, true, truth.splitter_first, truth.splitter_second, still)
    )


def true_pi_settings(bench: PlainBench) -> FloatArray:
    """Return Δs (P,) for π: Pπ·R in volts, in watts as the data sheet's R converts them."""
    truth = photonic_truth(bench.device, bench.layer)
    squares = truth.resistance_ohm * truth.pi_power_w
    return squares if bench.described.groups[0].unit == "V" else squares / DATA_SHEET_OHM


DATA_SHEET_OHM = 600.0
FAULTS: list[dict[str, Any]] = [
    {"kind": "open", "parameter": "theta[3]"},
    {"kind": "short", "parameter": "phi[10]"},
    {"kind": "stuck", "parameter": "gamma[2]", "volts": 1.3},
    {"kind": "stuck", "parameter": "theta[20]", "volts": 0.0},
    {"kind": "dead-detector", "output": 5},
]


def measure(ports: int, drive: str, seed: int, faults: list[dict[str, Any]], preset: str) -> Compared:
    """Calibrate one chip and print what came of it."""
    device = open_device("twin:photonic", ports=ports, layers=1, drive=drive, preset=preset, seed=seed, faults=faults)
    bench = PlainBench(device)
    begun = time.perf_counter()
    for procedure in (Detectors(), Electrical(), Fringes()):
        bench.dead_outputs.update(bench.carry_out(procedure).dead_outputs)
    before_s, before = time.perf_counter(), device.ledger.total
    writes, shots = before.writes, before.shots
    found = bench.carry_out(Offsets())
    ended, total = time.perf_counter(), device.ledger.total
    result = compared(bench, found)
    worst = {name: float(np.abs(values).max()) for name, values in result.errors.items()}
    print(
        f"seed {seed}: "
        + ", ".join(f"{name} {error:.4f}{'' if error <= LIMITS[name] else ' !'}" for name, error in worst.items())
        + f"; 95 % cover {100.0 * _covered(result.scores):.1f} %; χ² {found.quantities['residual'].array[0]:.2f}; "
        f"{total.writes - writes} writes, {total.shots - shots} shots (in all {total.writes}, {total.shots}), "
        f"{device.clock.now_s():.1f} s at the bench, {ended - before_s:.1f} s on this computer (in all "
        f"{ended - begun:.1f} s)" + "".join(f"; {finding.where}: {finding.what}" for finding in found.findings),
        flush=True,
    )
    device.close()
    return result


def _covered(scores: FloatArray) -> float:
    return float((np.abs(scores) < 1.96).mean())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ports", type=int, default=8)
    parser.add_argument("--drive", choices=("volts", "power"), default="volts")
    parser.add_argument("--preset", default="typical")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2, 3, 4])
    parser.add_argument("--faulty", action="store_true", help="with four dead heaters and a dead output, for 8 ports")
    given = parser.parse_args()
    results = [
        measure(given.ports, given.drive, seed, FAULTS if given.faulty else [], given.preset) for seed in given.seeds
    ]
    worst = {name: max(float(np.abs(r.errors[name]).max()) for r in results) for name in LIMITS}
    print("worst: " + ", ".join(f"{name} {error:.4f} (asked for {LIMITS[name]})" for name, error in worst.items()))
    print(f"95 % intervals cover {100.0 * _covered(np.concatenate([r.scores for r in results])):.2f} %")
