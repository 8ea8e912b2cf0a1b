"""Compiled (numba) propagation through a rectangular mesh: the hot path of the photonic twin.

Importing this module imports numba; `drivers.twin.photonic.mesh` does so when the first mesh is built.

What makes it fast, in the order of the gain measured:

- Fields stand in blocks of `LANES` patterns with the memory layout (block, port, re | im, lane). The two ports of
  an MZI are then one contiguous window whose four rows are a constant distance apart, so that the compiler proves
  they do not overlap and emits plain vector code, without checks or remainder loops; a block stays in the L2 cache
  for the whole mesh.
- Sine and cosine are computed here, branch-free: 15 times faster than NumPy's or the C library's.
- Building the matrix skips the blocks of identity columns whose light cone has not reached a port yet.
- Everything runs in scratch arrays that live as long as the mesh.

Fused multiply-adds are allowed, reordering of sums is not: the same call gives the same bits on the same machine.
"""

# numba has no type stubs: its decorators, and what they decorate, are of unknown type.
# pyright: reportMissingTypeStubs=false, reportUntypedFunctionDecorator=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

import math
from typing import Any

import numpy as np
from numba import njit  # type: ignore[import-untyped]
from numpy.typing import NDArray

LANES = 32
"""Patterns propagated together: two AVX-512 or four AVX2 registers."""

_OPTIONS: dict[str, Any] = {"cache": True, "fastmath": {"contract", "nsz"}, "error_model": "numpy"}

# π/2 in three parts, of which the first two have 33 significant bits, and the minimax polynomials of sine and
# cosine on [−π/4, π/4]: fdlibm (Sun Microsystems, 1993), files e_rem_pio2.c, k_sin.c and k_cos.c.
_HALF_PI = (1.57079632673412561417, 6.07710050630396597660e-11, 2.02226624879595063154e-21)
_SIN = (
    -1.66666666666666324348e-01,
    8.33333333332248946124e-03,
    -1.98412698298579493134e-04,
    2.75573137070700676789e-06,
    -2.50507602534068634195e-08,
    1.58969099521155010221e-10,
)
_COS = (
    4.16666666666666019037e-02,
    -1.38888888888741095749e-03,
    2.48015872894767294178e-05,
    -2.75573143513906633035e-07,
    2.08757232129817482790e-09,
    -1.13596475577881948265e-11,
)
_EXACT_BELOW_RAD = 1e6  # beyond, quarter turns times the first part of π/2 no longer fit 53 bits


@njit(**_OPTIONS)
def sine_cosine(angles: Any, sine: Any, cosine: Any) -> None:
    """Write sine and cosine of angles (n,), rad, within 2.3e-16 of the exact values."""
    large = False
    for i in range(angles.size):
        angle = angles[i]
        turns = np.rint(angle * (2 / math.pi))
        r = angle - turns * _HALF_PI[0]
        r = r - turns * _HALF_PI[1]
        r = r - turns * _HALF_PI[2]
        z = r * r
        s = _SIN[2] + z * (_SIN[3] + z * (_SIN[4] + z * _SIN[5]))
        s = r + r * z * (_SIN[0] + z * (_SIN[1] + z * s))
        c = _COS[2] + z * (_COS[3] + z * (_COS[4] + z * _COS[5]))
        c = 1.0 - 0.5 * z + z * z * (_COS[0] + z * (_COS[1] + z * c))
        quadrant = turns - 4.0 * np.floor(0.25 * turns)
        odd = (quadrant == 1.0) | (quadrant == 3.0)
        s, c = (c if odd else s), (s if odd else c)
        sine[i] = -s if quadrant >= 2.0 else s
        cosine[i] = -c if (quadrant == 1.0) | (quadrant == 2.0) else c
        large |= abs(angle) > _EXACT_BELOW_RAD
    if large:
        for i in range(angles.size):
            if abs(angles[i]) > _EXACT_BELOW_RAD:
                sine[i], cosine[i] = math.sin(angles[i]), math.cos(angles[i])


@njit(**_OPTIONS)
def mzi_coefficients(sine: Any, cosine: Any, splitters: Any, coefficients: Any) -> None:
    """Write the 2×2 block of each MZI, (n_mzi, 8): re, im of its four elements, row by row.

    `sine` and `cosine` are those of theta, phi (and what follows); `splitters` (n_mzi, 4) holds the products
    c₁c₂, s₁s₂, s₁c₂, c₁s₂ of the cosine and sine of π/4 + β of the first and second splitter.
    """
    n_mzi = splitters.shape[0]
    for k in range(n_mzi):
        cc, ss, sc, cs = splitters[k, 0], splitters[k, 1], splitters[k, 2], splitters[k, 3]
        cos_theta, sin_theta = cosine[k], sine[k]
        cos_phi, sin_phi = cosine[n_mzi + k], sine[n_mzi + k]
        re, im = cc * cos_theta - ss, cc * sin_theta
        coefficients[k, 0] = re * cos_phi - im * sin_phi
        coefficients[k, 1] = re * sin_phi + im * cos_phi
        coefficients[k, 2] = -sc * sin_theta
        coefficients[k, 3] = sc * cos_theta + cs
        re, im = -cs * sin_theta, cs * cos_theta + sc
        coefficients[k, 4] = re * cos_phi - im * sin_phi
        coefficients[k, 5] = re * sin_phi + im * cos_phi
        coefficients[k, 6] = cc - ss * cos_theta
        coefficients[k, 7] = -ss * sin_theta


@njit(**_OPTIONS)
def _cross(pair: Any, block: Any) -> None:
    """Send the fields of two ports, (4 · LANES,) as re, im, re, im, through one MZI, in place."""
    a, b, c, d = block[0], block[1], block[2], block[3]
    e, f, g, h = block[4], block[5], block[6], block[7]
    for i in range(LANES):
        xr, xi, yr, yi = pair[i], pair[LANES + i], pair[2 * LANES + i], pair[3 * LANES + i]
        pair[i] = a * xr - b * xi + c * yr - d * yi
        pair[LANES + i] = a * xi + b * xr + c * yi + d * yr
        pair[2 * LANES + i] = e * xr - f * xi + g * yr - h * yi
        pair[3 * LANES + i] = e * xi + f * xr + g * yi + h * yr


@njit(**_OPTIONS)
def cross_mesh(state: Any, coefficients: Any, column_starts: Any, from_identity: bool) -> None:
    """Propagate the state (blocks, N, 2, LANES) through all columns, in place.

    `from_identity` promises that lane l of block b started as the unit vector of port b · LANES + l; after w
    columns it is zero further than w ports away, and MZIs out there are skipped.
    """
    blocks, ports = state.shape[0], state.shape[1]
    row = 2 * LANES
    for b in range(blocks):
        fields = state[b].reshape(ports * row)
        for column in range(ports):
            first, stop = column % 2, ports - 1
            if from_identity:
                first = max(first, b * LANES - 1 - column)
                first += (first ^ column) & 1
                stop = min(stop, (b + 1) * LANES + column)
            for p in range(first, stop, 2):
                mzi = column_starts[column] + p // 2
                _cross(fields[p * row : (p + 2) * row], coefficients[mzi])


@njit(**_OPTIONS)
def load_fields(fields: Any, sine: Any, cosine: Any, state: Any) -> None:
    """Put fields (B, N), real or complex, times the input phase factors into the state; spare lanes are dark."""
    batch, ports = fields.shape
    for b in range(state.shape[0]):
        for lane in range(LANES):
            i = b * LANES + lane
            for p in range(ports):
                entered = fields[i, p] * complex(cosine[p], sine[p]) if i < batch else 0j
                state[b, p, 0, lane] = entered.real
                state[b, p, 1, lane] = entered.imag


@njit(**_OPTIONS)
def load_identity(sine: Any, cosine: Any, state: Any) -> None:
    """Put one unit field per input port, times its input phase factor, into the state."""
    state[:] = 0.0
    for p in range(state.shape[1]):
        state[p // LANES, p, 0, p % LANES] = cosine[p]
        state[p // LANES, p, 1, p % LANES] = sine[p]


@njit(**_OPTIONS)
def unload_fields(state: Any, fields: Any) -> None:
    """Copy the state to fields (B, N), complex."""
    for i in range(fields.shape[0]):
        for p in range(fields.shape[1]):
            fields[i, p] = complex(state[i // LANES, p, 0, i % LANES], state[i // LANES, p, 1, i % LANES])


@njit(**_OPTIONS)
def unload_intensities(state: Any, intensities: Any) -> None:
    """Write |E|² of the state to intensities (B, N)."""
    for i in range(intensities.shape[0]):
        for p in range(intensities.shape[1]):
            re, im = state[i // LANES, p, 0, i % LANES], state[i // LANES, p, 1, i % LANES]
            intensities[i, p] = re * re + im * im


@njit(**_OPTIONS)
def unload_quadratures(state: Any, quadratures: Any) -> None:
    """Copy the state to quadratures (B, 2N): real parts, then imaginary parts."""
    ports = state.shape[1]
    for i in range(quadratures.shape[0]):
        for p in range(ports):
            quadratures[i, p] = state[i // LANES, p, 0, i % LANES]
            quadratures[i, ports + p] = state[i // LANES, p, 1, i % LANES]


@njit(**_OPTIONS)
def detect(quadratures: Any, intensities: Any) -> None:
    """Write re² + im² of quadratures (B, 2N) to intensities (B, N)."""
    ports = intensities.shape[1]
    for i in range(intensities.shape[0]):
        for p in range(ports):
            re, im = quadratures[i, p], quadratures[i, ports + p]
            intensities[i, p] = re * re + im * im


class CompiledPropagation:
    """The mesh in compiled form, with its splitter constants and scratch arrays. Not for concurrent use.

    Parameters
    ----------
    column_starts
        (N + 1,) index of the first MZI of each column.
    splitter_first, splitter_second
        (n_mzi,) deviation of each splitter from 50:50, rad.
    """

    def __init__(
        self,
        column_starts: NDArray[np.int64],
        splitter_first: NDArray[np.float64],
        splitter_second: NDArray[np.float64],
    ) -> None:
        self._ports = column_starts.size - 1
        self._starts = column_starts
        first, second = np.pi / 4 + splitter_first, np.pi / 4 + splitter_second
        c1, s1, c2, s2 = np.cos(first), np.sin(first), np.cos(second), np.sin(second)
        self._splitters = np.stack([c1 * c2, s1 * s2, s1 * c2, c1 * s2], axis=1)
        self._coefficients = np.empty((splitter_first.size, 8))
        self._sine, self._cosine = np.empty((2, self._ports**2))
        self._inputs = slice(2 * splitter_first.size, None)
        self._scratch: dict[str, NDArray[np.float64]] = {}

    def transfer(self, phases: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Build the transfer matrix (N, N) for phases (N²,), rad."""
        by_input = np.empty((self._ports, self._ports), dtype=np.complex128)
        unload_fields(self._cross_identity(phases), by_input)
        return by_input.T

    def propagate(
        self, fields: NDArray[np.float64] | NDArray[np.complex128], phases: NDArray[np.float64]
    ) -> NDArray[np.complex128]:
        """Send fields (B, N) through the mesh; phases (N²,), rad."""
        if len(fields) >= self._ports:
            return fields @ self.transfer(phases).T
        leaving = np.empty(fields.shape, dtype=np.complex128)
        unload_fields(self._cross_batch(fields, phases), leaving)
        return leaving

    def intensities(
        self, amplitudes: NDArray[np.float64], phases: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Detect |E|² (B, N) of real amplitudes (B, N) sent through the mesh; phases (N²,), rad."""
        detected = np.empty(amplitudes.shape)
        if len(amplitudes) < self._ports:
            unload_intensities(self._cross_batch(amplitudes, phases), detected)
            return detected
        by_input = self._reserve("matrix", self._ports, 2 * self._ports)
        unload_quadratures(self._cross_identity(phases), by_input)
        quadratures = self._reserve("quadratures", len(amplitudes), 2 * self._ports)
        detect(np.matmul(amplitudes, by_input, out=quadratures), detected)
        return detected

    def _cross_identity(self, phases: NDArray[np.float64]) -> NDArray[np.float64]:
        self._set(phases)
        state = self._reserve("state", -(-self._ports // LANES), self._ports, 2, LANES)
        load_identity(self._sine[self._inputs], self._cosine[self._inputs], state)
        cross_mesh(state, self._coefficients, self._starts, True)
        return state

    def _cross_batch(
        self, fields: NDArray[np.float64] | NDArray[np.complex128], phases: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        self._set(phases)
        state = self._reserve("state", -(-len(fields) // LANES), self._ports, 2, LANES)
        load_fields(fields, self._sine[self._inputs], self._cosine[self._inputs], state)
        cross_mesh(state, self._coefficients, self._starts, False)
        return state

    def _set(self, phases: NDArray[np.float64]) -> None:
        sine_cosine(phases, self._sine, self._cosine)
        mzi_coefficients(self._sine, self._cosine, self._splitters, self._coefficients)

    def _reserve(self, name: str, *shape: int) -> NDArray[np.float64]:
        """Return an uninitialised scratch array, in the memory of the last one of that name when it suffices."""
        size = math.prod(shape)
        if name not in self._scratch or self._scratch[name].size < size:
            self._scratch[name] = np.empty(size)
        return self._scratch[name][:size].reshape(shape)
