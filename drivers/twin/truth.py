"""Reveals what a twin hides. For tests and benchmarks only; an import contract keeps everything else away."""

import numpy as np
from numpy.typing import NDArray

from drivers.twin.crossbar.device import CrossbarTruth, CrossbarTwin
from drivers.twin.mechanical.device import MechanicalTwin
from drivers.twin.mechanical.truth import LatticeTruth
from drivers.twin.photonic.device import PhotonicTwin
from drivers.twin.photonic.truth import ChipTruth
from ffzero_lab.device import Device, Guarded


def photonic_truth(device: Device, layer: int) -> ChipTruth:
    """Return the splitter errors and static offsets (rad) of one mesh; raises TypeError for another device."""
    driver = device.driver if isinstance(device, Guarded) else device
    if not isinstance(driver, PhotonicTwin):
        raise TypeError(f"{driver.description.name} is not a photonic twin")
    return driver.reveal(layer)


def photonic_phases(device: Device, layer: int, values: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Return the phases (P,) of one mesh, rad, that *values* (P,) would settle at now, drift and crosstalk included.

    At zero drive by default. Nothing changes by looking. Raises TypeError for another device.
    """
    driver = device.driver if isinstance(device, Guarded) else device
    if not isinstance(driver, PhotonicTwin):
        raise TypeError(f"{driver.description.name} is not a photonic twin")
    return driver.reveal_phases(
        layer, np.zeros(driver.description.layers[layer].n_parameters) if values is None else values
    )


def crossbar_truth(device: Device, layer: int) -> CrossbarTruth:
    """Return cells, columns and present conductances of one array; raises TypeError for another device."""
    driver = device.driver if isinstance(device, Guarded) else device
    if not isinstance(driver, CrossbarTwin):
        raise TypeError(f"{driver.description.name} is not a crossbar twin")
    return driver.reveal(layer)


def mechanical_truth(device: Device, layer: int) -> LatticeTruth:
    """Return the hidden constants of springs, loads and gauges of one layer; raises TypeError for another device."""
    driver = device.driver if isinstance(device, Guarded) else device
    if not isinstance(driver, MechanicalTwin):
        raise TypeError(f"{driver.description.name} is not a mechanical twin")
    return driver.reveal(layer)
