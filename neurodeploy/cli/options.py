"""Options that several verbs have: each is said once, so that it means the same everywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from ..errors import InputError
from ..network import Network
from .terminal import waiting

Net = Annotated[Path, typer.Argument(metavar="NET", help="A network: NetX HDF5 (.net) or NIR.")]
Axes = Annotated[
    str | None,
    typer.Option(
        "--axes",
        metavar="TBN|BTCHW|TB...",
        help="Order of the inputs' axes: T steps, B samples, else the shape's; default BT...",
    ),
]
Bin = Annotated[
    str | None,
    typer.Option(
        "--bin",
        metavar="1ms[:OPTION=VALUE,...]",
        help="Of event cameras: a step, and sensor=WxH, crop=L-T-R-B, downsample=N, "
        "polarity=both|merge|on|off, counts=yes, hot=HZ; see docs/events.md.",
    ),
]
Place = Annotated[
    str | None,
    typer.Option(
        "--place",
        metavar="PLACE",
        help="Where a worker runs: here, a Python's path, srun[:partition=,board=,time=,python=], "
        "ssh:[user@]host[,python=].",
    ),
]
BoardSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--board-set",
        metavar="NAME=VALUE",
        help="loihi2: partition, board, address, measure, window_seconds...; see docs/loihi2.md.",
    ),
]
Record = Annotated[
    str, typer.Option(help="Of counts,spikes,u,v; states: all that the neurons have.")
]
Steps = Annotated[int | None, typer.Option(help="Chip time steps per sample.")]
Drain = Annotated[
    bool, typer.Option("--drain", help="Run on until the last inputs have reached the output.")
]
RawInput = Annotated[
    bool,
    typer.Option("--raw-input", help="Inputs are the input neurons' integers: no weight, no bias."),
]
Timeout = Annotated[float | None, typer.Option(help="End a worker after this many seconds.")]
Job = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Keep finished samples here; the same call goes on."),
]
Bits = Annotated[str | None, typer.Option("--bits", help="Of a weight: 1 to 8, or ternary.")]
Scale = Annotated[str | None, typer.Option("--scale", help="Of a population: free, power-of-two.")]
Method = Annotated[
    str | None,
    typer.Option("--method", help="Of choosing scales: max, percentile, mse, search, auto."),
]
Rounding = Annotated[
    str | None, typer.Option("--rounding", help="Of weights: nearest, compensated, auto.")
]
Split = Annotated[
    float | None, typer.Option("--split", metavar="SHARE", help="Of synapses that may become two.")
]
Budget = Annotated[
    int | None,
    typer.Option("--budget", metavar="BITS", help="Of synaptic memory as the chip packs it."),
]
BudgetEnergy = Annotated[
    float | None,
    typer.Option("--budget-energy", metavar="JOULES", help="Dynamic, estimated, per inference."),
]
BudgetLoss = Annotated[
    float | None,
    typer.Option(
        "--budget-loss", metavar="SHARE", help="Of accuracy (of agreement without --labels)."
    ),
]
Labels = Annotated[
    Path | None, typer.Option(help="The right class of each sample: .npy, or .npz 'labels'.")
]
By = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="messages|v|v-max|v-last|first-spike",
        help="What decides among the outputs; messages, or v of a readout that sends none.",
    ),
]
Window = Annotated[
    str | None,
    typer.Option("--window", metavar="FIRST:STOP", help="The chip steps that count for it."),
]
Compiler = Annotated[
    str | None,
    typer.Option(
        "--compiler",
        metavar="VERSION",
        help="Of the chip, whose limits a placement keeps to; loihi2: 2024 (default), 2022.",
    ),
]
ReportSamples = Annotated[
    str | None,
    typer.Option(
        "--report-samples",
        metavar="N,N,...",
        help="Whose rasters the report holds, to choose from; three by default.",
    ),
]
ReportNeuron = Annotated[
    str | None,
    typer.Option(
        "--report-neuron",
        metavar="POPULATION:N",
        help="The neuron that the report's rasters mark first.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@dataclass(frozen=True)
class Reading:
    """How a file is read: a field for each option of `reads_a_network`; None is not given.

    Attributes
    ----------
    dt : float or None
        NIR: seconds of a time step.
    preset : str or None
        NIR: the framework that trained the network.
    reset : list of str or None
        NIR: hard, soft or none, once for all neurons or as ``NAME=soft`` for each.
    reset_delay : bool or None
        NIR: see `formats.nir.load_nir`.
    as_trained : bool or None
        NetX: see `formats.netx.load_netx`.
    allow : list of str or None
        Unsupported elements to go on without.
    """

    dt: Annotated[
        float | None,
        typer.Option("--dt", metavar="SECONDS", help="NIR: the time step, in seconds."),
    ] = None
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            metavar="FRAMEWORK",
            help="NIR: who trained it (snntorch, norse, sinabs, rockpool, spikingjelly, spyx, "
            "lava).",
        ),
    ] = None
    reset: Annotated[
        list[str] | None,
        typer.Option(
            "--reset",
            metavar="hard|soft|none",
            help="NIR: to a value, by subtraction or not at all; NAME=soft, repeated, for each "
            "layer.",
        ),
    ] = None
    reset_delay: Annotated[
        bool | None,
        typer.Option(
            "--reset-delay/--no-reset-delay",
            help="NIR of snnTorch: whether it was trained with reset_delay=True, its default.",
            show_default=False,
        ),
    ] = None
    as_trained: Annotated[
        bool | None,
        typer.Option(
            "--as-trained",
            help="NetX that SLAYER wrote: biases act from the step on from which they do there.",
        ),
    ] = None
    allow: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ELEMENT",
            help="An unsupported element to go on without, as the error names it.",
        ),
    ] = None

    def load(self, path: Path) -> Network:
        """Read a network with the options that were given."""
        import neurodeploy as nd

        options = {**vars(self), "reset": _read_resets(self.reset)}
        given = {name: value for name, value in options.items() if value is not None}
        with waiting(f"reading {path}"):  # what is read may be run, to measure it
            return nd.load(path, **given)


def _read_resets(given: list[str] | None) -> str | dict[str, str] | None:
    """``--reset``, once for all neurons, or ``NAME=`` for each."""
    if not given:
        return None
    pairs = [item.rpartition("=") for item in given]
    if len(pairs) == 1 and not pairs[0][0]:
        return given[0]
    return {name or "*": how for name, _, how in pairs}


NO_OPTIONS = Reading()

READING: dict[str, Any] = get_type_hints(Reading, include_extras=True)
"""The options of every verb that reads a network, by the field of `Reading` that they fill."""


def reads_a_network(verb: Callable[..., int | None]) -> Callable[..., int | None]:
    """Give a verb the options of `READING`; it gets what they say as `reading`."""

    @wraps(verb)
    def with_options(**given: Any) -> int | None:
        said = {name: given.pop(name) for name in READING}
        return verb(**given, reading=Reading(**said))

    own = signature(verb, eval_str=True)
    kept = [p for p in own.parameters.values() if p.name not in ("reading", "json")]
    last = [p for p in own.parameters.values() if p.name == "json"]
    added = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=option)
        for name, option in READING.items()
    ]
    ordered = [p.replace(kind=Parameter.KEYWORD_ONLY) for p in kept] + added
    ordered += [p.replace(kind=Parameter.KEYWORD_ONLY) for p in last]
    with_options.__annotations__ = {p.name: p.annotation for p in ordered}
    with_options.__signature__ = own.replace(parameters=ordered)  # type: ignore[attr-defined]
    return with_options


def read_window(given: str | None) -> tuple[int, int] | None:
    """``--window FIRST:STOP``; None where it is not given."""
    if given is None:
        return None
    first, _, stop = given.partition(":")
    if not (first.isdigit() and stop.isdigit()):
        raise InputError(f"--window {given!r}: give FIRST:STOP, two whole numbers")
    return int(first), int(stop)


def read_settings(given: list[str] | None) -> dict[str, str] | None:
    """Settings of a board, each ``NAME=VALUE``; None where there are none."""
    if not given:
        return None
    pairs = [item.partition("=") for item in given]
    if wrong := [item for item, (_, equals, _) in zip(given, pairs, strict=True) if not equals]:
        raise InputError(f"--board-set {wrong[0]!r}: give NAME=VALUE")
    return {name.strip(): value.strip() for name, _, value in pairs}


def read_rasters(samples: str | None, neuron: str | None) -> dict[str, Any]:
    """Read ``--report-samples`` and ``--report-neuron`` as arguments of `neurodeploy.report`.

    Raises
    ------
    InputError
        If they are no numbers.
    """
    found: dict[str, Any] = {"samples": None, "neuron": None}
    if samples is not None:
        numbers = samples.split(",")
        if not all(number.strip().isdecimal() for number in numbers):
            raise InputError(f"--report-samples {samples!r}: give numbers of samples, such as 0,7")
        found["samples"] = [int(number) for number in numbers]
    if neuron is not None:
        name, _, number = neuron.rpartition(":")
        if not name or not number.isdecimal():
            raise InputError(f"--report-neuron {neuron!r}: give POPULATION:N, such as 1_dense:3")
        found["neuron"] = name, int(number)
    return found
