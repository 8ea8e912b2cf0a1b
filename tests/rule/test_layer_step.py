"""One step of a layer: the rule put together on a bench whose gradient is known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ffzero_lab.device import Device, DeviceDescription, LayerDescription, ParameterGroup, Reach, Timing
from ffzero_lab.device.clock import VirtualClock
from ffzero_lab.rule.heads import Head
from ffzero_lab.rule.losses import loss_named
from ffzero_lab.rule.optimizers import optimizer_named
from ffzero_lab.rule.prototypes import simplex_prototypes
from ffzero_lab.training.comparison import LayerTask
from ffzero_lab.training.judgement import Judge
from ffzero_lab.training.layer import LayerTrainer
from ffzero_lab.training.probing import ProbedSlopes
from ffzero_lab.training.settings import ReadingOrder, SlopeKind, TrainSettings
from ffzero_lab.training.subspace import EachParameter, alive_groups

FloatArray = NDArray[np.float64]
N_PATTERNS, N_OUTPUTS, N_CLASSES, BATCH = 12, 6, 3, 5
SIZES, DEAD = (5, 4), (2, 7)
N_PARAMETERS = sum(SIZES)
ALIVE = [i for i in range(N_PARAMETERS) if i not in DEAD]
SHARPNESS, RATE, EPSILON = 4.0, 0.1, 1e-3


class Bench(Device):
    """Outputs z = z₀ + A·sin(θ) + drift·(reading number)·u, with every parameter reaching two outputs."""

    def __init__(self, drift: float = 0.0) -> None:
        rng = np.random.default_rng(5)
        first = np.arange(N_PARAMETERS) % (N_OUTPUTS - 1)
        self.reach = Reach(first, first + 2, N_OUTPUTS)
        mask = np.array([[f <= j < f + 2 for f in first] for j in range(N_OUTPUTS)])
        self.mixing = rng.normal(size=(N_PATTERNS, N_OUTPUTS, N_PARAMETERS)) * mask
        self.offset = rng.normal(2.0, 1.0, (N_PATTERNS, N_OUTPUTS))
        self.drift = drift * rng.normal(size=N_OUTPUTS)
        self.presented: list[tuple[FloatArray, NDArray[np.intp]]] = []
        self.now = np.zeros(N_PARAMETERS)
        groups = tuple(
            ParameterGroup(name=f"g{k}", shape=(size,), unit="rad", lower=-3.0, upper=3.0)
            for k, size in enumerate(SIZES)
        )
        layer = LayerDescription(
            input_shape=(2,),
            input_lower=0.0,
            input_upper=1.0,
            input_unit="1",
            output_shape=(N_OUTPUTS,),
            output_upper=1e3,
            output_unit="W",
            one_sign=True,
            groups=groups,
            dead=DEAD,
            reach=self.reach,
        )
        timing = Timing(write_s=0.0, shot_s=0.0)
        self.description = DeviceDescription(
            name="bench", serial_number="1", kind="test", topology="cascaded", layers=(layer,), timing=timing
        )
        self.clock = VirtualClock()

    def load_inputs(self, layer, patterns) -> None: ...

    def write_parameters(self, layer, values) -> None:
        self.now = values

    def read_outputs(self, layer, rows) -> FloatArray:
        self.presented.append((self.now, rows))
        return self.ideal(self.now, rows) + self.drift * len(self.presented)

    def ideal(self, theta: NDArray, rows: NDArray[np.intp]) -> NDArray:
        return self.offset[rows] + self.mixing[rows] @ np.sin(theta)

    def park(self) -> None: ...

    def close(self) -> None: ...


def trainer_on(bench: Bench, slopes: SlopeKind, *, readings: ReadingOrder = "pair", rate: float = RATE) -> LayerTrainer:
    rng = np.random.default_rng(6)
    settings = TrainSettings(
        directions="coordinate",
        directions_per_step=len(ALIVE),
        readings=readings,
        optimizer="sgd",
        learning_rate=rate,
        schedule="constant",
        epsilon=EPSILON,
        batch=BATCH,
        seed=3,
    )
    task = LayerTask(
        where="bench, layer 0",
        rows=np.arange(1, N_PATTERNS),
        wanted=rng.integers(0, N_CLASSES, N_PATTERNS),
        base=rng.uniform(-0.5, 0.5, (N_PATTERNS, N_CLASSES)),
        judge=Judge(
            Head(simplex_prototypes(N_CLASSES, N_OUTPUTS, rng)[np.newaxis], None, centre=True),
            loss_named("cross-entropy", margin_width=0.3, sharpness=SHARPNESS),
            floor=0.0,
        ),
        attributed=slopes == "attributed",
        reach=bench.reach if slopes == "attributed" else None,
        score=lambda similarity, wanted: float((similarity.argmax(axis=1) == wanted).mean()),
    )
    start = rng.uniform(-1, 1, N_PARAMETERS)
    optimizer = optimizer_named("sgd", N_PARAMETERS)
    described = bench.description.layers[0]
    each = EachParameter(described)
    probed = ProbedSlopes(bench, 0, task, settings, each)
    return LayerTrainer(described, 0, task, settings, 10, start, optimizer, each, probed)


def true_gradient(bench: Bench, trainer: LayerTrainer, rows: NDArray[np.intp]) -> FloatArray:
    """Return ∂L/∂θ on *rows* by complex steps through the loss written out."""
    task, gradient = trainer.task, np.zeros(N_PARAMETERS)
    for i in ALIVE:
        theta = trainer.parameters.astype(complex)
        theta[i] += 1e-30j
        z = bench.ideal(theta, rows)
        z = z - z.mean(axis=1, keepdims=True)
        s = task.base[rows] + z @ task.judge.head.prototypes[0].T / np.sqrt((z * z).sum(axis=1, keepdims=True))
        own = s[np.arange(len(rows)), task.wanted[rows]]
        loss = (np.log(np.exp(SHARPNESS * s).sum(axis=1)) - SHARPNESS * own).mean()
        gradient[i] = loss.imag / 1e-30
    return gradient


@pytest.mark.parametrize("readings", ["pair", "abba"])
@pytest.mark.parametrize("slopes", ["total", "attributed"])
def test_a_step_of_plain_descent_goes_down_the_true_gradient_of_its_batch(slopes: SlopeKind, readings: ReadingOrder):
    bench = Bench()
    trainer = trainer_on(bench, slopes, readings=readings)
    before = trainer.parameters.copy()
    trainer.advance()
    rows = bench.presented[0][1]
    reference = trainer_on(bench, slopes)
    gradient = true_gradient(bench, reference, rows)
    assert np.abs(gradient[ALIVE]).min() > 1e-4
    np.testing.assert_allclose(trainer.parameters - before, -RATE * gradient, rtol=1e-4, atol=1e-6)
    assert np.array_equal(trainer.parameters[list(DEAD)], before[list(DEAD)])


@pytest.mark.parametrize("slopes", ["total", "attributed"])
def test_abba_cancels_a_linear_drift_that_spoils_pairs(slopes: SlopeKind):
    moved: dict[tuple[ReadingOrder, float], FloatArray] = {}
    for readings in ("pair", "abba"):
        for drift in (0.0, 1e-4):
            trainer = trainer_on(Bench(drift), slopes, readings=readings)
            before = trainer.parameters.copy()
            trainer.advance()
            moved[readings, drift] = trainer.parameters - before
    spoilt = {r: np.abs(moved[r, 1e-4] - moved[r, 0.0]).max() for r in ("pair", "abba")}
    assert spoilt["pair"] > 0.03 * np.abs(moved["pair", 0.0]).max()
    assert spoilt["abba"] < 0.1 * spoilt["pair"]


@pytest.mark.parametrize(("readings", "signs"), [("pair", [1, -1]), ("abba", [1, -1, -1, 1])])
def test_both_sides_of_a_slope_see_the_same_patterns_and_no_centre_is_read(readings: ReadingOrder, signs: list[int]):
    bench = Bench()
    trainer = trainer_on(bench, "total", readings=readings)
    before = trainer.parameters.copy()
    trainer.advance()
    assert len(bench.presented) == len(ALIVE) * len(signs)
    first_rows = bench.presented[0][1]
    assert len(set(first_rows.tolist())) == BATCH
    assert 0 not in first_rows
    for number, (theta, rows) in enumerate(bench.presented):
        assert np.array_equal(rows, first_rows)
        assert (theta - before).sum() == pytest.approx(EPSILON * signs[number % len(signs)])


def test_batches_change_from_step_to_step_and_come_back_with_the_step():
    bench = Bench()
    trainer = trainer_on(bench, "total")
    for _ in range(4):
        trainer.advance()
    per_step = 2 * len(ALIVE)
    batches = [bench.presented[step * per_step][1].tolist() for step in range(4)]
    assert len({tuple(rows) for rows in batches}) == 4
    other = Bench()
    again = trainer_on(other, "total")
    again.step = 2
    again.advance()
    assert other.presented[0][1].tolist() == batches[2]


def test_the_probe_never_leaves_the_bounds_however_far_an_update_jumps():
    bench = Bench()
    trainer = trainer_on(bench, "attributed", rate=1e3)
    for _ in range(5):
        trainer.advance()
    written = np.array([theta for theta, _ in bench.presented])
    assert np.abs(written).max() <= 3.0 + 1e-12
    assert trainer.projected > 0


def test_living_parameters_keep_their_group():
    groups = alive_groups(Bench().description.layers[0])
    assert [group.tolist() for group in groups] == [[0, 1, 3, 4], [5, 6, 8]]
