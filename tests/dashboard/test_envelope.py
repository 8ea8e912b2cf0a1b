"""A curve in bounded room keeps its extremes, and pieces of it put together are the whole."""

from hypothesis import given
from hypothesis import strategies as st

from ffzero_lab.dashboard.envelope import Envelope

VALUES = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=120)


def filled(values: list[float], most: int = 16) -> Envelope:
    envelope = Envelope(most)
    half = len(values) // 2
    for part in (range(half), range(half, len(values))):
        envelope.extend(part, [0.5 * number for number in part], [values[number] for number in part])
    return envelope


@given(VALUES)
def test_no_extreme_value_is_lost_and_the_room_is_bounded(values: list[float]) -> None:
    envelope = filled(values)
    buckets = envelope.since(-1, 0).buckets
    assert len(buckets) <= 16
    shortened = [float(f"{value:.6g}") for value in values]
    assert min(bucket[2] for bucket in buckets) == min(shortened)
    assert max(bucket[3] for bucket in buckets) == max(shortened)
    assert [bucket[0] for bucket in buckets] == sorted({bucket[0] for bucket in buckets})
    assert buckets[-1][:2] == [len(values) - 1, 0.5 * (len(values) - 1)]


@given(VALUES)
def test_every_bucket_holds_the_extremes_and_the_mean_of_its_own_points(values: list[float]) -> None:
    first = 0
    for last, _, low, high, mean in filled(values).since(-1, 0).buckets:
        own = values[first : int(last) + 1]
        first = int(last) + 1
        assert low == float(f"{min(own):.6g}")
        assert high == float(f"{max(own):.6g}")
        assert abs(mean - sum(own) / len(own)) <= 1e-5 * max(1.0, *map(abs, own))


@given(VALUES, st.lists(st.integers(0, 119), max_size=6))
def test_a_receiver_that_comes_at_any_moments_ends_with_the_whole_curve(values: list[float], looks: list[int]) -> None:
    envelope, received, generation = Envelope(16), list[list[float]](), -1
    for number, value in enumerate(values):
        envelope.extend([number], [number], [value])
        if number in looks or number == len(values) - 1:
            piece = envelope.since(generation, len(received))
            received[piece.start :] = piece.buckets
            generation = piece.generation
    assert received == envelope.since(-1, 0).buckets


def test_what_a_receiver_lacks_is_a_small_piece() -> None:
    envelope = filled([0.0] * 10)
    envelope.extend([10], [10], [1.0])
    assert envelope.since(0, 10).start == 9
    assert len(envelope.since(0, 10).buckets) == 2
