"""Who sent when, in one sample: of one recording, or of two laid over each other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..comparison import Divergence
from ..numbers import count
from ..recording import PopulationRecord, Recording
from .plots import MOST_PANELS, drawing
from .pointer_texts import HoverPanel, hover_json
from .svg import MUTED, SERIES, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_MARKS = 4000
"""Per panel of a raster; beyond it every k-th neuron is drawn, and the panel says so."""

Marks = tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]]]
"""Steps and neurons."""


def raster(
    recording: Recording,
    sample: int = 0,
    divergence: Divergence | None = None,
    other: Recording | None = None,
    labels: tuple[str, ...] = (),
) -> tuple[str, str, tuple[str, ...]]:
    """Draw a panel for each population.

    Parameters
    ----------
    recording : Recording
        Populations without recorded spikes are left out.
    sample : int
    divergence : Divergence or None
        Marked where its sample is the one shown.
    other : Recording or None
        Laid over it, its clock lined up: what both sent, what one of them did.
    labels : tuple of str
        Of `recording` and `other`.

    Returns
    -------
    svg : str
        Empty where no population has spikes.
    hover : str
        See `pointer_texts.hover_json`.
    omitted : tuple of str
        Populations beyond `plots.MOST_PANELS`.
    """
    names = [name for name in recording.names if recording[name].has("spikes")]
    shown = names[:MOST_PANELS]
    if not shown:
        return "", "[]", ()
    heights = [0.45 + min(1.0, math.sqrt(recording[n].header.size) / 24) for n in shown]
    with drawing(sum(heights) + 0.32 * len(shown) + (0.6 if other else 0.3)) as figure:
        axes = figure.subplots(len(shown), 1, sharex=True, squeeze=False, height_ratios=heights)
        for name, axis in zip(shown, axes[:, 0], strict=True):
            beside = _counterpart(recording[name], other)
            _panel(axis, recording[name], beside, sample, labels)
            if divergence and divergence.population == name and divergence.sample == sample:
                axis.axvline(divergence.step, color=SERIES[4], linewidth=1)
                where = f"first difference: step {divergence.step}, neuron {divergence.neuron}"
                axis.set_title(where, loc="right", pad=3, color=SERIES[4])
        axes[-1, 0].set(xlim=(-0.5, recording.steps - 0.5), xlabel="time step (chip clock)")
        axes[-1, 0].xaxis.get_major_locator().set_params(integer=True)
        if other is not None:
            handles, titles = axes[0, 0].get_legend_handles_labels()
            figure.legend(handles, titles, loc="outside upper left", ncols=3)
        svg = to_svg(figure)
        panels = [
            HoverPanel.of(axis, "step", f"{name}, neuron")
            for name, axis in zip(shown, axes[:, 0], strict=True)
        ]
    return svg, hover_json(panels), tuple(names[MOST_PANELS:])


def _counterpart(population: PopulationRecord, other: Recording | None) -> PopulationRecord | None:
    name = population.header.name
    if other is None or name not in other.names or not other[name].has("spikes"):
        return None
    return other[name] if other[name].header.shape == population.header.shape else None


def _panel(
    axis: Axes,
    population: PopulationRecord,
    other: PopulationRecord | None,
    sample: int,
    labels: tuple[str, ...],
) -> None:
    size = population.header.size
    step, neuron, _ = population.events_of(sample, sample + 1)
    title = f"{population.header.name}: {count(len(neuron))} messages"
    every = max(1, math.ceil(len(neuron) / MOST_MARKS))
    half = 0.4 * max(1.0, every, size / 60)  # a mark stays visible among many rows
    if other is None:
        _marks(axis, (step, neuron), every, half, SERIES[0], 1.0)
    else:
        late = other.header.hops - population.header.hops
        their_step, their_neuron, _ = other.events_of(sample, sample + 1)
        mine, theirs = step * size + neuron, (their_step - late) * size + their_neuron
        parts = (
            ("both", np.intersect1d(mine, theirs), MUTED, 1.0),
            (f"only {labels[0]}", np.setdiff1d(mine, theirs), SERIES[0], 2.2),
            (f"only {labels[1]}", np.setdiff1d(theirs, mine), SERIES[4], 2.2),
        )
        for label, keys, colour, width in parts:
            _marks(axis, np.divmod(keys, size), every, half, colour, width, label)
        apart = len(np.setxor1d(mine, theirs))
        title += f" and {count(len(their_neuron))}" + (f", {count(apart)} differ" if apart else "")
    if every > 1:
        title += f", 1 neuron in {every} drawn"
    axis.set_title(title, pad=3)
    axis.set_ylim(-0.5 - half, size - 0.5 + half)
    axis.set_yticks([0, size - 1] if size > 1 else [0])


def _marks(
    axis: Axes, marks: Marks, every: int, half: float, colour: str, width: float, label: str = ""
) -> None:
    step, neuron = marks
    kept = neuron % every == 0
    x = np.repeat(step[kept].astype(float), 3)
    y = np.repeat(neuron[kept].astype(float), 3)
    y[0::3] -= half
    y[1::3] += half
    y[2::3] = np.nan
    # One path for all marks keeps the page small: a collection writes one each.
    axis.plot(x, y, color=colour, linewidth=width, solid_capstyle="butt", label=label or None)
