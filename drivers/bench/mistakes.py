"""Gathers the mistakes of a file, each at its key, so that all of them are told in one go."""

from collections.abc import Collection
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from ffzero_lab.device import near_match


class Mistakes:
    """Mistakes found so far. Those of a pydantic model can be taken over, below a key of one's own."""

    def __init__(self) -> None:
        self._found: list[InitErrorDetails] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, *place: str | int, given: Any, says: str) -> None:
        """Note that *given* at *place* is wrong in the way that *says* tells."""
        self._found.append(
            InitErrorDetails(
                type=PydanticCustomError("contradiction", "{message}", {"message": says}), loc=place, input=given
            )
        )

    def unknown(self, *place: str | int, what: str, word: str, allowed: Collection[str]) -> None:
        """Note a *word* that is none of the *allowed* ones."""
        choices = ", ".join(sorted(allowed)) or "none"
        self.add(*place, given=word, says=f"no such {what}{near_match(word, allowed)}; allowed: {choices}")

    def take(
        self,
        error: ValidationError,
        *above: str | int,
        renamed: dict[str, str] | None = None,
        allowed: Collection[str] | None = None,
        without: str = "",
    ) -> None:
        """Take over the mistakes of *error* below *above*; *renamed* gives first keys as the file writes them.

        With *allowed*, a key that is none of them is told with them. What concerns the key *without* is left out.
        """
        for mistake in error.errors(include_url=False):
            if mistake["loc"][:1] == (without,):
                continue
            place = tuple((renamed or {}).get(str(part), part) for part in mistake["loc"][:1]) + mistake["loc"][1:]
            context = {**mistake.get("ctx", {}), "message": mistake["msg"].removeprefix("Value error, ")}
            if allowed is not None and mistake["type"] == "extra_forbidden" and len(place) == 1:
                says = f"no such key{near_match(str(place[0]), allowed)}; allowed: {', '.join(sorted(allowed))}"
                self.add(*above, *place, given=mistake["input"], says=says)
                continue
            kind = PydanticCustomError(mistake["type"], "{message}", context)  # pyright: ignore[reportArgumentType]
            self._found.append(InitErrorDetails(type=kind, loc=(*above, *place), input=mistake["input"]))

    def raise_any(self, title: str) -> None:
        """Raise ValidationError with everything found; inside a validator, pydantic adds the keys around it."""
        if self._found:
            raise ValidationError.from_exception_data(title, self._found)
