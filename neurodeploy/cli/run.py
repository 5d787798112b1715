"""``neurodeploy run``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import InputError
from . import options
from .terminal import interruptible, print_json, progress_bar, show


@options.reads_a_network
def run(
    net: options.Net,
    input: Annotated[
        Path,
        typer.Option(
            "--input",
            help="Inputs: .npy, .npz with 'inputs', sound with --encoder, events with --bin.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The recording to write (.h5).")
    ] = None,
    labels: options.Labels = None,
    by: options.By = None,
    window: options.Window = None,
    backend: Annotated[str, typer.Option(help="What runs it; `doctor` lists them.")] = "engine",
    record: options.Record = "counts",
    steps: options.Steps = None,
    drain: options.Drain = False,
    raw_input: options.RawInput = False,
    threads: Annotated[
        int | None, typer.Option(help="Threads of engine and float; all cores by default.")
    ] = None,
    timeout: options.Timeout = None,
    place: options.Place = None,
    job: options.Job = None,
    job_only: Annotated[
        Path | None,
        typer.Option("--job-only", metavar="DIR", help="Write the job, to carry it by hand."),
    ] = None,
    board_set: options.BoardSettings = None,
    encoder: Annotated[
        str | None,
        typer.Option(metavar="NAME[:OPTION=VALUE,...][+...]", help="Of sound; see docs/sound.md."),
    ] = None,
    rate: Annotated[int | None, typer.Option(help="Sound: Hz to resample to.")] = None,
    channel: Annotated[str | None, typer.Option(help="Sound: which channel, or mix.")] = None,
    axes: options.Axes = None,
    bin: options.Bin = None,
    learn_across_samples: Annotated[
        bool,
        typer.Option(
            "--learn-across-samples", help="Let each sample begin with what the last one learned."
        ),
    ] = False,
    learned: Annotated[
        Path | None,
        typer.Option(metavar="NET", help="Write the network with what the last sample learned."),
    ] = None,
    reading: options.Reading = options.NO_OPTIONS,
    json: options.Json = False,
) -> None:
    """Run NET on inputs and record what it does.

    Inputs are [steps, shape] or [samples, steps, shape]; samples are
    independent. Where NET starts with neurons, its own input weight and bias
    are applied. Sound (.wav, .flac, .ogg) needs an `--encoder`. The
    recording opens with `compare` and `profile`.

    A run that fails midway says which samples are done and where they are kept: the same call goes
    on from there. With `--job-only`, do the job elsewhere by `neurodeploy worker DIR`.
    """
    import neurodeploy as nd

    from ..backends import BACKENDS, runs_in_worker, write_job
    from ..inputs import as_samples, read_labels, warn_of_time_first
    from ..numbers import percent, wilson_interval
    from ..reporting.table_rows import limit_lines
    from ..reporting.terminal import counts_table

    network = reading.load(net)
    inputs, _ = read_presented(input, encoder, rate, channel, axes, bin)
    truth = None if labels is None else read_labels(labels)
    if truth is None and (by or window):
        raise InputError("--by, --window: say how --labels are held against outputs; add --labels")
    if axes is None and encoder is None and bin is None:
        warn_of_time_first(network, as_samples(network, inputs).shape)
    how: dict[str, Any] = {
        "backend": backend,
        "record": tuple(what.strip() for what in record.split(",") if what.strip()),
        "steps": steps,
        "drain": drain,
        "apply_transform": not raw_input,
        "board_settings": options.read_settings(board_set),
        "learn_across_samples": learn_across_samples,
    }
    if learned is not None and not network.learning:
        raise InputError("--learned: nothing learns in this network; give a projection a rule")
    for flag, value in (("--job-only", job_only), ("--timeout", timeout)):
        if value is not None and not runs_in_worker(BACKENDS[backend]):
            raise InputError(
                f"{flag}: backend {backend!r} runs in this process; add --backend lava"
            )
    if job_only is not None:
        _written(write_job(network, inputs, job_only, **how), json)
        return
    if out is None:
        raise InputError("--out: says nowhere to write; add -o RECORDING.h5")
    with interruptible(), progress_bar(f"running on {backend}") as progress:
        recording = nd.run(
            network,
            inputs,
            **how,
            out=out,
            threads=threads,
            timeout_seconds=timeout,
            progress=progress,
            place=place,
            job=job,
        )
    if learned is not None:
        nd.save(recording.learned(), learned)
    header = recording.header
    accuracy = None
    if truth is not None:
        accuracy = recording.accuracy(truth, by, options.read_window(window))
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
                "accuracy": accuracy,
                "warnings": header.warnings,
            }
        )
        return
    show(counts_table([recording]), *limit_lines(recording))
    if accuracy is not None:
        low, high = wilson_interval(round(accuracy * recording.samples), recording.samples)
        show(f"accuracy {percent(accuracy)}, 95 % interval {percent(low)} to {percent(high)}")
    show(
        f"{recording.samples} samples x {recording.steps} steps on {header.backend} "
        f"({header.backend_version}) in {header.seconds:.3g} s; recording: {out}"
    )


def read_presented(
    path: Path,
    encoder: str | None,
    rate: int | None = None,
    channel: str | None = None,
    axes: str | None = None,
    bin: str | None = None,
) -> tuple[Any, Any]:
    """Inputs in the documented order of axes, and their labels where the file holds any."""
    from ..audio.files import SUFFIXES
    from ..inputs import read_inputs
    from ..inputs.event_files import bin_file, is_event_file

    if bin is not None or is_event_file(path):
        if bin is None:
            raise InputError(f"{path} holds events: add --bin, the time of a step, such as 1ms")
        if axes is not None or encoder is not None:
            raise InputError("--bin: makes steps of events; leave --axes and --encoder out")
        return bin_file(path, bin), None
    if path.suffix.lower() in SUFFIXES:
        from ..audio.encoders import ENCODERS, encode_file

        if encoder is None:
            raise InputError(f"{path} is sound: add --encoder, of {', '.join(ENCODERS)}")
        if axes is not None:
            raise InputError(f"--axes: is for arrays; {path} is sound, leave it out")
        return encode_file(path, encoder, rate, channel), None
    for option, given in (("encoder", encoder), ("rate", rate), ("channel", channel)):
        if given is not None:
            raise InputError(f"--{option}: is for sound files; {path} is none, leave it out")
    return read_inputs(path, axes)


def _written(job: Path, json: bool) -> None:
    """Say what to do with a job that was written."""
    if json:
        print_json({"job": job})
        return
    show(
        f"job written: {job}. Copy the folder to where it shall run and do it there with",
        f"  neurodeploy worker {job.name}",
        f"which goes on where it was if it is ended. Bring back {job.name}/recording.h5.",
    )
