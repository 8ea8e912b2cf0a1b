"""Keyed randomness: every draw of the engine can be recomputed from the seed and what it is for."""

from enum import IntEnum

from numpy.random import Generator, Philox, SeedSequence


class For(IntEnum):
    """What a draw is for. The numbers are part of the file format: never change or reuse one."""

    INITIAL_PARAMETERS = 1
    PROTOTYPES = 2
    BATCH = 3
    DIRECTIONS = 4
    VALIDATION = 5
    AMPLITUDE = 6


def generator(seed: int, purpose: For, layer: int = 0, step: int = 0, part: int = 0) -> Generator:
    """Return the generator of one draw; the same integers always give the same numbers.

    *part* tells apart the draws of one step that must not depend on each other's length.
    """
    key = (int(purpose), layer, step, part) if part else (int(purpose), layer, step)
    return Generator(Philox(SeedSequence(seed, spawn_key=key)))
