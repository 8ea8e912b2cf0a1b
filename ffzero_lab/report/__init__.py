"""The report of a training run: one HTML page that opens anywhere, what is wrong at the top, its figures beside it."""

from ffzero_lab.report.writing import write_report, write_reports

__all__ = ["write_report", "write_reports"]
