"""What stands before the first step: the untrained network, the rows to train on, a look at a cascade's taps."""

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.datasets import Dataset, Encoder, stratified_split
from ffzero_lab.device import DarkBatch, Device, DeviceDescription, LayerDescription, Ledger, Patterns, Reach
from ffzero_lab.rule.heads import Head
from ffzero_lab.rule.randomness import For, generator
from ffzero_lab.training.aim import Aim, aim_of
from ffzero_lab.training.carry import Carry
from ffzero_lab.training.events import Problem, TapPower
from ffzero_lab.training.layer import initial_parameters
from ffzero_lab.training.network import Network, TrainedLayer, read_all, stage
from ffzero_lab.training.plan import TAP_PATTERNS
from ffzero_lab.training.settings import TrainSettings

FloatArray = NDArray[np.float64]
Rows = NDArray[np.intp]


def untrained_network(description: DeviceDescription, dataset: Dataset, settings: TrainSettings) -> Network:
    """Return random parameters and prototypes for every layer, behind an encoder fitted to the training part."""
    first = description.layers[0]
    encoder = Encoder.fit(
        dataset.train_inputs, first.n_inputs, first.input_lower, first.input_upper, dataset=dataset.name
    )
    aim = aim_of(dataset)
    layers: list[TrainedLayer] = []
    for number, described in enumerate(description.layers):
        rng = generator(settings.seed, For.PROTOTYPES, number)
        last = number + 1 == len(description.layers)
        carries = description.topology == "reinjected" and settings.feed == "carry" and not last
        layers.append(
            TrainedLayer(
                parameters=initial_parameters(described, settings.seed, number, settings.start),
                head=draw_head(described, aim, settings, rng),
                carry=Carry.into(description.layers[number + 1]) if carries else None,
            )
        )
    return Network(encoder, layers, aim)


def channels_of(described: LayerDescription) -> int:
    """Return the channels of a layer's outputs: those of a map (channels, height, width), else one."""
    return described.output_shape[0] if len(described.output_shape) == 3 else 1


def reach_of(described: LayerDescription, *, attributed: bool, by_channel: bool) -> Reach | None:
    """Return what each parameter can influence: outputs where slopes are *attributed*, else channels *by_channel*.

    None where there is nothing but one loss.
    """
    channels = channels_of(described)
    if attributed:
        return described.reach
    if not by_channel or channels == 1:
        return None
    per_channel = described.n_outputs // channels
    if described.reach is None:
        everywhere = np.zeros(described.n_parameters, dtype=np.intp)
        return Reach(everywhere, everywhere + channels, channels)
    return Reach(described.reach.first // per_channel, -(-described.reach.stop // per_channel), channels)


def features_of(described: LayerDescription, settings: TrainSettings) -> int:
    """Return how many values of each channel are compared with the prototypes."""
    per_channel = described.n_outputs // channels_of(described)
    return min(per_channel, settings.channel_features) if len(described.output_shape) == 3 else per_channel


def draw_head(described: LayerDescription, aim: Aim, settings: TrainSettings, rng: np.random.Generator) -> Head:
    """Draw the prototypes of a layer, a set for each channel, and the map that reduces large channels."""
    channels, features = channels_of(described), features_of(described, settings)
    per_channel = described.n_outputs // channels
    prototypes = np.stack([aim.prototypes(features, rng) for _ in range(channels)])
    reduction = rng.standard_normal((per_channel, features)) / per_channel**0.5 if features < per_channel else None
    return Head(prototypes, reduction, described.one_sign if settings.centre is None else settings.centre)


def training_rows(dataset: Dataset, settings: TrainSettings) -> tuple[Rows, Rows]:
    """Return the training rows to draw from and those held back for validation."""
    if settings.validation == 0.0:
        return np.arange(dataset.n_train), np.array([], dtype=np.intp)
    rng = generator(settings.seed, For.VALIDATION)
    if dataset.task == "regression":
        order = rng.permutation(dataset.n_train)
        held_back = max(1, round(settings.validation * dataset.n_train))
        return np.sort(order[held_back:]), np.sort(order[:held_back])
    return stratified_split(dataset.train_labels, settings.validation, rng, classes=dataset.classes, part="validation")


def look_at_taps(ledger: Ledger, device: Device, network: Network, patterns: Patterns) -> Generator[TapPower | Problem]:
    """Report the optical power at every tap of a cascade, and warn where it is under the detectors' noise."""
    with ledger.spending_on("evaluation"):
        stage(device, 0, patterns[:TAP_PATTERNS])
        for number, layer in enumerate(network.layers):
            device.write_parameters(number, layer.parameters)
        for number, described in enumerate(device.description.layers):
            try:
                mean = float(read_all(device, number, min(TAP_PATTERNS, len(patterns))).mean())
            except DarkBatch as dark:
                mean = None
                yield Problem(f"tap {number} is dark before training: {dark}")
            yield TapPower(number, mean, described.detection_floor, described.output_unit)
