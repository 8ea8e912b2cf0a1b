"""Declares every command with its options, one file for each group; only typer is imported here.

A command loads what carries it out when it is called, so that ``--help`` stays quick.
"""
