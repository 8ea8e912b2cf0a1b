"""``evaluate``: writes trained parameters back and measures the test part, also with noise put on purpose."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from ffzero_lab.training.plan import evaluation
from protocols.measuring import Scores, scored, trained_in
from protocols.planning import Look, Planned
from protocols.schema import Few, Results, Seed, Step
from protocols.steps.train import planned_training
from protocols.work import Work

Noise = Annotated[float, Field(ge=0.0, le=10.0)]


class Evaluated(Results):
    """What ``evaluate`` finds; with ``times`` above 1, means."""

    test_accuracy: Scores | None = None
    """Share of right answers, by readout; None for regression."""
    test_r2: Scores | None = None
    """R² by readout; None for classes."""
    score: float
    """That of the readout the run was trained for."""
    spread: float
    """Standard deviation of ``score`` over the times."""
    patterns: int
    """In the test part."""
    dark: int
    """Patterns under the detection floor, over all layers and times."""
    limited: int
    """Values that ended at the end of their range, over all times."""


class Evaluate(Step):
    """Measure the test part of a training run, on the device as it is calibrated now."""

    found: ClassVar[type[Results]] = Evaluated

    kind: Literal["evaluate"] = "evaluate"
    run_of: str
    """A training run: ``${train.run}`` of an earlier step, or a run folder."""
    dataset: str | None = None
    """Another data set with the same classes."""
    record: str | None = None
    """A calibration record to measure through, such as ``${measure.record}``; None: the one in force."""
    times: Few = 1
    """How often, with other noise each time."""
    parameter_noise: Noise = 0.0
    """RMS that every parameter is put off by, in typical changes (1 is one radian of phase)."""
    input_noise: Noise = 0.0
    """RMS that every input is put off by, as a share of its range."""
    seed: Seed = 0
    """Seed of that noise."""

    def plan(self, look: Look) -> Planned:
        """Return the plan; raises InputError for a run that cannot be used."""
        settings, n_test = planned_training(self.run_of, look, self.dataset)
        if self.record is None:
            look.needs_record(uncalibrated=settings.uncalibrated)
        n_parts = settings.trained_in_turn(len(look.device.description.layers))
        counts = evaluation(settings, look.device.description, n_test).times(n_parts * self.times)
        touches = f"writes trained parameters, presents {n_test} test patterns"
        return Planned(counts, touches=(touches,), staged=n_test * self.times)

    def run(self, work: Work) -> Evaluated:
        """Measure; raises InputError when the run does not fit the device."""
        shift = work.shift
        trained = trained_in(work.found(self.run_of), self.dataset, shift.data_dir)
        record = None if self.record is None else work.found(self.record)

        def measured(number: int) -> dict[str, Any]:
            noises = {"parameter_noise": self.parameter_noise, "input_noise": self.input_noise}
            return scored(shift, trained, **noises, seed=self.seed + number, record=record)

        times = [work.kept(f"time {number}", lambda n=number: measured(n)) for number in range(self.times)]
        scores = [float(each["score"]) for each in times]
        mean = sum(scores) / len(scores)
        spread = (sum((score - mean) ** 2 for score in scores) / max(1, len(scores) - 1)) ** 0.5
        key = "test_accuracy" if "test_accuracy" in times[0] else "test_r2"
        readouts = {name: sum(each[key][name] for each in times) / len(times) for name in times[0][key]}
        work.tell(f"{key.removeprefix('test_')} {mean:.4f}" + (f" ± {spread:.4f}" if self.times > 1 else ""))
        return Evaluated(
            **{key: Scores(**readouts)},
            score=mean,
            spread=spread,
            patterns=int(times[0]["patterns"]),
            dark=sum(int(each["dark"]) for each in times),
            limited=sum(int(each["limited"]) for each in times),
        )
