"""Adapters that implement the device port: digital twins and instruments."""
