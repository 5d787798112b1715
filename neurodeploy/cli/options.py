"""What several verbs share: output as JSON, a progress bar, option types."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import InputError
from ..network import Network
from ..recording.run_options import Progress
from .statuses import Interrupted

Net = Annotated[Path, typer.Argument(metavar="NET", help="A network: NetX HDF5 (.net) or NIR.")]
Axes = Annotated[
    str | None,
    typer.Option(
        "--axes",
        metavar="TBN|BTCHW|TB...",
        help="Order of the inputs' axes: T steps, B samples, else the shape's; default BT...",
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
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@dataclass(frozen=True)
class Reading:
    """How a file is read, as the options of `reads_a_network` say it; None is not given.

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

    dt: float | None = None
    preset: str | None = None
    reset: list[str] | None = None
    reset_delay: bool | None = None
    as_trained: bool | None = None
    allow: list[str] | None = None

    def load(self, path: Path) -> Network:
        """Read a network with the options that were given."""
        import neurodeploy as nd

        options = {**vars(self), "reset": _read_resets(self.reset)}
        given = {name: value for name, value in options.items() if value is not None}
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

READING: dict[str, Any] = {
    "dt": Annotated[
        float | None,
        typer.Option("--dt", metavar="SECONDS", help="NIR: the time step, in seconds."),
    ],
    "preset": Annotated[
        str | None,
        typer.Option(
            "--preset",
            metavar="FRAMEWORK",
            help="NIR: who trained it (snntorch, norse, sinabs, rockpool, spikingjelly, spyx, "
            "lava).",
        ),
    ],
    "reset": Annotated[
        list[str] | None,
        typer.Option(
            "--reset",
            metavar="hard|soft|none",
            help="NIR: to a value, by subtraction or not at all; NAME=soft, repeated, for each "
            "layer.",
        ),
    ],
    "reset_delay": Annotated[
        bool | None,
        typer.Option(
            "--reset-delay/--no-reset-delay",
            help="NIR of snnTorch: whether it was trained with reset_delay=True, its default.",
            show_default=False,
        ),
    ],
    "as_trained": Annotated[
        bool | None,
        typer.Option(
            "--as-trained",
            help="NetX that SLAYER wrote: biases act from the step on from which they do there.",
        ),
    ],
    "allow": Annotated[
        list[str] | None,
        typer.Option(
            metavar="ELEMENT",
            help="An unsupported element to go on without, as the error names it.",
        ),
    ],
}
"""The options of every verb that reads a network, by the field of `Reading` that they fill. One
more: a field there and an entry here."""


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


def is_nir_file(path: Path) -> bool:
    """Whether a file is a NIR graph."""
    from ..formats import is_nir

    return is_nir(path)


def print_json(result: Any) -> None:
    """Print a result as JSON on standard output."""
    typer.echo(json.dumps(result, indent=2, default=_plain))


def _plain(value: Any) -> Any:
    """Give JSON a form of NumPy numbers, paths and enums."""
    if hasattr(value, "item"):
        return value.item()
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)


@contextmanager
def progress_bar(label: str) -> Iterator[Progress]:
    """Show a progress bar on standard error while the block runs, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def read_settings(given: list[str] | None) -> dict[str, str] | None:
    """Settings of a board, each ``NAME=VALUE``; None where there are none."""
    if not given:
        return None
    pairs = [item.partition("=") for item in given]
    if wrong := [item for item, (_, equals, _) in zip(given, pairs, strict=True) if not equals]:
        raise InputError(f"--board-set {wrong[0]!r}: give NAME=VALUE")
    return {name.strip(): value.strip() for name, _, value in pairs}


@contextmanager
def interruptible() -> Iterator[None]:
    """Say what an interrupted run has to say (which samples are done, and where)."""
    try:
        yield
    except KeyboardInterrupt as stop:
        if not stop.args:
            raise
        raise Interrupted(*stop.args) from None


def show(*renderables: Any) -> None:
    """Print sentences and tables on standard output, tables at most 100 columns wide."""
    from rich.console import Console

    console = Console()
    console = Console(width=min(console.width, 100) if console.is_terminal else 100)
    for renderable in renderables:
        # Sentences are left to the terminal to wrap, so that a file keeps them whole.
        is_text = isinstance(renderable, str)
        # Names and shapes have brackets of their own: nothing is markup.
        console.print(renderable, highlight=False, markup=False, soft_wrap=is_text)
