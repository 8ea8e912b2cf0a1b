"""What no sound bench reads stops a calibration, and what a sound one reads does not."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from calibration.journal import Journal
from calibration.plausibility import check_resistances
from calibration.procedure import Bench
from calibration.registry import chosen
from calibration.runner import Runner
from ffzero_lab.device import Guarded
from ffzero_lab.device.errors import BadReply, DarkBatch, ImplausibleReading, LinkLost
from ffzero_lab.device.record import LayerRecord, Quantity
from ffzero_lab.opening import open_device


def chip(**options: Any) -> Guarded:
    return open_device("twin:photonic", ports=4, layers=1, drive="volts", **options)


def carried_out(device: Guarded, *names: str) -> LayerRecord:
    return Runner(device, chosen(names, ()), Journal(), 0, lambda _: None).run()[0][0]


def known(ohm: float = 600.0) -> dict[str, Quantity]:
    return {"electrical.resistance": Quantity.of("ohm", "parameter", np.full(16, ohm), 1.0)}


def metering(device: Guarded, change: Any) -> None:
    """Let *change* (volts, amperes) what the drive meters, in place."""
    meter = device.driver.read_actuators  # type: ignore[attr-defined]

    def changed(layer: int) -> Any:
        measured = meter(layer)
        change(*measured)
        return measured

    device.driver.read_actuators = changed  # type: ignore[attr-defined]


def writes_of(device: Guarded) -> list[np.ndarray]:
    """Return the list to which the setpoints go that reach the driver."""
    written: list[np.ndarray] = []
    write = device.driver.write_parameters

    def kept(layer: int, values: np.ndarray) -> None:
        written.append(values.copy())
        write(layer, values)

    device.driver.write_parameters = kept  # type: ignore[method-assign]
    return written


@pytest.mark.parametrize("drive", ["volts", "power"])
def test_meters_that_read_a_little_of_nothing_on_a_parked_device_are_no_alarm(drive: str) -> None:
    rng = np.random.default_rng(0)

    def noise(volts: np.ndarray, amperes: np.ndarray) -> None:
        volts += 2e-3 * rng.standard_normal(16)
        amperes += 3e-6 * rng.standard_normal(16)

    device = open_device("twin:photonic", ports=4, layers=1, drive=drive)
    metering(device, noise)
    for _ in range(20):
        check_resistances(device, 0, known())


@pytest.mark.parametrize("factor", [0.3, 3.0])
def test_a_heater_that_changed_is_told_by_its_name_with_volts_amperes_and_what_to_do(factor: float) -> None:
    def changed(volts: np.ndarray, amperes: np.ndarray) -> None:
        amperes[5] *= factor

    device = chip()
    metering(device, changed)
    device.write_parameters(0, np.full(16, 1.0))
    with pytest.raises(ImplausibleReading, match=r"theta\[5\]: it takes .* V and .* A, and had 600 ohm.*Look at this"):
        check_resistances(device, 0, known())


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_meter_that_gives_no_number_is_told_by_its_channel(wrong: float) -> None:
    def broken(volts: np.ndarray, amperes: np.ndarray) -> None:
        amperes[3] = wrong

    device = chip()
    metering(device, broken)
    with pytest.raises(BadReply, match=r"layer 0, theta\[3\]: the meter's amperes are no finite number"):
        check_resistances(device, 0, known())


def test_a_meter_that_gives_no_number_ends_the_ramp_at_its_lowest_level() -> None:
    def broken(volts: np.ndarray, amperes: np.ndarray) -> None:
        volts[9] = np.nan if volts[9] > 0.1 else volts[9]

    device = chip()
    written = writes_of(device)
    metering(device, broken)
    with pytest.raises(BadReply, match=r"phi\[3\]: the meter's volts"):
        carried_out(device, "electrical")
    assert len(written) == 1


def test_meters_of_another_size_are_told() -> None:
    device = chip()
    device.driver.read_actuators = lambda _: (np.zeros(16), np.zeros(15))  # type: ignore[attr-defined]
    with pytest.raises(BadReply, match=r"shapes \(16,\) and \(15,\) instead of \(16,\)"):
        carried_out(device, "electrical")


def test_a_heater_that_breaks_down_at_the_top_of_its_sweep_stops_it_there() -> None:
    with chip() as sound:
        written = writes_of(sound)
        carried_out(sound, "electrical", "fringes")
        driven = np.array(written)[6:, 2]
    top = 0.99 * driven.max()

    def broken(volts: np.ndarray, amperes: np.ndarray) -> None:
        amperes[2] *= 3.0 if breaks[0] and volts[2] > top else 1.0

    device, breaks = chip(), [False]
    metering(device, broken)
    written = writes_of(device)
    electrical, fringes = chosen(("electrical", "fringes"), ())
    suits = fringes.suits

    def from_now_on(bench: Bench) -> str:
        breaks[0] = True
        return suits(bench)

    after = SimpleNamespace(name="fringes", suits=from_now_on, run=fringes.run)
    with pytest.raises(ImplausibleReading, match=r"theta\[2\]: it takes .* V and .* A"):
        Runner(device, (electrical, after), Journal(), 0, lambda _: None).run()
    assert np.count_nonzero(driven > top) >= 4  # once before each background
    assert np.count_nonzero(np.array(written)[6:, 2] > top) == 1  # the first sweep that goes up there is the last


@pytest.mark.parametrize("share", [0.3, 2.5])
def test_a_resistance_far_outside_its_band_ends_the_ramp_at_its_lowest_level(share: float) -> None:
    """A heater that is shorted in part would take several times the power at the highest level."""
    device = chip()
    written = writes_of(device)

    def partly(volts: np.ndarray, amperes: np.ndarray) -> None:
        amperes[7] /= share

    metering(device, partly)
    with pytest.raises(ImplausibleReading, match=r"phi\[1\].*ohm.*its group's median.*dead_channels"):
        carried_out(device, "electrical")
    assert np.square(written).max() <= 0.25 * device.description.layers[0].per_parameter("upper").max() ** 2


def test_heaters_of_different_make_in_different_groups_are_no_alarm() -> None:
    def thinner(volts: np.ndarray, amperes: np.ndarray) -> None:
        amperes[12:] /= 3.0  # all of γ

    device = chip()
    metering(device, thinner)
    record = carried_out(device, "electrical")
    assert not record.dead
    assert np.median(record.quantities["electrical.resistance"].array[12:]) == pytest.approx(1800.0, rel=0.1)


@pytest.mark.parametrize(
    ("kind", "error", "told"),
    [("laser-off", (BadReply, DarkBatch), "source"), ("laser-step", (BadReply,), "the light changed by")],
)
def test_light_that_goes_away_or_jumps_while_heaters_are_swept_stops(
    kind: str, error: tuple[type[Exception], ...], told: str
) -> None:
    more = {"factor": 0.7} if kind == "laser-step" else {}
    device = chip(faults=[{"kind": kind, "from_s": 0.5005, **more}])
    with pytest.raises(error, match=told):
        carried_out(device, "fringes")


def test_stray_light_is_told_with_value_unit_and_remedy() -> None:
    device = chip()
    read, stray = device.driver.read_outputs, [0.0]

    def lit(layer: int, rows: Any) -> Any:
        stray[0] += 0.001
        return read(layer, rows) + stray[0]

    device.driver.read_outputs = lit  # type: ignore[method-assign]
    with pytest.raises(ImplausibleReading, match=r"inputs off .* intensity, .* light that nobody sends .* Look for"):
        carried_out(device, "detectors", "fringes")


def test_a_link_that_is_lost_in_the_middle_of_a_sweep_loses_that_sweep_alone() -> None:
    device = chip()
    read, left = device.driver.read_outputs, [60]

    def breaking(layer: int, rows: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise LinkLost("the cable")
        return read(layer, rows)

    device.driver.read_outputs = breaking  # type: ignore[method-assign]
    journal = Journal()
    with pytest.raises(LinkLost):
        Runner(device, chosen(("fringes",), ()), journal, 0, lambda _: None).run()
    kept = {name.split("/")[2] for name in journal.sweeps()}
    assert {"theta[0]", "theta[1]"} <= kept
    left[0] = 10**6
    Runner(device, chosen(("fringes",), ()), journal, 0, lambda _: None).run()
    assert {name.split("/")[2] for name in journal.sweeps()} >= {"gamma[3]", *kept}


def test_a_shorted_heater_is_told_after_the_lowest_level_and_driven_no_higher() -> None:
    device = chip(seed=1, faults=[{"kind": "short", "parameter": "phi[2]"}])
    written = writes_of(device)
    record = carried_out(device, "electrical")
    assert record.dead == {8: "short"}
    assert np.isnan(record.quantities["electrical.resistance"].array[8])
    levels = np.array(written)
    assert levels[0, 8] > 0.5
    assert not levels[1:, 8].any()
    assert np.all(np.diff(np.delete(levels[:4], 8, axis=1), axis=0) > 0.1)  # all others go on


def test_a_heater_that_shorts_on_its_way_up_is_driven_no_higher_either() -> None:
    def breaking(volts: np.ndarray, amperes: np.ndarray) -> None:
        if volts[5] > 1.2:
            volts[5] *= 1e-3

    device = chip()
    written = writes_of(device)
    metering(device, breaking)
    assert carried_out(device, "electrical").dead == {5: "short"}
    levels = np.array(written)[:4, 5]
    assert np.count_nonzero(levels > 1.2) == 1
    assert not levels[3]
