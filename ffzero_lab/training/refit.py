"""Brings a trained network within the ranges of a device that was calibrated again since."""

from dataclasses import replace

from ffzero_lab.device import DeviceDescription
from ffzero_lab.training.network import Network
from ffzero_lab.training.scale import TrainedScale


def refitted(network: Network, description: DeviceDescription) -> tuple[Network, int]:
    """Return *network* with every parameter in the ranges of *description*, and how many had to be projected.

    Another calibration record knows slightly other ranges of the same effects: a phase just above the end of the old
    range may lie under that of the new one. A periodic parameter is wrapped, which changes nothing; one that is not
    periodic is projected onto the end of its range, and counted.
    """
    projected = 0
    for number, (layer, described) in enumerate(zip(network.layers, description.layers, strict=True)):
        scale = TrainedScale(described)
        settled = scale.box.settle(scale.coordinates(layer.parameters))
        dead = list(described.dead)
        values = scale.values(settled.values)
        values[dead] = layer.parameters[dead]  # nothing moves them: they stand where the record says
        projected += settled.projected
        network = network.with_layer(number, replace(layer, parameters=values))
    return network, projected
