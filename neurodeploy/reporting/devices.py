"""The same work on other devices, and the metrics of benchmarks, as tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from ..numbers import NOTHING, count, si, si_range
from ..profiling.elsewhere import Elsewhere, Published, elsewhere, published_networks
from .blocks import Block, Cell, table
from .report_sources import Sources

CAPTION = "The same work elsewhere (estimated: published constants, dynamic energy alone)"

FOOT = (
    "Events: those that were counted. Dense: every synapse in every step, as a device computes "
    "that knows no events. One pass: every synapse once, a network that is not spiking. With "
    "static power: of the chip alone; what the others take besides is not known."
)

PUBLISHED = "What others measured there: other networks, so compare orders of magnitude alone"

_FIGURES = (
    ("events", "dynamic_joules"),
    ("dense", "dense_joules"),
    ("one pass", "one_pass_joules"),
    ("with static power", "total_joules"),
)


def elsewhere_block(sources: Sources) -> list[Block]:
    """For the page: the first estimate's work on its chip and on other devices."""
    profile = next((p for p in sources.profiles if p.kind == "estimated"), None)
    if profile is None:
        return []
    ours = {recording.header.network for recording in sources.recordings}
    known = sources.network is not None and sources.network.fingerprint in ours
    rows: list[list[str | Cell]] = [
        [
            device.device,
            _joules(device.dynamic_joules),
            _band(device.low_joules, device.high_joules),
            *(_joules(getattr(device, figure)) for _, figure in _FIGURES[1:]),
            Cell(device.source, long=True),
        ]
        for device in elsewhere(profile, sources.network if known else None)
    ]
    names = [f"#{name}" for name, _ in _FIGURES]
    head = ("device", names[0], "#band", *names[1:], "source")
    published: list[list[str | Cell]] = [
        [*_published(row), Cell(row.source, long=True)] for row in published_networks()
    ]
    return [
        table(head, rows, f"{CAPTION}, {profile.label}", FOOT),
        table(("device", "network", "#total", "#dynamic", "#time", "source"), published, PUBLISHED),
    ]


def elsewhere_table(devices: Sequence[Elsewhere]) -> Table:
    """For the terminal."""
    made = Table(title=CAPTION, title_justify="left", box=None, padding=(0, 2, 0, 0))
    made.add_column("device", overflow="fold")
    made.add_column("events", justify="right", no_wrap=True)
    made.add_column("band", justify="right")
    for name, _ in _FIGURES[1:]:
        made.add_column(name, justify="right")
    for device in devices:
        first = _joules(device.dynamic_joules), _band(device.low_joules, device.high_joules)
        others = (_joules(getattr(device, figure)) for _, figure in _FIGURES[1:])
        made.add_row(device.device, *first, *others)
    return made


def published_table(rows: Sequence[Published]) -> Table:
    """Networks that others measured, for the terminal."""
    made = Table(title=PUBLISHED, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for name in ("device", "network"):
        made.add_column(name, overflow="fold")
    for name in ("total", "dynamic", "time"):
        made.add_column(name, justify="right", no_wrap=True)
    made.add_column("source", overflow="fold", style="dim")
    for row in rows:
        made.add_row(*_published(row), row.source)
    return made


def _published(row: Published) -> list[str]:
    total = NOTHING if row.total_joules is None else si(row.total_joules, "J")
    if row.low_joules is not None and row.high_joules is not None:
        total = si_range(row.low_joules, row.high_joules, "J")
    dynamic = NOTHING if row.dynamic_joules is None else si(row.dynamic_joules, "J")
    return [row.device, row.network, total, dynamic, _seconds(row.seconds)]


def _seconds(value: float | None) -> str:
    return NOTHING if value is None else si(value, "s")


def _band(low: float, high: float) -> str:
    if math.isnan(high):
        return NOTHING if math.isnan(low) else f"at least {si(low, 'J')}"
    return si_range(low, high, "J")


def metrics_table(title: str, metrics: Mapping[str, Any]) -> Table:
    """Metrics under their own names, for the terminal."""
    made = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    made.add_column("metric")
    made.add_column("", justify="right", no_wrap=True)
    for name, value in metrics.items():
        inner = value.items() if isinstance(value, Mapping) else [("", value)]
        for part, number in inner:
            made.add_row(Text(f"{name} {part}".strip()), _number(float(number)))
    return made


def _number(value: float) -> str:
    if math.isnan(value):
        return "unavailable"
    return f"{value:.4f}" if 0 < abs(value) < 1 else count(value)


def _joules(value: float) -> str:
    return NOTHING if math.isnan(value) else si(value, "J")
