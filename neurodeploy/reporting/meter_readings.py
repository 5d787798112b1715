"""What a chip's meters and counters said, with units, for the page and the terminal."""

from __future__ import annotations

from ..numbers import si
from ..recording import Recording
from .blocks import Block, table
from .report_sources import Sources

_UNITS = {"joules": "J", "watts": "W", "seconds": "s"}


def measured_figures(recording: Recording) -> list[tuple[str, str]]:
    """Name and value with its unit of each figure in ``header.measured``."""
    return [
        (name.replace("_", " "), _with_unit(name, value))
        for name, value in recording.header.measured.items()
    ]


def measured_block(sources: Sources) -> list[Block]:
    """For the page: a table for each recording that holds such figures."""
    return [
        table(
            ("figure", "#value"),
            measured_figures(recording),
            f"Meters and counters, {label}",
            f"{recording.header.backend_version}. Energies and counts are per inference.",
        )
        for label, recording in zip(sources.labels, sources.recordings, strict=True)
        if recording.header.measured
    ]


def _with_unit(name: str, value: float) -> str:
    unit = next((unit for word, unit in _UNITS.items() if word in name.split("_")), "")
    return si(value, unit) if unit else f"{value:,.4g}"
