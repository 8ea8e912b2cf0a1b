"""The whole suite, in the order in which a new driver is best made to pass it."""

from ffzero_lab.conformance.describing import DescribingConformance
from ffzero_lab.conformance.guarding import GuardingConformance
from ffzero_lab.conformance.measuring import MeasuringConformance
from ffzero_lab.conformance.standing import StandingConformance


class DeviceConformance(DescribingConformance, MeasuringConformance, StandingConformance, GuardingConformance):
    """Everything a driver must do, and everything that must never reach it. Give `open_driver`; see the attributes.

    Every layer must answer above its detection floor to the settings and patterns that the suite draws; override
    ``settings``, ``patterns`` or ``excursion`` where it does not.
    """
