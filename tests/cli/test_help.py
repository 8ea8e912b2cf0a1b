"""What ``--help`` says is what the settings say, though it loads none of them."""

from collections.abc import Callable
from typing import Any

import pytest
import typer

from drivers.twin.photonic import PhotonicConfig
from ffzero_lab.cli import app
from ffzero_lab.training import TrainSettings

Command = Callable[..., Any]


def told_defaults() -> dict[str, str]:
    command: Any = typer.main.get_command(app)
    return {
        parameter.name: parameter.show_default
        for parameter in command.commands["train"].params
        if isinstance(parameter.show_default, str)
    }


def test_the_defaults_it_tells_are_those_of_the_settings() -> None:
    told = told_defaults()
    of_device = PhotonicConfig().model_dump()
    known = {**{name: of_device[name] for name in ("layers", "preset")}, **TrainSettings().model_dump()}
    assert {name: told[name] for name in told if known.get(name) is not None} == {
        name: str(known[name]) for name in told if known.get(name) is not None
    }
    assert {"device", "dataset", "layers", "preset", "loss", "steps", "batch", "epsilon", "run_dir"} <= set(told)


def test_it_names_the_tables_of_a_configuration_file(cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert "TOML file with [device], [train], [run] and [interlocks]" in cli("train", "--help").out
