"""Durations and limits as a person writes them."""

import pytest
from pydantic import ValidationError

from ffzero_lab.training import TrainSettings


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90.0), ("90s", 90.0), ("1.5m", 90.0), ("2h", 7200.0), (" 1 d ", 86400.0), (3.5, 3.5)]
)
def test_a_budget_reads_as_seconds(text: object, seconds: float) -> None:
    assert TrainSettings(budget=text).budget == seconds  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "h", "2 weeks", "1.2.3s", "-3", "0", "inf", "nan", float("nan")])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValidationError):
        TrainSettings(budget=text)  # type: ignore[arg-type]
