"""A training session: greedy, layer by layer, on any device behind the guard."""

from collections.abc import Generator, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.datasets import Dataset
from ffzero_lab.device import Counts, DarkBatch, Patterns, Protected
from ffzero_lab.training.admission import admit, check_power, check_room_along_axes
from ffzero_lab.training.aim import aim_of
from ffzero_lab.training.events import Checked, Event, LayerDone, Problem, StepDone, TapPower
from ffzero_lab.training.judgement import refuse_darkness
from ffzero_lab.training.layer import ExactGradient, LayerTrainer
from ffzero_lab.training.network import Measured, Network, read_all, stage
from ffzero_lab.training.plan import plan_run
from ffzero_lab.training.preparation import channels_of, look_at_taps, training_rows, untrained_network
from ffzero_lab.training.progress import Arrays, Plain, Progress, named_under, under
from ffzero_lab.training.settings import TrainSettings
from ffzero_lab.training.trainers import exact_gradient_of, task_of, trainer_of
from ffzero_lab.training.whole import trained_as

NAMED_SATURATED = 8
"""Saturated outputs that a message names one by one."""

FloatArray = NDArray[np.float64]


class Session:
    """Trains a network in place.

    :meth:`run` is a generator of moments; between any two of them :meth:`state` is complete, and a new session of the
    same data set, settings and device that is given it goes on from there. *start* hands on the parameters and
    prototypes of a trained network.

    Raises InputError at construction when data set, settings, device and start do not fit together, CalibrationMissing
    for a device in raw units; the device has then not been touched.
    """

    def __init__(
        self, device: Protected, dataset: Dataset, settings: TrainSettings, start: Network | None = None
    ) -> None:
        self.device, self.dataset, self.settings = device, dataset, settings
        self.trained_as = trained_as(settings, device)
        """The device as the rule sees it: layer by layer, or all layers as one."""
        admit(device, self.trained_as.description, dataset, settings)
        self._train_rows, self._validation_rows = training_rows(dataset, settings)
        self.plan = plan_run(
            settings,
            device.description,
            n_train=dataset.n_train,
            n_validation=len(self._validation_rows),
            n_test=dataset.n_test,
        )
        self.wanted, self.test_wanted = aim_of(dataset).wanted(dataset)
        self._untrained = untrained_network(self.trained_as.description, dataset, settings)
        self.network = self._untrained if start is None else self._untrained.starting_from(start)
        check_power(device, self.trained_as, self._untrained)
        check_room_along_axes(self.trained_as, self._untrained, dataset, settings)
        self.progress: Progress | None = None
        self.trained: Measured | None = None
        self._trainer: LayerTrainer | None = None
        self._counts_before = Counts()
        self._energise = False
        self._began_s, self._earlier_s, self._layer_began_s = device.clock.now_s(), 0.0, 0.0

    @property
    def device_seconds(self) -> float:
        """Device time that the session has taken so far, earlier parts of a resumed one included."""
        return self._earlier_s + (self.device.clock.now_s() - self._began_s)

    @property
    def dark(self) -> int:
        """Patterns under the detection floor in the steps so far, left out of what was judged."""
        finished = () if self.progress is None else self.progress.layers
        return sum(done.dark for done, _ in finished) + (0 if self._trainer is None else self._trainer.dark)

    def run(self) -> Generator[tuple[Event, ...]]:
        """Train every layer, then measure the test part; yields the events of each moment together."""
        if self.progress is None:
            yield from self._begin()
        elif self._energise:
            self.energise_frozen_layers()
        while (progress := self.progress) is not None and len(progress.layers) < len(self.network.layers):
            layer = len(progress.layers)
            stage(self.trained_as, layer, progress.patterns)
            if self._trainer is None:
                self._trainer = self._next_trainer(progress)
                self._counts_before = self.device.ledger.by_purpose["training"]
                self._layer_began_s = self.device_seconds
            exact = exact_gradient_of(self.trained_as, self._trainer) if self.settings.diagnose else None
            while (trainer := self._trainer).stopped_by is None:
                yield tuple(self._step(trainer, exact))
            yield (self._freeze(trainer, progress),)
        yield tuple(self._finish())

    def state(self) -> tuple[Arrays, Plain] | None:
        """Return everything that decides how the session goes on; None before its first step and after its end.

        The arrays are shared with the session, which never changes one in place. Once the test part is measured
        nothing goes on: a session taken up there would measure, and count, it a second time.
        """
        if self.progress is None or self.trained is not None:
            return None
        arrays, plain = self.progress.to_state(measured=self._patterns_are_measured)
        arrays = named_under("progress", arrays)
        state: Plain = {
            "progress": plain,
            "counts": self.device.ledger.as_json(),
            "counts_before": [self._counts_before.writes, self._counts_before.readings, self._counts_before.shots],
            "saturated": self.device.saturated,
            "saturated_at": sorted(self.device.saturated_at),
            "device_seconds": self.device_seconds,
            "began_s": self._began_s,
            "earlier_s": self._earlier_s,
            "layer_began_s": self._layer_began_s,
        }
        if self._trainer is not None:
            trainer_arrays, state["trainer"] = self._trainer.state()
            arrays |= named_under("trainer", trainer_arrays)
        exact = self.device.snapshot()
        if exact is not None:
            arrays |= named_under("device", exact)
        return arrays, state

    def restore(self, network: Network, arrays: Mapping[str, NDArray[Any]], state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state` returned, with the *network* of the same checkpoint.

        A twin gets its exact state back. Hardware is parked, and :meth:`run` writes the frozen layers of a cascade
        again: nothing is switched on before the interlocks are watched.
        """
        self.network = network
        of_progress = under("progress", arrays)
        if "patterns" not in of_progress:
            of_progress["patterns"] = self.network.encoder.encode(self.dataset.train_inputs).patterns
        self.progress = Progress.from_state(of_progress, state["progress"])
        self.device.ledger.restore(state["counts"])
        self.device.saturated = state["saturated"]
        self.device.saturated_at = set(state.get("saturated_at", ()))
        self._counts_before = Counts(*state["counts_before"])
        self._layer_began_s = state["layer_began_s"]
        if "trainer" in state:
            of_trainer = under("trainer", arrays)
            self._trainer = self._next_trainer(self.progress, of_trainer.get("axes"))
            self._trainer.restore(of_trainer, state["trainer"])
        exact = under("device", arrays)
        if exact:
            self.device.restore(exact)
            self._began_s, self._earlier_s = state["began_s"], state["earlier_s"]
        else:
            self.device.park()
            self._began_s, self._earlier_s = self.device.clock.now_s(), state["device_seconds"]
            self._energise = True

    def taken_back(self, seconds: float) -> None:
        """Go on after somebody else used the device for so many seconds of its time, between two moments.

        :meth:`run`, called again, stages the patterns of the layer in training and writes the frozen layers of a
        cascade before it takes the next step. What others took counts for no limit of the session.
        """
        self._energise = True
        self._began_s += seconds

    @property
    def _patterns_are_measured(self) -> bool:
        """Whether the patterns of the layer in training came from the device, or are the encoded input."""
        done = 0 if self.progress is None else len(self.progress.layers)
        return any(layer.carry is not None for layer in self.network.layers[:done])

    def energise_frozen_layers(self) -> None:
        """Write the trained layers of a cascade again, after parking: the light passes through them."""
        if self.device.description.topology == "cascaded" and self.progress is not None:
            with self.device.ledger.spending_on("carry"):
                for layer in range(len(self.progress.layers)):
                    self.trained_as.write_parameters(layer, self.network.layers[layer].parameters)

    def _first_look(self, test_outside: int, patterns: Patterns) -> Generator[Event]:
        """Look at what the operator should know before anything is spent."""
        if test_outside:
            yield Problem(f"{test_outside} test values lie outside the training range and were limited to it")
        if self.device.description.topology == "cascaded":
            yield from look_at_taps(self.device.ledger, self.trained_as, self.network, patterns)

    def _begin(self) -> Generator[tuple[Event, ...]]:
        """Look at the bench, then measure the untrained device."""
        encoder = self.network.encoder
        patterns = encoder.encode(self.dataset.train_inputs).patterns
        test = encoder.encode(self.dataset.test_inputs)
        looked = tuple(self._first_look(test.n_outside, patterns))
        yield looked
        untrained, problems = None, _messages(looked)
        if self.settings.baselines:
            try:
                with self.device.ledger.spending_on("baseline"):
                    untrained = self._untrained.measure(self.trained_as, test.patterns).similarity
            except DarkBatch as dark:
                problems = (*problems, f"the untrained device gives no baseline: {dark}")
        self.progress = Progress(
            patterns=patterns,
            similarity=np.zeros((len(self.network.layers), len(patterns), self.network.aim.n_prototypes)),
            untrained=untrained,
            problems=problems,
            tap_power=tuple(event.mean for event in looked if isinstance(event, TapPower)),
        )
        yield tuple(Problem(message) for message in problems[len(_messages(looked)) :])

    def _step(self, trainer: LayerTrainer, exact: ExactGradient | None) -> Generator[Event]:
        """Take one step and look whether a limit ends the layer; compare with *exact* where a row is written."""
        settings = self.settings
        if trainer.amplitude_is_due:
            began_s = self.device_seconds
            with self.device.ledger.spending_on("calibration"):
                yield trainer.choose_amplitude()
            self._layer_began_s += self.device_seconds - began_s  # the plan has set this time aside
        number = trainer.step + 1
        step = trainer.advance(exact if number % settings.log_every == 0 or number == trainer.steps else None)
        yield StepDone(
            trainer.layer,
            number,
            trainer.steps,
            step.loss,
            step.score,
            step.slope_rms,
            step.cosine,
            step.over_error,
        )
        if len(self._validation_rows) and trainer.step % settings.check_every == 0:
            score = self._validation_score(trainer)
            trainer.watch = trainer.watch.looked(score, trainer.parameters)
            yield Checked(trainer.layer, trainer.step, score)
        spent_s = self.device_seconds - self._layer_began_s
        if settings.patience is not None and trainer.watch.worse >= settings.patience:
            trainer.stopped_by = "patience"
        elif (
            self.plan.layer_seconds is not None
            and spent_s * (trainer.step + 1) / trainer.step > self.plan.layer_seconds
        ):
            trainer.stopped_by = "budget"
        elif trainer.step >= trainer.steps:
            trainer.stopped_by = "steps"

    def _freeze(self, trainer: LayerTrainer, progress: Progress) -> LayerDone:
        """Freeze a trained layer, measure all training patterns with it and carry them on."""
        device, wanted, layer = self.device, self.wanted, trainer.layer
        if self.settings.patience is not None and len(trainer.watch.parameters):
            trainer.parameters = trainer.watch.parameters
        own = replace(self.network.layers[layer], parameters=trainer.settled())
        with device.ledger.spending_on("carry"):
            self.trained_as.write_parameters(layer, own.parameters)
            outputs = read_all(self.trained_as, layer, len(wanted))
        if own.carry is not None:
            own = replace(own, carry=own.carry.levelled(outputs, channels_of(device.description.layers[layer])))
        self.network = self.network.with_layer(layer, own)
        similarity = progress.similarity.copy()
        similarity[layer], dark = own.similarity(outputs, trainer.task.judge.floor)
        refuse_darkness(dark, len(wanted), trainer.task.where, trainer.task.judge.floor)
        done = LayerDone(
            layer=layer,
            steps=trainer.step,
            stopped_by=trainer.stopped_by or "steps",
            loss=trainer.loss,
            train_score=self.network.aim.score(similarity[layer], wanted),
            sum_train_score=self.network.aim.score(similarity.sum(axis=0), wanted),
            wrapped=trainer.wrapped,
            projected=trainer.projected,
            dark=trainer.dark,
            epsilon=trainer.epsilon,
        )
        counts = device.ledger.by_purpose["training"] - self._counts_before
        self.progress = replace(
            progress,
            patterns=progress.patterns if own.carry is None else own.carry.apply(outputs),
            similarity=similarity,
            layers=(*progress.layers, (done, counts)),
        )
        self._trainer = None
        return done

    def _finish(self) -> Generator[Event]:
        """Measure the test part with the trained network."""
        device = self.device
        with device.ledger.spending_on("evaluation"):
            patterns = self.network.encoder.encode(self.dataset.test_inputs).patterns
            self.trained = self.network.measure(self.trained_as, patterns)
        events: list[Event] = []
        if device.saturated:
            events.append(Problem(_told_saturation(device)))
        if any(self.trained.dark):
            events.append(Problem(f"test patterns under the detection floor, by layer: {list(self.trained.dark)}"))
        if self.progress is not None:
            self.progress = replace(self.progress, problems=self.progress.problems + _messages(events))
        yield from events

    def _validation_score(self, trainer: LayerTrainer) -> float:
        with self.device.ledger.spending_on("evaluation"):
            self.trained_as.write_parameters(trainer.layer, trainer.settled())
            outputs = self.trained_as.read_outputs(trainer.layer, self._validation_rows)
        wanted = self.wanted[self._validation_rows]
        judged = trainer.task.judge(outputs, wanted, trainer.task.base[self._validation_rows])
        refuse_darkness(judged.dark, len(wanted), f"{trainer.task.where}, validation part", trainer.task.judge.floor)
        return self.network.aim.score(judged.similarity, wanted)

    def _next_trainer(self, progress: Progress, axes: FloatArray | None = None) -> LayerTrainer:
        """Return the trainer, at its start, of the first layer that is not trained yet."""
        settings, device = self.settings, self.trained_as
        task = task_of(
            device,
            self.network,
            progress,
            settings,
            task=self.dataset.task,
            rows=self._train_rows,
            wanted=self.wanted,
        )
        return trainer_of(device, self.network, progress, task, settings, self.plan.steps, axes)


def _messages(events: Iterable[Event]) -> tuple[str, ...]:
    return tuple(event.message for event in events if isinstance(event, Problem))


def _told_saturation(device: Protected) -> str:
    where = sorted(device.saturated_at)
    more = f" and {len(where) - NAMED_SATURATED} others" if len(where) > NAMED_SATURATED else ""
    named = f" ({'; '.join(where[:NAMED_SATURATED])}{more})" if where else ""
    return f"{device.saturated} readings were at or above the detectors' full scale{named}"
