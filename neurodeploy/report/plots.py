"""Figures as inline SVG; matplotlib is imported when the first one is drawn."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ..compare import Divergence
from ..network import Network
from ..profile import Profile
from ..recording import PopulationRecord, Recording
from .numbers import count, percent, si
from .rows import SpikeRow, weights_of
from .svg import INK, MUTED, SERIES, STYLE, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 8.6
"""Inches. The page scales figures to its own width."""

MOST_PANELS = 16
MOST_MARKS = 4000
"""Per panel of a raster; beyond it every k-th neuron is drawn, and the panel says so."""


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


def raster(
    recording: Recording, sample: int = 0, divergence: Divergence | None = None
) -> tuple[str, tuple[str, ...]]:
    """Who sent when, in one sample: a panel for each population.

    Parameters
    ----------
    recording : Recording
        Populations without recorded spikes are left out.
    sample : int
    divergence : Divergence or None
        Marked where its sample is the one shown.

    Returns
    -------
    svg : str
        Empty where no population has spikes.
    omitted : tuple of str
        Populations beyond `MOST_PANELS`.
    """
    names = [name for name in recording.names if recording[name].has("spikes")]
    shown = names[:MOST_PANELS]
    if not shown:
        return "", ()
    heights = [0.45 + min(1.0, math.sqrt(recording[n].header.size) / 24) for n in shown]
    with drawing(sum(heights) + 0.32 * len(shown) + 0.3) as figure:
        axes = figure.subplots(len(shown), 1, sharex=True, squeeze=False, height_ratios=heights)
        for name, axis in zip(shown, axes[:, 0], strict=True):
            _raster_panel(axis, recording[name], sample)
            if divergence and divergence.population == name and divergence.sample == sample:
                axis.axvline(divergence.step, color=SERIES[4], linewidth=1)
                where = f"first difference: step {divergence.step}, neuron {divergence.neuron}"
                axis.set_title(where, loc="right", pad=3, color=SERIES[4])
        axes[-1, 0].set_xlim(-0.5, recording.steps - 0.5)
        axes[-1, 0].set_xlabel("time step (chip clock)")
        axes[-1, 0].xaxis.get_major_locator().set_params(integer=True)
        return to_svg(figure), tuple(names[MOST_PANELS:])


def _raster_panel(axis: Axes, population: PopulationRecord, sample: int) -> None:
    step, neuron, _ = population.events_of(sample, sample + 1)
    every = max(1, math.ceil(len(neuron) / MOST_MARKS))
    kept = neuron % every == 0
    size = population.header.size
    half = 0.4 * max(1.0, every, size / 60)  # a mark stays visible among many rows
    x = np.repeat(step[kept].astype(float), 3)
    y = np.repeat(neuron[kept].astype(float), 3)
    y[0::3] -= half
    y[1::3] += half
    y[2::3] = np.nan
    # One path for all marks keeps the page small: a collection writes one each.
    axis.plot(x, y, color=SERIES[0], linewidth=1, solid_capstyle="butt")
    title = f"{population.header.name}: {count(len(neuron))} messages"
    if every > 1:
        title += f", 1 neuron in {every} drawn"
    axis.set_title(title, pad=3)
    axis.set_ylim(-0.5 - half, size - 0.5 + half)
    axis.set_yticks([0, size - 1] if size > 1 else [0])


def spike_bars(rows: Sequence[SpikeRow], labels: Sequence[str]) -> str:
    """Messages per sample of each population, a bar for each recording."""
    thick = 0.8 / max(1, len(labels))
    with drawing(0.6 + len(rows) * (0.16 + 0.14 * len(labels))) as figure:
        axis = figure.subplots()
        for i, label in enumerate(labels):
            values = [row.messages[i] or 0.0 for row in rows]
            places = np.arange(len(rows)) + (i - (len(labels) - 1) / 2) * thick
            bars = axis.barh(
                places, values, height=thick * 0.88, color=_series(i), label=_legend(label)
            )
            axis.bar_label(
                bars, [count(row.messages[i]) for row in rows], padding=3, fontsize=7, color=MUTED
            )
        axis.set_yticks(range(len(rows)), [row.population for row in rows])
        axis.invert_yaxis()
        axis.margins(x=0.08)
        _quiet(axis)
        axis.tick_params(axis="y", labelcolor=INK)
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
        (projection, weight)
        for projection in net.projections
        if (weight := weights_of(projection.synapse)) is not None and weight.size
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
    axis.set_yscale("log")
    axis.set_ylim(0.5, 2 * max(1, number.max()))
    axis.yaxis.set_major_formatter(lambda value, _: count(value))
    axis.minorticks_off()
    axis.set_title(f"{name}: {'integer' if integer else 'float'}", pad=3)
    zeros = float((values == 0).mean()) if values.size else 0.0
    axis.set_xlabel(f"{low:.4g} to {high:.4g}, {percent(zeros, 1)} zero", fontsize=7.5)
    _quiet(axis)


def energy(profiles: Sequence[Profile], labels: Sequence[str]) -> str:
    """Share of each kind of event, and the total with its band on a logarithmic axis."""
    with drawing(0.95 + 0.34 * len(profiles)) as figure:
        shares, totals = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
        kinds = list(dict.fromkeys(part.kind for profile in profiles for part in profile.parts))
        for row, profile in enumerate(profiles):
            left = 0.0
            for part in profile.parts:
                share = 100 * part.joules / profile.energy_joules if profile.energy_joules else 0.0
                colour = _series(kinds.index(part.kind))
                shares.barh(row, share, left=left, height=0.55, color=colour)
                left += share
            _total(totals, row, profile)
        handles = [_swatch(_series(i)) for i in range(len(kinds))]
        if kinds:
            figure.legend(handles, kinds, loc="outside upper left", ncols=len(kinds))
        shares.set_yticks(range(len(profiles)), list(labels))
        shares.set_ylim(len(profiles) - 0.5, -0.7)
        shares.tick_params(axis="y", labelcolor=INK)
        shares.set_xlim(0, 100)
        shares.set_xlabel("share of energy, %")
        totals.set_xscale("log")
        totals.set_xlabel("energy per inference, with band")
        totals.xaxis.set_major_formatter(lambda value, _: si(value, "J"))
        totals.minorticks_off()
        for axis in (shares, totals):
            _quiet(axis)
        return to_svg(figure)


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


def _quiet(axis: Axes) -> None:
    axis.grid(axis="x")
    axis.tick_params(length=0, which="both")


def _series(i: int) -> str:
    return SERIES[i % len(SERIES)]


def _legend(label: str) -> str:
    # Matplotlib leaves labels that begin with an underscore out of a legend.
    return f" {label}" if label.startswith("_") else label


def _swatch(colour: str) -> Any:
    from matplotlib.patches import Patch

    return Patch(color=colour)
