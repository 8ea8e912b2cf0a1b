"""The example files that come with the package are in order."""

from pathlib import Path

import pytest

import drivers
from drivers.bench import Bench
from drivers.bench.describing import describe
from ffzero_lab import open_device
from ffzero_lab.bench_file import choose_device

EXAMPLES = sorted((Path(drivers.__file__).parent / "benches").glob("*.toml"))


@pytest.mark.parametrize("name", ["photonic-8-port.toml", "photonic-8-port-qontrol.toml", "spring-lattice.toml"])
def test_a_bench_is_described(name: str) -> None:
    chosen = choose_device(str(EXAMPLES[0].parent / name), {})
    assert chosen.driver == "bench"
    config = Bench.Config.model_validate(chosen.options)
    description = describe(config)
    assert description.raw_units == ("photonic" in name)
    for layer in description.layers:
        assert layer.n_parameters == (64 if "photonic" in name else 40)
    assert all(line == line.rstrip() for line in (EXAMPLES[0].parent / name).read_text().splitlines())


def test_the_twin_opens() -> None:
    with open_device(str(EXAMPLES[-1])) as device:
        assert device.description.layers[0].n_outputs == 8
        assert device.description.layers[0].power_budget_w == 0.8


def test_no_example_is_forgotten_here() -> None:
    assert [file.stem for file in EXAMPLES] == [
        "photonic-8-port-qontrol",
        "photonic-8-port",
        "spring-lattice",
        "twin-8-port",
    ]
