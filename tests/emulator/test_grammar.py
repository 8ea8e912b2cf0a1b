"""SCPI as clients spell it: commands, messages, numbers."""

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.emulator.errors import ScpiError
from drivers.emulator.grammar import Pattern, Unit, block, choice, number, units_of, whole_number

NODES = {
    ":SENSe[n]:POWer:WAVelength[:ALL]?": [
        ([":sens", ":sense", *(f":sens{e}{n}" for e in ("", "e") for n in (0, 1, 23))]),
        [":pow", ":power"],
        [":wav", ":wavelength"],
        ["?", ":all?"],
    ],
    "[:SOURce<n>]:VOLTage": [["", ":sour1", ":source1", ":sour42", ":source42"], [":volt", ":voltage"]],
    "*IDN?": [["*idn?"]],
    ":A:BCd[:EF[:GHi]]": [[":a"], [":bc", ":bcd"], ["", ":ef", ":ef:gh", ":ef:ghi"]],
}
"""Patterns with the spellings of each node, written down by hand."""
SPELLINGS = {text: {"".join(nodes) for nodes in product(*choices)} for text, choices in NODES.items()}
SPELLED = st.sampled_from([(text, spelling) for text, known in SPELLINGS.items() for spelling in sorted(known)])


@st.composite
def mixed_case(draw: st.DrawFn) -> tuple[str, str]:
    text, spelling = draw(SPELLED)
    upper = draw(st.lists(st.booleans(), min_size=len(spelling), max_size=len(spelling)))
    return text, "".join(c.upper() if up else c for c, up in zip(spelling, upper, strict=True))


@given(mixed_case())
def test_any_mix_of_short_and_long_forms_in_any_case_is_understood(spelled: tuple[str, str]):
    text, header = spelled
    assert Pattern(text).match(header) is not None


@given(SPELLED, st.data())
def test_a_spelling_with_one_character_changed_is_understood_only_if_it_is_a_spelling(
    spelled: tuple[str, str], data: st.DataObject
):
    text, header = spelled
    place = data.draw(st.integers(0, len(header)))
    cut = data.draw(st.integers(0, 1))
    new = data.draw(st.sampled_from(["", *"abelnrsuw:?*[] \n_ſı"]))
    changed = header[:place] + new + header[place + cut :]
    assert (Pattern(text).match(changed) is not None) == (changed in SPELLINGS[text])


@pytest.mark.parametrize(
    "header",
    [
        ":SENS:POWE:WAV?",
        ":SEN:POW:WAV?",
        ":SENS:POW:WAVE?",
        ":ſENS:POW:WAV?",
        ":SENS١:POW:WAV?",
        "SENS:POW:WAV?",
        ":SENS:POW:WAV",
    ],
)
def test_what_is_neither_the_short_nor_the_long_form_is_another_command(header: str):
    assert Pattern(":SENSe[n]:POWer:WAVelength[:ALL]?").match(header) is None


def test_suffixes_are_numbers_and_an_optional_one_left_out_is_one():
    assert Pattern(":SENSe[n]:POWer?").match(":SENS:POW?") == (1,)
    assert Pattern(":SENSe[n]:POWer?").match(":SENSe007:POW?") == (7,)
    assert Pattern(":SLOT<n>:CHANnel<m>").match(":SLOT3:CHAN12") == (3, 12)
    assert Pattern(":SOURce<n>:VOLTage").match(":SOUR:VOLT") is None
    assert Pattern(":SOURce<n>:VOLTage").match(f":SOUR{'9' * 5000}:VOLT") is None


def test_a_pattern_that_no_manual_prints_is_refused():
    with pytest.raises(ValueError, match="cannot read"):
        Pattern(":SOURce{n}:VOLTage")


@pytest.mark.parametrize(
    ("message", "units"),
    [
        ("*IDN?", [("*IDN?",)]),
        ("  *RST \r", [("*RST",)]),
        ("", []),
        (":SOUR1:VOLT 1.5, 2 V", [(":SOUR1:VOLT", "1.5", "2 V")]),
        ("SOUR1:VOLT\t1", [(":SOUR1:VOLT", "1")]),
        (":SOUR1:VOLT 1;VOLT?", [(":SOUR1:VOLT", "1"), (":SOUR1:VOLT?",)]),
        (":A:B 1;C:D 2;E?", [(":A:B", "1"), (":A:C:D", "2"), (":A:C:E?",)]),
        (":SOUR1:VOLT 1;:OUTP ON", [(":SOUR1:VOLT", "1"), (":OUTP", "ON")]),
        (":SOUR1:VOLT 1;*OPC?;VOLT?", [(":SOUR1:VOLT", "1"), ("*OPC?",), (":SOUR1:VOLT?",)]),
        (":DISP:TEXT 'a;b',\"c,'d'\"", [(":DISP:TEXT", "'a;b'", "\"c,'d'\"")]),
    ],
)
def test_a_message_is_taken_apart_by_the_rules_of_the_header_path(message: str, units: list[tuple[str, ...]]):
    assert [(unit.header, *unit.parameters) for unit in units_of(message)] == units


@pytest.mark.parametrize(
    ("message", "error", "understood"),
    [
        ("*RST;;*CLS", -102, 1),
        ("*CLS;", -102, 1),
        (":VOLT 1,,2", -102, 0),
        (":VOLT ,", -102, 0),
        ("::VOLT 1", -102, 0),
        (":VOLT! 1", -102, 0),
        ("5", -102, 0),
        ("*RST;:VOLT é", -101, 0),
        (":DISP 'open", -151, 0),
    ],
)
def test_a_message_that_is_none_is_understood_up_to_its_mistake(message: str, error: int, understood: int):
    seen: list[Unit] = []
    with pytest.raises(ScpiError) as raised:
        seen.extend(units_of(message))
    assert (raised.value.number, len(seen)) == (error, understood)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_printed_by_python_comes_back_with_every_digit(value: float):
    assert number(repr(value), {"": 1.0}) == value


@given(st.text(max_size=12) | st.from_regex(r"[-+.0-9eExninfa_ V]{1,8}", fullmatch=True))
def test_whatever_is_taken_for_a_number_is_finite_and_python_agrees(text: str):
    try:
        value = number(text, {"": 1.0})
    except ScpiError:
        return
    assert math.isfinite(value)
    assert value == float(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1550NM", 1550 * 1e-9), ("1550 nm", 1550 * 1e-9), ("+.5", 0.5), ("2.", 2.0), ("1e-3", 1e-3), ("-0", 0.0)],
)
def test_numbers_have_units(text: str, value: float):
    assert number(text, {"": 1.0, "NM": 1e-9}) == value


@pytest.mark.parametrize(
    ("text", "error"),
    [("NAN", -104), ("INF", -104), ("1e999", -123), ("1 kV", -131), ("1_0", -120), ("", -120), ("١", -120)],
)
def test_what_is_no_number_is_told_from_what_is_a_wrong_one(text: str, error: int):
    with pytest.raises(ScpiError) as raised:
        number(text, {"": 1.0})
    assert raised.value.number == error


def test_whole_numbers_and_words():
    assert whole_number("+12") == 12
    assert choice("On", {"ON": 1, "OFF": 0}) == 1
    for read in (lambda: whole_number("1.0"), lambda: choice("maybe", {"ON": 1})):
        with pytest.raises(ScpiError):
            read()


@given(st.binary(max_size=2000))
def test_a_block_tells_its_length(payload: bytes):
    reply = block(payload)
    digits = int(reply[1:2])
    assert reply[:1] == b"#"
    assert int(reply[2 : 2 + digits]) == len(payload)
    assert reply[2 + digits :] == payload
