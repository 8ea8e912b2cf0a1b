"""Snapshots of the photonic twin at any moment: what happens in between leaves no trace."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator
from numpy.testing import assert_equal

from drivers.twin.photonic import PhotonicTwin

PATTERNS, EXCHANGES = 5, 40


def config(rng: Generator, **options: Any) -> PhotonicTwin.Config:
    """Return a twin of everything that has a memory, with all kinds of faults that begin during the test."""
    last = options["ports"] - 1
    faults = [
        {"kind": "open", "parameter": "theta[0]"},
        {"kind": "short", "parameter": "phi[0]", "layer": options["layers"] - 1},
        {"kind": "stuck", "parameter": f"gamma[{last}]", "volts": 1.2},
        {"kind": "laser-step", "factor": 0.7},
        {"kind": "dead-detector", "output": last},
    ]
    return PhotonicTwin.Config(
        faults=[{**fault, "from_s": rng.uniform(0.0, 0.05)} for fault in faults],
        drift={"phase_rad": 0.3, "time_s": 0.05},
        heaters={"settling_s": 3e-3},
        activation={"bias_rad": 0.0},
        **options,
    )


class Bench:
    """A twin with its patterns staged, and what an engine does with it."""

    def __init__(self, options: PhotonicTwin.Config) -> None:
        self.twin = PhotonicTwin.open(options)
        layer = self.twin.description.layers[0]
        self._layers = len(self.twin.description.layers)
        self._upper = layer.per_parameter("upper")
        rng = np.random.default_rng(0)
        for number in range(self._layers if self.twin.description.topology == "reinjected" else 1):
            patterns = rng.uniform(layer.input_lower, layer.input_upper, (PATTERNS, layer.n_inputs))
            self.twin.load_inputs(number, patterns)

    def exchange(self, rng: Generator) -> Any:
        """Do something that *rng* decides, and return what the twin tells of it."""
        twin, layer = self.twin, int(rng.integers(self._layers))
        settings = rng.uniform(size=(2, len(self._upper))) * self._upper
        rows = rng.integers(0, PATTERNS, 4)
        match rng.integers(7):
            case 0:
                return twin.write_parameters(layer, settings[0])
            case 1:
                return twin.park()
            case 2:
                return [*twin.read_health().values(), *twin.read_parameters(layer)]
            case 3:
                return twin.probe(layer, settings, rows)
            case 4:
                return twin.clock.sleep_s(rng.uniform(0.0, 5e-3))
            case _:
                return twin.read_outputs(layer, rows)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("topology", "drive", "kind"),
    [*product(("reinjected", "cascaded"), ("phase", "power", "volts"), ("amplitude", "iq"))],
)
def test_a_twin_put_back_at_random_moments_gives_the_bits_of_one_left_alone(
    topology: str, drive: str, kind: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    preset, ports = ("harsh", "typical", "ideal")[seed], (2, 3, 5)[seed]
    options = config(
        rng, preset=preset, ports=ports, layers=seed + 1, topology=topology, drive=drive, modulators={"kind": kind}
    )
    alone, disturbed = Bench(options), Bench(options)
    for number in range(EXCHANGES):
        kept = {name: values.copy() for name, values in disturbed.twin.snapshot().items()}
        if rng.random() < 0.3:
            disturbed = Bench(options)
        for _ in range(rng.integers(4)):
            disturbed.exchange(rng)
        disturbed.twin.restore(kept)
        told = [bench.exchange(np.random.default_rng([seed, number])) for bench in (alone, disturbed)]
        assert_equal(told[1], told[0])
        assert_equal(disturbed.twin.snapshot(), alone.twin.snapshot())
