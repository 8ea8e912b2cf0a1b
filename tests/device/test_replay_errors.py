"""What a driver raised while it was recorded is raised again as the port knows it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ffzero_lab.device import Guarded, InterlockTripped, StagingLost
from ffzero_lab.device.recorder import Recorder
from ffzero_lab.device.recording import RecordingWriter
from ffzero_lab.device.replay import Replay

VALUES, ROWS = np.array([0.5, 0.1, 1.0, 2.0]), np.arange(3)


class ModuleRestarted(StagingLost):
    """An error of a driver's own."""


class ChannelTripped(InterlockTripped):
    """Another one."""


def used(guard: Guarded) -> np.ndarray:
    guard.load_inputs(0, np.full((3, 3), 0.5))
    guard.write_parameters(0, VALUES)
    first = guard.read_outputs(0, ROWS)
    return np.stack([first, guard.read_outputs(0, ROWS)])


@pytest.fixture
def recorded(bench: Any, tmp_path: Path) -> Any:
    device = bench().fake
    recorder = Recorder(device)
    recorder.begin(RecordingWriter.create(tmp_path / "kept"))
    return device, Guarded(recorder), tmp_path / "kept"


@pytest.mark.parametrize("slowly", [False, True])
def test_a_restart_that_was_got_over_is_got_over_in_the_replay(recorded: Any, slowly: bool) -> None:
    device, guard, folder = recorded
    restart = ModuleRestarted("restarted")
    restart.returns_slowly = slowly
    device.faults.extend([None, restart])
    outputs = used(guard)
    guard.close()
    replay = Guarded(Replay(folder))
    np.testing.assert_array_equal(used(replay), outputs)


def test_a_trip_that_a_driver_found_is_a_trip_in_the_replay(recorded: Any) -> None:
    device, guard, folder = recorded
    device.faults.extend([None, ChannelTripped("channel 3 has tripped")])
    for opened in (lambda: guard, lambda: Guarded(Replay(folder))):
        with opened() as one, pytest.raises(InterlockTripped, match="channel 3 has tripped"):
            used(one)


def test_a_disk_that_is_full_does_not_hide_what_the_driver_raised(
    recorded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(writer: RecordingWriter, parts: Any) -> None:
        raise OSError(28, "No space left on device")

    device, guard, _ = recorded
    device.faults.extend([ChannelTripped("channel 3 has tripped")])
    guard.load_inputs(0, np.full((3, 3), 0.5))
    monkeypatch.setattr(RecordingWriter, "append", full)
    with pytest.raises(InterlockTripped, match="channel 3 has tripped") as tripped:
        guard.read_outputs(0, ROWS)
    assert "No space left" in tripped.value.__notes__[0]
    with pytest.raises(OSError, match="No space left"):
        guard.read_outputs(0, ROWS)
    guard.close()
