"""What the README and the tutorials tell a reader to type works, block by block, as it stands there.

Each page has a folder of its own, in which its blocks are executed in their order. The texts stay what they are: a
`ffzero-lab` on the PATH adds to long jobs what makes them short.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "tutorial").glob("*.md"))]

NOT_EXECUTED = {
    'pip install --editable ".[test]" && pytest': "it would carry out this very suite within itself; .ci/run does it",
}
SHORTER = {
    "train": "--steps 4 --batch 64",
    "compare": "--steps 4 --batch 64 --rules ffzero,bp-dd",
    "calibrate": "--only detectors --no-report",
}
"""What is added to a command that would take long; the last word on an option counts."""
INSTEAD_OF_A_RECORD = "--uncalibrated"
"""For training on a bench in volts, whose calibration was cut short."""
HELD = (str(ROOT / "benchmarks" / "held.py"), "ffzero_lab.runs:RunWriter.append", "2", "2")
"""Takes two seconds for each row from the second on."""
UNTIL_INTERRUPTED = "ffzero-lab emulate"
"""Runs in a second terminal until Ctrl-C."""

COMMAND = """#!/bin/sh
added=
case "$*" in
*--resume*) ;;
{cases}
esac
case "$*" in
"train --device emulated.toml"*) added="$added {uncalibrated}" ;;
esac
case "$1" in
train) exec {python} {without_drawing} "$@" $added ;;
*) exec {python} -P -m ffzero_lab "$@" $added ;;
esac
"""
WITHOUT_DRAWING = """# As the extra `fast` installs it: without matplotlib, and without seconds of drawing after a run.
import sys

sys.modules["matplotlib"] = None
from ffzero_lab.__main__ import main

main()
"""
PIP = """#!{python}
import re, sys, tomllib
project = tomllib.loads(open("{project}").read())["project"]
words = sys.argv[1:]
assert words[0] == "install", words
for extra in re.findall(r"[a-z]+", " ".join(re.findall(r"\\[(.*?)\\]", " ".join(words)))):
    assert extra in project["optional-dependencies"], extra
print("everything is there already")
"""
UNKNOWN = "from ffzero_lab.datasets import load_dataset as load; import numpy; " + (
    "numpy.savetxt('unknown.csv', load('digits').test_inputs[:3], delimiter=',')"
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, also those that are indented in a list."""
    found: list[Block] = []
    fence = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
    for match in fence.finditer(text := page.read_text()):
        inner = re.sub(rf"^{match[1]}", "", match[3], flags=re.MULTILINE)
        found.append(Block(page, text[: match.start()].count("\n") + 1, match[2], inner))
    return found


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


class Reader:
    """Somebody with the package installed, in an empty folder, who types what a page says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.second_terminal: list[subprocess.Popen[bytes]] = []
        programs = folder / ".programs"
        programs.mkdir(parents=True)
        cases = "\n".join(f'{command}|{command}" "*) added="{added}" ;;' for command, added in SHORTER.items())
        command = COMMAND.format(
            cases=cases,
            uncalibrated=INSTEAD_OF_A_RECORD,
            python=sys.executable,
            without_drawing=programs / "without_drawing.py",
        )
        for name, text in (
            ("ffzero-lab", command),
            ("without_drawing.py", WITHOUT_DRAWING),
            ("pip", PIP.format(python=sys.executable, project=ROOT / "pyproject.toml")),
            ("python", f'#!/bin/sh\nexec {sys.executable} "$@"\n'),
        ):
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        self.environment = os.environ | {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "FFZERO_LOCK_DIR": str(folder / ".locks"),
            "OPENBLAS_NUM_THREADS": "1",
        }
        (folder / "drivers").mkdir()
        (folder / "drivers" / "benches").symlink_to(ROOT / "drivers" / "benches")  # the reader is in a clone

    def type(self, text: str) -> str:
        """Execute *text*; returns what was printed."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, f"{text}\nended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def type_in_a_second_terminal(self, text: str) -> None:
        """Start *text* and wait for the file that it says it writes."""
        (output,) = re.findall(r"--output (\S+)", text)
        process = subprocess.Popen(["bash", "-c", f"exec {text}"], cwd=self.folder, env=self.environment)
        self.second_terminal.append(process)
        while not (self.folder / output).exists():
            assert process.poll() is None, f"{text} has ended"
            time.sleep(0.05)
        file = self.folder / output
        patient = re.sub(r"\bdeadline_s = [\d.]+", "deadline_s = 60.0", file.read_text())
        file.write_text(re.sub(r"\bpark_s = [\d.]+", "park_s = 600.0", patient))  # whatever else the computer does

    def filled_in(self, text: str) -> str:
        """Return *text* with RUN replaced by a run: one that was interrupted where it is resumed, else the newest."""
        if "--resume RUN" in text:
            text = text.replace("--resume RUN", f"--resume {self.interrupted_run()}")
        if re.search(r"\bRUN\b", text):
            complete = [path.parent for path in self.folder.glob("runs/*/summary.json")]
            text = re.sub(r"\bRUN\b", str(max(complete)), text)
        if "unknown.csv" in text and "savetxt" not in text and not (self.folder / "unknown.csv").exists():
            self.type(f'python -c "{UNKNOWN}"')  # the reader's own rows
        return text

    def interrupted_run(self) -> Path:
        """Begin a run on a small twin, and press Ctrl-C in its middle."""
        small = "--set device.ports=8 --layers 1 --dataset iris --steps 40 --batch 32 --set log_every=5"
        process = subprocess.Popen(
            [sys.executable, "-P", *HELD, "train", "--name", "interrupted", *small.split()],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        assert process.stderr.readline() == "held\n", "it ended before it could be interrupted"
        process.send_signal(signal.SIGINT)
        said = process.communicate()[1]
        assert process.returncode == 130, said
        (run,) = self.folder.glob("runs/*-interrupted")
        assert said.strip().endswith(f"ffzero-lab train --resume {run.relative_to(self.folder)}")
        return run

    def leave(self) -> None:
        for process in self.second_terminal:
            process.send_signal(signal.SIGINT)
            assert process.wait(100) in (0, 130)


EXECUTED = [block for block in BLOCKS if block.text.strip() not in NOT_EXECUTED]


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Generator[dict[Block, Future[None]]]:
    """What came of each block; every page is followed by a reader of its own, all at once."""
    with ExitStack() as ends:
        followed: dict[Block, Future[None]] = {}
        for page in PAGES:
            reader = Reader(tmp_path_factory.mktemp(page.stem) / "clone")
            ends.callback(reader.leave)
            one_after_the_other = ends.enter_context(ThreadPoolExecutor(max_workers=1))
            followed |= {
                block: one_after_the_other.submit(follow, block, reader) for block in EXECUTED if block.page == page
            }
        yield followed


def follow(block: Block, reader: Reader) -> None:
    assert block.language in {"sh", "toml"}, "blocks that are neither typed nor saved to a file are not known here"
    if block.language == "toml":
        (name,) = re.findall(r"\A# (\w+\.toml)$", block.text, re.MULTILINE)
        (reader.folder / name).write_text(block.text)
    elif block.text.startswith(UNTIL_INTERRUPTED):
        reader.type_in_a_second_terminal(block.text.strip())
    else:
        reader.type(reader.filled_in(block.text))


@pytest.mark.parametrize("block", EXECUTED, ids=str)
def test_a_block_does_what_its_page_says(block: Block, followed: dict[Block, Future[None]]) -> None:
    followed[block].result()


def test_what_is_not_executed_stands_on_a_page() -> None:
    assert set(NOT_EXECUTED) <= {block.text.strip() for block in BLOCKS}
