"""Servos of a lattice: zero, gain, range, play and creep of each spring, with the gains of gauges and loads.

Outputs answer through K(k)⁻¹, so a spring shows in the response of every gauge to every load. How springs, loads and
gauges are put together is known from the drawing. At many random settings, each approached from below and from above,
one least-squares fit of all constants to all responses tells them: the gains of gauges and loads are the same at all
settings, and so is k = zero + gain·setpoint of each spring, whatever the others do. No single setting could tell (see
`sensors`).

What stays unknown: a common factor of all gauges, or of all loads, acts as one of all stiffnesses. Their mean gains are
taken for 1, so stiffness is in the newtons of the mean load and the millimetres of the mean gauge.

Without a drawing, only springs that change nothing are found.
"""

from collections.abc import Mapping

import numpy as np

from calibration.mechanical import authority, visits
from calibration.mechanical.lattice_fit import Constants, Fit, Responses, fit
from calibration.mechanical.lattice_outcome import Solved
from calibration.mechanical.loads import FloatArray, noise_of, size_of, why_not_mechanical
from calibration.mechanical.nonlinearity import Nonlinearity
from calibration.mechanical.settings import drawn, share_that_fits
from calibration.procedure import Bench, Outcome, Sweep, standing_at
from ffzero_lab.device import Counts, SpringNetwork
from ffzero_lab.device.record import Finding, Quantity

FILLS = 0.9
"""Share of their range that outputs take at the first settings; at later ones some readings may saturate."""
FIRST = 6
SIGMAS = 8.0
LEAST = 1e-3
"""A load that moves the outputs by less than this share of the median one pulls at nothing."""
WIDE = {"gain": 0.5, "play": 0.05, "outputs": 0.3, "loads": 0.3}
"""What is known before, as standard uncertainties: wide ones, which data overrule. Of play, in shares of the middle."""
CREEP, CREEP_WIDE = (0.01, float(np.log(30.0)), 1.0), (0.1, 1.5, 0.5)
"""Share that arrives late, ln of its time constant in seconds, exponent of the loop; and what is known of them."""


class Actuators:
    """What each servo does."""

    name = "actuators"
    needs: tuple[str, ...] = ("sensors",)
    finds: tuple[str, ...] = ("unseen", "broken", "stuck")
    waits_s = visits.PARTS * (visits.REST_S + sum(visits.HOLD_S))

    def suits(self, bench: Bench) -> str:
        """Return why nothing is said: no lattice, or not a linear one."""
        if why := why_not_mechanical(bench):
            return why
        if any(group.lower <= 0.0 for group in bench.described.groups):
            return "its stiffnesses reach down to zero, where nothing would hold the nodes"
        if Nonlinearity.known_before(bench.known).is_seen:
            return "its displacements are not linear in the loads: a fit of linear springs would be wrong"
        return ""

    def predicted(self, bench: Bench) -> Counts:
        """Return what single springs and random settings take."""
        writes, shots = authority.predicted(bench)
        if bench.described.network is None:
            return Counts(writes, writes, shots)
        first = Counts(writes + FIRST, writes + FIRST, shots + FIRST * size_of(bench.described.n_inputs))
        return first + visits.taken(bench)

    def run(self, bench: Bench) -> Outcome:
        """Measure and fit; raises what the device port raises."""
        driven = authority.driven(bench)
        parts = [
            bench.kept(f"ends {n}", lambda n=n: authority.measured(bench, n)) for n in range(authority.BACKGROUNDS)
        ]
        seeing = np.setdiff1d(np.arange(bench.described.n_outputs), list(bench.dead_outputs))
        changes = np.array([part["changes"] for part in parts], dtype=np.float64)[..., seeing]
        moves = np.full(bench.described.n_parameters, np.nan)
        moves[driven], silent = authority.unseen(changes, noise_of(bench)[seeing])
        unseen = [driven[place] for place in silent]
        about = "RMS change of the outputs from one end of the range to the other"
        known = {"authority": Quantity.of(bench.described.output_unit, "parameter", moves, np.nan, about)}
        network = bench.described.network
        if network is None:
            return _without_drawing(bench, known, unseen)
        share = float(bench.kept("share", lambda: _share(bench))["share"])
        sweeps = [
            bench.kept(f"settings {n}", lambda n=n: visits.measured(bench, share, n, unseen))
            for n in range(visits.PARTS)
        ]
        data = visits.responses_of(bench, share, sweeps)
        solved = Solved(bench.described, _fitted(bench, network, unseen, data), visits.middle(bench), tuple(unseen))
        return Outcome(
            known | solved.quantities(), solved.findings(bench.layer), solved.dead(), transfer=solved.transfer()
        )


def _share(bench: Bench) -> Sweep:
    settings = np.stack([drawn(bench, 400 + number) for number in range(FIRST)])
    return {"share": np.array(share_that_fits(bench, settings, FILLS))}


def _fitted(bench: Bench, network: SpringNetwork, unseen: list[int], data: Responses) -> Fit:
    described = bench.described
    moving = np.ones(described.n_parameters)
    moving[[*unseen, *bench.dead, *described.dead]] = 0.0
    pulling = pulling_loads(data)
    seeing = np.asarray(data.weights.any(axis=0), dtype=np.float64)
    start = Constants(
        gain=moving,
        zero=(1.0 - moving) * standing_at(described),
        play=np.zeros_like(moving),
        outputs=np.zeros(network.n_outputs),
        loads=np.where(pulling > 0.0, 0.0, -np.inf),
        creep=np.array(CREEP),
    )
    known = Constants(
        gain=WIDE["gain"] * moving,
        zero=np.where(moving > 0.0, described.per_parameter("lower"), described.per_parameter("upper")),
        play=WIDE["play"] * moving * visits.middle(bench),
        outputs=WIDE["outputs"] * seeing,
        loads=WIDE["loads"] * pulling,
        creep=np.array(CREEP_WIDE),
    )
    return fit(network, start, known, data, bench.heed)


def pulling_loads(data: Responses) -> FloatArray:
    """Return 1 for the loads (n_in,) that any output answers to by more than noise does, else 0."""
    count = np.count_nonzero(data.weights)
    squares = np.square(data.weights[..., np.newaxis] * data.measured).sum(axis=(0, 1)) / max(1, count)
    answered = (squares > 1.0 + SIGMAS * np.sqrt(2.0 / max(1, count))) & (squares > LEAST**2 * np.median(squares))
    return answered.astype(np.float64)


def _without_drawing(bench: Bench, known: Mapping[str, Quantity], unseen: list[int]) -> Outcome:
    where = f"layer {bench.layer}"
    found = [
        Finding(
            severity="fault",
            where=f"{where}, {bench.described.name_of(parameter)}",
            what="changes nothing at the outputs from one end of its range to the other",
        )
        for parameter in unseen
    ]
    what = "its description does not say how the springs are put together, so what a servo sets cannot be told"
    found.append(Finding(severity="warning", where=where, what=what))
    return Outcome(known, tuple(found), dict.fromkeys(unseen, "unseen"))
