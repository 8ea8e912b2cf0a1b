"""The style sheet of a page: system fonts, no external resource, readable on paper too."""

from ffzero_lab.figures.palette import BLUE, INK, ORANGE, VERMILLION

DARK_RED, DARK_GREEN = "#A84300", "#00704F"
"""Vermillion and green, dark enough for words on or in them (WCAG 2.1: contrast of 4.5 and more)."""

CSS = f"""
:root {{ color-scheme: light; }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: #F5F7FA; color: {INK}; font: 15px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }}
main {{ max-width: 1180px; margin: 0 auto; padding: 24px 28px 64px; background: white; min-height: 100vh; }}
header {{ display: flex; flex-wrap: wrap; gap: 8px 20px; align-items: center; justify-content: space-between; }}
h1 {{ font-size: 25px; line-height: 1.25; margin: 4px 0; overflow-wrap: anywhere; }}
h2 {{ font-size: 19px; margin: 40px 0 12px; padding-top: 14px; border-top: 1px solid #E4E7EB; }}
h3 {{ font-size: 15px; margin: 22px 0 6px; }}
.verdict {{ margin: 0; padding: 7px 16px; border-radius: 6px; font-weight: 700; font-size: 17px; color: white; }}
.verdict.fault {{ background: {DARK_RED}; }}
.verdict.warning {{ background: {ORANGE}; color: {INK}; }}
.verdict.well {{ background: {DARK_GREEN}; }}
.problems ul {{ list-style: none; margin: 14px 0 0; padding: 0; }}
.problems li {{ display: flex; flex-wrap: wrap; gap: 2px 14px; padding: 6px 12px; margin-bottom: 4px;
  border-left: 6px solid {BLUE}; background: #F5F7FA; }}
.problems li b {{ flex: 0 0 66px; color: {BLUE}; }}
.problems li i {{ flex: 0 0 210px; font-style: normal; font-weight: 600; overflow-wrap: anywhere; }}
.problems li span {{ flex: 1 1 300px; }}
.problems li.fault {{ border-color: {VERMILLION}; background: #FDF0E8; }}
.problems li.fault b {{ color: {DARK_RED}; }}
.problems li.warning {{ border-color: {ORANGE}; background: #FDF6E3; }}
.problems li.warning b {{ color: #8A5F00; }}
.tiles {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(172px, 1fr)); gap: 10px; margin: 20px 0; }}
.tiles > div {{ border: 1px solid #E4E7EB; border-radius: 6px; padding: 9px 13px; }}
.tiles b {{ display: block; font-size: 17px; line-height: 1.35; font-variant-numeric: tabular-nums; }}
.tiles small {{ display: block; color: #52606D; font-size: 12.5px; }}
.tiles .alarming {{ border-color: {VERMILLION}; background: #FDF0E8; }}
.tiles .alarming b {{ color: {DARK_RED}; }}
dl {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 440px), 1fr)); gap: 4px 24px;
  margin: 16px 0; }}
dl div {{ display: flex; gap: 10px; border-bottom: 1px solid #F0F2F5; padding: 3px 0; }}
dt {{ flex: 0 0 118px; color: #52606D; }}
dd {{ margin: 0; overflow-wrap: anywhere; }}
nav {{ display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 20px 0 0; font-size: 14px; }}
a {{ color: {BLUE}; }}
figure {{ margin: 18px 0 26px; break-inside: avoid; }}
figure h3 {{ margin: 0 0 4px; }}
img {{ display: block; max-width: 100%; height: auto; margin: 0 auto; }}
figcaption, p.text {{ color: #3E4C59; max-width: 90ch; }}
figcaption {{ font-size: 13.5px; }}
p.text.warning, p.text.fault {{ border-left: 6px solid {ORANGE}; background: #FDF6E3; padding: 6px 12px; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: 13.5px; font-variant-numeric: tabular-nums; margin: 6px 0 12px; }}
th, td {{ text-align: left; padding: 3px 14px 3px 0; border-bottom: 1px solid #E4E7EB; vertical-align: top; }}
th {{ color: #52606D; font-weight: 600; }}
td:first-child {{ white-space: nowrap; }}
th.n, td.n {{ text-align: right; white-space: nowrap; }}
summary {{ cursor: pointer; color: {BLUE}; font-weight: 600; padding: 5px 0; }}
@media (max-width: 600px) {{ main {{ padding: 16px 14px 48px; }} .problems li i {{ flex: 1 1 100%; }}
  .wide img {{ min-width: 720px; max-width: none; }} }}
@media print {{ body {{ background: white; }} main {{ max-width: none; padding: 0; }} nav {{ display: none; }} }}
""".replace("\n", " ").strip()
"""Colours with words beside them: nothing is told by colour alone."""
