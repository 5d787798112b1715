"""What several verbs share: output as JSON, a progress bar, option types."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from ..backends.options import Progress
from ..network import Network

Net = Annotated[Path, typer.Argument(metavar="NET", help="A network: NetX HDF5 (.net) or NIR.")]
Dt = Annotated[
    float | None, typer.Option("--dt", metavar="SECONDS", help="NIR: the time step, in seconds.")
]
Reset = Annotated[
    list[str] | None,
    typer.Option(
        "--reset",
        metavar="hard|soft|none",
        help="NIR: to a value, by subtraction or not at all; NAME=soft, repeated, for each layer.",
    ),
]
ResetDelay = Annotated[
    bool | None,
    typer.Option(
        "--reset-delay/--no-reset-delay",
        help="NIR of snnTorch: whether it was trained with reset_delay=True, its default.",
        show_default=False,
    ),
]
From = Annotated[
    str | None,
    typer.Option(
        "--preset",
        "--from",
        metavar="FRAMEWORK",
        help="NIR: who trained it (snntorch, norse, sinabs, rockpool, spikingjelly, spyx, lava).",
    ),
]
Host = Annotated[
    str | None,
    typer.Option(
        "--host",
        metavar="PLACE",
        help="Where a worker runs: here, a Python's path, srun[:partition=,board=,time=,python=], "
        "ssh:[user@]host[,python=].",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--chip-set",
        metavar="NAME=VALUE",
        help="loihi2: partition, board, address, measure, window_seconds...; see docs/loihi2.md.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def load_network(
    path: Path,
    dt: float | None = None,
    reset: list[str] | None = None,
    source: str | None = None,
    reset_delay: bool | None = None,
) -> Network:
    """Read a network with the options that were given."""
    import neurodeploy as nd

    options: dict[str, Any] = {
        "dt": dt, "reset": _read_resets(reset), "preset": source, "reset_delay": reset_delay,
    }  # fmt: skip
    return nd.load(path, **{key: value for key, value in options.items() if value is not None})


def _read_resets(given: list[str] | None) -> str | dict[str, str] | None:
    """``--reset``, once for all neurons, or ``NAME=`` for each."""
    if not given:
        return None
    pairs = [item.rpartition("=") for item in given]
    if len(pairs) == 1 and not pairs[0][0]:
        return given[0]
    return {name or "*": how for name, _, how in pairs}


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
    """Settings of the chip's backend, each ``NAME=VALUE``; None where there are none."""
    if not given:
        return None
    pairs = [item.partition("=") for item in given]
    if wrong := [item for item, (_, equals, _) in zip(given, pairs, strict=True) if not equals]:
        raise typer.BadParameter(f"--chip-set {wrong[0]!r}: give NAME=VALUE.")
    return {name.strip(): value.strip() for name, _, value in pairs}


@contextmanager
def interruptible() -> Iterator[None]:
    """Say what an interrupted run has to say (which samples are done, and where)."""
    from . import Interrupted

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
        console.print(renderable, highlight=False, markup=not is_text, soft_wrap=is_text)
