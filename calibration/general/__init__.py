"""Procedures that say something about every device: noise, drift, settling, latency, the size of a perturbation."""
