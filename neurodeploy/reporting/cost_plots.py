"""Where and when a profile's energy goes: populations, time, activity, cores."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from ..numbers import si
from ..profiling import Profile
from ..profiling.slices import Core, Point, Stretch
from .plots import drawing, label_rows, quiet
from .pointer_texts import HoverPanel, Series, hover_json
from .svg import INK, MUTED, SERIES, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SYNAPSES, NEURONS, STATIC_COLOUR = SERIES[0], SERIES[1], SERIES[3]

MOST_BARS = 20
"""Populations or cores; more are left to the tables."""

CORES_SHOWN = 12


def population_energy(profile: Profile) -> str:
    """Dynamic energy of each population: its synapses, and its updates and messages."""
    each = next(p.joules_each for p in profile.parts if p.kind == "synaptic operation")
    shown = sorted(profile.per_population, key=lambda p: -p.dynamic_joules)[:MOST_BARS]
    names = {p.name for p in shown}
    shares = [p for p in profile.per_population if p.name in names]
    synapses = [min(p.synops * each, p.dynamic_joules) for p in shares]
    rest = [p.dynamic_joules - s for p, s in zip(shares, synapses, strict=True)]
    rows = range(len(shares))
    with drawing(0.85 + 0.24 * len(shares)) as figure:
        axis = figure.subplots()
        axis.barh(rows, synapses, height=0.62, color=SYNAPSES, label="synaptic operations")
        bars = axis.barh(
            rows, rest, left=synapses, height=0.62, color=NEURONS, label="updates and messages"
        )
        totals = [si(p.dynamic_joules, "J") for p in shares]
        axis.bar_label(bars, totals, padding=3, fontsize=7, color=MUTED)
        _cost_rows(axis, [p.name for p in shares])
        axis.set_xlabel("dynamic energy per inference")
        axis.xaxis.set_major_formatter(lambda value, _: si(value, "J"))
        figure.legend(loc="outside upper left", ncols=2)
        return to_svg(figure)


def power_over_time(stretches: Sequence[Stretch]) -> tuple[str, str]:
    """Power and the time of a step, stretch by stretch.

    Returns
    -------
    svg, hover : str
    """
    edges = [float(s.first) for s in stretches] + [float(stretches[-1].stop)]
    static = [s.profile.static_joules / s.profile.seconds for s in stretches]
    total = [s.profile.watts for s in stretches]
    steps = [s.profile.seconds_per_step for s in stretches]
    with drawing(2.9) as figure:
        power, step = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        power.stairs(
            total, edges, baseline=static, fill=True, color=SYNAPSES, label="dynamic power"
        )
        power.stairs(static, edges, fill=True, color=STATIC_COLOUR, label="static power")
        power.set(ylim=(0, 1.15 * max(total)), ylabel="power")
        power.yaxis.set_major_formatter(lambda value, _: si(value, "W"))
        step.stairs(steps, edges, color=NEURONS, linewidth=1.6, baseline=None)
        step.set(ylim=(0, 1.15 * max(steps)), ylabel="time of a step")
        step.yaxis.set_major_formatter(lambda value, _: si(value, "s"))
        step.set(xlabel="time step (chip clock)", xlim=(edges[0], edges[-1]))
        step.xaxis.get_major_locator().set_params(integer=True)
        for axis in (power, step):
            quiet(axis, "y")
        figure.legend(loc="outside upper left", ncols=2)
        svg = to_svg(figure)
        middles: list[float | int] = [(a + b) / 2 for a, b in pairwise(edges)]
        watts: list[Series] = [
            ("power, W", middles, [_three(x) for x in total]),
            ("static, W", middles, [_three(x) for x in static]),
        ]
        times: list[Series] = [("a step, µs", middles, [_three(1e6 * x) for x in steps])]
        panels = [
            HoverPanel.of(power, "step", "W", watts),
            HoverPanel.of(step, "step", "s", times),
        ]
    return svg, hover_json(panels)


def cost_against_sparsity(
    curve: Sequence[Point], samples: Sequence[Point], recorded: Point
) -> tuple[str, str]:
    """Energy per inference over activation sparsity: the model's curve, samples, their mean.

    Returns
    -------
    svg, hover : str
    """
    line = sorted(curve, key=lambda point: point.sparsity)
    x: list[float | int] = [100 * point.sparsity for point in line]
    with drawing(2.5) as figure:
        axis = figure.subplots()
        total = [point.profile.energy_joules for point in line]
        dynamic = [point.profile.dynamic_joules for point in line]
        axis.plot(x, total, color=INK, linewidth=1.3, label="total")
        axis.plot(x, dynamic, color=SYNAPSES, linewidth=1.3, linestyle="--", label="dynamic")
        if len(samples) > 1:
            axis.plot(
                [100 * point.sparsity for point in samples],
                [point.profile.energy_joules for point in samples],
                linestyle="none", marker="o", markersize=3, markerfacecolor="none",
                color=NEURONS, label=f"{len(samples)} samples",
            )  # fmt: skip
        place = (100 * recorded.sparsity, recorded.profile.energy_joules)
        axis.plot(*place, marker="o", markersize=6, linestyle="none", color=INK, label="recorded")
        axis.set(ylim=(0, 1.08 * max(total)), xlabel="activation sparsity, %")
        axis.set_ylabel("energy per inference")
        axis.yaxis.set_major_formatter(lambda value, _: si(value, "J"))
        quiet(axis, "both")
        figure.legend(loc="outside upper left", ncols=4)
        svg = to_svg(figure)
        microjoules: list[Series] = [
            ("total, µJ", x, [_three(1e6 * joules) for joules in total]),
            ("dynamic, µJ", x, [_three(1e6 * joules) for joules in dynamic]),
        ]
        panels = [HoverPanel.of(axis, "sparsity, %", "J", microjoules)]
    return svg, hover_json(panels)


def busiest_cores(cores: Sequence[Core]) -> str:
    """Time that the busiest cores work in a mean step, and all cores in order."""
    shown = cores[:CORES_SHOWN]
    populations = list(dict.fromkeys(core.population for core in shown))
    with drawing(max(1.6, 0.7 + 0.2 * len(shown))) as figure:
        bars, all_cores = figure.subplots(1, 2, width_ratios=(3, 2))
        bars.barh(
            range(len(shown)),
            [core.seconds for core in shown],
            height=0.66,
            color=[SERIES[populations.index(c.population) % len(SERIES)] for c in shown],
        )
        bars.bar_label(
            bars.containers[0],
            [si(core.seconds, "s") for core in shown],
            padding=3, fontsize=7, color=MUTED,
        )  # fmt: skip
        _cost_rows(bars, [f"{core.population}, core {core.number}" for core in shown])
        bars.set_xlabel("busy in a step: the busiest")
        seconds = [core.seconds for core in cores]
        all_cores.stairs(
            seconds, [i + 0.5 for i in range(len(cores) + 1)], fill=True, color=SERIES[5]
        )
        all_cores.set(xlabel="all cores, in order", xlim=(0.5, len(cores) + 0.5))
        all_cores.set_ylim(0, 1.1 * (max(seconds) or 1.0))
        all_cores.xaxis.get_major_locator().set_params(integer=True)
        quiet(all_cores, "y")
        bars.xaxis.set_major_formatter(lambda value, _: si(value, "s"))
        all_cores.yaxis.set_major_formatter(lambda value, _: si(value, "s"))
        return to_svg(figure)


def _cost_rows(axis: Axes, names: Sequence[str]) -> None:
    label_rows(axis, names)
    axis.margins(x=0.12, y=0.02)
    axis.locator_params(axis="x", nbins=5)


def _three(value: float) -> float:
    """Three digits, for what the pointer is told."""
    return float(f"{value:.3g}")
