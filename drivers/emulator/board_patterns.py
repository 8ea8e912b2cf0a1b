"""The pattern memory of an emulated board."""

import numpy as np

from drivers.board.messages import CASCADED, Codes, ErrorCode, Hello
from drivers.emulator.board_refusals import Refused, words


class PatternMemory:
    """Staged rows of each layer that takes patterns, for a board that says *hello*."""

    def __init__(self, hello: Hello) -> None:
        self._hello = hello
        self._cascaded = bool(hello.flags & CASCADED)
        self._staged: dict[int, Codes] = {}

    def stage(self, layer: int, payload: bytes) -> None:
        """Carry out STAGE, whose *payload* names *layer*; raises Refused."""
        if layer and self._cascaded:
            raise Refused(ErrorCode.NO_LAYER, layer=layer)
        width, first = self._hello.layers[layer].inputs, int.from_bytes(payload[2:4], "little")
        nothing = np.empty((0, width), dtype=np.uint16)
        held = nothing if payload[1] & 1 else self._staged.get(layer, nothing)
        count, rest = divmod(len(payload) - 4, 2 * width)
        if count == 0 or rest:
            needed = 4 + 2 * width * max(1, count)
            raise Refused(ErrorCode.BAD_LENGTH, given=len(payload), lowest=needed, highest=needed)
        if first > len(held):
            raise Refused(ErrorCode.NOT_STAGED, layer=layer, given=first, highest=len(held))
        if first + count > self._hello.rows:
            what = {"given": first + count, "lowest": 1, "highest": self._hello.rows}
            raise Refused(ErrorCode.TOO_MANY, layer=layer, **what)
        rows = words(payload[4:]).reshape(count, width)
        self._staged[layer] = np.concatenate([held[:first], rows, held[first + count :]])

    def rows(self, layer: int, rows: Codes) -> Codes:
        """Return the staged patterns (B, n_in) of *rows*; raises Refused where one is not staged."""
        staged = self._staged.get(0 if self._cascaded else layer)
        n_staged = 0 if staged is None else len(staged)
        wrong = np.flatnonzero(rows >= n_staged)
        if staged is None or len(wrong):
            place = int(wrong[0])
            raise Refused(ErrorCode.NOT_STAGED, layer=layer, place=place, given=int(rows[place]), highest=n_staged)
        return staged[rows]
