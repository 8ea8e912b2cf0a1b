"""Procedures for interferometer meshes: detectors, heaters, fringes."""
