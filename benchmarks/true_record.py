"""Writes the calibration record that a perfect calibration of a photonic twin would give, from its hidden truth."""

from datetime import UTC, datetime

import numpy as np

from drivers.twin.photonic.device import PhotonicTwin
from drivers.twin.photonic.layout import heater_positions
from drivers.twin.photonic.mesh import MeshGeometry
from drivers.twin.truth import photonic_truth
from ffzero_lab._version import __version__
from ffzero_lab.device import Guarded
from ffzero_lab.device.belonging import driven, shapes
from ffzero_lab.device.record import CalibrationRecord, LayerRecord, Quantity, Spent, Transfer

Config = PhotonicTwin.Config


def true_record(device: Guarded, *, at_parked: bool = True, valid_for_s: float = 86400.0) -> CalibrationRecord:
    """Return the record of a photonic twin in volts or watts, heaters that fabrication made as they are.

    With *at_parked* the offsets are those of this moment, drift included, else those of fabrication.
    """
    driver = device.driver
    if not isinstance(driver, PhotonicTwin):
        raise TypeError(f"{device.description.name} is not a photonic twin")
    config = driver._config
    now, nothing = datetime.now(UTC), Spent(writes=0, readings=0, shots=0, seconds=0.0)
    description = device.description
    return CalibrationRecord(
        device=description.name,
        serial_number=description.serial_number,
        kind=description.kind,
        implementation=description.implementation,
        software=__version__,
        begun=now,
        ended=now,
        device_ended_s=device.clock.now_s(),
        valid_for_s=valid_for_s,
        procedures=("truth",),
        layers=tuple(
            _layer_record(device, config, layer, at_parked=at_parked) for layer in range(len(description.layers))
        ),
        planned=nothing,
        spent=nothing,
    )


def crosstalk_shares(config: PhotonicTwin.Config) -> np.ndarray:
    """Return χ (P, P): the share of heater j's power that acts on heater i; 1 on the diagonal."""
    places = heater_positions(MeshGeometry(config.ports))
    distance = np.linalg.norm(places[:, np.newaxis] - places, axis=2)
    share = config.heaters.crosstalk * np.exp((1.0 - distance) / config.heaters.crosstalk_decay_pitches)
    share[share < 0.01 * config.heaters.crosstalk] = 0.0
    np.fill_diagonal(share, 1.0)
    return share


def _layer_record(device: Guarded, config: PhotonicTwin.Config, layer: int, *, at_parked: bool) -> LayerRecord:
    truth = photonic_truth(device, layer)
    gain = crosstalk_shares(config) * (np.pi / truth.pi_power_w)[:, np.newaxis]
    if config.drive == "volts":
        gain /= truth.resistance_ohm
    elif config.drive == "power":
        gain *= config.heaters.resistance_ohm / truth.resistance_ohm
    else:
        raise ValueError("a twin driven in phases needs no record")
    rows, columns = np.nonzero(gain)
    chip = device.driver._chips[layer]  # type: ignore[attr-defined]
    offset = truth.offsets
    if at_parked:
        before = chip.state()
        offset = chip.phases(device.clock.now_s())
        chip.restore(before)  # a look at the drift moves it on
    detectors = truth.responsivity / truth.responsivity.mean()
    described = device.description.layers[layer]
    return LayerRecord(
        groups=shapes(described),
        drives=driven(described),
        quantities={
            "detectors.dark": Quantity.of(
                "intensity", "output", truth.dark_offset * (config.detectors.dark_offset > 0), 0
            ),
            "detectors.gain": Quantity.of("", "output", detectors, 0.0),
        },
        transfer=Transfer(
            unit="rad",
            law="square" if config.drive == "volts" else "linear",
            period=2.0 * np.pi,
            offset=tuple(offset.tolist()),
            rows=tuple(rows.tolist()),
            columns=tuple(columns.tolist()),
            gains=tuple(gain[rows, columns].tolist()),
        ),
    )
