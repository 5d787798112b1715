"""``neurodeploy emit-c``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .statuses import DONE
from .terminal import print_json, show, waiting


@options.reads_a_network
def emit_c(
    net: options.Net,
    out: Annotated[
        Path,
        typer.Option("-o", "--out", metavar="DIR", help="The folder; made if it is not there."),
    ],
    input: Annotated[
        Path | None,
        typer.Option("--input", help="What the test presents: .npy or .npz; default: drawn."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of struct and functions; default: the folder's."),
    ] = None,
    steps: options.Steps = None,
    raw_input: options.RawInput = False,
    axes: options.Axes = None,
    reading: options.Reading = options.NO_OPTIONS,
    json: options.Json = False,
) -> int:
    """Write NET as C99 that computes the engine's integers on any small processor.

    DIR holds one header, one source, a test and a Makefile. The source asks for no memory and
    needs no system; `make` in DIR compiles the test, which holds every message against the
    engine's on the inputs. What C has no form of is refused by name. See docs/emit_c.md.

    Exit status 0: written; 2: it could not be done, and DIR is as it was.
    """
    import neurodeploy as nd

    from .run import read_presented

    network = reading.load(net)
    inputs = None if input is None else read_presented(input, None, axes=axes)[0]
    with waiting(f"writing {out}"):
        made = nd.emit_c(
            network, out, inputs, name=name, steps=steps, apply_transform=not raw_input
        )
    if json:
        print_json(made.as_dict())
    else:
        show(repr(made), f"make -C {out} compiles the test and runs it")
    return DONE
