"""The conformance suite on the photonic twin: every preset, drive and topology, at even, odd and large size."""

from drivers.twin.photonic import PhotonicTwin
from ffzero_lab.conformance import DeviceConformance

BRIGHT = {"bias_rad": 0.0}
"""The paper's constants leave the second tap under a typical detector's floor; unbiased, the light passes."""
TIGHT = {"budget_w": 0.2}
"""A budget that eight ports can exceed: 64 heaters at 4π draw 0.51 W a chip."""


class TestIdealPhotonicTwin(DeviceConformance):
    def open_driver(self):
        return PhotonicTwin.open(PhotonicTwin.Config(preset="ideal", ports=8, heaters=TIGHT))


class TestIdealPhotonicCascadeOfOddSize(DeviceConformance):
    def open_driver(self):
        return PhotonicTwin.open(PhotonicTwin.Config(preset="ideal", ports=7, topology="cascaded"))


class TestTypicalPhotonicTwinOfOddSize(DeviceConformance):
    def open_driver(self):
        return PhotonicTwin.open(PhotonicTwin.Config(ports=7, layers=3))


class TestTypicalPhotonicCascade(DeviceConformance):
    def open_driver(self):
        options = {"topology": "cascaded", "layers": 3, "activation": BRIGHT, "heaters": TIGHT}
        return PhotonicTwin.open(PhotonicTwin.Config(ports=8, **options))


class TestTypicalPhotonicTwinOf64Ports(DeviceConformance):
    def open_driver(self):
        return PhotonicTwin.open(PhotonicTwin.Config(ports=64))


class TestHarshPhotonicTwin(DeviceConformance):
    def open_driver(self):
        return PhotonicTwin.open(PhotonicTwin.Config(preset="harsh", ports=8, heaters=TIGHT))


class TestHarshPhotonicCascade(DeviceConformance):
    def open_driver(self):
        options = {"topology": "cascaded", "activation": BRIGHT, "detectors": {"full_scale": 1.0}}
        return PhotonicTwin.open(PhotonicTwin.Config(preset="harsh", ports=7, **options))


class TestPhotonicTwinDrivenInVolts(DeviceConformance):
    def open_driver(self):
        return PhotonicTwin.open(PhotonicTwin.Config(ports=8, drive="volts", heaters=TIGHT))


class TestPhotonicTwinDrivenInPower(DeviceConformance):
    def open_driver(self):
        return PhotonicTwin.open(PhotonicTwin.Config(ports=7, drive="power"))


class TestPhotonicTwinWithIqModulators(DeviceConformance):
    def open_driver(self):
        return PhotonicTwin.open(PhotonicTwin.Config(ports=7, modulators={"kind": "iq"}))
