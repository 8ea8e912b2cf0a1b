"""What the progress of a run says, in lines of any width."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from ffzero_lab.cli.layout import columns, fitting, wrapped
from ffzero_lab.cli.progress import Facts, Learning, flow, line, panel, spell_left, tell_reading
from ffzero_lab.cli.remaining import Spent, remaining
from ffzero_lab.device import WatchedReading

HEAT = WatchedReading("heat_0", "W", 12.31, 0.0, 20.0)
FACTS = Facts(
    state="training",
    writes=13_842,
    shots=7_086_080,
    device_s=147.2,
    wall_s=14.0,
    device_left_s=310.0,
    wall_left_s=31.0,
    learning=Learning(0, 2, 2310, 6000, "accuracy", 0.4132, 0.882, 0.861, 2.34),
    health=(HEAT, WatchedReading("laser", "1", 0.72, 0.7, 1.3)),
    trouble=("2 link recoveries", "3 saturated readings"),
)


def told(facts: Facts, width: int, *, ascii_only: bool = False) -> list[str]:
    return [each.plain for each in panel(facts, width, ascii_only=ascii_only)]


def test_the_panel_tells_everything_that_is_known() -> None:
    bar, learnt, spent, times, health, trouble = told(FACTS, 80)
    assert bar.startswith("layer 0 (1 of 2)  ━")
    assert bar.endswith("  2,310 of 6,000  training")
    assert learnt == "loss 0.4132  accuracy 88.2%  validation 86.1%  slope/noise 2.3"
    assert spent == "13,842 writes  7,086,080 shots"
    assert times == "device 2 min 27 s, 5 min 10 s left  wall 14 s, 31 s left"
    assert health == "health  laser 0.72 (0.7 to 1.3) NEAR  heat_0 12.31 W (0 to 20)"
    assert trouble == "trouble  2 link recoveries  3 saturated readings"


def test_the_bar_is_as_long_as_the_share_of_steps_done() -> None:
    half = replace(FACTS, learning=Learning(0, 1, 50, 100, "r2"))
    first = told(half, 80)[0]
    assert first.count("━") == first.count("─") == 20
    assert told(half, 80, ascii_only=True)[0].count("#") == 20


@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("width", [20, 40, 60, 79, 80, 120, 300])
def test_no_line_is_wider_than_the_terminal_and_no_piece_is_broken(width: int, ascii_only: bool) -> None:
    lines = told(FACTS, width, ascii_only=ascii_only)
    assert all(cell_len(each) <= width for each in lines)
    if width >= 40:
        assert any("slope/noise 2.3" in each for each in lines)
        assert any("7,086,080 shots" in each for each in lines)
    assert all(each.isascii() for each in lines) or not ascii_only


def test_a_protocol_shows_its_step_first_and_waits_in_yellow() -> None:
    facts = replace(FACTS, heading=("step 3 of 6", "train", "attempt 2"), state="paused", waits=True)
    first = panel(facts, 80)[0]
    assert first.plain == "step 3 of 6  train  attempt 2  paused"
    assert any("yellow" in str(span.style) for span in first.spans)
    assert "paused" not in panel(facts, 80)[1].plain


def test_before_the_first_step_there_is_a_state_and_no_bar() -> None:
    assert told(replace(FACTS, learning=None, state="measuring the untrained device"), 80)[0] == (
        "measuring the untrained device"
    )


def test_a_plain_line_leaves_out_what_is_in_order() -> None:
    plain = line(FACTS)
    assert "layer 0 (1 of 2)  step 2,310 of 6,000  loss 0.4132" in plain
    assert "laser 0.72 (0.7 to 1.3) NEAR" in plain
    assert "heat_0" not in plain
    assert "training" not in plain
    assert "\n" not in plain


def test_a_slope_that_cannot_be_told_from_none_is_told_so() -> None:
    learning = Learning(0, 1, 5, 10, "accuracy", signal_to_noise=0.2)
    assert "slope/noise <0.5" in "  ".join(told(replace(FACTS, learning=learning), 80))


def test_many_channels_within_their_bounds_are_counted() -> None:
    many = tuple(WatchedReading(f"t_{i}", "K", 300.0, 200.0, 400.0) for i in range(9))
    text = " ".join(told(replace(FACTS, health=(*many, replace(HEAT, value=21.0))), 200))
    assert "heat_0 21 W (0 to 20) OUT  t_0" in text
    assert "and 5 more within bounds" in text
    assert "t_4" not in text


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        (WatchedReading("t", "°C", 61.25, None, 80.0), "t 61.25 °C (at most 80)"),
        (WatchedReading("t", "°C", 79.0, None, 80.0), "t 79 °C (at most 80) NEAR"),
        (WatchedReading("p", "mW", 0.5, 1.0, None), "p 0.5 mW (at least 1) OUT"),
        (WatchedReading("p", "mW", float("nan"), 1.0, None), "p NO READING"),
    ],
)
def test_a_reading_is_told_with_its_bounds(reading: WatchedReading, words: str) -> None:
    assert tell_reading(reading) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"), (9.2, "9.2 s"), (9.6, "10 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (310.0, "5 min 10 s"),
        (3599.7, "1 h 00 min"), (3900.0, "1 h 05 min"), (183_600.0, "2 d 03 h"), (float("inf"), "unknown"),
    ],
)  # fmt: skip
def test_times_are_as_coarse_as_they_are_known(seconds: float, words: str) -> None:
    assert spell_left(seconds) == words


words_of = st.lists(st.text("abc déf°²", min_size=1, max_size=30).map(str.strip).filter(bool), max_size=12)


@settings(max_examples=40, deadline=None)
@given(words_of, st.integers(12, 90))
def test_flow_keeps_every_piece_that_fits_whole_and_in_order(pieces: list[str], width: int) -> None:
    lines = [each.plain for each in flow(map(Text, pieces), width)]
    assert all(cell_len(each) <= width for each in lines)
    joined, at = "\n".join(lines), 0
    for piece in pieces:
        if cell_len(piece) <= width - 2:
            at = joined.index(piece, at) + len(piece)


def test_a_wrapped_line_keeps_its_indent_and_a_long_path_stays_whole() -> None:
    path = "runs/20261128-163236-mechanical-iris-short/report.html"
    told = wrapped(f"     layer 0 done after 20 steps: see {path}", 40).splitlines()
    assert told == ["     layer 0 done after 20 steps: see", f"     {path}"]
    assert wrapped(" 6 hold  drift: the reference has changed", 30) == " 6 hold  drift: the reference\n   has changed"
    assert wrapped("2000 steps a layer", 11) == "2000 steps\na layer"


def test_signs_without_a_likeness_in_ascii_become_question_marks() -> None:
    assert fitting("R² 0.9 at 21 °C … ∂", ascii_only=True) == "R2 0.9 at 21 deg C ... ?"
    assert fitting("R² ∂", ascii_only=False) == "R² ∂"


def test_columns_are_left_out_before_anything_is_cut() -> None:
    rows = [{"name": "a-long-name", "count": "12", "unit": "rad"}, {"name": "b", "count": "1,234", "unit": "V"}]
    assert columns(rows, 80, numbers=("count",)) == [
        "name         count  unit", "a-long-name     12  rad", "b            1,234  V",
    ]  # fmt: skip
    assert columns(rows, 20, ("unit",))[1] == "a-long-name  12"


def test_time_left_goes_with_the_pace_so_far() -> None:
    planned, began, now = Spent(100.0, 0.0, 1000), Spent(), Spent(25.0, 50.0, 250, 60.0)
    assert remaining(planned, began, now, virtual=False).device_s == pytest.approx(150.0)  # twice as slow as predicted
    assert remaining(planned, began, now, virtual=False).wall_s == pytest.approx(180.0)


def test_on_a_twin_the_wall_goes_with_what_is_computed_and_not_with_its_clock() -> None:
    planned, began = Spent(100.0, 0.0, 1000), Spent(40.0, 40.0, 500, 0.0)
    left = remaining(planned, began, Spent(80.0, 80.0, 600, 7.0), virtual=True)
    assert left.wall_s == pytest.approx(28.0)  # 400 of 100 in 7 s
    assert left.device_s == pytest.approx(20.0)


def test_before_anything_was_done_the_prediction_stands_and_the_wall_is_unknown() -> None:
    assert remaining(Spent(100.0, 0.0, 50), Spent(), Spent(20.0, 20.0, 60, 7.0), virtual=True).wall_s is None
    left = remaining(Spent(100.0, 0.0, 1000), Spent(), Spent(), virtual=False)
    assert (left.device_s, left.wall_s) == (100.0, None)
    assert remaining(Spent(), Spent(), Spent(), virtual=True).device_s == 0.0
