"""What the limits of a table mean for a rack: volts or milliamperes, and what VMAX and IMAX have to be."""

from typing import Any

from drivers.bench.roles import Wiring
from drivers.qontrol.channels import Drive
from drivers.qontrol.commands import Quantity

DRIVEN: dict[str, tuple[Quantity, float]] = {"V": ("v", 1.0), "mV": ("v", 1e-3), "A": ("i", 1e3), "mA": ("i", 1.0)}
"""What a unit drives, and how many V or mA it is."""


def drive_of(config: Any, wiring: Wiring) -> Drive:
    """Return how the channels are driven; raises ValueError, naming the key, for what a rack cannot do."""
    name, volts_per_unit = wiring.name, getattr(config, "volts_per_unit", None)
    if volts_per_unit is None and wiring.unit not in DRIVEN:
        key = " (inputs: or give volts_per_unit)" if hasattr(config, "volts_per_unit") else ""
        raise ValueError(f"{name}: a rack is driven in {', '.join(DRIVEN)}, not in {wiring.unit or 'no unit'}{key}")
    if volts_per_unit is not None and wiring.unit in DRIVEN:
        raise ValueError(f"{name}: volts_per_unit goes with a unit of its own, not with {wiring.unit}; take it out")
    quantity, per_unit = DRIVEN[wiring.unit] if volts_per_unit is None else ("v", float(volts_per_unit))
    if wiring.lower < 0.0:
        raise ValueError(f"{name}: lower is {wiring.lower:g} {wiring.unit}, and a rack gives nothing below 0")
    if [*wiring.all_channels] != sorted(wiring.all_channels):
        raise ValueError(f"{name}: list channels in rising order; a rack counts them from 0 through the chain")
    needed, other = ("imax_ma", config.imax_ma) if quantity == "v" else ("vmax_v", config.vmax_v)
    spare = "vmax_v" if quantity == "v" else "imax_ma"
    if other is None:
        raise ValueError(f"{name}: give {needed}, the other limit that is programmed into every channel")
    if getattr(config, spare) is not None:
        raise ValueError(f"{name}: {spare} is the upper limit of the table itself; take it out")
    return Drive(quantity, per_unit, wiring.upper * per_unit, other)
