"""No procedure ever asks for a setpoint beyond what the description allows, whatever its limits are."""

from typing import Any

import numpy as np
import pytest

from calibration.journal import Journal
from calibration.registry import chosen
from calibration.runner import Runner
from drivers.twin.photonic import PhotonicConfig, PhotonicTwin
from ffzero_lab.device import Device, FloatArray, Guarded, Walking
from ffzero_lab.device.record import Finding, LayerRecord

Setpoints = list[tuple[float, FloatArray]]


class Watched(PhotonicTwin):
    """A twin that says otherwise of its limits, and keeps what reaches it with the time at which it came."""

    def __init__(self, config: PhotonicConfig, clock: Any, device: dict[str, Any], heaters: dict[str, Any]) -> None:
        super().__init__(config, clock)
        (layer,) = self.description.layers
        own = {name: heaters.pop(name) for name in ("dead", "power_budget_w") if name in heaters}
        groups = tuple(group.model_copy(update=heaters) for group in layer.groups)
        layer = layer.model_copy(update={"groups": groups, **own})
        self.description = self.description.model_copy(update={"layers": (layer,), **device})
        self.written: Setpoints = []

    def write_parameters(self, layer: int, values: FloatArray) -> None:
        self.written.append((self.clock.now_s(), values.copy()))
        super().write_parameters(layer, values)


def watched(seed: int, device: dict[str, Any], heaters: dict[str, Any]) -> Watched:
    config = PhotonicConfig.model_validate({"ports": 4, "layers": 1, "drive": "volts", "seed": seed})
    return Watched(config, PhotonicTwin.open(config).clock, device, dict(heaters))


def calibrated(bench: Device, seed: int, *skip: str) -> tuple[LayerRecord, tuple[Finding, ...]]:
    with Walking(bench) as device:
        records, findings = Runner(device, chosen((), skip), Journal(), seed, lambda _: None).run()
    return records[0], findings


def judged(bench: Watched) -> None:
    """Judge by the description alone, with arithmetic of its own."""
    (layer,), timing = bench.description.layers, bench.description.timing
    budgets = [given for given in (layer.power_budget_w, bench.description.power_budget_w) if given is not None]
    groups = [group for group in layer.groups for _ in range(group.size)]
    ohm = np.array([1.0 / group.power.watts for group in groups if group.power is not None])
    before = np.array([0.0 if group.safe is None else group.safe for group in groups])
    assert bench.written
    for _, values in bench.written:
        for value, last, group in zip(values.tolist(), before.tolist(), groups, strict=True):
            assert group.lower <= value <= group.upper
            if group.slew_per_s is not None:
                assert abs(value - last) <= group.slew_per_s * timing.write_s * (1.0 + 1e-9)
        for budget in budgets:
            assert (values**2 / ohm).sum() <= budget
        assert all(abs(values[index]) < groups[index].resolution for index in layer.dead)
        before = values


BENCHES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "as it is": ({}, {}),
    "a tight budget of the device": ({"power_budget_w": 0.035}, {}),
    "a tight budget of the layer": ({}, {"power_budget_w": 0.02}),
    "a slew limit": ({}, {"slew_per_s": 400.0}),
    "a slew limit and a tight budget": ({"power_budget_w": 0.04}, {"slew_per_s": 300.0}),
    "a narrow range": ({}, {"lower": 0.2, "upper": 1.9, "safe": 0.2, "start": (0.5, 1.6)}),
    "channels that the file calls dead": ({}, {"dead": (2, 7, 13)}),
}


QUICK = ("a slew limit and a tight budget", "channels that the file calls dead")
CASES = [
    pytest.param(name, seed, marks=() if seed == 0 and name in QUICK else pytest.mark.slow)
    for name in BENCHES
    for seed in range(2)
]


@pytest.mark.parametrize(("name", "seed"), CASES)
def test_every_setpoint_of_a_whole_calibration_is_within_bounds_slew_and_budget(name: str, seed: int) -> None:
    device, heaters = BENCHES[name]
    bench = watched(seed, device, heaters)
    record, findings = calibrated(bench, seed)
    judged(bench)
    assert [found for found in findings if found.severity == "fault"] == []
    assert set(record.dead) == set(heaters.get("dead", ()))
    pi_setting = np.delete(record.quantities["fringes.pi_setting"].array, list(record.dead))
    assert np.isfinite(pi_setting).all()


def test_the_judge_sees_what_it_is_there_for(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = watched(0, {}, {"slew_per_s": 100.0})
    monkeypatch.setattr("ffzero_lab.device.limits.SetpointLimits.check_settings", lambda *_: None)
    with Guarded(bench) as device:
        Runner(device, chosen(("electrical",), ()), Journal(), 0, lambda _: None).run()
    with pytest.raises(AssertionError):
        judged(bench)
