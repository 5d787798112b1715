"""``neurodeploy profile``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .shared import Json, load_network, print_json, show


def profile(
    recording: Annotated[Path, typer.Argument(metavar="REC.h5", help="A recording.")],
    chip: Annotated[
        str,
        typer.Option(help="loihi1, loihi1-sanafe, loihi2, loihi2-fitted, or a chip's .toml file."),
    ] = "loihi1",
    net: Annotated[
        Path | None,
        typer.Option(metavar="NET", help="The network that ran: place it, and count by core."),
    ] = None,
    balance: Annotated[
        bool, typer.Option("--balance", help="Place it so that the busiest core has less to do.")
    ] = False,
    host_io: Annotated[
        bool,
        typer.Option(
            "--host-io", help="Add the time in which the host hands over inputs and outputs."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Price a recording: energy and time per inference on a chip.

    With `--net`, the busiest core sets the time of a step and messages are counted over the
    cores and hops that they take. Every figure says whether it is measured or estimated, and
    by which model.
    """
    import neurodeploy as nd

    from ..report.terminal import profile_table

    if balance and net is None:
        raise typer.BadParameter("--balance needs the network: add --net NET.")
    recorded = nd.Recording.load(recording)
    placement = None
    if net is not None:
        counted = recorded if balance else None
        placement = nd.fit(load_network(net), chip, recording=counted)
    result = nd.profile(recorded, chip, placement, host_io=host_io)
    if json:
        print_json(result.as_dict())
        return
    show(profile_table([result]))
