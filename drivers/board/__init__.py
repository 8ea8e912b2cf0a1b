"""A board that drives, presents and reads by itself, over the framed binary protocol of docs/reference."""

from drivers.board.config import BoardConfig
from drivers.board.device import Board

__all__ = ["Board", "BoardConfig"]
