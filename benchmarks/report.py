"""The table on the terminal, in the README and as JSON, with the facts about the machine."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import neurodeploy

from .measure import FOLDER, Ratio, Row, Settings

COLUMNS = (
    "work",
    "against",
    "run µs",
    "engine µs",
    "theirs µs",
    "ratio run (min-max)",
    "ratio engine (min-max)",
    "target",
    "reached",
)
MARKS = ("<!-- results -->", "<!-- end of results -->")


def machine_facts(settings: Settings, rows: Iterable[Row] = ()) -> dict[str, str]:
    """What the numbers depend on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    facts = {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "CPU": _cpu(),
        "threads": f"{settings.threads} on both sides, pinned to {cores} of {os.cpu_count()} cores",
        "repeats": str(settings.repeats) + (" (quick)" if settings.quick else ""),
        "Python": platform.python_version(),
        "neurodeploy": neurodeploy.__version__,
    }
    for package in ("numpy", "lava-nc", "lava-dl", "torch"):
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "not installed"
    peers = sorted({row.extra["peer"] for row in rows if "peer" in row.extra})
    if peers:
        facts["peers"] = "; ".join(peers)
    return facts


def print_table(rows: list[Row], facts: dict[str, str], console: Console) -> None:
    """Print the table, the notes below it and the facts."""
    table = Table(*COLUMNS, title="µs per sample-step; ratio = theirs / ours unless it has a unit")
    for row in rows:
        colour = {"yes": "green", "no": "red", "engine only": "yellow"}.get(
            row.reached.rstrip("?"), ""
        )
        *cells, reached = _cells(row)
        table.add_row(*cells, f"[{colour}]{reached}[/]" if colour else reached)
    console.print(table)
    for row in rows:
        if row.note:
            console.print(f"{row.work} / {row.against}: {row.note}", style="dim", highlight=False)
    console.print("; ".join(f"{key} {value}" for key, value in facts.items()), highlight=False)


def as_markdown(rows: list[Row], facts: dict[str, str]) -> str:
    """Make the same for a Markdown file."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "-|" * len(COLUMNS)]
    lines += ["| " + " | ".join(_cells(row)) + " |" for row in rows]
    lines += ["", *(f"- {key}: {value}" for key, value in facts.items())]
    lines += ["", "Notes:", ""]
    lines += [f"- {row.work} / {row.against}: {row.note}" for row in rows if row.note]
    return "\n".join(lines) + "\n"


def write_readme(rows: list[Row], facts: dict[str, str]) -> None:
    """Put the table between the marks of the README."""
    path = FOLDER / "README.md"
    before, rest = path.read_text().split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    path.write_text(f"{before}{MARKS[0]}\n{as_markdown(rows, facts)}{MARKS[1]}{after}")


def write_json(path: Path, rows: list[Row], facts: dict[str, str]) -> None:
    """Write everything that was measured."""
    content: dict[str, Any] = {
        "facts": facts,
        "rows": [{**asdict(row), "reached": row.reached} for row in rows],
    }
    path.write_text(json.dumps(content, indent=1) + "\n")


def _cells(row: Row) -> list[str]:
    sign = "≤" if row.at_most else "≥"
    target = "" if row.target is None else f"{sign} {row.target:g} {row.unit}".strip()
    return [
        row.work,
        row.against,
        _number(row.ours_run),
        _number(row.ours_engine),
        _number(row.theirs),
        _ratio(row.run, row.unit),
        _ratio(row.engine, row.unit),
        target,
        row.reached or ("not measured" if row.note.startswith("not measured") else ""),
    ]


def _ratio(value: Ratio | None, unit: str) -> str:
    if value is None:
        return ""
    middle = f"{_number(value.median)} {unit}".strip()
    if value.least == value.most:
        return middle
    return f"{middle} ({_number(value.least)}-{_number(value.most)})"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
