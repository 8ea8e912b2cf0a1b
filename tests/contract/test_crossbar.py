"""The conformance suite on the crossbar twin: every preset, dense and by patches, reinjected and cascaded.

Each write of an imperfect array comes out a little different, so two readings of the same setting do too. In 40
repetitions the largest differences were 0.40 of a full drive (typical) and 0.75 (harsh); other settings differed by 1.2
at least. The tolerances lie between. Jitter makes exchanges up to 17 % (typical) and 52 % (harsh) shorter than stated.
"""

from typing import Any, ClassVar

from drivers.twin.crossbar import CrossbarTwin
from ffzero_lab.conformance import DeviceConformance

DENSE: dict[str, Any] = {"sizes": [30, 40, 50]}
SATURATING: dict[str, Any] = {"sizes": [30, 40, 50], "activation": "tanh", "topology": "cascaded"}
PATCHES: dict[str, Any] = {
    "inputs": [2, 9, 8],
    "layers": [
        {"kind": "conv", "channels": 8, "kernel": 3, "padding": 1, "pool": 2, "activation": "none"},
        {"kind": "conv", "channels": 13, "kernel": 2, "stride": 2, "activation": "none"},
        {"kind": "dense", "outputs": 40, "bias": False, "activation": "tanh"},
    ],
}
PATCHES_IN_CASCADE: dict[str, Any] = {
    "inputs": [2, 9, 8],
    "layers": [
        {"kind": "conv", "channels": 8, "kernel": 3, "padding": 1, "pool": 2, "activation": "tanh"},
        {"kind": "dense", "outputs": 40, "activation": "none"},
    ],
    "topology": "cascaded",
}


class Crossbar(DeviceConformance):
    """The suite on a twin with these options."""

    options: ClassVar[dict[str, Any]]
    preset: ClassVar[str] = "ideal"

    def open_driver(self):
        return CrossbarTwin.open(CrossbarTwin.Config(preset=self.preset, **self.options))


class Typical(Crossbar):
    preset = "typical"
    tolerance = 0.6
    timing_tolerance = 0.2


class Harsh(Crossbar):
    preset = "harsh"
    tolerance = 0.9
    timing_tolerance = 0.55


class TestIdealDense(Crossbar):
    options = DENSE


class TestIdealDenseCascade(Crossbar):
    options = SATURATING


class TestIdealPatches(Crossbar):
    options = PATCHES


class TestIdealPatchesInCascade(Crossbar):
    options = PATCHES_IN_CASCADE


class TestTypicalDense(Typical):
    options = DENSE


class TestTypicalDenseCascade(Typical):
    options = SATURATING


class TestTypicalPatches(Typical):
    options = PATCHES


class TestTypicalPatchesInCascade(Typical):
    options = PATCHES_IN_CASCADE


class TestHarshDense(Harsh):
    options = DENSE


class TestHarshDenseCascade(Harsh):
    options = SATURATING


class TestHarshPatches(Harsh):
    options = PATCHES


class TestHarshPatchesInCascade(Harsh):
    options = PATCHES_IN_CASCADE
