"""Who owns which resource in this process; other processes are kept out by the lock of the bench."""

import threading
import weakref

from drivers.links.errors import LinkInUse

_lock = threading.Lock()
_owned: dict[str, tuple[str, weakref.ref[object]]] = {}


def claim(resource: str, owner: str, link: object) -> None:
    """Give *resource* to *link*; raises LinkInUse while another link that still exists has it."""
    key = resource.casefold()
    with _lock:
        holder, held_by = _owned.get(key, ("", None))
        if held_by is not None and held_by() not in (None, link):
            raise LinkInUse(f"{resource}: {owner} cannot have it, {holder} does; close that link or share it")
        _owned[key] = (owner, weakref.ref(link))


def release(resource: str, link: object) -> None:
    """Take *resource* from *link*, if it has it."""
    key = resource.casefold()
    with _lock:
        if key in _owned and _owned[key][1]() is link:
            del _owned[key]
