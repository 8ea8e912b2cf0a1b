"""Every mistake of a bench file has a message that names the key, the value and what is allowed."""

from collections.abc import Callable
from typing import Any

import pytest

from drivers.bench import Bench
from ffzero_lab.bench_file import ChosenDevice
from ffzero_lab.errors import InputError
from ffzero_lab.opening import configured

Content = dict[str, Any]
FAKE = "fake_instruments:Fake"


def at(content: Content, path: str) -> tuple[Any, Any]:
    """Return the table that holds the last key of *path*, and that key."""
    *tables, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in tables:
        content = content[part]
    return content, last


def put(path: str, value: Any) -> Callable[[Content], None]:
    def edit(content: Content) -> None:
        table, key = at(content, path)
        table[key] = value

    return edit


def take(path: str) -> Callable[[Content], None]:
    def edit(content: Content) -> None:
        table, key = at(content, path)
        del table[key]

    return edit


def explained(content: Content) -> str:
    with pytest.raises(InputError) as caught:
        configured(ChosenDevice("drivers.bench:Bench", content))
    return str(caught.value)


MISTAKES: list[tuple[Callable[[Content], None], list[str]]] = [
    (put("actuator", {}), ["unknown key 'actuator'", "did you mean 'actuators'?", "health", "layers"]),
    (put("actuators.cells", 5), ["actuators.cells is 5", "must be a table of keys and values"]),
    (put("layers.0.groups.0", "theta"), ["layers.0.groups.0 is 'theta'", "must be a table of keys and values"]),
    (put("layers.0.inputs", 5), ["layers.0.inputs is 5", "must be an array"]),
    (put("links", {"usb": 3}), ["links.usb is 3", "must be a table of keys and values"]),
    (take("bench.name"), ["bench.name: field required"]),
    (put("bench.serial_numbr", "x"), ["unknown key 'bench.serial_numbr'", "did you mean 'serial_number'?"]),
    (put("bench.topology", "cascade"), ["bench.topology is 'cascade'", "'cascaded'", "did you mean 'cascaded'?"]),
    (put("bench.power_budget_w", -1.0), ["bench.power_budget_w is -1.0", "greater than 0"]),
    (put("timing.settle_s", -0.1), ["timing.settle_s is -0.1", "greater than or equal to 0"]),
    (put("timing.write_s", 0.001), ["timing: ", "write_s = 0.001 includes the pause of 0.01 s"]),
    (put("timing.setle_s", 0.1), ["unknown key 'timing.setle_s'", "did you mean 'settle_s'?"]),
    (take("actuators"), ["actuators: field required"]),
    (put("actuators", {}), ["actuators is a table", "at least 1 item"]),
    (take("actuators.cells.driver"), ["actuators.cells.driver: field required"]),
    (put("actuators.cells.driver", "scpi.actuatrs"), ["actuators.cells.driver is 'scpi.actuatrs'", "allowed: "]),
    (put("actuators.cells.driver", FAKE + "Inputs"), ["is no Actuators", "drivers.bench.Actuators"]),
    (put("actuators.cells.driver", FAKE + "Nothing"), ["cannot be loaded", "FakeNothing"]),
    (put("actuators.cells.driver", "no_such_module:X"), ["cannot be loaded", "no_such_module"]),
    (
        put("actuators.cells.tabel", "x"),
        ["actuators.cells.tabel is 'x'", "did you mean 'table'?", "allowed: ", "channels", "lower_UNIT", "steps"],
    ),
    (put("actuators.cells.table", 5), ["actuators.cells.table is 5", "valid string"]),
    (take("actuators.cells.lower_share"), ["actuators.cells.lower_share: field required"]),
    (put("actuators.cells.lower", 0.0), ["actuators.cells.lower is 0.0", "the unit stands in the key", "lower_v"]),
    (put("actuators.cells.safe_volt", 0.0), ["cells.safe_volt is 0.0", "unknown unit 'volt'", "allowed: v, mv"]),
    (put("actuators.cells.safe_v", 0.0), ["cells.safe_v is 0.0", "is in V, but lower_share in share; use one unit"]),
    (put("actuators.cells.upper_share", "1"), ["actuators.cells.upper_share is '1'", "valid number"]),
    (put("actuators.cells.upper_share", float("nan")), ["actuators.cells.upper_share is nan", "finite number"]),
    (put("actuators.cells.upper_share", -2.0), ["actuators.cells", "lower -1.5 share must be below upper -2.0 share"]),
    (put("actuators.cells.safe_share", 9.0), ["the safe value 9.0 share is out of limits, -1.5 to 1.5 share"]),
    (put("actuators.cells.resolution_share", -1.0), ["actuators.cells.resolution_share is -1.0"]),
    (put("actuators.cells.slew_share_per_s", 0.0), ["actuators.cells.slew_share_per_s is 0.0", "greater than 0"]),
    (put("actuators.cells.link", "ubs"), ["actuators.cells.link is 'ubs'", "did you mean 'usb'?", "allowed: usb"]),
    (put("actuators.cells.channels", "1-"), ["actuators.cells.channels is '1-'", "is no channel", '"1, 3, 5-8"']),
    (put("actuators.cells.channels", 0), ["actuators.cells.channels is 0", "1 to 65535 channels"]),
    (put("inputs.rows.memory", -1), ["inputs.rows.memory is -1"]),
    (put("detectors.columns.full_scale_v", 0.0), ["detectors.columns.full_scale_v is 0.0", "greater than 0"]),
    (put("detectors.columns.detection_floor_v", 20.0), ["detection floor 20.0 V must be below full scale"]),
    (take("detectors.columns.full_scale_v"), ["detectors.columns.full_scale_UNIT: field required"]),
    (put("layers", []), ["layers is []", "at least 1 item"]),
    (take("layers.0.outputs"), ["layers.0.outputs: field required"]),
    (take("layers.0.inputs"), ["layers.0.inputs: nothing presents patterns to this layer"]),
    (put("bench.topology", "cascaded"), ["layers.1.inputs: inside a cascade the layer before drives this one"]),
    (put("layers.0.inputs.instrument", "row"), ["layers.0.inputs.0.instrument is 'row'", "did you mean 'rows'?"]),
    (
        put("layers.0.groups.0.instrument", "rows"),
        ["layers.0.groups.0.instrument is 'rows'", "no such instrument in [actuators]", "allowed: cells"],
    ),
    (
        put("layers.0.groups.1.channels", "31-34, 77"),
        ["layers.0.groups.1.channels is '31-34, 77'", "'cells' has no channel 77; it has 1-59"],
    ),
    (
        put("layers.0.groups.1.channels", "29-33"),
        ["layers.0.groups.1.channels is '29-33'", "layer 0, bias[0] here and layer 0, weights[28] already"],
    ),
    (
        put("layers.1.groups.1.channels", "5-8"),
        ["channel 5 of 'cells' is layer 1, bias[0] here and layer 0, weights[4] already", "bench.shared_hardware"],
    ),
    (put("layers.1.outputs.0.channels", "5-8"), ["layers.1.outputs.0.channels", "layer 0, outputs[4] already"]),
    (put("layers.1.inputs.0.channels", "5-9"), ["layers.1.inputs.0.channels", "layer 0, inputs[5] already"]),
    (put("layers.0.inputs.channels", "0-5, 3"), ["layers.0.inputs.0.channels", "names channel 3 twice"]),
    (put("layers.0.groups.0.channels", "30-1"), ["layers.0.groups.0.channels is '30-1'", "30-1 counts down"]),
    (
        put("layers.1.groups.0.size", 25),
        ["layers.1.groups.0.channels is '36-55'", "20 channels for 25 parameters: weights[20] has no channel"],
    ),
    (put("layers.1.groups.0.size", 19), ["names 20 channels for 19 parameters"]),
    (
        put("layers.0.groups.1.dead_channels", "3"),
        ["layers.0.groups.1.dead_channels is '3'", "none of the group's, 31-35"],
    ),
    (put("layers.0.groups.1.resistance_ohm", 600.0), ["resistance_ohm is 600.0", "goes with V, mV, A, mA", "share"]),
    (put("layers.0.groups.0.lower_share", -1.6), ["layers.0.groups.0: its bound -1.6 is beyond 'cells', -1.5 to 1.5"]),
    (put("layers.0.groups.1.upper_v", 1.0), ["layers.0.groups.1: its numbers are in V, those of 'cells' in share"]),
    (put("layers.0.groups.0.start_share", [-2.0, 0.0]), ["group 'weights': start (-2.0, 0.0) must lie within"]),
    (put("layers.0.groups.0.scale", "logarithm"), ["layers.0.groups.0.scale is 'logarithm'", "'log'"]),
    (put("layers.0.groups.0.scale", "log"), ["lower -1.5 does not go with scale 'log'"]),
    (put("layers.0.groups.1.name", "weights"), ["groups must have names of their own, not weights, weights"]),
    (put("layers.0.groups.0.chanels", "1"), ["layers.0.groups.0.chanels is '1'", "did you mean 'channels'?"]),
    (put("layers.0.reach", "mash"), ["layers.0.reach is 'mash'", "'all', 'column' or 'mesh'"]),
    (
        put("layers.0.reach", "mesh"),
        ["a mesh of 5 ports has groups of 10, 10, 5 parameters (theta, phi, gamma), not 30, 5"],
    ),
    (put("layers.1.reach", "column"), []),
    (put("layers.0.groups.1.channels", "31-34"), ["reach 'column' needs a multiple of the 5 outputs, not 4 param"]),
    (put("health.cells_temperature.instrument", "cell"), ["health.cells_temperature.instrument", "mean 'cells'?"]),
    (put("health.cells_temperature.uper", 1.0), ["unknown key 'health.cells_temperature.uper'", "mean 'upper'?"]),
]


@pytest.mark.parametrize(("edit", "words"), MISTAKES)
def test_a_mistake_is_explained(fakes: Any, content: Content, edit: Any, words: list[str]) -> None:
    edit(content)
    if not words:
        configured(ChosenDevice("drivers.bench:Bench", content))
        return
    message = explained(content)
    for word in words:
        assert word in message
    assert "\n" not in message


def in_volts(content: Content, safe_v: float = 0.0, **of_groups: Any) -> None:
    """Drive the cells in volts."""
    cells = content["actuators"]["cells"]
    del cells["lower_share"], cells["upper_share"]
    cells |= {"lower_v": 0.0, "upper_v": 2.0, "safe_v": safe_v}
    for layer in content["layers"]:
        for group in layer["groups"]:
            group.pop("start_share", None)
            group |= of_groups


@pytest.mark.parametrize(
    ("edit", "words", "tables"),
    [
        (put("bench.power_budget_w", 0.5), "bench.power_budget_w cannot be kept", [0, 1]),
        (put("layers.1.power_budget_w", 0.5), "power_budget_w of the layer cannot be kept", [1]),
    ],
)
def test_a_budget_needs_to_know_what_is_drawn(
    fakes: Any, content: Content, edit: Any, words: str, tables: list[int]
) -> None:
    in_volts(content)
    configured(ChosenDevice("drivers.bench:Bench", content))
    edit(content)
    message = explained(content)
    for number in (0, 1):
        place = f"layers.{number}.groups.0.resistance_ohm: {words}: nobody knows what 'weights' draws, driven in V"
        assert (place in message) == (number in tables)
    assert "give resistance_ohm, or take the budget out" in message


def test_a_budget_of_shared_hardware_knows_what_every_channel_draws(fakes: Any, content: Content) -> None:
    in_volts(content, safe_v=1.0, resistance_ohm=100.0)
    content["bench"] |= {"shared_hardware": True, "power_budget_w": 5.0}
    assert "actuators.cells: its safe value of 1 V draws power on channels that another layer" in explained(content)
    content["actuators"]["cells"]["safe_v"] = 0.0
    configured(ChosenDevice("drivers.bench:Bench", content))


def test_all_mistakes_of_all_tables_are_told_at_once(fakes: Any, content: Content) -> None:
    put("bench.topolgy", "cascaded")(content)
    take("actuators.cells.driver")(content)
    put("actuators.cells.safe_volt", 1.0)(content)
    put("inputs.rows.upper_v", 1.0)(content)
    put("detectors.columns.stepps", True)(content)
    put("layers.0.groups.0.period_v", -1.0)(content)
    put("layers.1.groups.0.channels", "x")(content)
    message = explained(content)
    for key in (
        "bench.topolgy",
        "actuators.cells.driver",
        "actuators.cells.safe_volt",
        "inputs.rows.upper_v",
        "detectors.columns.stepps",
        "layers.0.groups.0.period_v",
        "layers.1.groups.0.channels",
    ):
        assert key in message


def test_all_contradictions_are_told_at_once(fakes: Any, content: Content) -> None:
    put("actuators.spare", dict(content["actuators"]["cells"]))(content)
    put("detectors.rows", dict(content["detectors"]["columns"]))(content)
    put("layers.0.groups.1.channels", "1-5")(content)
    put("layers.1.outputs.0.channels", "6-10")(content)
    message = explained(content)
    assert "actuators.spare: no layer uses this instrument" in message
    assert "detectors.rows: there is [inputs.rows] already" in message
    assert "weights[0] already" in message
    assert "'columns' has no channel 10; it has 1-9" in message


def test_inputs_of_one_layer_need_one_range(fakes: Any, content: Content) -> None:
    second = {**content["inputs"]["rows"], "upper_amplitude": 2.0, "channels": 3}
    put("inputs.more", second)(content)
    put("layers.0.inputs", [content["layers"][0]["inputs"], {"instrument": "more", "channels": "1-3"}])(content)
    assert "layers.0.inputs.1.instrument is 'more': the inputs of one layer need one range" in explained(content)


def test_the_schema_knows_the_units_and_every_key_is_explained() -> None:
    schema = Bench.Config.model_json_schema()
    actuators = schema["$defs"]["ActuatorsTable"]
    assert any("lower_(v|mv|" in pattern for pattern in actuators["patternProperties"])
    assert "stated" not in actuators["properties"]
    for name, table in schema["$defs"].items():
        for key, described in table.get("properties", {}).items():
            assert "description" in described, f"{name}.{key}"
