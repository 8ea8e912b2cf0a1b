"""One chip of the photonic twin: hidden truth, drive chain and mesh, from requested phases to optical fields."""

from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from numpy.random import Generator, Philox, SeedSequence
from numpy.typing import NDArray

from drivers.twin.photonic.config import Heaters, Imperfections, KernelName
from drivers.twin.photonic.mesh import Mesh, MeshGeometry

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ChipTruth:
    """What fabrication made and nobody outside may see.

    Attributes
    ----------
    splitter_first, splitter_second
        (M,) angle errors of the two splitters of each MZI, rad.
    offsets
        (P,) static phases φ₀ of theta, phi and gamma, rad.
    """

    splitter_first: FloatArray
    splitter_second: FloatArray
    offsets: FloatArray


def fabricate(geometry: MeshGeometry, imperfections: Imperfections, seed: int, layer: int) -> ChipTruth:
    """Draw the hidden truth of one chip from the twin's own seed."""
    rng = Generator(Philox(SeedSequence(seed, spawn_key=(0, layer))))
    errors = rng.standard_normal((2, geometry.n_mzi)) * imperfections.splitter_error_rad
    offsets = rng.uniform(0.0, 2.0 * np.pi, geometry.n_parameters)
    return ChipTruth(errors[0], errors[1], offsets if imperfections.random_offsets else np.zeros_like(offsets))


class DriveChain:
    """Phases as a nominal heater would give them, in the steps of the voltage source's converter."""

    def __init__(self, heaters: Heaters, bits: int | None) -> None:
        self._phase_per_v2 = heaters.phase_per_v2_rad
        self._step_v = None if bits is None else heaters.drive_full_scale_v / (2**bits - 1)
        self._phase_upper_rad = heaters.phase_upper_rad
        if self._step_v is not None:  # the nearest code to the upper bound may lie beyond it
            self._highest_code = np.floor(np.sqrt(self._phase_upper_rad / self._phase_per_v2) / self._step_v)

    @property
    def resolution_rad(self) -> float:
        """The largest phase step over the range: dφ/dV = 2V·π/(R·Pπ) is steepest at the top."""
        if self._step_v is None:
            return 0.0
        return 2.0 * float(np.sqrt(self._phase_upper_rad * self._phase_per_v2)) * self._step_v

    def reached_phases(self, requested: FloatArray) -> FloatArray:
        """Return the phases (P,) in rad that the nearest converter codes give for the *requested* ones."""
        if self._step_v is None:
            return requested.copy()
        codes = np.rint(np.sqrt(requested / self._phase_per_v2) / self._step_v)
        np.minimum(codes, self._highest_code, out=codes)
        return self._phase_per_v2 * (codes * self._step_v) ** 2


class Chip:
    """A mesh with its truth and its drive; phases are set, fields pass through."""

    def __init__(self, geometry: MeshGeometry, truth: ChipTruth, drive: DriveChain, kernel: KernelName) -> None:
        self.truth = truth
        self._drive = drive
        self._mesh = Mesh(geometry, truth.splitter_first, truth.splitter_second, kernel=kernel)
        self.setpoints = np.zeros(geometry.n_parameters)
        self._phases = truth.offsets

    @property
    def kernel(self) -> str:
        """What computes the mesh, with its version."""
        return f"{self._mesh.kernel} {version(self._mesh.kernel)}"

    def set_phases(self, requested: FloatArray) -> None:
        """Drive the heaters to *requested* (P,) rad above their offsets."""
        self.setpoints = self._drive.reached_phases(requested)
        self._phases = self.setpoints + self.truth.offsets

    def intensities(self, amplitudes: FloatArray) -> FloatArray:
        """Return |E|² (B, N) at the outputs for real input amplitudes (B, N)."""
        return self._mesh.intensities(amplitudes, self._phases)

    def fields(self, inputs: FloatArray | NDArray[np.complex128]) -> NDArray[np.complex128]:
        """Return the fields (B, N) at the outputs for input fields (B, N)."""
        return self._mesh.propagate(inputs, self._phases)
