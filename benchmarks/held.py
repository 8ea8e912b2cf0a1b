"""``ffzero-lab`` that takes its time from some moment on: whoever wants to end it in its middle comes in time.

``python held.py MODULE:CLASS.METHOD COUNT SECONDS ARGUMENTS...`` is ``ffzero-lab ARGUMENTS...`` where every call of the
method takes so many seconds more from the one with this number on. At that one it says ``held`` on its standard error.
"""

import sys
import time
from importlib import import_module
from typing import Any

SAYS = "held\n"


def hold(where: str, count: int, seconds: float) -> None:
    """Make a method slow."""
    module, _, path = where.partition(":")
    owner, name = path.split(".")
    kind = getattr(import_module(module), owner)
    method, calls = getattr(kind, name), 0

    def slowly(*arguments: Any, **keywords: Any) -> Any:
        nonlocal calls
        done = method(*arguments, **keywords)
        calls += 1
        if calls == count:
            sys.stderr.write(SAYS)
            sys.stderr.flush()
        if calls >= count:
            time.sleep(seconds)
        return done

    setattr(kind, name, slowly)


if __name__ == "__main__":
    _, where, count, seconds, *sys.argv[1:] = sys.argv
    hold(where, int(count), float(seconds))
    from ffzero_lab.__main__ import main

    main()
