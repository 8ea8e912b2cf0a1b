"""Server-sent events: one receiver is told what it lacks, as fast as it takes it, until it goes or the server ends."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable

from anyio import to_thread

from ffzero_lab.dashboard.view import Position, RunView
from ffzero_lab.errors import InputError

EVERY_S = 1.25
"""What is new is told so often: a person sees it within two seconds, and a page draws no more often than it is read."""
APART_S = 0.1
ABREAST = 4
"""So many pages of a run are told one after the other, *APART_S* apart: pages on one computer then draw in turns,
where all at once they would take the processor from the run. All of them stays within the one look of a view."""
SILENCE_S = 10.0
"""After so long without news an empty line shows that the connection still stands; who is gone is noticed by it."""
MOST_RECEIVERS = 64


async def events_of(view: RunView, ending: Callable[[], bool], place: int = 0) -> AsyncIterator[bytes]:
    """Yield the events of a run for one receiver, the one at *place* among those that there are.

    There is no queue: the next event is made when the last one was taken, from how far the receiver has come. A slow
    one gets fewer and larger events, a vanished one leaves nothing behind.
    """
    position, told_s = Position(), time.monotonic()
    while not ending():
        try:
            news, position = await to_thread.run_sync(view.told_since, position)
        except InputError as error:
            yield event("gone", json.dumps({"message": str(error)}))
            return
        if news:
            told_s = time.monotonic()
            yield event("news", news)
        elif time.monotonic() - told_s >= SILENCE_S:
            told_s = time.monotonic()
            yield b": still here\n\n"
        await asyncio.sleep(until_next_s(time.monotonic(), place))


def until_next_s(now_s: float, place: int) -> float:
    """Return the seconds until the receiver at *place* is told again, on a grid of time that all of them share."""
    return EVERY_S - (now_s - place % ABREAST * APART_S) % EVERY_S


def event(name: str, content: str) -> bytes:
    """Return one event as it goes over the line; *content* is JSON, which has no line breaks of its own."""
    return f"event: {name}\ndata: {content}\n\n".encode()
