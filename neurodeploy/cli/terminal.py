"""What verbs print: sentences and tables, JSON, a progress bar; and how they are interrupted."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from ..recording.run_options import Progress
from .statuses import Interrupted


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


@contextmanager
def waiting(label: str) -> Iterator[None]:
    """Say on standard error what is being waited for, and how long, where that is a terminal.

    For work whose end nobody knows beforehand; nothing of it stays.
    """
    if not sys.stderr.isatty():  # rich takes longer to import than most of this work
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        bar.add_task(label, total=None)
        yield


@contextmanager
def interruptible() -> Iterator[None]:
    """Say what an interrupted run has to say (which samples are done, and where)."""
    try:
        yield
    except KeyboardInterrupt as stop:
        if not stop.args:
            raise
        raise Interrupted(*stop.args) from None


def say(line: str) -> None:
    """Say on standard error what is being waited for."""
    typer.echo(line, err=True)


def show(*renderables: Any) -> None:
    """Print sentences and tables on standard output, as wide as the terminal; 100 in a file."""
    from rich.console import Console

    console = Console()
    console = console if console.is_terminal else Console(width=100)
    for renderable in renderables:
        # Sentences are left to the terminal to wrap, so that a file keeps them whole.
        is_text = isinstance(renderable, str)
        # Names and shapes have brackets of their own: nothing is markup.
        console.print(renderable, highlight=False, markup=False, soft_wrap=is_text)
