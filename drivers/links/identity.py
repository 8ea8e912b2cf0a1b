"""Recognises an instrument by what it says it is."""

import re
from dataclasses import dataclass

from drivers.links.errors import WrongInstrument
from drivers.links.link import Link
from drivers.links.replies import Reply, Text

_LINE = Text()


@dataclass(frozen=True)
class Identity:
    r"""Asks *message* and lets only a reply pass that matches *pattern* from its beginning to its end.

    Parameters
    ----------
    message
        The question, such as ``b"*IDN?\n"``.
    pattern
        A regular expression, such as ``Keysight Technologies,N7745C,.*``.
    reply
        The form of the answer.
    """

    message: bytes
    pattern: str
    reply: Reply[str] = _LINE

    def __call__(self, link: Link) -> str:
        """Return the identity; raises WrongInstrument when it is another one."""
        identity = link.query(self.message, self.reply)
        if re.fullmatch(self.pattern, identity) is None:
            what = f"{identity!r} answers, not {self.pattern!r}: check the address, or the pattern in the bench file"
            raise WrongInstrument(what, resource=link.resource, command=self.message, received=identity.encode())
        return identity
