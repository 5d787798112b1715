"""The page's section on how two recordings differ, where first and why."""

from __future__ import annotations

from ..comparison import Comparison
from ..comparison.tables import Listing, Tagged, evidence_tables
from .blocks import Block, Cell, Folded, Items, Note, Section, Table, table
from .figures import trace_figures
from .report_sources import Sources


def comparison_section(sources: Sources) -> Section | None:
    """Per population, what two recordings share and where they part."""
    blocks: list[Block] = []
    for comparison in sources.comparisons:
        exactness, *others = map(_as_block, comparison.listings())
        blocks += _first_difference(comparison)
        notes = [Note(note) for note in comparison.notes]
        if comparison.equal:  # tables of zeros
            rows = f"What was compared of {len(comparison)} populations"
            blocks += [*notes, Folded(rows, (exactness, *others))]
        else:
            blocks += [exactness, *notes, *others]
    return Section("comparison", "Comparison", tuple(blocks)) if blocks else None


def _first_difference(comparison: Comparison) -> list[Block]:
    label_a, label_b = comparison.labels
    if comparison.equal:
        return [Note(f"{label_a} and {label_b} agree in everything that was compared.")]
    if comparison.first_divergence is None:
        return []
    blocks: list[Block] = [Note(f"First difference: {comparison.first_divergence}", alert=True)]
    diagnosis = comparison.diagnosis
    if diagnosis is None:
        blocks.append(Note("Give the network (net=, --net) and the cause is looked for too."))
        return blocks
    others = tuple(
        f"{finding.pattern}: it {finding.words} ({finding.steps_explained} of {finding.steps} "
        f"steps{', all samples tried' if finding.reproduces else ''})"
        for finding in diagnosis.findings[1:]
    )
    blocks.append(Items("Diagnosis", (diagnosis.words, *diagnosis.differences, *others)))
    if diagnosis.evidence is not None:
        blocks += trace_figures(comparison)
        blocks += map(_as_block, evidence_tables(diagnosis.evidence, comparison.labels))
    return blocks


def _as_block(listing: Listing) -> Table:
    rows = [
        [Cell(x.text, tag=x.tag) if isinstance(x, Tagged) else x for x in row]
        for row in listing.rows
    ]
    return table(listing.head, rows, listing.caption, listing.foot)
