"""The HTML page: one file, a script of its own, nothing fetched from anywhere."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

from .._version import __version__
from ..files import written_whole
from .blocks import Section
from .differences import comparison_section
from .energy import constants_section, energy_section
from .figures import missing_section
from .report_sources import Sources
from .sections import (
    accuracy_section,
    audit_section,
    deployment_section,
    network_section,
    placement_section,
    provenance_section,
    spikes_section,
)
from .summary import summary_section
from .sweeps import sweep_section

_TEMPLATE = Path(__file__).with_name("template.html.j2")
_SCRIPT = Path(__file__).with_name("page.js")


def write_page(path: str | os.PathLike[str], sources: Sources) -> None:
    """Write the page of `sources` at `path`, whole or not at all.

    Raises
    ------
    FormatError
        If nothing can be written there.
    """
    text = render(sources)
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def render(sources: Sources) -> str:
    """The page as HTML text."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    # Drawings are ours and already escaped; everything else is text.
    environment.filters["drawing"] = Markup
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    now = datetime.now(timezone.utc)
    return template.render(
        title=sources.title,
        sections=sections_of(sources, now),
        version=__version__,
        script=Markup(_SCRIPT.read_text(encoding="utf-8")),
        date=f"{now:%Y-%m-%d %H:%M} UTC",
    )


def sections_of(sources: Sources, now: datetime) -> tuple[Section, ...]:
    """The page's sections in order; those without content are left out."""
    sections = (
        summary_section(sources),
        missing_section(sources),
        accuracy_section(sources),
        deployment_section(sources),
        sweep_section(sources.sweep),
        comparison_section(sources),
        spikes_section(sources),
        energy_section(sources),
        network_section(sources),
        placement_section(sources),
        audit_section(sources),
        constants_section(sources),
        provenance_section(sources, __version__, now),
    )
    return tuple(section for section in sections if section is not None)
