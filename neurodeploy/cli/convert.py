"""``neurodeploy convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .shared import Json, print_json, show


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A network to read.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The network to write (.net).")],
    json: Json = False,
) -> None:
    """Read a network in one format and write it in another, saying what changed.

    Formats are told by the suffix; NetX HDF5 (.net) for now. Writing NetX anew
    brings files of older exporters into today's layout.
    """
    import neurodeploy as nd

    from ..report.terminal import audit_table

    network = nd.load(source)
    nd.save(network, target)
    if json:
        entries = [{**vars(entry), "rating": entry.rating.value} for entry in network.audit]
        print_json({"network": target, "fingerprint": network.fingerprint, "audit": entries})
        return
    show(audit_table(network.audit), f"{source} -> {target}")
