"""``neurodeploy doctor``."""

from __future__ import annotations

import signal
import sys
from typing import Annotated

import typer

from ..errors import InputError
from . import options
from .terminal import print_json, show


def doctor(
    add: Annotated[
        str | None,
        typer.Option(
            metavar="lava|lava-dl|lava-worker",
            help="First add Lava's simulator; SLAYER too, with torch; or the simulator in an "
            "environment of its own.",
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Tell which backends and extras this machine has, and how to add what is missing.

    `--add lava` installs Lava for this interpreter if it is a virtual environment's, else in an
    environment of its own; on any Python from 3.10 to 3.13, without what Lava pins.
    """
    from rich.table import Table
    from rich.text import Text

    from .inventory import take_inventory

    if add is not None:
        _add(add)
    items = take_inventory()
    if json:
        print_json([vars(item) for item in items])
        return
    table = Table(title="what this machine has", title_justify="left")
    for heading in ("part", "here", "what it is, or what adds it"):
        table.add_column(heading, overflow="fold")
    for item in items:
        table.add_row(item.name, Text("yes", "green") if item.present else "no", item.detail)
    show(table)


def _add(part: str) -> None:
    from ..backends.lava import environment

    ways = {
        "lava": environment.add_lava,
        "lava-dl": environment.add_lava_dl,
        "lava-worker": environment.make_own,
    }
    if part not in ways:
        raise InputError(f"--add {part!r}: unknown; there are {', '.join(ways)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))  # with all that was begun cleared away
    ways[part](lambda line: typer.echo(line, err=True))
