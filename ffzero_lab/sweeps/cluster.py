"""Hands the points of a sweep to worker processes through Dask, which notices the loss of a worker and repeats."""

import logging
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from ffzero_lab.errors import InputError
from ffzero_lab.sweeps.workforce import Workforce

HOST = "127.0.0.1"
MOST_LOSSES = 50
"""So often a point is given out again whose worker was lost, before the sweep says that it kills them."""
CONNECT_S, FIRST_WORKER_S, HEED_EVERY_S = 15.0, 120.0, 0.1
Act = Callable[[str, int], dict[str, Any]]


class Cluster:
    """Worker processes, each of which carries out one point at a time."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._futures: dict[int, Any] = {}

    def carry_out(
        self, act: Act, folder: str, points: Sequence[int], key: str, heed: Callable[[], None]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield each point with what ``act(folder, point)`` returned, as they end; calls *heed* every now and then.

        Raises ConnectionError when the scheduler is lost.
        """
        killed = import_module("distributed").KilledWorker
        losses = dict.fromkeys(points, 0)
        ended: Queue[tuple[int, Any]] = Queue()
        attempt = time.time_ns()

        def submit(point: int) -> None:
            future = self._client.submit(act, folder, point, key=f"{key}-{point}-{losses[point]}-{attempt}", pure=False)
            self._futures[point] = future
            future.add_done_callback(partial(_put, ended, point))

        for point in points:
            heed()
            submit(point)
        left = len(points)
        while left:
            heed()
            try:
                point, future = ended.get(timeout=HEED_EVERY_S)
            except Empty:
                continue
            error: Any = future.exception() if future.status == "error" else None
            if isinstance(error, killed) and losses[point] < MOST_LOSSES:
                losses[point] += 1
                submit(point)
                continue
            left -= 1
            if future.status == "finished":
                yield point, future.result()
            elif error is None:
                raise ConnectionError("the scheduler of the sweep is lost")
            else:
                yield point, {"state": "failed", "reason": f"{type(error).__name__}: {error}"}

    def wait(self, seconds: float, meanwhile: Callable[[], None]) -> None:
        """Wait until nothing is carried out any more, at most so long; call *meanwhile* every now and then."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and any(future.status == "pending" for future in self._futures.values()):
            meanwhile()
            time.sleep(0.1)


def _put(ended: Queue[tuple[int, Any]], point: int, future: Any) -> None:
    ended.put((point, future))


@contextmanager
def cluster(sweep: Path, workers: int, scheduler: str | None) -> Generator[Cluster]:
    """Give a cluster of *workers* local processes for *sweep*, or the existing one of *scheduler* (``tcp://HOST:PORT``).

    Local ones are reached from this computer alone. Raises InputError without Dask, or when no scheduler answers;
    TimeoutError when no worker comes up.
    """
    try:
        dask, distributed = import_module("dask"), import_module("distributed")
    except ImportError as error:
        raise InputError(f"a sweep needs Dask: pip install 'ffzero-lab[sweep]' ({error})") from None
    with suppress_logs():
        if scheduler is not None:
            try:
                client = distributed.Client(scheduler, timeout=CONNECT_S, set_as_default=False)
            except (OSError, ValueError) as error:
                raise InputError(f"no scheduler answers at {scheduler}: {error}") from None
            with client:
                yield Cluster(client)
            return
        losses = {"distributed.scheduler.allowed-failures": MOST_LOSSES * 1000}
        with (
            dask.config.set(losses),
            tempfile.TemporaryDirectory(prefix="ffzero-lab-sweep-") as scratch,
            distributed.LocalCluster(
                n_workers=0, host=HOST, dashboard_address=None, silence_logs=logging.CRITICAL
            ) as local,
            distributed.Client(local, set_as_default=False) as client,
            Workforce(workers, local.scheduler_address, sweep.absolute(), Path(scratch)) as force,
        ):
            try:
                client.wait_for_workers(1, timeout=FIRST_WORKER_S)
            except TimeoutError:
                raise TimeoutError(f"no worker came up within {FIRST_WORKER_S:g} s: {force.last_words}") from None
            yield Cluster(client)


@contextmanager
def suppress_logs() -> Generator[None]:
    """Keep Dask's log of lost workers off the terminal: the sweep tells of its points itself."""
    logger = logging.getLogger("distributed")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
