"""ffzero-lab trains physical neural networks where they stand, from forward measurements alone."""

from typing import TYPE_CHECKING, Any

from ffzero_lab._version import __version__

if TYPE_CHECKING:
    from ffzero_lab.opening import open_device

__all__ = ["__version__", "open_device"]


def __getattr__(name: str) -> Any:
    """Load :func:`open_device` on first use, so that importing the package stays light."""
    if name == "open_device":
        from ffzero_lab.opening import open_device

        return open_device
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
