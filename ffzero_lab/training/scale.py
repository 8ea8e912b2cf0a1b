"""Between the device's units and the scale on which training moves: stiffness by its logarithm, volts squared."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device import LayerDescription, ParameterGroup
from ffzero_lab.errors import InputError, not_one_of
from ffzero_lab.rule.bounds import ParameterBox
from ffzero_lab.training.settings import DEFAULT_EPSILON, DEFAULT_LEARNING_RATE, PerGroup, Range, TrainSettings

FloatArray = NDArray[np.float64]

LARGEST_COMPONENT = 6.0
"""Components of a random direction of RMS 1 stay below this, but for one in 10⁹ of the Gaussian ones."""
MOST_MULTIPLE = 0.5
"""Largest amplitude that is tried, in typical changes."""
ROOM_LEFT = 0.98
"""Share of the room that the largest amplitude may take."""
OF_LAYER = "layer"
"""Beginning of the names of groups where all layers are seen as one: ``layer0.theta``."""

_ROUNDING = 1e-12
"""Share of the range by which bounds are drawn in where a value is not its own coordinate: there and back again must
not end outside."""


class TrainedScale:
    """Translates the parameters of one layer; groups on the linear scale pass unchanged, bit by bit."""

    def __init__(self, described: LayerDescription) -> None:
        sizes = [group.size for group in described.groups]
        edges = np.cumsum([0, *sizes]).tolist()
        self._groups = [(group, slice(*edge)) for group, edge in zip(described.groups, pairwise(edges), strict=True)]
        self._bent = [(group, own) for group, own in self._groups if group.scale != "linear"]
        lower, upper = zip(*(_bounds(group) for group in described.groups), strict=True)
        self.box = ParameterBox(np.repeat(lower, sizes), np.repeat(upper, sizes), described.per_parameter("period"))
        self.resolution = np.repeat([_resolution(group) for group in described.groups], sizes)
        self._typical_change = described.per_parameter("typical_change")

    def coordinates(self, values: FloatArray) -> FloatArray:
        """Return the coordinates (…, P) of *values* (…, P), which are in the device's units."""
        if not self._bent:
            return values
        coordinates = values.copy()
        for group, where in self._bent:
            coordinates[..., where] = _coordinate(group, values[..., where])
        return coordinates

    def values(self, coordinates: FloatArray) -> FloatArray:
        """Return the device's *values* (…, P), of coordinates (…, P)."""
        if not self._bent:
            return coordinates
        values = coordinates.copy()
        for group, where in self._bent:
            own = coordinates[..., where]
            values[..., where] = np.exp(own) if group.scale == "log" else np.sqrt(own)
        return values

    def amplitude(self, settings: TrainSettings) -> FloatArray:
        """Return the RMS amplitude ε (P,) on the trained scale; raises InputError for an unknown group.

        Of one that is to be measured, this is the largest that is tried: whatever has room for it has room for the
        chosen one.
        """
        if settings.epsilon == "auto":
            return self.multiple(min(MOST_MULTIPLE, self.most_room))
        return self._amounts("epsilon", settings.epsilon, DEFAULT_EPSILON * self._typical_change)

    def multiple(self, multiple: float) -> FloatArray:
        """Return an amplitude (P,) of so many typical changes, on the trained scale; never under half a resolution."""
        return np.maximum(multiple * self._typical_change, 0.5 * self.resolution)

    def by_group(self, amounts: FloatArray) -> dict[str, float]:
        """Return *amounts* (P,) that are the same within every group, by group."""
        return {group.name: float(amounts[own.start]) for group, own in self._groups}

    @property
    def coarsest_step(self) -> float:
        """Half of the coarsest resolution, as a multiple of the typical change."""
        return float(np.max(0.5 * self.resolution / self._typical_change))

    @property
    def rms_step(self) -> float:
        """RMS resolution over the parameters, as a multiple of the typical change."""
        return self.in_typical_changes(self.resolution)

    @property
    def most_room(self) -> float:
        """The RMS amplitude, as a multiple of the typical change, that every range has room for on both sides."""
        least = np.where(np.isfinite(self.box.period), self.box.period, 0.0)
        room = (self.box.upper - self.box.lower - least) / (2.0 * LARGEST_COMPONENT * self._typical_change)
        return ROOM_LEFT * float(room.min())

    def learning_rate(self, settings: TrainSettings) -> FloatArray:
        """Return the learning rate (P,); raises InputError for an unknown group.

        Adam's is a step, and that of normalised descent; the others' multiplies a slope, which is itself per unit of
        the parameter.
        """
        power = 1 if settings.optimizer in ("adam", "normalised") else 2
        default = DEFAULT_LEARNING_RATE * self._typical_change**power
        return self._amounts("learning_rate", settings.learning_rate, default)

    def slopes(self, coordinates: FloatArray, slopes: FloatArray) -> FloatArray:
        """Turn *slopes* (P,) per unit of the device at *coordinates* (P,) into those on the trained scale."""
        if not self._bent:
            return slopes
        turned = slopes.copy()
        for group, where in self._bent:
            own = coordinates[where]
            if group.scale == "log":
                turned[where] *= np.exp(own)
            else:  # d(√c)/dc; what the square root stands for has no slope of its own at zero
                turned[where] *= np.divide(0.5, np.sqrt(own), out=np.zeros_like(own), where=own > 0.0)
        return turned

    def slope_rms(self, gradient: FloatArray) -> float:
        """Return the RMS slope along a random direction for a *gradient* (P,) on the trained scale."""
        return float(np.linalg.norm(gradient * self._typical_change))

    def in_typical_changes(self, coordinates: FloatArray) -> float:
        """Return the RMS of differences of coordinates (P,), as a multiple of the typical change."""
        return float(np.sqrt(np.mean((coordinates / self._typical_change) ** 2)))

    def start(self, ranges: Mapping[str, Range] | None = None) -> tuple[FloatArray, FloatArray]:
        """Return lowest and highest coordinate (P,) from which training draws its first values.

        *ranges* by group, in the device's units, go before what the device names. Where neither names one: the period
        nearest to zero of a periodic parameter, else the whole range. Raises InputError for an unknown group or a range
        that does not lie within the bounds.
        """
        home, length = self.box.least_power_interval()
        lowest, highest = home, home + length
        given = {place: own for name, own in (ranges or {}).items() for place in self._groups_named("start", name)}
        for number, (group, own) in enumerate(self._groups):
            start = given.get(number, group.start)
            if start is None:
                continue
            if not group.lower <= start[0] <= start[1] <= group.upper:
                raise InputError(
                    f"start: {group.name} from {start[0]:.4g} to {start[1]:.4g} {group.unit}; the range must rise and "
                    f"lie within {group.lower:.4g} to {group.upper:.4g} {group.unit}"
                )
            lowest[own], highest[own] = _coordinate(group, np.array(start))
        return np.maximum(lowest, self.box.lower), np.minimum(highest, self.box.upper)

    def _amounts(self, name: str, given: PerGroup | None, default: FloatArray) -> FloatArray:
        if given is None:
            return default
        if not isinstance(given, dict):
            return np.full_like(default, given)
        amounts = default.copy()
        for group, amount in sorted(given.items(), key=lambda item: item[0].startswith(OF_LAYER)):
            for number in self._groups_named(name, group):
                amounts[self._groups[number][1]] = amount
        return amounts

    def _groups_named(self, setting: str, name: str) -> list[int]:
        """Return the groups that *name* means; raises InputError when there are none.

        Where all layers are seen as one, ``layer0.theta`` is that of one layer and ``theta`` that of all of them.
        """
        names = [group.name for group, _ in self._groups]
        of_layers = [own.partition(".")[2] if own.startswith(OF_LAYER) else own for own in names]
        meant = names if name in names else of_layers
        found = [number for number, own in enumerate(meant) if own == name]
        if not found:
            raise not_one_of(f"{setting}: parameter group", name, names)
        return found


def _coordinate(group: ParameterGroup, values: FloatArray) -> FloatArray:
    if group.scale == "log":
        return np.log(values)
    return values * values if group.scale == "square" else values


def _bounds(group: ParameterGroup) -> tuple[float, float]:
    lower, upper = _coordinate(group, np.array([group.lower, group.upper])).tolist()
    if group.scale != "linear":
        inset = _ROUNDING * (upper - lower)
        lower, upper = lower + inset, upper - inset
    return lower, upper


def _resolution(group: ParameterGroup) -> float:
    """Return the largest step on the trained scale: a logarithm is steepest at the bottom, a square at the top."""
    if group.scale == "linear":
        return group.resolution
    first, last = np.array([group.lower, group.upper]), np.array([group.resolution, -group.resolution])
    steps = _coordinate(group, np.maximum(first + last, group.lower)) - _coordinate(group, first)
    return float(np.abs(steps).max())
