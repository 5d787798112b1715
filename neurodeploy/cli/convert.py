"""``neurodeploy convert``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from . import options
from .deploy import tell
from .statuses import DIFFERS, DONE
from .terminal import print_json, show


@options.reads_a_network
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A network to read.")],
    out: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="The network to write; format by suffix."),
    ],
    framework: Annotated[
        str | None, typer.Option("--to", metavar="FRAMEWORK", help="NIR: who shall run OUT.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--target", metavar="TARGET", help="As `deploy --target`."),
    ] = None,
    reading: options.Reading = options.NO_OPTIONS,
    json: options.Json = False,
) -> int:
    """Read a network in one format and write it in another, saying what changed.

    Formats are told by what IN holds and by OUT's suffix: NetX HDF5 (.net) or
    NIR (.nir). NIR has no time step: give --dt unless the graph implies it.
    Writing NetX anew brings files of older exporters into today's layout. With
    --target it is `deploy`, on random inputs and without a run on the target.
    """
    import neurodeploy as nd

    from ..formats import is_nir
    from ..reporting.terminal import audit_table

    # NetX counts time in steps: --dt then says what a step is in the NIR to be written.
    read = reading if is_nir(source) else replace(reading, dt=None)
    network = read.load(source)
    ready = None
    if target is not None:
        ready = nd.deploy(network, target, verified=False)
        network = ready.network
    written = {"dt": reading.dt, "preset": framework}
    given = {key: value for key, value in written.items() if value is not None}
    nd.save(network, out, **(given if out.suffix.lower() == ".nir" else {}))
    if json:
        entries = [entry.as_dict() for entry in network.audit]
        found = {"network": out, "fingerprint": network.fingerprint, "audit": entries}
        more = {"left": []} if ready is None else ready.as_dict()
        print_json({**more, **found})
        return DONE if ready is None or ready.runs else DIFFERS
    show(audit_table(network.audit))
    if ready is None:
        show(f"{source} -> {out}")
        return DONE
    tell(ready, f"{source} -> {out}")
    return DONE if ready.runs else DIFFERS
