"""``neurodeploy fit``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import options
from .statuses import DIFFERS, DONE
from .terminal import print_json


@options.reads_a_network
def fit(
    net: options.Net,
    chip: Annotated[str, typer.Option(help="loihi1, loihi2, or a chip's .toml file.")] = "loihi2",
    board: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="oheo-gulch, kapoho-point, hala-point or nahuku-32."),
    ] = None,
    compiler: options.Compiler = None,
    cores: Annotated[
        int | None, typer.Option(metavar="N", help="Usable cores per chip, as your board has them.")
    ] = None,
    recording: Annotated[
        Path | None,
        typer.Option(metavar="REC.h5", help="Spread the busiest layers by what this run counted."),
    ] = None,
    reading: options.Reading = options.NO_OPTIONS,
    json: options.Json = False,
) -> int:
    """Place a network on a chip: cores it takes, how full they are, what does not fit.

    Exit status 0: it fits. 1: it does not; the last lines say what, by how much, and what helps.
    """
    import neurodeploy as nd

    from ..chip.balance import busiest_seconds
    from ..numbers import si

    counted = None if recording is None else nd.Recording.load(recording)
    network = reading.load(net)
    where: dict[str, Any] = {"board": board, "compiler": compiler, "cores": cores}
    placement = nd.fit(network, chip, recording=counted, **where)
    gain = {}
    if counted is not None:
        plain = nd.fit(network, chip, **where)
        gain = {
            "plain_cores_used": plain.cores_used,
            "plain_busiest_core_seconds": busiest_seconds(plain, counted),
            "busiest_core_seconds": busiest_seconds(placement, counted),
        }
    if json:
        print_json({**placement.as_dict(), **gain})
    else:
        typer.echo(placement.table())
    if gain and not json:
        before, after = gain["plain_busiest_core_seconds"], gain["busiest_core_seconds"]
        typer.echo(
            f"the busiest core works {si(after, 's')} a step in place of {si(before, 's')} on the "
            f"{gain['plain_cores_used']} cores of the plain placement (estimated)"
        )
    return DONE if placement.fits else DIFFERS
