"""Small image sets in IDX files, written byte by byte from the format's description."""

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest


@dataclass(frozen=True)
class ImageFiles:
    """Writes the four files of an image set of 30 + 20 images under a folder."""

    root: Path

    @staticmethod
    def idx(array: np.ndarray, kind: int = 0x08) -> bytes:
        """Two zeros, type, number of dimensions, sizes as big-endian 32-bit integers, then the numbers."""
        sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
        return bytes([0, 0, kind, array.ndim]) + sizes + array.tobytes()

    @staticmethod
    def drawings(n: int, seed: int = 1, side: int = 28) -> np.ndarray:
        """Random images (n, side, side) of bytes."""
        return np.random.default_rng(seed).integers(0, 256, (n, side, side), dtype=np.uint8)

    def write(
        self, folder: str = "", form: str = "{}-{}-idx{}-ubyte", zipped: bool = False, **contents: bytes | None
    ) -> Path:
        """Write all four; any can be given other bytes, or None to be left out."""
        whole: dict[str, bytes | None] = {
            "train_images": self.idx(self.drawings(30, 1)),
            "train_labels": self.idx(np.arange(30, dtype=np.uint8) % 10),
            "t10k_images": self.idx(self.drawings(20, 2)),
            "t10k_labels": self.idx(np.arange(20, dtype=np.uint8)[::-1] % 10),
            **contents,
        }
        (self.root / folder).mkdir(parents=True, exist_ok=True)
        for name, content in whole.items():
            part, _, kind = name.partition("_")
            path = self.root / folder / form.format(part, kind, 3 if kind == "images" else 1)
            if content is not None and zipped:
                path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(content))
            elif content is not None:
                path.write_bytes(content)
        return self.root / folder


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageFiles:
    monkeypatch.delenv("FFZERO_DATA", raising=False)
    return ImageFiles(tmp_path)
