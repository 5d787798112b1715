"""``neurodeploy export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .statuses import DIFFERS, DONE
from .terminal import print_json, show, waiting


def export(
    factory: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:FACTORY", help="What makes the torch module, e.g. mynet.model:make."
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="The network to write (.net).")],
    weights: Annotated[
        Path | None, typer.Option(help="A state dict that torch.save wrote (.pt).")
    ] = None,
    example: Annotated[
        Path | None, typer.Option(help="What to run it on: .npy, or .npz with 'inputs'.")
    ] = None,
    shape: Annotated[
        str | None, typer.Option(help="Input shape C,H,W (or N) of a random example instead.")
    ] = None,
    steps: Annotated[int, typer.Option(help="Time steps of a random example.")] = 24,
    seed: Annotated[int, typer.Option(help="Of a random example.")] = 0,
    allow: Annotated[
        list[str] | None, typer.Option(help="An unsupported element to go on without, by name.")
    ] = None,
    split_sums: Annotated[
        bool, typer.Option("--split-sums", help="Split convolutions whose sums leave 24 bits.")
    ] = False,
    static: Annotated[
        bool,
        typer.Option("--static", help="It takes images without time and repeats them itself."),
    ] = False,
    json: options.Json = False,
) -> int:
    """Turn a trained SLAYER network into a file, and prove it.

    Writes NetX HDF5, says how each element was taken, then runs SLAYER's CPU
    forward pass and the engine on an example and compares every population.
    Exit status 0: they agree to the bit; 1: written, but they differ, and it
    says where first; 2: it could not be exported.
    """
    from ..exporting.export import export as run_export
    from ..reporting.terminal import audit_table

    with waiting(f"exporting {factory}"):
        done = run_export(
            factory,
            out,
            weights=weights,
            example=example,
            shape=shape,
            steps=steps,
            seed=seed,
            allow=allow or (),
            split_sums=split_sums,
            static=static,
        )
    if json:
        print_json(done.as_dict())
        return DONE if done.equal else DIFFERS
    show(audit_table(done.network.audit), *done.lines())
    return DONE if done.equal else DIFFERS
