"""Readings of the state of a rack, measured by itself: voltages and currents, by the names of ``[health.NAME]``."""

from collections.abc import Sequence

from drivers.qontrol.channels import RackChannels
from drivers.qontrol.commands import Quantity, asking
from drivers.qontrol.config import READING
from ffzero_lab.device import FloatArray

QUANTITIES: dict[str, Quantity] = {"v": "v", "ma": "i"}


def readings(names: Sequence[str], channels: RackChannels) -> dict[str, float]:
    """Return the readings *names*, in V, mA and W; each quantity of all channels is measured once at most."""
    measured: dict[Quantity, FloatArray] = {}

    def all_of(quantity: Quantity) -> FloatArray:
        if quantity not in measured:
            measured[quantity] = channels.measured(quantity)
        return measured[quantity]

    told: dict[str, float] = {}
    for name in names:
        found = READING.fullmatch(name)
        assert found is not None  # noqa: S101 - checked when the file was read
        channel, of_channel, of_all = found.groups()
        if channel is not None:
            told[name] = float(channels.rack.ask([asking(QUANTITIES[of_channel], int(channel))])[0])
        elif of_all is not None:
            told[name] = float(all_of(QUANTITIES[of_all]).max())
        else:
            told[name] = float(1e-3 * all_of("v") @ all_of("i"))
    return told
