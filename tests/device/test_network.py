"""The drawing of a lattice is checked where it is given, and belongs to the layer that carries it."""

from typing import Any

import numpy as np
import pytest

from ffzero_lab.device import GROUND, LayerDescription, ParameterGroup, SpringNetwork

DRAWING: dict[str, Any] = {"joins": [[0, 1], [0, GROUND], [1, GROUND]], "loads": np.eye(2), "gauges": [[1.0, -1.0]]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"joins": [[0, 2], [0, GROUND], [1, GROUND]]},
        {"joins": [[0, 0], [0, GROUND], [1, GROUND]]},
        {"joins": [[GROUND, 0], [0, GROUND], [1, GROUND]]},
        {"joins": [0, 1]},
        {"gauges": [[1.0, -1.0, 0.0]]},
    ],
)
def test_what_cannot_be_a_lattice_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"joins|nodes"):
        SpringNetwork(**{**DRAWING, **wrong})


def layer(n_springs: int) -> LayerDescription:
    return LayerDescription(
        input_shape=(2,), input_lower=-1.0, input_upper=1.0, input_unit="N",
        output_shape=(1,), output_upper=1.0, output_unit="mm", one_sign=False,
        groups=(ParameterGroup(name="k", shape=(n_springs,), unit="N/m", lower=1.0, upper=2.0),),
        network=SpringNetwork(**DRAWING),
    )  # fmt: skip


def test_a_layer_refuses_the_drawing_of_another_one_and_leaves_its_own_out_of_a_dump() -> None:
    assert "network" not in layer(3).model_dump()
    with pytest.raises(ValueError, match="3 springs, 2 inputs and 1 outputs, the layer has 4, 2, 1"):
        layer(4)


def test_nobody_else_holds_the_memory_of_a_drawing() -> None:
    own = SpringNetwork(**DRAWING)
    assert own == SpringNetwork(**DRAWING)
    assert own != SpringNetwork(**{**DRAWING, "gauges": [[1.0, 1.0]]})
    with pytest.raises(ValueError, match="read-only"):
        own.loads[0, 0] = 2.0
