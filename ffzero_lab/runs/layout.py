"""Names inside a run folder.

``manifest.json`` says what was asked for, ``start.npz`` where it began, ``metrics.jsonl`` what happened,
``checkpoint.npz`` what was learned, ``status.json`` what is going on, and ``summary.json``, written last, that the run
is complete.
"""

MANIFEST = "manifest.json"
METRICS = "metrics.jsonl"
SUPERSEDED = "metrics.superseded.jsonl"
STATUS = "status.json"
SUMMARY = "summary.json"
HEALTH = "health.jsonl"
"""Readings of the bench's health over the run's time, for display: not among what a run must not lose."""
CONTROL = "control"
START = "start.npz"
EVALUATION = "evaluation.npz"
"""What the test part answered, written before the summary."""
REPORT = "report.html"
FIGURES = "figures"
"""The report's figures, as PNG and SVG."""
CALIBRATION = "calibration.json"
"""The record that the device was used with, so that the run goes on with the very same."""
