"""``neurodeploy evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import InputError
from . import options
from .terminal import interruptible, print_json, progress_bar, say, show


@options.reads_a_network
def evaluate(
    net: options.Net,
    input: Annotated[
        Path, typer.Option("--input", help="Inputs: .npy, or .npz with 'inputs', 'labels'.")
    ],
    labels: options.Labels = None,
    values: Annotated[
        Path | None,
        typer.Option(help="Values wanted, instead of classes: .npy [samples, (steps,) outputs]."),
    ] = None,
    unit: Annotated[
        float, typer.Option(help="What one unit of the output is worth, of --values.")
    ] = 1.0,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="threads:N|processes:N|ADDRESS", help="Who runs it; by default this process."
        ),
    ] = None,
    by: options.By = None,
    window: options.Window = None,
    backend: Annotated[str, typer.Option(help="What runs it; `doctor` lists them.")] = "engine",
    record: options.Record = "counts",
    steps: options.Steps = None,
    drain: options.Drain = False,
    raw_input: options.RawInput = False,
    axes: options.Axes = None,
    bin: options.Bin = None,
    chip: Annotated[str, typer.Option(help="Whose energy is estimated; none for none.")] = "loihi2",
    shard: Annotated[int | None, typer.Option(metavar="N", help="Samples of a shard.")] = None,
    threads: Annotated[
        int | None, typer.Option(help="Of the engine in each process or Dask thread.")
    ] = None,
    timeout: options.Timeout = None,
    place: options.Place = None,
    board_set: options.BoardSettings = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="DIR", help="Keep each shard's recording; the call goes on."
        ),
    ] = None,
    reading: options.Reading = options.NO_OPTIONS,
    json: options.Json = False,
) -> None:
    """Run NET on a data set and score it: accuracy, latency to decision, messages, energy.

    Memory does not grow with the samples. The result is the same to the bit whoever runs the
    shards. With `--out DIR`, the recordings of the shards are kept there, and the same call goes
    on from what is done.
    """
    import neurodeploy as nd

    from ..inputs import read_labels
    from ..inputs.data_sets import read_values

    if labels is not None and values is not None:
        raise InputError("--values: together with --labels; give one of the two")
    network = reading.load(net)
    wanted: Any = None
    if labels is not None:
        wanted = read_labels(labels)
    elif values is not None:
        wanted = read_values(values)
    with interruptible(), progress_bar(f"evaluating on {backend}") as progress:
        score = nd.evaluate(
            network,
            input,
            wanted,
            backend=backend,
            scheduler=scheduler,
            by=by,
            window=options.read_window(window),
            unit=unit,
            chip=None if chip == "none" else chip,
            axes=axes,
            bin=bin,
            steps=steps,
            drain=drain,
            apply_transform=not raw_input,
            record=tuple(what.strip() for what in record.split(",") if what.strip()),
            out=out,
            shard=shard,
            threads=threads,
            place=place,
            board_settings=options.read_settings(board_set),
            timeout_seconds=timeout,
            progress=progress,
            tell=say,
        )
    if json:
        print_json(score.as_dict())
        return
    width = max(map(len, score.figures))
    show(*(f"{name:<{width}}  {value}" for name, value in score.figures.items()))
    show(*(f"warning: {line}" for line in score.tally.warnings))
    show(f"{score.shards} shards on {score.backend}, {score.crew}, in {score.seconds:.3g} s")
    if out is not None:
        show(f"recordings of the shards: {out}; `neurodeploy join` makes one of them")
