"""The page of run folders names every file of a run, and every key in it."""

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from ffzero_lab.device import PURPOSES
from ffzero_lab.runs import layout
from ffzero_lab.training import Event, TrainSettings

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "run-folder.md").read_text()


def unnamed(words: object) -> set[str]:
    """Return which of the words the page does not name in code."""
    assert isinstance(words, dict | list | set | tuple)
    return {str(word) for word in words if f"`{word}`" not in PAGE}


def test_every_event_of_the_metrics_is_explained() -> None:
    for event in get_args(Event):
        assert unnamed({field.name for field in fields(event)}) == set(), event.__name__


def test_every_name_of_the_layout_is_explained() -> None:
    names = {value.rstrip("/") for name, value in vars(layout).items() if name.isupper()}
    assert {name for name in names if f"`{name}`" not in PAGE and f"`{name}/`" not in PAGE} == set()


def test_every_file_and_key_of_a_run_is_explained(ask: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    small = ["--set", "device.ports=8", "--layers", "1", "--dataset", "iris", "--steps", "4", "--batch", "32"]
    code, out, err = ask("train", *small, "--record-io", "--name", "told", "--json")
    assert code == 0, err
    run = Path(json.loads(out)["run"])
    files = {path.name for path in (tmp_path / run).iterdir()}
    assert {"manifest.json", "metrics.jsonl", "status.json", "summary.json", "control"} <= files
    assert {name for name in files if f"`{name}`" not in PAGE and f"`{name}/`" not in PAGE} == set()
    content: dict[str, Any] = {
        name: json.loads((tmp_path / run / f"{name}.json").read_text()) for name in ("manifest", "status", "summary")
    }
    for keys in content.values():
        assert unnamed(keys) == set()
    assert unnamed(content["summary"]["layers"][0]) == set()
    assert unnamed(content["summary"]["baselines"]) == set()
    assert unnamed(content["manifest"]["plan"]) == set()
    assert unnamed(content["manifest"]["versions"]) == set()
    assert unnamed(content["manifest"]["dataset"]) == set()
    assert set(content["manifest"]["settings"]) == set(TrainSettings.model_fields)
    assert unnamed(PURPOSES) == set()
