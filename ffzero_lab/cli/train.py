"""``ffzero-lab train``: trains a device in place and keeps everything in a run folder."""

import re
import time
from pathlib import Path
from typing import Any

from ffzero_lab.cli.outcome import outcome, print_json
from ffzero_lab.cli.request import Request, Tables, read_request


def train_command(
    *, flags: Tables, config: Path | None, assignments: list[str], start_from: Path | None, as_json: bool
) -> None:
    """Carry out the command; the flags have been parsed."""
    with outcome(as_json=as_json):
        summary = _train(read_request(config, flags, assignments), start_from, as_json)
        if as_json:
            print_json(summary)


def _train(request: Request, start_from: Path | None, as_json: bool) -> dict[str, Any]:
    from ffzero_lab.cli.display import display_for
    from ffzero_lab.conduct import conduct, describe_run
    from ffzero_lab.datasets import load_dataset
    from ffzero_lab.opening import open_device
    from ffzero_lab.runs import RunReader, RunWriter
    from ffzero_lab.training import Network, Session

    settings = request.settings
    start = None if start_from is None else Network.from_arrays(RunReader(start_from).checkpoint())
    dataset = load_dataset(settings.dataset, settings.data_dir)
    with open_device(request.device, **request.device_options) as device:
        session = Session(device, dataset, settings, start)
        name = request.name or _default_name(settings.dataset, settings.seed)
        path = request.run_dir / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}"
        manifest = describe_run(session, request.device, request.device_options, name)
        if start_from is not None:
            manifest["started_from"] = str(start_from)
        with RunWriter(path, manifest) as run, display_for(session, path, as_json) as display:
            summary = conduct(session, run, display.show)
            display.conclude(summary)
    return {"run": str(path), **summary}


def _default_name(dataset: str, seed: int) -> str:
    kind, _, location = dataset.partition(":")
    word = re.sub(r"[^A-Za-z0-9]+", "-", Path(location).stem if location else kind).strip("-")
    return f"{word}-seed{seed}"
