"""What a person typed or a file said that cannot be used: one readable message, exit code 2."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Bad input. The message says what is wrong, where, and which values are allowed.

    Outputs: not moved; where a device was open already, parked.

    Remedy: correct what the message names, and call the command again.
    """


class RunFailed(Exception):
    """A run came to its end, but not to what was asked of it. The message says what was found and what was wanted.

    Outputs: parked.

    Remedy: judge by the message and the run folder whether the goal or the device is to blame; `ffzero-lab run
    --resume RUN` tries the step again, `--from STEP` begins at an earlier one.
    """


def near_match(word: str, allowed: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the allowed word nearest to *word*, or an empty string."""
    found = difflib.get_close_matches(word, list(allowed), n=1, cutoff=0.5)
    return f" (did you mean {found[0]!r}?)" if found else ""


def not_one_of(what: str, word: str, allowed: Iterable[str]) -> InputError:
    """Build the error for a word outside a closed list: names it, the near match and every allowed value."""
    choices = sorted(allowed)
    return InputError(f"{what} {word!r} is unknown{near_match(word, choices)}; allowed: {', '.join(choices)}")
