"""Answers of a rack and frames to it: no number that was not completely received, no frame that reads otherwise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.emulator.qontrol_grammar import Refused, command_of, message_end
from drivers.qontrol.commands import Question, asking, batches, decimals, frame, setting, words_of
from drivers.qontrol.errors import ErrorLine, error_line
from drivers.qontrol.replies import Answers, Unasked, Words, errors_in, modules_of
from drivers.qontrol.vectors import Vectors

VOLTS = st.integers(0, 12_000_000).map(lambda micro: micro / 1e6)
WORDS = st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=8)
FULL = 12.0


def nobody(error: ErrorLine) -> None:
    raise AssertionError(f"{error} was heard")


def questions(n: int) -> list[Question]:
    return [asking("v", channel) for channel in range(n)]


def lines(values: list[float]) -> bytes:
    return b"".join(b"%+.6f V\n" % value for value in values)


@given(st.lists(VOLTS, min_size=1, max_size=12))
def test_what_was_said_is_read_to_the_last_digit(values):
    assert Answers(questions(len(values)), nobody).read(lines(values)).values.tolist() == values


@given(st.lists(VOLTS, min_size=1, max_size=12), st.data())
def test_an_answer_that_is_cut_off_gives_no_number(values, data):
    whole = lines(values)
    cut = data.draw(st.integers(0, len(whole) - 1))
    answers = Answers(questions(len(values)), nobody)
    assert answers.end(whole[:cut]) is None
    with pytest.raises(ValueError, match="cut off"):
        answers.read(whole[:cut])


@given(st.lists(VOLTS, min_size=1, max_size=6), st.integers(0, 3), st.lists(st.integers(1, 30), max_size=12))
def test_answers_say_the_same_however_they_come_in(values, n_settings, pieces):
    asked = [*questions(len(values)), *[setting("vmax", 0, 6.0, FULL)] * n_settings]
    whole = b"E90:08\n" + lines(values) + b"OK\n" * n_settings
    heard: list[ErrorLine] = []
    answers = Answers(asked, heard.append)
    for place in (place for place in np.cumsum(pieces) if place < len(whole)):
        assert answers.end(whole[:place]) is None
    assert answers.end(whole) == len(whole)
    assert answers.end(whole + b"E20:00\n") == len(whole), "what comes behind is no part of them"
    assert answers.read(whole).values.tolist() == values
    assert heard == [ErrorLine(90, 8)]


def test_acknowledgements_are_complete_with_the_last_one_and_refused_where_they_are_others():
    asked = [setting("vmax", channel, 6.0, FULL) for channel in range(3)]
    answers = Answers(asked, nobody)
    whole = b"OK\nOK\nOK\n"
    assert [answers.end(whole[:cut]) for cut in range(len(whole))] == [None] * len(whole)
    assert answers.end(whole) == len(whole)
    assert answers.read(whole).errors == ()
    assert answers.end(whole + b"E90:00\n") == len(whole)
    assert answers.read(b"OK\nE15:01\nOK\n").errors == (ErrorLine(15, 1),)
    for wrong in (b"OK\nKO\n", b"OK\n+1.000000 V\n", b"OK\nOK \xff\n"):
        with pytest.raises(ValueError, match=r"expected|ascii"):
            Answers(asked, nobody).end(wrong)


@given(st.lists(VOLTS, min_size=1, max_size=6), st.data())
def test_an_answer_that_lost_bytes_is_no_number_or_misses_a_digit_before_the_point(values, data):
    """A byte that is lost is noticed, but for a digit before the point: nothing but the measurement tells of that."""
    whole = lines(values)
    lost = data.draw(st.integers(0, len(whole) - 1))
    rest = whole[:lost] + whole[lost + 1 :]
    answers = Answers(questions(len(values)), nobody)
    try:
        ended = answers.end(rest)
    except ValueError:
        return
    if ended is None:
        return
    read = answers.read(rest).values
    differing = [number for number, value in enumerate(values) if read[number] != value]
    assert differing in ([], [np.searchsorted(np.cumsum([len(lines([v])) for v in values]), lost, side="right")])
    assert all(float(f"{values[number]:.6f}"[1:]) == read[number] for number in differing)


@given(st.lists(VOLTS, min_size=1, max_size=8), st.binary(min_size=1, max_size=6), st.data())
def test_noise_never_makes_more_or_fewer_numbers(values, noise, data):
    whole = lines(values)
    place = data.draw(st.integers(0, len(whole)))
    answers = Answers(questions(len(values)), lambda error: None)
    try:
        ended = answers.end(whole[:place] + noise + whole[place:])
    except ValueError:
        return
    if ended is not None:
        said = answers.read((whole[:place] + noise + whole[place:])[:ended])
        assert len(said.values) + len(said.errors) == len(values)
        assert np.isfinite(said.values).all()


@pytest.mark.parametrize(
    "text",
    [
        "4.500000 V",
        "+4.5 V",
        "+4.500000V",
        "+4.500000 mA",
        "+nan V",
        "+4.500000 V V",
        "OK",
        "",
        "+1e3 V",
        "+4.5000001 V",
    ],
)
def test_what_is_not_as_the_manual_prints_it_is_refused(text):
    with pytest.raises(ValueError, match="was expected"):
        Answers(questions(1), nobody).end(text.encode() + b"\n")


def test_a_line_that_is_not_ascii_is_refused():
    with pytest.raises(ValueError, match="ascii"):
        Answers(questions(1), nobody).end(b"+4.5\xff0000 V\n")


def test_an_error_line_answers_its_message_and_the_others_stand():
    said = Answers([*questions(2), setting("vmax", 3, 6.0, FULL)], nobody).read(b"+1.000000 V\nE12:01\nOK\n")
    assert said.values.tolist() == [1.0]
    assert said.errors == (ErrorLine(12, 1),)


def test_an_error_line_in_a_list_ends_the_list():
    all_of_two = Question(b"vall?\n", ("V", "V", "OK"))
    said = Answers([all_of_two, asking("v", 0)], nobody).read(b"+1.000000 V\nE15:00\n+2.000000 V\n")
    assert said.values.tolist() == [1.0, 2.0]
    assert said.errors == (ErrorLine(15, 0),)


def test_what_can_only_be_said_unasked_answers_nothing():
    heard: list[ErrorLine] = []
    said = Answers(questions(2), heard.append).read(b"+1.000000 V\nE90:08\n+2.000000 V\n")
    assert said.values.tolist() == [1.0, 2.0]
    assert said.errors == ()
    assert heard == [ErrorLine(90, 8)]


def test_unasked_lines_are_errors_and_nothing_else():
    heard: list[ErrorLine] = []
    unasked = Unasked(heard.append)
    assert unasked.end(b"E18:0") is None
    assert unasked.end(b"E18:03\nE1") == 7
    unasked.read(b"E18:03\n")
    assert heard == [ErrorLine(18, 3)]
    with pytest.raises(ValueError, match="a late reply"):
        unasked.read(b"+4.500000 V\n")


def test_errors_are_found_in_what_is_thrown_away():
    thrown = b"00 V\n\xff\xfe\nE90:08\r\nOK\nERR18:2\nE01:"
    assert errors_in(thrown) == [ErrorLine(90, 8), ErrorLine(18, 2)]


@pytest.mark.parametrize("text", ["E", "E1", "E1:", "1:2", "ERRO1:2", "E123:4", "E1:2 V", "OK"])
def test_other_lines_are_no_errors(text):
    assert error_line(text) is None


def test_words_pass_errors_over_and_refuse_one_that_is_the_answer():
    heard: list[ErrorLine] = []
    words = Words(lambda line: line == "OK", heard.append)
    assert words.read(b"Q8iv-0A2F:0\nE90:00\nOK\n") == ["Q8iv-0A2F:0", "OK"]
    assert heard == [ErrorLine(90, 0)]
    with pytest.raises(ValueError, match="unrecognised command"):
        words.end(b"E10:00\n")
    with pytest.raises(ValueError, match="cut off"):
        words.read(b"Q8iv-0A2F:0\n")


@pytest.mark.parametrize("listed", [["Q8iv-0A2F:1"], ["Q8iv-0A2F:0", "Q8iv-0A30:2"], ["Q8iv-0A2F"]])
def test_a_chain_that_is_not_numbered_from_0_is_refused(listed):
    assert modules_of(["Q8iv-0A2F:0", "Q8b-1:1"]) == ("Q8iv-0A2F", "Q8b-1")
    with pytest.raises(ValueError, match="in the order of the chain"):
        modules_of(listed)


@given(st.sampled_from([0x00, 0x01]), st.integers(0, 0xFFFF), WORDS)
def test_a_frame_says_to_a_rack_what_it_was_made_of(code, channel, words):
    made = frame(code, channel, words)
    assert made[0].bit_count() % 2 == 1, "odd parity"
    assert made[0] & ~0x01 == 0x82
    assert message_end(made + b"\n") == len(made) == 7 + 2 * len(words)
    command = command_of(made)
    assert (command.name, command.channel, command.asks) == (("vvec", "ivec")[code], channel, False)
    assert [round(share * 0xFFFF) for share in command.values] == words


@given(st.integers(0, 0xFFFF), WORDS, st.integers(0, 7))
def test_a_flipped_bit_of_the_header_is_refused(channel, words, bit):
    made = bytearray(frame(0x00, channel, words))
    made[0] ^= 1 << bit
    if made[0] >= 0x80:
        with pytest.raises(Refused, match="E15"):
            command_of(bytes(made))


@given(WORDS, st.data())
def test_a_part_of_a_frame_is_none(words, data):
    made = frame(0x00, 8, words)
    assert message_end(made[: data.draw(st.integers(1, len(made) - 1))]) is None


@given(
    st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=40), st.integers(0, 20), st.sampled_from(["ascii", "binary"])
)
def test_text_and_frames_mean_the_same_steps_of_the_converter(words, first, form):
    channels = [*range(first, first + len(words))]
    values = np.array(words) * (FULL / 0xFFFF)
    seen: dict[int, int] = {}
    for message in Vectors("v", channels, FULL, form).of(values):
        command = command_of(message.message)
        assert command.channel is not None
        assert len({(command.channel + place) // 8 for place in range(len(command.values))}) == 1, "of one module"
        for place, value in enumerate(command.values):
            share = value if command.is_share else value / FULL
            seen[command.channel + place] = round(share * 0xFFFF)
    assert seen == dict(zip(channels, words, strict=True))


def test_channels_that_are_no_neighbours_take_messages_of_their_own():
    made = Vectors("v", [6, 7, 8, 10], FULL, "ascii").of(np.array([1.0, 2.0, 3.0, 4.0]))
    assert [one.message for one in made] == [b"vvec6=1.00000,2.00000\n", b"vvec8=3.00000\n", b"vvec10=4.00000\n"]


@pytest.mark.parametrize("value", [-1e-3, 12.001, np.nan, np.inf])
def test_a_word_out_of_scale_is_never_made(value):
    with pytest.raises(ValueError, match="between 0 and 12"):
        words_of(np.array([0.0, value]), FULL)


@pytest.mark.parametrize("form", ["ascii", "binary"])
@pytest.mark.parametrize("value", [-1e-3, 12.001, np.nan, np.inf])
def test_a_vector_out_of_scale_is_never_made(value, form):
    with pytest.raises(ValueError, match="between 0 and 12"):
        Vectors("v", [0, 1], FULL, form).of(np.array([0.0, value]))


def test_decimals_tell_every_step_apart():
    assert decimals(12.0) == 5
    assert decimals(24.0) == 5
    step = 12.0 / 0xFFFF
    assert all(round(float(f"{k * step:.5f}") / step) == k for k in range(0x10000))


@given(st.lists(st.integers(1, 90), min_size=1, max_size=30), st.integers(1, 200))
def test_what_is_sent_at_once_fits_into_the_buffer(lengths, most):
    questions = [Question(b"x" * length, ("OK",)) for length in lengths]
    sent = [*batches(questions, most)]
    assert [one for batch in sent for one in batch] == questions
    assert all(len(batch) == 1 or sum(len(one.message) for one in batch) <= most for batch in sent)
