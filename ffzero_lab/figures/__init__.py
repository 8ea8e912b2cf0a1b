"""Figures of results, and pages that hold them; only modules that draw import matplotlib, and only when asked to."""

from importlib.util import find_spec

from ffzero_lab.errors import InputError


def require_matplotlib(what: str) -> None:
    """Raise InputError, with the command that installs it, when *what* cannot be drawn for want of matplotlib."""
    if find_spec("matplotlib") is None:
        raise InputError(f'{what} draws with matplotlib, which is not installed: pip install "ffzero-lab[report]"')
