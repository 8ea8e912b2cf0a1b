"""Views of images that fit a small device: area-weighted pooling, a crop of the centre, a window of the spectrum."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.errors import InputError

FloatArray = NDArray[np.float64]
Size = tuple[int, int]
_Number = TypeVar("_Number", np.float64, np.complex128)

_SINGLE_ABOVE: Final = 128  # features; 60,000 samples of 784 would take 376 MB in double precision
_AT_ONCE: Final = 2048  # images held in double precision while they are worked on


def pooled(images: FloatArray, size: Size) -> FloatArray:
    """Average *images* (S, H, W) over a grid of *size* (h, w) equal cells; a pixel on an edge counts by its overlap."""
    rows, columns = (_overlaps(n, cells) for n, cells in zip(images.shape[1:], size, strict=True))
    return rows @ images @ columns.T


def cropped(images: NDArray[_Number], size: Size) -> NDArray[_Number]:
    """Cut the centre of *size* (h, w) out of *images* (S, H, W)."""
    rows, columns = (_centre(n, kept) for n, kept in zip(images.shape[1:], size, strict=True))
    return images[:, rows, columns]


def spectrum(images: FloatArray, size: Size) -> NDArray[np.complex128]:
    """Return the lowest spatial frequencies of *images* (S, H, W): shape (S, h, w), each image's largest magnitude 1.

    With *size* (8, 8), frequencies -4 to 3 along either axis, these are the inputs of Zheng et al., Nature Machine
    Intelligence 5, 1119 (2023), but for a factor of each image: their code divides by its mean magnitude.
    """
    window = cropped(np.fft.fftshift(np.fft.fft2(images), axes=(1, 2)), size)
    peak = np.abs(window).max(axis=(1, 2), keepdims=True)
    return window / np.where(peak > 0.0, peak, 1.0)


def stretched(images: FloatArray) -> FloatArray:
    """Scale each of *images* (S, h, w) from its own minimum and maximum to 0-1; one without contrast becomes 1.

    A crop can be black; left dark, detectors could not tell it from a fault.
    """
    low, high = images.min(axis=(1, 2), keepdims=True), images.max(axis=(1, 2), keepdims=True)
    flat = low == high
    return np.where(flat, 1.0, (images - low) / np.where(flat, 1.0, high - low))


_VIEWS: dict[str, Callable[[FloatArray, Size], FloatArray]] = {
    "": lambda images, size: stretched(pooled(images, size)),
    "crop": lambda images, size: stretched(cropped(images, size)),
    "fourier": lambda images, size: _parts(spectrum(images, size)),
    "magnitude": lambda images, size: np.abs(spectrum(images, size)),
}


@dataclass(frozen=True)
class View:
    """What is shown of an image: a kind (a key of the table above) at a size (h, w)."""

    kind: str
    size: Size

    @classmethod
    def named(cls, name: str, whole: Size, dataset: str) -> "View":
        """Read ``8x8``, ``crop8x8``, ``fourier8x8`` or ``magnitude8x8``; an empty *name* is the image of size *whole*.

        Raises InputError, naming *dataset*, for anything else or a size larger than the image.
        """
        if not name:
            return cls("", whole)
        match = re.fullmatch(rf"({'|'.join(_VIEWS)})([1-9][0-9]?)x([1-9][0-9]?)", name)
        if match is None or int(match[2]) > whole[0] or int(match[3]) > whole[1]:
            example = ", ".join(f"{kind}8x8" for kind in _VIEWS)
            raise InputError(
                f"dataset {dataset!r}: {name!r} is no view of its images; allowed: {example}, or another size up to "
                f"{whole[0]}x{whole[1]}"
            )
        return cls(match[1], (int(match[2]), int(match[3])))

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.floating[Any]]:
        """Return the features (S, F) of *images* (S, H, W); single precision when there are many of them.

        F is h·w; for ``fourier`` 2·h·w, all real parts before all imaginary ones.
        """
        n_features = self.size[0] * self.size[1] * (2 if self.kind == "fourier" else 1)
        dtype = np.float32 if n_features > _SINGLE_ABOVE else np.float64
        features = np.empty((len(images), n_features), dtype)
        for start in range(0, len(images), _AT_ONCE):
            some = images[start : start + _AT_ONCE].astype(np.float64)
            features[start : start + _AT_ONCE] = _VIEWS[self.kind](some, self.size).reshape(len(some), n_features)
        return features


def _overlaps(n: int, cells: int) -> FloatArray:
    """Return the share (cells, n) that each of n pixels has in each of some equal cells along the same line."""
    edges = np.arange(cells + 1) * (n / cells)
    pixels = np.arange(n)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.maximum(covered, 0.0) * (cells / n)


def _centre(n: int, kept: int) -> slice:
    start = n // 2 - kept // 2  # of a shifted spectrum, n // 2 is the frequency 0
    return slice(start, start + kept)


def _parts(window: NDArray[np.complex128]) -> FloatArray:
    flat = window.reshape(len(window), -1)
    return np.concatenate([flat.real, flat.imag], axis=1)
