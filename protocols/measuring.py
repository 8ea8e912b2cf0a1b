"""Writes a trained network back to the device and measures its answers, through the record that is in force now."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ffzero_lab.calibrations import load
from ffzero_lab.datasets import Dataset, load_dataset
from ffzero_lab.device import Calibrated, Device
from ffzero_lab.errors import InputError
from ffzero_lab.manifest import refuse_other_units
from ffzero_lab.rule.readout import ReadoutName
from ffzero_lab.runs import RunReader
from ffzero_lab.training import Network, TrainSettings
from ffzero_lab.training.aim import Classes
from ffzero_lab.training.refit import refitted
from ffzero_lab.training.scale import TrainedScale
from ffzero_lab.training.whole import trained_as
from protocols.schema import Results
from protocols.shift import Shift


class Scores(Results):
    """A score by readout."""

    last: float
    """Of the last layer alone."""
    vote: float
    """Of the majority of the layers."""
    sum: float
    """Of the similarities summed over the layers."""


@dataclass(frozen=True)
class Trained:
    """A trained network, and the data set on which it is measured."""

    run: Path
    manifest: Mapping[str, Any]
    settings: TrainSettings
    network: Network
    dataset: Dataset

    @property
    def readout(self) -> ReadoutName:
        """The readout that counts."""
        return self.settings.readout


def trained_in(run: Path, dataset: str | None, data_dir: Path) -> Trained:
    """Return the network of a complete training run, with another *dataset* of the same classes if one is named.

    Raises InputError when the folder is none, the run is not complete, or the data set does not fit.
    """
    reader = RunReader(run)
    if "settings" not in reader.manifest:
        raise InputError(f"{run} is no training run")
    if reader.summary is None:
        raise InputError(f"the training run {run} is not complete; nothing is measured with it")
    settings = TrainSettings(**reader.manifest["settings"])
    network = Network.from_arrays(reader.checkpoint().arrays)
    folder = settings.data_dir if dataset is None else data_dir
    loaded = load_dataset(dataset or settings.dataset, folder, settings.task)
    names = network.aim.names if isinstance(network.aim, Classes) else ()
    if loaded.classes != names:
        raise InputError(
            f"dataset {loaded.name} has the classes {list(loaded.classes)}, {run} was trained on {list(names)}"
        )
    return Trained(run, reader.manifest, settings, network, loaded)


def scored(
    shift: Shift,
    trained: Trained,
    *,
    parameter_noise: float = 0.0,
    input_noise: float = 0.0,
    seed: int = 0,
    record: Path | None = None,
) -> dict[str, Any]:
    """Measure the test part through the record in force, or through *record*; returns plain values.

    *parameter_noise* is the RMS in typical changes that every parameter that moves is put off by, on the trained scale;
    *input_noise* the RMS as a share of the range of the inputs. What would leave its range stays at its end,
    counted in ``limited``. Raises InputError when the network does not fit the device, and what the device raises.
    """
    own = shift.protected(uncalibrated=trained.settings.uncalibrated)
    device = own if record is None else Calibrated(shift.guard, load(record))
    refuse_other_units(trained.run, trained.manifest, device.description)
    seen = trained_as(trained.settings, device)
    _check_fits(seen, trained.network)
    network, limited = refitted(trained.network, seen.description)
    rng = np.random.default_rng(seed)
    if parameter_noise > 0.0:
        network, projected = _disturbed(network, seen, parameter_noise, rng)
        limited += projected
    encoded = network.encoder.encode(trained.dataset.test_inputs)
    patterns = encoded.patterns
    if input_noise > 0.0:
        first = seen.description.layers[0]
        spread = input_noise * (first.input_upper - first.input_lower)
        moved = patterns + spread * rng.standard_normal(patterns.shape)
        patterns = np.clip(moved, first.input_lower, first.input_upper)
        limited += int(np.count_nonzero(patterns != moved))
    with device.ledger.spending_on("evaluation"):
        measured = network.measure(seen, patterns)
    aim = network.aim
    scores = aim.scores(measured.similarity, aim.wanted(trained.dataset)[1])
    return {
        f"test_{aim.measure}": dict(scores),
        "score": scores[trained.readout],
        "patterns": trained.dataset.n_test,
        "dark": sum(measured.dark),
        "limited": limited + encoded.n_outside,
    }


def _check_fits(seen: Device, network: Network) -> None:
    described = [(layer.n_parameters, layer.n_outputs) for layer in seen.description.layers]
    trained = [(len(layer.parameters), layer.head.n_outputs) for layer in network.layers]
    if described != trained:
        raise InputError(
            f"{seen.description.name} has (parameters, outputs) {described} by layer, the run was trained on {trained}"
        )


def _disturbed(network: Network, seen: Device, rms: float, rng: np.random.Generator) -> tuple[Network, int]:
    """Return *network* with every moving parameter off by a Gaussian of *rms* typical changes, and how many ended."""
    projected = 0
    for number, (layer, described) in enumerate(zip(network.layers, seen.description.layers, strict=True)):
        scale = TrainedScale(described)
        off = rms * described.per_parameter("typical_change") * rng.standard_normal(described.n_parameters)
        off[list(described.dead)] = 0.0
        settled = scale.box.settle(scale.coordinates(layer.parameters) + off)
        projected += settled.projected
        network = network.with_layer(number, replace(layer, parameters=scale.values(settled.values)))
    return network, projected
