"""Single procedures build on an earlier record: what of it is believed, and what the new record says of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibration.comparison import compare
from calibration.journal import Journal
from calibration.procedure import Procedure
from calibration.registry import chosen, procedures
from calibration.runner import Runner
from ffzero_lab.applying import notes_on
from ffzero_lab.device import Calibrated, CalibrationMissing, Guarded
from ffzero_lab.device.belonging import driven, shapes
from ffzero_lab.device.readout import Readout
from ffzero_lab.device.record import CalibrationRecord, LayerRecord, Quantity
from ffzero_lab.opening import open_device

SPENT = {"writes": 0, "readings": 0, "shots": 0, "seconds": 0.0}


def record_of(device: Guarded, **layer: Any) -> CalibrationRecord:
    described = device.description
    own = {"groups": shapes(described.layers[0]), "drives": driven(described.layers[0]), **layer}
    return CalibrationRecord.model_validate(
        {
            "device": described.name, "serial_number": described.serial_number, "kind": described.kind,
            "implementation": described.implementation, "software": "0", "begun": "2026-01-01T00:00:00Z",
            "ended": "2026-01-01T01:00:00Z", "device_ended_s": 0.0, "valid_for_s": 1.0, "procedures": (),
            "layers": [own], "planned": SPENT, "spent": SPENT,
        }
    )  # fmt: skip


def dead_in(procedure: Procedure) -> set[str]:
    """Return what a procedure calls dead on a device with faults of every kind that it tells from others."""
    lattice = [
        {"kind": "dead-servo", "parameter": "coupling[1]"},
        {"kind": "broken-spring", "parameter": "ground[2]"},
        {"kind": "dead-gauge", "output": 1},
    ]
    with open_device("twin:mechanical", nx=3, ny=3, faults=lattice) as device:
        layers, _ = Runner(device, (procedure,), Journal(), 0, lambda _: None).run()
    return {*layers[0].dead.values(), *layers[0].dead_outputs.values()}


@pytest.mark.parametrize("name", [pytest.param("actuators", marks=pytest.mark.slow), "sensors"])
def test_what_a_procedure_calls_dead_is_not_believed_where_it_is_measured_anew(name: str) -> None:
    (procedure,) = chosen((name,), ())
    called = dead_in(procedure)
    assert called
    assert called <= {*procedure.finds}
    with open_device("twin:mechanical", nx=3, ny=3) as device:
        words, by_hand = dict(enumerate(procedure.finds)), "told by hand"
        before = record_of(device, dead={**words, 9: by_hand}, dead_outputs={0: procedure.finds[-1], 2: by_hand})
        layers, findings = Runner(device, (procedure,), Journal(), 0, lambda _: None, before).run()
        named = device.description.layers[0].name_of(9)
    assert layers[0].dead == {9: by_hand}  # the others were mended meanwhile
    assert layers[0].dead_outputs == {2: by_hand}
    told = [finding.where for finding in findings if "was found dead before (told by hand)" in finding.what]
    assert told == [f"layer 0, {named}", "layer 0, output 2"]


def test_every_procedure_says_what_it_finds_and_how_long_it_waits() -> None:
    assert all(isinstance(each.finds, tuple) and each.waits_s >= 0.0 for each in procedures())
    assert [each.name for each in procedures() if each.waits_s > 0.0] == ["actuators", "noise", "drift"]


def carried_out(device: Guarded, *names: str, before: CalibrationRecord | None = None) -> CalibrationRecord:
    """Return the record of a calibration of *names*, an hour after the one before."""
    layers, _ = Runner(device, chosen(names, ()), Journal(), 0, lambda _: None, before).run()
    began = datetime.now(UTC) if before is None else before.ended + timedelta(hours=1)
    return record_of(device).model_copy(update={"layers": layers, "ended": began})


def test_offsets_alone_keep_dead_outputs_and_what_they_built_on() -> None:
    faults = [{"kind": "dead-detector", "output": 2}]
    with open_device("twin:photonic", ports=4, layers=1, drive="volts", faults=faults) as device:
        whole = carried_out(device, "detectors", "electrical", "fringes", "offsets")
        noisy = carried_out(device, "noise", before=whole)
        part = carried_out(device, "offsets", before=noisy)  # builds on the whole one, through that of the noise
        assert Calibrated(device, part).description.layers[0].n_outputs == 3
    (first,), (between,), (second,) = whole.layers, noisy.layers, part.layers
    assert second.dead_outputs == first.dead_outputs == {2: "dead"}
    assert between.transfer is None
    assert not first.earlier
    assert {name.partition(".")[0] for name in second.earlier} == {"detectors", "electrical", "fringes", "noise"}
    for name, when in second.earlier.items():
        assert when == (noisy if name.startswith("noise") else whole).ended
        assert second.quantities[name] == (between if name.startswith("noise") else first).quantities[name]
    assert second.quantities["offsets.phase"] != first.quantities["offsets.phase"]
    compared = compare(whole, part, 3600.0)
    assert {each.name.partition(".")[0] for each in compared.quantities} == {"offsets"}


def test_actuators_alone_leave_the_zeros_of_the_sensors_known() -> None:
    with open_device("twin:mechanical", nx=3, ny=3) as device:
        whole = carried_out(device, "sensors", "actuators")
        part = carried_out(device, "actuators", before=whole)
    zero = whole.layers[0].quantities["sensors.offset"].array
    described, readings = device.description.layers[0], np.ones((1, 3))
    again, before = (Readout(record.layers[0], described).corrected(readings) for record in (part, whole))
    assert np.abs(zero).min() > 0.0
    assert again == pytest.approx(before, rel=0.01)


@pytest.mark.parametrize("name", ["detectors.dark", "detectors.gain"])
def test_an_output_that_is_not_dead_and_of_which_nothing_is_known_is_refused(name: str) -> None:
    with open_device("twin:photonic", ports=4, layers=1, drive="volts") as device:
        described = device.description.layers[0]
    partly = {name: Quantity.of("1", "output", [1.0, 1.0, np.nan, 1.0], 0.1)}
    with pytest.raises(CalibrationMissing, match=f"output 2 is not marked dead, but its {name} is not known"):
        Readout(LayerRecord(quantities=partly), described)
    Readout(LayerRecord(quantities=partly, dead_outputs={2: "dead"}), described)
    nothing = {name: Quantity.of("1", "output", [np.nan] * 4, np.nan)}  # a dead output hides the gains of all
    readings = np.arange(4.0)[np.newaxis]
    assert Readout(LayerRecord(quantities=nothing), described).corrected(readings) == pytest.approx(readings)


def test_phases_that_a_record_took_over_are_compared_by_their_own_age() -> None:
    with open_device("twin:photonic", ports=4, layers=1, drive="volts") as device:

        def of(phase: float, **more: Any) -> CalibrationRecord:
            spread = np.repeat([1e-3, 0.0], [12, 4])
            known = {
                "offsets.phase": Quantity.of("rad", "parameter", np.repeat([phase, 0.0], [12, 4]), spread),
                "drift.phase_walk": Quantity.of("rad/√h", "layer", 0.02, 0.001),
            }
            return record_of(device, quantities=known, **more)

        day_before = of(0.0).ended - timedelta(days=1)
        old = of(0.0, earlier={"offsets.phase": day_before.isoformat()})
        assert not compare(of(0.0), of(0.1)).agrees
        assert compare(old, of(0.1)).agrees, "in a day they may walk that far"


def test_what_is_of_earlier_calibrations_is_told_where_the_record_is_used() -> None:
    with open_device("twin:photonic", ports=4, layers=1, drive="volts") as device:
        now, long_ago = datetime.now(UTC), datetime.now(UTC) - timedelta(days=3)
        dark = {"detectors.dark": Quantity.of("intensity", "output", np.zeros(4), 0.1)}
        record = record_of(device, quantities=dark, earlier={"detectors.dark": long_ago})
        record = record.model_copy(update={"ended": now, "valid_for_s": 86400.0})
        notes = notes_on(record, Path("record.json"), device.description)
        assert "problem: 1 of its quantities are of earlier calibrations, up to 3 d old" in notes
        unknown = notes_on(record_of(device), Path("record.json"), device.description)
        assert any("does not know what outputs read without a signal" in note for note in unknown)
        assert not any("without a signal" in note for note in notes)
