"""Latency of a twin's instruments: what the description states, a constant it does not, and jitter."""

from ffzero_lab.device import Clock

_MASK = (1 << 64) - 1


class Latency:
    """Lets virtual time pass for every exchange; the jitter is keyed by a seed and the number of the exchange.

    Parameters
    ----------
    clock
        The twin's clock.
    seed
        Key of the jitter.
    exchange_s
        Constant part of every exchange in seconds, which the description does not state.
    jitter
        Standard deviation of an exchange's duration as a fraction of it; uniformly distributed.
    """

    def __init__(self, clock: Clock, seed: int, *, exchange_s: float, jitter: float) -> None:
        self.exchanges = 0
        self._clock, self._seed, self._exchange_s = clock, seed, exchange_s
        self._half_width = jitter * 3.0**0.5

    def spend(self, stated_s: float) -> None:
        """Let one exchange pass that the description states as *stated_s* seconds."""
        self.exchanges += 1
        spread = 2.0 * _uniform(self._seed, self.exchanges) - 1.0
        self._clock.sleep_s((stated_s + self._exchange_s) * (1.0 + self._half_width * spread))


def _uniform(seed: int, index: int) -> float:
    """Return a number in [0, 1) from two integers: the finaliser of SplitMix64 (Steele et al. 2014)."""
    word = (seed * 0x9E3779B97F4A7C15 + index * 0xD1B54A32D192ED03) & _MASK
    word = ((word ^ word >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    word = ((word ^ word >> 27) * 0x94D049BB133111EB) & _MASK
    return ((word ^ word >> 31) >> 11) * 2.0**-53
