"""Holds the deadlines of links against the time for parking."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from drivers.bench.connections import RoleName
from drivers.bench.mistakes import Mistakes
from drivers.bench.parking import STAGE_SHARE
from drivers.bench.tables import AnyInstrumentTable

PARKED: tuple[RoleName, ...] = ("inputs", "actuators")
"""Roles that parking speaks to; detectors drive nothing."""


def check_deadlines(
    instruments: Mapping[RoleName, Mapping[str, AnyInstrumentTable]],
    links: Mapping[str, Mapping[str, Any]],
    park_s: float,
    mistakes: Mistakes,
) -> None:
    """Add every link to *mistakes* on which one exchange may take longer than an instrument has for parking.

    Known where the driver's ``LinkConfig`` has a field ``deadline_s``. An exchange that is under way is waited for.
    """
    stage_s = STAGE_SHARE * park_s
    told: set[str] = set()
    for role in PARKED:
        for table in instruments[role].values():
            deadline_s = _deadline_s(table, links)
            if table.link is None or table.link in told or deadline_s is None or deadline_s <= stage_s:
                continue
            told.add(table.link)
            says = (
                f"parking waits for an exchange under way, and has {stage_s:.3g} s for each instrument (0.3 of "
                f"timing.park_s); give at most that, or timing.park_s = {deadline_s / STAGE_SHARE:.3g} or more"
            )
            mistakes.add("links", table.link, "deadline_s", given=deadline_s, says=says)


def _deadline_s(table: AnyInstrumentTable, links: Mapping[str, Mapping[str, Any]]) -> float | None:
    """Return the longest exchange with an instrument, None where the driver does not say or its keys are wrong."""
    try:
        model = table.role_class.LinkConfig
        settings = None if model is None or table.link is None else model.model_validate(links.get(table.link, {}))
    except (ValidationError, ValueError):
        return None  # told at its own key
    return getattr(settings, "deadline_s", None)
