"""``neurodeploy demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .statuses import DIFFERS, DONE
from .terminal import print_json, progress_bar, show


def demo(
    out: Annotated[Path, typer.Option(help="Folder for what it makes.")] = Path("neurodeploy_demo"),
    json: options.Json = False,
) -> int:
    """Do the main job on real networks, in about a minute.

    Train a small SLAYER network on handwritten digits and export it; run it on
    our engine and on Lava's CPU simulator and compare every spike; hold Intel's
    PilotNet against its record; price the energy; write report.html. What this
    machine lacks is left out and said. Exit status 1 if anything differs.
    """
    from ..demo.job import run_demo

    outcome = run_demo(out, progress_bar, (lambda line: None) if json else show)
    if json:
        print_json(
            {
                "report": out / "report.html",
                "accuracy": {label: hits / total for label, hits, total in outcome.accuracy},
                "comparisons": [c.as_dict() for c in outcome.comparisons],
                "profiles": [p.as_dict() for p in outcome.profiles],
                "facts": dict(outcome.facts),
            }
        )
    return DONE if outcome.equal else DIFFERS
