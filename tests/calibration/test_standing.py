"""Nothing stays energised when nobody measures: between parts, during fits, while another layer has its turn."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibration.journal import Arrays, Journal
from calibration.procedure import Sweep
from calibration.registry import chosen
from calibration.runner import Runner
from drivers.twin.photonic import PhotonicConfig, PhotonicTwin
from ffzero_lab.device import Counts, FloatArray, Guarded, PowerLaw, Walking
from ffzero_lab.opening import open_device
from ffzero_lab.signals import Interruption


class Kept(Journal):
    """Notes what stands on every layer whenever a part is kept."""

    def __init__(self, device: Guarded, folder: Path | None = None) -> None:
        super().__init__(folder)
        self.device = device
        self.standing: dict[str, list[Any]] = {}

    def keep(self, key: str, sweep: Sweep, state: Arrays) -> None:
        layers = range(len(self.device.description.layers))
        self.standing[key] = [self.device.driver.read_parameters(layer) for layer in layers]
        super().keep(key, sweep, state)


def run(device: Guarded, journal: Journal, *names: str) -> Runner:
    runner = Runner(device, chosen(names, ()), journal, 0, lambda _: None)
    runner.run()
    return runner


def test_every_part_ends_with_all_layers_parked() -> None:
    with open_device("twin:photonic", ports=4, layers=2, drive="volts", seed=1) as device:
        journal = Kept(device)
        run(device, journal, "detectors", "electrical", "fringes", "latency", "noise")
    assert {key.split("/")[0] for key in journal.standing} == {"0", "1"}
    for key, layers in journal.standing.items():
        assert not np.any(layers), key


def test_springs_are_parked_behind_every_part() -> None:
    with open_device("twin:mechanical", nx=2, ny=2, seed=1) as device:
        journal = Kept(device)
        run(device, journal, "sensors", "latency")
    softest = device.description.layers[0].per_parameter("parked")
    for key, (springs,) in journal.standing.items():
        assert springs == pytest.approx(softest), key


class Shared(PhotonicTwin):
    """A bench of two layers on one supply; heaters of the second draw something even when parked."""

    def __init__(self, budget_w: float, parked: float) -> None:
        config = PhotonicConfig.model_validate({"ports": 4, "layers": 2, "drive": "volts", "seed": 1})
        super().__init__(config, PhotonicTwin.open(config).clock)
        first, second = self.description.layers
        power = PowerLaw(exponent=2.0, watts=1.0 / 600.0)
        groups = [
            tuple(group.model_copy(update={"power": power, "safe": safe}) for group in layer.groups)
            for layer, safe in ((first, 0.0), (second, parked))
        ]
        layers = tuple(
            layer.model_copy(update={"groups": own, "power_budget_w": None})
            for layer, own in zip((first, second), groups, strict=True)
        )
        self.description = self.description.model_copy(update={"layers": layers, "power_budget_w": budget_w})
        self.most_w, self._now = 0.0, {0: np.zeros(16), 1: np.full(16, parked)}

    def write_parameters(self, layer: int, values: FloatArray) -> None:
        super().write_parameters(layer, values)
        self._now[layer] = values
        self.most_w = max(self.most_w, sum(float((each**2).sum()) / 600.0 for each in self._now.values()))

    def park(self) -> None:
        super().park()
        for layer, described in enumerate(self.description.layers):
            self._now[layer] = described.per_parameter("parked")


@pytest.mark.parametrize("parked", [0.0, 0.8])
def test_layers_that_share_a_budget_are_calibrated_one_after_the_other(parked: float) -> None:
    budget_w = 0.14 if parked == 0.0 else 0.06
    bench = Shared(budget_w, parked)
    with Guarded(bench) as device:
        layers = Runner(device, chosen(("electrical", "fringes"), ()), Journal(), 0, lambda _: None).run()[0]
    assert 0.8 * budget_w < bench.most_w <= budget_w
    for layer in layers:
        assert np.isfinite(layer.quantities["fringes.pi_setting"].array).all()


def test_a_slewed_bench_is_parked_no_faster_than_it_may_move() -> None:
    config = PhotonicConfig.model_validate({"ports": 4, "layers": 1, "drive": "volts", "seed": 1})
    bench = PhotonicTwin.open(config)
    (layer,) = bench.description.layers
    groups = tuple(group.model_copy(update={"slew_per_s": 400.0}) for group in layer.groups)
    layer = layer.model_copy(update={"groups": groups})
    bench.description = bench.description.model_copy(update={"layers": (layer,)})
    before: list[FloatArray] = []
    park = bench.park

    def parked() -> None:
        before.append(bench.read_parameters(0).copy())
        park()

    bench.park = parked  # type: ignore[method-assign]
    with Walking(bench) as device:
        run(device, Journal(), "electrical", "latency")
    assert len(before) > 3
    assert not np.any(before)


@pytest.mark.parametrize(
    ("kind", "options", "names", "last"),
    [
        ("twin:photonic", {"ports": 4, "layers": 1, "drive": "volts"}, ("offsets",), "0/offsets/attempt 0, again"),
        ("twin:mechanical", {"nx": 2, "ny": 2}, ("sensors", "actuators"), "0/actuators/settings 2"),
    ],
)
def test_a_signal_is_heeded_while_a_fit_is_under_way_and_going_on_gives_the_same(
    tmp_path: Path, kind: str, options: dict[str, Any], names: tuple[str, ...], last: str
) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    with open_device(kind, seed=1, **options) as device:
        journal = Kept(device, folder)
        looks = [0]

        def look() -> None:
            looks[0] += last in journal.standing
            if looks[0] > 6:
                raise Interruption("cut", 143)

        device.before_exchange = look
        with pytest.raises(Interruption):
            run(device, journal, *names)
    with open_device(kind, seed=1, **options) as device:
        resumed = Runner(device, chosen(names, ()), Journal(folder), 0, lambda _: None)
        counts = resumed.journal.state["counts"].tolist()
        layers = resumed.run()[0]
        assert device.ledger.by_purpose["calibration"] == Counts(*counts)
    with open_device(kind, seed=1, **options) as device:
        whole = Runner(device, chosen(names, ()), Journal(), 0, lambda _: None).run()[0]
    assert layers == whole
