"""The drawing of a layer that was calibrated, from what its record knows of the shapes of its parameters."""

from math import isqrt, prod

from ffzero_lab.device.record import LayerRecord
from ffzero_lab.figures.chip_plan import plan_of_shapes
from ffzero_lab.figures.plan import Plan


def plan_of(layer: LayerRecord, kind: str) -> Plan | None:
    """Return the drawing of a layer of a device of *kind*; None: it has no quantity over its parameters."""
    count = parameters_of(layer)
    if count == 0:
        return None
    return plan_of_shapes(kind, layer.groups or _presumed(kind, count))


def parameters_of(layer: LayerRecord) -> int:
    """Return how many parameters a layer has, by its groups or by what was measured of them."""
    if layer.groups:
        return sum(prod(shape) for shape in layer.groups.values())
    measured = [len(quantity.values) for quantity in layer.quantities.values() if quantity.axis == "parameter"]
    return max(measured, default=0)


def _presumed(kind: str, count: int) -> dict[str, tuple[int, ...]]:
    """Return the groups of *count* parameters of which the record names none: a mesh has a square of them."""
    ports = isqrt(count)
    if kind == "photonic" and ports**2 == count and ports > 1:
        mzis = ports * (ports - 1) // 2
        return {"theta": (mzis,), "phi": (mzis,), "gamma": (ports,)}
    return {"parameters": (count,)}
