"""Waits for a file descriptor: below the data path of sockets and serial ports.

``poll`` instead of ``select``: it knows no greatest descriptor, and wakes when the other side closes the connection.
"""

import select
from collections.abc import Callable

Wait = Callable[[float], object]


def readable(descriptor: int) -> Wait:
    """Return a function that waits so many milliseconds, rounded up, until there is something to read, or an end."""
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return poller.poll


def writable(descriptor: int) -> Wait:
    """Return a function that waits so many milliseconds, rounded up, until something can be written."""
    poller = select.poll()
    poller.register(descriptor, select.POLLOUT)
    return poller.poll
