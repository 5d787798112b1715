"""The same work on other devices, and the metrics of benchmarks, as tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from ..numbers import NOTHING, count, si
from ..profiling.elsewhere import Elsewhere, elsewhere
from .blocks import Block, Cell, table
from .report_sources import Sources

CAPTION = "The same work elsewhere (estimated: published constants, dynamic energy alone)"

FOOT = (
    "Events: those that were counted. Dense: every synapse in every step, as a device computes "
    "that knows no events. One pass: every synapse once, a network that is not spiking."
)

_FIGURES = (
    ("events", "dynamic_joules"),
    ("dense", "dense_joules"),
    ("one pass", "one_pass_joules"),
)


def elsewhere_block(sources: Sources) -> list[Block]:
    """For the page: the first estimate's work on other devices."""
    profile = next((p for p in sources.profiles if p.kind == "estimated"), None)
    if profile is None:
        return []
    ours = {recording.header.network for recording in sources.recordings}
    known = sources.network is not None and sources.network.fingerprint in ours
    rows: list[list[str | Cell]] = [
        [
            device.device,
            *(_joules(getattr(device, figure)) for _, figure in _FIGURES),
            Cell(device.source, long=True),
        ]
        for device in elsewhere(profile, sources.network if known else None)
    ]
    head = ("device", *(f"#{name}" for name, _ in _FIGURES), "source")
    return [table(head, rows, f"{CAPTION}, {profile.label}", FOOT)]


def elsewhere_table(devices: Sequence[Elsewhere]) -> Table:
    """For the terminal."""
    made = Table(title=CAPTION, title_justify="left", box=None, padding=(0, 2, 0, 0))
    made.add_column("device", overflow="fold")
    for name, _ in _FIGURES:
        made.add_column(name, justify="right", no_wrap=True)
    made.add_column("constants", overflow="fold", style="dim")
    for device in devices:
        joules = (_joules(getattr(device, figure)) for _, figure in _FIGURES)
        made.add_row(device.device, *joules, device.source)
    return made


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
