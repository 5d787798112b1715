"""The page's section on energy and time: every figure with its tag, band and sources."""

from __future__ import annotations

import math

from ..numbers import NOTHING, count, percent, si, si_range
from ..profiling import Profile
from .blocks import Block, Cell, Items, Section, table
from .devices import elsewhere_block
from .energy_drawings import cost_figures
from .figures import energy_figures
from .meter_readings import measured_block
from .report_sources import Sources
from .table_rows import FIGURES


def energy_section(sources: Sources) -> Section | None:
    """What an inference costs on each chip, and how that is known."""
    read = measured_block(sources)
    if not sources.profiles:
        return Section("energy", "Energy", tuple(read)) if read else None
    blocks: list[Block] = [_figures(sources.profiles), *energy_figures(sources), *read]
    blocks += cost_figures(sources)
    blocks.insert(0, Items("To quote", tuple(p.headline for p in sources.profiles)))
    for profile in sources.profiles:
        blocks += _behind(profile)
    blocks += elsewhere_block(sources)
    return Section("energy", "Energy", tuple(blocks))


def _figures(profiles: tuple[Profile, ...]) -> Block:
    rows: list[tuple[str | Cell, ...]] = []
    for name, figure, unit in FIGURES:
        rows.append((name, *(_figure(profile, figure, unit) for profile in profiles)))
        if figure == "energy_joules":
            rows.append(("energy, band", *(_band(profile, "joules", "J") for profile in profiles)))
            spreads = (_figure(profile, "spread", "J") for profile in profiles)
            rows.append(("energy, spread", *spreads))
        elif figure == "seconds":
            rows.append(("time, band", *(_band(profile, "seconds", "s") for profile in profiles)))
    for figure in ("synops", "neuron_updates", "messages"):
        numbers = (_number(getattr(profile, figure)) for profile in profiles)
        rows.append((figure.replace("_", " "), *numbers))
    foot = (
        "Per inference, mean over samples; spread is the standard deviation over samples. "
        "The band says how far the true figure may lie from an estimate."
    )
    head = ("", *(f"#{profile.label}" for profile in profiles))
    return table(head, rows, foot=foot)


def _figure(profile: Profile, figure: str, unit: str) -> Cell:
    tag = profile.tag(figure)
    return Cell("" if tag == "unavailable" else si(getattr(profile, figure), unit), tag=tag)


def _number(value: float) -> Cell:
    known = not math.isnan(value)
    return Cell(count(value), tag="counted") if known else Cell("", tag="unavailable")


def _band(profile: Profile, quantity: str, unit: str) -> Cell:
    band = profile.band
    if band is None:
        return Cell("", tag="unavailable")
    low, high = getattr(band, f"low_{quantity}"), getattr(band, f"high_{quantity}")
    return Cell(si_range(low, high, unit), tag=profile.kind)


def _behind(profile: Profile) -> list[Block]:
    """Model, band and shares of one profile."""
    items = [f"{profile.model[:1].upper()}{profile.model[1:]}."]
    if profile.chips:
        items[0] += f" Cores: {count(profile.cores)}; chips: {count(profile.chips)}."
    items += profile.notes
    if profile.band is not None:
        items.append(f"Band: {profile.band.reason}.")
    blocks: list[Block] = [Items(f"{profile.label}, {profile.kind}", tuple(items))]
    total = profile.energy_joules
    if profile.parts:
        rows = [
            (
                part.kind,
                si(part.number, "s") if part.unit == "W" else count(part.number),
                si(part.joules_each, part.unit),
                si_range(part.low_each, part.high_each, part.unit),
                si(part.joules, "J"),
                _share(part.joules, total) if part in profile.parts else "beside",
                Cell(part.source, long=True),
            )
            for part in (*profile.parts, *profile.beside)
        ]
        head = ("event", "#number", "#each", "#band of each", "#energy", "#share", "source")
        blocks.append(table(head, rows, f"Energy by kind of event, {profile.label} (estimated)"))
    if profile.per_population:
        blocks.append(_populations(profile))
    return blocks


def _share(part: float, whole: float) -> str | Cell:
    return Cell(percent(part / whole, 1), share=part / whole) if whole > 0 else NOTHING


def _populations(profile: Profile) -> Block:
    head = ["population", "#neuron updates", "#messages", "#synops"]
    known = not math.isnan(profile.dynamic_joules) and bool(profile.parts)
    if known:
        head += ["#dynamic energy", "#share"]
    rows = []
    for share in profile.per_population:
        counted = (share.neuron_updates, share.messages, share.synops)
        cells: list[str | Cell] = [share.name, *map(count, counted)]
        if known:
            cells.append(si(share.dynamic_joules, "J"))
            cells.append(_share(share.dynamic_joules, profile.dynamic_joules))
        rows.append(cells)
    caption = f"Events by population, {profile.label} (counted)"
    if known:
        caption = f"Dynamic energy by population, {profile.label} (estimated)"
    return table(head, rows, caption)


def constants_section(sources: Sources) -> Section | None:
    """Every constant that entered an estimate, once for each chip, with its source."""
    blocks = []
    for chip, constants in {p.chip: p.constants for p in sources.profiles if p.constants}.items():
        rows = [
            (
                name.replace("_", " "),
                f"{constant.value:g}",
                ("" if constant.unit == "1" else constant.unit.replace("u", "µ")),
                NOTHING if constant.low is None else f"{constant.low:g} to {constant.high:g}",
                Cell(constant.confidence, long=True),
                Cell(constant.source, long=True),
            )
            for name, constant in constants.items()
        ]
        head = ("constant", "#value", "unit", "band", "confidence", "source")
        blocks.append(table(head, rows, caption=chip))
    return Section("constants", "Constants", tuple(blocks)) if blocks else None
