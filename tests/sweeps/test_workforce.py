"""The worker processes of a sweep: how they are told to go."""

import sys
from pathlib import Path

from ffzero_lab.sweeps.workforce import Workforce
from tests.sweeps.test_processes import wait_until

WORKER = """
import signal, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
def park(*_):
    time.sleep(0.2)
    (folder / "parked").touch()
    sys.exit()
signal.signal(signal.SIGTERM, park)
(folder / "ready").touch()
time.sleep(600)
"""


def test_workers_may_park_before_they_are_gone(tmp_path: Path) -> None:
    force = Workforce(1, "nowhere", tmp_path, tmp_path)
    force._command = [sys.executable, "-c", WORKER, str(tmp_path)]
    with force:
        wait_until((tmp_path / "ready").exists)
    assert (tmp_path / "parked").exists()
