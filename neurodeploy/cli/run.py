"""``neurodeploy run``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .shared import (
    Dt,
    From,
    Json,
    Net,
    Reset,
    load_network,
    print_json,
    progress_bar,
    show,
)


def run(
    net: Net,
    input: Annotated[Path, typer.Option("--input", help="Inputs: .npy, or .npz with 'inputs'.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The recording to write (.h5).")],
    backend: Annotated[str, typer.Option(help="Where to run: engine, float or lava.")] = "engine",
    record: Annotated[str, typer.Option(help="Of counts,spikes,u,v.")] = "counts",
    steps: Annotated[int | None, typer.Option(help="Chip time steps per sample.")] = None,
    drain: Annotated[
        bool, typer.Option("--drain", help="Run on until the last inputs have reached the output.")
    ] = False,
    raw_input: Annotated[
        bool,
        typer.Option(
            "--raw-input", help="Inputs are the input neurons' integers: no weight, no bias."
        ),
    ] = False,
    threads: Annotated[
        int | None, typer.Option(help="Threads of the engine; all cores by default.")
    ] = None,
    kernels: Annotated[
        str, typer.Option(help="How the engine adds synapses: auto, events or dense.")
    ] = "auto",
    timeout: Annotated[
        float | None, typer.Option(help="End a worker after this many seconds.")
    ] = None,
    dt: Dt = None,
    reset: Reset = None,
    source: From = None,
    json: Json = False,
) -> None:
    """Run NET on inputs and record what it does.

    Inputs are [steps, shape] or [samples, steps, shape]; samples are
    independent. Where NET starts with neurons, its own input weight and bias
    are applied. The recording opens with `compare` and `profile`.
    """
    import neurodeploy as nd

    from ..report.rows import limit_lines
    from ..report.terminal import counts_table
    from ..signals import read_inputs

    network = load_network(net, dt, reset, source)
    inputs, _ = read_inputs(input)
    if drain and steps is None:
        axis = 0 if inputs.ndim == len(network.input.shape) + 1 else 1
        steps = inputs.shape[axis] + network.hops(network.output.name)
    with progress_bar(f"running on {backend}") as progress:
        recording = nd.run(
            network,
            inputs,
            backend=backend,
            record=tuple(what.strip() for what in record.split(",") if what.strip()),
            steps=steps,
            apply_transform=not raw_input,
            out=out,
            threads=threads,
            kernels=kernels,
            timeout_seconds=timeout,
            progress=progress,
        )
    header = recording.header
    if json:
        counts = {name: int(recording[name].counts.sum()) for name in recording.names}
        overflows = {name: recording[name].overflows() for name in recording.names}
        print_json(
            {
                "recording": out,
                "backend": header.backend,
                "backend_version": header.backend_version,
                "samples": recording.samples,
                "steps": recording.steps,
                "seconds": header.seconds,
                "spikes": counts,
                "overflows": overflows,
                "weights_clipped": recording.weights_clipped(),
                "warnings": header.warnings,
            }
        )
        return
    show(counts_table([recording]), *limit_lines(recording))
    show(
        f"{recording.samples} samples x {recording.steps} steps on {header.backend} "
        f"({header.backend_version}) in {header.seconds:.3g} s; recording: {out}"
    )
