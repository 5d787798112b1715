"""From a matplotlib figure to SVG that belongs to the page around it.

Matplotlib writes fixed colours and fonts, ids that repeat from figure to
figure, and links to the vocabularies of its metadata. Here colours become the
page's (so that light and dark both work), text takes the page's font, and
nothing but the drawing is left.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, MUTED, RULE = "#010203", "#010204", "#010205"
"""Stand-ins for the page's colours; no figure draws in these for their own sake."""

SERIES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
"""Okabe and Ito 2008: told apart with any kind of colour vision."""

_COLOURS = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    RULE: "var(--rule)",
    **{colour: f"var(--series-{i}, {colour})" for i, colour in enumerate(SERIES, start=1)},
}

STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # population names may hold dollar signs
    "path.simplify": False,
    "font.size": 8,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": RULE,
    "axes.facecolor": "none",
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.linewidth": 0.8,
    "figure.facecolor": "none",
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.frameon": False,
    "legend.fontsize": 8,
}
"""Settings of matplotlib under which figures for the page are drawn."""


def to_svg(figure: Figure) -> str:
    """The figure as an ``<svg>`` element for an HTML page."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)  # every label once more
    # Only tags are rewritten: what stands between them may be a name that looks like one of these.
    text = re.sub(r"<[^>]*>", lambda match: _rewrite_tag(match[0]), text)
    return re.sub(r"\n\s*", "\n", text).strip()


def _rewrite_tag(tag: str) -> str:
    tag = re.sub(r'\s(?:xmlns(?::\w+)?|version)="[^"]*"', "", tag)
    if tag.startswith("<svg"):
        tag = re.sub(r'\s(?:width|height)="[^"]*"', "", tag)
    if tag.startswith("<g"):
        tag = re.sub(r'\sid="[^"]*"', "", tag)
    tag = tag.replace("xlink:href", "href")
    # font: bold 8px 'DejaVu Sans', ...; the family is the page's to choose
    tag = re.sub(
        r"font: (?:(bold|\d{3}) )?([\d.]+px) [^;\"]*",
        lambda m: f"font-size: {m[2]}" + (f"; font-weight: {m[1]}" if m[1] else ""),
        tag,
    )
    tag = re.sub(r"(\d\.\d\d)\d+", r"\1", tag)  # a hundredth of a point is enough
    for colour, variable in _COLOURS.items():
        tag = tag.replace(colour, variable)
    return tag
