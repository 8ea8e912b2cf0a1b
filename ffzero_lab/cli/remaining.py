"""How long a run will still take, on the device's clock and on the wall, from the prediction and what has passed."""

from dataclasses import dataclass

ENOUGH = 0.005
"""Share of a plan that must have passed before its pace is believed."""


@dataclass(frozen=True)
class Spent:
    """What has passed at one moment.

    Attributes
    ----------
    predicted_s
        Device time that the prediction gives to everything done so far, in seconds.
    device_s
        Device time that it took, in seconds.
    shots
        Patterns presented.
    wall_s
        Time on the wall, pauses left out, in seconds.
    """

    predicted_s: float = 0.0
    device_s: float = 0.0
    shots: int = 0
    wall_s: float = 0.0

    def since(self, before: "Spent") -> "Spent":
        """Return what has passed since *before*."""
        return Spent(
            self.predicted_s - before.predicted_s,
            self.device_s - before.device_s,
            self.shots - before.shots,
            self.wall_s - before.wall_s,
        )


@dataclass(frozen=True)
class Remaining:
    """Seconds that are left; None: nothing tells yet."""

    device_s: float
    wall_s: float | None


def remaining(planned: Spent, began: Spent, now: Spent, *, virtual: bool) -> Remaining:
    """Return what is left of a plan.

    Parameters
    ----------
    planned
        Predicted seconds and shots of the whole plan.
    began
        What had passed when this process took it up: its pace is the one that counts.
    now
        What has passed now.
    virtual
        Whether the device's clock is a twin's: the time on the wall then goes with the shots that are computed, else
        with the device's time.
    """
    left_s, own = max(0.0, planned.predicted_s - now.predicted_s), now.since(began)
    known = own.predicted_s > 0.0 and own.predicted_s >= ENOUGH * planned.predicted_s
    device_s = left_s * own.device_s / own.predicted_s if known else left_s
    wall_s = None
    if virtual:
        left = planned.shots - now.shots
        if own.shots > 0 and own.shots >= ENOUGH * planned.shots and (left > 0 or not left_s):
            wall_s = max(0, left) * own.wall_s / own.shots
    elif known and own.device_s > 0.0:
        wall_s = device_s * own.wall_s / own.device_s
    return Remaining(device_s, wall_s)
