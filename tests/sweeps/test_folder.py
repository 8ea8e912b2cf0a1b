"""The folder of a sweep: who is asked to stop."""

from pathlib import Path

import pytest

from ffzero_lab.sweeps.folder import SweepFolder


@pytest.mark.parametrize(("state", "asked"), [("running", True), ("paused", True), ("failed", False)])
def test_points_that_run_or_are_paused_are_asked_to_stop(tmp_path: Path, state: str, asked: bool) -> None:
    sweep = SweepFolder.create(tmp_path / "sweep", {"workers": 1, "sweep_id": "x"}, [{"settings": {}}])
    run = sweep.run(0)
    (run / "control").mkdir(parents=True)
    (run / "manifest.json").write_text("{}")
    (run / "status.json").write_text(f'{{"state": "{state}"}}')
    sweep.stop()
    assert (run / "control" / "stop.json").exists() == asked
    assert sweep.is_stopping
