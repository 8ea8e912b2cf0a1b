"""Ranges of channels: what is read is what was written, and nothing else passes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bench.channels import format_channels, parse_channels, parse_own_channels

channels = st.lists(st.integers(0, 65535), min_size=1, max_size=60, unique=True)


@given(channels)
def test_formatted_channels_are_read_back_in_their_order(some: list[int]) -> None:
    assert parse_channels(format_channels(some)) == tuple(some)
    assert parse_channels(some) == tuple(some)
    assert parse_channels([str(channel) for channel in some]) == tuple(some)


@given(st.integers(0, 65000), st.integers(0, 500), st.text(" ", max_size=2))
def test_a_range_holds_both_its_ends(first: int, more: int, blank: str) -> None:
    assert parse_channels(f"{blank}{first}{blank}-{blank}{first + more}{blank}") == tuple(
        range(first, first + more + 1)
    )


@given(st.one_of(st.text(), st.floats(), st.booleans(), st.none(), st.lists(st.text(max_size=5)), st.integers()))
def test_anything_else_is_refused_or_names_channels_that_can_be(given: object) -> None:
    try:
        found = parse_channels(given)
    except ValueError:
        return
    assert found
    assert len(set(found)) == len(found)
    assert all(0 <= channel < 65536 for channel in found)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (7, (7,)),
        ("1-4", (1, 2, 3, 4)),
        ("1, 3, 5-8", (1, 3, 5, 6, 7, 8)),
        ([1, 3, "5-8"], (1, 3, 5, 6, 7, 8)),
        ("9, 1-2", (9, 1, 2)),
    ],
)
def test_the_documented_forms(given: object, expected: tuple[int, ...]) -> None:
    assert parse_channels(given) == expected


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("", "'' is no channel"),
        ("1--3", "'1--3' is no channel"),
        ("1-3-5", "'1-3-5' is no channel"),
        ("1.5", "'1.5' is no channel"),
        ("-1", "'-1' is no channel"),
        (-1, "not -1"),
        (1.0, "1.0 is no channel"),
        (True, "True is no channel"),
        ([], "names no channel"),
        ("8-1", "8-1 counts down"),
        ("1-3, 2", "names channel 2 twice"),
        ("0-99999", "channels are 0 to 65535, not 99999"),
        ("9999999", "is no channel"),
        ("١-٣", "is no channel"),
        ("²", "is no channel"),
    ],
)
def test_what_is_refused_and_why(given: object, words: str) -> None:
    with pytest.raises(ValueError, match="channel") as caught:
        parse_channels(given)
    assert words in str(caught.value)


def test_an_instrument_counts_its_channels_from_one() -> None:
    assert parse_own_channels(3) == (1, 2, 3)
    assert parse_own_channels("0-2") == (0, 1, 2)
    with pytest.raises(ValueError, match="1 to 65535"):
        parse_own_channels(0)
