"""How a calibrated layer is described: in effects instead of setpoints, without its dead outputs."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device.actuation import Actuation
from ffzero_lab.device.description import DeviceDescription, LayerDescription, ParameterGroup
from ffzero_lab.device.errors import CalibrationMissing
from ffzero_lab.device.reach import Reach
from ffzero_lab.device.readout import Readout
from ffzero_lab.device.record import Transfer

FloatArray = NDArray[np.float64]


def in_effects(
    raw: DeviceDescription,
    transfers: Sequence[Transfer],
    actuations: Sequence[Actuation],
    readouts: Sequence[Readout],
    fed: Sequence[NDArray[np.intp] | None],
) -> DeviceDescription:
    """Describe a calibrated device; *fed* are, by layer, the inputs that are left where the others carry dead outputs.

    Raises CalibrationMissing when the parameters of a group have no effect in common.
    """
    layers = [_layer(*each) for each in zip(raw.layers, transfers, actuations, readouts, fed, strict=True)]
    return raw.model_copy(update={"layers": tuple(layers), "raw_units": False})


def _layer(
    raw: LayerDescription,
    transfer: Transfer,
    actuation: Actuation,
    readout: Readout,
    fed: NDArray[np.intp] | None,
) -> LayerDescription:
    fields = {name: getattr(raw, name) for name in LayerDescription.model_fields}
    still = np.setdiff1d(np.arange(raw.n_parameters), actuation.alive)
    fields |= {"groups": _groups(raw, transfer, actuation), "dead": tuple(still.tolist()), "network": None}
    if fed is not None:
        fields["input_shape"] = (len(fed),)
    upper, floor = readout.bounds(raw.output_upper, raw.detection_floor)
    fields |= {"output_upper": upper, "detection_floor": floor}
    if len(readout.live) < raw.n_outputs:
        fields["output_shape"] = (len(readout.live),)
        names = raw.output_names or tuple(f"the device's output {output}" for output in range(raw.n_outputs))
        fields["output_names"] = tuple(np.array(names)[readout.live].tolist())
        fields["reach"] = None if raw.reach is None else _narrowed(raw.reach, readout.live)
    return LayerDescription(**fields)


def _groups(raw: LayerDescription, transfer: Transfer, actuation: Actuation) -> tuple[ParameterGroup, ...]:
    ends = np.cumsum([0, *(group.size for group in raw.groups)]).tolist()
    steps = actuation.steps()
    least, most = actuation.ranges()
    groups: list[ParameterGroup] = []
    for group, (start, stop) in zip(raw.groups, pairwise(ends), strict=True):
        own = (actuation.alive >= start) & (actuation.alive < stop)
        moving = actuation.alive[own]
        fields = {name: getattr(group, name) for name in ParameterGroup.model_fields}
        fields |= {"unit": transfer.unit, "period": transfer.period, "power": None, "slew_per_s": None, "safe": None}
        fields["resolution"] = float(steps[moving].max(initial=0.0))
        if transfer.period is not None:
            fields |= _periodic(transfer.period)
        elif len(moving):
            fields |= _bounded(group, transfer, actuation.gain[own], float(least[own].max()), float(most[own].min()))
        else:
            fields |= {"lower": 0.0, "upper": 1.0, "start": None, "scale": "linear"}
        groups.append(ParameterGroup(**fields))
    return tuple(groups)


def _periodic(period: float) -> dict[str, object]:
    """Return the box of a periodic effect: two periods around zero.

    Where in it a value stands means nothing, since the branch is chosen when it is written: every one can be written,
    and there is room for a perturbation around any period of it.
    """
    return {
        "lower": -period,
        "upper": period,
        "start": None,
        "scale": "linear",
        "typical_change": period / (2.0 * np.pi),
    }


def _bounded(
    group: ParameterGroup, transfer: Transfer, gain: FloatArray, lower: float, upper: float
) -> dict[str, object]:
    """Return the box that every parameter of a group reaches."""
    if not lower < upper:
        raise CalibrationMissing(
            f"group {group.name}: by the record no effect can be reached by all its parameters (from {lower:.4g} to "
            f"{upper:.4g} {transfer.unit}); mark those out of family dead, or calibrate again"
        )
    if group.scale == "log" and lower > 0.0:
        typical, scale = group.typical_change, "log"
    else:
        typical, scale = group.typical_change * float(np.abs(gain).mean()), "linear"
    return {"lower": lower, "upper": upper, "start": None, "scale": scale, "typical_change": typical}


def _narrowed(reach: Reach, live: NDArray[np.intp]) -> Reach:
    """Return *reach* over the *live* outputs alone."""
    before = np.concatenate([[0], np.cumsum(np.isin(np.arange(reach.n_outputs), live))])
    return Reach(before[reach.first], before[reach.stop], len(live))
