"""Tables for the terminal: as wide as it is; each fits 100 columns."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ..chip import Placement
from ..network import Audit, Network
from ..numbers import NOTHING, count, percent, si, si_range, signed
from ..profiling import Profile
from ..recording import Recording
from .report_sources import StepLike, labels_of
from .table_rows import FIGURES, network_rows, spike_rows

TAG_STYLES = {"measured": "green", "estimated": "yellow", "counted": "dim", "unavailable": "dim"}
_WIDEST_TAG = max(map(len, TAG_STYLES))
RATING_STYLES = {"faithful": "green", "approximate": "yellow", "unsupported": "red"}
_LONGEST_LABEL = 16


def network_table(network: Network) -> Table:
    """One row per population and projection into it, for ``neurodeploy inspect``."""
    table = _table()
    _names(table, "population", "neuron")
    _numbers(table, "shape", "neurons")
    _names(table, "synapse")
    _numbers(table, "nonzero/\nsynapses", "hops", "delay", "weights")
    for row in network_rows(network):
        synapse = row.synapse
        if row.source == row.population:
            synapse += ", self"
        elif not row.leads:
            synapse += f" from {row.source}"
        neuron, shape, number = row.own
        own = (row.population if row.leads else "", neuron, shape.replace(" ", ""), number)
        _row(table, *own, synapse, row.synapses.replace(" ", ""), *row.clock, row.weights)
    neurons = sum(population.size for population in network.populations)
    table.caption = f"{len(network.populations)} populations, {count(neurons)} neurons"
    return table


def counts_table(recordings: Sequence[Recording], labels: Sequence[str] | None = None) -> Table:
    """Messages per sample (mean) of every population, a column for each recording.

    With two recordings the difference stands beside them; with one, how often
    a neuron sends in a step.
    """
    labels = tuple(labels) if labels is not None else labels_of(recordings)
    table = _table("messages per sample, mean")
    _names(table, "population")
    _numbers(table, "neurons", "hops", *(_short(label) for label in labels))
    if len(recordings) == 1:
        _numbers(table, "per neuron and step")
    elif len(recordings) == 2:
        _numbers(table, "difference")
    for row in spike_rows(recordings):
        extra: tuple[str, ...] = ()
        known = [messages for messages in row.messages if messages is not None]
        if len(recordings) == 1:
            slots = row.neurons * recordings[0].steps
            extra = (percent(known[0] / slots) if known and slots else NOTHING,)
        elif len(recordings) == 2:
            extra = (signed(known[1] - known[0]) if len(known) == 2 else NOTHING,)
        messages = (count(value) for value in row.messages)
        _row(table, row.population, count(row.neurons), str(row.hops), *messages, *extra)
    return table


def profile_table(profiles: Sequence[Profile]) -> Group:
    """Energy, time and events per inference: a column for each profile, a tag on each figure.

    The models stand below the table, over the whole width.
    """
    table = _table("per inference, mean over samples")
    _names(table, "")
    for profile in profiles:
        table.add_column(Text(_short(profile.label)), justify="right", overflow="fold")
    for name, figure, unit in FIGURES:
        part = "  " * (name in ("dynamic", "static"))
        table.add_row(part + name, *(_figure(profile, figure, unit) for profile in profiles))
        if figure == "energy_joules":
            table.add_row("  at least", *(_band(profile, "low_joules") for profile in profiles))
            table.add_row("  at most", *(_band(profile, "high_joules") for profile in profiles))
            spreads = (_figure(profile, "spread", "J") for profile in profiles)
            table.add_row("  spread over samples", *spreads)
    table.add_row("  bound by", *(Text(profile.bound) for profile in profiles))
    for name in ("synops", "neuron_updates", "messages"):
        numbers = (_number(getattr(profile, name)) for profile in profiles)
        table.add_row(name.replace("_", " "), *numbers)
    return Group(table, Text("\n".join(_behind(profiles)), style="dim"))


def parts_table(profile: Profile) -> Table:
    """Energy by kind of event, and of what is beside: each with its band and how it is known."""
    table = _table(f"energy by kind of event, {profile.label}")
    _names(table, "event")
    _numbers(table, "number", "each")
    _names(table, "band of each")
    _numbers(table, "energy")
    _names(table, "confidence")
    for part in (*profile.parts, *profile.beside):
        number = si(part.number, "s") if part.unit == "W" else count(part.number)
        each = si(part.joules_each, part.unit)
        band = si_range(part.low_each, part.high_each, part.unit)
        known = part.confidence or NOTHING
        _row(table, part.kind, number, each, band, si(part.joules, "J"), known)
    return table


def audit_table(audit: Audit) -> Table:
    """What a conversion did to each element."""
    table = _table()
    _names(table, "element", "rating", "what was done")
    for entry in audit:
        rating = entry.rating.value
        table.add_row(
            Text(entry.element), Text(rating, style=RATING_STYLES[rating]), Text(entry.text)
        )
    return table


def steps_table(steps: Sequence[StepLike]) -> Table:
    """What brought a network to its target, step by step."""
    table = _table()
    _names(table, "step", "", "what was done")
    for step in steps:
        word = "exact" if step.exact else "approximate"
        style = RATING_STYLES["faithful" if step.exact else "approximate"]
        table.add_row(Text(step.name), Text(word, style=style), Text(step.text))
    return table


def placement_table(placement: Placement) -> Table:
    """How full the fullest core of each population is, for ``neurodeploy fit``."""
    used = placement.per_population
    resources = list(used[0].percent) if used else []
    table = _table()
    _names(table, "population")
    table.add_column(Text("cores"), justify="right")
    for name in resources:  # a word of the title below the other; a mark's width more
        table.add_column(Text("\n".join(name.split())), justify="right", overflow="fold")
    in_blocks = any(one.block is not None for one in used)
    if in_blocks:
        _names(table, "block (x, y, z)")
    for one in used:
        full = (f"{one.percent[n]:.1f} %{'*' if n == one.binds else ' '}" for n in resources)
        block = (("" if one.block is None else str(one.block)),) if in_blocks else ()
        _row(table, one.population, str(one.cores), *full, *block)
    table.caption = "percent of each limit, on the population's fullest core; * what binds"
    return table


def _table(title: str | None = None) -> Table:
    return Table(
        title=title,
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )


def _names(table: Table, *titles: str) -> None:
    for title in titles:
        widest = max(map(len, title.split()), default=0)  # no word of a title is broken
        table.add_column(Text(title), overflow="fold", min_width=widest)


def _numbers(table: Table, *titles: str) -> None:
    for title in titles:
        table.add_column(Text(title), justify="right", no_wrap=True)


def _row(table: Table, *cells: str) -> None:
    # Text, not str: a name with [brackets] is not markup.
    table.add_row(*(Text(cell) for cell in cells))


def _figure(profile: Profile, figure: str, unit: str) -> Text:
    value, tag = getattr(profile, figure), profile.tag(figure)
    return _tagged("" if tag == "unavailable" else si(value, unit), tag)


def _number(value: float) -> Text:
    known = not math.isnan(value)
    return _tagged(count(value), "counted") if known else _tagged("", "unavailable")


def _band(profile: Profile, end: str) -> Text:
    if profile.band is None:
        return _tagged("", "unavailable")
    return _tagged(si(getattr(profile.band, end), "J"), profile.kind)


def _tagged(text: str, tag: str) -> Text:
    # Tags of one width, so that the numbers before them line up.
    return Text.assemble(text, " ", (f"{tag:<{_WIDEST_TAG}}", TAG_STYLES[tag]))


def _behind(profiles: Sequence[Profile]) -> list[str]:
    """Model and first note of each profile; the page has the rest."""
    lines = [f"{p.label}: {line}" for p in profiles for line in (p.model, *p.notes[:1])]
    lines += [
        f"{p.label}: not in these figures: {part.kind}, {si(part.joules_each, 'W')} or "
        f"{si(part.joules, 'J')} (confidence {part.confidence})"
        for p in profiles
        for part in p.beside
    ]
    return list(dict.fromkeys(lines))


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…"
