"""A specification that makes no sense is refused with the reason."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from drivers.emulator import EmulationSpec, PowerMeterSpec, VoltageSourceSpec, Wires
from drivers.emulator.wires import plugs

SOURCE = {"kind": "voltage-source", "name": "heaters", "channels": 4}


@pytest.mark.parametrize(
    ("instruments", "message"),
    [
        ([], "at least 1"),
        ([SOURCE, SOURCE], "names of their own"),
        ([{**SOURCE, "kind": "lamp"}], "'voltage-source', 'modulator', 'power-meter'"),
        ([{**SOURCE, "lower": 5.0, "upper": 5.0}], "lower 5.0 must be below upper 5.0"),
        ([{**SOURCE, "upper": float("nan")}], "finite"),
        ([{**SOURCE, "colour": "red"}], "Extra inputs"),
        ([{"kind": "modulator", "name": "m", "channels": 2, "trigger": "p"}], "trigger 'p' is none of"),
    ],
)
def test_mistakes_are_named(instruments: list[dict[str, Any]], message: str):
    with pytest.raises(ValidationError, match=message):
        EmulationSpec.model_validate({"instruments": instruments})


@pytest.mark.parametrize(
    ("wires", "message"),
    [
        (Wires(channel=2, count=4), "from channel 5, and there are 4"),
        (Wires(layer=2, count=1), "to layer 2, and there are 0 to 1"),
        (Wires(layer=1, index=1, count=3), "to place 3 of layer 1, which has 0 to 2"),
    ],
)
def test_wires_that_lead_nowhere_are_named(wires: Wires, message: str):
    with pytest.raises(ValueError, match=f"heaters: wires lead {message}"):
        plugs("heaters", 4, [wires], [4, 3])


def test_without_wires_channels_lead_to_all_places_in_order():
    first, second = plugs("heaters", 6, (), [4, 3])
    assert (first.layer, first.channels.tolist(), first.places.tolist()) == (0, [0, 1, 2, 3], [0, 1, 2, 3])
    assert (second.layer, second.channels.tolist(), second.places.tolist()) == (1, [4, 5], [0, 1])


def test_an_output_leads_to_one_port_only_and_a_parameter_has_one_source(serve: Callable[..., Any]):
    options = {"ports": 2, "layers": 1, "preset": "ideal", "kernel": "numpy"}
    doubly = (Wires(channel=1, count=2), Wires(channel=2, count=1))
    for instruments, message in (
        ((PowerMeterSpec(name="p", wires=doubly),), "p: channel 2 reads two outputs"),
        ((VoltageSourceSpec(name="h", channels=2, wires=(Wires(channel=1, count=2), Wires(channel=1, count=1))),),
         "layer 0, parameter 0 is driven by h and by h"),
        ((VoltageSourceSpec(name="h", channels=2), VoltageSourceSpec(name="g", channels=1)),
         "layer 0, parameter 0 is driven by h and by g"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            serve(EmulationSpec(options=options, instruments=instruments))
