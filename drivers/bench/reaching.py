"""Which outputs the parameters of a layer influence, by the name that a bench file gives."""

import numpy as np

from drivers.bench.layers import LayerTable
from drivers.twin.photonic.mesh import MeshGeometry
from ffzero_lab.device import Reach


def reach_of(layer: LayerTable, n_outputs: int) -> Reach | None:
    """Return the reach of a layer's parameters; None: every output."""
    if layer.reach == "all":
        return None
    if layer.reach == "mesh":
        return Reach(*MeshGeometry(n_outputs).light_cone(), n_outputs)
    columns = np.concatenate([np.arange(len(group.channels)) % n_outputs for group in layer.groups])
    return Reach(columns, columns + 1, n_outputs)


def mesh_groups(n_outputs: int) -> list[int]:
    """Return the sizes of the groups of a mesh with so many outputs: θ, φ and input phases."""
    n_mzi = MeshGeometry(n_outputs).n_mzi
    return [n_mzi, n_mzi, n_outputs]
