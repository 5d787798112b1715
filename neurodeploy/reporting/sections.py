"""Sections of the page that are tables, each made from `Sources` or left out."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from datetime import datetime
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path

from ..chip import Placement
from ..chip.nearest import changes_that_fit
from ..network import Audit, Rating
from ..numbers import NOTHING, count, percent, si, wilson_interval
from .blocks import Block, Cell, Drawing, Folded, Items, Note, Section, table
from .figures import spike_figures, weight_figures
from .floor_plan import floor_plan
from .report_sources import Sources
from .table_rows import limit_lines, network_rows, spike_rows
from .topology import topology

_SHORT_HASH = 16


def accuracy_section(sources: Sources) -> Section | None:
    """Correct answers of each run, with what so many samples can tell."""
    if not sources.accuracy:
        return None
    rows = []
    for label, correct, total in sources.accuracy:
        low, high = wilson_interval(correct, total)
        fraction = correct / total if total else float("nan")
        interval = f"{percent(low)} to {percent(high)}"
        rows.append((label, count(correct), count(total), percent(fraction), interval))
    head = ("run", "#correct", "#samples", "#accuracy", "#95 % interval")
    foot = "Wilson's interval, from the number of samples alone."
    return Section("accuracy", "Accuracy", (table(head, rows, foot=foot),))


def spikes_section(sources: Sources) -> Section | None:
    """Messages of each population on each backend."""
    if not sources.recordings:
        return None
    rows = []
    for row in spike_rows(sources.recordings):
        cells = [row.population, count(row.neurons), str(row.hops)]
        for recording, messages in zip(sources.recordings, row.messages, strict=True):
            slots = row.neurons * recording.steps
            cells.append(count(messages))
            cells.append(NOTHING if messages is None or not slots else percent(messages / slots))
        rows.append(cells)
    head = ["population", "#neurons", "#hops"]
    for label in sources.labels:
        head += [f"#{label}", "#rate"]
    foot = "Mean per sample. Rate: messages per neuron and time step."
    notes = [
        Note(f"{label}: {line}")
        for label, recording in zip(sources.labels, sources.recordings, strict=True)
        for line in limit_lines(recording)
    ]
    blocks: list[Block] = [table(head, rows, foot=foot), *notes, *spike_figures(sources)]
    return Section("spikes", "Spikes", tuple(blocks))


def network_section(sources: Sources) -> Section | None:
    """Populations and the projections into them."""
    if sources.network is None:
        return None
    rows = []
    for row in network_rows(sources.network):
        synapses = (row.source, row.synapse, row.synapses, row.weights)
        rows.append((row.population if row.leads else "", *row.own, *synapses, *row.clock))
    head = (
        "population",
        "neuron",
        "#shape",
        "#neurons",
        "from",
        "synapse",
        "#nonzero / synapses",
        "#weights",
        "#hops",
        "#delay",
    )
    foot = "Weights are the chip's integers. Delays and hops are time steps."
    graph = topology(sources.network, sources.steps)
    caption = "Populations from the input, above, to the output, and the synapses between them."
    if graph and sources.steps:
        caption += " Dashed: changed on the way to the target."
    drawn = (Drawing(graph, caption),) if graph else ()
    blocks = (*drawn, table(head, rows, foot=foot), *weight_figures(sources))
    return Section("network", "Network", blocks)


def placement_section(sources: Sources) -> Section | None:
    """What the network takes of the chip."""
    placement = sources.placement
    if placement is None:
        return None
    rows = [
        ("cores used", count(placement.cores_used)),
        ("chips used", count(placement.chips_used)),
    ]
    blocks: list[Block] = [table(("", "#"), rows)]
    populations = getattr(placement, "per_population", ())
    if populations:
        resources = list(populations[0].percent)
        head = ("population", "#no.", "#cores", *(f"#{name}" for name in resources), "binds")
        cells = [
            (
                u.population,
                str(number),
                count(u.cores),
                *(f"{u.percent[name]:.1f} %" for name in resources),
                u.binds,
            )
            for number, u in enumerate(populations, 1)
        ]
        foot = "Percent of each limit, on the fullest core of the population."
        blocks.append(table(head, cells, "How full the cores are", foot=foot))
    blocks += floor_plan(sources)
    misfits = tuple(str(misfit) for misfit in getattr(placement, "misfits", ()))
    if misfits:
        blocks.append(Items("What does not fit", misfits))
    if misfits and isinstance(placement, Placement):
        changes = tuple(f"{c} ({count(c.cores_used)} cores)" for c in changes_that_fit(placement))
        blocks += [Items("After which changes it would", changes)] if changes else []
    return Section("placement", "Placement", tuple(blocks))


def audit_section(audit: Audit) -> Section | None:
    """What the conversion did to each element."""
    if not audit:
        return None
    # What changed its meaning comes first; a stable sort keeps the file's order within.
    order = ("unsupported", "approximate", "faithful")
    entries = sorted(audit, key=lambda entry: order.index(entry.rating.value))
    rows = [
        (entry.element, Cell("", tag=entry.rating.value), Cell(entry.text, long=True))
        for entry in entries
    ]
    counts = ", ".join(
        f"{sum(entry.rating.value == rating for entry in entries)} {rating}" for rating in order
    )
    head = ("element", "rating", "what was done")
    found = table(head, rows, foot=f"{counts}.")
    if audit.worst is Rating.FAITHFUL:
        said = f"All {count(len(audit))} elements are faithful: each means what it meant."
        return Section("audit", "Audit", (Note(said), Folded("Element by element", (found,))))
    return Section("audit", "Audit", (found,))


def deployment_section(sources: Sources) -> Section | None:
    """Which steps brought the network to its target, and what still cannot run there."""
    if not sources.steps and not len(sources.left):
        return None
    rows = [
        (
            step.name,
            Cell("", tag="faithful" if step.exact else "approximate"),
            Cell(", ".join(step.elements), long=True),
            Cell(step.text, long=True),
        )
        for step in sources.steps
    ]
    rows += [
        ("", Cell("", tag=entry.rating.value), Cell(entry.element, long=True),
         Cell(entry.text, long=True))
        for entry in sources.left
    ]  # fmt: skip
    foot = "Unsupported: what the target still cannot run."
    return Section(
        "deployment", "Deployment", (table(("step", "", "elements", "what"), rows, foot=foot),)
    )


def provenance_section(sources: Sources, version: str, now: datetime) -> Section:
    """Which programs, networks and inputs the page rests on."""
    facts = [("neurodeploy", version), ("written", f"{now:%Y-%m-%d %H:%M:%S} UTC"), *_here()]
    if sources.network is not None:
        facts.append(("network (SHA-256)", sources.network.fingerprint))
        facts += [(key, str(value)) for key, value in sources.network.metadata.items()]
    blocks: list[Block] = [table(("", ""), [(k, Cell(v, long=True)) for k, v in facts])]
    if sources.recordings:
        rows = [
            (
                label,
                f"{recording.header.backend} {recording.header.backend_version}",
                recording.header.network[:_SHORT_HASH] or NOTHING,
                recording.header.inputs[:_SHORT_HASH] or NOTHING,
                count(recording.samples),
                count(recording.steps),
                si(recording.header.seconds, "s") if recording.header.seconds else NOTHING,
            )
            for label, recording in zip(sources.labels, sources.recordings, strict=True)
        ]
        head = ("recording", "backend", "network", "inputs", "#samples", "#steps", "#wall clock")
        foot = f"network and inputs: the first {_SHORT_HASH} digits of their SHA-256."
        blocks.append(table(head, rows, foot=foot))
    for label, recording in zip(sources.labels, sources.recordings, strict=True):
        blocks += [Note(f"{label}: {warning}") for warning in recording.header.warnings]
    return Section("provenance", "Provenance", tuple(blocks))


def _here() -> list[tuple[str, str]]:
    """The command that wrote the page, and on what."""
    versions = []
    for name in ("numpy", "lava-nc", "lava-dl", "torch", "nir"):
        try:
            versions.append(f"{name} {version_of(name)}")
        except PackageNotFoundError:
            versions.append(f"no {name}")
    program = Path(sys.argv[0]).name if sys.argv else ""
    return [
        ("command line", shlex.join([program, *sys.argv[1:]])),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("packages", ", ".join(versions)),
        ("machine", f"{platform.platform()}, {os.cpu_count()} processors"),
    ]
