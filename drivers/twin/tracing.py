"""JAX as the ideal models use it: in double precision, like the twins.

The switch is global to the process and must be thrown before the first array is made; this is the one place for it.
Nothing imports this module before somebody asks a twin for its ideal model: JAX is an extra and takes a second.
"""

import jax
import jax.numpy as jnp

jax.config.update("jax_enable_x64", True)  # pyright: ignore[reportUnknownMemberType]

__all__ = ["jax", "jnp"]
