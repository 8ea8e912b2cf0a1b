"""``ffzero-lab emulate``: serves the instruments of a bench file on loopback ports, a twin behind them."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

import typer
from pydantic import ValidationError

from drivers.bench import BenchConfig
from drivers.emulator import Emulation, EmulationSpec, FaultPlan
from drivers.emulator.__main__ import announcement, told_to_end
from drivers.emulator.of_bench import connected, emulation_of
from ffzero_lab.bench_file import choose_device
from ffzero_lab.cli.outcome import outcome, print_json
from ffzero_lab.errors import InputError
from ffzero_lab.explain import explain_validation
from ffzero_lab.opening import configured


def emulate_command(
    file: Path, *, output: Path | None, faults: Path | None, witness: Path | None, as_json: bool
) -> None:
    """Start the instruments, tell the bench file that leads to them, and serve until SIGINT or SIGTERM."""
    with outcome(as_json=as_json):
        if output is not None and output.exists():
            raise InputError(f"--output {output} exists already; choose another")
        config = _bench(file)
        try:
            spec = emulation_of(config)
        except ValueError as error:
            raise InputError(f"{file}: {error}") from None
        changes = {"faults": _plan(faults, spec), "witness": witness}
        ended = told_to_end()
        with _served(_with(spec, changes, faults), file) as emulation:
            told = announcement(emulation)
            resources = {name: where["resource"] for name, where in told["instruments"].items()}
            text = connected(file.read_text(encoding="utf-8"), resources, config)
            if output is not None:
                output.write_text(text, encoding="utf-8")
            if as_json:
                print_json({**told, "bench": text if output is None else str(output)})
            else:
                typer.echo(text if output is None else f"the instruments are served; their bench file is {output}")
            ended.wait()


def _bench(file: Path) -> BenchConfig:
    _, config = configured(choose_device(str(file), {}))
    if not isinstance(config, BenchConfig):
        raise InputError(f"{file} names one driver for the whole device; only a bench of instruments can be emulated")
    return config


def _plan(file: Path | None, spec: EmulationSpec) -> FaultPlan:
    """Return the faults that *file* (JSON or TOML) lists."""
    if file is None:
        return spec.faults
    try:
        text = file.read_text(encoding="utf-8")
        return FaultPlan.model_validate(json.loads(text) if file.suffix == ".json" else tomllib.loads(text))
    except ValidationError as error:
        raise InputError(explain_validation(error, FaultPlan, str(file))) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read: {error}") from None


def _with(spec: EmulationSpec, changes: Mapping[str, object], faults: Path | None) -> EmulationSpec:
    try:
        return EmulationSpec.model_validate({**spec.model_dump(), **changes})
    except ValidationError as error:
        raise InputError(explain_validation(error, EmulationSpec, str(faults or "the bench file"))) from None


def _served(spec: EmulationSpec, file: Path) -> Emulation:
    """Start the instruments of *file*; raises InputError for a twin that there is not, or that does not fit them."""
    try:
        return Emulation(spec)
    except ValidationError as error:
        raise InputError(explain_validation(error, None, str(file), ("emulation", "options"))) from None
    except ValueError as error:
        raise InputError(f"{file}: emulation: {error}") from None
