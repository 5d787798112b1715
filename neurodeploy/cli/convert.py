"""``neurodeploy convert``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ..network import Audit, Rating
from .shared import NO_OPTIONS, Json, Reading, is_nir_file, print_json, reads_a_network, show


@reads_a_network
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A network to read.")],
    target: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="The network to write; its suffix says the format."),
    ],
    framework: Annotated[
        str | None, typer.Option("--to", metavar="FRAMEWORK", help="NIR: who shall run OUT.")
    ] = None,
    target_chip: Annotated[
        str | None,
        typer.Option("--for", metavar="TARGET", help="Rewrite exactly what it lacks."),
    ] = None,
    reading: Reading = NO_OPTIONS,
    json: Json = False,
) -> int:
    """Read a network in one format and write it in another, saying what changed.

    Formats are told by what IN holds and by OUT's suffix: NetX HDF5 (.net) or
    NIR (.nir). NIR has no time step: give --dt unless the graph implies it.
    Writing NetX anew brings files of older exporters into today's layout. With
    --for, operators that a target lacks are rewritten where an exact form
    exists: sum pools as convolutions, taps as delays, delays moved to axons.
    What the target still cannot run is listed then, and the exit status is 1.
    """
    import neurodeploy as nd

    from ..reporting.terminal import audit_table
    from . import DIFFERS, DONE

    # NetX counts time in steps: --dt then says what a step is in the NIR to be written.
    read = reading if is_nir_file(source) else replace(reading, dt=None)
    network = read.load(source)
    left = Audit()
    if target_chip is not None:
        from ..targets.look_ahead import look_ahead
        from ..targets.rewrite import rewritten_for

        network = rewritten_for(network, target_chip)
        left = Audit(look_ahead(network, target_chip).rated(Rating.UNSUPPORTED))
    written = {"dt": reading.dt, "preset": framework}
    given = {key: value for key, value in written.items() if value is not None}
    nd.save(network, target, **(given if target.suffix.lower() == ".nir" else {}))
    if json:
        entries = [entry.as_dict() for entry in network.audit]
        found = {"network": target, "fingerprint": network.fingerprint, "audit": entries}
        print_json({**found, "left": [entry.as_dict() for entry in left]})
    else:
        show(audit_table(network.audit), f"{source} -> {target}")
        if left:
            show(f"{target_chip} cannot run {len(left)} elements of it:", audit_table(left))
    return DIFFERS if left else DONE
