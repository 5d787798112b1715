"""A comparison as a JUnit file, which continuous integration reads as tests."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree as xml

from ..files import written_whole
from .comparison import Comparison
from .results import PopulationDifference


def write_junit(path: str | os.PathLike[str], comparison: Comparison) -> None:
    """Write one test case per population, and one for the decisions where they are judged.

    A case fails where its population differs by more than the tolerances
    allow, and is skipped where nothing could be compared.

    Parameters
    ----------
    path : path
        Where the file belongs; it appears there only once it is whole.
    comparison : Comparison
    """
    a, b = comparison.labels
    suite = xml.Element("testsuite", name=_clean(f"neurodeploy compare: {a} against {b}"))
    failures = skipped = 0
    for row in comparison.rows:
        case = xml.SubElement(
            suite, "testcase", classname="neurodeploy.compare", name=_clean(row.population)
        )
        if row.within is None:
            skipped += 1
            xml.SubElement(case, "skipped", message="nothing could be compared")
        elif not row.within:
            failures += 1
            message = _clean(_say_what_differs(row))
            xml.SubElement(case, "failure", message=message).text = _clean(
                _explain(comparison, row)
            )
    decisions = comparison.output
    allowed = comparison.tolerances.decision_difference
    agreement = None if decisions is None else decisions.agreement
    if decisions is not None and agreement is not None and allowed is not None:
        case = xml.SubElement(suite, "testcase", classname="neurodeploy.compare", name="decisions")
        if 1 - agreement > allowed:
            failures += 1
            apart = (
                f"{decisions.samples - (decisions.agreeing or 0)} of {decisions.samples} decisions"
            )
            xml.SubElement(case, "failure", message=f"{apart} differ, allowed are {allowed:.2%}")
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(failures))
    suite.set("errors", "0")
    suite.set("skipped", str(skipped))
    root = xml.Element("testsuites")
    root.append(suite)
    xml.indent(root)
    with written_whole(Path(path)) as temporary:
        xml.ElementTree(root).write(temporary, encoding="utf-8", xml_declaration=True)


def _say_what_differs(row: PopulationDifference) -> str:
    numbers = {"spikes": row.differing, **row.states_differing}
    said = ", ".join(f"{number:,} of {name}" for name, number in numbers.items() if number)
    return f"entries that differ: {said}" if said else "counts differ"


def _explain(comparison: Comparison, row: PopulationDifference) -> str:
    lines = [comparison.summary()]
    rate = row.statistics.coincidence_rate
    if rate is not None:
        lines.append(f"coincidence rate {rate:.6f}, tolerance {row.statistics.tolerance_steps}")
    first = comparison.first_divergence
    if comparison.diagnosis and first and first.population == row.population:
        lines.append(comparison.diagnosis.words)
    return "\n".join(lines)


def _clean(text: str) -> str:
    """Leave out what XML 1.0 cannot hold: control characters, in names from files."""
    return "".join(c for c in text if c in "\t\n\r" or ord(c) >= 32)
