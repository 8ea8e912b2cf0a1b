"""What a mechanical twin says of itself: the data sheet, and nothing of the truth."""

from importlib.metadata import version
from math import log

from drivers.twin.mechanical.config import MechanicalConfig
from drivers.twin.mechanical.leaf import Leaf
from ffzero_lab.device import DeviceDescription, HealthChannel, LayerDescription, ParameterGroup

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
