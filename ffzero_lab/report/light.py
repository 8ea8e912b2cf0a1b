"""The light in a trained mesh as ideal physics has it: nobody can look into the chip, and nothing here is measured."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device import LayerDescription
from ffzero_lab.figures.mesh_light import fields_along
from ffzero_lab.figures.mesh_plan import MeshLayout, mesh_layout
from ffzero_lab.report.account import Account
from ffzero_lab.training.carry import Carry

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


@dataclass(frozen=True)
class Light:
    """Optical power in one mesh.

    Attributes
    ----------
    powers
        (2N + 1, N) power of each piece of the waveguides, as a share of all that enters; in the order of `Plan.guides`.
    entering
        What was sent in, in words.
    """

    powers: FloatArray
    entering: str


def light_in(account: Account) -> list[Light | None]:
    """Return the light in each layer at the parameters of `Account.after`; None where it cannot be told.

    The first layer gets the mean test input of the class with the most test patterns; a later one what was staged for
    it, or, where only the device knows that, what ideal physics carries over from the layer before.
    """
    evaluation, description = account.evaluation, account.description
    if evaluation is None or not account.after or not evaluation.inputs:
        return [None] * len(description.layers)
    chosen, which = _class_shown(account)
    found: list[Light | None] = []
    leaving: ComplexArray | None = None
    for number, (layer, parameters) in enumerate(zip(description.layers, account.after, strict=True)):
        layout = mesh_layout([group.size for group in layer.groups])
        if number < len(evaluation.inputs):
            entering, told = _amplitudes(evaluation.inputs[number][chosen], layout), which
        elif leaving is None:
            entering, told = None, ""
        elif description.topology == "cascaded":
            entering, told = leaving, f"what the layer before gives for {which}, without the activation between them"
        else:
            carried = Carry.into(layer).apply(np.abs(leaving[np.newaxis]) ** 2)[0]
            entering, told = _amplitudes(carried, layout), f"what the layer before gives for {which}"
        if layout is None or entering is None or not _are_phases(layer) or not np.abs(entering).any():
            found.append(None)
            leaving = None
            continue
        fields = fields_along(layout, parameters, entering)
        powers = np.abs(fields) ** 2
        found.append(Light(powers / powers[0].sum(), told))
        leaving = fields[-1]
    return found


def _class_shown(account: Account) -> tuple[int, str]:
    """Return the number of the mean input that is shown, and what it is."""
    evaluation = account.evaluation
    if account.measure == "r2" or evaluation is None:
        return 0, "the mean input of the test part"
    number = int(np.bincount(evaluation.wanted).argmax())
    return number, f"the mean input of the class {account.manifest['dataset']['classes'][number]!r}"


def _amplitudes(inputs: FloatArray, layout: MeshLayout | None) -> ComplexArray | None:
    """Return the fields that *inputs* drive: real amplitudes, or both quadratures; None where they are neither."""
    if layout is None:
        return None
    if len(inputs) == layout.ports:
        return inputs.astype(np.complex128)
    if len(inputs) == 2 * layout.ports:
        return inputs[: layout.ports] + 1j * inputs[layout.ports :]
    return None


def _are_phases(layer: LayerDescription) -> bool:
    return all(group.unit == "rad" for group in layer.groups)
