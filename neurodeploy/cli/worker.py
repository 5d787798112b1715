"""``neurodeploy worker``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .shared import Host, Json, interruptible, print_json, progress_bar, show


def worker(
    job: Annotated[
        Path, typer.Argument(metavar="JOB", help="A folder that run --job-only or --job wrote.")
    ],
    host: Host = None,
    timeout: Annotated[
        float | None, typer.Option(help="End the worker after this many seconds.")
    ] = None,
    json: Json = False,
) -> None:
    """Do the job in a folder and leave JOB/recording.h5.

    Samples that are done are kept there: ended midway, the same call goes on where it was.
    """
    from ..backends.worker import work

    with interruptible(), progress_bar(f"working on {job}") as progress:
        recording = work(job, host, progress, timeout)
    path = job / "recording.h5"
    if json:
        header = recording.header
        print_json(
            {
                "recording": path,
                "backend": header.backend,
                "samples": recording.samples,
                "steps": recording.steps,
                "seconds": header.seconds,
            }
        )
        return
    show(f"{recording.samples} samples x {recording.steps} steps; recording: {path}")
