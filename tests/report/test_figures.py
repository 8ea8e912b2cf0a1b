"""What figures show is what was measured."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from ffzero_lab.device import LayerDescription, ParameterGroup
from ffzero_lab.figures.drawing import pictured
from ffzero_lab.kept import Evaluation
from ffzero_lab.report import answers, costs, curves
from ffzero_lab.report.account import account_of
from ffzero_lab.report.amplitudes import amplitudes_of
from ffzero_lab.report.answers import confusion_of, mean_similarity, predicted_and_true
from ffzero_lab.report.chip import shading_of
from ffzero_lab.report.light import light_in
from ffzero_lab.report.parameters import moved


def layer_of(**group: object) -> LayerDescription:
    told = {"name": "theta", "shape": (2,), "unit": "rad", "lower": 0.0, "upper": 12.0, **group}
    return LayerDescription(
        input_shape=(2,),
        input_lower=0.0,
        input_upper=1.0,
        input_unit="amplitude",
        output_shape=(2,),
        output_upper=1.0,
        output_unit="intensity",
        one_sign=True,
        groups=(ParameterGroup.model_validate(told),),
    )


def evaluation(similarity: list[list[list[float]]], wanted: list[int]) -> Evaluation:
    return Evaluation(np.array(wanted), np.array(similarity), None, ())


def test_a_confusion_counts_each_pattern_once_in_the_row_of_its_class() -> None:
    seen = evaluation([[[0.9, 0.1], [0.2, 0.3], [0.8, 0.1]], [[0.0, 0.0], [0.0, 0.2], [0.0, 0.9]]], [0, 0, 1])
    assert confusion_of(seen, "sum", 2).tolist() == [[1, 1], [0, 1]]
    assert confusion_of(seen, "last", 2).tolist() == [[1, 1], [0, 1]]
    assert confusion_of(evaluation([[[0.9, 0.1]]], [1]), "sum", 2).tolist() == [[0, 0], [1, 0]]


def test_similarities_are_means_by_class_and_unknown_for_a_class_without_patterns() -> None:
    means = mean_similarity(np.array([[0.2, 0.4, 0.0], [0.4, 0.0, 0.0], [0.0, 1.0, 0.5]]), np.array([0, 0, 1]))
    assert means[:2] == pytest.approx(np.array([[0.3, 0.2, 0.0], [0.0, 1.0, 0.5]]))
    assert np.isnan(means[2]).all()


def test_numbers_come_back_in_the_unit_of_the_targets() -> None:
    seen = Evaluation(np.array([-1.0, 0.5]), np.array([[[-0.5], [0.5]], [[-0.25], [0.0]]]), None, ())
    predicted, true = predicted_and_true(seen, "sum", (10.0, 30.0))
    assert predicted == pytest.approx([12.5, 25.0])
    assert true == pytest.approx([10.0, 25.0])


def test_periodic_parameters_moved_by_the_shorter_way_and_stiffness_by_its_logarithm() -> None:
    turning = layer_of(period=2.0 * np.pi)
    assert moved(turning, np.array([0.1, 6.0]), np.array([0.1 + 2.0 * np.pi, 0.1])) == pytest.approx(
        [0.0, 0.1 - 6.0 + 2.0 * np.pi]
    )
    springs = layer_of(name="coupling", unit="N/m", lower=1.0, upper=100.0, scale="log")
    assert moved(springs, np.array([1.0, 50.0]), np.array([10.0, 25.0])) == pytest.approx(np.log([10.0, 0.5]))


def test_colours_are_told_by_what_a_parameter_is() -> None:
    phases = shading_of("photonic", layer_of(), np.array([1.0, 1.0 + 2.0 * np.pi]))
    assert phases.values == pytest.approx([1.0, 1.0])
    assert phases.label.endswith("rad")
    stiff = shading_of("mechanical", layer_of(unit="N/m", lower=1.0, upper=100.0, scale="log"), np.array([2.0, 50.0]))
    assert stiff.label == "stiffness / N/m"
    assert float(stiff.norm(10.0)) == pytest.approx(0.5)
    signed = shading_of("crossbar", layer_of(unit="G_f", lower=-1.0, upper=1.0), np.array([-0.2, 0.4]))
    assert float(signed.norm(0.0)) == pytest.approx(0.5)
    assert signed.label.startswith("conductance")


def test_the_light_enters_as_the_mean_input_of_a_class_and_none_is_lost(mesh_run: Path) -> None:
    account = account_of(mesh_run)
    found = light_in(account)
    assert account.evaluation is not None
    for number, light in enumerate(found):
        assert light is not None
        assert light.powers.sum(axis=1) == pytest.approx(np.ones(11))
        chosen = int(np.bincount(account.evaluation.wanted).argmax())
        entering = account.evaluation.inputs[number][chosen]
        assert light.powers[0] == pytest.approx(entering**2 / (entering**2).sum())
        assert account.manifest["dataset"]["classes"][chosen] in light.entering


def test_device_time_above_a_curve_belongs_to_the_measurements_below(mesh_run: Path) -> None:
    account = account_of(mesh_run)
    figure = curves.learning(account)
    figure.draw_without_rendering()
    (above,) = (child for child in figure.axes[0].child_axes)
    rows = account.rows.layers[1].columns
    over = above._functions[0]  # pyright: ignore[reportAttributeAccessIssue]
    assert over(rows["readings"]) == pytest.approx(rows["device_seconds"])
    assert float(over(rows["readings"][-1] + 100.0)) > rows["device_seconds"][-1]


def test_amplitudes_are_those_of_the_settings_beside_the_stated_resolution(mesh_run: Path) -> None:
    account = account_of(mesh_run)
    found = {(used.layer, used.group): used for used in amplitudes_of(account)}
    assert set(found) == {(layer, group) for layer in (0, 1) for group in ("theta", "phi", "gamma")}
    used = found[1, "phi"]
    assert used.epsilon == (0.01,)
    assert used.resolution == account.description.layers[1].groups[1].resolution
    assert used.steps == pytest.approx(0.01 / used.resolution)


@pytest.mark.slow
def test_measured_amplitudes_are_those_that_were_logged(run_of: Callable[..., Path]) -> None:
    options = ("--dataset", "iris", "--set", "device.ports=8", "--steps", 4, "--epsilon", "auto")
    account = account_of(run_of(*options))
    logged = [row["epsilon"]["theta"] for row in account.rows.layers[0].amplitudes]
    assert len(logged) == 2
    assert list(amplitudes_of(account)[0].epsilon) == logged


def test_a_class_may_have_any_name(recwarn: pytest.WarningsRecorder) -> None:
    classes = ("$5 to $10", r"$\frac{x", "a_$\\", "\u65e5\u672c")
    drawn: list[Figure] = []

    def draw() -> Figure:
        drawn.append(answers.confusion(np.eye(4, dtype=np.int64), classes))
        return drawn[0]

    picture = pictured("confusion", "Which", "Counts.", draw)
    labels = [label.get_text().replace(r"\$", "$") for label in drawn[0].axes[0].get_yticklabels()]
    assert labels == list(classes)
    assert picture.caption == "Counts. Signs that the font of the figures lacks stand as boxes."
    assert not list(recwarn)


def test_slopes_that_are_all_zero_are_drawn(mesh_run: Path) -> None:
    account = account_of(mesh_run)
    layer = account.rows.layers[0]
    none = {name: np.zeros_like(column) for name, column in layer.columns.items() if name.startswith("slope")}
    rows = replace(account.rows, layers={0: replace(layer, columns={**layer.columns, **none})})
    sizes, *_ = curves.slopes(replace(account, rows=rows)).axes
    assert sizes.get_yscale() == "linear"
    assert curves.slopes(account).axes[0].get_yscale() == "log"


def test_the_results_of_a_regression_stand_within_its_figure(run_of: Callable[..., Path]) -> None:
    account = account_of(run_of("--dataset", "function1", "--set", "device.ports=5", "--steps", 3))
    assert account.summary is not None
    far = {**account.summary, "test_r2": {"sum": -7.5}}
    scores = curves.learning(replace(account, summary=far)).axes[0]
    low, high = scores.get_ylim()
    results = [line.get_ydata()[0] for line in scores.get_lines() if line.get_label() == "test part, readout 'sum'"]
    assert results == [-7.5]
    shown = [float(y) for line in scores.get_lines() if line.get_marker() in ("D", "None") for y in line.get_ydata()]
    assert len(shown) >= 4
    assert all(low < score < high for score in shown)


def test_the_course_of_device_time_begins_at_zero_and_its_ends_stand_within(mesh_run: Path) -> None:
    account = account_of(mesh_run)
    (axes,) = costs.device_time(account).axes
    clock, predicted, end, planned = axes.get_lines()
    assert (clock.get_xdata()[0], clock.get_ydata()[0], predicted.get_ydata()[0]) == (0.0, 0.0, 0.0)
    (_, right), (_, top) = axes.get_xlim(), axes.get_ylim()
    for line in (end, planned):
        assert line.get_xdata()[0] < 0.98 * right
        assert line.get_ydata()[0] < 0.98 * top
