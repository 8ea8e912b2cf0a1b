"""Single procedures build on an earlier record: what of it is believed, and what the new record says of it."""

from typing import Any

import pytest

from calibration.journal import Journal
from calibration.procedure import Procedure
from calibration.registry import chosen, procedures
from calibration.runner import Runner
from ffzero_lab.device import Guarded
from ffzero_lab.device.belonging import driven, shapes
from ffzero_lab.device.record import CalibrationRecord
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


@pytest.mark.parametrize("name", ["actuators", "sensors"])
def test_what_a_procedure_calls_dead_is_not_believed_where_it_is_measured_anew(name: str) -> None:
    (procedure,) = chosen((name,), ())
    called = dead_in(procedure)
    assert called
    assert called <= {*procedure.finds}
    with open_device("twin:mechanical", nx=3, ny=3) as device:
        words, by_hand = dict(enumerate(procedure.finds)), "told by hand"
        before = record_of(device, dead={**words, 9: by_hand}, dead_outputs={0: procedure.finds[-1], 2: by_hand})
        layers, _ = Runner(device, (procedure,), Journal(), 0, lambda _: None, before).run()
    assert layers[0].dead == {9: by_hand}  # the others were mended meanwhile


def test_every_procedure_says_what_it_finds_and_how_long_it_waits() -> None:
    assert all(isinstance(each.finds, tuple) and each.waits_s >= 0.0 for each in procedures())
    assert [each.name for each in procedures() if each.waits_s > 0.0] == ["actuators", "noise", "drift"]
