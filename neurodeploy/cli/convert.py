"""``neurodeploy convert``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ..network import Audit, Rating
from . import options
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
        typer.Option("--target", metavar="TARGET", help="Rewrite exactly what it lacks."),
    ] = None,
    reading: options.Reading = options.NO_OPTIONS,
    json: options.Json = False,
) -> int:
    """Read a network in one format and write it in another, saying what changed.

    Formats are told by what IN holds and by OUT's suffix: NetX HDF5 (.net) or
    NIR (.nir). NIR has no time step: give --dt unless the graph implies it.
    Writing NetX anew brings files of older exporters into today's layout. With
    --target, operators that a target lacks are rewritten where an exact form
    exists: sum pools as convolutions, taps as delays, delays moved to axons.
    What the target still cannot run is listed then, and the exit status is 1.
    """
    import neurodeploy as nd

    from ..formats import is_nir
    from ..reporting.terminal import audit_table

    # NetX counts time in steps: --dt then says what a step is in the NIR to be written.
    read = reading if is_nir(source) else replace(reading, dt=None)
    network = read.load(source)
    left = Audit()
    if target is not None:
        from ..targets.look_ahead import look_ahead
        from ..targets.rewrite import rewritten_for

        network = rewritten_for(network, target)
        left = Audit(look_ahead(network, target).rated(Rating.UNSUPPORTED))
    written = {"dt": reading.dt, "preset": framework}
    given = {key: value for key, value in written.items() if value is not None}
    nd.save(network, out, **(given if out.suffix.lower() == ".nir" else {}))
    if json:
        entries = [entry.as_dict() for entry in network.audit]
        found = {"network": out, "fingerprint": network.fingerprint, "audit": entries}
        print_json({**found, "left": [entry.as_dict() for entry in left]})
    else:
        show(audit_table(network.audit), f"{source} -> {out}")
        if left:
            show(f"{target} cannot run {len(left)} elements of it:", audit_table(left))
    return DIFFERS if left else DONE
