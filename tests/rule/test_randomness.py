"""Keyed randomness: one key, one stream, the same in every process."""

import os
import subprocess
import sys
from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import Generator, Philox, SeedSequence
from scipy import stats

from ffzero_lab.rule.randomness import For, generator

PURPOSES = st.sampled_from(list(For))


@given(st.integers(0, 2**64), PURPOSES, st.integers(0, 100), st.integers(0, 10**6))
def test_a_draw_is_philox_keyed_by_seed_purpose_layer_and_step(seed: int, purpose: For, layer: int, step: int):
    expected = Generator(Philox(SeedSequence(seed, spawn_key=(int(purpose), layer, step)))).random(4)
    assert np.array_equal(generator(seed, purpose, layer, step).random(4), expected)


@given(st.integers(0, 2**64), PURPOSES, st.integers(0, 100), st.integers(0, 10**6), st.integers(0, 20))
def test_the_same_key_gives_the_same_numbers(seed: int, purpose: For, layer: int, step: int, part: int):
    first, again = (generator(seed, purpose, layer, step, part).random(4) for _ in range(2))
    assert np.array_equal(first, again)


def test_no_two_keys_share_a_stream():
    keys = list(product((0, 1, 2**32, 2**64), For, range(4), range(6), range(4)))
    drawn = {tuple(generator(seed, *rest).integers(0, 2**63, 2).tolist()) for seed, *rest in keys}
    assert len(drawn) == len(keys)


def test_first_numbers_of_neighbouring_keys_are_uniform_and_uncorrelated():
    first = np.array([generator(0, For.DIRECTIONS, 0, step).random() for step in range(4000)])
    assert stats.kstest(first, "uniform").pvalue > 1e-3
    assert stats.pearsonr(first[:-1], first[1:]).pvalue > 1e-3


def test_another_process_with_other_hashing_draws_the_same_numbers():
    code = (
        "from ffzero_lab.rule.randomness import For, generator; "
        "print(generator(7, For.BATCH, 2, 31, 1).integers(0, 2**63))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    answer = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert int(answer) == generator(7, For.BATCH, 2, 31, 1).integers(0, 2**63)


def test_the_purposes_keep_the_numbers_that_saved_runs_rely_on():
    numbers = {"INITIAL_PARAMETERS": 1, "PROTOTYPES": 2, "BATCH": 3, "DIRECTIONS": 4, "VALIDATION": 5}
    members = {purpose.name: purpose.value for purpose in For}
    assert numbers.items() <= members.items()
    assert len(set(members.values())) == len(members)
