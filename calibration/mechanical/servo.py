"""From what is written to a servo to the stiffness it has brought about when it is read: zero, gain, play and creep.

- Zero and gain: k = z + a·q, with q the setpoint that has been reached.
- Play: the slider lags behind the servo by half of the play (play operator: Krasnosel'skii and Pokrovskii 1989, Systems
  with Hysteresis), so coming from below it stands low, from above high: q∞ = s ± ½·h·(s/s_ref)^γ. How wide the loop is
  at other setpoints depends on what the servo turns; its exponent γ is a constant of the layer.
- Creep: a share φ of every change arrives late with the time constant τ (standard linear solid: Findley et al. 1976,
  Creep and Relaxation of Nonlinear Viscoelastic Materials, ch. 5): q = (1 − φ)·q∞ + φ·r, dr/dt = (q∞ − r)/τ.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class History:
    """What was written, and when it was read; it begins at rest.

    Attributes
    ----------
    rest
        (P,) setpoints at which everything rests before the first write, play taken up.
    written
        (T, P) setpoints in the unit of the parameters.
    written_s
        (T,) moments of the writes, seconds, ascending.
    read_after
        (M,) number of the write that each reading follows, ascending.
    read_s
        (M,) moments of the readings, seconds.
    reference
        (P,) s_ref, at which the width of the loop is stated.
    """

    rest: FloatArray
    written: FloatArray
    written_s: FloatArray
    read_after: NDArray[np.intp]
    read_s: FloatArray
    reference: FloatArray

    def approached(self) -> FloatArray:
        """Return (T, P) from where each setpoint was approached: −1 from below, +1 from above, 0 where it rests."""
        moves = -np.sign(np.diff(np.concatenate([self.rest[np.newaxis], self.written]), axis=0))
        for number in range(1, len(moves)):
            moves[number] = np.where(moves[number] == 0.0, moves[number - 1], moves[number])
        return moves


@dataclass(frozen=True)
class Reached:
    """Setpoints reached at the readings, all (M, P): q = setpoint + h·loop, and how they go by constants.

    Attributes
    ----------
    setpoint
        q without play.
    loop
        ∂q/∂h, per unit of the width of the loop at s_ref.
    late
        r − q∞ = ∂q/∂φ.
    by_time
        ∂q/∂ln τ.
    by_bend
        ∂q/∂γ.
    """

    setpoint: FloatArray
    loop: FloatArray
    late: FloatArray
    by_time: FloatArray
    by_bend: FloatArray


def reached(history: History, play: FloatArray, bend: float, share: float, creep_s: float) -> Reached:
    """Return what has been reached at the readings, with loops of the width *play* (P,) at s_ref.

    Parameters
    ----------
    history
        Writes and readings.
    play
        (P,) h, in the unit of the parameters.
    bend
        γ.
    share, creep_s
        φ and τ in seconds.
    """
    relative = history.written / history.reference
    half_loop = 0.5 * history.approached() * relative**bend
    leads = np.stack([history.written, half_loop, half_loop * np.log(relative)])
    rest = np.stack([history.rest, np.zeros_like(history.rest), np.zeros_like(history.rest)])
    follows, by_time = _followed(history, leads, rest, creep_s)
    leading = leads[:, history.read_after]
    setpoint, loop, bent = (1.0 - share) * leading + share * follows
    late = follows - leading
    return Reached(
        setpoint=setpoint,
        loop=loop,
        late=late[0] + play * late[1],
        by_time=share * (by_time[0] + play * by_time[1]),
        by_bend=play * bent,
    )


def _followed(history: History, leads: FloatArray, rest: FloatArray, creep_s: float) -> tuple[FloatArray, FloatArray]:
    """Return r (Q, M, P) at the readings for leading signals (Q, T, P) from *rest* (Q, P), and ∂r/∂ln τ."""
    value, slope = rest, np.zeros_like(rest)
    values, slopes = (np.empty((len(leads), len(history.read_s), leads.shape[2])) for _ in range(2))
    reading = 0
    ends_s = np.append(history.written_s[1:], np.inf)
    for number, (begins_s, ends) in enumerate(zip(history.written_s, ends_s, strict=True)):
        lead = leads[:, number]
        while reading < len(history.read_s) and history.read_after[reading] == number:
            values[:, reading], slopes[:, reading] = _relaxed(
                value, slope, lead, (history.read_s[reading] - begins_s) / creep_s
            )
            reading += 1
        if np.isfinite(ends):
            value, slope = _relaxed(value, slope, lead, (ends - begins_s) / creep_s)
    return values, slopes


def _relaxed(value: FloatArray, slope: FloatArray, lead: FloatArray, times: float) -> tuple[FloatArray, FloatArray]:
    """Return r and ∂r/∂ln τ after *times* time constants towards *lead*."""
    decay = np.exp(-times)
    return lead + decay * (value - lead), decay * (slope + times * (value - lead))
