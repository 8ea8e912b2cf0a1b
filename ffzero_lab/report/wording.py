"""Numbers and labels of a report, as a person reads them."""

from collections.abc import Mapping

from ffzero_lab.report.account import Account
from ffzero_lab.training.aim import Measure

MEASURES: Mapping[Measure, str] = {"accuracy": "accuracy", "r2": "R²"}
MINUTE_S, HOUR_S = 60.0, 3600.0


def told_score(measure: Measure, score: float) -> str:
    """Return a score such as ``97.8 %`` or ``0.912``."""
    return f"{100.0 * score:.1f}\N{NO-BREAK SPACE}%" if measure == "accuracy" else f"{score:.3f}"


def spelled(seconds: float) -> str:
    """Return a duration such as ``5 min 52 s``."""
    if seconds < MINUTE_S:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    if whole < HOUR_S:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def readings_label(account: Account) -> str:
    """Return the label of an axis of measurements."""
    return f"measurements (one setting of the parameters, read with a batch of {account.manifest['plan']['batch']:,})"
