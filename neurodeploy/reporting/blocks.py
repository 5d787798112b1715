"""What the page is built of; the template knows these and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cell:
    """A table cell.

    Attributes
    ----------
    text : str
    tag : str
        A word in a frame behind the text: measured, estimated, exact, differs...
    long : bool
        Whether the text may wrap.
    share : float or None
        0 to 1: drawn as a bar before the number.
    """

    text: str
    tag: str = ""
    long: bool = False
    share: float | None = None


@dataclass(frozen=True)
class Table:
    """A table in a box of its own that scrolls where the page is narrow.

    Attributes
    ----------
    head : tuple of str
        A leading ``#`` marks a column of numbers.
    rows : tuple of tuple of Cell
    caption : str
    foot : str
    """

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    foot: str = ""
    kind: str = "table"


@dataclass(frozen=True)
class Drawing:
    """An inline SVG with what it shows; `hover` says it under the pointer, see `pointer_texts`."""

    svg: str
    caption: str
    hover: str = "[]"
    kind: str = "figure"


@dataclass(frozen=True)
class Choice:
    """Drawings of which the page's script shows one; without it all stand below each other.

    Attributes
    ----------
    drawings : tuple of (str, Drawing, str)
        What stands in the list to choose from, the drawing, and `rasters.Raster.sent`.
    picked : str
        A neuron to begin with, as JSON: ``[population, number]``, or ``null``.
    """

    drawings: tuple[tuple[str, Drawing, str], ...]
    picked: str = "null"
    kind: str = "choice"


@dataclass(frozen=True)
class Note:
    """A line of text; ``alert`` sets it off."""

    text: str
    alert: bool = False
    kind: str = "note"


@dataclass(frozen=True)
class Items:
    """A few sentences that belong together, under a small heading."""

    title: str
    items: tuple[str, ...]
    kind: str = "items"


@dataclass(frozen=True)
class Headline:
    """One of the facts at the top.

    Attributes
    ----------
    label, value : str
    detail : str
        What stands behind the value.
    tag : str
        How the value is known: measured, estimated.
    tone : str
        Colours the value: exact, differs, approximate...
    """

    label: str
    value: str
    detail: str = ""
    tag: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Folded:
    """Blocks behind a line that opens them: what only confirms what was said already."""

    title: str
    blocks: tuple[Table | Drawing | Note | Items, ...]
    kind: str = "folded"


Block = Table | Drawing | Choice | Note | Items | Folded


@dataclass(frozen=True)
class Section:
    """A titled part of the page."""

    anchor: str
    title: str
    blocks: tuple[Block, ...] = ()
    headlines: tuple[Headline, ...] = field(default=())


def table(
    head: Sequence[str], rows: Sequence[Sequence[Cell | str]], caption: str = "", foot: str = ""
) -> Table:
    """Make a table, plain strings becoming cells."""
    cells = tuple(tuple(c if isinstance(c, Cell) else Cell(c) for c in row) for row in rows)
    return Table(tuple(head), cells, caption, foot)
