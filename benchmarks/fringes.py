"""Fringes of a whole chip: how far the setting for π is off, how long it takes, what it would take at a bench.

python benchmarks/fringes.py --ports 64 --seeds 0
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from calibration.photonic.electrical import Electrical
from calibration.photonic.fringes import Fringes
from calibration.procedure import Outcome, Procedure, Sweep
from drivers.twin.truth import photonic_truth
from ffzero_lab.device import Guarded, LayerDescription
from ffzero_lab.device.record import Quantity
from ffzero_lab.opening import open_device


@dataclass
class PlainBench:
    """A bench without a sidecar: every part is measured anew, and nothing of it is kept."""

    device: Guarded
    layer: int = 0
    known: dict[str, Quantity] = field(default_factory=dict)
    dead: dict[int, str] = field(default_factory=dict)
    dead_outputs: dict[int, str] = field(default_factory=dict)
    kept_bytes: int = 0

    @property
    def described(self) -> LayerDescription:
        """The layer's description."""
        return self.device.description.layers[self.layer]

    def kept(self, name: str, measure: Callable[[], Sweep]) -> Sweep:
        """Measure, and count what a sidecar would take."""
        raw = measure()
        self.kept_bytes += sum(array.nbytes for array in raw.values())
        return raw

    def rng(self, purpose: int) -> Generator:
        """Return a generator of its own for *purpose*."""
        return np.random.default_rng([self.layer, purpose])

    def tell(self, message: str) -> None:
        """Print how far it is."""
        print(message, flush=True)

    def carry_out(self, procedure: Procedure) -> Outcome:
        """Run *procedure* and keep what it found."""
        found = procedure.run(self)
        self.known.update({f"{procedure.name}.{name}": quantity for name, quantity in found.quantities.items()})
        self.dead.update(found.dead)
        return found


def measure(ports: int, seed: int) -> None:
    """Calibrate one chip and print what came of it."""
    device = open_device("twin:photonic", ports=ports, layers=1, drive="volts", preset="typical", seed=seed)
    bench = PlainBench(device)
    begun = time.perf_counter()
    bench.carry_out(Electrical())
    bench.carry_out(Fringes())
    wall_s = time.perf_counter() - begun
    truth = photonic_truth(device, 0)
    found = bench.known["fringes.pi_setting"]
    visible = np.isfinite(found.array)
    off = found.array / (truth.resistance_ohm * truth.pi_power_w) - 1.0
    power = bench.known["fringes.pi_power"].array / truth.pi_power_w - 1.0
    covered = np.abs(off) < 1.96 * found.spread / found.array
    total = device.ledger.total
    print(
        f"{ports} ports, seed {seed}: {visible.sum()} of {len(visible)} heaters show a fringe; within 1 %: pi_setting "
        f"{_percent(np.abs(off[visible]) < 0.01)}, pi_power {_percent(np.abs(power[visible]) < 0.01)}; rms "
        f"{100.0 * np.sqrt((off[visible] ** 2).mean()):.3f} %, worst {100.0 * np.abs(off[visible]).max():.2f} %, mean "
        f"{100.0 * off[visible].mean():+.3f} %; 95 % intervals cover {_percent(covered[visible])}; {total.writes} "
        f"writes, {total.shots} shots, {device.clock.now_s():.1f} s at the bench, {wall_s:.0f} s on this computer, "
        f"{bench.kept_bytes / 1e6:.0f} MB of sweeps"
    )
    device.close()


def _percent(those: NDArray[np.bool_]) -> str:
    return f"{100.0 * those.mean():.2f} %"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ports", type=int, default=8)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    given = parser.parse_args()
    for seed in given.seeds:
        measure(given.ports, seed)
