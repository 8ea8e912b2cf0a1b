"""Procedures for interferometer meshes."""
