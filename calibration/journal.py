"""The memory of a calibration under way: each measured part is a file of its own, so an interruption loses only one."""

import io
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from calibration.procedure import Sweep
from ffzero_lab.archives import unpack_archive
from ffzero_lab.errors import InputError
from ffzero_lab.runs.atomic import write_atomically

REQUEST = "request.json"
STATE = "state.npz"
RECORDED = "recorded"
"""Name in the state of how many exchanges a recording held behind the newest part."""
FORMAT = 2
UNTIMED = (0.0, 0.0)
Arrays = Mapping[str, NDArray[Any]]


class Journal:
    """Parts of a calibration in a folder, ``00017-<key>.npz``, and the state of the device behind the newest.

    ``state.npz`` is written first and holds the newest part as well, so that both always belong together.

    Parameters
    ----------
    folder
        Where the parts are, with the request. None: they are kept in memory alone, as a check does.

    Attributes
    ----------
    refused
        Why parts that stand in the folder are not used; they are measured again.
    state
        What was kept of the device after the newest part; empty when there is none. Of each part its ``at_s`` is
        kept: seconds that the calibration had taken, and seconds that it had been interrupted for.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.refused: list[str] = []
        self.state: Arrays = {}
        self._parts: dict[str, Sweep] = {}
        self._at_s: dict[str, NDArray[np.float64]] = {}
        self._number = 0
        if folder is not None:
            for path in sorted(folder.glob("[0-9]*.npz")):
                self._take(path)
            self._take_state(folder / STATE)

    @classmethod
    def create(cls, folder: Path, request: Mapping[str, Any]) -> "Journal":
        """Begin a calibration in a new folder; raises OSError."""
        folder.mkdir(parents=True)
        content = json.dumps({"format": FORMAT, **request}, indent=1, allow_nan=False)
        write_atomically(folder / REQUEST, content.encode())
        return cls(folder)

    def part(self, key: str) -> Sweep | None:
        """Return the raw arrays of a part; None: it is not measured yet."""
        return self._parts.get(key)

    def keep(self, key: str, sweep: Sweep, state: Arrays) -> None:
        """Keep the raw arrays of a part, and the *state* of the device behind it; raises OSError."""
        self._parts[key], self._at_s[key] = sweep, np.asarray(state.get("at_s", UNTIMED), dtype=np.float64)
        if self.folder is not None:
            part = _under_name("sweep", sweep) | {"key": np.array(key), "at_s": self._at_s[key]}
            write_atomically(self.folder / STATE, _packed(part | _under_name("state", state)))
            self._keep(key, part)

    def at_s(self, beginning: str = "") -> NDArray[np.float64]:
        """Return when the parts (K, 2) were measured whose keys have that *beginning*."""
        return np.array([at_s for key, at_s in self._at_s.items() if key.startswith(beginning)]).reshape(-1, 2)

    def sweeps(self) -> dict[str, NDArray[Any]]:
        """Return the raw arrays of all parts by ``layer/procedure/part/array``, as they go to the sidecar."""
        return {f"{key}/{name}": values for key, part in self._parts.items() for name, values in part.items()}

    def sidecar(self) -> bytes:
        """Return the sidecar file (npz)."""
        return _packed(self.sweeps(), compressed=True)

    def discard(self) -> None:
        """Take the folder away: the calibration is complete, and its record and sidecar are saved."""
        if self.folder is not None:
            shutil.rmtree(self.folder)

    def _keep(self, key: str, part: Arrays) -> None:
        if self.folder is not None:
            self._number += 1
            name = f"{self._number:05d}-{re.sub(r'[^A-Za-z0-9.-]+', '-', key)}.npz"
            write_atomically(self.folder / name, _packed(part))

    def _take(self, path: Path) -> None:
        self._number = max(self._number, int(path.name.partition("-")[0]))
        part = self._unpacked(path)
        if part is not None:
            self._put(part)

    def _take_state(self, path: Path) -> None:
        newest = self._unpacked(path) if path.exists() else None
        if newest is None:
            return
        self.state = _within("state", newest)
        key = str(newest["key"])
        if key not in self._parts:
            self._put(newest)
            self._keep(key, {name: values for name, values in newest.items() if not name.startswith("state/")})

    def _put(self, part: Arrays) -> None:
        key = str(part["key"])
        self._parts[key], self._at_s[key] = _within("sweep", part), np.asarray(part["at_s"], dtype=np.float64)

    def _unpacked(self, path: Path) -> dict[str, NDArray[Any]] | None:
        try:
            arrays = unpack_archive(path.read_bytes(), path)[0]
        except (InputError, OSError) as error:
            self.refused.append(f"{path.name} is not used, what it held is measured again: {error}")
            return None
        return arrays


def request_of(folder: Path) -> dict[str, Any]:
    """Return what an unfinished calibration was asked for; raises InputError when *folder* is none."""
    path = folder / REQUEST
    try:
        request = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{folder} is no unfinished calibration: it has no {REQUEST}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if not isinstance(request, dict) or cast("dict[str, Any]", request).get("format") != FORMAT:
        raise InputError(f"{path} is of another version of ffzero-lab; calibrate again")
    return cast("dict[str, Any]", request)


def _under_name(name: str, arrays: Arrays) -> dict[str, NDArray[Any]]:
    return {f"{name}/{inner}": values for inner, values in arrays.items()}


def _within(name: str, arrays: Arrays) -> dict[str, NDArray[Any]]:
    prefix = f"{name}/"
    return {inner.removeprefix(prefix): values for inner, values in arrays.items() if inner.startswith(prefix)}


def _packed(arrays: Arrays, *, compressed: bool = False) -> bytes:
    file = io.BytesIO()
    pack = np.savez_compressed if compressed else np.savez
    pack(file, allow_pickle=False, **dict(arrays))
    return file.getvalue()
