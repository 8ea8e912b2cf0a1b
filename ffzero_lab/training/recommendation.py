"""The perturbation that a device's calibration record recommends, in typical changes of the device as trained.

The record speaks of raw setpoints, training of effects: an amplitude in V² becomes one in radians by the gains of the
record. Where both move on a logarithm, typical changes are the same.
"""

from itertools import pairwise, starmap

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device import Calibrated, Device
from ffzero_lab.device.record import Transfer

FloatArray = NDArray[np.float64]

RECOMMENDED = "epsilon.multiple"
"""Name of the quantity in the record."""


def recommended_multiple(device: Device, layer: int) -> float | None:
    """Return the recommended RMS amplitude of a *layer* in typical changes.

    None: no record stands around the *device*, or it recommends none. A record knows layers, so it recommends nothing
    to a rule that moves all of them at once.
    """
    if not isinstance(device, Calibrated):
        return None
    record = device.record.layers[layer]
    quantity = record.quantities.get(RECOMMENDED)
    if quantity is None or quantity.values[0] is None or record.transfer is None:
        return None
    raw, effects = device.guard.description.layers[layer], device.description.layers[layer]
    gains = _own_gains(record.transfer, raw.n_parameters)
    ratios = np.ones(raw.n_parameters)
    ends = np.cumsum([0, *(group.size for group in raw.groups)]).tolist()
    for before, after, own in zip(raw.groups, effects.groups, starmap(slice, pairwise(ends)), strict=True):
        if before.scale == record.transfer.law and after.scale == "linear":  # both move in s, and gains are per s
            ratios[own] = gains[own] * before.typical_change / after.typical_change
    return quantity.values[0] * float(np.exp(np.log(ratios[effects.alive]).mean()))


def _own_gains(transfer: Transfer, count: int) -> FloatArray:
    """Return the size of the effect (P,) that a parameter has on its own, per s."""
    rows, columns = np.array(transfer.rows, dtype=np.intp), np.array(transfer.columns, dtype=np.intp)
    gains = np.zeros(count)
    own = rows == columns
    np.add.at(gains, rows[own], np.array(transfer.gains)[own])
    return np.abs(gains)
