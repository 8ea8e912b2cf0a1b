"""The kinds of step, each in a file of its own; a new one joins the union here."""

from typing import Annotated, Any, get_args

from pydantic import Field

from protocols.schema import Step
from protocols.steps.calibrate import Calibrate
from protocols.steps.check import Check
from protocols.steps.confirm import Confirm
from protocols.steps.drift_check import DriftCheck
from protocols.steps.evaluate import Evaluate
from protocols.steps.identify import Identify
from protocols.steps.park import Park
from protocols.steps.report import Report
from protocols.steps.sweep import Sweep
from protocols.steps.train import Train
from protocols.steps.warm_up import WarmUp

AnyStep = Annotated[
    Identify | Check | Calibrate | WarmUp | Train | Evaluate | DriftCheck | Sweep | Confirm | Park | Report,
    Field(discriminator="kind"),
]


def _by_kind() -> dict[str, type[Step]]:
    union: Any = get_args(AnyStep)[0]
    return {get_args(each.model_fields["kind"].annotation)[0]: each for each in get_args(union)}


KINDS: dict[str, type[Step]] = _by_kind()
"""The steps by their ``kind``."""
