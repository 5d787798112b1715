"""What rounding did to each population, and several bit widths, for the terminal."""

from __future__ import annotations

import math

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from ..numbers import count, percent, si, signed
from ..quantization import QuantReport
from ..quantization.bit_width_sweep import Sweep
from ..quantization.costs import Costs
from .sweeps import sweep_foot, sweep_rows


def quantization_table(report: QuantReport) -> Table:
    """Two rows for each population: fed the float network's messages, and in the whole network."""
    table = Table(box=SIMPLE_HEAD, title="float network and integers")
    for heading in ("population", "bits", "fed by"):
        table.add_column(heading)
    for heading in ("SQNR dB", "spikes", "change", "coincide", "saturated", "clipped", "split"):
        table.add_column(heading, justify="right")
    for entry in report.populations:
        for fed, found in (("float", entry.local), ("integers", entry.cumulative)):
            first = fed == "float"
            exact = math.isinf(found.sqnr_db) and found.sqnr_db > 0
            sqnr = "exact" if exact else f"{found.sqnr_db:.1f}"
            table.add_row(
                Text(entry.population if first else ""),
                str(entry.bits) if first else "",
                fed,
                sqnr,
                count(found.spikes),
                signed(found.spikes - found.float_spikes),
                percent(found.coincidence),
                count(found.saturated),
                count(entry.clipped) if first else "",
                count(entry.split) if first else "",
            )
    table.caption = f"{report.samples} samples of {report.steps} steps; what differs most first"
    return table


def sweep_table(sweep: Sweep) -> Table:
    """A row for each width."""
    head, rows = sweep_rows(sweep)
    table = Table(box=SIMPLE_HEAD, title="bits of a weight")
    for heading in head:
        table.add_column(heading.lstrip("#"), justify="right" if heading[0] == "#" else "left")
    for row in rows:
        table.add_row(*row)
    table.caption = sweep_foot(sweep)
    return table


def costs_line(costs: Costs) -> str:
    """What a network within a budget costs, in a sentence."""
    right = "" if costs.accuracy is None else f", accuracy {percent(costs.accuracy)}"
    return (
        f"synaptic memory {count(costs.memory_bits)} bits; {count(round(costs.synops))} synaptic "
        f"operations and {si(costs.joules, 'J')} (estimated, dynamic) per inference; decides as "
        f"the original in {percent(costs.agreement)}{right}"
    )
