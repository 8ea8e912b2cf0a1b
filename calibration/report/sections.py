"""The sections of a report: maps of each layer, then what each procedure found, drawn as it suits."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from calibration.report import curves
from calibration.report.channels import NAMES, over_channels
from calibration.report.fringe_choice import shown_of, swept_of
from calibration.report.fringes import collapse, gallery
from calibration.report.health import Health
from calibration.report.maps import health_map, value_map
from calibration.report.plan import plan_of
from calibration.report.tables import single_values
from calibration.report.wording import axis_label, handy
from ffzero_lab.device.record import Axis, LayerRecord, Quantity
from ffzero_lab.figures.drawing import pictured
from ffzero_lab.figures.page import Block, Picture, Section, Text

Sweeps = Mapping[str, NDArray[Any]]
TITLES: Mapping[str, str] = {
    "fringes": "Fringes",
    "offsets": "Phases, splitters, crosstalk",
    "electrical": "Heaters electrically",
    "detectors": "Detectors",
    "modulators": "Inputs",
    "noise": "Noise",
    "drift": "Drift",
    "settling": "Settling",
    "latency": "Latency",
    "epsilon": "The size of a perturbation",
}
"""Sections in this order; those of other procedures come first, under the procedure's name."""
MAPPED = ("fringes.pi_power", "fringes.pi_setting", "fringes.visibility")
MAPPED_AT_MOST = 4
CHANNELS: tuple[Axis, ...] = ("parameter", "mzi", "output", "input", "pair")
BARS = (
    "Bars: one standard uncertainty; u: uncertainties too small for bars. Dashed: the median. Red crosses: dead. Red "
    "rings: out of family."
)
NOT_OVER_CHANNELS = {"fringes.phase"}
"""A fringe's phase depends on all other heaters: it says nothing about its own."""


class LayerSections:
    """The sections of one layer; *prefix* stands before their titles, where there are several layers."""

    def __init__(self, layer: LayerRecord, number: int, kind: str, sweeps: Sweeps, health: Health, prefix: str) -> None:
        self.layer, self.number, self.kind = layer, number, kind
        self.sweeps, self.health, self.prefix = sweeps, health, prefix

    def all(self) -> list[Section]:
        """Return them in order; a procedure that found nothing has none."""
        procedures = list(dict.fromkeys(name.partition(".")[0] for name in self.layer.quantities))
        others = [procedure for procedure in procedures if procedure not in TITLES]
        ordered = [*others, *(procedure for procedure in TITLES if procedure in procedures)]
        made = [self._maps(), *(self._of(procedure) for procedure in ordered)]
        return [section for section in made if section.blocks]

    def _maps(self) -> Section:
        title = (
            "The mesh" if self.kind == "photonic" else "The lattice" if self.kind == "mechanical" else "The parameters"
        )
        plan = plan_of(self.layer, self.kind)
        if plan is None:
            return Section(self.prefix + title, ())
        blocks: list[Block] = [
            self._picture("health", "Health", plan.about, partial(health_map, plan, self.health)),
        ]
        for name in self._mapped():
            quantity = self.layer.quantities[name]
            values, _, unit = handy(quantity)
            label = axis_label(name.partition(".")[2].replace("_", " "), unit)
            span = (0.0, 1.0) if name.endswith(".visibility") else None
            caption = (
                f"{quantity.about or name}. Crossed out: not measured, in red if dead. Framed in red: out of family."
            )
            blocks.append(
                self._picture(
                    f"map-{name}",
                    _sentence(name),
                    caption,
                    partial(value_map, plan, values, self.health, label, span=span),
                )
            )
        return Section(self.prefix + title, tuple(blocks))

    def _mapped(self) -> list[str]:
        """Return the quantities that are drawn as maps: those of the fringes, or the first few over the parameters."""
        known = self.layer.quantities
        over = [name for name, q in known.items() if q.axis == "parameter" and np.isfinite(q.array).any()]
        wanted = [name for name in MAPPED if name in over]
        if "fringes.pi_power" in wanted and "fringes.pi_setting" in wanted:
            wanted.remove("fringes.pi_setting")
        return wanted or [name for name in over if name not in NOT_OVER_CHANNELS][:MAPPED_AT_MOST]

    def _of(self, procedure: str) -> Section:
        blocks: list[Block] = [*self._special(procedure)]
        own = {name: q for name, q in self.layer.quantities.items() if name.startswith(f"{procedure}.")}
        for axis in CHANNELS:
            over = {name: q for name, q in own.items() if q.axis == axis and name not in NOT_OVER_CHANNELS}
            for length in dict.fromkeys(len(q.values) for q in over.values()):
                same = {
                    name.partition(".")[2]: q for name, q in over.items() if len(q.values) == length and _is_known(q)
                }
                if same:
                    word = NAMES[axis]
                    name = f"{procedure}-{axis}" + ("" if len(over) == len(same) else f"-{length}")
                    blocks.append(
                        self._picture(name, f"By {word}", BARS, partial(over_channels, self.layer, same, self.health))
                    )
        table = single_values(own)
        if table is not None:
            blocks.append(table)
        return Section(self.prefix + TITLES.get(procedure, procedure.capitalize()), tuple(blocks))

    def _special(self, procedure: str) -> Iterable[Block]:
        known = self.layer.quantities
        draw: Mapping[str, Callable[[], Iterable[Block]]] = {
            "fringes": self._fringes,
            "offsets": lambda: self._if(
                ("offsets.crosstalk", "offsets.crosstalk_decay"),
                "crosstalk",
                "Crosstalk",
                "Left: the model, a share that falls exponentially with distance. Right: what is compensated.",
                lambda: curves.crosstalk(self.layer),
            ),
            "noise": lambda: self._if(
                ("noise.allan_time", "noise.allan_deviation"),
                "allan",
                "Allan deviation",
                "Averaging helps as long as the points follow the dashed line; where they leave it, drift has "
                "overtaken noise. Pooled over the outputs, with standard uncertainties.",
                lambda: curves.allan(known["noise.allan_time"], known["noise.allan_deviation"]),
            ),
            "epsilon": lambda: self._if(
                ("epsilon.curve_multiple", "epsilon.curve_correlation"),
                "epsilon",
                "The amplitude of least error",
                "Smaller amplitudes drown in noise, larger ones are bent by curvature.",
                lambda: curves.epsilon(self.layer),
            ),
            "drift": self._drift,
            "settling": self._settling,
        }
        return draw[procedure]() if procedure in draw else ()

    def _if(
        self, needed: Sequence[str], name: str, title: str, caption: str, draw: Callable[[], Figure]
    ) -> Iterable[Block]:
        known = [self.layer.quantities.get(each) for each in needed]
        if all(quantity is not None and np.isfinite(quantity.array).any() for quantity in known):
            yield self._picture(name, title, caption, draw)

    def _fringes(self) -> Iterable[Block]:
        swept = swept_of(self.layer, self.number, self.sweeps)
        if not swept:
            yield Text("The raw sweeps are not at hand: fringes cannot be drawn.", "warning")
            return
        shown, which = shown_of(swept)
        unit, output_unit = self._unit("fringes.pi_setting"), self._unit("detectors.dark") or "reading"
        caption = (
            f"{which} The output with the strongest fringe before the first background (blue) and its fit (orange), "
            "later ones in grey; below, what the fits leave, in standard deviations of a reading. V: visibility. "
            "Crosstalk turns the neighbours along and bends fringes: some residual beyond noise is its work."
        )
        yield self._picture("fringes", "Gallery", caption, lambda: gallery(shown, unit, output_unit))
        seen = [each for each in swept if np.isfinite(each.kappa)]
        if seen:
            groups = [each.name.partition("[")[0] for each in seen]
            caption = f"All {len(seen)} fringes, all backgrounds: as far as the fits are right, all lie on one cosine."
            yield self._picture(
                "fringes-together", "All fringes on one cosine", caption, lambda: collapse(seen, groups)
            )

    def _drift(self) -> Iterable[Block]:
        readings, seconds = self._sweep("drift/reference/readings"), self._sweep("drift/reference/seconds")
        if readings is None or seconds is None:
            return
        alive = self._alive(readings.shape[-1])
        unit = self._unit("detectors.dark") or "reading"
        caption = "One unchanged setting, looked at again and again: the outputs' distance from the first look."
        yield self._picture(
            "drift", "Walk of the outputs", caption, lambda: curves.drift(readings[..., alive], float(seconds), unit)
        )

    def _settling(self) -> Iterable[Block]:
        readings, seconds = self._sweep("settling/switches/readings"), self._sweep("settling/switches/seconds")
        if readings is None or seconds is None:
            return
        alive = self._alive(readings.shape[-1])
        caption = "After jumps between two settings far apart. What is above the dashed line still moves."
        yield self._picture(
            "settling", "After a write", caption, lambda: curves.settling(readings[..., alive], float(seconds))
        )

    def _sweep(self, name: str) -> NDArray[np.float64] | None:
        values = self.sweeps.get(f"{self.number}/{name}")
        return None if values is None else np.asarray(values, dtype=np.float64)

    def _alive(self, outputs: int) -> list[int]:
        return [output for output in range(outputs) if output not in self.layer.dead_outputs]

    def _unit(self, name: str) -> str:
        quantity = self.layer.quantities.get(name)
        return "" if quantity is None else quantity.unit

    def _picture(self, name: str, title: str, caption: str, draw: Callable[[], Figure]) -> Picture:
        return pictured(f"layer{self.number}-{name}", title, caption, draw)


def _is_known(quantity: Quantity) -> bool:
    return bool(np.isfinite(quantity.array).any())


def _sentence(name: str) -> str:
    told = {
        "fringes.pi_power": "Power for π",
        "fringes.pi_setting": "Setting for π",
        "fringes.visibility": "Fringe visibility",
    }
    return told.get(name, name)
