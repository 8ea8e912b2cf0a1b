"""Ideal physics of a rectangular interferometer mesh: geometry, transfer matrix, intensities."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from drivers.twin.photonic.passive import PassiveMesh
from drivers.twin.photonic.reference import ReferencePropagation


@dataclass(frozen=True)
class MeshGeometry:
    """Where the phase shifters of a rectangular mesh sit (Clements et al. 2016, Optica 3, 1460).

    Light enters the N ports, passes one input phase γ per port and then N columns. Column c holds MZIs on the
    ports (p, p+1) with p ≡ c mod 2. MZIs are numbered column by column, port ascending. A parameter vector is
    the concatenation of θ (n_mzi), φ (n_mzi) and γ (N), in rad.

    Parameters
    ----------
    ports
        Number of ports N, at least 2.

    Raises
    ------
    ValueError
        If there are fewer than two ports.
    """

    ports: int

    def __post_init__(self) -> None:
        if self.ports < 2:
            raise ValueError(f"a mesh needs at least 2 ports, not ports={self.ports}")

    @property
    def n_mzi(self) -> int:
        """Number of MZIs, N(N−1)/2."""
        return self.ports * (self.ports - 1) // 2

    @property
    def n_parameters(self) -> int:
        """Number of phase shifters, N²: two per MZI and one per input port."""
        return self.ports**2

    @cached_property
    def column_starts(self) -> NDArray[np.int64]:
        """(N + 1,) number of the first MZI of each column; the last entry is n_mzi."""
        per_column = (self.ports - np.arange(self.ports) % 2) // 2
        return np.concatenate([[0], np.cumsum(per_column)]).astype(np.int64)

    @cached_property
    def column(self) -> NDArray[np.int64]:
        """(n_mzi,) column of each MZI."""
        return np.repeat(np.arange(self.ports), np.diff(self.column_starts))

    @cached_property
    def port(self) -> NDArray[np.int64]:
        """(n_mzi,) upper port p of each MZI, which sits on (p, p+1)."""
        within_column = np.arange(self.n_mzi) - self.column_starts[self.column]
        return self.column % 2 + 2 * within_column

    def light_cone(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Half-open range of output ports that each parameter can influence.

        The light of an MZI spreads by one port to either side in each later column, until it meets the edge.
        An input phase has N columns ahead and reaches every output: N columns are just enough for that.

        Returns
        -------
        first, stop
            Two arrays (N²,), in the order of the parameters: outputs first ≤ j < stop.
        """
        later = self.ports - 1 - self.column
        first = np.maximum(0, self.port - later)
        stop = np.minimum(self.ports, self.port + 2 + later)
        input_first, input_stop = np.zeros(self.ports, np.int64), np.full(self.ports, self.ports)
        return np.concatenate([first, first, input_first]), np.concatenate([stop, stop, input_stop])


class Propagation(Protocol):
    """What a kernel offers to a mesh; arguments are checked already."""

    def transfer(self, phases: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Build the transfer matrix (N, N)."""
        ...

    def propagate(
        self, fields: NDArray[np.float64] | NDArray[np.complex128], phases: NDArray[np.float64]
    ) -> NDArray[np.complex128]:
        """Send fields (B, N) through the mesh."""
        ...

    def intensities(self, amplitudes: NDArray[np.float64], phases: NDArray[np.float64]) -> NDArray[np.float64]:
        """Detect |E|² (B, N) of real amplitudes (B, N)."""
        ...


class Mesh:
    """A mesh with imperfect splitters and losses: phases in, fields and intensities out.

    MZI = B(β₂)·diag(e^{iθ}, 1)·B(β₁)·diag(e^{iφ}, 1), where θ and φ sit on the upper port and B(β) =
    [[cos(π/4+β), i sin(π/4+β)], [i sin(π/4+β), cos(π/4+β)]]. A batch of fewer than N patterns is pushed
    through the columns, a larger one multiplied by the matrix: the mesh costs N²·min(B, N). The two paths
    agree to rounding, not to the bit. Losses are the same for every column and for every coupler, so that they cost
    nothing: each MZI's matrix and the whole mesh take a factor. One mesh serves one thread at a time, since it owns
    scratch memory; results never share it.

    Parameters
    ----------
    geometry
        The layout of the mesh.
    splitter_first, splitter_second
        (n_mzi,) deviations β₁ and β₂ of the splitters from 50:50, rad; ideal by default.
    column_loss_db
        Power lost over one column on every waveguide.
    coupler_loss_db
        Power lost in each of the two couplers of an MZI; a waveguide that passes a column at the edge meets none.
    kernel
        `numba`, `numpy`, or `auto`: numba where it is installed. The attribute `kernel` says which is used.

    Raises
    ------
    ValueError
        If an array has the wrong shape.
    ImportError
        If `numba` is asked for and missing.
    """

    geometry: MeshGeometry
    passive: PassiveMesh
    kernel: Literal["numba", "numpy"]

    def __init__(
        self,
        geometry: MeshGeometry,
        splitter_first: NDArray[np.float64] | None = None,
        splitter_second: NDArray[np.float64] | None = None,
        *,
        column_loss_db: float = 0.0,
        coupler_loss_db: float = 0.0,
        kernel: Literal["auto", "numba", "numpy"] = "auto",
    ) -> None:
        self.geometry = geometry
        self.passive = PassiveMesh(
            geometry.column_starts,
            self._splitters("splitter_first", splitter_first),
            self._splitters("splitter_second", splitter_second),
            through_mzi=_amplitude(2.0 * coupler_loss_db),
            through_mesh=_amplitude(geometry.ports * column_loss_db),
        )
        self.kernel, self._propagation = _choose(kernel, self.passive)

    def transfer(self, phases: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Build the transfer matrix.

        Parameters
        ----------
        phases
            (N²,) θ, φ and γ, rad.

        Returns
        -------
        NDArray[np.complex128]
            (N, N) matrix U, unitary without loss: a field E (N,) entering leaves as U @ E, a batch of rows E (B, N) as
            E @ U.T.
        """
        return self._propagation.transfer(self._phases(phases))

    def propagate(
        self, fields: NDArray[np.float64] | NDArray[np.complex128], phases: NDArray[np.float64]
    ) -> NDArray[np.complex128]:
        """Send fields through the mesh.

        Parameters
        ----------
        fields
            (B, N) entering fields, real or complex, in square roots of the unit of intensity.
        phases
            (N²,) θ, φ and γ, rad.

        Returns
        -------
        NDArray[np.complex128]
            (B, N) leaving fields.
        """
        self._check_batch("fields", fields)
        if np.iscomplexobj(fields):
            return self._propagation.propagate(np.ascontiguousarray(fields, np.complex128), self._phases(phases))
        return self._propagation.propagate(np.ascontiguousarray(fields, np.float64), self._phases(phases))

    def intensities(self, amplitudes: NDArray[np.floating], phases: NDArray[np.float64]) -> NDArray[np.float64]:
        """Send real amplitudes through the mesh and detect the intensities.

        Parameters
        ----------
        amplitudes
            (B, N) entering amplitudes, real (float32 is allowed, and computed in float64).
        phases
            (N²,) θ, φ and γ, rad.

        Returns
        -------
        NDArray[np.float64]
            (B, N) intensities |E|² at the outputs, in the square of the unit of the amplitudes.
        """
        self._check_batch("amplitudes", amplitudes)
        if np.iscomplexobj(amplitudes):
            raise ValueError("amplitudes must be real; send complex fields through propagate()")
        real = np.ascontiguousarray(amplitudes, np.float64)
        return self._propagation.intensities(real, self._phases(phases))

    def _splitters(self, name: str, deviations: NDArray[np.float64] | None) -> NDArray[np.float64]:
        count = self.geometry.n_mzi
        values = np.zeros(count) if deviations is None else np.array(deviations, dtype=np.float64)
        if values.shape != (count,):
            raise ValueError(f"{name} must have shape ({count},), one value per MZI, not {values.shape}")
        return values

    def _phases(self, phases: NDArray[np.float64]) -> NDArray[np.float64]:
        values = np.ascontiguousarray(phases, dtype=np.float64)
        if values.shape != (self.geometry.n_parameters,):
            raise ValueError(f"phases must have shape ({self.geometry.n_parameters},), not {values.shape}")
        return values

    def _check_batch(self, name: str, batch: NDArray[np.generic]) -> None:
        if batch.ndim != 2 or batch.shape[1] != self.geometry.ports:
            raise ValueError(f"{name} must have shape (B, {self.geometry.ports}), not {batch.shape}")


def _amplitude(loss_db: float) -> float:
    """Return the factor of the field behind a loss of power."""
    return 10.0 ** (-loss_db / 20.0)


def _choose(
    kernel: Literal["auto", "numba", "numpy"], mesh: PassiveMesh
) -> tuple[Literal["numba", "numpy"], Propagation]:
    """Build the kernel asked for. Numba is imported here and not before: its import takes half a second."""
    if kernel != "numpy":
        try:
            from drivers.twin.photonic.compiled import CompiledPropagation

            return "numba", CompiledPropagation(mesh)
        except ImportError:
            if kernel == "numba":
                raise
    return "numpy", ReferencePropagation(mesh)
