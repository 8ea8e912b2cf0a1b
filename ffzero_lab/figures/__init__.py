"""Figures of results; importing one of its modules imports matplotlib."""
