"""``neurodeploy worker``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .terminal import interruptible, print_json, progress_bar, show


def worker(
    job: Annotated[
        Path, typer.Argument(metavar="JOB", help="A folder that run --job-only or --job wrote.")
    ],
    place: options.Place = None,
    timeout: options.Timeout = None,
    json: options.Json = False,
) -> None:
    """Do the job in a folder and leave JOB/recording.h5.

    Samples that are done are kept there: ended midway, the same call goes on where it was.
    """
    from ..backends.worker import work

    with interruptible(), progress_bar(f"working on {job}") as progress:
        recording = work(job, place, progress, timeout)
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
