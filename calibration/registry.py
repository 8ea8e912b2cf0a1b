"""All procedures, in the order of a calibration: each builds on those before it, and phases are measured last."""

from collections.abc import Sequence

from calibration.general.drift import Drift
from calibration.general.latency import Latency
from calibration.general.noise import Noise
from calibration.general.settling import Settling
from calibration.general.step_size import StepSize
from calibration.mechanical.actuators import Actuators
from calibration.mechanical.sensors import Sensors
from calibration.photonic.crosstalk import Crosstalk
from calibration.photonic.detectors import Detectors
from calibration.photonic.electrical import Electrical
from calibration.photonic.fringes import Fringes
from calibration.photonic.modulators import Modulators
from calibration.photonic.offsets import Offsets
from calibration.photonic.relative import RelativePhases
from calibration.procedure import Procedure
from ffzero_lab.errors import InputError, not_one_of


def procedures() -> tuple[Procedure, ...]:
    """Return one of each."""
    return (
        Detectors(),
        Modulators(),
        Electrical(),
        Fringes(),
        Crosstalk(),
        Sensors(),
        Actuators(),
        Settling(),
        Latency(),
        Noise(),
        Drift(),
        Offsets(),
        RelativePhases(),
        StepSize(),
    )


def chosen(only: Sequence[str], skip: Sequence[str]) -> tuple[Procedure, ...]:
    """Return *only* those, or all but those to *skip*, in their order; raises InputError for a name that is none."""
    every = procedures()
    names = [procedure.name for procedure in every]
    for name in (*only, *skip):
        if name not in names:
            raise not_one_of("procedure", name, names)
    wanted = [each for each in every if (not only or each.name in only) and each.name not in skip]
    if not wanted:
        raise InputError("no procedure is left to carry out; --only and --skip exclude each other")
    return tuple(wanted)
