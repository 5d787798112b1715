"""``neurodeploy compare``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options
from .statuses import DIFFERS, DONE
from .terminal import print_json, show, waiting

if TYPE_CHECKING:
    from ..recording import Recording


@options.reads_a_network
def compare(
    a: Annotated[Path, typer.Argument(metavar="A.h5", help="A recording.")],
    b: Annotated[Path, typer.Argument(metavar="B.h5", help="A recording to hold against it.")],
    net: Annotated[
        Path | None, typer.Option(help="What A ran: the first divergence is then explained.")
    ] = None,
    net_b: Annotated[Path | None, typer.Option(help="What B ran, if that is another.")] = None,
    input: Annotated[
        Path | None,
        typer.Option("--input", help="What was presented: .npy, or .npz; its labels are used too."),
    ] = None,
    labels: options.Labels = None,
    local: Annotated[
        bool, typer.Option("--local", help="Also feed each population what A recorded.")
    ] = False,
    floor: Annotated[
        bool, typer.Option("--floor", help="Also perturb the weights of NET and compare with that.")
    ] = False,
    noise: Annotated[
        float | None,
        typer.Option(help="For --floor, of the largest weight; default half a quantization step."),
    ] = None,
    repeats: Annotated[int, typer.Option(help="For --floor: perturbed runs.")] = 3,
    allow_spike_difference: Annotated[
        float | None, typer.Option(help="Share of spikes without a partner that is tolerated.")
    ] = None,
    tolerance_steps: Annotated[
        int, typer.Option(help="Steps that two spikes may lie apart and still be partners.")
    ] = 0,
    allow_state_error: Annotated[
        float | None, typer.Option(help="Difference of u and v that is tolerated.")
    ] = None,
    allow_decision_difference: Annotated[
        float | None, typer.Option(help="Share of samples whose decision may differ.")
    ] = None,
    distribution: Annotated[
        bool,
        typer.Option(
            "--distribution",
            help="Neurons with noise: A and B are folders of recordings, one a run, or recordings "
            "whose samples are runs; compare how often neurons send.",
        ),
    ] = False,
    level: Annotated[
        float, typer.Option(help="For --distribution: chance of calling equal sides different.")
    ] = 0.05,
    correction: Annotated[
        str, typer.Option(help="For --distribution: holm or bonferroni, for many neurons.")
    ] = "holm",
    report: Annotated[Path | None, typer.Option(help="Write a page (HTML) too.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write a JUnit file (XML) too.")] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Compare recordings of different networks or inputs.")
    ] = False,
    report_samples: options.ReportSamples = None,
    report_neuron: options.ReportNeuron = None,
    reading: options.Reading = options.NO_OPTIONS,
    json: options.Json = False,
) -> int:
    """Compare two recordings: spikes, u and v of every population, and where they first part.

    Clocks are lined up first. Exit status 0: equal, or within the tolerances
    given; 1: they differ, and it says where first; 2: they cannot be compared.
    """
    if distribution:
        others = {
            "--net": net, "--net-b": net_b, "--input": input, "--labels": labels, "--local": local,
            "--floor": floor, "--allow-spike-difference": allow_spike_difference,
            "--allow-state-error": allow_state_error, "--report": report, "--junit": junit,
            "--allow-decision-difference": allow_decision_difference,
        }  # fmt: skip
        return _distributions(a, b, level, correction, others, json)
    import neurodeploy as nd

    from ..comparison import FloorOptions, Tolerances
    from ..comparison.junit import write_junit
    from ..inputs import read_inputs, read_labels

    rasters = options.read_rasters(report_samples, report_neuron)
    recordings = [nd.Recording.load(path) for path in (a, b)]
    networks = [None if path is None else reading.load(path) for path in (net, net_b)]
    values, truth = (None, None) if input is None else read_inputs(input)
    tolerances = Tolerances(
        allow_spike_difference, tolerance_steps, allow_state_error, allow_decision_difference
    )
    with waiting("comparing, and looking for the cause of what differs"):
        result = nd.compare(
            *recordings,
            anyway=anyway,
            labels=read_labels(labels) if labels is not None else truth,
            tolerances=tolerances,
            net=networks[0],
            net_b=networks[1],
            inputs=values,
            local=local,
            floor=FloorOptions(noise, repeats) if floor else None,
        )
    if report is not None:
        nd.report(report, net=networks[0], recordings=recordings, comparison=result, **rasters)
    if junit is not None:
        write_junit(junit, result)
    if json:
        print_json(result.as_dict())
    else:
        show(*result.tables(), *result.notes, result.summary())
        for path in (report, junit):
            if path is not None:
                show(f"{'report' if path is report else 'JUnit'}: {path}")
    return DONE if result.within_tolerance else DIFFERS


def _distributions(
    a: Path, b: Path, level: float, correction: str, others: Mapping[str, object], json: bool
) -> int:
    from ..comparison import compare_distributions
    from ..errors import InputError

    for flag, value in others.items():
        if value:
            raise InputError(f"{flag}: not with --distribution, which compares counts of many runs")
    result = compare_distributions(_runs(a), _runs(b), level=level, correction=correction)
    if json:
        print_json(result.as_dict())
    else:
        show(result.table(), result.summary())
    return DONE if result.same else DIFFERS


def _runs(path: Path) -> Recording | list[Recording]:
    """A recording whose samples are runs, or the recordings of a folder by their names."""
    import neurodeploy as nd

    from ..errors import RecordingError

    if not path.is_dir():
        return nd.Recording.load(path)
    files = sorted(path.glob("*.h5"))
    if not files:
        raise RecordingError(f"{path}: holds no recordings; give a folder of .h5 files, one a run")
    return [nd.Recording.load(file) for file in files]
