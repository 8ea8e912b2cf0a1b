"""Holds a bench for one process: locked, parked first after a crash, parked before it is let go."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from ffzero_lab.bench_lock import BenchLock
from ffzero_lab.device import Device, park_within


def lock_of(device: Device) -> BenchLock:
    """Return the lock of the hardware behind *device*."""
    return BenchLock(f"{device.description.name} {device.description.serial_number}")


@contextmanager
def held_bench(device: Device, run: Path) -> Generator[None]:
    """Hold the hardware of *device* for *run*; a twin is nobody else's and needs no lock.

    When the process before ended without letting go, the bench is parked before anything else. Raises BenchBusy while
    another process holds it.
    """
    if not device.description.exclusive:
        yield
        return
    lock = lock_of(device)
    crashed = lock.acquire(str(run.resolve()))
    parked = False
    try:
        if crashed:
            park_within(device)
        yield
    finally:
        try:
            park_within(device)
            parked = True
        finally:
            lock.release(parked=parked)
