"""Colours that the colour-blind can tell apart (Okabe and Ito 2008), by name and by what they stand for."""

BLUE, SKY, GREEN = "#0072B2", "#56B4E9", "#009E73"
VERMILLION, ORANGE, YELLOW, PURPLE = "#D55E00", "#E69F00", "#F0E442", "#CC79A7"
INK, GREY, PALE = "#1F2933", "#7B8794", "#D9E2EC"

CYCLE = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION)
"""For series side by side."""
SEVERITIES = {"fault": VERMILLION, "warning": ORANGE, "note": BLUE}
VALUES = "cividis"
"""Colour map of values: its brightness rises evenly, for colour-blind eyes as well."""
