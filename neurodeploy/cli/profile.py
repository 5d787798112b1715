"""``neurodeploy profile``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .shared import Json, print_json, show


def profile(
    recording: Annotated[Path, typer.Argument(metavar="REC.h5", help="A recording.")],
    chip: Annotated[str, typer.Option(help="loihi1, loihi2, or a chip's .toml file.")] = "loihi1",
    json: Json = False,
) -> None:
    """Price a recording: energy and time per inference on a chip.

    Every figure says whether it is measured or estimated, and by which model.
    """
    import neurodeploy as nd

    from ..report.terminal import profile_table

    result = nd.profile(nd.Recording.load(recording), chip=chip)
    if json:
        print_json(result.as_dict())
        return
    show(profile_table([result]))
