"""What a protocol may say beside its steps: head, twin for rehearsals, sentinel; and what every step has."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from ffzero_lab.device import InterlockBound
from ffzero_lab.training.settings import Duration

if TYPE_CHECKING:
    from protocols.planning import Look, Planned
    from protocols.work import Work

OnFailure = Literal["park", "retry", "continue"]
OnDrift = Literal["recalibrate", "pause", "note"]
Share = Annotated[float, Field(gt=0.0, le=10.0)]
Few = Annotated[int, Field(ge=1, le=100)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]


def _plain_name(name: str) -> str:
    if not name or not name[0].isalpha() or len(name) > 40 or not name.replace("-", "").isalnum() or not name.isascii():
        raise ValueError("a step's name has up to 40 letters, digits and '-', and begins with a letter")
    return name


Name = Annotated[str, AfterValidator(_plain_name)]


class Part(BaseModel):
    """Any table of a protocol file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class Results(BaseModel):
    """What a step found; later steps refer to it by dotted name."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Until(Part):
    """Repeat a step until one of its own results is as wanted, a bounded number of times."""

    value: str
    """Dotted name within the step's own results, such as ``test_accuracy.sum``."""
    at_least: float | None = None
    """Lowest value that is enough."""
    at_most: float | None = None
    """Highest value that is enough."""
    most: Few = 3
    """How often the step is carried out at most; when that is not enough, it has failed."""

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("until needs at_least or at_most")
        return self

    def holds(self, value: float) -> bool:
        """Tell whether *value* is as wanted."""
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def __str__(self) -> str:
        bounds = ((" at least ", self.at_least), (" at most ", self.at_most))
        return self.value + "".join(f"{word}{bound:g}" for word, bound in bounds if bound is not None)


class Step(Part):
    """What every step may say; each kind adds its own."""

    found: ClassVar[type[Results]] = Results
    """What the kind of step finds."""
    energises: ClassVar[bool] = True
    """Whether it may switch something on."""

    name: Name
    """How results of this step are referred to; the names of a protocol differ."""
    on_failure: OnFailure = "park"
    """``park``: the protocol ends, and can be resumed at this step. ``retry``: it is tried again, going on from what it
    has measured, then as ``park``. ``continue``: the next step follows. The device is parked in any case."""
    retries: Annotated[int, Field(ge=0, le=10)] = 2
    """How often ``retry`` tries again."""
    until: Until | None = None
    """Repeat until a result is as wanted."""

    def plan(self, look: "Look") -> "Planned":
        """Return what the step will do and cost; raises InputError for what can be known to go wrong."""
        raise NotImplementedError

    def run(self, work: "Work") -> Results:
        """Carry the step out; raises RunFailed when it came to its end, but not to what was asked of it."""
        raise NotImplementedError


class Head(Part):
    """The table ``[protocol]``."""

    title: str
    """One line."""
    about: str = ""
    """What it is for, and what it needs."""
    kind: Literal["photonic", "mechanical", "crossbar"] | None = None
    """Kind of device that it is for; None: any."""


class SentinelTable(Part):
    """The table ``[sentinel]``: a fixed setting is measured again every so often, also within training and waiting."""

    every: Duration
    """Device time between two looks."""
    bound: Share
    """Largest change of the reference's outputs, RMS beyond noise, as a share of their own RMS."""
    on_drift: OnDrift = "note"
    """What follows beyond the bound: ``recalibrate`` carries out a calibrate step again, ``pause`` parks and waits for
    ``ffzero-lab continue RUN``, ``note`` writes it down."""
    calibrate: str | None = None
    """The calibrate step that ``recalibrate`` carries out."""
    most: Few = 10
    """How many re-calibrations there may be; drift after that is noted."""
    begin_at: str | None = None
    """Step from whose beginning on it watches; None: the first that trains or studies drift."""
    settle: Annotated[float, Field(ge=0.0, le=3600.0)] = 0.0
    """Seconds between writing the reference and reading it."""
    seed: Seed = 0
    """Seed of the reference's setting and patterns."""

    @model_validator(mode="after")
    def _knows_what_to_carry_out(self) -> Self:
        if self.on_drift == "recalibrate" and self.calibrate is None:
            raise ValueError("on_drift 'recalibrate' needs calibrate = the name of a calibrate step")
        return self


class Frame(Part):
    """A protocol file without its steps."""

    protocol: Head
    """Title and purpose, see below."""
    device: dict[str, Any] = {}
    """``name`` and options of the twin on which it is rehearsed."""
    sentinel: SentinelTable | None = None
    """What is watched, see below; without it nothing is."""
    interlocks: dict[str, InterlockBound] = {}
    """Bounds on health channels, as in a configuration file."""
