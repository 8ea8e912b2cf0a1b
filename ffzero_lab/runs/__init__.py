"""Run folders: what a run was told, what happened, what it learned, and how to speak to it."""

from ffzero_lab.runs.checkpoint import Checkpoint
from ffzero_lab.runs.control import ControlFolder, ControlRequest, ask
from ffzero_lab.runs.reader import RunReader, list_runs
from ffzero_lab.runs.writer import RunWriter

__all__ = ["Checkpoint", "ControlFolder", "ControlRequest", "RunReader", "RunWriter", "ask", "list_runs"]
