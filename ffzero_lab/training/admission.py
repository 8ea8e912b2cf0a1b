"""Checks that data set, settings and device fit together, before the device is touched."""

from importlib.util import find_spec

import numpy as np

from ffzero_lab.datasets import Dataset, Task
from ffzero_lab.device import (
    Adjoint,
    Calibrated,
    CalibrationMissing,
    Device,
    DeviceDescription,
    LayerDescription,
    LimitViolation,
    Modelled,
    Protected,
)
from ffzero_lab.errors import InputError
from ffzero_lab.rule.directions import DirectionKind
from ffzero_lab.rule.losses import LossName
from ffzero_lab.training.amplitude import multiples_for
from ffzero_lab.training.network import Network
from ffzero_lab.training.preparation import features_of
from ffzero_lab.training.scale import LARGEST_COMPONENT, TrainedScale
from ffzero_lab.training.settings import TrainSettings
from ffzero_lab.training.subspace import Coordinates, coordinates_of, weights_of
from ffzero_lab.training.whole import WholeNetwork

GROUPED: tuple[DirectionKind, ...] = ("rademacher", "gaussian")
"""Directions that are independent of each other, each of mean zero."""

LOSSES: dict[Task, tuple[LossName, ...]] = {
    "classification": ("cross-entropy", "margin", "cosine"),
    "regression": ("mse",),
}
"""Losses that go with a task, the default first."""


def admit(device: Protected, description: DeviceDescription, dataset: Dataset, settings: TrainSettings) -> None:
    """Raise InputError, naming what does not fit and what would; *description* is the *device* as the rule sees it.

    Raises CalibrationMissing for a device in raw units.
    """
    _admit_rule(device, settings)
    fitting = LOSSES[dataset.task]
    if settings.loss is not None and settings.loss not in fitting:
        raise InputError(
            f"loss {settings.loss!r} is not for a {dataset.task} (dataset {dataset.name}); "
            f"allowed: {', '.join(fitting)}"
        )
    if dataset.train_targets is not None and np.ptp(dataset.train_targets) == 0.0:
        raise InputError(
            f"dataset {dataset.name}: all training targets are {dataset.train_targets[0]:g}; there is nothing to learn"
        )
    if dataset.task == "regression" and settings.readout == "vote":
        raise InputError("readout 'vote' is not for a regression; allowed: sum, last")
    if settings.patience is not None and settings.validation == 0.0:
        raise InputError("patience watches the validation part; set validation to a share such as 0.2 as well")
    if settings.readings == "group" and settings.directions_per_step < 2:
        raise InputError("readings 'group' compares directions with their mean; set directions_per_step to 2 or more")
    if settings.readings == "group" and settings.directions not in GROUPED:
        raise InputError(
            f"readings 'group' needs independent directions, not {settings.directions!r}; allowed: {', '.join(GROUPED)}"
        )
    if settings.subspace is not None and all(weights_of(layer) is None for layer in description.layers):
        raise InputError(
            f"subspace: no layer of {description.name} has a parameter group of shape (inputs, outputs), one weight "
            "for each input and output; leave it out"
        )
    if settings.feed == "input":
        _admit_feeding_again(device.description)
    if description.raw_units and not settings.uncalibrated:
        raise CalibrationMissing(
            f"{description.name} is driven in raw units ({description.layers[0].groups[0].unit}) and no calibration "
            "record fits it; calibrate it first, or set uncalibrated (--uncalibrated) to train it as it is"
        )
    for number, layer in enumerate(description.layers):
        where = f"{description.name}, layer {number}"
        features = features_of(layer, settings)
        if dataset.n_classes > features:
            raise InputError(
                f"dataset {dataset.name} has {dataset.n_classes} classes, {where} only {features} outputs"
                f"{' of each channel' if features < layer.n_outputs else ''}; every class needs an output of its own"
            )
        if settings.slopes == "attributed" and layer.reach is None:
            raise InputError(f"slopes 'attributed': {where} does not declare its reach; allowed here: total")
        if len(layer.alive) == 0:
            raise InputError(f"{where}: every parameter is marked dead; there is nothing to train")
        _admit_amplitude(where, layer, settings)
    memory = description.pattern_memory
    largest = max(dataset.n_train, dataset.n_test)
    if memory is not None and memory < largest:
        raise InputError(f"{description.name} holds {memory} patterns, dataset {dataset.name} needs {largest} at once")
    if description.topology == "reinjected" and settings.feed == "carry":
        _admit_carrying(device.description)


def _admit_rule(device: Protected, settings: TrainSettings) -> None:
    """Raise InputError when the rule, or the diagnosis, needs what this device or this installation does not have."""
    name, rule, driver = device.description.name, settings.rule, device.driver
    if settings.modelled and isinstance(device, Calibrated):
        raise InputError(
            f"rule {rule!r} computes with ideal physics, which knows no calibration record; use a twin driven in phases"
        )
    if settings.modelled and not isinstance(driver, Modelled):
        raise InputError(f"rule {rule!r} needs a twin's ideal physics, {name} has none; allowed here: ffzero, bp-dd")
    if settings.modelled and find_spec("jax") is None:
        raise InputError(f"rule {rule!r} needs JAX, which is not installed: pip install 'ffzero-lab[reference]'")
    if settings.modelled and settings.epsilon == "auto":
        raise InputError(f"epsilon 'auto': rule {rule!r} perturbs nothing; leave it out")
    if settings.modelled and settings.max_readings is not None:
        raise InputError(f"max_readings: rule {rule!r} takes no readings for training; set steps instead")
    if settings.whole_network and settings.feed == "input":
        raise InputError(f"feed 'input' goes with a loss for each layer, not with rule {rule!r}; allowed here: carry")
    if settings.whole_network and settings.subspace is not None:
        raise InputError(f"subspace narrows the weights of single layers, not of rule {rule!r}; leave it out")
    if settings.diagnose and settings.whole_network:
        raise InputError(f"diagnose compares the slopes of single layers, not of rule {rule!r}; use ffzero or ff-ad")
    if settings.diagnose and not isinstance(driver, Adjoint):
        raise InputError(f"diagnose needs a twin that can tell exact slopes, which {name} cannot")


def _admit_carrying(description: DeviceDescription) -> None:
    """Raise InputError when the outputs of a layer do not fill the inputs of the next one."""
    for number, (layer, after) in enumerate(zip(description.layers, description.layers[1:], strict=False)):
        if layer.n_outputs != after.n_inputs:
            raise InputError(
                f"{description.name}: layer {number} has {layer.n_outputs} outputs, layer {number + 1} takes "
                f"{after.n_inputs} inputs; reinjection needs the same count"
            )


def _admit_feeding_again(description: DeviceDescription) -> None:
    """Raise InputError when later layers cannot be given the input of the first one."""
    if description.topology == "cascaded":
        raise InputError(f"feed 'input': {description.name} is a cascade, which carries its signal on itself")
    first, *others = (layer.n_inputs for layer in description.layers)
    if any(n_inputs != first for n_inputs in others):
        raise InputError(f"feed 'input': the layers of {description.name} take {[first, *others]} inputs, not the same")


def check_power(device: Protected, seen_as: Device, network: Network) -> None:
    """Raise InputError when the guard would refuse the parameters that training starts from; writes nothing."""
    starts = [layer.parameters for layer in network.layers]
    if isinstance(seen_as, WholeNetwork):
        starts = seen_as.parts(starts[0])
    for number, values in enumerate(starts):
        try:
            device.check_parameters(number, values)
        except LimitViolation as refusal:
            raise InputError(
                f"training cannot start: {refusal}. Use fewer or more efficient actuators, or raise the power budget "
                "if the cooling allows it"
            ) from None


def _admit_amplitude(where: str, layer: LayerDescription, settings: TrainSettings) -> None:
    scale = TrainedScale(layer)
    scale.learning_rate(settings)
    scale.start(settings.start)
    if settings.epsilon == "auto":
        multiples_for(where, layer)
    epsilon, half_step = scale.amplitude(settings), 0.5 * scale.resolution
    if np.any(epsilon < half_step):
        index = int(np.argmax(half_step / epsilon))
        raise InputError(
            f"epsilon {epsilon[index]:.3g} {_scaled_unit(layer, index)} is under half of the resolution of {where}, "
            f"{layer.name_of(index)} ({2.0 * half_step[index]:.3g}): the drive would not move; "
            f"use at least {half_step[index]:.3g}"
        )
    room = scale.box.upper - scale.box.lower
    least = np.where(np.isfinite(scale.box.period), scale.box.period, 0.0)
    short = room - 2.0 * LARGEST_COMPONENT * epsilon <= least
    if np.any(short):
        index = int(np.argmax(short))
        most = (room[index] - least[index]) / (2.0 * LARGEST_COMPONENT)
        raise InputError(
            f"epsilon {epsilon[index]:.3g} {_scaled_unit(layer, index)} leaves no room to perturb within the range of "
            f"{where}, {layer.name_of(index)}; use less than {most:.3g}"
        )


def check_room_along_axes(device: Device, network: Network, dataset: Dataset, settings: TrainSettings) -> None:
    """Raise InputError when directions along the leading axes of the inputs leave no room in the range of a weight.

    The first layer's inputs are known. Of later ones the axes may lie anywhere: along r of n axes a weight moves at
    most √(n/r) times the amplitude.
    """
    if settings.subspace is None:
        return
    patterns, layers = network.encoder.encode(dataset.train_inputs).patterns, device.description.layers
    for number, layer in enumerate(layers if device.description.topology == "reinjected" else layers[:1]):
        where, scale = f"{device.description.name}, layer {number}", TrainedScale(layer)
        amplitude, group = scale.amplitude(settings), weights_of(layer)
        if number == 0:
            rows = np.arange(len(patterns))
            moved: Coordinates = coordinates_of(layer, patterns, rows, settings.subspace)
            rms = moved.rms(amplitude[moved.stands_for])
        else:
            axes = min(settings.subspace, layer.n_inputs)
            rms = amplitude if group is None else amplitude * (layer.n_inputs / axes) ** 0.5
        share = 2.0 * LARGEST_COMPONENT * rms / (scale.box.upper - scale.box.lower)
        index = int(np.argmax(share))
        if share[index] >= 1.0:
            raise InputError(
                f"{where}: along {settings.subspace} axes directions move {layer.name_of(index)} by up to "
                f"{rms[index]:.3g} {layer.unit_of(index)} RMS, which leaves no room in its range; use more axes, or a "
                f"{share[index]:.3g} times smaller epsilon"
            )


def _scaled_unit(layer: LayerDescription, index: int) -> str:
    """Return the unit on the trained scale."""
    unit = layer.unit_of(index)
    return {"linear": unit, "log": f"of ln({unit})", "square": f"{unit}²"}[layer.group_of(index).scale]
