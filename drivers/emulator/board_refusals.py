"""Why an emulated board does not carry out a request."""

import numpy as np

from drivers.board.messages import Codes, ErrorCode, Refusal


class Refused(Exception):
    """A request that is not carried out."""

    def __init__(self, code: ErrorCode, **what: int) -> None:
        super().__init__(code.name)
        self.refusal = Refusal(code, **what)


def words(content: bytes) -> Codes:
    """Return the numbers of a payload."""
    return np.frombuffer(content, dtype="<u2").astype(np.uint16)


def need(payload: bytes, length: int, *, at_least: bool = False) -> None:
    """Refuse a payload that has not *length* bytes."""
    if len(payload) < length or (len(payload) > length and not at_least):
        raise Refused(ErrorCode.BAD_LENGTH, given=len(payload), lowest=length, highest=length)
