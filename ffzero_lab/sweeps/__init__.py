"""Sweeps: many runs of one task under settings of a grid, or drawn at random, by several processes."""
