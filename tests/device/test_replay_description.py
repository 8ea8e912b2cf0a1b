"""What a replay says of itself is what the device said, to the last bit."""

from pathlib import Path

import pytest

from ffzero_lab.bench_file import choose_device
from ffzero_lab.device import DeviceDescription, LayerDescription
from ffzero_lab.device.described import IN_ARRAYS
from ffzero_lab.device.recorder import recorder_of
from ffzero_lab.device.recording import RecordingWriter
from ffzero_lab.opening import open_chosen, open_device


@pytest.mark.parametrize("device", ["twin:photonic", "twin:crossbar", "twin:mechanical"])
def test_the_description_with_every_reach_comes_from_the_recording(device: str, tmp_path: Path) -> None:
    with open_chosen(choose_device(device, {}), recorded=True) as opened:
        recorder = recorder_of(opened)
        assert recorder is not None
        recorder.begin(RecordingWriter.create(tmp_path / "kept"))
        expected = opened.description
    with open_device(f"replay:{tmp_path / 'kept'}") as replay:
        assert replay.description == expected
        assert [layer.network for layer in replay.description.layers] == [layer.network for layer in expected.layers]
        assert [layer.reach for layer in replay.description.layers] == [layer.reach for layer in expected.layers]
        assert {layer.output_step for layer in replay.description.layers} != {None}


def test_nothing_that_the_json_leaves_out_is_forgotten() -> None:
    left_out = {name for name, field in LayerDescription.model_fields.items() if field.exclude}
    assert left_out == set(IN_ARRAYS)
    assert not any(field.exclude for field in DeviceDescription.model_fields.values())
