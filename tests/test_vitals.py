"""What a run tells of its bench: plain numbers, read by nobody else for it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ffzero_lab import open_device
from ffzero_lab.device import Guarded, InterlockJudge, LinkTally, NoInterlocks, interlocks_for
from ffzero_lab.device.watcher import SynchronousInterlocks
from ffzero_lab.vitals import vitals_of


class Warm:
    """Health readings, and how often they were asked for."""

    def __init__(self, device: Guarded, readings: Mapping[str, float]) -> None:
        self.description, self.clock, self._readings = device.description, device.clock, readings
        self.asked = 0

    def read_health(self) -> Mapping[str, float]:
        self.asked += 1
        return self._readings


def test_health_is_what_the_interlocks_read_last_and_a_reading_that_is_no_number_is_none() -> None:
    with open_device("twin:photonic", ports=4, layers=1, kernel="numpy") as device:
        warm: Any = Warm(device, {"heat_0": 1.5, "laser": float("nan")})
        judge = InterlockJudge(interlocks_for(device.description, {}), "twin")
        interlocks = SynchronousInterlocks(judge, warm)
        assert vitals_of(device, interlocks)["health"] is None
        interlocks.check()
        told = vitals_of(device, interlocks)
        assert told["health"]["readings"] == {"heat_0": 1.5, "laser": None}
        assert warm.asked == 1
        json.dumps(told, allow_nan=False)


def test_links_are_told_by_name_and_a_twin_has_none() -> None:
    with open_device("twin:photonic", ports=4, layers=1, kernel="numpy") as device:
        assert vitals_of(device, NoInterlocks())["links"] == {}
        device.driver.link_tallies = lambda: {"rack": LinkTally(3, 1, 0, 0.5, 1.0)}  # type: ignore[method-assign]
        assert vitals_of(device, NoInterlocks())["links"]["rack"] == {
            "exchanges": 3,
            "retries": 1,
            "recoveries": 0,
            "latency_s": 0.5,
            "slowest_s": 1.0,
        }


def test_a_training_run_tells_its_health_in_its_status_and_keeps_its_course(ask: Any) -> None:
    code, told, complained = ask("train", "--device", "twin:photonic", "--dataset", "iris", "--steps", 2, "--json")
    assert code == 0, complained
    run = Path(json.loads(told)["run"])
    health = json.loads((run / "status.json").read_text())["health"]
    assert set(health["readings"]) == {"heat_0", "heat_1", "laser"}
    kept = [json.loads(line) for line in (run / "health.jsonl").read_text().splitlines()]
    assert kept[0]["readings"].keys() == health["readings"].keys()
