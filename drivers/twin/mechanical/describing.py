"""What a mechanical twin says of itself: the data sheet, and nothing of the truth."""

from importlib.metadata import version
from math import log

import numpy as np

from drivers.twin.mechanical.config import MechanicalConfig
from drivers.twin.mechanical.layer import MM_PER_M, SIGNS
from drivers.twin.mechanical.leaf import Leaf
from ffzero_lab.device import (
    GROUND,
    DeviceDescription,
    HealthChannel,
    LayerDescription,
    ParameterGroup,
    SpringNetwork,
)

TYPICAL_RANGES = 2.0
"""Change of ln k, in ranges of it, that does about as much as one radian of phase: an output depends on each of the
many springs around it, but on none of them much (docs/explanation/mechanical-twin.md)."""


def describe(config: MechanicalConfig) -> DeviceDescription:
    """Return the description of the twin of *config*."""
    springs, force = config.springs, config.loads.full_scale_n
    resolution = Leaf(springs).resolution_n_per_m
    softest_mm = 1e3 * (force + abs(config.loads.bias_n)) / springs.lower_n_per_m
    unlimited_mm = 2.0 * softest_mm  # no node moves farther than under its own load on its own ground spring

    bits = config.gauges.adc_bits

    def stiffness(name: str, count: int) -> ParameterGroup:
        return ParameterGroup(
            name=name,
            shape=(config.membranes, count // config.membranes),
            unit="N/m",
            lower=springs.lower_n_per_m,
            upper=springs.upper_n_per_m,
            resolution=resolution,
            scale="log",
            typical_change=TYPICAL_RANGES * log(springs.upper_n_per_m / springs.lower_n_per_m),
        )

    layers = tuple(
        LayerDescription(
            input_shape=(config.n_loads(layer),),
            input_lower=-force,
            input_upper=force,
            input_unit="N",
            output_shape=(config.n_gauges,),
            output_upper=unlimited_mm if config.gauges.adc_bits == 0 else config.full_scale_mm,
            output_unit="mm",
            one_sign=False,
            output_step=config.full_scale_mm / 2.0 ** (bits - 1) if bits else None,
            detection_floor=config.floor,
            groups=(
                stiffness("coupling", config.n_couplings),
                stiffness("ground", config.n_springs - config.n_couplings),
            ),
            network=network(config, layer),
        )
        for layer in range(config.layers)
    )
    return DeviceDescription(
        name="twin:mechanical",
        serial_number=f"TWIN-{config.preset}-{config.seed}",
        kind="mechanical",
        topology="reinjected",
        layers=layers,
        timing=config.timing.stated,
        implementation=f"scipy {version('scipy')}",
        health=(HealthChannel(name="loads", unit="of nominal force"),),
    )


def network(config: MechanicalConfig, layer: int) -> SpringNetwork:
    """Return how one layer is put together: the nodes of all membranes one after the other, read in mm."""
    lattice, nodes = config.lattice, config.load_nodes(layer)
    shifts = lattice.n_nodes * np.arange(config.membranes)
    couplings = (lattice.couplings + shifts[:, np.newaxis, np.newaxis]).reshape(-1, 2)
    grounded = np.arange(config.membranes * lattice.n_nodes)
    grounds = np.stack([grounded, np.full_like(grounded, GROUND)], axis=1)
    loads = np.zeros((lattice.n_nodes, len(nodes)))
    loads[nodes, np.arange(len(nodes))] = 1.0
    gauges = np.zeros((config.n_gauges, lattice.n_nodes))
    if config.readout == "nodes":
        gauges[grounded[: config.n_gauges], grounded[: config.n_gauges]] = MM_PER_M
    else:
        for sign, end in zip((MM_PER_M, -MM_PER_M), lattice.pairs.T, strict=True):
            gauges[np.arange(config.n_gauges), end] = sign
    return SpringNetwork(
        joins=np.concatenate([couplings, grounds]),
        loads=np.tile(loads, (config.membranes, 1)),
        gauges=np.concatenate([sign * gauges for sign in SIGNS[: config.membranes]], axis=1),
    )
