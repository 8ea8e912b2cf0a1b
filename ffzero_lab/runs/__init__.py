"""Run folders: what a run was told, what happened, what it learned."""

from ffzero_lab.runs.folder import RunReader, RunWriter, list_runs

__all__ = ["RunReader", "RunWriter", "list_runs"]
