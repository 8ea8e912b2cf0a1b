"""How well phases arrive that are written through a calibration record: fidelity of intensities.

``python benchmarks/fidelity.py --seeds 5``: a chip of 8 ports in volts, preset typical, is calibrated by the procedures
of ``ffzero-lab calibrate``; then 100 Haar-random settings are written through the record, and 8 random inputs are read
at each. F = (Σ √(p_i q_i))² compares the normalised intensities with those of an ideal mesh, and with what the record's
own model of the chip expects. The ideal mesh with its phases on this chip's splitters is the ceiling of the first.
"""

import argparse
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from scipy.stats import unitary_group

from calibration.calibrating import measure, record_of
from calibration.journal import Journal
from calibration.photonic.mesh_model import Layout, transfer
from calibration.photonic.peeling import peeled
from calibration.registry import chosen
from calibration.runner import Runner
from drivers.twin.truth import photonic_truth
from ffzero_lab.device import Calibrated, Guarded
from ffzero_lab.device.record import CalibrationRecord
from ffzero_lab.opening import open_device
from ffzero_lab.signals import Signals

PORTS, SETTINGS, INPUTS, REPEATS = 8, 100, 8, 16
FloatArray = NDArray[np.float64]
PROCEDURES = ("detectors", "modulators", "electrical", "fringes", "offsets")


def calibrated(device: Guarded, seed: int) -> CalibrationRecord:
    """Return the record that the procedures make."""
    with TemporaryDirectory() as folder, Signals() as signals:
        journal = Journal.create(Path(folder) / "parts", {})
        runner = Runner(device, chosen(PROCEDURES, ()), journal, seed, lambda _: None)
        planned, begun = runner.plan(), datetime.now(UTC)
        return record_of(runner, measure(runner, signals), begun=begun, valid_for_s=86400.0, planned=planned)


def haar_phases(layout: Layout, rng: np.random.Generator) -> FloatArray:
    """Return phases (P,) at which an ideal mesh is a Haar-random unitary, but for output phases."""
    unitary = unitary_group.rvs(layout.ports, random_state=rng)
    return np.concatenate([*peeled(layout, unitary, np.ones(layout.n_mzi)), np.zeros(layout.ports)])


def fidelity(p: FloatArray, q: FloatArray) -> FloatArray:
    """Return F (S, B) of intensities (S, B, n), each normalised; noise below zero counts as no light."""
    p, q = (np.maximum(z, 0.0) / np.maximum(z, 0.0).sum(axis=-1, keepdims=True) for z in (p, q))
    return np.square(np.sqrt(p * q).sum(axis=-1))


def intensities(
    layout: Layout, phases: FloatArray, first: FloatArray, second: FloatArray, bypass: float, entering: FloatArray
) -> FloatArray:
    """Return |E|² (S, B, n) for phases (S, P), splitters (M,), ln of the bypass and fields (B, n)."""
    fields = transfer(layout, phases, first, second, bypass)
    return np.square(np.abs(np.einsum("sij,bj->sbi", fields, entering)))


def told(device: Guarded, record: CalibrationRecord, seed: int) -> tuple[float, float, float]:
    """Return mean fidelity against the ideal mesh, against the record's model, and of perfect phases (the ceiling)."""
    layout, rng = Layout(PORTS), np.random.default_rng([seed, 7])
    phases = np.stack([haar_phases(layout, rng) for _ in range(SETTINGS)])
    inputs = rng.uniform(0.0, 1.0, (INPUTS, PORTS))
    inputs /= inputs.max(axis=1, keepdims=True)
    known = record.layers[0].quantities
    none = np.zeros(layout.n_mzi)
    ideal = intensities(layout, phases, none, none, 0.0, inputs)
    truth = photonic_truth(device, 0)
    ceiling = intensities(layout, phases, truth.splitter_first, truth.splitter_second, 0.0, inputs)
    leak = float(known["offsets.leak"].array[0])
    entering = known["offsets.input_gain"].array * (inputs + (1.0 - inputs) * leak)
    splitters = (known[f"offsets.splitter_{which}"].array for which in ("first", "second"))
    model = intensities(layout, phases, *splitters, float(np.log(known["offsets.bypass"].array[0])), entering)
    calibrated_device = Calibrated(device, record)
    calibrated_device.load_inputs(0, inputs)
    rows = np.tile(np.arange(INPUTS), REPEATS)
    read = calibrated_device.probe(0, phases, rows).reshape(SETTINGS, REPEATS, INPUTS, PORTS).mean(axis=1)
    return (
        float(fidelity(read, ideal).mean()),
        float(fidelity(read, model).mean()),
        float(fidelity(ceiling, ideal).mean()),
    )


def main() -> None:
    """Read the arguments, calibrate and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    rows: list[tuple[float, float, float]] = []
    for seed in range(arguments.seeds):
        with open_device("twin:photonic", ports=PORTS, layers=1, drive="volts", preset="typical", seed=seed) as device:
            rows.append(told(device, calibrated(device, seed), seed))
        print(
            f"seed {seed}: F against the ideal mesh {rows[-1][0]:.5f} (asked for 0.99; perfect phases on these "
            f"splitters {rows[-1][2]:.5f}), against the record's model {rows[-1][1]:.5f} (asked for 0.999)",
            flush=True,
        )
    print(f"least: {min(r[0] for r in rows):.5f} and {min(r[1] for r in rows):.5f}")


if __name__ == "__main__":
    main()
