"""The perturbation that each layer used, beside what the device resolves."""

from collections.abc import Iterator
from dataclasses import dataclass

from ffzero_lab.device import ParameterGroup
from ffzero_lab.errors import InputError
from ffzero_lab.report.account import Account
from ffzero_lab.training.scale import TrainedScale


@dataclass(frozen=True)
class Used:
    """The amplitudes of one parameter group of one layer, on the trained scale.

    Attributes
    ----------
    layer, group, unit
        Where, and in what unit on that scale.
    epsilon
        RMS amplitudes, in the order in which they were used.
    resolution
        The largest step between two setpoints; 0: nobody says.
    """

    layer: int
    group: str
    unit: str
    epsilon: tuple[float, ...]
    resolution: float

    @property
    def steps(self) -> float:
        """The smallest amplitude in steps of the resolution; infinite where nobody says."""
        return min(self.epsilon) / self.resolution if self.resolution > 0.0 and self.epsilon else float("inf")


def amplitudes_of(account: Account) -> list[Used]:
    """Return what was used, layer by layer; nothing where slopes came from a model."""
    return [] if account.settings.modelled else list(_used(account))


def unit_on_scale(group: ParameterGroup) -> str:
    """Return the unit in which training moves a group: that of its logarithm, of its square, or its own."""
    return {"linear": group.unit, "log": f"ln({group.unit})", "square": f"({group.unit})²"}[group.scale]


def _used(account: Account) -> Iterator[Used]:
    for number, described in enumerate(account.trained.layers):
        scale = TrainedScale(described)
        resolutions = scale.by_group(scale.resolution)
        rows = account.rows.layers.get(number)
        if account.settings.epsilon == "auto":
            chosen = [] if rows is None else [row["epsilon"] for row in rows.amplitudes]
        else:
            try:
                chosen = [scale.by_group(scale.amplitude(account.settings))]
            except InputError:  # a group of this name is no more among the device's: the table of settings shows it
                chosen = []
        for group in described.groups:
            epsilon = tuple(float(each[group.name]) for each in chosen if group.name in each)
            yield Used(number, group.name, unit_on_scale(group), epsilon, resolutions[group.name])
