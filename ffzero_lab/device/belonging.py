"""Whether a calibration record belongs to a device: to this chip, to its layers, and to the way it is driven now."""

from collections.abc import Mapping

from ffzero_lab.device.description import DeviceDescription, LayerDescription
from ffzero_lab.device.errors import CalibrationMissing
from ffzero_lab.device.record import CalibrationRecord, Driven


def driven(described: LayerDescription) -> dict[str, Driven]:
    """Return how the groups of a layer are driven, as a record keeps it."""
    return {group.name: Driven(unit=group.unit, scale=group.scale) for group in described.groups}


def shapes(described: LayerDescription) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the groups of a layer, as a record keeps them."""
    return {group.name: group.shape for group in described.groups}


def in_words(groups: Mapping[str, tuple[int, ...]], drives: Mapping[str, Driven]) -> str:
    """Return groups with their shapes and drives for a person: ``theta (6) in V, square``."""
    told = [
        f"{name} ({' × '.join(map(str, shape))}) in "
        + (f"{drives[name].unit}, {drives[name].scale}" if name in drives else "a unit that it does not say")
        for name, shape in groups.items()
    ]
    return "; ".join(told) or "no groups of parameters that it names"


def refuse_foreign(record: CalibrationRecord, description: DeviceDescription) -> None:
    """Raise CalibrationMissing when *record* is of another device, of other layers, or of another way to drive them."""
    if record.serial_number != description.serial_number:
        raise CalibrationMissing(
            f"the calibration record is of {record.device} with the serial number {record.serial_number}, "
            f"{description.name} has {description.serial_number}; calibrate this one"
        )
    if len(record.layers) != len(description.layers):
        raise CalibrationMissing(
            f"the calibration record has {len(record.layers)} layers, {description.name} has "
            f"{len(description.layers)}; calibrate it as it is now"
        )
    for number, (layer, described) in enumerate(zip(record.layers, description.layers, strict=True)):
        recorded, now = in_words(layer.groups, layer.drives), in_words(shapes(described), driven(described))
        if recorded != now:
            raise CalibrationMissing(
                f"the calibration record of {description.name}, layer {number}, is of {recorded}; it has {now} now, "
                "where setpoints mean something else: name a record that fits, or calibrate it as it is now"
            )
