"""Figures as inline SVG; matplotlib is imported when the first one is drawn."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..network import Network
from ..numbers import count, percent, si
from ..profiling import Part, Profile
from .svg import INK, MUTED, SERIES, STYLE, to_svg
from .table_rows import SpikeRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 8.6
"""Inches. The page scales figures to its own width."""

MOST_PANELS = 16


@contextmanager
def drawing(height: float) -> Iterator[Figure]:
    """A figure in the page's style.

    Raises
    ------
    ImportError
        If matplotlib is missing.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # The browser sets the text, in a font that has the glyphs of any name.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield Figure(figsize=(WIDTH, height), layout="constrained")


def spike_bars(rows: Sequence[SpikeRow], labels: Sequence[str]) -> str:
    """Messages per sample of each population, a bar for each recording."""
    thick = 0.8 / max(1, len(labels))
    with drawing(0.6 + len(rows) * (0.16 + 0.14 * len(labels))) as figure:
        axis = figure.subplots()
        for i, label in enumerate(labels):
            values = [row.messages[i] or 0.0 for row in rows]
            places = np.arange(len(rows)) + (i - (len(labels) - 1) / 2) * thick
            bars = axis.barh(
                places, values, height=thick * 0.88, color=_series(i), label=in_legend(label)
            )
            axis.bar_label(
                bars, [count(row.messages[i]) for row in rows], padding=3, fontsize=7, color=MUTED
            )
        label_rows(axis, [row.population for row in rows])
        axis.margins(x=0.08)
        axis.xaxis.set_major_formatter(lambda value, _: count(value))
        axis.set_xlabel("messages per sample, mean")
        if len(labels) > 1:
            figure.legend(loc="outside upper left", ncols=min(5, len(labels)))
        return to_svg(figure)


def weight_histograms(net: Network, float_weights: Mapping[str, Any]) -> tuple[str, int]:
    """Weights of each projection: floats before quantization on the left, integers beside them.

    Returns
    -------
    svg : str
        Empty where no projection has weights.
    omitted : int
        Projections beyond `MOST_PANELS`.
    """
    weighted = [
        (projection, np.concatenate(arrays))
        for projection in net.projections
        if (arrays := [w.ravel() for w in projection.synapse.arrays() if w.ndim and w.size])
    ]
    shown = weighted[:MOST_PANELS]
    if not shown:
        return "", 0
    columns = 2 if float_weights else 3
    panels: list[tuple[str, Any, bool] | None] = []
    for projection, weight in shown:
        if float_weights:
            before = float_weights.get(projection.name, float_weights.get(projection.target))
            panels.append(None if before is None else (projection.name, before, False))
        panels.append((projection.name, weight, True))
    lines = math.ceil(len(panels) / columns)
    with drawing(1.35 * lines) as figure:
        axes = figure.subplots(lines, columns, squeeze=False).ravel()
        for axis, panel in zip(axes, panels + [None] * (len(axes) - len(panels)), strict=True):
            if panel is None:
                axis.set_axis_off()
            else:
                _histogram(axis, *panel)
        return to_svg(figure), len(weighted) - len(shown)


def _histogram(axis: Axes, name: str, weights: Any, integer: bool) -> None:
    values = np.asarray(weights).ravel().astype(float)
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if integer:
        # Mixed-sign weights are even: bins of odd width would show a comb that is not there.
        unit = 2 if values.size and not (values % 2).any() else 1
        width = unit * max(1, math.ceil((high - low + 1) / (64 * unit)))
        bins = np.arange(low - 0.5, high + width + 0.5, width)
    else:
        bins = np.linspace(low, high if high > low else low + 1, 65)
    number, edges = np.histogram(values, bins=bins)
    axis.stairs(number, edges, baseline=0.5, fill=True, color=SERIES[0 if integer else 1])
    axis.set(yscale="log", ylim=(0.5, 2 * max(1, number.max())))
    axis.yaxis.set_major_formatter(lambda value, _: count(value))
    axis.minorticks_off()
    axis.set_title(f"{name}: {'integer' if integer else 'float'}", pad=3)
    zeros = float((values == 0).mean()) if values.size else 0.0
    axis.set_xlabel(f"{low:.4g} to {high:.4g}, {percent(zeros, 1)} zero", fontsize=7.5)
    quiet(axis)


def energy(profiles: Sequence[Profile], labels: Sequence[str]) -> str:
    """Share of each kind of event, and the total with its band on a logarithmic axis."""
    with drawing(0.95 + 0.34 * len(profiles)) as figure:
        shares, totals = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
        kinds = list(dict.fromkeys(_kind(part) for profile in profiles for part in profile.parts))
        for row, profile in enumerate(profiles):
            left = 0.0
            for part in profile.parts:
                share = 100 * part.joules / profile.energy_joules if profile.energy_joules else 0.0
                colour = _series(kinds.index(_kind(part)))
                shares.barh(row, share, left=left, height=0.55, color=colour)
                left += share
            _total(totals, row, profile)
        if kinds:
            from matplotlib.patches import Patch

            handles = [Patch(color=_series(i)) for i in range(len(kinds))]
            figure.legend(handles, kinds, loc="outside upper left", ncols=len(kinds))
        shares.set_yticks(range(len(profiles)), list(labels))
        shares.set(ylim=(len(profiles) - 0.5, -0.7), xlim=(0, 100), xlabel="share of energy, %")
        shares.tick_params(axis="y", labelcolor=INK)
        totals.set(xscale="log", xlabel="energy per inference, with band")
        totals.xaxis.set_major_formatter(lambda value, _: si(value, "J"))
        totals.minorticks_off()
        for axis in (shares, totals):
            quiet(axis)
        return to_svg(figure)


def _kind(part: Part) -> str:
    """A part's kind for the legend, which has room and colours for five; the table has all."""
    if part.kind.startswith("neuron update"):
        return "neuron updates"
    return "messages and hops" if part.kind.startswith(("message", "hop")) else part.kind


def _total(axis: Axes, row: int, profile: Profile) -> None:
    if math.isnan(profile.energy_joules):
        return
    if profile.band is not None:
        ends = [profile.band.low_joules, profile.band.high_joules]
        axis.plot(ends, [row, row], color=MUTED, linewidth=1.2, marker="|", markersize=7)
    marker = "D" if profile.kind == "measured" else "o"
    axis.plot([profile.energy_joules], [row], marker, color=INK, markersize=4.5)
    axis.annotate(
        si(profile.energy_joules, "J"),
        (profile.energy_joules, row),
        xytext=(0, 5),
        textcoords="offset points",
        ha="center",
        fontsize=7.5,
    )


def quiet(axis: Axes, grid: Literal["both", "x", "y"] = "x") -> None:
    """Lines across an axis, and no ticks."""
    axis.grid(axis=grid)
    axis.tick_params(length=0, which="both")


def label_rows(axis: Axes, names: Sequence[str]) -> None:
    """Bars with names, the first on top."""
    axis.set_yticks(range(len(names)), list(names))
    axis.invert_yaxis()
    quiet(axis)
    axis.tick_params(axis="y", labelcolor=INK)


def _series(i: int) -> str:
    return SERIES[i % len(SERIES)]


def in_legend(label: str) -> str:
    """A label of which matplotlib does not think that it shall be left out of a legend."""
    return f" {label}" if label.startswith("_") else label
