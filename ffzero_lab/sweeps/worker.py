"""A worker process of a sweep: ``python -m ffzero_lab.sweeps.worker SCHEDULER SWEEP``, ends with the sweep's process.

Its standard input is a pipe that the sweep's process holds. When that process ends, however it does, the points of the
sweep are asked to park and save before the worker goes. So are those that it carries out itself when it is told to go,
as everything is when a computer is shut down.
"""

import asyncio
import logging
import os
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from ffzero_lab.signals import HANDLED
from ffzero_lab.sweeps.folder import SweepFolder
from ffzero_lab.sweeps.leaving import here

PARK_WITHIN_S = 15.0
HOST = "127.0.0.1"


async def serve(scheduler: str, sweep: Path, scratch: str) -> None:
    """Carry out one point at a time until the scheduler is gone."""
    distributed = import_module("distributed")
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    worker = distributed.Worker(
        scheduler, nthreads=1, host=HOST, memory_limit=0, local_directory=scratch, dashboard_address=None
    )
    async with worker:
        for number in HANDLED:
            asyncio.get_running_loop().add_signal_handler(number, _begin_to_leave)
        threading.Thread(target=_end_with_the_sweep, args=(worker, sweep), daemon=True).start()
        await worker.finished()


def _end_with_the_sweep(worker: Any, sweep: Path) -> None:
    while sys.stdin.buffer.read(1):
        pass
    folder, until = SweepFolder(sweep), time.monotonic() + PARK_WITHIN_S
    while worker.state.executing_count and time.monotonic() < until:
        folder.stop()
        time.sleep(0.1)
    os._exit(0)  # the thread of a point that does not end would keep the process alive


def _begin_to_leave() -> None:
    threading.Thread(target=_leave, daemon=True).start()


def _leave() -> None:
    here.leave(PARK_WITHIN_S)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
