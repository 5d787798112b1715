"""Constants fitted to published measurements, and how far off each is when left out.

Two scales are fitted, one for all energies and one for all times: published rows whose events
can be counted are too few for more. A scale is the geometric mean, over workloads, of measured
over predicted (the least squares solution in the logarithm); several rows of one workload
count as one. Left out is a workload with all its rows. Static power is a median.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..chip.specification import read_toml

FIGURES = {"step_us": "time", "dynamic_mj": "energy"}
"""Figures that a scale is fitted to, and which scale."""

_ROWS = Path(__file__).with_name("measured.toml")


@dataclass(frozen=True)
class Row:
    """A published measurement.

    Attributes
    ----------
    name, workload, source : str
    measured : mapping of str to float
        Figures as the file names them.
    usable : tuple of str
        Those that a model can be held against.
    steps : int
        Of an inference; 0 where it is not known.
    predicted : mapping of str to float
        By the constants before any fit.
    """

    name: str
    workload: str
    source: str
    measured: Mapping[str, float]
    usable: tuple[str, ...]
    steps: int = 0
    predicted: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class LeftOut:
    """A figure of a row, predicted by constants that were fitted without its workload."""

    row: str
    figure: str
    measured: float
    predicted: float

    @property
    def error(self) -> float:
        """Relative to what was measured."""
        return self.predicted / self.measured - 1


def measured_rows() -> tuple[Row, ...]:
    """The published measurements of ``measured.toml``."""
    known = ("name", "workload", "source", "usable", "steps")
    return tuple(
        Row(
            name=raw["name"],
            workload=raw["workload"],
            source=raw["source"],
            measured={key: float(value) for key, value in raw.items() if key not in known},
            usable=tuple(raw["usable"]),
            steps=raw.get("steps", 0),
        )
        for raw in _tables(read_toml(_ROWS, _ROWS.name))
    )


def scale(rows: Sequence[Row], kind: str) -> float:
    """What all energies or times are to be multiplied by; 1 where no row says so.

    Parameters
    ----------
    rows : sequence of Row
        With predictions.
    kind : str
        ``energy`` or ``time``.
    """
    logs: dict[str, list[float]] = {}
    for row in rows:
        for figure in set(row.usable) & set(row.predicted):
            if FIGURES.get(figure) == kind:
                ratio = row.measured[figure] / row.predicted[figure]
                logs.setdefault(row.workload, []).append(float(np.log(ratio)))
    return float(np.exp(np.mean([np.mean(ones) for ones in logs.values()]))) if logs else 1.0


def static_power(rows: Iterable[Row]) -> float:
    """Median of the measured static powers, in watts."""
    return float(
        np.median([row.measured["static_w"] for row in rows if "static_w" in row.measured])
    )


def leave_one_out(rows: Sequence[Row]) -> tuple[LeftOut, ...]:
    """Predict every usable figure, and every static power, without its own workload."""
    found = []
    for row in rows:
        others = [other for other in rows if other.workload != row.workload]
        guess = {"static_w": static_power(others)}
        for figure, kind in FIGURES.items():
            if figure in row.usable and figure in row.predicted:
                guess[figure] = row.predicted[figure] * scale(others, kind)
        if "total_mj" in row.usable and {"dynamic_mj", "step_us"} <= set(guess):
            milliseconds = row.steps * guess["step_us"] / 1e3
            guess["total_mj"] = guess["dynamic_mj"] + guess["static_w"] * milliseconds
        found += [
            LeftOut(row.name, figure, row.measured[figure], value)
            for figure, value in guess.items()
            if figure in row.measured
        ]
    return tuple(found)


def median_error(left_out: Iterable[LeftOut], figures: Sequence[str]) -> float:
    """Median of the absolute relative errors of some figures."""
    return float(np.median([abs(one.error) for one in left_out if one.figure in figures]))


def _tables(raw: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in raw["row"]]
