"""A network at several bit widths: table and plot."""

from __future__ import annotations

from typing import Any

from ..numbers import count, percent, si
from ..quantization.bit_width_sweep import Sweep, SweepRow
from .blocks import Block, Drawing, Section, table
from .figures import plots_available
from .svg import INK, MUTED, SERIES, to_svg

HEIGHT = 2.9
"""Inches of the plot."""


def sweep_section(sweep: Sweep | None) -> Section | None:
    """What each width gets right, and costs."""
    if sweep is None:
        return None
    blocks: list[Block] = [_table(sweep)]
    if plots_available():
        caption = (
            f"Bits of a weight, synaptic memory and estimated dynamic energy per inference on "
            f"{sweep.chip} against {_what(sweep)}. The line joins networks that no other is "
            f"at least as good as with less."
        )
        blocks.append(Drawing(_plot(sweep), caption))
    return Section("bits", "Bits of a weight", tuple(blocks))


def sweep_rows(sweep: Sweep) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Heading and rows of the table, for the page and the terminal; ``#`` marks numbers."""
    labelled = sweep.original_accuracy is not None
    head = ("bits", "weights", *(["#accuracy"] if labelled else []), "#agrees", "#coincide",
            "#memory", "#SynOps", "#energy", "front")  # fmt: skip
    front = sweep.front
    rows = []
    for row in sweep.rows:
        costs = row.costs
        right = [percent(costs.accuracy)] if costs.accuracy is not None else []
        rows.append((
            str(row.bits), "fine-tuned" if row.tuned else "rounded", *right,
            percent(costs.agreement), percent(costs.coincidence),
            f"{count(round(costs.memory_bits / 8192, 1))} KiB", count(round(costs.synops)),
            si(costs.joules, "J"), "yes" if row in front else "",
        ))  # fmt: skip
    return head, rows


def sweep_foot(sweep: Sweep) -> str:
    """What the figures stand on."""
    measured = "held-out inputs" if sweep.held_out else "the calibration inputs themselves"
    original = sweep.original_accuracy
    told = "" if original is None else f" Not rounded: {percent(original)}."
    return (
        f"Measured on {count(sweep.samples)} samples of {sweep.steps} steps, {measured}; "
        f"calibrated on {count(sweep.calibrated)}. agrees: decides as the original; front: none "
        f"other is at least as good with less memory. Memory of synapses as {sweep.chip} packs it; "
        f"energy estimated, dynamic alone, per inference.{told}"
    )


def _table(sweep: Sweep) -> Any:
    head, rows = sweep_rows(sweep)
    return table(head, rows, foot=sweep_foot(sweep))


def _what(sweep: Sweep) -> str:
    return "agreement" if sweep.original_accuracy is None else "accuracy"


def _plot(sweep: Sweep) -> str:
    from .plots import drawing, quiet

    with drawing(HEIGHT) as figure:
        by_bits, by_memory, by_energy = figure.subplots(1, 3, sharey=True)
        kinds = [kind for kind in (False, True) if any(row.tuned is kind for row in sweep.rows)]
        widths = list(dict.fromkeys(row.bits for row in sweep.rows))
        for kind in kinds:
            colour, word = SERIES[int(kind)], "fine-tuned" if kind else "rounded"
            rows = [row for row in sweep.rows if row.tuned is kind]
            rights = [100 * row.right for row in rows]
            places = [widths.index(row.bits) for row in rows]
            by_bits.plot(places, rights, marker="o", markersize=4, color=colour, label=word)
            for axis, costs in ((by_memory, _kibibytes(rows)), (by_energy, _joules(rows))):
                axis.plot(costs, rights, "o", markersize=4, color=colour)
                for row, cost, right in zip(rows, costs, rights, strict=True):
                    axis.annotate(str(row.bits), (cost, right), xytext=(4, 3), fontsize=7,
                                  textcoords="offset points", color=colour)  # fmt: skip
        by_bits.set_xticks(range(len(widths)), [str(bits) for bits in widths])
        by_bits.set(xlabel="bits of a weight", ylabel=f"{_what(sweep)}, %")
        by_memory.set_xlabel("synaptic memory, KiB")
        by_energy.set_xlabel("dynamic energy, estimated")
        by_energy.xaxis.set_major_formatter(lambda value, _: si(value, "J"))
        by_energy.locator_params(axis="x", nbins=4)
        _front(by_memory, sweep.rows, _kibibytes)
        _front(by_energy, sweep.rows, _joules)
        for axis in (by_bits, by_memory, by_energy):
            if sweep.original_accuracy is not None:
                label = "not rounded" if axis is by_bits else None
                style = {"color": MUTED, "linewidth": 0.9, "dashes": (4, 3), "label": label}
                axis.axhline(100 * sweep.original_accuracy, **style)
            axis.margins(x=0.14, y=0.12)
            quiet(axis, "y")
        figure.legend(loc="outside upper left", ncols=3)
        return to_svg(figure)


def _front(axis: Any, rows: tuple[SweepRow, ...], costs: Any) -> None:
    """Join the rows of which none other is at least as right for less."""
    best: list[tuple[float, float]] = []
    for cost, right in sorted(zip(costs(rows), [-row.right for row in rows], strict=True)):
        if not best or -100 * right > best[-1][1]:
            best.append((cost, -100 * right))
    axis.plot(*zip(*best, strict=True), color=INK, linewidth=0.9, zorder=1)


def _kibibytes(rows: Any) -> list[float]:
    return [row.costs.memory_bits / 8192 for row in rows]


def _joules(rows: Any) -> list[float]:
    return [row.costs.joules for row in rows]
