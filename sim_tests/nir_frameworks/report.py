"""Tables of docs/nir.md, made of what `__main__` measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurodeploy.formats.nir import PRESETS

from .graphs import NODES
from .run import ROOT

DOCS = ROOT / "docs" / "nir.md"


def renew(results: Mapping[str, Any]) -> None:
    """Rewrite the blocks of the graphs that we made."""
    tables = {"presets": presets, "matrix": matrix, "braille": braille}
    _rewrite({mark: make(results) for mark, make in tables.items()})


def renew_trained(results: Mapping[str, Any]) -> None:
    """Rewrite the block of the networks that frameworks exported."""
    _rewrite({"trained": trained(results)})


def _rewrite(tables: Mapping[str, str]) -> None:
    text = DOCS.read_text()
    for mark, table in tables.items():
        start, end = f"<!-- {mark} -->", f"<!-- end of {mark} -->"
        before, rest = text.split(start)
        text = before + start + "\n" + table + end + rest.split(end)[1]
    DOCS.write_text(text)


def presets(results: Mapping[str, Any]) -> str:
    lines = [
        "| preset | checked against | node types | spikes equal | largest difference of v |",
        "|---|---|---|---|---|",
    ]
    for name, found in results.items():
        ran = {n: r for n, r in found["in"].items() if rating(r) in ("faithful", "approximate")}
        entries = sum(r["entries"] for r in ran.values())
        equal = 1 - sum(r["differing"] for r in ran.values()) / max(1, entries)
        off = [r["voltage"] for r in ran.values() if r.get("voltage") is not None]
        worst = f"{max(off):.1e}" if off else "not shown by it"
        framework = PRESETS[name].framework
        lines.append(
            f"| `{name}` | {framework} | {len(ran)} of {len(NODES)} | {equal:.4%} of "
            f"{entries:,} | {worst} |"
        )
    return "\n".join(lines) + "\n"


def trained(results: Mapping[str, Any]) -> str:
    """A row for each neuron with each reset."""
    lines = [
        "| preset | neuron | reset | networks | spikes | differ of |",
        "|---|---|---|---|---|---|",
    ]
    for framework, cases in results.items():
        rows: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
        for case in cases:
            late = case.get("delay")
            when = "" if late is None else f", reset_delay={late}"
            key = (case.get("preset", framework), case["neuron"], f"{case['reset']}{when}")
            rows.setdefault(key, []).append(case)
        for (preset, neuron, reset), found in rows.items():
            ran = [case for case in found if "refused" not in case]
            start = f"| `{preset}` | {neuron} | {reset} | {len(found)} |"
            if not ran:
                lines.append(f"{start} | its export refuses: {found[0]['refused']} |")
                continue
            spikes, off, entries = (
                sum(case[key] for case in ran) for key in ("spikes", "differing", "entries")
            )
            lost = found[0].get("lost")
            why = f" ({lost})" if lost and off else ""
            lines.append(f"{start} {spikes:,} | {off:,} of {entries:,}{why} |")
    return "\n".join(lines) + "\n"


def matrix(results: Mapping[str, Any]) -> str:
    names = list(results)
    head = "| node | " + " | ".join(names) + " |"
    lines = [head, "|---" * (len(names) + 1) + "|"]
    for node in NODES:
        cells = []
        for name in names:
            ways = [rating(results[name][way][node]) for way in ("in", "out")]
            cells.append(ways[0] if ways[0] == ways[1] else f"in {ways[0]}, out {ways[1]}")
        lines.append(f"| {node} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def braille(results: Mapping[str, Any]) -> str:
    lines = [
        "| preset | hard-reset graph with biases | soft-reset graph, the preset's reset |",
        "|---|---|---|",
    ]
    for name, found in results.items():
        cells = []
        for result in found["braille"].values():
            if rating(result) == "unsupported":
                cells.append("cannot run it")
            elif result["differing"]:
                cells.append(f"{1 - result['differing'] / result['entries']:.1%} equal")
            else:
                cells.append(f"all {result['entries']:,} equal, {result['spikes']:,} spikes")
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def rating(result: Mapping[str, Any]) -> str:
    """How a framework and we agree on a node."""
    if "refused" in result:
        return "unsupported"
    if result["differing"] == 0:
        return "faithful"
    share = result["differing"] / result["entries"]
    return "approximate" if share < 0.01 else "differs"
