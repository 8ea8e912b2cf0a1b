"""Draws docs/images/idea.svg and idea.png from a small twin's own numbers: ``python docs/make_idea_figure.py``."""

from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch
from matplotlib.ticker import MultipleLocator, PercentFormatter
from numpy.typing import NDArray

from drivers.twin.photonic.mesh import MeshGeometry
from ffzero_lab import open_device
from ffzero_lab.datasets import load_dataset
from ffzero_lab.device import Protected
from ffzero_lab.figures.drawing import STYLE
from ffzero_lab.figures.palette import BLUE, GREEN, GREY, INK, ORANGE, PALE, VERMILLION
from ffzero_lab.rule.directions import DirectionDraw
from ffzero_lab.rule.losses import loss_named
from ffzero_lab.rule.slopes import output_differences
from ffzero_lab.training import Network, Session, StepDone, TrainSettings
from ffzero_lab.training.network import read_all, stage

IMAGES = Path(__file__).parent / "images"
PORTS, STEPS = 14, 2000
DRAWN_EPSILON_RAD = 0.05
"""Five times the default, so that the two readings can be told apart by eye."""
LOSS = loss_named("margin", margin_width=0.3, sharpness=1.0)
MESH = MeshGeometry(PORTS)
HEATER = int(np.flatnonzero((MESH.column == 11) & (MESH.port == 5))[0])
"""θ of one interferometer near the end, whose light reaches some of the outputs."""
CLASSES = (BLUE, ORANGE, GREEN)
SUBTLE, UNREACHED = "#52606D", "#CBD2D9"
BLOCK = 40
"""Steps of which the share of right answers is averaged."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Idea:
    """What the figure shows, as measured.

    Attributes
    ----------
    prototypes
        (3, 2) in their own plane.
    before, after
        (S, 2) directions of the first layer's outputs in that plane.
    labels
        (S,) classes.
    along, losses
        (T,) amplitudes along one direction, rad RMS, and the loss measured there; the readings at ±ε stand in `pair`.
    pair
        (2,) loss at −ε and +ε.
    slopes
        (N,) slope of each output along the direction, loss per rad.
    reached
        (first, stop) of the outputs that one heater can reach.
    steps
        Readings, layer and share of right answers of the batch, row by row.
    """

    prototypes: FloatArray
    before: FloatArray
    after: FloatArray
    labels: NDArray[np.int64]
    along: FloatArray
    losses: FloatArray
    pair: FloatArray
    slopes: FloatArray
    reached: tuple[int, int]
    steps: list[tuple[int, int, float]]


def measure(steps: int = STEPS) -> Idea:
    """Train wine on two `typical` meshes, and look at it on the way."""
    device = open_device("twin:photonic", ports=PORTS, layers=2, preset="typical", seed=4)
    dataset = load_dataset("wine")
    settings = TrainSettings(dataset="wine", steps=steps, batch=64, loss="margin", seed=1)
    session = Session(device, dataset, settings)
    untrained = session.network
    labels = np.asarray(dataset.train_labels)
    patterns = untrained.encoder.encode(dataset.train_inputs).patterns
    before = _in_their_plane(_outputs(device, untrained, patterns), untrained)
    along, losses, pair, slopes = _slopes(device, untrained, patterns, labels)
    rows = [
        (device.ledger.by_purpose["training"].readings, event.layer, event.score)
        for moment in session.run()
        for event in moment
        if isinstance(event, StepDone)
    ]
    after = _in_their_plane(_outputs(device, session.network, patterns), session.network)
    reach = device.description.layers[0].reach
    device.close()
    prototypes = untrained.layers[0].head.prototypes[0] @ _plane(untrained).T
    reached = int(reach.first[HEATER]), int(reach.stop[HEATER])
    return Idea(prototypes, before, after, labels, along, losses, pair, slopes, reached, rows)


def _outputs(device: Protected, network: Network, patterns: FloatArray) -> FloatArray:
    """Return the outputs (S, N) of the first layer to all patterns."""
    device.write_parameters(0, network.layers[0].parameters)
    stage(device, 0, patterns)
    return read_all(device, 0, len(patterns))


def _plane(network: Network) -> FloatArray:
    """Return two orthonormal vectors (2, N) of the plane in which three prototypes lie, the first one upwards."""
    first, second, _ = network.layers[0].head.prototypes[0]
    right = -(second - (second @ first) * first)
    return np.stack([right / np.linalg.norm(right), first])


def _in_their_plane(outputs: FloatArray, network: Network) -> FloatArray:
    return network.layers[0].head.directions(outputs, 0.0).unit @ _plane(network).T


def _slopes(
    device: Protected, network: Network, patterns: FloatArray, labels: NDArray[np.int64]
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Read the first layer along one random direction; returns amplitudes, losses, the pair at ±ε, slope by output."""
    head, start = network.layers[0].head, network.layers[0].parameters
    stage(device, 0, patterns)
    rows = np.arange(len(patterns))
    direction = DirectionDraw("rademacher", [np.arange(len(start))], len(start), seed=3, layer=0).draw(0, 1)[0]
    along = np.linspace(-4.0, 4.0, 41) * DRAWN_EPSILON_RAD

    def loss(outputs: FloatArray) -> float:
        return LOSS(head.similarity(head.directions(outputs, 0.0))[0], labels).mean

    losses = [loss(each) for each in device.probe(0, start + along[:, np.newaxis] * direction, rows)]
    below, above = device.probe(0, start + DRAWN_EPSILON_RAD * np.outer([-1.0, 1.0], direction), rows)
    middle = head.directions((below + above) / 2.0, 0.0)
    in_similarity = LOSS(head.similarity(middle)[0], labels).slope
    in_outputs = head.slope_in_outputs(in_similarity[np.newaxis], middle)
    slopes = output_differences(in_outputs, above - below) / (2.0 * DRAWN_EPSILON_RAD)
    return along, np.array(losses), np.array([loss(below), loss(above)]), slopes


TITLES = (
    (0.02, 0.985, 1, "A goal for each layer", "Outputs, as a direction, shall point to the prototype of their class."),
    (
        0.62,
        0.985,
        2,
        "A slope from two readings",
        "All heaters are moved along a random v,\none way and then the other.",
    ),
    (
        *(0.02, 0.475, 3, "Credit where it can be due"),
        "A heater is credited with the slopes of the outputs that it\n"
        "reaches; those of the others (grey) would be noise to it.",
    ),
    (0.62, 0.475, 4, "Layer after layer", "What is trained is frozen, and its outputs\ndrive the next layer."),
)
"""Place, number, title and what is said under it."""


def draw(idea: Idea) -> Figure:
    """Draw the four parts."""
    figure = Figure(figsize=(8.0, 6.5))
    _draw_goal([figure.add_axes((left, 0.52, 0.3, 0.39)) for left in (0.0, 0.295)], idea)
    _draw_pair(figure.add_axes((0.68, 0.595, 0.3, 0.26)), idea)
    mesh = figure.add_axes((0.02, 0.02, 0.39, 0.345))
    _draw_mesh(mesh, idea)
    _draw_slopes(figure.add_axes((0.425, 0.02, 0.135, 0.345), sharey=mesh), idea)
    _draw_layers(figure.add_axes((0.68, 0.095, 0.3, 0.25)), idea)
    for left, top, number, title, told in TITLES:
        figure.text(left, top, f"{number}  {title}", va="top", weight="bold", size=11)
        figure.text(left, top - 0.038, told, va="top", size=8.5, color=SUBTLE, linespacing=1.35)
    return figure


def _draw_goal(both: list[Axes], idea: Idea) -> None:
    for axes, points, title in zip(both, (idea.before, idea.after), ("before", "after"), strict=True):
        axes.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), aspect="equal")
        axes.axis("off")
        axes.add_patch(Circle((0.0, 0.0), 1.0, facecolor="#F5F7FA", edgecolor=PALE, lw=0.8))
        for number, (colour, marker) in enumerate(zip(CLASSES, "os^", strict=True)):
            tip = idea.prototypes[number]
            arrow = {"arrowstyle": "-|>", "color": colour, "lw": 2.0, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 13}
            axes.annotate("", tip, (0.0, 0.0), arrowprops=arrow)
            axes.text(
                *(1.16 * tip), f"r{'₁₂₃'[number]}", ha="center", va="center", color=colour, weight="bold", size=10
            )
            of_class = points[idea.labels == number]
            axes.scatter(*of_class.T, s=15, color=colour, marker=marker, alpha=0.8, lw=0.4, edgecolor="white", zorder=3)
        axes.text(0.0, -1.24, title, ha="center", va="center", size=9)


def _draw_pair(axes: Axes, idea: Idea) -> None:
    at = DRAWN_EPSILON_RAD * np.array([-1.0, 1.0])
    axes.plot(idea.along, idea.losses, ".", color=GREY, ms=3)
    slope = np.diff(idea.pair)[0] / np.diff(at)[0]
    axes.plot(2.4 * at, idea.pair.mean() + slope * 2.4 * at, color=VERMILLION, lw=1.6)
    axes.plot(at, idea.pair, "o", color=VERMILLION, ms=6.5, mec="white", zorder=3)
    below, above = ((-6, 6), (6, -12)) if slope > 0 else ((7, 4), (-7, -10))  # beside the line, on the empty side
    for x, y, name, place in zip(at, idea.pair, ("θ − εv", "θ + εv"), (below, above), strict=True):
        axes.annotate(name, (x, y), place, textcoords="offset points", size=8.5, ha="left" if place[0] > 0 else "right")
    axes.set(xlabel="along v (rad)", ylabel="loss of the layer")
    axes.xaxis.set_major_locator(MultipleLocator(0.1))


def _draw_mesh(axes: Axes, idea: Idea) -> None:
    first, stop = idea.reached
    column, port = int(MESH.column[HEATER]), int(MESH.port[HEATER])
    axes.set(xlim=(-0.6, PORTS + 0.6), ylim=(PORTS - 0.4, -1.6))
    axes.axis("off")
    for line in range(PORTS):
        axes.plot([-0.6, PORTS + 0.6], [line, line], color=PALE, lw=1.2, zorder=0)
    for of_column, of_port in zip(MESH.column, MESH.port, strict=True):
        spread = of_column - column
        within = spread >= 0 and port - spread <= of_port <= port + spread
        colour = VERMILLION if spread == 0 and of_port == port else "#F3BE9C" if within else UNREACHED
        box = (float(of_column) + 0.22, float(of_port) - 0.15)
        axes.add_patch(FancyBboxPatch(box, 0.5, 1.3, boxstyle="round,pad=0,rounding_size=0.2", fc=colour, ec="none"))
    for line in range(first, stop):
        axes.plot([PORTS - 0.2, PORTS + 0.6], [line, line], color=VERMILLION, lw=1.4)
    axes.text(column + 0.47, -1.25, "one heater", color=VERMILLION, size=8.5, ha="center")
    axes.plot([column + 0.47] * 2, [-0.95, port - 0.3], color=VERMILLION, lw=0.9, ls=(0, (2, 2)))


def _draw_slopes(axes: Axes, idea: Idea) -> None:
    first, stop = idea.reached
    colours = [VERMILLION if first <= output < stop else UNREACHED for output in range(PORTS)]
    axes.barh(np.arange(PORTS), idea.slopes, height=0.62, color=colours)
    axes.plot([0.0, 0.0], [-0.5, PORTS - 0.5], color=INK, lw=0.8)
    axes.axis("off")
    axes.text(0.5, -1.25, "slope of each output", size=8.5, ha="center", transform=axes.get_yaxis_transform())


def _draw_layers(axes: Axes, idea: Idea) -> None:
    for layer, colour, name in ((0, BLUE, "layer 0"), (1, VERMILLION, "layer 1")):
        rows = [(readings, score) for readings, of_layer, score in idea.steps if of_layer == layer]
        readings, score = np.array(rows).T
        blocks = len(score) // BLOCK
        means = score[: blocks * BLOCK].reshape(blocks, BLOCK).mean(axis=1)
        axes.plot(readings[BLOCK - 1 : blocks * BLOCK : BLOCK], means, color=colour, lw=1.6)
        axes.text(readings.mean(), 0.36, name, color=colour, ha="center", weight="bold", size=9)
    axes.axvline(readings[0], color=GREY, lw=0.8, ls=(0, (2, 2)))
    axes.set(xlabel="readings of a batch", ylabel="right answers of a batch", ylim=(0.3, 1.02))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))


def main() -> None:
    """Measure, draw and write."""
    with mpl.rc_context(STYLE):
        figure = draw(measure())
        figure.savefig(IMAGES / "idea.svg", metadata={"Date": None, "Creator": None})
        figure.savefig(IMAGES / "idea.png", dpi=200, metadata={"Software": None})


if __name__ == "__main__":
    main()
