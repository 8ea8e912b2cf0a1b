"""The sections of a run report, each with its figures and what they say in plain words."""

from collections.abc import Iterator
from functools import partial

from ffzero_lab.figures.chip_plan import plan_of
from ffzero_lab.figures.drawing import pictured
from ffzero_lab.figures.page import Block, Section, Text
from ffzero_lab.figures.plan import Plan
from ffzero_lab.report import answers, costs, curves, resolving
from ffzero_lab.report.account import Account
from ffzero_lab.report.amplitudes import amplitudes_of
from ffzero_lab.report.chip import chip_map, shading_of
from ffzero_lab.report.light import Light, light_in
from ffzero_lab.report.parameters import before_and_after
from ffzero_lab.report.tables import device_table, layers_table, provenance_table, settings_table
from ffzero_lab.training.aim import Numbers

DRAWN_LAYERS = 6
"""Layers of which chip and parameters are drawn."""
_OF_READINGS = "the slope over the noise of the readings alone, where ε was measured."
NOISE = {
    "both": " Below: the slope of the whole loss over its standard error among the patterns of the batch, which holds "
    "the noise of the readings and the scatter among patterns. Its mean square is 1 where there is no slope at all; "
    f"good runs come down to that as well, for they add up many slopes. Squares: {_OF_READINGS}",
    "measured": f" Below: {_OF_READINGS}",
    "": "",
}
IN_WORDS = {
    "mesh": "The mesh",
    "lattice": "The lattice",
    "blocks": "The array",
}


def sections_of(account: Account) -> tuple[Section, ...]:
    """Return all sections in their order, each with at least one block."""
    drawn = [
        Section("Learning", tuple(_learning(account))),
        Section("Answers to the test part", tuple(_answers(account))),
        Section("The chip", tuple(_chip(account))),
        Section("Parameters before and after", tuple(_parameters(account))),
        Section("Slopes and perturbation", tuple(_slopes(account))),
        Section("Cost, predicted and actual", tuple(_costs(account))),
        Section(
            "Configuration and provenance",
            (settings_table(account), device_table(account), provenance_table(account)),
        ),
    ]
    return tuple(section for section in drawn if section.blocks)


def _learning(account: Account) -> Iterator[Block]:
    if any(len(rows.columns["loss"]) for rows in account.rows.layers.values()):
        yield pictured(
            "learning",
            "Score and loss against measurements",
            "Of the batches in training, with the similarity of the layers so far. Pale: every logged step; bold: "
            "their running mean. Diamonds: a layer is done, and scored on the whole training part. Black dots: looks "
            "at the validation part. Horizontal lines: the result on the test part, and what it stands beside. Above: "
            "the time that the device had taken by then.",
            partial(curves.learning, account),
        )
    else:
        yield Text("No step was logged: there is nothing to draw yet.", "warning")
    table = layers_table(account)
    if table is not None:
        yield table


def _answers(account: Account) -> Iterator[Block]:
    evaluation = account.evaluation
    if evaluation is None:
        why = "was not measured: the run is not complete" if account.summary is None else "was measured, but not kept"
        yield Text(f"What the test part answered {why}.")
        return
    classes, readout = tuple(account.manifest["dataset"]["classes"]), account.settings.readout
    if account.measure == "accuracy":
        counts = answers.confusion_of(evaluation, readout, len(classes))
        right = int(counts.trace())
        yield pictured(
            "confusion",
            "Which class was taken for which",
            f"{right:,} of {int(counts.sum()):,} test patterns are on the diagonal: answered right, by the readout "
            f"{readout!r}. Numbers count patterns; colours are shares of the true class.",
            lambda: answers.confusion(counts, classes),
        )
        more = "" if len(evaluation.similarity) <= answers.MOST_LAYERS else f" The first {answers.MOST_LAYERS} layers."
        yield pictured(
            "prototypes",
            "Similarity of the classes to the prototypes",
            "Mean similarity of the test patterns of each class with each layer's prototypes. A layer that has learnt "
            "is high on the diagonal; a high value beside it says which classes it cannot keep apart. Later layers "
            f"add to what the ones before them have found.{more}",
            lambda: answers.prototypes(evaluation, classes),
        )
    elif account.network is not None and isinstance(account.network.aim, Numbers):
        span = account.network.aim.lower, account.network.aim.upper
        predicted, true = answers.predicted_and_true(evaluation, readout, span)
        yield pictured(
            "regression",
            "Predicted against true",
            f"Each dot is a test pattern, by the readout {readout!r}; on the dashed line the prediction is right. "
            "Right: what the predictions are off by.",
            lambda: answers.regression(predicted, true),
        )


def _chip(account: Account) -> Iterator[Block]:
    if not account.after:
        yield Text("No checkpoint with parameters that fit the device is at hand: the chip cannot be drawn.", "warning")
        return
    description, begun = account.description, _begun(account)
    for number, (layer, light) in enumerate(zip(description.layers, light_in(account), strict=True)):
        if number == DRAWN_LAYERS:
            yield Text(f"The other {len(description.layers) - DRAWN_LAYERS} layers are not drawn.")
            return
        plan = plan_of(description.kind, layer)
        light = light if plan.guides else None
        shading = shading_of(description.kind, layer, account.after[number])
        yield pictured(
            f"chip-layer{number}",
            f"{IN_WORDS[plan.kind]} of layer {number}",
            " ".join(_told_of_chip(plan, layer_dead=len(layer.dead), light=light, trained=number in begun)),
            partial(chip_map, plan, layer, shading, light),
        )


def _begun(account: Account) -> set[int]:
    """Return the layers of the device whose training has begun."""
    every = set(range(len(account.description.layers)))
    return every if account.settings.whole_network and account.rows.layers else every & set(account.rows.layers)


def _told_of_chip(plan: Plan, *, layer_dead: int, light: Light | None, trained: bool) -> Iterator[str]:
    yield plan.about
    if not trained:
        yield "This layer has not been trained so far: these are the values of the start."
    if plan.kind == "mesh":
        yield "Boxes are coloured by their phase, within one turn."
        if light is not None:
            yield (
                "Waveguides are the wider and darker the more light they carry: computed from an ideal, lossless mesh "
                f"at these phases, not measured. What enters: {light.entering}."
            )
    if plan.kind == "lattice":
        yield "The brighter, the stiffer."
    if layer_dead:
        yield f"White: {layer_dead} parameters that do not move."


def _parameters(account: Account) -> Iterator[Block]:
    if not account.after or not account.before:
        yield Text("The parameters at the start are not kept, or no checkpoint is at hand: nothing can be compared.")
        return
    begun = _begun(account)
    for number, layer in enumerate(account.description.layers[:DRAWN_LAYERS]):
        if number not in begun:
            continue
        yield pictured(
            f"parameters-layer{number}",
            f"Layer {number}",
            "Left: values at the start and in the newest checkpoint. Right: how far each parameter moved on the scale "
            "on which it is trained, periodic ones by the shorter way round. Parameters that pile up at an end of "
            "their range, or do not move at all, are worth a look.",
            partial(before_and_after, layer, account.before[number], account.after[number]),
        )


def _slopes(account: Account) -> Iterator[Block]:
    if any(rows.has("slope_rms") for rows in account.rows.layers.values()):
        yield pictured(
            "slopes",
            "Slopes and their noise",
            "The measured slopes of the loss; they fall as training comes to rest. Bold: their running RMS."
            + NOISE[curves.noise_told(account)],
            partial(curves.slopes, account),
        )
    used = amplitudes_of(account)
    if not used:
        return
    if any(each.resolution > 0.0 and each.epsilon for each in used):
        yield pictured(
            "epsilon",
            "ε against resolution",
            "The RMS amplitude by which parameters are moved to measure a slope, in steps of what the device can set. "
            "Below half a step training refuses; near it, rounding bends the slopes.",
            lambda: resolving.epsilon_figure(used),
        )
    yield resolving.epsilon_table(used)


def _costs(account: Account) -> Iterator[Block]:
    if any(len(rows.columns["readings"]) for rows in account.rows.layers.values()):
        yield pictured(
            "device-time",
            "Device time over the run",
            "By the device's own clock, and as the cost model has it for the same writes and shots. A gap that grows "
            "says that τp or τx is stated wrongly.",
            partial(costs.device_time, account),
        )
    yield costs.counts_table(account)
