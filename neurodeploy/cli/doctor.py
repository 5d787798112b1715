"""``neurodeploy doctor``."""

from __future__ import annotations

from . import options
from .terminal import print_json, show


def doctor(json: options.Json = False) -> None:
    """Tell which backends and extras this machine has, and how to add what is missing."""
    from rich.table import Table
    from rich.text import Text

    from .inventory import take_inventory

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
