"""The report of a calibration: one HTML page that opens anywhere, what is wrong at the top, its figures beside it."""

from calibration.report.writing import write_report

__all__ = ["write_report"]
