"""A protocol is checked as a whole before anything is opened: every mistake is one message that names its place."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffzero_lab.errors import InputError
from protocols.checked import Protocol
from protocols.reading import find, read, shipped
from protocols.references import Reference, filled, references_in
from protocols.steps import KINDS
from tests.protocols.conftest import HEAD, TRAIN

TEST = '[[step]]\nname = "test"\nkind = "evaluate"\nrun_of = "${train.run}"\n'


def step(name: str, kind: str, **keys: str) -> str:
    lines = [f"{key.replace('_', '_')} = {value}" for key, value in keys.items()]
    return "\n".join(["[[step]]", f'name = "{name}"', f'kind = "{kind}"', *lines, ""])


def checked(text: str, **options: object) -> Protocol:
    return read("p", text, **options)  # type: ignore[arg-type]


def refusal(text: str) -> str:
    with pytest.raises(InputError) as refused:
        checked(text)
    return str(refused.value)


def test_every_kind_of_step_is_used_by_a_shipped_protocol_or_by_its_neighbours() -> None:
    used = {each.kind for name in shipped() for each in read(*find(name)).steps}
    assert set(KINDS) == used


@pytest.mark.parametrize("name", sorted(shipped()))
def test_a_shipped_protocol_has_no_mistake_in_either_form_and_says_what_it_is_for(name: str) -> None:
    for short in (False, True):
        protocol = read(*find(name), short=short)
        assert protocol.head.title
    assert protocol.head.about or name == "photonic-digits"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (TRAIN.replace('"train"\nkind = "train"', '"train"\nkind = "trian"'), "did you mean 'train'?"),
        (TRAIN.replace("steps = 12", "stpes = 12"), "unknown key 'settings.stpes' (did you mean 'steps'?)"),
        (TRAIN.replace("steps = 12", 'steps = "many"'), "settings.steps"),
        (TRAIN + TEST.replace("${train.run}", "${trian.run}"), "there is no step 'trian' (did you mean 'train'?)"),
        (TEST + TRAIN, "the step 'train' does not come before this one"),
        (TRAIN + TEST.replace("train.run", "train.ruin"), "no key 'ruin' (did you mean 'run'?)"),
        (TRAIN + TEST.replace("train.run", "train.run.more"), "'more' stands behind a single value"),
        (TRAIN + TEST.replace('"${train.run}"', '"${train.steps}"'), "(that is what ${train.steps} would be)"),
        (TRAIN + TEST.replace("${train.run}", "${train}"), "a reference is written ${step.key}"),
        (TRAIN + TRAIN, "two steps are named 'train'"),
        (TRAIN + TEST + 'until = { value = "scoer", at_least = 0.5 }\n', "until.value"),
        (TRAIN + TEST + 'until = { value = "test_accuracy", at_least = 0.5 }\n', "which is no number"),
        (TRAIN + TEST + 'until = { value = "score" }\n', "until needs at_least or at_most"),
        (TRAIN + TEST + 'on_failure = "ignore"\n', "on_failure"),
        (TRAIN + 'short = { settings = { steps = "few" } }\n', "settings.steps"),
        (step("a b", "park"), "letters, digits"),
        ("", "it has no steps"),
        ("[stepp]\n", "unknown table 'stepp' (did you mean 'step'?)"),
        (TRAIN + '[sentinel]\nevery = "1h"\nbound = 0.1\non_drift = "recalibrate"\n', "needs calibrate"),
        (
            TRAIN + '[sentinel]\nevery = "1h"\nbound = 0.1\non_drift = "recalibrate"\ncalibrate = "train"\n',
            "the step 'train' does not calibrate",
        ),
        (step("c", "calibrate", only='["offset"]'), "did you mean 'offsets'?"),
        (step("w", "warm-up", every='"1h"', longest='"1m"'), "longest must leave time"),
        (step("d", "drift-check", duration='"1m"', every='"1h"'), "duration must be one to"),
        (
            TRAIN + step("s", "sweep", setting='"settings.stpes"', values="[1]", of='{ kind = "train" }'),
            "unknown key 'settings.stpes'",
        ),
        (step("s", "sweep", setting='"x"', values="[1]", of='{ kind = "park" }'), "kind 'park' is unknown"),
        (
            step("s", "sweep", setting='"settings.steps"', values="[5]", judge_by='"run"', of='{ kind = "train" }'),
            "judge_by is 'run', which is no number",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, told: str) -> None:
    message = refusal(HEAD + text)
    assert told in message
    assert message.startswith("protocol p")


def test_a_number_that_is_referred_to_may_have_any_value_that_its_place_allows() -> None:
    text = TRAIN + step("more", "train", settings='{ dataset = "iris", steps = "${train.steps}" }')
    text += step("weak", "evaluate", run_of='"${train.run}"', parameter_noise='"${train.score}"')
    text += step("long", "drift-check", every='"10s"', duration='"${train.device_seconds}"')
    steps = checked(HEAD + text).steps
    more = steps[1].resolved({"train": {"steps": 77}})
    assert more.settings.steps == 77  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="parameter_noise is 11"):
        steps[2].resolved({"train": {"run": "01-train", "score": 11.0}})
    with pytest.raises(InputError, match="no value"):
        steps[1].resolved({"train": None})


def test_within_a_text_a_reference_is_written_out() -> None:
    text = TRAIN + step("ask", "confirm", message='"score ${train.score} after ${train.steps} steps?"')
    ask = checked(HEAD + text).steps[1].resolved({"train": {"score": 0.876543, "steps": 24}})
    assert ask.message == "score 0.8765 after 24 steps?"  # type: ignore[attr-defined]
    assert "only a number or a text" in _told_by_filling("a ${x.y} b", {"last": 1.0})


def _told_by_filling(text: str, value: object) -> str:
    with pytest.raises(InputError) as refused:
        filled(text, lambda _: value)
    return str(refused.value)


names = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)


@given(names, st.lists(names, min_size=1, max_size=3), st.integers())
def test_a_reference_that_is_written_is_found_and_filled_wherever_it_stands(
    name: str, keys: list[str], value: int
) -> None:
    reference = Reference(name, tuple(keys))
    tree = {"a": [{"b": str(reference)}, 3], "c": "plain"}
    assert references_in(tree) == [(("a", 0, "b"), reference)]
    assert filled(tree, lambda _: value) == {"a": [{"b": value}, 3], "c": "plain"}


def test_the_short_form_lies_over_a_step_and_changes_from_the_command_line_lie_over_both() -> None:
    text = HEAD + TRAIN + "short = { settings = { steps = 3 } }\n"
    assert _steps(text, short=False) == 12
    assert _steps(text, short=True) == 3
    for short in (False, True):
        assert _steps(text, short=short, changes=["train.settings.steps=7"]) == 7
    with pytest.raises(InputError, match="did you mean 'train'"):
        checked(text, changes=["tain.settings.steps=7"])
    with pytest.raises(InputError, match=r"write STEP\.KEY=VALUE"):
        checked(text, changes=["steps"])


def _steps(text: str, **options: object) -> int:
    return checked(text, **options).steps[0].sampled.settings.steps  # type: ignore[attr-defined]


def test_the_tables_of_the_shipped_protocols_are_plain_toml() -> None:
    for path in shipped().values():
        content = tomllib.loads(path.read_text())
        assert any("short" in each for each in content["step"]), f"{path.name} states no short form"
