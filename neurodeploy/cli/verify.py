"""``neurodeploy verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .shared import (
    NO_OPTIONS,
    Axes,
    Host,
    Json,
    Net,
    Reading,
    Settings,
    interruptible,
    print_json,
    progress_bar,
    read_settings,
    reads_a_network,
    show,
)


@reads_a_network
def verify(
    net: Net,
    input: Annotated[Path, typer.Option("--input", help="Inputs: .npy, or .npz with 'inputs'.")],
    on: Annotated[str, typer.Option(help="The other backend; `doctor` lists them.")] = "lava",
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="DIR", help="Recordings and report.")
    ] = Path("verified"),
    record: Annotated[str, typer.Option(help="Of counts,spikes,u,v.")] = "spikes",
    steps: Annotated[int | None, typer.Option(help="Chip time steps per sample.")] = None,
    drain: Annotated[
        bool, typer.Option("--drain", help="Run on until the last inputs have reached the output.")
    ] = False,
    samples: Annotated[int | None, typer.Option(min=1, help="Only the first so many.")] = None,
    labels: Annotated[
        Path | None, typer.Option(help="The right class of each sample: .npy, or .npz 'labels'.")
    ] = None,
    raw_input: Annotated[
        bool, typer.Option("--raw-input", help="Inputs are the input neurons' integers.")
    ] = False,
    timeout: Annotated[
        float | None, typer.Option(help="End a worker after this many seconds.")
    ] = None,
    host: Host = None,
    job: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep finished samples here; the same call goes on."),
    ] = None,
    chip_set: Settings = None,
    axes: Axes = None,
    chip: Annotated[
        str | None,
        typer.Option(help="Whose energy and time are estimated where no meter was read."),
    ] = None,
    reading: Reading = NO_OPTIONS,
    json: Json = False,
) -> int:
    """Run NET on the engine and on Lava or the chip, compare the two, and write a report.

    Exit status 0: equal; 1: they differ, and it says where first; 2: it could not be done.
    """
    from ..exporting.verify import REPORT
    from ..exporting.verify import verify as run_verify
    from ..inputs import as_samples, read_inputs, read_labels
    from ..reporting.meter_readings import measured_figures
    from . import DIFFERS, DONE

    network = reading.load(net)
    inputs, truth = read_inputs(input, axes)
    classes = read_labels(labels) if labels is not None else truth
    if samples is not None:
        inputs = as_samples(network, inputs)[:samples]
        classes = None if classes is None else classes[:samples]
    with interruptible(), progress_bar(f"verifying on {on}") as progress:
        found = run_verify(
            network,
            inputs,
            out,
            on=on,
            record=tuple(what.strip() for what in record.split(",") if what.strip()),
            steps=steps,
            drain=drain,
            labels=classes,
            chip=chip,
            apply_transform=not raw_input,
            progress=lambda _: progress,
            host=host,
            job=job,
            timeout_seconds=timeout,
            chip_settings=read_settings(chip_set),
        )
    other = found.recordings[1]
    if json:
        print_json(
            {
                "folder": out,
                "comparison": found.comparison.as_dict(),
                "profile": found.profile.as_dict(),
                "measured": dict(other.header.measured),
                "warnings": other.header.warnings,
            }
        )
    else:
        figures = [f"{name}: {value}" for name, value in measured_figures(other)]
        notes = found.comparison.notes
        show(*found.comparison.tables(), *notes, *figures, *other.header.warnings)
        show(found.comparison.summary(), f"recordings and report: {out / REPORT}")
    return DONE if found.comparison.equal else DIFFERS
