"""The bench file of a photonic twin behind one Qontrol rack: heaters and inputs on its channels, power meters beside.

What :mod:`wired_bench` writes for a voltage source and modulators over TCP, with the rack in their place: channels 0 to
P − 1 of each layer heat, the inputs follow behind all heaters, in the order of the layers.
"""

from collections.abc import Mapping
from typing import Any

from wired_bench import bench_of

VOLTS_PER_UNIT = 5.0
"""At the modulators."""
IMAX_MA = 20.0


def rack_bench_of(
    options: Mapping[str, Any],
    *,
    baud: int = 115_200,
    form: str = "ascii",
    read_back: str = "write",
    rack: Mapping[str, Any] | None = None,
    link: Mapping[str, Any] | None = None,
    channels: Mapping[str, Any] | None = None,
    name: str = "racked",
) -> dict[str, Any]:
    """Return the content of a bench file for the twin of *options*; its links lead nowhere yet.

    *rack* are more keys of the link of the rack, *link* of the links of the meters, *channels* of heaters and inputs.
    """
    content = bench_of(options, link=link, memory=False, name=name)
    source = content["actuators"].pop("source")
    heaters = source["channels"]
    more = {"imax_ma": IMAX_MA, "read_back": read_back, **(channels or {})}
    content["actuators"]["heaters"] = {
        "driver": "qontrol.actuators",
        "link": "rack",
        "channels": f"0-{heaters - 1}",
        **{key: source[key] for key in ("lower_v", "upper_v", "resolution_v")},
        **more,
    }
    content["links"]["rack"] = {"port": "/dev/ttyUSB0", "baud": baud, "form": form, **(rack or {})}
    del content["links"]["source"]
    first = heaters
    for number, layer in enumerate(content["layers"]):
        modulator, own = content["inputs"][f"modulator{number}"], f"{first}-{first + layer_width(layer) - 1}"
        content["inputs"][f"modulator{number}"] = {
            "driver": "qontrol.inputs",
            "link": "rack",
            "channels": own,
            **{key: modulator[key] for key in ("lower_amplitude", "upper_amplitude")},
            "volts_per_unit": VOLTS_PER_UNIT,
            **more,
        }
        del content["links"][f"modulator{number}"]
        layer["inputs"]["channels"] = own
        first += layer_width(layer)
        for group in layer["groups"]:
            group["instrument"] = "heaters"
            group["channels"] = "-".join(str(int(end) - 1) for end in group["channels"].split("-"))
    return content


def layer_width(layer: Mapping[str, Any]) -> int:
    """Return the inputs of a layer of a mesh: as many as its outputs."""
    return int(layer["outputs"]["channels"].split("-")[1])
