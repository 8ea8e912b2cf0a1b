"""Training in place: settings, plan, session, and the network that comes out."""

from ffzero_lab.training.events import AmplitudeChosen, Checked, Event, LayerDone, Problem, StepDone, TapPower, as_row
from ffzero_lab.training.network import Measured, Network
from ffzero_lab.training.plan import Plan
from ffzero_lab.training.session import Session
from ffzero_lab.training.settings import TrainSettings

__all__ = [
    "AmplitudeChosen",
    "Checked",
    "Event",
    "LayerDone",
    "Measured",
    "Network",
    "Plan",
    "Problem",
    "Session",
    "StepDone",
    "TapPower",
    "TrainSettings",
    "as_row",
]
