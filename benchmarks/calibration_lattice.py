"""Sensors and servos of lattices against the twin's truth: errors, coverage of the uncertainties, what it takes.

python benchmarks/calibration_lattice.py --nx 4 --ny 4 --seeds 0 1 2 3 4
python benchmarks/calibration_lattice.py --seeds 0 1 2 3 4 --faulty
"""

import argparse
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from fringes import PlainBench
from numpy.typing import NDArray

from calibration.mechanical.actuators import Actuators
from calibration.mechanical.sensors import Sensors
from calibration.procedure import Outcome
from drivers.twin.mechanical.config import MechanicalConfig
from drivers.twin.mechanical.leaf import Leaf
from drivers.twin.truth import mechanical_truth
from ffzero_lab.opening import open_device

FloatArray = NDArray[np.float64]
FAULTS: list[dict[str, Any]] = [
    {"kind": "dead-servo", "parameter": "coupling[5]"},
    {"kind": "broken-spring", "parameter": "coupling[17]"},
    {"kind": "dead-servo", "parameter": "ground[6]"},
    {"kind": "broken-spring", "parameter": "ground[0]"},
    {"kind": "dead-gauge", "output": 3},
    {"kind": "dead-load", "input": 9},
]


@dataclass(frozen=True)
class Compared:
    """Errors by name, and errors over uncertainties by name; what is dead is left out."""

    errors: dict[str, FloatArray]
    scores: dict[str, FloatArray]


def compared(config: MechanicalConfig, bench: PlainBench, sensors: Outcome, found: Outcome) -> Compared:
    """Compare what was found with the truth, in the newtons of the mean live load and the mean live gauge's mm."""
    truth, quantities = mechanical_truth(bench.device, 0), sensors.quantities | found.quantities
    output, load = (
        gain / gain[np.isfinite(quantities[name].array)].mean()
        for gain, name in ((truth.gauge_gain, "output_gain"), (truth.load_gain, "load_gain"))
    )
    scale = (truth.gauge_gain / output)[0] * (truth.load_gain / load)[0]
    springs = len(truth.spring_factor)
    expected = {
        "offset": truth.gauge_offset_mm,
        "gain": truth.spring_factor / scale,
        "zero": np.zeros(springs),
        "backlash": np.full(springs, loop_of(config)),
        "output_gain": output,
        "load_gain": load,
        "creep": np.array([config.springs.creep]),
        "creep_time": np.array([config.springs.creep_s]),
    }
    errors: dict[str, FloatArray] = {}
    scores: dict[str, FloatArray] = {}
    for name, true in expected.items():
        left = quantities[name].array - true
        if quantities[name].axis == "parameter":
            left[list(found.dead)] = np.nan
        known = np.isfinite(left) & (quantities[name].spread > 0.0)
        errors[name], scores[name] = left[known], (left / quantities[name].spread)[known]
    return Compared(errors, scores)


def loop_of(config: MechanicalConfig) -> float:
    """Return the width of the servos' loop in the middle of the range, N/m, by the law of a leaf."""
    springs, leaf = config.springs, Leaf(config.springs)
    middle = leaf.position(np.full(2, (springs.lower_n_per_m * springs.upper_n_per_m) ** 0.5))
    return float(np.diff(leaf.stiffness(middle + 0.5 * springs.backlash * np.array([-1.0, 1.0])))[0])


def measure(options: dict[str, Any]) -> Compared:
    """Calibrate one lattice and print what came of it."""
    device = open_device("twin:mechanical", **options)
    bench = PlainBench(device)
    begun = time.perf_counter()
    sensors = bench.carry_out(Sensors())
    bench.dead_outputs.update(sensors.dead_outputs)
    found = bench.carry_out(Actuators())
    wall_s, total = time.perf_counter() - begun, device.ledger.total
    result = compared(MechanicalConfig.model_validate(options), bench, sensors, found)
    told = [finding for finding in (*sensors.findings, *found.findings) if finding.severity != "note"]
    print(
        f"seed {options['seed']}: largest error "
        + ", ".join(f"{name} {np.abs(errors).max():.2g}" for name, errors in result.errors.items())
        + f"; 95 % cover {100.0 * _covered(list(result.scores.values())):.1f} %; "
        f"χ² {found.quantities['residual'].array[0]:.2f}; {total.writes} writes, {total.shots} shots, "
        f"{device.clock.now_s() / 60.0:.1f} min at the bench, {wall_s:.1f} s on this computer"
        + "".join(f"; {finding.where}: {finding.what}" for finding in told),
        flush=True,
    )
    device.close()
    return result


def _covered(scores: list[FloatArray]) -> float:
    return float((np.abs(np.concatenate(scores)) < 1.96).mean())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nx", type=int, default=4)
    parser.add_argument("--ny", type=int, default=4)
    parser.add_argument("--membranes", type=int, default=1)
    parser.add_argument("--preset", default="typical")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2, 3, 4])
    parser.add_argument("--faulty", action="store_true", help="with four faulty springs, a dead gauge and a dead load")
    given = parser.parse_args()
    common = {"nx": given.nx, "ny": given.ny, "membranes": given.membranes, "preset": given.preset}
    common["faults"] = FAULTS if given.faulty else []
    results = [measure({**common, "seed": seed}) for seed in given.seeds]
    for name in results[0].errors:
        errors = np.concatenate([result.errors[name] for result in results])
        covered = _covered([result.scores[name] for result in results])
        print(
            f"{name:12s} RMS error {np.sqrt(np.mean(errors**2)):.2g}, largest {np.abs(errors).max():.2g}, "
            f"95 % intervals cover {100.0 * covered:.1f} % of {len(errors)}"
        )
    pooled = [scores for result in results for scores in result.scores.values()]
    print(f"all: 95 % intervals cover {100.0 * _covered(pooled):.1f} %")
