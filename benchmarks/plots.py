"""The curves of the growth lines in one drawing, from what was just measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .measure import FOLDER, Row

GROWTH = FOLDER / "growth.svg"

# Okabe and Ito's colours, told apart by all kinds of sight; markers and dashes differ too.
BLUE, VERMILION, GREY = "#0072b2", "#d55e00", "#444444"
STYLE = {
    "svg.fonttype": "none",  # text stays text: small, and can be searched
    "svg.hashsalt": "growth",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw_growth(rows: Sequence[Row], facts: dict[str, str], path: Path = GROWTH) -> None:
    """Draw cost and work over what grows, a panel for each row, into an SVG file.

    Raises
    ------
    ImportError
        If there is no matplotlib.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with matplotlib.rc_context(STYLE):
        columns = min(2, len(rows))
        lines = -(-len(rows) // columns)
        figure, panels = plt.subplots(
            lines, columns, figsize=(4.2 * columns, 3 * lines + 0.6), squeeze=False
        )
        for row, axes in zip(rows, panels.flat, strict=False):
            _panel(axes, row)
        handles, labels = panels.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="upper center", ncols=3, frameon=False)
        caption = (
            f"{facts['CPU']}, {facts['threads'].split(' on')[0]} threads, medians of "
            f"{facts['repeats']} repeats, {facts['date']}"
        )
        figure.text(0.5, 0.005, caption, ha="center", va="bottom", fontsize=7, color=GREY)
        figure.tight_layout(rect=(0, 0.03, 1, 0.94))
        figure.savefig(path, format="svg", metadata={"Date": None})
        plt.close(figure)
    # Matplotlib ends lines with blanks, which version control complains of.
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")


def _panel(axes: Any, row: Row) -> None:
    x, cost = row.extra["x"], row.extra["microseconds"]
    done = np.asarray(row.extra["work"])
    axes.loglog(x, cost["run"], "o-", color=BLUE, label="nd.run")
    axes.loglog(x, cost["engine"], "s--", color=VERMILION, label="engine alone")
    axes.loglog(
        x, done / done[0] * cost["engine"][0], ":", color=GREY, linewidth=2,
        label="work (SynOps + neuron updates), from the engine's first point",
    )  # fmt: skip
    axes.set_xticks(x, [f"{value:g}" for value in x])
    axes.minorticks_off()
    low, high = axes.get_ylim()
    if high / low < 10:  # a level curve is to look level
        middle = (low * high) ** 0.5
        axes.set_ylim(middle / 10**0.5, middle * 10**0.5)
    ticks = [n * 10.0**e for e in range(-3, 6) for n in (1, 2, 5)]
    low, high = axes.get_ylim()
    axes.set_yticks([t for t in ticks if low <= t <= high])
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set(xlabel=row.extra["label"], ylabel="time / µs per sample-step")
    axes.set_title(row.extra["title"], fontsize=9)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
