"""Who sent when, in one sample: of one recording, or of two laid over each other."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..comparison import Divergence
from ..numbers import count
from ..recording import PopulationRecord, Recording
from .plots import MOST_PANELS, WIDTH, drawing
from .pointer_texts import HoverPanel, hover_json
from .svg import MUTED, SERIES, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_MARKS = 4000
"""Per panel of a raster; beyond it every k-th neuron is drawn, and the panel says so."""

TALLEST, WIDEST, THINNEST = 4.5, 4.0, 1.4
"""Points: the height that a mark has at least, and between which widths it is."""


class Raster(NamedTuple):
    """One sample drawn.

    Attributes
    ----------
    svg : str
        Empty where no population has spikes.
    hover : str
        See `pointer_texts.hover_json`.
    sent : str
        JSON, a panel each: the population's name, its size, every how many neurons one is
        drawn and the first that is, and by label which neuron that is drawn sent in which steps.
    omitted : tuple of str
        Populations beyond `plots.MOST_PANELS`.
    """

    svg: str
    hover: str
    sent: str
    omitted: tuple[str, ...]


class _Look(NamedTuple):
    """Every how many neurons one is drawn, and the first that is; how large a mark is.

    Half its height in neurons, its width in points.
    """

    every: int
    first: int
    half: float
    width: float

    def bolder(self) -> _Look:
        """Of what differs."""
        return self._replace(width=1.5 * self.width)


class _Marks(NamedTuple):
    """Messages of one side: steps on the clock that is shown, and neurons."""

    step: NDArray[np.integer[Any]]
    neuron: NDArray[np.integer[Any]]

    def keys(self, size: int) -> NDArray[np.integer[Any]]:
        """One number for each message."""
        return self.step * size + self.neuron

    def drawn(self, look: _Look) -> _Marks:
        """Those of the neurons that are drawn."""
        kept = self.neuron % look.every == look.first
        return _Marks(self.step[kept], self.neuron[kept])

    def by_neuron(self) -> dict[int, list[int]]:
        """Steps in which each neuron sent."""
        found: dict[int, list[int]] = {}
        for step, neuron in zip(self.step.tolist(), self.neuron.tolist(), strict=True):
            found.setdefault(neuron, []).append(step)
        return found


def raster(
    recording: Recording,
    sample: int = 0,
    divergence: Divergence | None = None,
    other: Recording | None = None,
    labels: tuple[str, ...] = (),
    picked: tuple[str, int] | None = None,
) -> Raster:
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
    picked : (str, int) or None
        Population and number of a neuron that is among those drawn.

    Returns
    -------
    Raster
    """
    names = [name for name in recording.names if recording[name].has("spikes")]
    shown = names[:MOST_PANELS]
    if not shown:
        return Raster("", "[]", "[]", ())
    heights = [0.45 + min(1.0, math.sqrt(recording[n].header.size) / 24) for n in shown]
    with drawing(sum(heights) + 0.32 * len(shown) + (0.6 if other else 0.3)) as figure:
        axes = figure.subplots(len(shown), 1, sharex=True, squeeze=False, height_ratios=heights)
        sent = []
        for name, axis, height in zip(shown, axes[:, 0], heights, strict=True):
            beside = _counterpart(recording[name], other)
            number = picked[1] if picked is not None and picked[0] == name else 0
            sent.append(_panel(axis, recording[name], beside, sample, labels, height, number))
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
    return Raster(
        svg, hover_json(panels), json.dumps(sent, separators=(",", ":")),
        tuple(names[MOST_PANELS:]),
    )  # fmt: skip


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
    height: float,
    picked: int,
) -> dict[str, Any]:
    """Draw a population; give what `Raster.sent` says of it."""
    size = population.header.size
    step, neuron, _ = population.events_of(sample, sample + 1)
    title = f"{population.header.name}: {count(len(neuron))} messages"
    every = max(1, math.ceil(len(neuron) / MOST_MARKS))
    # A mark stays visible among many rows and steps, and no wider than its step.
    half = max(0.4 * every, TALLEST / 2 * size / (72 * height))
    step_width = 0.7 * 72 * WIDTH / max(1, population.steps)
    look = _Look(every, picked % every, half, min(WIDEST, max(THINNEST, step_width)))
    mine = _Marks(step, neuron)
    sides = {labels[0] if labels else "": mine}
    if other is None:
        _draw(axis, mine, look, SERIES[0])
    else:
        late = other.header.hops - population.header.hops
        their_step, their_neuron, _ = other.events_of(sample, sample + 1)
        theirs = sides[labels[1]] = _Marks(their_step - late, their_neuron)
        ours, others = mine.keys(size), theirs.keys(size)
        parts = (
            ("both", np.intersect1d(ours, others), MUTED, look),
            (f"only {labels[0]}", np.setdiff1d(ours, others), SERIES[0], look.bolder()),
            (f"only {labels[1]}", np.setdiff1d(others, ours), SERIES[4], look.bolder()),
        )
        for label, keys, colour, how in parts:
            _draw(axis, _Marks(*np.divmod(keys, size)), how, colour, label)
        apart = len(np.setxor1d(ours, others))
        title += f" and {count(len(their_neuron))}" + (f", {count(apart)} differ" if apart else "")
    if every > 1:
        title += f", 1 neuron in {every} drawn"
    axis.set_title(title, pad=3)
    axis.set_ylim(-0.5 - half, size - 0.5 + half)
    axis.set_yticks([0, size - 1] if size > 1 else [0])
    sent = {label: marks.drawn(look).by_neuron() for label, marks in sides.items()}
    return {
        "name": population.header.name, "size": size, "every": every, "first": look.first,
        "sent": sent,
    }  # fmt: skip


def _draw(axis: Axes, marks: _Marks, look: _Look, colour: str, label: str = "") -> None:
    drawn = marks.drawn(look)
    x = np.repeat(drawn.step.astype(float), 3)
    y = np.repeat(drawn.neuron.astype(float), 3)
    y[0::3] -= look.half
    y[1::3] += look.half
    y[2::3] = np.nan
    # One path for all marks keeps the page small: a collection writes one each.
    axis.plot(x, y, color=colour, linewidth=look.width, solid_capstyle="butt", label=label or None)
