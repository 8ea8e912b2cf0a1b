"""What the imperfections of the typical twin cost: in-place training on it against the ideal one, seed by seed.

Run with ``python benchmarks/imperfections.py``; further arguments go to ``ffzero-lab train``. Both runs of a pair have
the same seeds, the same data and the same number of loss evaluations. The interval is Student's, over the paired
differences.
"""

import argparse
import statistics
import tempfile

from accuracy import run
from scipy import stats


def main() -> None:
    """Run the pairs one after the other and print the differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--preset", default="typical", help="compared with ideal")
    arguments, extra = parser.parse_known_args()
    ideal, other = [], []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(arguments.seeds):
            for preset, accuracies in (("ideal", ideal), (arguments.preset, other)):
                accuracies.append(100.0 * run(seed, folder, ["--preset", preset, *extra])["sum"])
            print(f"seed {seed:2d}: ideal {ideal[-1]:.2f} %, {arguments.preset} {other[-1]:.2f} %", flush=True)
    losses = [best - worse for best, worse in zip(ideal, other, strict=True)]
    for name, values in (("ideal", ideal), (arguments.preset, other), ("loss", losses)):
        print(f"{name:10s} {statistics.mean(values):6.2f} ± {statistics.stdev(values):.2f}")
    error = statistics.stdev(losses) / len(losses) ** 0.5
    half = float(stats.t.ppf(0.975, len(losses) - 1)) * error
    middle = statistics.mean(losses)
    print(f"95 % interval of the loss: {middle - half:.2f} to {middle + half:.2f} points")


if __name__ == "__main__":
    main()
