"""What the page's script needs to say under the pointer what a drawing shows there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Series = tuple[str, list[float | int], list[float | int | None]]
"""Name, x and y."""


@dataclass(frozen=True)
class HoverPanel:
    """One panel of a drawing.

    Attributes
    ----------
    box : (float, float, float, float)
        Left, top, width and height as shares of the drawing.
    x, y : (float, float)
        Values at left and right, at bottom and top; both axes linear.
    x_name, y_name : str
    series : list of Series
        Whose values are said at the nearest x; where there are none, x and y are.
    """

    box: tuple[float, float, float, float]
    x: tuple[float, float]
    y: tuple[float, float]
    x_name: str
    y_name: str
    series: list[Series]

    @classmethod
    def of(cls, axis: Axes, x_name: str, y_name: str, series: Sequence[Series] = ()) -> HoverPanel:
        """Read a panel's place from a figure that has been drawn."""
        place = axis.get_position()
        box = (place.x0, 1 - place.y1, place.width, place.height)
        ends = axis.get_xlim(), axis.get_ylim()
        return cls(box, ends[0], ends[1], x_name, y_name, list(series))


def hover_json(panels: Sequence[HoverPanel]) -> str:
    """The panels as JSON, for a drawing's ``data-hover``."""
    return json.dumps([asdict(panel) for panel in panels], separators=(",", ":"))
