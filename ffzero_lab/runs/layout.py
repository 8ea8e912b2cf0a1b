"""Names inside a run folder.

``manifest.json`` says what was asked for, ``metrics.jsonl`` what happened, ``checkpoint.npz`` what was learned,
``status.json`` what is going on, and ``summary.json``, written last, that the run is complete.
"""

MANIFEST = "manifest.json"
METRICS = "metrics.jsonl"
SUPERSEDED = "metrics.superseded.jsonl"
STATUS = "status.json"
SUMMARY = "summary.json"
HEALTH = "health.jsonl"
"""Readings of the bench's health over the run's time, for display: not among what a run must not lose."""
CONTROL = "control"
CALIBRATION = "calibration.json"
"""The record that the device was used with, so that the run goes on with the very same."""
