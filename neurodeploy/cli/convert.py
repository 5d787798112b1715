"""``neurodeploy convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .shared import Dt, From, Json, Reset, ResetDelay, is_nir_file, load_network, print_json, show


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A network to read.")],
    target: Annotated[
        Path, typer.Argument(metavar="OUT", help="The network to write (.net or .nir).")
    ],
    dt: Dt = None,
    reset: Reset = None,
    reset_delay: ResetDelay = None,
    source_framework: From = None,
    framework: Annotated[
        str | None, typer.Option("--to", metavar="FRAMEWORK", help="NIR: who shall run OUT.")
    ] = None,
    target_chip: Annotated[
        str | None,
        typer.Option("--for", metavar="lava|loihi2", help="Rewrite exactly what it lacks."),
    ] = None,
    json: Json = False,
) -> None:
    """Read a network in one format and write it in another, saying what changed.

    Formats are told by what IN holds and by OUT's suffix: NetX HDF5 (.net) or
    NIR (.nir). NIR has no time step: give --dt unless the graph implies it.
    Writing NetX anew brings files of older exporters into today's layout. With
    --for, operators that a target lacks are rewritten where an exact form
    exists: sum pools as convolutions, taps as delays, delays moved to axons.
    """
    import neurodeploy as nd

    from ..report.terminal import audit_table

    # NetX counts time in steps: --dt then says what a step is in the NIR to be written.
    reads_nir = is_nir_file(source)
    network = load_network(source, dt if reads_nir else None, reset, source_framework, reset_delay)
    if target_chip is not None:
        from ..rewrite import rewritten_for

        network = rewritten_for(network, target_chip)
    written = {"dt": dt, "preset": framework}
    given = {key: value for key, value in written.items() if value is not None}
    nd.save(network, target, **(given if target.suffix.lower() == ".nir" else {}))
    if json:
        entries = [entry.as_dict() for entry in network.audit]
        print_json({"network": target, "fingerprint": network.fingerprint, "audit": entries})
        return
    show(audit_table(network.audit), f"{source} -> {target}")
