"""Finds role drivers by name: the entry points of the group ``ffzero_lab.instruments``, or ``module:Class``."""

import importlib
from importlib.metadata import entry_points
from typing import Any, TypeVar

from drivers.bench.roles import Instrument
from ffzero_lab.device import near_match

INSTRUMENT_GROUP = "ffzero_lab.instruments"
Role = TypeVar("Role", bound=Instrument)


def find_role(name: str, role: type[Role]) -> type[Role]:
    """Return the class that *name* stands for; raises ValueError that tells what is allowed."""
    module, separator, attribute = name.partition(":")
    installed = {} if separator else {entry.name: entry for entry in entry_points(group=INSTRUMENT_GROUP)}
    try:
        if name in installed:
            found: Any = installed[name].load()
        elif separator and module and attribute.isidentifier():
            found = getattr(importlib.import_module(module), attribute)
        else:
            allowed = ", ".join(sorted(installed)) or "none is installed"
            raise ValueError(
                f"no such instrument driver{near_match(name, installed)}; allowed: {allowed}, module:Class"
            )
    except ValueError:
        raise
    except Exception as error:  # whatever a module or a vendor's library raises becomes one message
        raise ValueError(f"cannot be loaded: {type(error).__name__}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, role) and hasattr(found, "Config")):
        raise ValueError(f"is no {role.__name__}: a driver for this table subclasses drivers.bench.{role.__name__}")
    return found
