"""``python -m ffzero_lab``: the command line."""

from ffzero_lab.cli import main

main()
