"""The ideal mechanical twin as a function that JAX can trace: exact springs, loads and gauges, static equilibrium."""

# JAX leaves the types of arrays and of what its transformations return open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false

from collections.abc import Sequence
from typing import Any

import numpy as np

from drivers.twin.mechanical.config import MechanicalConfig
from drivers.twin.mechanical.duffing import MOST_STEPS
from drivers.twin.mechanical.lattice import Lattice
from drivers.twin.mechanical.layer import MM_PER_M, SIGNS
from drivers.twin.tracing import jax, jnp
from ffzero_lab.device import IdealModel

TOLERANCE = 1e-13
"""Residual force on a node, as a share of the largest force of the pattern, at which Newton's method rests."""
SHARES = 0.5 ** np.arange(12)
"""Of a Newton step: the one that leaves the smallest residual is taken."""


def ideal_model(config: MechanicalConfig, layer: int) -> IdealModel:
    """Return the displacements (B, n_out) in mm of one layer under forces (B, n_in) in N.

    Membranes, and patterns on a nonlinear one, come one after the other: two batches of LAPACK calls side by side
    wait for each other's threads for ever on two cores (jaxlib 0.10.2). Do not map this function over a batch.
    """
    lattice, cubic = config.lattice, config.springs.cubic_n_per_m3
    nodes = config.load_nodes(layer)
    bias = np.zeros(lattice.n_nodes)
    bias[lattice.inner] = config.loads.bias_n

    def outputs(values: Sequence[Any], inputs: Any) -> Any:
        (springs,) = values
        patterns = jnp.asarray(inputs, dtype=jnp.float64)
        forces = jnp.tile(bias, (len(patterns), 1)).at[:, nodes].add(patterns)

        def membrane(springs_of_one: tuple[Any, Any]) -> Any:
            return _equilibrium(_stiffness(lattice, *springs_of_one), cubic, forces)

        couplings, grounds = jnp.asarray(springs[: config.n_couplings]), jnp.asarray(springs[config.n_couplings :])
        of_each = couplings.reshape(config.membranes, -1), grounds.reshape(config.membranes, -1)
        moved = jax.lax.map(membrane, of_each)
        return MM_PER_M * _gauged(config, jnp.tensordot(jnp.array(SIGNS[: config.membranes]), moved, 1))

    return outputs


def _stiffness(lattice: Lattice, couplings: Any, grounds: Any) -> Any:
    """Return K (n, n) in N/m, as `statics.stiffness_band` has it in a band."""
    first, second = lattice.couplings.T
    matrix = jnp.diag(grounds)
    matrix = matrix.at[first, first].add(couplings).at[second, second].add(couplings)
    return matrix.at[first, second].add(-couplings).at[second, first].add(-couplings)


def _equilibrium(stiffness: Any, cubic: float, forces: Any) -> Any:
    """Return u (B, n) in m with K u + c u³ = f.

    Newton's method finds the place outside of the trace. One more step from there carries the slopes, those of the
    implicit function: ∂u = (K + 3c·diag(u²))⁻¹·∂(f − K u − c u³) with u held.
    """
    linear = jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(stiffness), forces.T).T
    if cubic == 0.0:
        return linear
    held = jax.lax.stop_gradient(stiffness)

    def residual(matrix: Any, force: Any, moved: Any) -> Any:
        return force - matrix @ moved - cubic * moved**3

    def newton(moved: Any, left: Any) -> Any:
        return jnp.linalg.solve(held + jnp.diag(3.0 * cubic * moved**2), left)

    def found(force: Any, start: Any) -> Any:
        allowed = TOLERANCE * jnp.abs(force).max()

        def improved(state: tuple[Any, Any]) -> tuple[Any, Any]:
            steps, moved = state
            there = moved + SHARES[:, np.newaxis] * newton(moved, residual(held, force, moved))
            left = jax.vmap(lambda each: residual(held, force, each))(there)
            return steps + 1, there[jnp.argmin((left**2).sum(axis=1))]

        def goes_on(state: tuple[Any, Any]) -> Any:
            return (jnp.abs(residual(held, force, state[1])).max() > allowed) & (state[0] < MOST_STEPS)

        return jax.lax.while_loop(goes_on, improved, (0, start))[1]

    def pattern(force_and_start: tuple[Any, Any]) -> Any:
        force, start = force_and_start
        place = found(jax.lax.stop_gradient(force), jax.lax.stop_gradient(start))
        return place + newton(place, residual(stiffness, force, place))

    return jax.lax.map(pattern, (forces, linear))


def _gauged(config: MechanicalConfig, displacements: Any) -> Any:
    if config.readout == "nodes":
        return displacements
    first, second = config.lattice.pairs.T
    return displacements[:, first] - displacements[:, second]
