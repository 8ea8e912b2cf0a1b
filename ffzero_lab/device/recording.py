"""A recording on disk: exchanges appended to files of bounded size, cut back to a checkpoint, read in order."""

import os
from collections.abc import Generator, Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path

from ffzero_lab.device.errors import RecordingDamaged
from ffzero_lab.device.exchanges import OPENING_BYTES, Damaged, Exchange, Opening, Packed, Stored
from ffzero_lab.errors import InputError
from ffzero_lab.runs.atomic import failures_named, sync_folder

FOLDER = "exchanges"
"""Name of a recording inside a run folder."""
SUPERSEDED = "superseded"
SUFFIX = ".ffx"
FILE_BYTES = 64 * 2**20
"""A file that has reached this size is followed by another one."""


class RecordingWriter:
    """Appends exchanges; what `append` returned from is with the operating system and outlives a SIGKILL.

    A failure raises OSError and leaves the recording at the exchange before, as far as the disk allows.
    """

    def __init__(self, folder: Path, exchanges: int = 0, file_bytes: int = FILE_BYTES) -> None:
        self.folder, self.exchanges = folder, exchanges
        self._file_bytes = file_bytes
        files = files_of(folder)
        self.bytes = sum(path.stat().st_size for path in files)
        """Size of all files so far."""
        self._file: FileIO | None = FileIO(files[-1], "ab") if files else None
        self._next = 1 + (int(files[-1].stem) if files else 0)

    @classmethod
    def create(cls, folder: Path, file_bytes: int = FILE_BYTES) -> "RecordingWriter":
        """Begin a recording in a new *folder*; raises InputError when it exists."""
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            raise InputError(f"the folder of the recording {folder} exists already; choose another one") from None
        return cls(folder, file_bytes=file_bytes)

    @classmethod
    def reopen(cls, folder: Path, exchanges: int, file_bytes: int = FILE_BYTES) -> "RecordingWriter":
        """Go on behind the first so many *exchanges*: later ones move to ``superseded``, none is lost.

        Killed in between, it can be done again. Raises InputError when exchanges that are counted on are missing.
        """
        folder.mkdir(exist_ok=True)
        _supersede(folder, exchanges)
        return cls(folder, exchanges, file_bytes)

    def append(self, parts: Sequence[Stored]) -> None:
        """Append one packed exchange."""
        file = self._file
        if file is None or file.tell() >= self._file_bytes:
            file = self._begin_file()
        start = file.tell()
        try:
            with failures_named(self.folder):
                for part in parts:
                    _write_whole(file, part)
        except OSError:
            with suppress(OSError):  # the first error is the one to tell; what is cut off counts as none
                file.truncate(start)
                file.seek(start)
            raise
        self.exchanges += 1
        self.bytes += file.tell() - start

    def sync(self) -> None:
        """Wait until everything appended is on the disk."""
        if self._file is not None:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; everything appended is with the operating system already."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin_file(self) -> FileIO:
        if self._file is not None:
            self.sync()
            self._file.close()
        self._file = FileIO(self.folder / f"{self._next:06d}{SUFFIX}", "xb")
        self._next += 1
        sync_folder(self.folder)
        return self._file


class RecordingReader:
    """Reads the exchanges of a recording in order. A last one that was cut off while it was written counts as none.

    Raises InputError when *folder* holds no recording.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not files_of(folder):
            raise InputError(f"{folder} holds no recording; a run keeps one with --record-io")
        self._places = _places(folder)
        self.number = 0
        """The exchange that was read last."""

    def next(self) -> Exchange | None:
        """Return the next exchange, None at the end; raises RecordingDamaged."""
        packed = self._next_packed()
        if packed is None:
            return None
        try:
            exchange = packed.unpack()
        except Damaged as damage:
            raise self._damaged(packed, damage) from None
        if exchange.number != self.number + 1:
            raise RecordingDamaged(
                f"recording {self.folder}: exchange {exchange.number} follows {self.number}; some are missing"
            )
        self.number = exchange.number
        return exchange

    def rewind(self) -> None:
        """Begin again with the first exchange."""
        self._places.close()
        self._places, self.number = _places(self.folder), 0

    def close(self) -> None:
        """Close the file that is being read."""
        self._places.close()

    def _next_packed(self) -> Packed | None:
        place = next(self._places, None)
        if place is None:
            return None
        file, opening, _ = place
        if opening is None:
            raise RecordingDamaged(
                f"recording {self.folder}: what follows exchange {self.number} is no exchange; the file was altered"
            )
        return Packed(opening, file.read(opening.head_bytes), file.read(opening.content_bytes))

    def _damaged(self, packed: Packed, damage: Damaged) -> RecordingDamaged:
        number = self.number + 1
        try:
            layer = packed.head.get("layer")
            where = f"exchange {number} ({packed.head['call']}{'' if layer is None else f', layer {layer}'})"
        except Damaged:
            where = f"exchange {number}"
        return RecordingDamaged(f"recording {self.folder}, {where} was altered: {damage}")


def files_of(folder: Path) -> list[Path]:
    """Return the files of a recording in order."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def _places(folder: Path) -> Generator[tuple[FileIO, Opening | None, int]]:
    """Yield for each whole exchange the file, standing behind its opening, the opening and where it begins.

    None for an opening that is none, after which nothing more is known.
    """
    files = files_of(folder)
    for path in files:
        with FileIO(path, "rb") as file:
            length, start = path.stat().st_size, 0
            while start + OPENING_BYTES <= length:
                file.seek(start)
                opening = Opening.read(file.read(OPENING_BYTES))
                if opening is None:
                    yield file, None, start
                    return
                end = start + OPENING_BYTES + opening.head_bytes + opening.content_bytes
                if end > length:
                    break
                yield file, opening, start
                start = end
            if start < length and path != files[-1]:
                yield file, None, start
                return


def _supersede(folder: Path, exchanges: int) -> None:
    """Move everything behind the first so many exchanges to the superseded ones, durably, before it is cut off."""
    files = files_of(folder)
    keep: dict[Path, int] = dict.fromkeys(files, 0)
    counted = 0
    for file, opening, start in _places(folder):
        if counted == exchanges or opening is None:
            break
        path = Path(str(file.name))
        keep[path] = start + OPENING_BYTES + opening.head_bytes + opening.content_bytes
        counted += 1
    if counted < exchanges:
        raise InputError(f"{folder} is shorter than its checkpoint says: {counted} of {exchanges} exchanges")
    for path, length in reversed(keep.items()):  # the last first: what stays has no gap, whenever this is killed
        if path.stat().st_size > length:
            _move_after(path, length)


def _move_after(path: Path, length: int) -> None:
    aside = path.parent / SUPERSEDED
    aside.mkdir(exist_ok=True)
    number = 1 + len(list(aside.glob(f"*{SUFFIX}")))
    target = aside / f"{number:06d}-{path.stem}{SUFFIX}"
    if length == 0:
        path.rename(target)
    else:
        with path.open("rb") as file, FileIO(target, "xb") as moved, failures_named(target):
            file.seek(length)
            while content := file.read(2**20):
                _write_whole(moved, content)
            os.fsync(moved.fileno())
        with FileIO(path, "rb+") as kept:
            kept.truncate(length)
            os.fsync(kept.fileno())
    sync_folder(aside)
    sync_folder(path.parent)


def _write_whole(file: FileIO, content: Stored) -> None:
    rest = memoryview(content)
    while len(rest):
        rest = rest[file.write(rest) :]
