"""The conformance suite on benches composed of fake instruments around a twin."""

from copy import deepcopy
from typing import Any, ClassVar

import pytest

from drivers.bench import Bench
from drivers.twin.photonic import PhotonicTwin
from ffzero_lab.conformance import DeviceConformance
from ffzero_lab.device import VirtualClock


class OnATable(DeviceConformance):
    """The suite on the bench of `content`, around the twin that `put` puts on the table."""

    @pytest.fixture(autouse=True)
    def _table(self, fakes: Any, content: dict[str, Any]) -> None:
        self.module, self.content = fakes, self.edited(fakes, content)

    def edited(self, fakes: Any, content: dict[str, Any]) -> dict[str, Any]:
        return content

    def open_driver(self) -> Bench:
        return Bench.open(Bench.Config.model_validate(deepcopy(self.content)), VirtualClock())


class TestCrossbarWithTwoArrays(OnATable):
    pass


class TestCrossbarWithoutReadBackAndWithASmallMemory(OnATable):
    def edited(self, fakes, content):
        content["actuators"]["cells"]["driver"] = "fake_instruments:NoReadBack"
        content["inputs"]["rows"]["memory"] = 3
        return content


class Photonic(OnATable):
    """Five ports driven in phase; the twin's range is 4π."""

    options: ClassVar[dict[str, Any]]
    layers: ClassVar[int] = 2
    shared: ClassVar[bool] = False
    topology: ClassVar[str] = "reinjected"

    def edited(self, fakes, content):
        twin = PhotonicTwin.open(PhotonicTwin.Config(preset="ideal", ports=5, **self.options))
        fakes.TABLES["table"] = fakes.Table(twin)
        return photonic(self.layers, self.topology, shared=self.shared)


class TestMeshWrittenAnewForEachLayer(Photonic):
    options: ClassVar = {"layers": 1, "heaters": {"budget_w": 0.1}}
    shared = True


class TestMeshesInACascade(Photonic):
    options: ClassVar = {"layers": 2, "topology": "cascaded"}
    topology = "cascaded"


class TestMeshWhoseModulatorStepsThroughItsMemory(Photonic):
    options: ClassVar = {"layers": 1}
    layers = 1

    def edited(self, fakes, content):
        content = super().edited(fakes, content)
        modulator = {"driver": "fake_instruments:SteppingInputs", "memory": 4, "steps": True}
        content["inputs"]["modulator"].update(modulator)
        content["timing"]["shot_settle_s"] = 0.0
        return content


def photonic(layers: int, topology: str, *, shared: bool) -> dict[str, Any]:
    """Return a bench file of meshes with ten interferometers and five input phases each."""
    described = []
    for number in range(layers):
        first = 0 if shared else number
        ports, heaters = f"{1 + 5 * first}-{5 + 5 * first}", 25 * first
        layer = {
            "outputs": {"instrument": "meter", "channels": ports},
            "one_sign": True,
            "groups": [
                {"name": "theta", "instrument": "heaters", "channels": f"{heaters + 1}-{heaters + 10}"},
                {"name": "phi", "instrument": "heaters", "channels": f"{heaters + 11}-{heaters + 20}"},
                {"name": "gamma", "instrument": "heaters", "channels": f"{heaters + 21}-{heaters + 25}"},
            ],
        }
        if number == 0 or topology == "reinjected":
            layer["inputs"] = {"instrument": "modulator", "channels": ports}
        described.append(layer)
    pieces = 1 if shared else layers
    limits = {"lower_rad": 0.0, "upper_rad": 12.5, "resolution_rad": 0.0}
    amplitudes = {"lower_amplitude": 0.0, "upper_amplitude": 1.0}
    driver = "fake_instruments:"
    return {
        "bench": {
            "name": "mesh lab",
            "serial_number": "M-1",
            "kind": "photonic",
            "topology": topology,
            "shared_hardware": shared,
        },
        "timing": {"settle_s": 0.01, "shot_settle_s": 0.001},
        "actuators": {"heaters": {"driver": driver + "FakeActuators", "channels": 25 * pieces, **limits}},
        "inputs": {
            "modulator": {
                "driver": driver + "FakeInputs",
                "channels": 5 * (pieces if topology == "reinjected" else 1),
                **amplitudes,
            }
        },
        "detectors": {"meter": {"driver": driver + "FakeDetectors", "channels": 5 * pieces, "full_scale_w": 10.0}},
        "layers": described,
    }
