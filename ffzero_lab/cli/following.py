"""Follows a training session for whoever shows it: little work for an event, the rest when somebody looks."""

from math import sqrt

from ffzero_lab.cli.progress import Learning
from ffzero_lab.cli.remaining import Spent
from ffzero_lab.device import Guarded, Protected, VirtualClock
from ffzero_lab.training import Checked, Event, LayerDone, Session, StepDone

OVER_STEPS = 50
"""Steps over which losses, scores and slopes are averaged, the newest weighing most."""


class Mean:
    """A running mean, at first of all values, then of about the last so many."""

    def __init__(self, over: int = OVER_STEPS) -> None:
        self._over, self._count, self._value = over, 0, 0.0

    def add(self, value: float) -> None:
        """Take in one more value."""
        self._count = min(self._over, self._count + 1)
        self._value += (value - self._value) / self._count

    @property
    def value(self) -> float | None:
        """The mean; None before the first value."""
        return self._value if self._count else None


class Follower:
    """What is known of one training session; :meth:`note` is called by its thread, all else by any."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.began = self.spent(0.0)
        self._layer, self._step = 0, 0
        self._skipped = 0
        """Steps that finished layers have left out."""
        self._cosine: float | None = None
        self._begin_layer()

    def note(self, event: Event) -> None:
        """Take in an event."""
        if isinstance(event, StepDone):
            if event.layer != self._layer:
                self._layer = event.layer
                self._begin_layer()
            self._step = event.step
            self._loss.add(event.loss)
            self._score.add(event.score)
            if event.slope_over_error is not None:
                self._square.add(event.slope_over_error**2)
            if event.cosine is not None:
                self._cosine = event.cosine
        elif isinstance(event, Checked):
            self._validation = event.validation_score
        elif isinstance(event, LayerDone):
            self._skipped += self.session.plan.steps - event.steps

    def learning(self) -> Learning | None:
        """Return how the layer learns; None before its first step."""
        if not self._step:
            return None
        square = self._square.value
        return Learning(
            layer=self._layer,
            layers=len(self.session.network.layers),
            step=self._step,
            steps=self.session.plan.steps,
            measure=self.session.network.aim.measure,
            loss=self._loss.value,
            score=self._score.value,
            validation=self._validation,
            signal_to_noise=None if square is None else sqrt(max(0.0, square - 1.0)),
            cosine=self._cosine,
        )

    def state(self) -> str:
        """Return what the session is at, in words."""
        session, guard = self.session, guard_of(self.session.device)
        if guard.is_parking:
            return "parking"
        finished = 0 if session.progress is None else len(session.progress.layers)
        match guard.ledger.purpose:
            case "baseline":
                return "measuring the untrained device"
            case "carry":
                return "measuring the training part"
            case "calibration":
                return "choosing epsilon"
            case "evaluation":
                return "evaluating" if finished == len(session.network.layers) else "validating"
            case "training":
                return "beginning" if session.progress is None else "training"

    def spent(self, wall_s: float) -> Spent:
        """Return what has passed so far, with *wall_s* on the wall."""
        session = self.session
        total = session.device.ledger.total
        predicted_s = total.seconds(session.device.description.timing)
        return Spent(predicted_s, session.device_seconds, total.shots, wall_s)

    def planned(self) -> Spent:
        """Return what the whole session will take by its plan, less the steps that finished layers left out."""
        plan, timing = self.session.plan, self.session.device.description.timing
        steps = plan.steps * len(self.session.network.layers)
        training = plan.counts["training"]
        share = self._skipped / steps if steps else 0.0
        return Spent(
            plan.seconds - share * training.seconds(timing), 0.0, plan.total.shots - round(share * training.shots)
        )

    def trouble(self) -> tuple[str, ...]:
        """Return what went wrong on the way, though the session goes on."""
        dark = self.session.dark
        return (*device_trouble(guard_of(self.session.device)), *([f"{counted(dark, 'dark pattern')}"] if dark else []))

    def _begin_layer(self) -> None:
        self._loss, self._score, self._square = Mean(), Mean(), Mean()
        self._validation: float | None = None
        self._cosine = None


def guard_of(device: Protected) -> Guarded:
    """Return the guard that a device is, or has behind its record."""
    return device if isinstance(device, Guarded) else device.guard


def is_virtual(device: Protected) -> bool:
    """Return whether time passes on the device only when somebody lets it: a twin."""
    return isinstance(device.clock, VirtualClock)


def device_trouble(guard: Guarded) -> tuple[str, ...]:
    """Return what the device has suffered, in words; asks it nothing."""
    recoveries = sum(tally.recoveries for tally in guard.link_tallies().values())
    told = (
        (recoveries, "link recovery", "link recoveries"),
        (guard.restarts, "restart", "restarts"),
        (guard.saturated, "saturated reading", "saturated readings"),
    )
    return tuple(counted(number, one, many) for number, one, many in told if number)


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number of things in words."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
