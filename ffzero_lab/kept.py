"""What a run keeps for whoever looks at it later: where training began, and what the test part answered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ffzero_lab.archives import unpack_archive
from ffzero_lab.device import DeviceDescription
from ffzero_lab.device.described import from_both, to_arrays
from ffzero_lab.errors import InputError
from ffzero_lab.runs.layout import EVALUATION, START
from ffzero_lab.training import Session
from ffzero_lab.training.progress import named_under, under

FloatArray = NDArray[np.float64]
Kept = TypeVar("Kept")


@dataclass(frozen=True)
class Start:
    """Where training began.

    Attributes
    ----------
    parameters
        By trained layer, (P,) in the device's units.
    described
        What the manifest's description of the device leaves out: reach, and how springs are joined.
    """

    parameters: tuple[FloatArray, ...]
    described: Mapping[str, NDArray[Any]]

    def description(self, plain: Mapping[str, Any]) -> DeviceDescription:
        """Return the whole description of the device, of which the manifest holds *plain*."""
        return from_both(plain, self.described)


@dataclass(frozen=True)
class Evaluation:
    """What the test part answered.

    Attributes
    ----------
    wanted
        (T,) class numbers, or targets scaled to [−1, 1].
    similarity
        (layers, T, C) with the prototypes of each layer.
    untrained
        The same of the untrained device; None where it was not measured.
    inputs
        By layer that the engine staged inputs for, (C, n_in) mean input of each class, or (1, n_in) of all.
    """

    wanted: NDArray[Any]
    similarity: FloatArray
    untrained: FloatArray | None
    inputs: tuple[FloatArray, ...]


def start_of(session: Session) -> bytes:
    """Return the content of ``start.npz``, of a session that is about to begin."""
    arrays = {f"parameters.{number}": layer.parameters for number, layer in enumerate(session.network.layers)}
    return _packed({**arrays, **named_under("described", to_arrays(session.device.description))})


def evaluation_of(session: Session) -> bytes:
    """Return the content of ``evaluation.npz``; raises ValueError before the session has come to its end."""
    progress, trained, wanted = session.progress, session.trained, session.test_wanted
    if progress is None or trained is None:
        raise ValueError("only a session that ran to its end has measured the test part")
    if session.dataset.task == "regression":
        groups = [np.ones(len(wanted), dtype=np.bool_)]
    else:
        groups = [wanted == number for number in range(session.dataset.n_classes)]
    means = [np.stack([_mean(inputs, group) for group in groups]) for inputs in trained.inputs]
    arrays = {"wanted": wanted, "similarity": trained.similarity}
    if progress.untrained is not None:
        arrays["untrained"] = progress.untrained
    return _packed({**arrays, **{f"inputs.{number}": mean for number, mean in enumerate(means)}})


def read_start(run: Path) -> Start | None:
    """Return where the training of a run began; None: it does not say. Raises InputError for a damaged file."""
    return _read(run / START, lambda arrays: Start(_numbered("parameters", arrays), under("described", arrays)))


def read_evaluation(run: Path) -> Evaluation | None:
    """Return what the test part answered; None: the run does not say. Raises InputError for a damaged file."""
    return _read(
        run / EVALUATION,
        lambda arrays: Evaluation(
            arrays["wanted"], arrays["similarity"], arrays.get("untrained"), _numbered("inputs", arrays)
        ),
    )


def _read(path: Path, make: Callable[[Mapping[str, NDArray[Any]]], Kept]) -> Kept | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    arrays, _ = unpack_archive(content, path)
    try:
        return make(arrays)
    except KeyError as error:
        raise InputError(f"{path} lacks {error}; it was written by another program") from None


def _mean(inputs: NDArray[Any], group: NDArray[np.bool_]) -> FloatArray:
    """Return the mean (n_in,) of the *inputs* (T, n_in) of a group; of a class without test patterns, zeros."""
    if not group.any():
        return np.zeros(int(inputs.shape[1]))
    mean: Any = inputs[group].mean(axis=0, dtype=np.float64)
    return mean


def _numbered(name: str, arrays: Mapping[str, NDArray[Any]]) -> tuple[NDArray[Any], ...]:
    own = under(name, arrays)
    return tuple(own[str(number)] for number in range(len(own)))


def _packed(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    buffer = BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()
