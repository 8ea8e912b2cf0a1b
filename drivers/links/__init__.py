"""Links to instruments that cannot lie: a reply is complete, expected and in time, or an error says what happened."""

from drivers.links.parsers import quantity
from drivers.links.replies import Block, Lines, Numbers, Reply, Text

__all__ = ["Block", "Lines", "Numbers", "Reply", "Text", "quantity"]
