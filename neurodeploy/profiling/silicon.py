"""The energy and time model held against chips that were measured, each row left out in turn.

``silicon.toml`` holds published measurements and what is counted in the programs behind them.
A row predicts its figures from those counts and a chip file's constants. Some constants come from
the rows themselves: `fit` finds them from the rows that it is given, so that `leave_one_out` can
predict a row by constants that have never seen it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..chip import Chip, load_chip
from ..chip.specification import read_toml

FILE = Path(__file__).with_name("silicon.toml")

EVENTS: Mapping[str, str] = {
    "synops": "synop_energy",
    "stored_zeros": "synop_energy",
    "updates_active": "neuron_update_active_energy",
    "updates_inactive": "neuron_update_inactive_energy",
    "updates_by_input": "neuron_update_by_input_energy",
    "messages": "message_energy",
    "hops_east_west": "hop_east_west_energy",
    "hops_north_south": "hop_north_south_energy",
}
"""Counted events, and the constant that is the energy of one."""

SCALED = ("synop_time", "neuron_update_inactive_time", "hop_east_west_time")
"""Times that no row determines alone; `time_scale` multiplies them."""

TIMES = (
    "barrier_time_one_tile",
    "barrier_time_whole_chip",
    "barrier_time_32_chips",
    "microcoded_update_time",
    "host_value_time",
    "embedded_io_time",
    "time_scale",
)
ENERGIES = ("core_step_energy", "energy_scale")

PRIORS: Mapping[str, Mapping[str, float]] = {
    "loihi2": {
        "barrier_time_one_tile": 0.6e-6,
        "barrier_time_whole_chip": 1.8e-6,
        "core_step_energy": 0.0,
        "time_scale": 1.0,
        "energy_scale": 1.0,
    },
    "loihi1": {
        "barrier_time_32_chips": 14.3e-6,
        "core_step_energy": 0.0,
        "time_scale": 1.0,
        "energy_scale": 1.0,
    },
}
"""What stands for a constant that no row is left for: SANA-FE's barriers of Loihi 1 (1 and 29
tiles), Frady et al.'s 14.3 us for 256 chips, nothing for an idle core, no scale. What is not here
cannot be predicted without a row."""

STATIC_PRIORS: Mapping[str, float] = {"loihi1": 0.104}
"""Static power that comes from no row: Frady et al. 2020, 32 chips of Loihi 1."""

DEFAULT_STEPPING = {"loihi2": "n3b3", "loihi1": "loihi1"}
"""Whose static power is taken where the stepping is not known, as in the chip files."""

FIGURES = ("step_us", "dynamic_uj", "total_uj", "static_w")
SCHEMES: Mapping[str, str] = {
    "row": "name",
    "workload": "workload",
    "board": "board",
    "year": "year",
}
"""What is left out together, and the attribute that tells it."""


@dataclass(frozen=True)
class Work:
    """What was counted in a mean step of a program.

    Attributes
    ----------
    steps : int
        Of an inference.
    cores, tiles, chips : int
    events : mapping of str to float
        Per step, by the names of `EVENTS`.
    busiest : mapping of str to float
        Events of the busiest core or link per step, by the constant that is their time.
    engine_us : mapping of str to float
        Microseconds that the busiest core is at work, as the engine's run says, by chip file.
    values : float
        Values that the host hands over per step.
    embedded : bool
        Whether programs on the embedded processors feed and read it in every step.
    counted : str
        How.
    error : float
        Of the counts, relative.
    """

    steps: int
    cores: int
    tiles: int
    chips: int
    events: Mapping[str, float]
    busiest: Mapping[str, float]
    engine_us: Mapping[str, float]
    values: float
    embedded: bool
    counted: str
    error: float


@dataclass(frozen=True)
class Row:
    """One published measurement.

    Attributes
    ----------
    name, workload, board, source : str
    chip : str
        Whose constants predict it.
    stepping : str
        Of the chip (``n3b3``, ``n3c1``), empty where it is not known.
    year, runs : int
    copies_per_chip : int
        Of the network, that ran side by side.
    reading : float
        Relative error of figures that were read off a drawing.
    measured : mapping of str to float
        Of `FIGURES`, energies per inference.
    core_step_nj : float
        Energy of a further core in a step, where a sweep over cores gives it; else NaN.
    anchor : bool
        Whether it only determines a constant: too little of it is public to predict it.
    bounds : bool
        Whether the dynamic power is below the meter's noise, so that it is but a bound.
    says : tuple of str
        Constants that it determines.
    work : Work or None
        None where the program cannot be counted.
    """

    name: str
    workload: str
    board: str
    source: str
    chip: str
    stepping: str
    year: int
    runs: int
    copies_per_chip: int
    reading: float
    measured: Mapping[str, float]
    core_step_nj: float
    anchor: bool
    bounds: bool
    says: tuple[str, ...]
    work: Work | None

    @property
    def kind(self) -> str:
        """``loihi1`` or ``loihi2``."""
        return load_chip(self.chip).kind


@dataclass(frozen=True)
class Fitted:
    """A constant as rows determine it.

    Attributes
    ----------
    value, low, high : float
        In SI units; the ends are the least and the greatest that a row says.
    rows : tuple of str
        Whose they are; empty where it is a prior.
    """

    value: float
    low: float
    high: float
    rows: tuple[str, ...] = ()


@dataclass(frozen=True)
class LeftOut:
    """A figure of a row, predicted by constants that were fitted without it.

    Attributes
    ----------
    row : Row
    figure : str
        Of `FIGURES`.
    measured, predicted : float
        Predicted is NaN where no row is left for a constant that it needs.
    at_measured_time : bool
        Whether the total takes the measured time, because none can be predicted.
    """

    row: Row
    figure: str
    measured: float
    predicted: float
    at_measured_time: bool = False

    @property
    def error(self) -> float:
        """Relative to what was measured."""
        return self.predicted / self.measured - 1


@dataclass(frozen=True)
class Summary:
    """Errors of a figure over workloads: median of their medians, and the worst row."""

    figure: str
    workloads: int
    rows: int
    median: float
    worst: float
    worst_row: str


@dataclass(frozen=True)
class Constants:
    """What a fit found for one kind of chip.

    Attributes
    ----------
    values : mapping of str to Fitted
        Times, energies and scales.
    static : mapping of str to Fitted
        Static power, by stepping.
    """

    values: Mapping[str, Fitted]
    static: Mapping[str, Fitted] = field(default_factory=dict)

    def __getitem__(self, name: str) -> float:
        """A constant's value; NaN where nothing says it."""
        return self.values[name].value if name in self.values else math.nan


@cache
def silicon_rows() -> tuple[Row, ...]:
    """Every published measurement of ``silicon.toml``."""
    raw = read_toml(FILE, FILE.name)
    work = {name: _work(entry) for name, entry in raw["work"].items()}
    return tuple(_row(entry, work, raw["noise_w"]) for entry in raw["row"])


def noise_watts() -> float:
    """Standard deviation of the dynamic power that one run reads."""
    return float(read_toml(FILE, FILE.name)["noise_w"])


def fit(rows: Iterable[Row], kind: str = "loihi2") -> Constants:
    """Constants of a kind of chip, from those rows alone.

    A constant is the geometric mean over workloads of what their rows say of it (several rows
    of a workload are first averaged so); static power the median over workloads of their
    medians, for each stepping. Each is found with those before it in `TIMES` and `ENERGIES`.
    """
    rows = [row for row in rows if row.kind == kind]
    found = {name: Fitted(v, v, v) for name, v in PRIORS[kind].items()}
    for name in (*TIMES, *ENERGIES):
        said = [(row, _says(row, name, found)) for row in rows if name in row.says]
        said = [(row, value) for row, value in said if value > 0]
        if said:
            found[name] = _mean_of_workloads(said)
    static = {name: Fitted(v, v, v) for name, v in STATIC_PRIORS.items() if name == kind}
    for stepping in {row.stepping for row in rows} - {""}:
        watts = [
            (row, row.measured["static_w"])
            for row in rows
            if row.stepping == stepping and "static_power" in row.says
        ]
        if watts:
            static[stepping] = _median_of_workloads(watts)
    return Constants(found, static)


def predict(row: Row, constants: Constants, chip: str | None = None) -> dict[str, float]:
    """Every figure of a row that the constants and its counts give.

    Parameters
    ----------
    row : Row
    constants : Constants
    chip : str, optional
        Whose other constants are taken; by default the row's.

    Returns
    -------
    dict of str to float
        NaN where a constant is not known.
    """
    static = constants.static.get(row.stepping or DEFAULT_STEPPING[row.kind])
    figures = {"static_w": static.value if static else math.nan}
    if row.work is None:
        return figures
    values = {name: one.value for name, one in constants.values.items()}
    made = load_chip(chip or row.chip)
    step = _step_seconds(row.work, values, made)
    dynamic = row.work.steps * _step_joules(row.work, values, made)
    figures["step_us"] = 1e6 * step
    figures["dynamic_uj"] = 1e6 * dynamic
    figures["total_uj"] = 1e6 * (dynamic + figures["static_w"] * row.work.steps * step)
    return figures


def leave_one_out(rows: Sequence[Row], by: str = "workload") -> tuple[LeftOut, ...]:
    """Predict every figure of every row by constants from rows that do not share `by` with it.

    A dynamic energy below the meter's noise is no figure: see `bounds`.

    Parameters
    ----------
    rows : sequence of Row
    by : str
        Of `SCHEMES`.
    """
    key = SCHEMES[by]
    found = []
    for left in dict.fromkeys(getattr(row, key) for row in rows):
        others = [row for row in rows if getattr(row, key) != left]
        fitted = {kind: fit(others, kind) for kind in PRIORS}
        for row in rows:
            if getattr(row, key) == left:
                found += _figures(row, predict(row, fitted[row.kind]))
    return tuple(found)


def bounds(rows: Iterable[Row], constants: Mapping[str, Constants]) -> tuple[LeftOut, ...]:
    """Dynamic energies that are but bounds: what was read and twice the noise, and ours."""
    found = []
    for row in rows:
        if row.bounds and row.work is not None:
            seconds = row.work.steps * row.measured["step_us"] / 1e6
            noise = 2 * noise_watts() / math.sqrt(row.runs) / row.copies_per_chip
            upper = row.measured["dynamic_uj"] + 1e6 * noise * seconds
            ours = predict(row, constants[row.kind])["dynamic_uj"]
            found.append(LeftOut(row, "dynamic_uj", upper, ours))
    return tuple(found)


def summarise(left_out: Iterable[LeftOut], figures: Sequence[str] = FIGURES) -> list[Summary]:
    """Errors of each figure; rows that could not be predicted are left out of it."""
    left_out, found = list(left_out), []
    for figure in figures:
        known = [one for one in left_out if one.figure == figure and not math.isnan(one.predicted)]
        by: dict[str, list[float]] = {}
        for one in known:
            by.setdefault(one.row.workload, []).append(abs(one.error))
        if not known:
            continue
        worst = max(known, key=lambda one: abs(one.error))
        median = float(np.median([np.median(errors) for errors in by.values()]))
        found.append(Summary(figure, len(by), len(known), median, worst.error, worst.row.name))
    return found


def scatter(rows: Iterable[Row], figure: str) -> dict[str, tuple[float, int]]:
    """Silicon's own spread: greatest over least of what rows of one workload measured.

    Returns
    -------
    dict of str to (float, int)
        Ratio and number of rows, by workload; of programs that are the same, two or more.
    """
    programs: dict[tuple[str, int], list[float]] = {}
    for row in rows:
        if figure == "dynamic_uj" and row.bounds:
            continue
        if figure in row.measured and row.work is not None:
            programs.setdefault((row.workload, id(row.work)), []).append(row.measured[figure])
    return {
        workload: (max(values) / min(values), len(values))
        for (workload, _), values in programs.items()
        if len(values) > 1
    }


def _figures(row: Row, predicted: Mapping[str, float]) -> list[LeftOut]:
    found = []
    for figure in FIGURES:
        if figure not in row.measured or (figure == "dynamic_uj" and row.bounds):
            continue
        if figure not in predicted or (row.anchor and figure != "static_w"):
            continue
        value, replaced = predicted[figure], False
        if figure == "total_uj" and math.isnan(predicted["step_us"]) and row.work is not None:
            seconds = row.work.steps * row.measured["step_us"]
            value, replaced = predicted["dynamic_uj"] + predicted["static_w"] * seconds, True
        found.append(LeftOut(row, figure, row.measured[figure], value, replaced))
    return found


def _says(row: Row, name: str, found: Mapping[str, Fitted]) -> float:
    """What a row says of a constant, given others; NaN where it cannot."""
    if name == "core_step_energy" and not math.isnan(row.core_step_nj):
        return row.core_step_nj * 1e-9
    if row.work is None:
        return math.nan
    step = row.measured["step_us"] * 1e-6
    if name == "embedded_io_time":  # hides all else, see `_step_seconds`
        return step
    if name in ENERGIES:
        if row.bounds or "dynamic_uj" not in row.measured:
            return math.nan
        measure: Callable[..., float] = _step_joules
        target = row.measured["dynamic_uj"] * 1e-6 / row.work.steps
    else:
        measure, target = _step_seconds, step
    values, chip = {key: one.value for key, one in found.items()}, load_chip(row.chip)
    # All but the greatest of these is linear in the constant: two points give it.
    large = 1e3 if name.endswith("scale") else 1.0
    at = [measure(row.work, {**values, name: x}, chip) for x in (large, 2 * large)]
    slope = (at[1] - at[0]) / large
    return (target - (at[0] - slope * large)) / slope if slope else math.nan


def _step_seconds(work: Work, values: Mapping[str, float], chip: Chip) -> float:
    """Time of a step, as `estimate` has it."""
    busy, own = 1e-6 * work.engine_us.get(chip.name, 0.0), 0.0
    for name, number in work.busiest.items():
        if name == "microcoded_update_time":
            own += number * values.get(name, math.nan)
        else:
            busy += number * chip[name] * values["time_scale"]
    barrier = _barrier(work, values, chip)
    hidden = "barrier_hides_work" in chip.constants and chip["barrier_hides_work"] > 0
    step = own + (max(busy, barrier) if hidden else busy + barrier)
    if work.embedded:
        step = max(step, values.get("embedded_io_time", math.nan))
        return step if "embedded_io_time" in values else math.nan
    return step + (work.values * values.get("host_value_time", math.nan) if work.values else 0.0)


def _barrier(work: Work, values: Mapping[str, float], chip: Chip) -> float:
    if work.chips > 1:
        return values.get("barrier_time_32_chips", math.nan)
    name = "barrier_time_one_tile" if work.tiles == 1 else "barrier_time_whole_chip"
    return values.get(name, chip[name])


def _step_joules(work: Work, values: Mapping[str, float], chip: Chip) -> float:
    events = sum(
        number * chip[EVENTS[name]]
        for name, number in work.events.items()
        if EVENTS[name] in chip.constants
    )
    return events * values["energy_scale"] + work.cores * values["core_step_energy"]


def _mean_of_workloads(said: Sequence[tuple[Row, float]]) -> Fitted:
    by: dict[str, list[float]] = {}
    for row, value in said:
        by.setdefault(row.workload, []).append(math.log(value))
    ends = [value * (1 + sign * row.reading) for row, value in said for sign in (-1, 1)]
    mean = math.exp(np.mean([np.mean(logs) for logs in by.values()]))
    return Fitted(mean, min(ends), max(ends), tuple(row.name for row, _ in said))


def _median_of_workloads(said: Sequence[tuple[Row, float]]) -> Fitted:
    by: dict[str, list[float]] = {}
    for row, value in said:
        by.setdefault(row.workload, []).append(value)
    values = [value for _, value in said]
    middle = float(np.median([np.median(ones) for ones in by.values()]))
    return Fitted(middle, min(values), max(values), tuple(row.name for row, _ in said))


def _row(raw: Mapping[str, Any], work: Mapping[str, Work], noise: float) -> Row:
    done = work[raw["work"]] if "work" in raw else None
    runs, copies = raw.get("runs", 1), raw.get("copies_per_chip", 1)
    measured = {name: float(raw[name]) for name in ("step_us", "static_w") if name in raw}
    if done is not None:
        for name, watts in (("dynamic_uj", "dynamic_w"), ("total_uj", "total_w")):
            if watts in raw:
                measured[name] = raw[watts] * raw["step_us"] * done.steps
    weak = "dynamic_w" in raw and raw["dynamic_w"] * copies < 3 * noise / math.sqrt(runs)
    return Row(
        name=raw["name"],
        workload=raw["workload"],
        board=raw["board"],
        source=raw["source"],
        chip=raw.get("chip", "loihi2"),
        stepping=raw["stepping"],
        year=raw["year"],
        runs=runs,
        copies_per_chip=copies,
        reading=raw.get("reading", 0.0),
        measured=measured,
        core_step_nj=raw.get("core_step_nj", math.nan),
        anchor=raw.get("anchor", False),
        bounds=weak,
        says=tuple(raw["says"]),
        work=done,
    )


def _work(raw: Mapping[str, Any]) -> Work:
    return Work(
        steps=raw["steps"],
        cores=raw["cores"],
        tiles=raw["tiles"],
        chips=raw.get("chips", 1),
        events={name: float(raw[name]) for name in EVENTS if name in raw},
        busiest=raw["busiest"],
        engine_us=raw.get("engine_us", {}),
        values=raw.get("values", 0),
        embedded=raw.get("embedded", False),
        counted=raw["counted"],
        error=raw["error"],
    )
