"""``neurodeploy join``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from . import options
from .terminal import interruptible, print_json, show


@options.reads_a_network
def join(
    recordings: Annotated[
        list[Path], typer.Argument(metavar="A.h5 B.h5 ...", help="Recordings of one network.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="The recording to write (.h5).")],
    net: Annotated[
        Path | None, typer.Option("--net", metavar="NET", help="The network that ran.")
    ] = None,
    input: Annotated[
        Path | None,
        typer.Option("--input", help="What all were given, together; needs --net."),
    ] = None,
    axes: options.Axes = None,
    reading: options.Reading = options.NO_OPTIONS,
    json: options.Json = False,
) -> None:
    """Join recordings of one network: their samples, in this order, become those of one run.

    With `--net` and `--input` the joined recording can be compared with a single run on them.
    """
    import neurodeploy as nd

    from ..inputs import read_inputs

    if (net is None) != (input is None):
        raise InputError("--input: needs --net, and --net needs --input; give both or none")
    parts = [nd.Recording.load(path) for path in recordings]
    network = None if net is None else reading.load(net)
    inputs = None if input is None else read_inputs(input, axes)[0]
    with interruptible():
        whole = nd.Recording.join(parts, out, network, inputs)
    if json:
        print_json({"recording": out, "samples": whole.samples, "steps": whole.steps})
        return
    show(f"{whole.samples} samples x {whole.steps} steps of {len(parts)} recordings: {out}")
