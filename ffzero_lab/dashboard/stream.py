"""Server-sent events: one receiver is told what it lacks, as fast as it takes it, until it goes or the server ends."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable

from anyio import to_thread

from ffzero_lab.dashboard.view import Position, RunView
from ffzero_lab.errors import InputError

EVERY_S = 0.5
SILENCE_S = 10.0
"""After so long without news an empty line shows that the connection still stands; who is gone is noticed by it."""
MOST_RECEIVERS = 64


async def events_of(view: RunView, ending: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Yield the events of a run for one receiver.

    There is no queue: the next event is made when the last one was taken, from how far the receiver has come. A slow
    one gets fewer and larger events, a vanished one leaves nothing behind.
    """
    position, silent_s = Position(), 0.0
    while not ending():
        try:
            news = await to_thread.run_sync(view.since, position)
        except InputError as error:
            yield event("gone", {"message": str(error)})
            return
        if news:
            silent_s = 0.0
            yield event("news", news)
        elif silent_s >= SILENCE_S:
            silent_s = 0.0
            yield b": still here\n\n"
        await asyncio.sleep(EVERY_S)
        silent_s += EVERY_S


def event(name: str, content: object) -> bytes:
    """Return one event as it goes over the line; JSON has no line breaks of its own."""
    return f"event: {name}\ndata: {json.dumps(content, separators=(',', ':'))}\n\n".encode()
