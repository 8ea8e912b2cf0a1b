"""One style for all figures, each kept as SVG and as PNG; the same content gives the same bytes. Needs matplotlib."""

# Much of what matplotlib takes is of unknown type.
# pyright: reportUnknownMemberType=false

import io
import re
import warnings
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from ffzero_lab.figures.page import Picture
from ffzero_lab.figures.palette import CYCLE, GREY, INK

PNG_DPI = 130
WIDEST = 1400.0
"""Pixels of a figure across: a page shows 1124 of them."""
STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.linewidth": 0.8,
    "axes.prop_cycle": mpl.cycler(color=CYCLE),  # pyright: ignore[reportAttributeAccessIssue, reportUnknownArgumentType]
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "figure.facecolor": "white",
    "figure.titlesize": 11,
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "grid.color": "#E4E7EB",
    "grid.linewidth": 0.7,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "ffzero-lab",
    "text.color": INK,
    "xtick.color": GREY,
    "xtick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.color": GREY,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 8,
}


NO_SIGN = re.compile(r"Glyph \d+ .*missing from")
"""What matplotlib warns of when a name has a sign that the font of the figures lacks."""


def plainly(text: str) -> str:
    """Return *text* so that matplotlib writes it as it stands: between two dollar signs it would read a formula."""
    return text.replace("$", r"\$")


def pictured(name: str, title: str, caption: str, draw: Callable[[], Figure]) -> Picture:
    """Return what *draw* draws, in the common style, under a file *name* without suffix."""
    with (
        warnings.catch_warnings(record=True) as warned,
        mpl.rc_context(STYLE),  # pyright: ignore[reportArgumentType] - its stub lists the keys one by one
    ):
        warnings.simplefilter("always")
        figure = draw()
        figure.dpi = min(PNG_DPI, WIDEST / figure.get_figwidth())
        svg, png = io.BytesIO(), io.BytesIO()
        # by the canvases themselves: Figure.savefig draws everything twice
        FigureCanvasAgg(figure).print_png(png, metadata={"Software": None}, pil_kwargs={"compress_level": 4})
        figure.set_layout_engine("none")  # all is in its place, and finding it takes longer than drawing
        FigureCanvasSVG(figure).print_svg(svg, metadata={"Date": None, "Creator": None})
    for each in warned:
        if NO_SIGN.match(str(each.message)) is None:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    if any(NO_SIGN.match(str(each.message)) for each in warned):
        caption += " Signs that the font of the figures lacks stand as boxes."
    return Picture(name, title, caption, svg.getvalue(), png.getvalue())
