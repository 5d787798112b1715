"""Who sits where on the chips: a floor plan, the memory of the fullest core, and a step's time.

Drawn as SVG of our own, so that it needs no plots extra. Colours are the page's, so that it reads
in light, dark and print; every name is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..chip import Placement
from ..chip.balance import core_seconds, link_seconds, neuron_events, neuron_seconds
from ..chip.resources import GROUPS, MEMORY
from ..errors import NeurodeployError
from ..numbers import count, si
from ..profiling import Profile
from ..profiling import profile as price
from ..recording import Recording
from .blocks import Block, Drawing, Note
from .report_sources import Sources

MOST_CHIPS = 4
"""Chips that are drawn; those with the fullest and the busiest core among them."""

CORE, GAP, WAY = 25, 2, 14
"""Points: side of a core, between cores of a tile, and between tiles, where the links lie."""

WIDTH = 520
"""Points of a drawing's width, which shrinks with the page."""

DIRECTIONS = ("east", "west", "south", "north")
"""In the order of `chip.routes`."""


class _Core(NamedTuple):
    """A core that holds something."""

    place: int
    population: int
    name: str
    percent: Mapping[str, float]
    used: Mapping[str, int]
    seconds: float

    @property
    def full(self) -> tuple[float, str]:
        """Percent of the resource that binds, and its name; one neuron group binds nothing."""
        return max((share, name) for name, share in self.percent.items() if name != GROUPS)


@dataclass(frozen=True)
class _Heat:
    """What a recording says of a placement, of a mean step.

    Attributes
    ----------
    cores : dict of str to float64 [cores]
        Seconds of work, by population.
    links : float64 [tiles, 4]
        Seconds that each link of the mesh is taken.
    updates : dict of str to float64 [cores]
        The part of `cores` that goes into neuron updates.
    profile : Profile
    """

    cores: Mapping[str, NDArray[np.float64]]
    links: NDArray[np.float64]
    updates: Mapping[str, NDArray[np.float64]]
    profile: Profile


def floor_plan(sources: Sources) -> list[Block]:
    """The blocks of the page: chips, memory of the fullest core, and the time of a step."""
    placement = sources.placement
    if not isinstance(placement, Placement) or not placement.cores_used:
        return []
    if any(part.counted is not None for part in placement.partitions):
        return [Note("There is no floor plan: more cores than the largest system has.")]
    heat = next((h for h in (_heat(placement, r) for r in sources.recordings) if h), None)
    cores = _cores(placement, heat)
    blocks: list[Block] = list(_chips(placement, cores, heat))
    fullest = max(cores, key=lambda core: core.full)
    share, binds = fullest.full
    caption = (
        f"What the fullest core holds: core {fullest.place}, of {fullest.name!r}, {share:.1f} % of "
        f"its {binds}."
    )
    blocks.append(Drawing(_memory(placement, fullest), caption))
    if heat is not None:
        blocks.append(_step(cores, heat))
    return blocks


def _heat(placement: Placement, recording: Recording) -> _Heat | None:
    """None where the recording is of another network or has no counts."""
    if recording.header.network != placement.network.fingerprint or not recording.samples:
        return None
    chip, steps = placement.chip, recording.samples * recording.steps
    cores, updates = {}, {}
    try:
        for part in placement.partitions:
            name = part.population.name
            each = {name: neuron_seconds(recording, placement, name)}
            _, synops = neuron_events(placement.laid_out, recording, name, stored=True)
            rest = {name: each[name] - synops * chip["synop_time"] / steps}
            cores[name] = core_seconds(placement, each, name)
            updates[name] = core_seconds(placement, rest, name)
        links = link_seconds(placement, recording)
        return _Heat(cores, links, updates, price(recording, chip, placement))
    except NeurodeployError:  # no counts of a population
        return None


def _cores(placement: Placement, heat: _Heat | None) -> list[_Core]:
    found = []
    for number, part in enumerate(placement.partitions, 1):
        name = part.population.name
        limits = placement.limits[name]
        busy = heat.cores[name] if heat else np.zeros(part.cores)
        for place, used, seconds in zip(placement.places_of(name), part.used, busy, strict=True):
            percent = {r: 100 * used[r] / limit for r, limit in limits.items()}
            found.append(_Core(int(place), number, name, percent, used, float(seconds)))
    return found


def _chips(placement: Placement, cores: Sequence[_Core], heat: _Heat | None) -> list[Block]:
    per_chip = placement.chip.limit("cores_per_chip")
    on: dict[int, list[_Core]] = {}
    for core in cores:
        on.setdefault(core.place // per_chip, []).append(core)
    hottest = max(cores, key=lambda core: core.seconds) if heat else None
    fullest = max(cores, key=lambda core: core.full)
    first = [core.place // per_chip for core in (hottest, fullest) if core]
    shown = sorted(list(dict.fromkeys([*first, *sorted(on)]))[:MOST_CHIPS])
    links = heat.links if heat and len(on) == 1 else None
    blocks: list[Block] = [
        Note(
            "A core's number is that of its population in the table above. It is coloured as high "
            "as it is full of what binds it; one that is too full is coloured whole, in red."
        )
    ]
    for chip in shown:
        svg = _chip(placement, on[chip], chip * per_chip, hottest, links)
        which = "The chip" if len(on) == 1 else f"Chip {chip + 1} of {len(on)}"
        caption = (
            f"{which}: {len(on[chip])} of {per_chip} usable cores, in tiles of "
            f"{placement.chip.limit('cores_per_tile')}."
        )
        if hottest and hottest.place // per_chip == chip:
            caption += (
                f" Framed: the hottest core, {hottest.place}, of {hottest.name!r}, at work for "
                f"{si(hottest.seconds, 's')} of a mean step (estimated)."
            )
        if links is not None and links.any():
            tile, way = np.unravel_index(int(links.argmax()), links.shape)
            caption += (
                f" Lines: links of the mesh, wider the longer they are taken; the hottest leads "
                f"{DIRECTIONS[way]} from tile {tile}, {si(float(links.max()), 's')} (estimated)."
            )
        blocks.append(Drawing(svg, caption))
    if len(shown) < len(on):
        blocks.append(Note(f"{count(len(on) - len(shown))} more chips are not drawn."))
    return blocks


def _chip(
    placement: Placement,
    cores: Sequence[_Core],
    first: int,
    hottest: _Core | None,
    links: NDArray[np.float64] | None,
) -> str:
    chip = placement.chip
    per_tile, per_chip = chip.limit("cores_per_tile"), chip.limit("cores_per_chip")
    across = chip.limit("tiles_per_row") if "tiles_per_row" in chip.constants else 8
    square = math.ceil(math.sqrt(per_tile))  # cores of a tile side by side
    pitch = square * (CORE + GAP) - GAP + WAY
    tiles = math.ceil(per_chip / per_tile)
    size = across * pitch + WAY, math.ceil(tiles / across) * pitch + WAY
    parts = [
        f'<rect x="1" y="1" width="{size[0] - 2}" height="{size[1] - 2}" rx="6" fill="none" '
        f'stroke="var(--rule)"/>'
    ]

    def corner(number: int) -> tuple[int, int]:
        tile, core = divmod(number, per_tile)
        x = WAY + tile % across * pitch + core % square * (CORE + GAP)
        y = WAY + tile // across * pitch + core // square * (CORE + GAP)
        return x, y

    if links is not None:
        parts += _links(links, across, pitch)
    held = {core.place - first: core for core in cores}
    for number in range(per_chip):
        x, y = corner(number)
        core = held.get(number)
        if core is None:
            parts.append(
                f'<rect x="{x}" y="{y}" width="{CORE}" height="{CORE}" rx="2" fill="var(--track)"/>'
            )
        else:
            parts.append(_core(core, x, y, core is hottest))
    return _svg(size, parts)


def _core(core: _Core, x: int, y: int, hot: bool) -> str:
    share, binds = core.full
    high = CORE * min(1.0, share / 100)
    colour = "var(--bad)" if share > 100 else f"var(--series-{(core.population - 1) % 6 + 1})"
    says = f"core {core.place}: {core.name}, {share:.1f} % of its {binds}"
    if core.seconds:
        says += f", {si(core.seconds, 's')} of a mean step"
    frame = 'stroke="var(--bad)" stroke-width="3"' if hot else f'stroke="{colour}"'
    return (
        f"<g><title>{escape(says)}</title>"
        f'<rect x="{x}" y="{y}" width="{CORE}" height="{CORE}" rx="2" fill="var(--page)"/>'
        f'<rect x="{x}" y="{y + CORE - high:.1f}" width="{CORE}" height="{high:.1f}" rx="2" '
        f'fill="{colour}" fill-opacity="0.45"/>'
        f'<rect x="{x}" y="{y}" width="{CORE}" height="{CORE}" rx="2" fill="none" {frame}/>'
        f'<text x="{x + CORE / 2}" y="{y + CORE / 2 + 4}" text-anchor="middle" font-size="12" '
        f'fill="currentColor">{core.population}</text></g>'
    )


def _links(links: NDArray[np.float64], across: int, pitch: int) -> list[str]:
    """Lines between tiles: east and south of the middle's one side, west and north of the other."""
    most, inner = float(links.max()), pitch - WAY
    drawn = []
    if not most:
        return []
    order = sorted(np.argwhere(links > 0).tolist(), key=lambda at: links[at[0], at[1]])
    for tile, way in order:
        x, y = WAY + tile % across * pitch, WAY + tile // across * pitch
        aside = 4 if way in (0, 2) else -4
        middle = inner / 2 + aside
        ends = {
            0: (x + inner, y + middle, x + pitch, y + middle),
            1: (x, y + middle, x - WAY, y + middle),
            2: (x + middle, y + inner, x + middle, y + pitch),
            3: (x + middle, y, x + middle, y - WAY),
        }[way]
        share = float(links[tile, way]) / most
        colour = "var(--bad)" if share == 1 else "var(--muted)"
        says = (
            f"{DIRECTIONS[way]} of tile {tile}: {si(float(links[tile, way]), 's')} of a mean step"
        )
        drawn.append(
            '<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" '.format(*ends)
            + f'stroke="{colour}" stroke-width="{0.75 + 4.5 * share:.2f}">'
            f"<title>{escape(says)}</title></line>"
        )
    return drawn


class _Bar(NamedTuple):
    """Parts of a bar that lie end to end: name, size and colour of each."""

    label: str
    parts: Sequence[tuple[str, float, str]]
    says: str


def _memory(placement: Placement, core: _Core) -> str:
    """The pool of a core's memory as one bar, where the chip has one, and each limit as another."""
    limits = placement.limits[core.name]
    names = [name for name in limits if name != MEMORY]
    bars = []
    if MEMORY in limits:
        parts = [
            (name, core.used[name] / limits[MEMORY], f"var(--series-{i % 6 + 1})")
            for i, name in enumerate(names)
            if core.used[name]
        ]
        says = f"{core.used[MEMORY]:,} of {limits[MEMORY]:,}"
        bars.append(_Bar(MEMORY, parts, says))
    bars += [
        _Bar(
            name,
            [(name, core.used[name] / limits[name], f"var(--series-{i % 6 + 1})")],
            f"{core.used[name]:,} of {limits[name]:,}",
        )
        for i, name in enumerate(names)
    ]
    return _bars(bars)


def _step(cores: Sequence[_Core], heat: _Heat) -> Block:
    """Where the time of a mean step goes, on the busiest core and link."""
    hottest = max(cores, key=lambda core: core.seconds)
    busy = heat.cores[hottest.name]
    updates = float(heat.updates[hottest.name][int(busy.argmax())])
    link, whole = float(heat.links.max()), heat.profile.seconds_per_step
    most = max(whole, hottest.seconds, link)
    work = max(hottest.seconds, link)
    bars = [
        _Bar(
            f"core {hottest.place}, {hottest.name}",
            [
                ("neuron updates", updates / most, "var(--series-2)"),
                ("synapses read", (hottest.seconds - updates) / most, "var(--series-1)"),
            ],
            f"updates {si(updates, 's')}, synapses {si(hottest.seconds - updates, 's')}",
        ),
        _Bar("hottest link", [("link", link / most, "var(--series-3)")], si(link, "s")),
        _Bar(
            "whole step",
            [
                ("the longer of these", min(work, whole) / most, "var(--muted)"),
                ("the rest", max(0.0, whole - work) / most, "var(--series-4)"),
            ],
            f"{si(whole, 's')}, of which {si(max(0.0, whole - work), 's')} the rest",
        ),
    ]
    caption = (
        f"The time of a mean step ({heat.profile.label}, estimated), bound by: "
        f"{heat.profile.bound}. The rest is the barrier, and what steps that are busier than the "
        f"mean take more."
    )
    return Drawing(_bars(bars), caption)


def _bars(bars: Sequence[_Bar]) -> str:
    row, high = 42, 14
    parts = []
    for number, bar in enumerate(bars):
        y = number * row
        label = bar.label if len(bar.label) <= 36 else f"{bar.label[:35]}\u2026"
        parts.append(
            f'<text x="0" y="{y + 14}" font-size="14" fill="currentColor">{escape(label)}</text>'
            f'<text x="{WIDTH}" y="{y + 14}" font-size="13" text-anchor="end" '
            f'fill="var(--muted)">{escape(bar.says)}</text>'
            f'<rect x="0" y="{y + 20}" width="{WIDTH}" height="{high}" rx="2" fill="var(--track)"/>'
        )
        x = 0.0
        for name, share, colour in bar.parts:
            wide = min(max(0.0, share) * WIDTH, WIDTH - x)
            parts.append(
                f'<rect x="{x:.2f}" y="{y + 20}" width="{wide:.2f}" height="{high}" '
                f'fill="{colour}"><title>{escape(name)}</title></rect>'
            )
            x += wide
    return _svg((WIDTH, len(bars) * row), parts)


def _svg(size: tuple[int, int], parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {size[0]} {size[1]}" style="min-width:0;max-width:{WIDTH * 1.15:g}px">'
        + "".join(parts)
        + "</svg>"
    )
