"""Procedures that measure a bench through the device port and fill a calibration record."""
