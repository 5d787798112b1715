"""``neurodeploy profile``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from . import options
from .terminal import print_json, progress_bar, show

if TYPE_CHECKING:
    from ..chip import Placement


@options.reads_a_network
def profile(
    recording: Annotated[Path, typer.Argument(metavar="REC.h5", help="A recording.")],
    chip: Annotated[
        str,
        typer.Option(
            help="loihi1, loihi1-sanafe, loihi2, loihi2-n3c1, loihi2-fitted, or a chip's .toml; "
            "several with commas between them."
        ),
    ] = "loihi2",
    net: Annotated[
        Path | None,
        typer.Option(
            "--net", metavar="NET", help="The network that ran: place it, and count by core."
        ),
    ] = None,
    compiler: options.Compiler = None,
    balance: Annotated[
        bool, typer.Option("--balance", help="Place it so that the busiest core has less to do.")
    ] = False,
    host_io: Annotated[
        bool,
        typer.Option(
            "--host-io", help="Add the time in which the host hands over inputs and outputs."
        ),
    ] = False,
    embedded_io: Annotated[
        bool,
        typer.Option(
            "--embedded-io", help="Fed and read by programs on the chip's own processors."
        ),
    ] = False,
    input: Annotated[
        Path | None,
        typer.Option(
            "--input",
            metavar="INPUTS",
            help="Measure NET on the recorded INPUTS on this host: six windows of 10 s.",
        ),
    ] = None,
    elsewhere: Annotated[
        bool,
        typer.Option(
            "--elsewhere", help="The same work on other devices, and what was measured there."
        ),
    ] = False,
    parts: Annotated[
        bool, typer.Option("--parts", help="Energy by kind of event, each with its band.")
    ] = False,
    csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV: each chip, and each population of it.")
    ] = False,
    latex: Annotated[
        bool, typer.Option("--latex", help="Print LaTeX tables, to cite from.")
    ] = False,
    bibtex: Annotated[
        bool, typer.Option("--bibtex", help="Print BibTeX of what the figures rest on.")
    ] = False,
    neurobench: Annotated[
        bool, typer.Option("--neurobench", help="NeuroBench's metrics of NET and this run.")
    ] = False,
    ndns: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="DT LATENCY",
            help="N-DNS proxies: seconds of signal a step, seconds of latency.",
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="OUT.html", help="Write the page with all drawings.")
    ] = None,
    report_samples: options.ReportSamples = None,
    report_neuron: options.ReportNeuron = None,
    reading: options.Reading = options.NO_OPTIONS,
    json: options.Json = False,
) -> None:
    """Price a recording: energy and time per inference on a chip.

    The first line is the one to quote: chip, steps, samples, placement, total and dynamic energy
    with their bands, and what sets the time of a step. How far to trust it: docs/chip.md.

    With `--net`, the busiest core sets the time of a step and messages are counted over the
    cores and hops that they take. Every figure says whether it is measured or estimated, and
    by which model; `--input` measures where this machine has energy counters (extra `power`).

    For a paper, `--csv`, `--latex` or `--bibtex` stand in the place of the tables; see
    docs/citing.md.
    """
    import neurodeploy as nd

    from ..inputs import read_inputs
    from ..profiling.benchmarks import ndns_proxy
    from ..profiling.benchmarks import neurobench as metrics_of
    from ..profiling.elsewhere import elsewhere as price_elsewhere
    from ..profiling.elsewhere import published_networks
    from ..profiling.host import profile_host
    from ..reporting import paper
    from ..reporting.devices import elsewhere_table, metrics_table, published_table
    from ..reporting.terminal import parts_table, profile_table

    for flag, asked in (
        ("--balance", balance),
        ("--compiler", compiler),
        ("--input", input),
        ("--neurobench", neurobench),
    ):
        if asked and net is None:
            raise InputError(f"{flag} needs the network: add --net NET")
    printed = {"--json": json, "--csv": csv, "--latex": latex, "--bibtex": bibtex}
    if sum(printed.values()) > 1:
        both = " and ".join(flag for flag, asked in printed.items() if asked)
        raise InputError(f"{both}: one is printed at a time; ask for the other in a second call")
    rasters = options.read_rasters(report_samples, report_neuron)
    recorded = nd.Recording.load(recording)
    network = None if net is None else reading.load(net)
    placements: list[Placement | None] = []
    profiles = []
    for name in chip.split(","):
        placements.append(None)
        if network is not None:
            counted = recorded if balance else None
            placements[-1] = nd.fit(network, name, compiler=compiler, recording=counted)
        how = {"host_io": host_io, "embedded_io": embedded_io}
        profiles.append(nd.profile(recorded, name, placements[-1], **how))
    if network is not None and input is not None:
        inputs, _ = read_inputs(input)
        with progress_bar("measuring this host") as progress:
            profiles.append(profile_host(network, inputs, recording=recorded, progress=progress))
    more: dict[str, Any] = {}
    tables: list[Any] = [parts_table(one) for one in profiles if one.parts] if parts else []
    if len(placements) > 1:
        more["profiles"] = [one.as_dict() for one in profiles[: len(placements)]]
    if elsewhere:
        devices, published = price_elsewhere(profiles[0], network), published_networks()
        more["elsewhere"] = [device.as_dict() for device in devices]
        more["published"] = [asdict(row) for row in published]
        tables += ["", elsewhere_table(devices), "", published_table(published)]
    if network is not None and neurobench:
        more["neurobench"] = metrics_of(network, recorded)
        tables += ["", metrics_table("NeuroBench, per sample", more["neurobench"])]
    if ndns is not None:
        more["ndns"] = ndns_proxy(profiles[0], *ndns)
        tables += ["", metrics_table("N-DNS, operations a second and operations", more["ndns"])]
    if len(profiles) > len(placements):
        more["host"] = profiles[-1].as_dict()
    if report is not None:
        nd.report(
            report, net=network, recordings=[recorded], placement=placements[0], profiles=profiles,
            **rasters,
        )  # fmt: skip
    if json:
        print_json({**profiles[0].as_dict(), **more})
        return
    for asked, write in ((csv, paper.csv_of), (latex, paper.latex_of), (bibtex, paper.bibtex_of)):
        if asked:
            typer.echo(write(profiles), nl=False)
            return
    show(*(one.headline for one in profiles), "", profile_table(profiles), *tables)
    if report is not None:
        show(f"report: {report}")
