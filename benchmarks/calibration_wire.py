"""A calibration over the wire beside one of the same twin in-process, both beside the twin's truth.

``OPENBLAS_NUM_THREADS=1 python benchmarks/calibration_wire.py``: ``ffzero-lab calibrate`` measures an eight-port chip
in volts behind a source, a modulator and a meter that ``ffzero-lab emulate`` serves in a process of its own, then the
same chip in this computer's memory. The twin behind the instruments lives in real time, as a bench does: noise and
drift take their minutes. ``--skip noise,drift`` leaves them out, and with them the walk from the uncertainties. Each
record is compared with the truth at its own time, in the canonical gauge, and with the other one, over joint standard
uncertainties; what the chip walked from one to the other is taken off.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tomlkit
from numpy.typing import NDArray
from wired_bench import Emulated, bench_of, environment

from calibration.comparison import AXES
from calibration.photonic.gauge import canonical, wrapped
from calibration.photonic.mesh_model import Layout
from drivers.twin.photonic import PhotonicConfig, PhotonicTwin
from drivers.twin.truth import photonic_truth
from ffzero_lab.calibrations import load
from ffzero_lab.device.record import CalibrationRecord

FloatArray = NDArray[np.float64]
BENCHMARKS = Path(__file__).parent
REVEALING = "revealing_twin:RevealingTwin"
LIMITS = {"pi_setting": 0.01, "theta": 0.03, "phi": 0.03, "splitters": 0.01, "output_gain": 0.005}
"""Largest errors asked for: relative, rad, rad, rad, relative."""
OF_THE_WAY = ("latency", "settling", "noise.allan", "epsilon", "electrical")
"""Quantities that belong to the way to the chip or to other random directions, not to the chip; R is compared apart."""
NOT_ALIKE = ("fringes.phase", "crosstalk.share")
"""Before other backgrounds, of other pairs."""
FAULTS: list[dict[str, Any]] = [
    {"kind": "open", "parameter": "theta[3]"},
    {"kind": "short", "parameter": "phi[10]"},
    {"kind": "stuck", "parameter": "gamma[2]", "volts": 1.3},
    {"kind": "stuck", "parameter": "theta[20]", "volts": 0.0},
    {"kind": "dead-detector", "output": 5},
]


@dataclass(frozen=True)
class Calibrated:
    """A record, the true phases (P,) at zero drive when it ended, and the wall time that it took."""

    record: CalibrationRecord
    phases: FloatArray
    wall_s: float


def options_of(seed: int, ports: int, faults: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the twin of one seed, in volts."""
    own = {"ports": ports, "layers": 1, "preset": "typical", "seed": seed, "drive": "volts"}
    return own | ({"faults": list(faults)} if faults else {})


def over_the_wire(folder: Path, options: dict[str, Any], skip: str) -> Calibrated:
    """Calibrate the chip behind emulated instruments."""
    folder.mkdir(parents=True)
    at_once = {"write_s": 0.0, "shot_s": 0.0, "exchange_s": 0.0, "jitter": 0.0}  # the wire takes its own time
    content = bench_of(options)
    content["emulation"] |= {
        "twin": REVEALING,
        "options": options | {"realtime": True, "timing": at_once, "reveal": str(folder / "truth.npy")},
    }
    with Emulated(folder, content, paths=[BENCHMARKS]) as emulated:
        record, wall_s = _calibrate(folder, emulated.file, skip)
    return Calibrated(record, np.load(folder / "truth.npy"), wall_s)


def in_process(folder: Path, options: dict[str, Any], skip: str) -> Calibrated:
    """Calibrate the chip in the memory of the process that measures."""
    folder.mkdir(parents=True)
    content = {"driver": REVEALING, **options, "reveal": str(folder / "truth.npy")}
    (folder / "twin.toml").write_text(tomlkit.dumps(content), encoding="utf-8")
    record, wall_s = _calibrate(folder, folder / "twin.toml", skip)
    return Calibrated(record, np.load(folder / "truth.npy"), wall_s)


def _calibrate(folder: Path, file: Path, skip: str) -> tuple[CalibrationRecord, float]:
    command = [sys.executable, "-m", "ffzero_lab", "calibrate", "--device", str(file), "--no-report", "--json"]
    command += ["--skip", skip] if skip else []
    began_s = time.perf_counter()
    ended = subprocess.run(
        command, cwd=folder, env=environment([BENCHMARKS]), capture_output=True, text=True, check=False
    )
    if ended.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
    return load(folder / json.loads(ended.stdout)["record"]), time.perf_counter() - began_s


def beside_truth(one: Calibrated, options: dict[str, Any]) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return errors and standard uncertainties by name; phases not with a dead θ, where they say no more than a sum."""
    layout, layer = Layout(options["ports"]), one.record.layers[0]
    truth = photonic_truth(PhotonicTwin.open(PhotonicConfig.model_validate(options)), 0)
    lit = np.setdiff1d(np.arange(options["ports"]), list(layer.dead_outputs))
    m, found = layout.n_mzi, {name: layer.quantities[f"offsets.{name}"] for name in _OFFSETS}
    pi_setting = truth.resistance_ohm * truth.pi_power_w
    rows = {
        "pi_setting": (found["pi_setting"].array / pi_setting - 1.0, found["pi_setting"].spread / pi_setting),
        "splitters": (
            np.concatenate(
                [
                    found["splitter_first"].array - truth.splitter_first,
                    found["splitter_second"].array - truth.splitter_second,
                ]
            ),
            np.concatenate([found["splitter_first"].spread, found["splitter_second"].spread]),
        ),
        "output_gain": (
            found["output_gain"].array - truth.responsivity / truth.responsivity[lit].mean(),
            found["output_gain"].spread,
        ),
    }
    if not any(parameter < m for parameter in layer.dead):
        off = wrapped(found["phase"].array - canonical(layout, one.phases))
        rows["theta"] = off[:m], found["phase"].spread[:m]
        rows["phi"] = off[m : 2 * m], found["phase"].spread[m : 2 * m]
    return {name: _known(*row) for name, row in rows.items()}


_OFFSETS = ("pi_setting", "splitter_first", "splitter_second", "output_gain", "phase")


def beside_each_other(one: Calibrated, other: Calibrated) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return differences and joint standard uncertainties by quantity; phases without what the chip walked."""
    mine, its = one.record.layers[0].quantities, other.record.layers[0].quantities
    walked = wrapped(_gauged(one) - _gauged(other))
    rows: dict[str, tuple[FloatArray, FloatArray]] = {}
    for name in mine.keys() & its.keys():
        if name.startswith(OF_THE_WAY) or mine[name].axis not in AXES or name in NOT_ALIKE:
            continue
        unit = 1.0 if mine[name].unit == its[name].unit else math.nan
        difference = (mine[name].array - its[name].array) * unit
        if name == "offsets.phase":
            difference = wrapped(difference - walked)
        row = _known(difference, np.hypot(mine[name].spread, its[name].spread))
        if len(row[0]):
            rows[name] = row
    return rows


def _gauged(one: Calibrated) -> FloatArray:
    ports = math.isqrt(len(one.phases))
    return canonical(Layout(ports), one.phases)


def _known(values: FloatArray, spread: FloatArray) -> tuple[FloatArray, FloatArray]:
    known = np.isfinite(values) & np.isfinite(spread) & (spread > 0.0)
    return values[known], spread[known]


def dead_in(record: CalibrationRecord) -> set[str]:
    """Return what a record calls dead, as ``parameter 3 open`` and ``output 5 dead``."""
    layer = record.layers[0]
    parameters = {f"parameter {index} {why}" for index, why in layer.dead.items()}
    return parameters | {f"output {index} {why}" for index, why in layer.dead_outputs.items()}


def injected(faults: Sequence[dict[str, Any]], ports: int) -> set[str]:
    """Return what a record should call dead."""
    m = Layout(ports).n_mzi
    start = {"theta": 0, "phi": m, "gamma": 2 * m}
    told: set[str] = set()
    for fault in faults:
        if "output" in fault:
            told.add(f"output {fault['output']} dead")
        else:
            group, _, number = fault["parameter"].rstrip("]").partition("[")
            told.add(f"parameter {start[group] + int(number)} {fault['kind']}")
    return told


def figures(rows: dict[str, tuple[FloatArray, FloatArray]]) -> dict[str, dict[str, float]]:
    """Return number of values, largest difference, largest over its uncertainty, and share within 1.96 of them."""
    return {
        name: {
            "values": len(off),
            "largest": float(np.abs(off).max()),
            "worst_sigmas": float(np.abs(off / spread).max()),
            "within_95": float((np.abs(off / spread) < 1.96).mean()),
        }
        for name, (off, spread) in sorted(rows.items())
    }


def compared(folder: Path, seed: int, ports: int, skip: str, faults: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Calibrate one chip both ways; return the figures."""
    options = options_of(seed, ports, faults)
    wire, alone = over_the_wire(folder / "wire", options, skip), in_process(folder / "alone", options, skip)
    return {
        "seed": seed,
        "wire": figures(beside_truth(wire, options)),
        "in_process": figures(beside_truth(alone, options)),
        "difference": figures(beside_each_other(wire, alone)),
        "wall_s": {"wire": wire.wall_s, "in_process": alone.wall_s},
        "shots": wire.record.spent.shots,
        "writes": wire.record.spent.writes,
        "dead": {
            "injected": sorted(injected(faults, ports)),
            "wire": sorted(dead_in(wire.record)),
            "in_process": sorted(dead_in(alone.record)),
        },
    }


def told(row: dict[str, Any]) -> str:
    """Return the figures of one chip as lines."""
    lines = [
        f"seed {row['seed']}: {row['wall_s']['wire']:.0f} s over the wire ({row['writes']:,} writes, {row['shots']:,} "
        f"shots), {row['wall_s']['in_process']:.0f} s in-process"
    ]
    for way in ("wire", "in_process"):
        worst = ", ".join(
            f"{name} {found['largest']:.4f} ({LIMITS[name]}{'' if found['largest'] <= LIMITS[name] else ', MISSED'})"
            for name, found in row[way].items()
        )
        total = sum(found["values"] for found in row[way].values())
        within = sum(found["values"] * found["within_95"] for found in row[way].values()) / total
        same = "all injected faults and no other" if row["dead"][way] == row["dead"]["injected"] else "MISSED FAULTS"
        lines.append(f"  {way.replace('_', ' '):10s} off the truth by {worst}; 95 % cover {within:.1%}; dead: {same}")
    for name, found in row["difference"].items():
        lines.append(
            f"  {name:28s} {found['values']:3d} values differ by at most {found['largest']:.2g}, "
            f"{found['worst_sigmas']:.1f} joint uncertainties; {found['within_95']:.0%} within 1.96"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="*", default=[17])
    parser.add_argument("--ports", type=int, default=8)
    parser.add_argument("--skip", default="", help="procedures to leave out: noise,drift")
    parser.add_argument("--faulty", action="store_true", help="with four dead heaters and a dead output, for 8 ports")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as home:
        for seed in given.seeds:
            rows.append(compared(Path(home) / str(seed), seed, given.ports, given.skip, FAULTS if given.faulty else ()))
            print(told(rows[-1]), file=sys.stderr if given.json else sys.stdout, flush=True)
    if given.json:
        print(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
