"""``neurodeploy compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .shared import Json, print_json, show


def compare(
    a: Annotated[Path, typer.Argument(metavar="A.h5", help="A recording.")],
    b: Annotated[Path, typer.Argument(metavar="B.h5", help="A recording to hold against it.")],
    report: Annotated[Path | None, typer.Option(help="Write a page (HTML) too.")] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Compare recordings of different networks or inputs.")
    ] = False,
    json: Json = False,
) -> int:
    """Compare two recordings: spikes, u and v of every population.

    Clocks are lined up first. Exit status 0: equal; 1: they differ, and it
    says where first; 2: they cannot be compared.
    """
    import neurodeploy as nd

    from . import DIFFERS, DONE

    recordings = [nd.Recording.load(path) for path in (a, b)]
    result = nd.compare(*recordings, check=not anyway)
    if report is not None:
        nd.report(report, recordings=recordings, comparison=result)
    if json:
        print_json(result.as_dict())
    else:
        show(result.table(), *result.notes, result.summary())
        if report is not None:
            show(f"report: {report}")
    return DONE if result.equal else DIFFERS
