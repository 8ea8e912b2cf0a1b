"""Puts the trainer of one layer together: the task, and where its slopes come from."""

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.datasets import Task
from ffzero_lab.device import Adjoint, Device, IdealModel, Modelled
from ffzero_lab.rule.losses import loss_named
from ffzero_lab.rule.optimizers import optimizer_named
from ffzero_lab.training.admission import LOSSES
from ffzero_lab.training.aim import Wanted
from ffzero_lab.training.comparison import LayerTask
from ffzero_lab.training.judgement import Judge
from ffzero_lab.training.layer import ExactGradient, LayerTrainer
from ffzero_lab.training.network import Network
from ffzero_lab.training.preparation import reach_of
from ffzero_lab.training.probing import ProbedSlopes
from ffzero_lab.training.progress import Progress
from ffzero_lab.training.recommendation import recommended_multiple
from ffzero_lab.training.scale import TrainedScale
from ffzero_lab.training.settings import TrainSettings
from ffzero_lab.training.slopes import SlopeSource
from ffzero_lab.training.subspace import coordinates_of
from ffzero_lab.training.whole import WholeNetwork, driver_behind

FloatArray = NDArray[np.float64]
Rows = NDArray[np.intp]


def task_of(
    device: Device,
    network: Network,
    progress: Progress,
    settings: TrainSettings,
    *,
    task: Task,
    rows: Rows,
    wanted: Wanted,
) -> LayerTask:
    """Return what the first layer that is not trained yet is to learn from the training *rows*."""
    layer = len(progress.layers)
    described = device.description.layers[layer]
    loss = loss_named(
        settings.loss or LOSSES[task][0], margin_width=settings.margin_width, sharpness=settings.sharpness
    )
    similarity = progress.similarity
    attributed = settings.slopes != "total" and described.reach is not None
    return LayerTask(
        where=f"{device.description.name}, layer {layer}",
        rows=rows,
        wanted=wanted,
        base=similarity.sum(axis=0) if settings.accumulate else np.zeros_like(similarity[0]),
        judge=Judge(network.layers[layer].head, loss, described.detection_floor, together=settings.channels == "joint"),
        attributed=attributed,
        reach=reach_of(described, attributed=attributed, by_channel=settings.channels == "own"),
        score=network.aim.score,
    )


def trainer_of(
    device: Device,
    network: Network,
    progress: Progress,
    task: LayerTask,
    settings: TrainSettings,
    steps: int,
    axes: FloatArray | None = None,
) -> LayerTrainer:
    """Return the trainer, at its start, of the first layer that is not trained yet; *axes* are of a resumed one."""
    layer = len(progress.layers)
    described = device.description.layers[layer]
    cascade = device.description.topology == "cascaded"
    inputs = progress.patterns if layer == 0 or not cascade else None
    coordinates = coordinates_of(described, inputs, task.rows, settings.subspace, axes)
    slopes: SlopeSource
    if settings.modelled:
        from ffzero_lab.training.modelling import ModelledSlopes

        frozen = [before.parameters for before in network.layers[: layer if cascade else 0]]
        slopes = ModelledSlopes(_model(device, layer), frozen, described, progress.patterns, task, coordinates)
    else:
        slopes = ProbedSlopes(device, layer, task, settings, coordinates)
    parameters = network.layers[layer].parameters
    optimizer = optimizer_named(settings.optimizer, len(coordinates.stands_for))
    recommended = recommended_multiple(device, layer) if settings.epsilon == "auto" else None
    return LayerTrainer(
        described, layer, task, settings, steps, parameters, optimizer, coordinates, slopes, recommended
    )


def exact_gradient_of(device: Device, trainer: LayerTrainer) -> ExactGradient:
    """Return what tells the exact gradient of the loss of the layer in training, on the trained scale."""
    twin = driver_behind(device)
    if not isinstance(twin, Adjoint):
        raise TypeError(f"{device.description.name} cannot tell exact slopes")
    layer, task, scale = trainer.layer, trainer.task, TrainedScale(device.description.layers[trainer.layer])

    def gradient(parameters: FloatArray, rows: Rows) -> FloatArray:
        def slope_of(outputs: FloatArray) -> FloatArray:
            return task.judge.slope_in_outputs(task.judge(outputs, task.wanted[rows], task.base[rows]))

        return scale.slopes(parameters, twin.exact_slopes(layer, scale.values(parameters), rows, slope_of))

    return gradient


def _model(device: Device, layer: int) -> IdealModel:
    driver = driver_behind(device)
    if not isinstance(driver, Modelled):
        raise TypeError(f"{device.description.name} has no ideal model")
    if isinstance(device, WholeNetwork):
        from ffzero_lab.training.modelling import whole_model

        return whole_model(driver, device)
    return driver.ideal_model(layer)
