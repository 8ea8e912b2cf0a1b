"""A training session: greedy, layer by layer, on any device behind the guard."""

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.datasets import Dataset, Encoder, stratified_split
from ffzero_lab.device import Counts, DarkBatch, Guarded
from ffzero_lab.rule.losses import loss_named
from ffzero_lab.rule.optimizers import optimizer_named
from ffzero_lab.rule.prototypes import simplex_prototypes
from ffzero_lab.rule.randomness import For, generator
from ffzero_lab.training.admission import admit
from ffzero_lab.training.carry import Carry
from ffzero_lab.training.events import Checked, Event, LayerDone, Problem, StepDone, TapPower
from ffzero_lab.training.judgement import Judge
from ffzero_lab.training.layer import LayerTask, LayerTrainer, initial_parameters
from ffzero_lab.training.network import Measured, Network, TrainedLayer, read_all, stage
from ffzero_lab.training.plan import plan_run
from ffzero_lab.training.settings import TrainSettings

FloatArray = NDArray[np.float64]
Rows = NDArray[np.intp]

TAP_PATTERNS = 64


class Session:
    """Trains a network in place. :meth:`run` is a generator: whoever drives it may stop between any two events.

    *start* hands on the parameters and prototypes of a trained network. Raises InputError at construction when data
    set, settings, device and start do not fit together; the device has then not been touched.
    """

    def __init__(
        self, device: Guarded, dataset: Dataset, settings: TrainSettings, start: Network | None = None
    ) -> None:
        admit(device.description, dataset, settings)
        first = device.description.layers[0]
        encoder = Encoder.fit(
            dataset.train_inputs, first.n_inputs, first.input_lower, first.input_upper, dataset=dataset.name
        )
        self.device, self.dataset, self.settings = device, dataset, settings
        self._train_rows, self._validation_rows = _split(dataset, settings)
        self.plan = plan_run(
            settings,
            device.description,
            n_train=len(dataset.train_labels),
            n_validation=len(self._validation_rows),
            n_test=len(dataset.test_labels),
        )
        untrained = [self._untrained_layer(layer) for layer in range(len(device.description.layers))]
        self.network = Network(encoder, untrained, dataset.classes)
        if start is not None:
            self.network = self.network.starting_from(start)
        self.untrained: Measured | None = None
        self.trained: Measured | None = None
        self.layers: list[LayerDone] = []
        self.layer_counts: list[Counts] = []

    def run(self) -> Generator[Event]:
        """Train every layer, then measure the test part; yields what happens as it happens."""
        device = self.device
        test = self.network.encoder.encode(self.dataset.test_inputs)
        patterns = self.network.encoder.encode(self.dataset.train_inputs).patterns
        if test.n_outside:
            yield Problem(f"{test.n_outside} test values lie outside the training range and were limited to it")
        if device.description.topology == "cascaded":
            yield from self._look_at_taps(patterns)
        if self.settings.baselines:
            with device.ledger.spending_on("baseline"):
                self.untrained = self.network.measure(device, test.patterns)
        similarity = np.zeros((len(self.network.layers), len(patterns), self.dataset.n_classes))
        for layer in range(len(self.network.layers)):
            stage(device, layer, patterns)
            outputs = yield from self._train(layer, similarity)
            carry = self.network.layers[layer].carry
            if carry is not None:
                patterns = carry.apply(outputs)
        with device.ledger.spending_on("evaluation"):
            self.trained = self.network.measure(device, test.patterns)
        if device.saturated:
            yield Problem(f"{device.saturated} readings were at or above the detectors' full scale")
        if any(self.trained.dark):
            yield Problem(f"test patterns under the detection floor, by layer: {list(self.trained.dark)}")

    def _train(self, layer: int, similarity: FloatArray) -> Generator[Event, None, FloatArray]:
        """Train one layer on the staged patterns, fill its *similarity* and return the outputs of all of them."""
        device, labels = self.device, self.dataset.train_labels
        before = device.ledger.by_purpose["training"]
        task = self._task(layer, similarity)
        optimizer = optimizer_named(self.settings.optimizer, device.description.layers[layer].n_parameters)
        start = self.network.layers[layer].parameters
        trainer = LayerTrainer(device, layer, task, self.settings, self.plan.steps, start, optimizer)
        loss, stopped_by = yield from self._steps(trainer)
        self.network = self.network.with_parameters(layer, trainer.finish())
        with device.ledger.spending_on("carry"):
            device.write_parameters(layer, self.network.layers[layer].parameters)
            outputs = read_all(device, layer, len(labels))
        similarity[layer], _ = self.network.layers[layer].similarity(outputs, task.judge.floor)
        done = LayerDone(
            layer=layer,
            steps=trainer.step,
            stopped_by=stopped_by,
            loss=loss,
            train_accuracy=_share_right(similarity[layer], labels),
            sum_train_accuracy=_share_right(similarity.sum(axis=0), labels),
            wrapped=trainer.wrapped,
            projected=trainer.projected,
            dark=trainer.dark,
        )
        self.layers.append(done)
        self.layer_counts.append(device.ledger.by_purpose["training"] - before)
        yield done
        return outputs

    def _steps(self, trainer: LayerTrainer) -> Generator[Event, None, tuple[float, str]]:
        """Take steps until one of the limits ends the layer; returns the last loss and what stopped it.

        With a validation part the parameters of the best look at it are kept.
        """
        settings, clock = self.settings, self.device.clock
        began_s = clock.now_s()
        best, best_parameters, worse = -1.0, trainer.parameters, 0
        loss, stopped_by = np.inf, "steps"
        while trainer.step < trainer.steps and stopped_by == "steps":
            step = trainer.advance()
            loss = step.loss
            yield StepDone(trainer.layer, trainer.step, trainer.steps, step.loss, step.accuracy, step.slope_rms)
            if self.plan.layer_seconds is not None and clock.now_s() - began_s >= self.plan.layer_seconds:
                stopped_by = "budget"
            if len(self._validation_rows) and trainer.step % settings.check_every == 0:
                accuracy = self._validation_accuracy(trainer)
                yield Checked(trainer.layer, trainer.step, accuracy)
                worse = 0 if accuracy > best else worse + 1
                if worse == 0:
                    best, best_parameters = accuracy, trainer.parameters
                if settings.patience is not None and worse >= settings.patience:
                    stopped_by = "patience"
        if best >= 0.0:
            trainer.parameters = best_parameters
        return loss, stopped_by

    def _validation_accuracy(self, trainer: LayerTrainer) -> float:
        with self.device.ledger.spending_on("evaluation"):
            self.device.write_parameters(trainer.layer, trainer.finish())
            outputs = self.device.read_outputs(trainer.layer, self._validation_rows)
        labels = self.dataset.train_labels[self._validation_rows]
        judged = trainer.task.judge(outputs, labels, trainer.task.base[self._validation_rows])
        return judged.correct / len(labels)

    def _task(self, layer: int, similarity: FloatArray) -> LayerTask:
        described, settings = self.device.description.layers[layer], self.settings
        own = self.network.layers[layer]
        loss = loss_named(settings.loss, margin_width=settings.margin_width, sharpness=settings.sharpness)
        return LayerTask(
            rows=self._train_rows,
            labels=self.dataset.train_labels,
            base=similarity.sum(axis=0) if settings.accumulate else np.zeros_like(similarity[0]),
            judge=Judge(own.prototypes, loss, own.centre, described.detection_floor),
            reach=None if settings.slopes == "total" else described.reach,
        )

    def _untrained_layer(self, layer: int) -> TrainedLayer:
        description, settings = self.device.description, self.settings
        described = description.layers[layer]
        carries = description.topology == "reinjected" and layer + 1 < len(description.layers)
        return TrainedLayer(
            parameters=initial_parameters(described, settings.seed, layer),
            prototypes=simplex_prototypes(
                self.dataset.n_classes, described.n_outputs, generator(settings.seed, For.PROTOTYPES, layer)
            ),
            centre=described.one_sign if settings.centre is None else settings.centre,
            carry=Carry.into(description.layers[layer + 1]) if carries else None,
        )

    def _look_at_taps(self, patterns: FloatArray) -> Generator[Event]:
        """Report the optical power at every tap of a cascade, and warn where it is under the detectors' noise."""
        device = self.device
        with device.ledger.spending_on("evaluation"):
            stage(device, 0, patterns[:TAP_PATTERNS])
            for number, layer in enumerate(self.network.layers):
                device.write_parameters(number, layer.parameters)
            for number, described in enumerate(device.description.layers):
                try:
                    mean = float(read_all(device, number, min(TAP_PATTERNS, len(patterns))).mean())
                except DarkBatch as dark:
                    mean = None
                    yield Problem(f"tap {number} is dark before training: {dark}")
                yield TapPower(number, mean, described.detection_floor, described.output_unit)


def _split(dataset: Dataset, settings: TrainSettings) -> tuple[Rows, Rows]:
    """Return the training rows to draw from and those held back for validation."""
    if settings.validation == 0.0:
        return np.arange(len(dataset.train_labels)), np.array([], dtype=np.intp)
    rng = generator(settings.seed, For.VALIDATION)
    return stratified_split(dataset.train_labels, settings.validation, rng)


def _share_right(similarity: FloatArray, labels: NDArray[np.int64]) -> float:
    return float((similarity.argmax(axis=1) == labels).mean())
