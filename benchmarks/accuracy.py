"""Accuracy, wall time and memory of the default training run, over seeds, each in a process of its own.

Run with ``python benchmarks/accuracy.py``; further arguments go to ``ffzero-lab train``. Every seed is also the seed of
the twin, so that each run has a chip of its own. The test part is measured once, after training.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

COMMAND = [sys.executable, "-m", "ffzero_lab", "train", "--device", "twin", "--json"]


def run(seed: int, folder: str, extra: list[str]) -> dict[str, float]:
    """Return test accuracies, wall seconds and peak memory in MB of one run."""
    seeds = ["--seed", str(seed), "--set", f"device.seed={seed}", "--run-dir", folder]
    began = time.perf_counter()
    with subprocess.Popen([*COMMAND, *seeds, *extra], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(output)
    summary = json.loads(output)
    baselines = summary["baselines"]
    return {
        **summary["test_accuracy"],
        "first layer": summary["layers"][0]["test_accuracy"],
        "untrained": baselines["untrained_device"][summary["readout"]],
        "linear": baselines["linear_classifier"],
        "wall_s": time.perf_counter() - began,
        "memory_mb": usage.ru_maxrss / 1024,
    }


def main() -> None:
    """Run the seeds one after the other and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments, extra = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [run(seed, folder, extra) for seed in range(arguments.seeds)]
    spread = statistics.stdev if len(rows) > 1 else lambda _: 0.0
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    if arguments.json:
        print(json.dumps({name: [statistics.mean(v), spread(v), *v] for name, v in columns.items()}))
        return
    print(f"{'':14s} {'mean':>8s} {'std':>8s}   by seed 0, 1, …")
    for name, values in columns.items():
        each = "  ".join(f"{value:.4g}" for value in values)
        print(f"{name:14s} {statistics.mean(values):8.4g} {spread(values):8.2g}   {each}")


if __name__ == "__main__":
    main()
