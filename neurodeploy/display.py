"""How an object shows itself: in a terminal, in a notebook, as a table of pandas."""

from __future__ import annotations

import importlib

from .errors import InputError, how_to_add

TYPE_CHECKING = False  # imported by the package's own face: typing takes 10 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

MOST_LINES = 6
"""Of a list in a `repr`; of a longer one the first and the last are shown."""

_renderers: list[Callable[[object], str]] = []


def show_in_notebooks_with(render: Callable[[object], str]) -> None:
    """Say what turns a `Shown` object into HTML.

    The report's drawings lie above the objects, which must not import them: whoever knows both
    says it here.
    """
    _renderers[:] = [render]


class Shown:
    """An object that a notebook shows as the report does."""

    def _repr_html_(self) -> str | None:
        """Give what Jupyter shows: sections of the report, as one piece of HTML."""
        return _renderers[0](self) if _renderers else None


def listed(title: str, lines: Sequence[str], *last: str, what: str = "more") -> str:
    """Put a title over indented lines; of more than `MOST_LINES` the middle is counted only."""
    shown = list(lines)
    if len(lines) > MOST_LINES:
        left = len(lines) - (MOST_LINES - 1)
        shown = [*lines[:3], f"... {left:,} {what} ...", *lines[-2:]]
    return "\n".join([title, *(f"  {line}" for line in (*shown, *last) if line)])


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of text as lines, their columns lined up."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def imported(name: str, extra: str) -> Any:
    """Import a package of an extra, or say in one line how to add it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(f"{name} is not installed: {how_to_add(extra)}") from error


def as_frame(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Rows as a ``pandas.DataFrame``."""
    return imported("pandas", "tables").DataFrame.from_records(rows)
