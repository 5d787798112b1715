"""Drawings for a notebook or a paper: each takes axes of matplotlib, or makes some, and gives them.

They need matplotlib (extra ``plots``), which is imported when the first one is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..chip import Placement
from ..errors import InputError, how_to_add
from ..network import Network
from ..profiling import Profile
from ..recording import PopulationRecord
from .svg import SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["cores", "energy", "raster", "traces", "weights"]


def raster(record: PopulationRecord, sample: int = 0, ax: Axes | None = None) -> Axes:
    """Draw who sent when, in one sample.

    Parameters
    ----------
    record : PopulationRecord
        With spikes.
    sample : int
    ax : Axes, optional
        Where to draw; new axes by default.

    Returns
    -------
    Axes
        Steps of the chip clock, and neurons in (C, H, W) order; payloads are not told apart.

    Raises
    ------
    RecordingError
        If spikes were not recorded.
    InputError
        If there is no such sample, or no matplotlib.

    Examples
    --------
    >>> ax = nd.plot.raster(rec["0_dense"], sample=3)  # doctest: +SKIP
    """
    _check_sample(record, sample)
    step, neuron, _ = record.events_of(sample, sample + 1)
    ax = _axes(ax)
    ax.plot(step, neuron, "|", color=SERIES[0], markersize=max(2.0, 120 / record.header.size))
    ax.set(xlim=(-0.5, record.steps - 0.5), ylim=(-0.5, record.header.size - 0.5))
    ax.set(xlabel="time step", ylabel="neuron", title=f"{record.header.name}, sample {sample}")
    return ax


def traces(
    record: PopulationRecord,
    state: str = "v",
    neurons: Sequence[int] = (0,),
    sample: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw a state of some neurons over the steps of one sample.

    Parameters
    ----------
    record : PopulationRecord
        With this state.
    state : str
        Such as ``u`` or ``v``.
    neurons : sequence of int
        In (C, H, W) order, from 0.
    sample : int
    ax : Axes, optional
        Where to draw; new axes by default.

    Returns
    -------
    Axes
        Steps of the chip clock, and the state's own integers.

    Raises
    ------
    RecordingError
        If the state was not recorded.
    InputError
        If there is no such sample or neuron, or no matplotlib.

    Examples
    --------
    >>> ax = nd.plot.traces(rec["1_dense"], "v", neurons=range(3))  # doctest: +SKIP
    """
    values = record.state_of(state, sample, sample + 1) if sample >= 0 else record[state][:0]
    if not len(values):
        raise InputError(f"sample {sample}: not in this recording; count from 0")
    values = values[0].reshape(record.steps, record.header.size)
    for neuron in neurons:
        if not 0 <= neuron < record.header.size:
            raise InputError(
                f"neuron {neuron}: population {record.header.name!r} has neurons 0 to "
                f"{record.header.size - 1}; give one of these"
            )
    ax = _axes(ax)
    for neuron in neurons:
        ax.plot(values[:, neuron], label=f"neuron {neuron}")
    ax.set(xlabel="time step", ylabel=state, title=f"{record.header.name}, sample {sample}")
    ax.legend(frameon=False)
    return ax


def weights(net: Network, projection: str, ax: Axes | None = None) -> Axes:
    """Draw how many weights of a projection have which value.

    Parameters
    ----------
    net : Network
    projection : str
        Its name, ``source->target``.
    ax : Axes, optional
        Where to draw; new axes by default.

    Returns
    -------
    Axes
        Weights as the network holds them; the chip's integers, unless it is in float32.

    Raises
    ------
    InputError
        If there is no such projection, it has no weights, or there is no matplotlib.

    Examples
    --------
    >>> ax = nd.plot.weights(net, "0_dense->1_dense")  # doctest: +SKIP
    """
    found = {p.name: p for p in net.projections}
    if projection not in found:
        raise InputError(f"no projection {projection!r}; there are {', '.join(found)}")
    held = [w.ravel() for w in found[projection].synapse.arrays() if w.ndim and w.size]
    if not held:
        raise InputError(f"projection {projection}: has no weights; draw another")
    values = np.concatenate(held)
    whole = not np.issubdtype(values.dtype, np.floating) and np.ptp(values) < 512
    bins = np.arange(values.min() - 0.5, values.max() + 1).tolist() if whole else 64
    ax = _axes(ax)
    ax.hist(values, bins=bins, color=SERIES[0])
    ax.set(xlabel="weight", ylabel="number", title=projection, yscale="log")
    return ax


def energy(profiles: Profile | Sequence[Profile], ax: Axes | None = None) -> Axes:
    """Draw the energy of an inference, dynamic and static, with its band.

    Parameters
    ----------
    profiles : Profile or sequence of Profile
        A bar for each.
    ax : Axes, optional
        Where to draw; new axes by default.

    Returns
    -------
    Axes
        Joules. The line over a bar is the band of an estimate; what was measured has none.

    Raises
    ------
    InputError
        If no profile knows its energy, or there is no matplotlib.

    Examples
    --------
    >>> ax = nd.plot.energy([nd.profile(rec, "loihi1"), nd.profile(rec)])  # doctest: +SKIP
    """
    asked = [profiles] if isinstance(profiles, Profile) else list(profiles)
    shown = [p for p in asked if not math.isnan(p.energy_joules)]
    if not shown:
        raise InputError("energy: no profile with a known energy; give at least one")
    ax = _axes(ax)
    for i, p in enumerate(shown):
        split = not math.isnan(p.dynamic_joules)
        first = p.dynamic_joules if split else p.energy_joules
        ax.bar(i, first, color=SERIES[0], label="dynamic" if split else "all")
        if split:
            ax.bar(i, p.static_joules, bottom=first, color=SERIES[1], label="static")
        if p.band is not None:
            ax.vlines(i, p.band.low_joules, p.band.high_joules, color="black", linewidth=1)
    ax.set_xticks(range(len(shown)), [f"{p.label}\n{p.kind}" for p in shown])
    ax.set(ylabel="energy per inference, J")
    handles, labels = ax.get_legend_handles_labels()
    named = dict(zip(labels, handles, strict=True))
    ax.legend(named.values(), named.keys(), frameon=False)
    return ax


def cores(placement: Placement, ax: Axes | None = None) -> Axes:
    """Draw how full each core is, by the resource that binds it.

    Parameters
    ----------
    placement : Placement
    ax : Axes, optional
        Where to draw; new axes by default.

    Returns
    -------
    Axes
        A bar for each core in use, in percent of the limit; a colour for each population.

    Raises
    ------
    InputError
        If there is no matplotlib.

    Examples
    --------
    >>> ax = nd.plot.cores(nd.fit(net))  # doctest: +SKIP
    """
    binds = {u.population: u.binds for u in placement.per_population}
    bars: dict[str, list[tuple[int, float]]] = {}
    for number, (name, percent) in enumerate(placement.per_core):
        bars.setdefault(name, []).append((number, percent[binds[name]]))
    ax = _axes(ax)
    for i, (name, of_population) in enumerate(bars.items()):
        label = f"{name}: {binds[name]}"
        ax.bar(*zip(*of_population, strict=True), color=SERIES[i % len(SERIES)], label=label)
    ax.axhline(100, color="black", linewidth=0.8)
    ax.set(xlabel="core", ylabel="percent of the limit", title=placement.chip.name)
    if bars:
        ax.legend(frameon=False)
    return ax


def _check_sample(record: PopulationRecord, sample: int) -> None:
    samples = len(record.step_counts)
    if not 0 <= sample < samples:
        raise InputError(f"sample {sample}: this recording has samples 0 to {samples - 1}")


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise InputError(f"drawings need matplotlib: {how_to_add('plots')}") from error
    return pyplot.subplots(layout="constrained")[1]
