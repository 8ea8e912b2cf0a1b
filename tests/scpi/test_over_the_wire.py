"""SCPI instruments over real sockets: the numbers of the twin behind them, whatever goes wrong on the way."""

import socket
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from drivers.bench import BenchConfig
from drivers.emulator import Fault
from drivers.links import LinkFault, WrongInstrument
from drivers.scpi.connection import Complained
from drivers.scpi.sources import OutputsOff
from ffzero_lab import open_device
from ffzero_lab.device import BadReply, DarkBatch, LimitViolation, StagingLost
from ffzero_lab.errors import InputError

PORTS = 4
SINGLE_PRECISION = 1e-6
MEMORY = {
    "memory": 8,
    "store": ":MEMory:DATA {address},{values}",
    "read_stored": ":MEMory:DATA? {address}",
    "recall": ":MEMory:RECall {address}",
}
STEPPING = {"step_through": ":MEMory:SEQuence {addresses}", "position": ":MEMory:SEQuence:POSition?"}
RNG = np.random.default_rng(4)
PATTERNS = RNG.uniform(0.1, 1.0, (11, PORTS))
VOLTS = RNG.uniform(0.0, 2.0, (3, PORTS**2))
ROWS = np.array([3, 0, 7, 7, 10, 1, 9, 2, 8])


def with_memory(file: dict[str, Any]) -> None:
    file["inputs"]["modulators"] |= MEMORY


def stepping(file: dict[str, Any]) -> None:
    file["inputs"]["modulators"] |= MEMORY | STEPPING


def one_by_one(file: dict[str, Any]) -> None:
    """Instruments without lists, that answer in the units of their ports."""
    for role, name, node in (("actuators", "heaters", "VOLTage"), ("inputs", "modulators", "AMPLitude")):
        table = file[role][name]
        del table["set_list"], table["read_list"]
        table |= {
            "set_one": f":SOURce{{channel}}:{node} {{value}}",
            "read_one": f":SOURce{{channel}}:{node}?",
        }
    meter = file["detectors"]["meter"]
    del meter["read_list"], meter["form"]
    meter |= {"read_one": ":READ{channel}:POWer?", "unit_query": ":SENSe:POWer:UNIT:ALL:CSV?"}
    file["emulation"]["instruments"]["meter"]["unit"] = "dBm"


def measure(device: Any) -> np.ndarray:
    device.load_inputs(0, PATTERNS)
    device.write_parameters(0, VOLTS[0])
    first = device.read_outputs(0, ROWS)
    return np.concatenate([first[np.newaxis], device.probe(0, VOLTS[1:], ROWS)])


def asking(file: dict[str, Any]) -> None:
    """Everything that can be asked is asked."""
    stepping(file)
    for role, name in (("actuators", "heaters"), ("inputs", "modulators")):
        file[role][name]["output_query"] = ":OUTPut?"


WAYS: dict[str, Callable[[dict[str, Any]], None] | None] = {
    "plain": None,
    "memory": with_memory,
    "stepping": stepping,
    "one by one": one_by_one,
    "asking": asking,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_bench_gives_the_numbers_of_the_twin(over_the_wire: Any, way: str) -> None:
    wire = over_the_wire(WAYS[way])
    np.testing.assert_allclose(measure(wire.bench), measure(wire.twin), rtol=SINGLE_PRECISION, atol=1e-7)
    reported = wire.bench.read_parameters(0)
    np.testing.assert_allclose(reported, VOLTS[2], rtol=1e-15)


FAULTS = [
    (instrument, kind, exchange, way)
    for instrument, kinds in {
        "heaters": [
            "drop",
            "delay",
            "garbage",
            "half-line",
            "dribble",
            "close",
            "reboot",
            "wrong-count",
            "partial-list",
        ],
        "modulators": ["drop", "garbage", "half-line", "close", "reboot", "wrong-count", "partial-list"],
        "meter": ["drop", "garbage", "half-line", "dribble", "close", "wrong-count"],
    }.items()
    for kind in kinds
    for exchange, way in (
        (4, "plain"),
        (9, "plain"),
        (6, "memory"),
        (16, "memory"),
        (5, "stepping"),
        (15, "stepping"),
        (7, "asking"),
    )
]


@pytest.mark.parametrize(("instrument", "kind", "exchange", "way"), FAULTS)
def test_no_fault_changes_a_number_that_is_believed(
    over_the_wire: Any, instrument: str, kind: str, exchange: int, way: str
) -> None:
    fault = Fault(instrument=instrument, kind=kind, exchange=exchange, delay_s=0.3)  # type: ignore[arg-type]
    wire = over_the_wire(WAYS[way], (fault,))
    np.testing.assert_allclose(measure(wire.bench), measure(wire.twin), rtol=SINGLE_PRECISION, atol=1e-7)


def test_a_setpoint_that_the_instrument_refuses_is_told_in_its_words(over_the_wire: Any) -> None:
    def narrower(file: dict[str, Any]) -> None:
        file["emulation"]["instruments"]["heaters"] = {"upper": 1.0}

    wire = over_the_wire(narrower)
    with pytest.raises(Complained, match=r"-222 'Data out of range; channel 2: 1\.5"):
        wire.bench.write_parameters(0, np.where(np.arange(16) == 1, 1.5, 0.5))
    wire.bench.write_parameters(0, np.full(16, 0.5))  # and the queue is empty again


def test_the_guard_keeps_what_is_out_of_limits_from_the_wire(over_the_wire: Any) -> None:
    wire = over_the_wire()
    with pytest.raises(LimitViolation):
        wire.bench.write_parameters(0, np.full(16, 2.1))
    assert not wire.seen().refused


def test_another_instrument_at_the_address_is_refused_before_anything_is_set(over_the_wire: Any) -> None:
    def swapped(file: dict[str, Any]) -> None:
        file["links"]["heaters"] |= {"identity": "Acme,.*", "attempts": 1, "deadline_s": 60.0}

    with pytest.raises(WrongInstrument, match=r"FFzero,VSOURCE.*not 'Acme,\.\*'"):
        over_the_wire(swapped)


def test_opening_energises_nothing_and_parking_switches_everything_off(over_the_wire: Any) -> None:
    wire = over_the_wire()
    assert not wire.seen().left_on()
    wire.bench.load_inputs(0, PATTERNS)
    wire.bench.write_parameters(0, VOLTS[0])
    wire.bench.read_outputs(0, ROWS)
    assert {name for name, _ in wire.seen().left_on()} == {"heaters", "modulators"}
    wire.bench.park()
    assert not wire.seen().left_on()
    assert wire.bench.read_parameters(0).tolist() == [0.0] * 16


@pytest.mark.parametrize("kind", ["drop", "half-line", "close", "reboot", "partial-list"])
def test_parking_gets_through_a_fault(over_the_wire: Any, kind: str) -> None:
    faults = [Fault(instrument=name, kind=kind, exchange=7) for name in ("heaters", "modulators")]  # type: ignore[arg-type]

    def unhurried(file: dict[str, Any]) -> None:
        file["timing"]["park_s"] = 10.0  # how a fault is got through is the question here, not how soon

    wire = over_the_wire(unhurried, tuple(faults))
    assert all(tally.recoveries == 0 for tally in wire.bench.link_tallies().values())
    wire.bench.load_inputs(0, PATTERNS)
    wire.bench.write_parameters(0, VOLTS[0])
    wire.bench.read_outputs(0, ROWS[:1])
    wire.bench.park()
    assert sum(tally.recoveries for tally in wire.bench.link_tallies().values()) >= 2  # one of each link at least
    wire.bench.park()
    assert not wire.seen().left_on()


def hurried(file: dict[str, Any]) -> None:
    file["timing"]["park_s"] = 1.0


def until_it_fails(bench: Any) -> None:
    for volts in np.tile(VOLTS, (3, 1)):
        bench.write_parameters(0, volts)
        bench.read_outputs(0, ROWS[:2])


@pytest.mark.parametrize("kind", ["wrong-count", "garbage", "drop", "close"])
def test_an_instrument_whose_answers_are_all_refused_is_switched_off_all_the_same(
    over_the_wire: Any, kind: str
) -> None:
    lasting = {"exchange": 6, "lasts": 10**6}
    faults = [Fault(instrument=name, kind=kind, **lasting) for name in ("heaters", "modulators")]  # type: ignore[arg-type]
    wire = over_the_wire(hurried, tuple(faults))
    wire.bench.load_inputs(0, PATTERNS)
    wire.lose_patience()
    with pytest.raises((LinkFault, BadReply)):
        until_it_fails(wire.bench)
    assert wire.seen().left_on()
    with pytest.raises((LinkFault, BadReply)) as parked:
        wire.bench.park()
    assert "was told once more to go to its safe state" in " ".join(parked.value.__notes__)
    assert not wire.seen().left_on()
    with pytest.raises((LinkFault, BadReply)):
        wire.bench.close()


def test_a_run_goes_on_after_parking_through_a_restart(over_the_wire: Any) -> None:
    wire = over_the_wire(stepping, (Fault(instrument="modulators", kind="reboot", exchange=19),))
    expected = measure(wire.twin)
    np.testing.assert_allclose(measure(wire.bench), expected, rtol=SINGLE_PRECISION, atol=1e-7)
    while not wire.seen().faults:
        wire.bench.park()
    wire.bench.write_parameters(0, VOLTS[2])
    np.testing.assert_allclose(wire.bench.read_outputs(0, ROWS), expected[2], rtol=SINGLE_PRECISION, atol=1e-7)


@pytest.mark.parametrize("exchange", range(12, 20))
def test_a_pattern_that_comes_out_of_the_memory_by_half_is_noticed(over_the_wire: Any, exchange: int) -> None:
    wire = over_the_wire(stepping, (Fault(instrument="modulators", kind="partial-list", exchange=exchange),))
    np.testing.assert_allclose(measure(wire.bench), measure(wire.twin), rtol=SINGLE_PRECISION, atol=1e-7)


def test_a_reading_over_the_range_is_saturation_and_not_a_number(over_the_wire: Any) -> None:
    wire = over_the_wire(None, (Fault(instrument="meter", kind="over-range", exchange=2, lasts=10**6, channel=3),))
    wire.bench.load_inputs(0, PATTERNS)
    wire.bench.write_parameters(0, VOLTS[0])
    outputs = wire.bench.read_outputs(0, ROWS)
    assert (outputs[:, 2] == 10.0).all()
    assert wire.bench.saturated == len(ROWS)


def test_a_laser_that_is_off_is_a_dark_batch(over_the_wire: Any) -> None:
    def floor(file: dict[str, Any]) -> None:
        del file["inputs"]["modulators"]["output_on"]
        file["detectors"]["meter"]["detection_floor_w"] = 1e-6

    wire = over_the_wire(floor)
    wire.bench.load_inputs(0, PATTERNS)
    wire.bench.write_parameters(0, VOLTS[0])
    with pytest.raises(DarkBatch):
        wire.bench.read_outputs(0, ROWS)


def test_an_instrument_that_never_does_as_it_is_told_is_given_up(over_the_wire: Any) -> None:
    faults = (Fault(instrument="heaters", kind="partial-list", probability=1.0),)
    wire = over_the_wire(None, faults)
    with pytest.raises(BadReply, match=r"heaters, channel 9: .* V was written 3 times, 0 is read back"):
        wire.bench.write_parameters(0, np.full(16, 1.0))


def test_an_instrument_that_is_gone_is_a_lost_link_after_a_bounded_time(over_the_wire: Any) -> None:
    wire = over_the_wire(hurried)
    wire.bench.write_parameters(0, VOLTS[0])
    wire.emulation.close()
    wire.lose_patience()
    with pytest.raises(LinkFault, match="is the instrument on"):
        wire.bench.write_parameters(0, VOLTS[1])
    with pytest.raises(LinkFault):
        wire.bench.close()


def test_heaters_with_a_slew_limit_are_not_put_back_in_one_step_after_a_restart(over_the_wire: Any) -> None:
    def slow(file: dict[str, Any]) -> None:
        file["actuators"]["heaters"]["slew_v_per_s"] = 0.5
        file["timing"]["write_s"] = 0.1

    wire = over_the_wire(slow, (Fault(instrument="heaters", kind="reboot", exchange=7),))
    wire.bench.load_inputs(0, PATTERNS)
    settings = np.linspace(0.001, 0.01, 10)[:, np.newaxis] * np.ones(16)
    with pytest.raises(StagingLost, match="slew limit and cannot be put back in one step"):
        wire.bench.probe(0, settings, ROWS[:1])


def test_a_mesh_in_a_bench_file_has_the_light_cones_of_the_twin(over_the_wire: Any) -> None:
    def mesh(file: dict[str, Any]) -> None:
        file["layers"][0]["reach"] = "mesh"
        file["layers"][0]["groups"] = [
            {"name": "theta", "instrument": "heaters", "channels": "1-6"},
            {"name": "phi", "instrument": "heaters", "channels": "7-12"},
            {"name": "gamma", "instrument": "heaters", "channels": "13-16"},
        ]

    wire = over_the_wire(mesh)
    assert wire.bench.description.layers[0].reach == wire.twin.description.layers[0].reach


def test_heaters_that_are_reset_while_a_batch_is_read_spoil_no_reading(over_the_wire: Any) -> None:
    wire = over_the_wire()
    wire.bench.load_inputs(0, PATTERNS)
    wire.bench.write_parameters(0, VOLTS[0])
    meter = wire.instruments.detectors["meter"].driver
    read, readings = meter.read, []

    def restarting() -> np.ndarray:
        if len(readings) == 4:
            with socket.create_connection(wire.emulation.addresses["heaters"]) as other:
                other.sendall(b"*RST;*OPC?\n")
                other.recv(1000)
        readings.append(read())
        return readings[-1]

    meter.read = restarting
    outputs = wire.bench.read_outputs(0, ROWS)
    meter.read = read
    assert len(readings) == 2 * len(ROWS)
    wire.twin.load_inputs(0, PATTERNS)
    wire.twin.write_parameters(0, VOLTS[0])
    np.testing.assert_allclose(outputs, wire.twin.read_outputs(0, ROWS), rtol=SINGLE_PRECISION, atol=1e-7)


def test_an_instrument_tells_of_its_health_what_the_file_asks_for(over_the_wire: Any) -> None:
    def watched(file: dict[str, Any]) -> None:
        file["actuators"]["heaters"]["health"] = {"outputs": ":OUTPut?"}
        file["health"] = {"heaters_on": {"instrument": "heaters", "reading": "outputs", "unit": "1", "upper": 0.5}}

    wire = over_the_wire(watched)
    assert wire.bench.read_health() == {"heaters_on": 0.0}
    wire.bench.write_parameters(0, VOLTS[0])
    assert wire.bench.read_health() == {"heaters_on": 1.0}


def test_a_meter_may_take_longer_than_parking_which_has_nothing_to_say_to_it(file: dict[str, Any]) -> None:
    file["links"]["meter"]["deadline_s"] = 60.0
    BenchConfig.model_validate(file)


def test_a_longer_time_for_parking_allows_for_slow_instruments(file: dict[str, Any]) -> None:
    file["links"]["heaters"]["deadline_s"] = 3.0
    file["timing"] = {"park_s": 10.0}
    BenchConfig.model_validate(file)


def test_an_output_that_is_switched_off_at_the_instrument_ends_the_run_and_stays_off(over_the_wire: Any) -> None:
    def asked(file: dict[str, Any]) -> None:
        file["actuators"]["heaters"]["output_query"] = ":OUTPut?"

    wire = over_the_wire(asked)
    wire.bench.load_inputs(0, PATTERNS)
    wire.bench.write_parameters(0, VOLTS[0])
    with socket.create_connection(wire.emulation.addresses["heaters"]) as other:
        other.sendall(b":OUTPut OFF;*OPC?\n")
        other.recv(1000)
    with pytest.raises(OutputsOff, match="nobody here switched them off"):
        wire.bench.read_outputs(0, ROWS)
    with pytest.raises(OutputsOff):
        wire.bench.write_parameters(0, VOLTS[1])
    assert not {name for name, _ in wire.seen().left_on()} & {"heaters"}


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("links", "meter", "deadline"), 1.0, "links.meter.deadline is 1.0: no such key (did you mean 'deadline_s'?)"),
        (("links", "meter", "identity"), "(", "links.meter.identity is '('"),
        (("links", "meter", "port"), "/dev/ttyUSB0", "give resource (VISA) or port (serial), one of them"),
        (("actuators", "heaters", "set_list"), ":VOLT {value}", "places in braces must be {values}; found ['value']"),
        (("actuators", "heaters", "set_one"), ":VOLT{channel} {value}", "give set_list or set_one, one of them"),
        (("actuators", "heaters", "number"), "d", "it must be a Python format of a number"),
        (
            ("links", "heaters", "deadline_s"),
            1.6,
            "links.heaters.deadline_s is 1.6: parking waits for an exchange under",
        ),
        (("links", "modulators", "deadline_s"), 30.0, "at most that, or timing.park_s = 100 or more"),
        (("inputs", "modulators", "store"), ":M {address},{values}", "a pattern memory needs store, read_stored and"),
        (("detectors", "meter", "form"), "f2", "detectors.meter.form is 'f2'"),
    ],
)
def test_a_mistake_in_the_dialect_is_explained_at_its_key(
    file: dict[str, Any], place: tuple[str, str, str], value: Any, message: str
) -> None:
    table, name, key = place
    file[table][name][key] = value
    with pytest.raises(InputError) as caught:
        open_device("drivers.bench:Bench", **file)
    assert message in str(caught.value)
