"""The chip model beside silicon: ``python -m benchmarks.silicon_rows [--write]``.

Prints the tables of docs/chip.md: every published row of ``neurodeploy/profiling/silicon.toml``
beside its prediction with its workload left out of the fit, what each constant rests on, and how
far silicon itself scatters. ``--write`` puts them into docs/chip.md, writes the chip file
``loihi2-fitted.toml`` and draws docs/silicon.svg (matplotlib).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import neurodeploy as nd
from neurodeploy.chip import Chip, load_chip
from neurodeploy.numbers import NOTHING, si, si_range
from neurodeploy.profiling.silicon import (
    ENERGIES,
    FIGURES,
    PRIORS,
    SCHEMES,
    TIMES,
    LeftOut,
    Row,
    bounds,
    fit,
    leave_one_out,
    noise_watts,
    predict,
    scatter,
    silicon_rows,
    summarise,
)

from .plots import BLUE, GREY, STYLE, VERMILION

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs/chip.md"
DRAWING = ROOT / "docs/silicon.svg"
FITTED = Path(nd.__file__).parent / "chip/data/loihi2-fitted.toml"
BEGIN, END = "<!-- {} -->", "<!-- end of {} -->"
NAMES = {
    "step_us": "time of a step",
    "dynamic_uj": "dynamic energy",
    "total_uj": "total energy",
    "static_w": "static power",
}
UNITS = {
    "step_us": ("s", 1e-6),
    "dynamic_uj": ("J", 1e-6),
    "total_uj": ("J", 1e-6),
    "static_w": ("W", 1.0),
}
SCALED_ENERGIES = (
    "synop_energy",
    "stored_zero_energy",
    "neuron_update_active_energy",
    "neuron_update_inactive_energy",
    "message_energy",
    "hop_east_west_energy",
    "hop_north_south_energy",
)
SCALED_TIMES = (
    "synop_time",
    "neuron_update_active_time",
    "neuron_update_inactive_time",
    "message_time",
    "hop_east_west_time",
    "hop_north_south_time",
)


def summary_table() -> str:
    """Medians over workloads and worst rows, for each way of leaving out."""
    rows = []
    left = {
        by: {s.figure: s for s in summarise(leave_one_out(silicon_rows(), by))} for by in SCHEMES
    }
    for figure in FIGURES:
        cells = [NAMES[figure]]
        for by in SCHEMES:
            found = left[by][figure]
            cells.append(
                f"{found.median:.0%} over {found.workloads}; worst {found.worst:+.0%} "
                f"({found.worst_row})"
            )
        rows.append(cells)
    return _table(["figure", *(f"{by} left out" for by in SCHEMES)], rows)


def rows_table() -> str:
    """Every row and figure, predicted with its workload left out."""
    by_row: dict[str, dict[str, LeftOut]] = {}
    for one in leave_one_out(silicon_rows(), "workload"):
        by_row.setdefault(one.row.name, {})[one.figure] = one
    shown = ("step_us", "total_uj", "dynamic_uj", "static_w")
    rows = []
    for row in silicon_rows():
        cells = [row.name, row.board, str(row.year)]
        for figure in shown:
            one = by_row.get(row.name, {}).get(figure)
            cells.append(_compared(row, figure, one))
        rows.append(cells)
    return _table(["row", "board", "year", *(NAMES[figure] for figure in shown)], rows)


def constants_table() -> str:
    """What each constant of Loihi 2 that rows determine rests on."""
    found = fit(silicon_rows())
    rows = []
    for name in (*TIMES, *ENERGIES):
        if name not in found.values or not found.values[name].rows:
            continue
        one = found.values[name]
        unit = {"time": "s", "ergy": "J"}.get(name[-4:], "s" if "barrier" in name else "")
        workloads = {row.workload for row in silicon_rows() if row.name in one.rows}
        prior = PRIORS["loihi2"].get(name)
        rows.append(
            [
                f"`{name}`",
                _number(one.value, unit),
                f"{_number(one.low, unit)} to {_number(one.high, unit)}",
                f"{len(one.rows)} of {len(workloads)}: {', '.join(sorted(workloads))}",
                NOTHING if prior is None else _number(prior, unit),
            ]
        )
    for stepping, one in sorted(found.static.items()):
        workloads = {row.workload for row in silicon_rows() if row.name in one.rows}
        rows.append(
            [
                f"`static_power`, {stepping.upper()}",
                si(one.value, "W"),
                si_range(one.low, one.high, "W"),
                f"{len(one.rows)} of {len(workloads)}: {', '.join(sorted(workloads))}",
                NOTHING,
            ]
        )
    head = ["constant", "fitted", "what single rows say", "rows of workloads", "without any row"]
    return _table(head, rows)


def bounds_table() -> str:
    """Dynamic energies that are below the meter's noise."""
    constants = {kind: fit(silicon_rows(), kind) for kind in PRIORS}
    rows = []
    for one in bounds(silicon_rows(), constants):
        measured = one.row.measured["dynamic_uj"] * 1e-6
        within = "yes" if one.predicted <= one.measured else "**no**"
        rows.append(
            [
                one.row.name,
                si(measured, "J"),
                si(one.measured * 1e-6, "J"),
                si(one.predicted * 1e-6, "J"),
                within,
            ]
        )
    return _table(["row", "read", "at most", "ours", "within"], rows)


def scatter_table() -> str:
    """How far repeats of one program differ on silicon: the most over the least."""
    found = {figure: scatter(silicon_rows(), figure) for figure in FIGURES}
    workloads = dict.fromkeys(name for ones in found.values() for name in ones)
    rows = []
    for workload in workloads:
        number = max(found[figure][workload][1] for figure in FIGURES if workload in found[figure])
        cells = [workload, str(number)]
        for figure in FIGURES:
            known = found[figure].get(workload)
            cells.append(NOTHING if known is None else f"x {known[0]:.2f}")
        rows.append(cells)
    return _table(["program", "runs", *(NAMES[figure] for figure in FIGURES)], rows)


def loihi1_table() -> str:
    """Rows of Loihi 1 beside both sets of constants; nothing of them is fitted but what is said."""
    rows = []
    others = {
        row.name: fit((r for r in silicon_rows() if r.workload != row.workload), "loihi1")
        for row in silicon_rows()
        if row.kind == "loihi1"
    }
    for row in silicon_rows():
        if row.kind != "loihi1" or row.work is None:
            continue
        for figure in ("step_us", "dynamic_uj"):
            if figure not in row.measured:
                continue
            cells = [row.name, NAMES[figure], _in_units(figure, row.measured[figure])]
            for chip in ("loihi1", "loihi1-sanafe"):
                value, said = predict(row, others[row.name], chip)[figure], ""
                if math.isnan(value):
                    alone = replace(row, work=replace(row.work, embedded=False))
                    value, said = predict(alone, others[row.name], chip)[figure], ", unfed"
                if not value:
                    cells.append(NOTHING)
                else:
                    error = value / row.measured[figure] - 1
                    cells.append(f"{_in_units(figure, value)} ({error:+.0%}{said})")
            rows.append(cells)
    return _table(["row", "figure", "measured", "`loihi1`", "`loihi1-sanafe`"], rows)


TABLES: dict[str, Callable[[], str]] = {
    "silicon summary": summary_table,
    "silicon rows": rows_table,
    "silicon bounds": bounds_table,
    "silicon constants": constants_table,
    "silicon scatter": scatter_table,
    "silicon loihi1": loihi1_table,
}
"""Tables of docs/chip.md, by the comment that they stand behind."""


def with_tables(text: str) -> str:
    """Docs with every table as it is now."""
    for name, make in TABLES.items():
        begin, end = BEGIN.format(name), END.format(name)
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{make()}\n{end}{rest.split(end)[1]}"
    return text


def chip_file() -> str:
    """``loihi2-fitted.toml`` as text."""
    base, found = load_chip("loihi2"), fit(silicon_rows())
    energy, time = found.values["energy_scale"], found.values["time_scale"]
    spread = {name: found.values[name] for name in ("energy_scale", "time_scale")}
    parts = [
        "# Intel Loihi 2, its events scaled to what was measured on boards. Written by",
        "# `python -m benchmarks.silicon_rows --write`; do not edit.",
        "",
        'name = "loihi2-fitted"',
        'title = "Intel Loihi 2 (fitted)"',
        'base = "loihi2"',
        "notes = [",
        f'    "FITTED: energies of events of loihi2 x {energy.value:.3f}, times x '
        f"{time.value:.3f}, to six runs of one workload (PilotNet LIF). Those alone differ by x "
        f'{energy.high / energy.low:.2f} in energy and x {time.high / time.low:.2f} in time.",',
        '    "Use it with a placement (nd.fit): without one, busiest cores and links are averaged '
        'away.",',
        "]",
        "",
    ]
    for names, scale in ((SCALED_ENERGIES, energy.value), (SCALED_TIMES, time.value)):
        for name in names:
            parts += _scaled(base, name, scale)
    ends = (("dynamic_energy", spread["energy_scale"]), ("step_time", spread["time_scale"]))
    for name, one in ends:
        # No better than the scatter of the one workload that it was fitted to.
        low = min(one.low / one.value, load_chip("loihi2")[f"{name}_low"] / one.value)
        high = max(one.high / one.value, load_chip("loihi2")[f"{name}_high"] / one.value)
        said = (
            f"The band of loihi2 about the fitted value: the six runs alone reach from "
            f"{one.low / one.value:.2f} to {one.high / one.value:.2f} of it"
        )
        parts += _entry(f"{name}_low", round(low, 2), "1", said)
        parts += _entry(f"{name}_high", round(high, 2), "1", said)
    return "\n".join(parts).rstrip() + "\n"


def draw(path: Path = DRAWING) -> None:
    """Draw what was predicted against what was measured, with silicon's own scatter.

    Raises
    ------
    ImportError
        If there is no matplotlib.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    left = [one for one in leave_one_out(silicon_rows(), "workload") if one.predicted > 0]
    names = sorted({one.row.workload for one in left})
    look = dict(zip(names, "osD^v<>PX*hdp", strict=False))
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": "silicon"}):
        figure, panels = plt.subplots(2, 2, figsize=(8, 8.4))
        for axes, name in zip(panels.flat, FIGURES, strict=True):
            _panel(axes, [one for one in left if one.figure == name], name, look)
        handles = [
            plt.Line2D([], [], marker=mark, linestyle="", color=BLUE, label=workload)
            for workload, mark in look.items()
        ]
        figure.legend(handles=handles, loc="lower center", ncol=4, frameon=False)
        figure.tight_layout(rect=(0, 0.08, 1, 1))
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
        plt.close(figure)


def _panel(axes: Any, ones: Sequence[LeftOut], name: str, look: dict[str, str]) -> None:
    scale = UNITS[name][1]
    for one in ones:
        measured, predicted = one.measured * scale, one.predicted * scale
        # Of the same program, or of the same idle chips: silicon's own scatter.
        same = [
            other.measured * scale
            for other in ones
            if other.row.workload == one.row.workload and other.row.work is one.row.work
        ]
        axes.plot([min(same), max(same)], [predicted] * 2, color=VERMILION, alpha=0.35, lw=3)
        axes.plot(measured, predicted, look[one.row.workload], color=BLUE, markersize=4)
    both = np.array([[one.measured, one.predicted] for one in ones]) * scale
    ends = np.array([both.min() / 1.5, both.max() * 1.5])
    for factor, width, line in ((1.0, 0.8, "-"), (1.25, 0.6, ":"), (0.8, 0.6, ":")):
        axes.plot(ends, ends * factor, color=GREY, lw=width, linestyle=line)
    how = "linear" if name == "static_w" else "log"
    axes.set(xscale=how, yscale=how, xlim=ends, ylim=ends, title=NAMES[name])
    axes.minorticks_off()
    axes.set_xlabel(f"measured [{UNITS[name][0]}]")
    axes.set_ylabel("predicted, workload left out")


def _compared(row: Row, figure: str, one: LeftOut | None) -> str:
    if figure not in row.measured:
        return NOTHING
    measured = _in_units(figure, row.measured[figure])
    if one is None:
        reason = "noise" if figure == "dynamic_uj" and row.bounds else "not countable"
        if row.anchor:
            reason = "anchor"
        return f"{measured} ({reason})"
    if math.isnan(one.predicted):
        return f"{measured} (no other row)"
    star = "*" if one.at_measured_time else ""
    return f"{measured} / {_in_units(figure, one.predicted)}{star} ({one.error:+.0%})"


def _in_units(figure: str, value: float) -> str:
    unit, scale = UNITS[figure]
    return si(value * scale, unit)


def _number(value: float, unit: str) -> str:
    return si(value, unit) if unit else f"x {value:.2f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _scaled(base: Chip, name: str, factor: float) -> list[str]:
    constant = base.constants[name]
    said = (
        f"FITTED to PilotNet LIF: {constant.value:g} {constant.unit} of loihi2.toml x {factor:.3f}"
    )
    value = float(f"{constant.value * factor:.4g}")
    band = None
    if constant.low is not None and constant.high is not None:
        band = (constant.low * factor, max(value, constant.high * factor))
    return _entry(name, value, constant.unit, said, ["PilotNet LIF"], band)


def _entry(
    name: str,
    value: float,
    unit: str,
    source: str,
    rows: Sequence[str] = (),
    band: tuple[float, float] | None = None,
) -> list[str]:
    lines = [f"[constants.{name}]", f"value = {value:g}", f'unit = "{unit}"']
    if band is not None:
        lines += [f"low = {band[0]:.4g}", f"high = {band[1]:.4g}"]
    if rows:
        lines.append(f"rows = {list(rows)}".replace("'", '"'))
    return [*lines, f'source = "{source}"', ""]


def main(arguments: Sequence[str] = ()) -> int:
    """Print the tables; with ``--write``, bring docs, chip file and drawing up to date."""
    for name, make in TABLES.items():
        print(f"\n{name}\n{make()}")
    print(f"\nnoise of the dynamic power of one run: {si(noise_watts(), 'W')}")
    if "--write" in arguments:
        DOCS.write_text(with_tables(DOCS.read_text(encoding="utf-8")), encoding="utf-8")
        FITTED.write_text(chip_file(), encoding="utf-8")
        draw()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
