"""What a photonic twin says of itself: the data sheet, and nothing of the truth."""

from drivers.twin.photonic.config import PhotonicConfig
from drivers.twin.photonic.drive import Drive
from drivers.twin.photonic.mesh import MeshGeometry
from ffzero_lab.device import DeviceDescription, HealthChannel, LayerDescription, Reach


def describe(config: PhotonicConfig, kernel: str) -> DeviceDescription:
    """Return the description of the twin of *config*, computed by *kernel*."""
    geometry = MeshGeometry(config.ports)
    drive = Drive(config.drive, config.heaters)
    budget_w = config.heaters.budget_w
    continuous = config.detectors.adc_bits == 0
    iq = config.modulators.kind == "iq"
    first, stop = geometry.light_cone()
    layer = LayerDescription(
        input_shape=(2, config.ports) if iq else (config.ports,),
        input_lower=-1.0 if iq else 0.0,
        input_upper=1.0,
        input_unit="quadrature amplitude" if iq else "amplitude",
        output_shape=(config.ports,),
        output_upper=2.0 * config.ports if continuous else config.full_scale,
        output_unit="intensity",
        one_sign=True,
        detection_floor=config.floor,
        output_step=None if continuous else config.full_scale / 2**config.detectors.adc_bits,
        groups=(
            drive.group("theta", geometry.n_mzi),
            drive.group("phi", geometry.n_mzi),
            drive.group("gamma", config.ports),
        ),
        power_budget_w=budget_w,
        reach=Reach(first, stop, config.ports),
    )
    heat = [HealthChannel(name=f"heat_{i}", unit="W", lower=0.0, upper=budget_w) for i in range(config.layers)]
    return DeviceDescription(
        name="twin:photonic",
        serial_number=f"TWIN-{config.preset}-{config.seed}",
        kind="photonic",
        topology=config.topology,
        layers=(layer,) * config.layers,
        timing=config.timing.stated,
        implementation=kernel,
        raw_units=config.drive != "phase",
        health=(*heat, HealthChannel(name="laser", unit="of nominal power")),
    )
