"""The HTML page: one file, a script of its own, nothing fetched from anywhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .._version import __version__
from ..files import written_whole
from ..network import Audit
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

_HERE = Path(__file__).parent


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
    now = datetime.now(timezone.utc)
    return filled(
        "template.html.j2",
        sections_of(sources, now),
        title=sources.title,
        version=__version__,
        script=(_HERE / "page.js").read_text(encoding="utf-8"),
        date=f"{now:%Y-%m-%d %H:%M} UTC",
        anchors=True,
    )


def filled(template: str, sections: Sequence[Section], **words: Any) -> str:
    """One of our templates with sections, and the style of what stands in them."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Drawings, style and script are ours; everything else is text, and escaped.
    environment.filters["drawing"] = Markup
    style = (_HERE / "blocks.css").read_text(encoding="utf-8")
    return environment.get_template(template).render(sections=sections, block_style=style, **words)


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
        audit_section(sources.network.audit if sources.network else Audit()),
        constants_section(sources),
        provenance_section(sources, __version__, now),
    )
    return tuple(section for section in sections if section is not None)
