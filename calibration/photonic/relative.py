"""Relative phases: what heaters do where the joint fit of `offsets` cannot say it, on chips too large for it.

A fringe tells how far a heater turns its phase, not from where. Training in place does not ask from where: a phase that
is counted from zero drive serves as well as a true one. With the record that comes of it a chip is trained in phases
instead of volts, of which the first do nothing; settings of another chip mean nothing on it.
"""

import numpy as np

from calibration.photonic import contexts
from calibration.photonic.offsets import Offsets
from calibration.procedure import Bench, Outcome
from ffzero_lab.device import Counts
from ffzero_lab.device.record import Finding, Transfer


class RelativePhases:
    """Phases counted from zero drive; measures nothing itself."""

    name = "relative"
    needs: tuple[str, ...] = ("fringes",)
    finds: tuple[str, ...] = ()
    waits_s = 0.0

    def suits(self, bench: Bench) -> str:
        """Return why this is not needed, or there are no phases."""
        if why := contexts.why_not_heaters(bench):
            return why
        if not Offsets().suits(bench):
            return "offsets tells more"
        return ""

    def predicted(self, bench: Bench) -> Counts:
        """Return nothing: fringes were measured already."""
        del bench
        return Counts()

    def run(self, bench: Bench) -> Outcome:
        """Turn the settings for π into a transfer."""
        described, where = bench.described, f"layer {bench.layer}"
        known = bench.known.get("fringes.pi_setting")
        if known is None:
            missing = "what heaters do is not known: carry out fringes first"
            return Outcome(findings=(Finding(severity="note", where=where, what=missing),))
        turning = [heater for heater in np.flatnonzero(np.isfinite(known.array)).tolist() if heater not in bench.dead]
        told = f"phases are counted from zero drive, and crosstalk is not taken off: {Offsets().suits(bench)}"
        return Outcome(
            findings=(Finding(severity="note", where=where, what=told),),
            transfer=Transfer(
                unit="rad",
                law=contexts.law_of(described),
                period=2.0 * np.pi,
                offset=(0.0,) * described.n_parameters,
                rows=tuple(turning),
                columns=tuple(turning),
                gains=tuple((np.pi / known.array[turning]).tolist()),
            ),
        )
