"""Keys of heaters and inputs on a rack."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

READING = re.compile(r"channel_(\d{1,5})_(v|ma)|highest_(v|ma)|power_w")
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]


def _readings(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if READING.fullmatch(name) is None:
            allowed = "channel_12_v, channel_12_ma (any channel), highest_v, highest_ma, power_w"
            raise ValueError(f"{name!r} is none of {allowed}")
    return names


class RackChannelsConfig(BaseModel):
    """Channels of a Qontrol rack. Their limits are programmed into it as VMAX (driven in V, mV) or IMAX (A, mA)."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    imax_ma: Positive | None = None
    """Largest current of a channel, programmed as IMAX; must be given where the limits are no currents."""
    vmax_v: Positive | None = None
    """Largest voltage of a channel, programmed as VMAX; must be given where the limits are currents."""
    read_back: Literal["write", "reading"] = "write"
    """When outputs are measured and compared with what was written: with every write, or only after each reading of
    the detectors, after faults and when parked. With every write, presenting a pattern takes twice the time."""
    measured_within: Annotated[float, Field(gt=0.0, le=0.1, allow_inf_nan=False)] = 1e-3
    """Share of full scale by which a measured output may differ from what was written."""
    settle_s: Annotated[float, Field(ge=0.0, le=10.0, allow_inf_nan=False)] = 0.01
    """Pause after which outputs that differ are measured once more, before they are written again."""
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    """How often setpoints are written, E15 included; each time the outputs are measured first."""
    after_restart: Literal["re-energise", "park"] = "re-energise"
    """When a module has restarted: its limits are programmed again, and all setpoints written again (along the slew
    limit, if there is one); or the run ends, parked."""
    health: Annotated[tuple[str, ...], AfterValidator(_readings)] = ()
    """Readings for ``[health.NAME]``: ``channel_12_v``, ``channel_12_ma`` (measured at channel 12), ``highest_v``,
    ``highest_ma``, ``power_w`` (of all channels of this table)."""


class RackInputsConfig(RackChannelsConfig):
    """Channels of a Qontrol rack that present patterns."""

    volts_per_unit: Positive | None = None
    """Volts for one unit, where the limits are in a unit of their own, such as ``upper_amplitude``."""
