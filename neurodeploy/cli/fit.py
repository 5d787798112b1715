"""``neurodeploy fit``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from . import options
from .statuses import DIFFERS, DONE
from .terminal import print_json, show, waiting

if TYPE_CHECKING:
    from ..network import Network


@options.reads_a_network
def fit(
    net: Annotated[
        str,
        typer.Argument(
            metavar="NET|TEXT|MODULE:FACTORY",
            help="A network's file, 'in 2x34x34; conv 16k5s2; dense 10' (or a .txt file that "
            "holds it), or what makes a torch module.",
        ),
    ],
    bits: options.Bits = None,
    shape: Annotated[
        str | None, typer.Option(metavar="C,H,W", help="Of a module's input, or N.")
    ] = None,
    chip: Annotated[str, typer.Option(help="loihi1, loihi2, or a chip's .toml file.")] = "loihi2",
    board: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="oheo-gulch, kapoho-point, hala-point or nahuku-32."),
    ] = None,
    compiler: options.Compiler = None,
    cores: Annotated[
        int | None, typer.Option(metavar="N", help="Usable cores per chip, as your board has them.")
    ] = None,
    recording: Annotated[
        Path | None,
        typer.Option(metavar="REC.h5", help="Spread the busiest layers by what this run counted."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="OUT.html", help="Write a page with the floor plan.")
    ] = None,
    reading: options.Reading = options.NO_OPTIONS,
    json: options.Json = False,
) -> int:
    """Place a network on a chip: cores it takes, how full they are, what does not fit.

    A network that is not trained yet is placed by its shapes, at --bits. Of a layer that does not
    fit, the smallest changes after which it does are named.

    Exit status 0: it fits. 1: it does not; the last lines say what, by how much, and what helps.
    """
    import neurodeploy as nd

    from ..chip.balance import busiest_seconds
    from ..chip.nearest import changes_that_fit
    from ..files import check_place
    from ..numbers import si
    from ..reporting.terminal import placement_table

    if report is not None:
        check_place(report)
    counted = None if recording is None else nd.Recording.load(recording)
    network = _network(net, bits, shape, reading)
    where: dict[str, Any] = {"board": board, "compiler": compiler, "cores": cores}
    with waiting("placing, and looking for changes after which it fits"):
        placement = nd.fit(network, chip, recording=counted, **where)
        changes = changes_that_fit(placement)
    gain = {}
    if counted is not None:
        plain = nd.fit(network, chip, **where)
        gain = {
            "plain_cores_used": plain.cores_used,
            "plain_busiest_core_seconds": busiest_seconds(plain, counted),
            "busiest_core_seconds": busiest_seconds(placement, counted),
        }
    if report is not None:
        shown = () if counted is None else (counted,)
        nd.report(report, placement=placement, recordings=shown, title=f"Placement of {net}")
    if json:
        more = {"changes": [{**vars(change), "says": str(change)} for change in changes]}
        print_json({**placement.as_dict(), **gain, **more})
        return DONE if placement.fits else DIFFERS
    show(placement_table(placement), *placement.lines())
    for change in changes:
        typer.echo(f"{change} ({change.cores_used:,} cores)")
    if gain:
        before, after = gain["plain_busiest_core_seconds"], gain["busiest_core_seconds"]
        typer.echo(
            f"the busiest core works {si(after, 's')} a step in place of {si(before, 's')} on the "
            f"{gain['plain_cores_used']} cores of the plain placement (estimated)"
        )
    if report is not None:
        typer.echo(f"report: {report}")
    return DONE if placement.fits else DIFFERS


def _network(net: str, bits: str | None, shape: str | None, reading: options.Reading) -> Network:
    """Read a network as it is, or sketch one of stand-in weights."""
    import neurodeploy as nd

    from ..exporting.sketching import reads_as_description

    path, width, given_shape = Path(net), _width(bits), _shape(shape)
    if reads_as_description(net) or (path.suffix == ".txt" and path.exists()):
        return nd.sketch(net, bits=width)
    if re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", net) and not path.exists():
        from ..formats.slayer.checkpoint import make_module

        return nd.sketch(make_module(net), bits=width, shape=given_shape)
    network = reading.load(path)
    return network if width is None else nd.sketch(network, bits=width)


def _width(bits: str | None) -> int | None:
    if bits is None:
        return None
    if bits == "ternary":
        return 2
    if not bits.isdecimal():
        raise InputError(f"--bits {bits!r}: give 1 to 8, or ternary")
    return int(bits)


def _shape(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    sizes = text.split(",")
    if len(sizes) not in (1, 3) or not all(size.isdecimal() and int(size) for size in sizes):
        raise InputError(f"--shape {text!r}: give C,H,W or a number of neurons, such as 2,34,34")
    return tuple(int(size) for size in sizes)
