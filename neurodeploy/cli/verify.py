"""``neurodeploy verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .statuses import DIFFERS, DONE
from .terminal import interruptible, print_json, progress_bar, show


@options.reads_a_network
def verify(
    net: options.Net,
    input: Annotated[Path, typer.Option("--input", help="Inputs: .npy, or .npz with 'inputs'.")],
    backend: Annotated[str, typer.Option(help="The other backend; `doctor` lists them.")] = "lava",
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="DIR", help="Recordings and report.")
    ] = Path("verified"),
    record: options.Record = "spikes",
    steps: options.Steps = None,
    drain: options.Drain = False,
    samples: Annotated[int | None, typer.Option(min=1, help="Only the first so many.")] = None,
    labels: options.Labels = None,
    raw_input: options.RawInput = False,
    timeout: options.Timeout = None,
    place: options.Place = None,
    job: options.Job = None,
    board_set: options.BoardSettings = None,
    axes: options.Axes = None,
    chip: Annotated[
        str | None,
        typer.Option(help="Whose energy and time are estimated where no meter was read."),
    ] = None,
    report_samples: options.ReportSamples = None,
    report_neuron: options.ReportNeuron = None,
    reading: options.Reading = options.NO_OPTIONS,
    json: options.Json = False,
) -> int:
    """Run NET on the engine and on Lava or the chip, compare the two, and write a report.

    Exit status 0: equal; 1: they differ, and it says where first; 2: it could not be done.
    """
    from ..exporting.verify import verify as run_verify
    from ..inputs import as_samples, read_inputs, read_labels
    from ..reporting import report
    from ..reporting.meter_readings import measured_figures

    rasters = options.read_rasters(report_samples, report_neuron)
    network = reading.load(net)
    inputs, truth = read_inputs(input, axes)
    classes = read_labels(labels) if labels is not None else truth
    if samples is not None:
        inputs = as_samples(network, inputs)[:samples]
        classes = None if classes is None else classes[:samples]
    with interruptible(), progress_bar(f"verifying on {backend}") as progress:
        found = run_verify(
            network,
            inputs,
            out,
            backend=backend,
            record=tuple(what.strip() for what in record.split(",") if what.strip()),
            steps=steps,
            drain=drain,
            labels=classes,
            chip=chip,
            apply_transform=not raw_input,
            progress=lambda _: progress,
            place=place,
            job=job,
            timeout_seconds=timeout,
            board_settings=options.read_settings(board_set),
        )
    other = found.recordings[1]
    page = out / "report.html"
    report(
        page,
        net=network,
        recordings=found.recordings,
        comparison=found.comparison,
        profiles=found.profiles,
        title=f"Verified on {other.header.backend}",
        **rasters,
    )
    if json:
        print_json(
            {
                "folder": out,
                "comparison": found.comparison.as_dict(),
                "profile": found.profiles[0].as_dict(),
                "measured": dict(other.header.measured),
                "warnings": other.header.warnings,
            }
        )
    else:
        figures = [f"{name}: {value}" for name, value in measured_figures(other)]
        notes = found.comparison.notes
        show(*found.comparison.tables(), *notes, *figures, *other.header.warnings)
        show(found.comparison.summary(), *(one.headline for one in found.profiles))
        show(f"recordings and report: {page}")
    return DONE if found.equal else DIFFERS
