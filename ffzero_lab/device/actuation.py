"""Between setpoints and what they do: solves a record's transfer for the setpoints that bring wanted effects about."""

from collections.abc import Callable, Collection

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.device.description import LayerDescription
from ffzero_lab.device.errors import CalibrationMissing, LimitViolation
from ffzero_lab.device.record import Transfer

FloatArray = NDArray[np.float64]

DENSE = 512
"""Up to so many parameters the matrix is inverted; above, its sparse LU factors are kept."""
MOST_ROUNDS = 64
"""Raising one heater by a period lowers its neighbours a little, and may raise some of them: a few rounds at most."""
NEAR = 0.25
"""Settings of a parameter that lie within this share of a period belong together, as those of a slope do."""
_ROUNDING = 1e-12
"""Share of the range by which branches begin above the lower bound: a root and its square must not end outside."""


class Actuation:
    """The actuators of one layer: effect = offset + G·s, with s(u) = u or u², and crosstalk off the diagonal of G.

    For wanted effects φ it solves G s = φ − φ₀ + n·period for the parameters that move, with those that do not standing
    where parking leaves them. Crosstalk is compensated that way (Milanizadeh et al. 2019, J. Lightwave Technol. 37,
    1325). The branch n of each periodic parameter is the one of least power whose setpoint is within the raw limits.

    Parameters
    ----------
    transfer
        What the record says.
    described
        The layer in raw units.
    dead
        Parameters that do not move, by the record.

    Raises
    ------
    CalibrationMissing
        When the transfer is of another layer, or cannot be solved.
    """

    def __init__(self, transfer: Transfer, described: LayerDescription, dead: Collection[int]) -> None:
        self._described, self._period, self._square = described, transfer.period, transfer.law == "square"
        self._rows, self._columns = np.array(transfer.rows, dtype=np.intp), np.array(transfer.columns, dtype=np.intp)
        self._gains, self._offset = np.array(transfer.gains), np.array(transfer.offset)
        self._check_sizes()
        own = self._rows == self._columns
        gain = np.zeros(described.n_parameters)
        np.add.at(gain, self._rows[own], self._gains[own])
        still = {*described.dead, *dead, *np.flatnonzero(gain == 0.0).tolist()}
        self.alive = np.setdiff1d(np.arange(described.n_parameters), np.array(sorted(still), dtype=np.intp))
        """Indices of the parameters that can be given an effect, ascending."""
        if len(self.alive) == 0:
            raise CalibrationMissing("the record knows no parameter of the layer that moves")
        self.gain = gain[self.alive]
        """(A,) their own gain, effect per s."""
        lower, upper = described.per_parameter("lower"), described.per_parameter("upper")
        self._standing = np.clip(described.per_parameter("parked"), lower, upper)
        self.lower, self.upper = self._bent(np.maximum(lower, 0.0) if self._square else lower), self._bent(upper)
        """(P,) range of s."""
        self._known = self._offset[self.alive] + self._from_others()
        self._solve, self._solve_transposed = self._factorised()
        self._turn = np.full(len(self.alive), np.inf) if self._period is None else self._period / np.abs(self.gain)
        self._floor = self._home()

    def setpoints(self, effects: FloatArray) -> FloatArray:
        """Return the setpoints (K, P) for *effects* (K, P); what does not move stands where parking leaves it.

        The settings of a parameter that lie close together, as the two of a slope do, are on one branch. Raises
        LimitViolation for an effect that no setpoint brings about.
        """
        wanted = effects[:, self.alive] - self._known
        solved = self._solve(wanted) if self._period is None else self._on_a_branch(wanted, self._period)
        if self._square and solved.min() < 0.0:
            number, index = (int(place) for place in np.argwhere(solved < 0.0)[0])
            parameter = int(self.alive[index])
            raise LimitViolation(
                f"{self._described.name_of(parameter)}: an effect of {effects[number, parameter]:.6g} would take a "
                f"negative power; nothing was written"
            )
        setpoints = np.tile(self._standing, (len(effects), 1))
        setpoints[:, self.alive] = np.sqrt(solved) if self._square else solved
        return setpoints

    def effects(self, setpoints: FloatArray) -> FloatArray:
        """Return the effects (P,) of *setpoints* (P,); periodic ones within half a period of zero."""
        arriving = self._gains * self._bent(setpoints)[self._columns]
        effects = self._offset + self._summed(arriving)
        return effects if self._period is None else effects - self._period * np.rint(effects / self._period)

    def slopes(self, setpoints: FloatArray, slopes: FloatArray) -> FloatArray:
        """Turn *slopes* (P,) per setpoint, at *setpoints* (P,), into those per effect; 0 for what does not move.

        A square has no slope at zero: there the slope in s cannot be told from that in the setpoint, and is left out.
        """
        own, in_s = setpoints[self.alive], slopes[self.alive]
        if self._square:
            in_s = np.divide(in_s, 2.0 * own, out=np.zeros_like(in_s), where=own > 0.0)
        turned = np.zeros_like(slopes)
        turned[self.alive] = self._solve_transposed(in_s[np.newaxis])[0]
        return turned

    def steps(self) -> FloatArray:
        """Return the largest step of each effect (P,) between two setpoints, those of the neighbours included."""
        upper, resolution = self._described.per_parameter("upper"), self._described.per_parameter("resolution")
        in_s = self._bent(upper) - self._bent(upper - resolution)
        return self._summed(np.abs(self._gains) * in_s[self._columns])

    def ranges(self) -> tuple[FloatArray, FloatArray]:
        """Return the least and the largest effect (A,) that each moving parameter reaches whatever the others do."""
        at_ends = np.sort(np.stack([self.gain * self.lower[self.alive], self.gain * self.upper[self.alive]]), axis=0)
        others = (self._rows != self._columns) & np.isin(self._columns, self.alive)
        ends = np.stack([others * self._gains * bound[self._columns] for bound in (self.lower, self.upper)])
        least, most = self._summed(ends.min(axis=0)), self._summed(ends.max(axis=0))
        return self._known + at_ends[0] + most[self.alive], self._known + at_ends[1] + least[self.alive]

    def _bent(self, setpoints: FloatArray) -> FloatArray:
        return setpoints**2 if self._square else setpoints

    def _check_sizes(self) -> None:
        count = self._described.n_parameters
        if len(self._offset) != count:
            raise CalibrationMissing(f"the record is of {len(self._offset)} parameters, the layer has {count}")
        if not len(self._rows) == len(self._columns) == len(self._gains):
            raise CalibrationMissing("the rows, columns and gains of the record's transfer differ in number")
        indices = np.concatenate([self._rows, self._columns])
        if len(indices) and (indices.min() < 0 or indices.max() >= count):
            raise CalibrationMissing(f"the record's transfer names a parameter that is none of 0 to {count - 1}")

    def _from_others(self) -> FloatArray:
        """Return what the parameters that do not move give to those that do (A,)."""
        still = ~np.isin(self._columns, self.alive)
        return self._summed(still * self._gains * self._bent(self._standing)[self._columns])[self.alive]

    def _summed(self, arriving: FloatArray) -> FloatArray:
        """Sum what arrives by each listed gain over the parameter that it arrives at; returns (P,)."""
        summed = np.zeros(len(self._offset))
        np.add.at(summed, self._rows, arriving)
        return summed

    def _factorised(self) -> tuple[Callable[[FloatArray], FloatArray], Callable[[FloatArray], FloatArray]]:
        """Return what solves G s = b, and Gᵀ s = b, for rows (K, A) of b over the parameters that move."""
        place = np.full(len(self._offset), -1)
        place[self.alive] = np.arange(len(self.alive))
        rows, columns = place[self._rows], place[self._columns]
        moving = (rows >= 0) & (columns >= 0)
        rows, columns, gains, count = rows[moving], columns[moving], self._gains[moving], len(self.alive)
        singular = "the gains of the record's transfer cannot be solved for the setpoints"
        if count <= DENSE:
            matrix = np.zeros((count, count))
            np.add.at(matrix, (rows, columns), gains)
            try:
                inverse = np.linalg.inv(matrix)
            except np.linalg.LinAlgError:
                raise CalibrationMissing(singular) from None
            return (lambda wanted: wanted @ inverse.T), (lambda slopes: slopes @ inverse)
        from scipy.sparse import csc_array
        from scipy.sparse.linalg import splu

        matrix = csc_array((gains, (rows, columns)), shape=(count, count))
        try:
            factors, transposed = splu(matrix), splu(csc_array(matrix.T))
        except RuntimeError:
            raise CalibrationMissing(singular) from None
        return (lambda wanted: factors.solve(wanted.T).T), (lambda slopes: transposed.solve(slopes.T).T)

    def _home(self) -> FloatArray:
        """Return where the period of least power begins (A,), on the scale of s and within the raw limits."""
        lower, upper = self.lower[self.alive], self.upper[self.alive]
        inset = _ROUNDING * (upper - lower)
        return np.clip(-0.5 * self._turn, lower, np.maximum(lower, upper - self._turn)) + inset

    def _on_a_branch(self, wanted: FloatArray, period: float) -> FloatArray:
        """Return s (K, A) that solves for *wanted* (K, A) plus whole periods, each as few as the floor allows.

        Without what arrives from the others a parameter needs the fewest periods; what arrives lowers its own share,
        which may then have to be raised, and that lowers others in turn. So periods are only ever added.
        """
        near = np.ptp(wanted, axis=0) <= NEAR * period

        def short(solved: FloatArray) -> FloatArray:
            lowest = np.where(near, solved.min(axis=0), solved)
            return np.ceil((self._floor - lowest) / self._turn)

        turns = short(wanted / self.gain)
        per_turn = np.sign(self.gain) * period
        for _ in range(MOST_ROUNDS):
            solved = self._solve(wanted + turns * per_turn)
            more = np.maximum(short(solved), 0.0)
            if not more.any():
                return solved
            turns += more
        raise LimitViolation("crosstalk is so strong that no setpoints bring the wanted effects about; calibrate again")
