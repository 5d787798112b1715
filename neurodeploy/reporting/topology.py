"""The network as a graph: a box for each population, a line for each projection."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from html import escape
from typing import NamedTuple

from ..network import Network, Population, Projection
from ..numbers import count, shape
from .report_sources import StepLike

MOST_POPULATIONS = 60
"""Drawn; a longer network is a table."""

BOX, HIGH, BESIDE, BELOW, LANE = 168, 56, 20, 44, 12
"""Points: width and height of a box, gaps beside and below it, and between lines at the side."""

_MOST_LETTERS = 22


class _Place(NamedTuple):
    x: float
    y: float
    row: int


def topology(network: Network, steps: Iterable[StepLike] = ()) -> str:
    """Draw a network from the input, above, to the output, below.

    Parameters
    ----------
    network : Network
    steps : iterable of Step
        What brought it to its target: populations and projections that these name are dashed.

    Returns
    -------
    str
        SVG in the page's colours; empty for more than `MOST_POPULATIONS` populations.
    """
    if len(network) > MOST_POPULATIONS:
        return ""
    changed: defaultdict[str, list[str]] = defaultdict(list)
    for step in steps:
        for element in step.elements:
            changed[element].append(step.name)
    rows = _rows(network)
    wide = max(map(len, rows.values())) * (BOX + BESIDE) - BESIDE
    places = {
        population.name: _Place(
            (wide - len(row) * (BOX + BESIDE) + BESIDE) / 2 + i * (BOX + BESIDE),
            4 + number * (HIGH + BELOW),
            number,
        )
        for number, row in rows.items()
        for i, population in enumerate(row)
    }
    lanes, parts = 0, []
    for (source, target), between in _between(network).items():
        start, end = places[source], places[target]
        beside = end.row != start.row + 1
        lanes += beside
        parts.append(_line(start, end, wide + lanes * LANE if beside else 0, between, changed))
    parts += [_box(population, places[population.name], network, changed) for population in network]
    width = wide + (lanes + 1) * LANE + (90 if lanes else 0)
    height = len(rows) * (HIGH + BELOW) - BELOW + 8
    arrow = (
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="var(--muted)"/></marker>'
        "</defs>"
    )
    style = f"min-width:{min(width, 340):.0f}px;max-width:{width * 1.1:.0f}px"
    return f'<svg viewBox="0 0 {width:.0f} {height}" style="{style}">{arrow}{"".join(parts)}</svg>'


def _rows(network: Network) -> dict[int, list[Population]]:
    """Populations by how many projections lead to them on the longest way."""
    depth: dict[str, int] = {}
    rows: defaultdict[int, list[Population]] = defaultdict(list)
    for population in network:  # sources stand before their targets
        into = [p for p in network.into(population.name) if not network.closes(p)]
        depth[population.name] = max((depth[p.source] + 1 for p in into), default=0)
        rows[depth[population.name]].append(population)
    return rows


def _between(network: Network) -> dict[tuple[str, str], list[Projection]]:
    found: defaultdict[tuple[str, str], list[Projection]] = defaultdict(list)
    for projection in network.projections:
        found[projection.source, projection.target].append(projection)
    return found


def _box(
    population: Population, at: _Place, network: Network, changed: Mapping[str, list[str]]
) -> str:
    name, neuron = population.name, population.neuron.kind
    says = f"{name}: {count(population.size)} {neuron} neurons, hops {network.hops(name)}"
    delay = population.axon_delay
    further = ""
    if delay is not None and delay.size and delay.max():
        further = f", delay to {delay.max()}"
        says += f", axon delays {delay.min()} to {delay.max()} steps"
    dash = ""
    if name in changed:
        dash = ' stroke-dasharray="5 3"'
        says += f"; changed by {', '.join(changed[name])}"
    lines = (
        (name, 18, 12, "600", "currentColor"),
        (f"{neuron}{further}", 34, 10.5, "400", "var(--muted)"),
        (f"{shape(population.shape)}", 48, 10.5, "400", "var(--muted)"),
    )
    texts = "".join(
        f'<text x="{at.x + BOX / 2:.1f}" y="{at.y + down}" text-anchor="middle" '
        f'font-size="{size}" font-weight="{weight}" fill="{colour}">{escape(_cut(text))}</text>'
        for text, down, size, weight, colour in lines
    )
    return (
        f"<g><title>{escape(says)}</title>"
        f'<rect x="{at.x:.1f}" y="{at.y}" width="{BOX}" height="{HIGH}" rx="5" '
        f'fill="var(--panel)" stroke="var(--series-1)"{dash}/>{texts}</g>'
    )


def _line(
    start: _Place,
    end: _Place,
    lane: float,
    between: list[Projection],
    changed: Mapping[str, list[str]],
) -> str:
    """A line to the next row, or by a lane at the side to any other."""
    kinds = " + ".join(dict.fromkeys(p.synapse.kind for p in between))
    label = kinds + (f" x {len(between)}" if len(between) > 1 else "")
    delays = [d for p in between if (d := getattr(p.synapse, "delay", None)) is not None]
    longest = max((int(d.max(initial=0)) for d in delays if hasattr(d, "max")), default=0)
    if longest:
        label += f", delay to {longest}"
    steps = [name for p in between for name in changed.get(p.name, ())]
    says = f"{', '.join(p.name for p in between)}: {label}"
    says += f"; changed by {', '.join(steps)}" * bool(steps)
    if lane:
        y, to = start.y + HIGH * 0.7, end.y + HIGH * 0.3
        path = f"M{start.x + BOX:.1f} {y:.1f}H{lane:.1f}V{to:.1f}H{end.x + BOX:.1f}"
        text = (lane + 4, (y + to) / 2 + 4, "start")
    else:
        x, to_x = start.x + BOX / 2, end.x + BOX / 2
        y, to = start.y + HIGH, end.y - 1
        path = f"M{x:.1f} {y}C{x:.1f} {y + BELOW / 2} {to_x:.1f} {to - BELOW / 2} {to_x:.1f} {to}"
        text = ((x + to_x) / 2 + 7, (y + to) / 2 + 4, "start")
    dash = ' stroke-dasharray="5 3"' if steps else ""
    return (
        f"<g><title>{escape(says)}</title>"
        f'<path d="{path}" fill="none" stroke="var(--muted)"{dash} marker-end="url(#arrow)"/>'
        f'<text x="{text[0]:.1f}" y="{text[1]:.1f}" text-anchor="{text[2]}" font-size="10" '
        f'fill="var(--muted)">{escape(_cut(label))}</text></g>'
    )


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 1]}…"
