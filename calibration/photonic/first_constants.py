"""Constants from which the joint fit starts: offsets by phase retrieval and peeling, the rest by what is known."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from calibration.photonic.ascent import ascended
from calibration.photonic.constants import Constants, Readings
from calibration.photonic.mesh_model import FloatArray, Layout
from calibration.photonic.peeling import first_offsets
from calibration.photonic.retrieval import completed, rows_of

LEAK = 0.03
"""Amplitude at zero drive of a modulator of 30 dB extinction."""
MOST_SPLITTER_RAD = 0.2
"""Standard uncertainties of what is known before: far wider than chips spread, so that the readings decide."""
RATE_SHARE = 0.05
NEAREST, DECAY, BYPASS, INPUT, LEAK_SPREAD = 0.1, 0.5, 0.1, 0.2, 0.1


def first_constants(
    layout: Layout,
    readings: Readings,
    turns: int,
    rates: FloatArray,
    darks: FloatArray,
    heed: Callable[[], None] = lambda: None,
) -> Constants:
    """Return constants to start from.

    Parameters
    ----------
    layout
        The mesh.
    readings
        At K·*turns* settings; in each run of *turns* only γ changes.
    turns
        Settings of one transfer matrix.
    rates
        (P,) rad per unit of s.
    darks
        (n_out,) readings without light.
    heed
        Called between steps; what it raises ends the search.
    """
    n, m = layout.ports, layout.n_mzi
    entering = (readings.patterns + (1.0 - readings.patterns) * LEAK).astype(np.complex128)
    rows: list[NDArray[np.complex128]] = []
    for start in range(0, len(readings.settings), turns):
        heed()
        part = readings.part(slice(start, start + turns))
        gamma = part.settings[:, 2 * m :] * rates[2 * m :]
        fields = entering * np.exp(1j * gamma)[:, np.newaxis]
        rows.append(rows_of(fields.reshape(-1, n), part.outputs.reshape(-1, len(readings.seen))))
    driven = readings.settings[::turns] * rates
    driven[:, 2 * m :] = 0.0
    unitaries = np.array([completed(found, readings.seen) for found in rows])
    offsets = first_offsets(layout, unitaries, driven, heed)
    offsets = ascended(layout, unitaries[:, readings.seen], readings.seen, driven, offsets, heed=heed)
    gain = float((readings.outputs - darks).mean() / (np.abs(entering) ** 2).mean())
    return Constants(
        offsets=offsets,
        rates=rates,
        first=np.zeros(m),
        second=np.zeros(m),
        nearest=0.0,
        decay=1.0,
        bypass=0.0,
        inputs=np.zeros(n),
        leak=LEAK,
        outputs=np.full(len(readings.seen), np.log(gain)),
        darks=darks,
    )


def known_before(layout: Layout, start: Constants, dead: NDArray[np.intp], dark_spread: FloatArray) -> FloatArray:
    """Return the standard uncertainty (n,) of what is known before, in the row's order.

    γ is held by the gauge. Of an MZI whose θ is *dead* the splitters are held too: see
    :func:`calibration.photonic.gauge.canonical`. Input gains are held together by what is known of them, since a
    common factor of theirs and of the outputs' gains is not seen.
    """
    m = layout.n_mzi
    offsets = np.full(len(start.offsets), np.inf)
    offsets[2 * m :] = 0.0
    splitters = np.full(m, MOST_SPLITTER_RAD)
    splitters[dead[dead < m]] = 0.0
    return Constants(
        offsets=offsets,
        rates=RATE_SHARE * start.rates,
        first=splitters,
        second=splitters,
        nearest=NEAREST,
        decay=DECAY,
        bypass=BYPASS,
        inputs=np.full(layout.ports, INPUT),
        leak=LEAK_SPREAD,
        outputs=np.full(len(start.outputs), np.inf),
        darks=dark_spread,
    ).row()
