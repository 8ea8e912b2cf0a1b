"""The chip with what training made of it: phases and light of a mesh, stiffness of a lattice, conductances."""

# Much of what matplotlib takes is of unknown type.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import CenteredNorm, Colormap, LinearSegmentedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ffzero_lab.device import LayerDescription
from ffzero_lab.figures.chip_map import (
    MANY_CELLS,
    canvas,
    cells_of,
    coloured_cells,
    coloured_guides,
    cross_out,
    write_in_cells,
)
from ffzero_lab.figures.drawing import plainly
from ffzero_lab.figures.palette import GREY, VALUES, VERMILLION
from ffzero_lab.figures.plan import Plan
from ffzero_lab.report.light import Light

FloatArray = NDArray[np.float64]
PHASES = "twilight_shifted"
"""Cyclic and even in brightness: 0 and 2π look alike."""
SIGNED = "PuOr_r"
PI_TICKS = ("0", "π/2", "π", "3π/2", "2π")
LIGHT = LinearSegmentedColormap.from_list("light", ["#D5DBE1", "#F6C744", "#D55E00", "#5A1E00"])
"""From pale grey, where there is no light, through yellow and orange, with evenly falling brightness."""


@dataclass(frozen=True)
class Shading:
    """How the values of a layer become colours.

    Attributes
    ----------
    values
        (P,) what is shown, such as phases within one turn.
    label
        Of the colour bar, with the unit.
    norm, colours
        From values to colours.
    ticks
        Values that are named at the colour bar, by their names; empty: as matplotlib likes.
    """

    values: FloatArray
    label: str
    norm: Normalize
    colours: Colormap
    ticks: dict[float, str]


def shading_of(kind: str, layer: LayerDescription, parameters: FloatArray) -> Shading:
    """Return how *parameters* (P,) are shown: phases modulo 2π, stiffness on a logarithm, what has a sign around 0."""
    groups = layer.groups
    units = list(dict.fromkeys(group.unit for group in groups))
    unit = " or ".join(units)
    if units == ["rad"]:
        turn = 2.0 * np.pi
        ticks = {turn * quarter / 4: name for quarter, name in enumerate(PI_TICKS)}
        return Shading(parameters % turn, "phase, modulo 2π / rad", Normalize(0.0, turn), colormaps[PHASES], ticks)
    if all(group.scale == "log" for group in groups):
        low, high = min(group.lower for group in groups), max(group.upper for group in groups)
        name = f"{'stiffness' if kind == 'mechanical' else 'value'} / {unit}"
        ticks = {value: f"{value:.4g}" for value in np.geomspace(low, high, 5).tolist()}
        return Shading(parameters, name, LogNorm(low, high), colormaps[VALUES], ticks)
    if any(group.lower < 0.0 for group in groups):
        far = float(np.quantile(np.abs(parameters), 0.998)) or 1.0
        name = f"{'conductance G⁺ − G⁻' if kind == 'crossbar' else 'value'} / {unit}"
        return Shading(parameters, name, CenteredNorm(0.0, halfrange=far), colormaps[SIGNED], {})
    low, high = float(parameters.min()), float(parameters.max())
    norm = Normalize(low, high if high > low else low + 1.0)
    return Shading(parameters, f"value / {unit}", norm, colormaps[VALUES], {})


def chip_map(plan: Plan, layer: LayerDescription, shading: Shading, light: Light | None) -> Figure:
    """Draw a layer: its parameters by *shading*, its waveguides by the power of *light* where there is any."""
    figure, axes = canvas(plan, guides=light is None, bars=1 if light is None else 2)
    if light is not None:
        powers = light.powers.ravel()
        norm = Normalize(0.0, float(powers.max()) or 1.0)
        guides = coloured_guides(axes, plan, powers, norm, LIGHT)
        figure.colorbar(
            guides, ax=axes, label="power in a waveguide / of all that enters", shrink=0.7, aspect=28, pad=0.01
        )
    shown = coloured_cells(axes, plan, shading.values, layer.alive, shading.norm, shading.colours)
    dead = list(layer.dead)
    if dead:
        axes.add_collection(cells_of(plan, dead, facecolor="white", edgecolor=GREY, linewidth=0.8, zorder=3))
        for index in dead if len(plan.cells) <= MANY_CELLS else ():
            cross_out(axes, plan, index, VERMILLION)
    write_in_cells(axes, plan, shading.values, layer.alive, shading.norm, shading.colours)
    bar = figure.colorbar(
        shown, ax=axes, label=plainly(shading.label), shrink=0.7, aspect=28, pad=0.01, extend=_extend(shading)
    )
    if shading.ticks:
        bar.set_ticks(list(shading.ticks), labels=list(shading.ticks.values()), minor=False)
        bar.ax.minorticks_off()
    return figure


def _extend(shading: Shading) -> str:
    low, high = shading.norm.vmin, shading.norm.vmax
    below = low is not None and bool((shading.values < low).any())
    above = high is not None and bool((shading.values > high).any())
    return "both" if below and above else "min" if below else "max" if above else "neither"
