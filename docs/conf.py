"""How Sphinx builds these pages: ``sphinx-build -W --keep-going -b html docs OUT``; no network is needed."""

from ffzero_lab import __version__

project = "ffzero-lab"
author = "The ffzero-lab developers"
project_copyright = author  # a year would go stale, and make every build differ
release = __version__

extensions = ["myst_parser"]
myst_heading_anchors = 3
exclude_patterns = ["README.md"]  # the index takes it in
nitpicky = True
smartquotes = False  # it makes a dash of the two in --option

html_theme = "furo"
html_title = f"ffzero-lab {__version__}"
html_show_copyright = False
html_copy_source = False
html_static_path = ["style.css"]
html_css_files = ["style.css"]
