"""What a notebook shows of an object: the sections that the report has of it, without its page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from ..chip import Placement
from ..comparison import Comparison
from ..evaluation import Evaluation
from ..exporting.deploy import Deployment
from ..exporting.verify import Verification
from ..network import Audit, Network
from ..profiling import Profile
from ..recording import PopulationRecord, Recording
from .blocks import Section, table
from .differences import comparison_section
from .energy import energy_section
from .page import filled
from .report_sources import Sources
from .sections import (
    audit_section,
    deployment_section,
    network_section,
    placement_section,
    spikes_section,
)
from .summary import summary_section

Sections: TypeAlias = "Sequence[Section | None]"


def html_of(shown: object) -> str:
    """Give an object of the public interface as one piece of HTML, its style inside.

    Parameters
    ----------
    shown : Network, Audit, Recording, PopulationRecord, Comparison, Placement, Profile, \
            Evaluation, Deployment or Verification

    Returns
    -------
    str
        Colours follow the notebook's own, so that it reads in the dark, too.
    """
    found = _SECTIONS[type(shown)](shown)
    return filled("notebook.html.j2", [s for s in found if s is not None], anchors=False)


def _of_comparison(comparison: Comparison) -> Sections:
    sources = Sources("", comparisons=(comparison,))
    return [summary_section(sources), comparison_section(sources)]


def _of_profile(profile: Profile) -> Sections:
    sources = Sources("", profiles=(profile,))
    return [summary_section(sources), energy_section(sources)]


def _of_deployment(deployment: Deployment) -> Sections:
    made = Sources("", network=deployment.network, steps=deployment.steps, left=deployment.left)
    return [summary_section(made), deployment_section(made)]


def _of_verification(found: Verification) -> Sections:
    sources = Sources("", comparisons=(found.comparison,), profiles=found.profiles)
    return [summary_section(sources), comparison_section(sources), energy_section(sources)]


def _of_record(record: PopulationRecord) -> Sections:
    title, *lines = repr(record).splitlines()
    return [Section("record", title, (table(("",), [(line.strip(),) for line in lines]),))]


def _of_evaluation(found: Evaluation) -> Sections:
    title = f"Evaluation on {found.backend}, {found.crew}"
    return [Section("evaluation", title, (table(("", ""), tuple(found.figures.items())),))]


_SECTIONS: Mapping[type, Callable[[Any], Sections]] = {
    Audit: lambda audit: [audit_section(audit)],
    Comparison: _of_comparison,
    Deployment: _of_deployment,
    Evaluation: _of_evaluation,
    Network: lambda network: [network_section(Sources("", network=network))],
    Placement: lambda placement: [placement_section(Sources("", placement=placement))],
    PopulationRecord: _of_record,
    Profile: _of_profile,
    Recording: lambda recording: [
        spikes_section(Sources("", recordings=(recording,), samples=(0,) * bool(recording.samples)))
    ],
    Verification: _of_verification,
}
