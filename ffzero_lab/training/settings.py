"""What a run is told: every setting of the learning rule and of the run, checked before anything is opened."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ffzero_lab.datasets import Task
from ffzero_lab.rule.directions import DirectionKind
from ffzero_lab.rule.losses import LossName
from ffzero_lab.rule.optimizers import OptimizerName, ScheduleName
from ffzero_lab.rule.readout import ReadoutName
from ffzero_lab.training.comparison import SIGNS, ReadingOrder

RuleName = Literal["ffzero", "bp-dd", "ff-ad", "bp-ad"]
SlopeKind = Literal["attributed", "total"]
Feed = Literal["carry", "input"]
ChannelLosses = Literal["joint", "own"]
Count = Annotated[int, Field(ge=1, le=10**12)]
MOST = 1e9
Amount = Annotated[float, Field(gt=0.0, le=MOST)]
PerGroup = Amount | dict[str, Amount]
"""One number for all parameters, or one for each parameter group by name; groups left out keep their default."""

Range = tuple[Annotated[float, Field(allow_inf_nan=False)], Annotated[float, Field(allow_inf_nan=False)]]

_AMOUNTS = f"a finite number above 0 and at most {MOST:g}, or one for each parameter group"

DEFAULT_EPSILON = 0.01
"""Default amplitude as a multiple of what the device calls a typical change (one radian of phase)."""
DEFAULT_LEARNING_RATE = 0.007
"""Default learning rate in the same multiple."""

EXACT_COST = 2
"""Evaluations of the loss that an exact gradient counts as: one pass forward and one back."""

_UNITS_S = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def duration_s(text: Any) -> Any:
    """Turn ``90``, ``"90s"``, ``"30m"`` or ``"2h"`` into seconds; anything else raises ValueError."""
    if not isinstance(text, str):
        return text
    match = re.fullmatch(r"\s*([0-9.]+)\s*([a-z]*)\s*", text)
    if match is None or match[2] not in _UNITS_S:
        raise ValueError("a duration is a number with an optional unit s, m, h or d, such as 90s or 2h")
    try:
        return float(match[1]) * _UNITS_S[match[2]]
    except ValueError:
        raise ValueError(f"{match[1]!r} is not a number") from None


Duration = Annotated[float, BeforeValidator(duration_s), Field(gt=0.0, le=1e9, allow_inf_nan=False)]


def _refusing(allowed: str, *words: str) -> BeforeValidator:
    """Refuse what is no amount in one message; the union alone would give one for each of its branches."""

    def checked(given: Any) -> Any:
        table: dict[str, Any] = cast("dict[str, Any]", given) if isinstance(given, dict) else {"": given}
        for group, amount in table.items():
            if _is_amount(amount) or (group == "" and (amount is None or amount in words)):
                continue
            where = f"{group} is {amount!r}: " if group else ""
            raise ValueError(f"{where}needed is {allowed}")
        return cast("Any", given)

    return BeforeValidator(checked)


def _is_amount(given: Any) -> bool:
    try:
        return not isinstance(given, bool) and 0.0 < float(given) <= MOST
    except (TypeError, ValueError):
        return False


class TrainSettings(BaseModel):
    """Settings of one training run. The defaults were chosen on a validation part of the digits' training data."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    dataset: str = "digits"
    """A name told by ``ffzero-lab datasets list`` (``digits``, ``mnist:8x8``, …), ``csv:PATH`` or ``npz:PATH``."""
    data_dir: Path | None = None
    """Folder that holds ``mnist`` and the like (None: FFZERO_DATA), and that relative paths start from."""
    task: Task | None = None
    """``classification`` or ``regression`` (labels are numbers); None: what the data set is made for."""
    rule: RuleName = "ffzero"
    """``ffzero`` (a loss for each layer, measured slopes), or one to compare it with: ``bp-dd`` (one loss at the last
    layer, measured slopes), ``ff-ad`` and ``bp-ad`` (the same losses, slopes by automatic differentiation of a twin's
    ideal physics)."""
    loss: LossName | None = None
    """Local loss: ``cross-entropy``, ``margin`` or ``cosine`` for classes, ``mse`` for numbers. None: the first."""
    margin_width: Annotated[float, Field(gt=0.0, le=10.0)] = 0.3
    """m of the margin loss (the paper's 0.3)."""
    sharpness: Annotated[float, Field(gt=0.0, le=1e4)] = 15.0
    """τ of the cross-entropy on similarities."""
    directions: DirectionKind = "rademacher"
    """Kind of random directions."""
    subspace: Count | None = None
    """Weights of shape (inputs, outputs) move only along so many leading principal axes of the layer's staged inputs.
    None: every parameter by itself. Most useful with ``slopes`` total, which gain from every direction left out."""
    directions_per_step: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Directions measured for each update."""
    readings: ReadingOrder = "pair"
    """How directions are read: ``pair`` (+ −), ``abba`` (+ − − +, which cancels linear drift), or ``group``: each once,
    against the mean of the step's directions, which halves the variance of the same number of readings."""
    slopes: SlopeKind | None = None
    """None: attributed where the device declares its reach, else total."""
    optimizer: OptimizerName = "adam"
    """What turns gradient estimates into updates; ``normalised`` steps have one length, each along its estimate."""
    learning_rate: Annotated[PerGroup | None, _refusing(_AMOUNTS)] = None
    """Step size at the start, on the trained scale for Adam and normalised steps (rad, ln(N/m), V²); one number, or one
    per parameter group. None: 0.007 of the typical change that the device states, which is 0.007 rad for phases."""
    schedule: ScheduleName = "cosine"
    """Course of the learning rate over the steps of a layer."""
    epsilon: Annotated[PerGroup | Literal["auto"] | None, _refusing(f"{_AMOUNTS}, or 'auto'", "auto")] = None
    """RMS amplitude of the moved parameters on the trained scale; one number, one per parameter group, or ``auto``:
    what the calibration recommends, where there is a record, measured again at each layer's start and in its middle.
    None: 0.01 of the typical change that the device states, which is 0.01 rad for phases."""
    start: dict[str, Range] | None = None
    """Range from which the first values of a parameter group are drawn, by group, in the unit that is written. None,
    and for groups left out: what the device names, else the period nearest to zero, or the whole range."""
    centre: bool | None = None
    """None: centre outputs of one sign."""
    feed: Feed = "carry"
    """What later layers of a reinjected device are given: the outputs of the layer before, carried on, or the ``input``
    of the first one again."""
    channels: ChannelLosses = "joint"
    """Whether the channels of a convolution answer together, or each has a loss of its own (the paper)."""
    channel_features: Count = 64
    """Values to which each channel's map is reduced by a fixed random linear map; smaller maps are taken whole."""
    accumulate: bool = True
    """Train later layers on the similarity accumulated over the layers so far."""
    readout: ReadoutName = "sum"
    """Readout that counts as the result; all three are reported."""
    steps: Count = 6000
    """Steps of each layer."""
    max_readings: Count | None = None
    """Most batch readings spent on training, over all layers."""
    budget: Duration | None = None
    """Most device time in seconds, everything included."""
    batch: Count = 512
    """Patterns of each reading; a smaller training part is read whole."""
    validation: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Share of the training part held back to watch; never the test part."""
    patience: Count | None = None
    """Stop a layer after so many checks without a better validation score, and take back the parameters of the best
    one (needs ``validation``)."""
    check_every: Count = 200
    """Steps between two looks at the validation part."""
    log_every: Count = 50
    """Steps between two rows of metrics."""
    diagnose: bool = False
    """On a twin: log the cosine between the estimate and the exact gradient of the batch, in every row of metrics."""
    baselines: bool = True
    """Measure the untrained device and a linear classifier beside the result."""
    uncalibrated: bool = False
    """Train a device that is driven in raw units without a calibration record."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of everything the engine draws; a twin has a seed of its own."""

    @property
    def whole_network(self) -> bool:
        """Whether one loss at the end trains all layers together."""
        return self.rule in ("bp-dd", "bp-ad")

    @property
    def modelled(self) -> bool:
        """Whether slopes come from a model instead of from readings."""
        return self.rule in ("ff-ad", "bp-ad")

    @property
    def evaluations_per_step(self) -> int:
        """Evaluations of the loss that one step measures; a model's are not measured."""
        return 0 if self.modelled else self.directions_per_step * len(SIGNS[self.readings])

    @property
    def equivalent_evaluations(self) -> int:
        """Evaluations that one step counts as in a comparison of rules."""
        return self.evaluations_per_step or EXACT_COST

    def trained_in_turn(self, n_layers: int) -> int:
        """Return how many parts of *n_layers* layers are trained one after the other: each layer, or all at once."""
        return 1 if self.whole_network else n_layers
