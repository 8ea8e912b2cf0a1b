"""The ideal photonic twin as a function that JAX can trace: perfect meshes between perfect modulators and detectors."""

# JAX leaves the types of arrays and of what its transformations return open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Callable, Sequence
from math import pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.twin.photonic.config import PhotonicConfig
from drivers.twin.photonic.mesh import MeshGeometry
from drivers.twin.photonic.tables import Activation
from drivers.twin.tracing import jax, jnp
from ffzero_lab.device import IdealModel


def ideal_model(config: PhotonicConfig, meshes: int) -> IdealModel:
    """Return the intensities (B, N) behind the last of the *meshes* that the signal passes."""
    cross = ideal_mesh(MeshGeometry(config.ports))
    to_phases = _phases_of(config)

    def outputs(values: Sequence[Any], inputs: Any) -> Any:
        if len(values) != meshes:
            raise ValueError(f"the signal passes {meshes} meshes, but values has {len(values)} arrays")
        fields = _modulated(config, jnp.asarray(inputs))
        *earlier, last = (to_phases(jnp.asarray(each)) for each in values)
        for phases in earlier:
            fields = _electro_optic(cross(phases, fields), config.activation)
        leaving = cross(last, fields)
        return leaving.real**2 + leaving.imag**2

    return outputs


def ideal_mesh(geometry: MeshGeometry) -> Callable[[Any, Any], Any]:
    """Return what sends fields (B, N) through a mesh without loss at phases (N²,): (phases, fields) -> fields.

    One step of a scan takes two columns. Before each, the upper and the lower ports of the pairs are two arrays
    (M, B); for the odd column, the lower ones become the upper ones, and the upper ones move up by one. Where
    a column has no MZI on a pair, the identity stands, so that all columns are alike: it compiles at once for any N.
    A batch of N patterns and more is multiplied by the matrix.
    """
    ports, n_mzi = geometry.ports, geometry.n_mzi
    place = _places(geometry)
    pairs = place.shape[2]
    spare = 2 * pairs - ports

    @jax.checkpoint
    def two_columns(state: Any, blocks: Any) -> tuple[Any, None]:
        upper, lower = _through_column(blocks[0], *state)
        upper, lower = _through_column(blocks[1], lower, jnp.roll(upper, -1, axis=0))
        return (jnp.roll(lower, 1, axis=0), upper), None

    def columns(blocks: Any, entering: Any) -> Any:
        """Send fields (N, B), ports first, through all columns."""
        state = jnp.pad(entering, ((0, spare), (0, 0))).reshape(pairs, 2, -1)
        (upper, lower), _ = jax.lax.scan(two_columns, (state[:, 0], state[:, 1]), blocks)
        return jnp.stack([upper, lower], axis=1).reshape(2 * pairs, -1)[:ports]

    def cross(phases: Any, fields: Any) -> Any:
        theta, phi, gamma = phases[:n_mzi], phases[n_mzi : 2 * n_mzi], phases[2 * n_mzi :]
        blocks = _mzi_blocks(theta, phi)[place]
        entry = jnp.exp(1j * gamma)[:, jnp.newaxis]
        if len(fields) >= ports:
            return fields @ columns(blocks, jnp.eye(ports) * entry).T
        return columns(blocks, fields.T * entry).T

    return cross


def _places(geometry: MeshGeometry) -> NDArray[np.int64]:
    """Return (steps, 2, M) which MZI stands on each pair of ports, n_mzi where there is none.

    Pair m of an even column are the ports 2m and 2m + 1, of an odd one 2m + 1 and 2m + 2.
    """
    half = -(-geometry.ports // 2)
    places = np.full((2 * half, half), geometry.n_mzi)
    places[geometry.column, geometry.port // 2] = np.arange(geometry.n_mzi)
    return places.reshape(half, 2, half)


def _mzi_blocks(theta: Any, phi: Any) -> Any:
    """Transfer matrices (n_mzi + 1, 2, 2) of perfect MZIs, B(0)·diag(e^{iθ}, 1)·B(0)·diag(e^{iφ}, 1), and identity."""
    inner, outer = jnp.exp(1j * theta), jnp.exp(1j * phi)
    straight, across = 0.5 * (inner - 1.0), 0.5j * (inner + 1.0)
    rows = [[straight * outer, across], [across * outer, -straight]]
    blocks = jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)
    return jnp.concatenate([blocks, jnp.eye(2)[jnp.newaxis]])


def _through_column(blocks: Any, upper: Any, lower: Any) -> tuple[Any, Any]:
    entries = blocks[:, :, :, jnp.newaxis]
    return (
        entries[:, 0, 0] * upper + entries[:, 0, 1] * lower,
        entries[:, 1, 0] * upper + entries[:, 1, 1] * lower,
    )


def _modulated(config: PhotonicConfig, inputs: Any) -> Any:
    ports = config.ports
    return inputs[:, :ports] + 1j * inputs[:, ports:] if config.modulators.kind == "iq" else inputs


def _electro_optic(fields: Any, constants: Activation) -> Any:
    """Williamson et al. 2020, eq. 6, as `drivers.twin.photonic.activation` has it."""
    intensity = fields.real**2 + fields.imag**2
    half_phase = 0.5 * (constants.gain_rad * intensity + constants.bias_rad)
    return np.sqrt(1.0 - constants.tap_fraction) * jnp.exp(-1j * half_phase) * jnp.cos(half_phase) * fields


def _phases_of(config: PhotonicConfig) -> Callable[[Any], Any]:
    """Return what turns what is asked for (P,) into phases (P,), rad, by the data sheet."""
    heaters, drive = config.heaters, config.drive
    per_w = pi / heaters.pi_power_w
    if drive == "volts":
        return lambda volts: volts**2 * (per_w / heaters.resistance_ohm)
    return (lambda powers: powers * per_w) if drive == "power" else (lambda phases: phases)
