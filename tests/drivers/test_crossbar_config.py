"""Configuration of the crossbar twin: short form, tables of layers, presets, messages; and that it learns."""

import tomllib
from typing import Any

import pytest
from pydantic import ValidationError

from drivers.twin.crossbar import CrossbarConfig, CrossbarTwin
from ffzero_lab import open_device
from ffzero_lab.datasets import load_dataset
from ffzero_lab.errors import InputError
from ffzero_lab.training import Session, TrainSettings

DRIVER = "drivers.twin.crossbar:CrossbarTwin"


def described(**options: Any) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    layers = CrossbarTwin.open(CrossbarConfig(**options)).description.layers
    return [(layer.input_shape, layer.output_shape) for layer in layers]


def test_sizes_are_the_short_form_of_dense_layers():
    assert described(sizes=[784, 100, 10]) == [((784,), (100,)), ((100,), (10,))]
    assert described() == [((64,), (100,)), ((100,), (100,))]
    assert described(inputs=64, layers=[{"kind": "dense", "outputs": 3}]) == [((64,), (3,))]


def test_the_convolutional_network_of_the_paper_is_written_in_toml():
    table = tomllib.loads("""
        inputs = [1, 28, 28]
        [[layers]]
        kind = "conv"
        channels = 4
        kernel = 6
        pool = 2
        [[layers]]
        kind = "conv"
        channels = 4
        kernel = 6
        pool = 2
        [[layers]]
        kind = "dense"
        outputs = 10
        activation = "none"
    """)
    assert described(**table) == [((1, 28, 28), (4, 11, 11)), ((4, 11, 11), (4, 3, 3)), ((4, 3, 3), (10,))]
    config = CrossbarConfig(**table)
    assert [shape.activation for shape in config.shapes()] == ["relu", "relu", "none"]


def test_what_is_given_lies_over_the_preset_key_by_key():
    config = CrossbarConfig(cells={"programming_error": 0.0}, readout={"full_scale": 8.0})
    typical, ideal = CrossbarConfig(), CrossbarConfig(preset="ideal")
    assert config.cells.programming_error == 0.0
    assert config.cells.stuck_off == typical.cells.stuck_off > 0.0
    assert config.readout.noise == typical.readout.noise > 0.0
    assert ideal.cells.model_dump() == dict.fromkeys(ideal.cells.model_dump(), 0)


def test_harsh_is_worse_than_typical_in_everything_and_typical_than_ideal():
    rank = [CrossbarConfig(preset=name) for name in ("ideal", "typical", "harsh")]
    for table in ("cells", "readout", "drift", "drivers"):
        for key in getattr(rank[0], table).model_dump():
            values = [getattr(getattr(config, table), key) for config in rank]
            if key in {"full_scale", "reference_s"}:
                assert len(set(values)) == 1
            elif key.endswith("bits"):
                assert values[0] == 0 < values[2] < values[1]
            else:
                assert values[0] == 0.0 < values[1] < values[2], (table, key)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sizes": [4, 3], "inputs": 4}, "sizes, or inputs with layers"),
        ({"inputs": 4}, "go together"),
        ({"layers": [{"kind": "dense", "outputs": 3}]}, "go together"),
        ({"inputs": 16, "layers": [{"kind": "conv", "channels": 2, "kernel": 3}]}, "layer 0: a convolution takes"),
        (
            {"inputs": [1, 8, 8], "layers": [{"kind": "conv", "channels": 2, "kernel": 5, "pool": 5}]},
            r"layer 0: pool 5 exceeds the map of \(4, 4\)",
        ),
        (
            {"inputs": [1, 4, 8], "layers": [{"kind": "conv", "channels": 2, "kernel": 5}]},
            r"layer 0: kernel 5 exceeds the image of \(4, 8\)",
        ),
        (
            {"inputs": [1, 8, 8], "layers": [{"kind": "conv", "channels": 2, "kernel": 2, "padding": 2}]},
            "layer 0: padding 2 leaves whole patches empty; at most 1",
        ),
        (
            {"inputs": 16, "layers": [{"kind": "dense", "outputs": 4}, {"kind": "conv", "channels": 1, "kernel": 1}]},
            "layer 1: a convolution takes",
        ),
        ({"drivers": {"dac_bits": 1}}, "one bit has no code for zero"),
        ({"cells": {"programing_error": 0.1}}, "programing_error"),
        ({"sizes": [4]}, "at least 2"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(options: dict[str, Any], message: str):
    with pytest.raises(ValidationError, match=message):
        CrossbarConfig(**options)


def test_a_misspelt_key_is_answered_with_its_near_match():
    with pytest.raises(InputError, match=r"unknown key 'readout\.nose'.*noise"):
        open_device(DRIVER, readout={"nose": 0.1})


def test_latencies_of_ones_own_imitate_no_named_bench():
    assert "row by row" in CrossbarConfig().timing.imitates
    assert CrossbarConfig(timing={"vector_s": 1.0}).timing.imitates == "latencies of one's own"


@pytest.mark.parametrize("preset", ["ideal", "typical", "harsh"])
def test_digits_are_learned_with_the_defaults_of_device_and_training(preset: str):
    digits = load_dataset("digits")
    running = Session(open_device(DRIVER, preset=preset), digits, TrainSettings(steps=100, batch=256, baselines=False))
    list(running.run())
    assert running.trained is not None
    accuracy = (running.trained.similarity.sum(axis=0).argmax(axis=1) == digits.test_labels).mean()
    assert accuracy > 0.92
