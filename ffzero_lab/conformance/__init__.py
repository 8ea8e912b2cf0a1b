"""The behaviour every driver must show: subclass `DeviceConformance` in a test module of your own and run pytest.

    from ffzero_lab.conformance import DeviceConformance

    class TestMyDevice(DeviceConformance):
        def open_driver(self):
            return MyDriver.open(MyDriver.Config(), clock=None)

This is the only package of the engine that imports pytest.
"""

import pytest

for _part in ("basis", "describing", "guarding", "measuring", "standing"):
    pytest.register_assert_rewrite(f"ffzero_lab.conformance.{_part}")

from ffzero_lab.conformance.basis import Interruption  # noqa: E402 - asserts are rewritten in modules imported later
from ffzero_lab.conformance.call_log import Call, CallLog  # noqa: E402
from ffzero_lab.conformance.suite import DeviceConformance  # noqa: E402

__all__ = ["Call", "CallLog", "DeviceConformance", "Interruption"]
