"""The conformance suite on the mechanical twin: every preset, both readouts, layers, linear and Duffing."""

from drivers.twin.mechanical import MechanicalTwin
from ffzero_lab.conformance import DeviceConformance

NARROW = {"full_scale_mm": 5.0}
"""A range that the suite's small motions fill better: the harsh noise goes with it."""


class TestIdealMembrane(DeviceConformance):
    def open_driver(self):
        return MechanicalTwin.open(MechanicalTwin.Config(preset="ideal", nx=5, ny=4))


class TestIdealMembranesReadAgainstEachOtherOfOddSize(DeviceConformance):
    def open_driver(self):
        return MechanicalTwin.open(MechanicalTwin.Config(preset="ideal", nx=3, ny=5, membranes=2, layers=2))


class TestIdealDuffingMembrane(DeviceConformance):
    def open_driver(self):
        springs = {"cubic_n_per_m3": 1e5}
        return MechanicalTwin.open(MechanicalTwin.Config(preset="ideal", nx=4, ny=4, springs=springs))


class TestTypicalMembraneWithFewLoads(DeviceConformance):
    def open_driver(self):
        return MechanicalTwin.open(MechanicalTwin.Config(nx=6, ny=6, loads={"count": 4}))


class TestTypicalMembranesReadAgainstEachOther(DeviceConformance):
    def open_driver(self):
        return MechanicalTwin.open(MechanicalTwin.Config(membranes=2, layers=2))


class TestTypicalMembraneOfManyNodes(DeviceConformance):
    def open_driver(self):
        return MechanicalTwin.open(MechanicalTwin.Config(nx=23, ny=23))


class TestHarshDuffingMembranes(DeviceConformance):
    def open_driver(self):
        options = {"springs": {"cubic_n_per_m3": 1e5}, "gauges": NARROW}
        return MechanicalTwin.open(MechanicalTwin.Config(preset="harsh", nx=4, ny=5, membranes=2, **options))


class TestHarshLayersOfOneMembrane(DeviceConformance):
    def open_driver(self):
        return MechanicalTwin.open(MechanicalTwin.Config(preset="harsh", nx=7, ny=5, layers=3, gauges=NARROW))
