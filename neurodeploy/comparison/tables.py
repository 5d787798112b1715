"""A comparison on the terminal: rich tables of at most 100 columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from .outputs import OutputComparison
from .results import Diagnosis, Evidence, Floor, LocalDifference, PopulationDifference

if TYPE_CHECKING:
    from rich.console import RenderableType

Rows: TypeAlias = "Sequence[PopulationDifference]"

NOTHING = "-"
_EXACT = {True: Text("yes", "green"), False: Text("no", "red"), None: Text(NOTHING)}
_WITHIN = Text("within tolerance", "yellow")


def exactness_table(names: tuple[str, str], rows: Rows) -> Table:
    """One row per population: what differs."""
    a, b = names
    table = Table(title=Text(f"{a} against {b}"), title_justify="left")
    table.add_column("population", overflow="fold", ratio=1)
    states = tuple(dict.fromkeys(("u", "v", *(n for row in rows for n in row.states_differing))))
    for heading in (f"spikes {a}", f"spikes {b}", *(f"{n} differ" for n in ("spikes", *states))):
        table.add_column(Text(heading), justify="right", overflow="fold")
    table.add_column("exact")
    for row in rows:
        numbers = (row.differing, *(row.states_differing.get(name) for name in states))
        within = row.exact is False and row.within
        table.add_row(
            Text(row.population),
            f"{row.spikes_a:,}",
            f"{row.spikes_b:,}",
            *(NOTHING if n is None else f"{n:,}" for n in numbers),
            _WITHIN if within else _EXACT[row.exact],
        )
    return table


def figures_table(rows: Rows, tolerance_steps: int) -> Table:
    """One row per population: how far apart the two sides are."""
    table = _table("how far apart")
    _columns(table, "population", f"coincide ±{tolerance_steps}", "van Rossum")
    found = dict.fromkeys(name for row in rows for name in row.statistics.errors)
    names = sorted(found, key="payload".__eq__)  # states first
    for name in names:
        _columns(table, None, f"{name} max error", f"{name} rms", f"{name} SQNR")
    for row in rows:
        s = row.statistics
        rate = NOTHING if s.coincidence_rate is None else f"{100 * s.coincidence_rate:.2f} %"
        cells = [rate, _number(s.van_rossum)]
        for error in (s.errors.get(name) for name in names):
            three = error and [
                _number(error.largest),
                _number(error.rms),
                _decibel(error.sqnr_db),
            ]
            cells += three or 3 * [NOTHING]
        table.add_row(Text(row.population), *cells)
    return table


def sides_table(rows: Rows) -> Table:
    """One row per population: how the neurons of both sides behave."""
    table = _table("how each side behaves, A | B")
    _columns(table, "population", "rate", "interval", "its CV", "silent", "saturated", "overflows")
    for row in rows:
        a, b = row.statistics.a, row.statistics.b
        table.add_row(
            Text(row.population),
            _both(a.rate, b.rate),
            _both(a.interval_mean, b.interval_mean),
            _both(a.interval_cv, b.interval_cv),
            f"{a.silent:,} | {b.silent:,}",
            f"{a.saturated:,} | {b.saturated:,}",
            " | ".join(_number(side.overflowing) for side in (a, b)),
        )
    return table


def output_table(output: OutputComparison) -> Table:
    """Decisions and readouts."""
    table = _table("output")
    _columns(table, "population")
    cells = [output.population]
    if output.agreeing is not None:
        _columns(table, None, "decided by", "same decision")
        by = dict.fromkeys(str(side) for side in (output.decided_by, output.decided_by_b))
        cells += [" | ".join(by), f"{output.agreeing:,} of {output.samples:,}"]
        if output.tied_a or output.tied_b:
            _columns(table, None, "tied A | B")
            cells.append(f"{output.tied_a:,} | {output.tied_b:,}")
    accuracies = output.accuracies
    if accuracies is not None:
        _columns(table, None, "accuracy A", "accuracy B")
        cells += [f"{100 * accuracy:.2f} %" for accuracy in accuracies]
    _columns(table, None, "readout correlation")
    cells.append(NOTHING if output.correlation is None else f"{output.correlation:.6f}")
    if output.si_snr_db is not None:
        _columns(table, None, "SI-SNR")
        cells.append(f"{output.si_snr_db:.1f} dB")
    table.add_row(*(Text(cell) for cell in cells))
    return table


def local_table(differences: Iterable[LocalDifference]) -> Table:
    """Each population alone on A's messages, beside what had piled up by then."""
    table = _table("local (fed what A recorded) and cumulative")
    _columns(table, "population", "spikes differ", "coincide", "v SQNR")
    _columns(table, None, "cumulative: differ", "coincide", "v SQNR")
    for row in differences:
        table.add_row(
            Text(row.population),
            *(
                cell
                for side in (row.local, row.cumulative)
                for cell in (
                    f"{side.differing:,}",
                    f"{100 * side.coincidence_rate:.2f} %",
                    _decibel(side.v_sqnr_db),
                )
            ),
        )
    return table


def floor_table(floor: Floor) -> Table:
    """Each metric beside what the network's own sensitivity makes of it."""
    noise = "half a quantization step" if floor.noise is None else f"{floor.noise:g} of the largest"
    table = _table(f"beside the floor: weights perturbed by {noise}, {floor.repeats} runs")
    _columns(table, "population", "metric")
    table.columns[1].justify = "left"
    _columns(table, None, "here", "floor", "verdict")
    styles = {"below": "green", "at": "yellow", "above": "red"}
    for row in floor.rows:
        table.add_row(
            Text(row.population),
            row.metric,
            f"{row.value:.4g}",
            f"{row.low:.4g} to {row.high:.4g}",
            Text(row.verdict, style=styles[row.verdict]),
        )
    return table


def diagnosis_lines(diagnosis: Diagnosis, names: tuple[str, str]) -> list[RenderableType]:
    """What stood around the first divergence, and the words for it."""
    shown: list[RenderableType] = []
    if diagnosis.evidence is not None:
        shown.append(evidence_table(diagnosis.evidence, names))
        arrivals = diagnosis.evidence.arrivals
        if arrivals:
            listed = ", ".join(
                f"{x.source}[{x.neuron}] weight {x.weight}"
                + (f" delay {x.delay}" if x.delay else "")
                + (f" payload {x.payload}" if x.payload != 1 else "")
                for x in arrivals[:8]
            )
            more = diagnosis.evidence.arrived - min(8, len(arrivals))
            shown.append(Text(f"arrived: {listed}" + (f" and {more} more" if more > 0 else "")))
    shown += [Text(line) for line in diagnosis.differences]
    shown.append(Text(f"diagnosis: {diagnosis.words}", style="bold"))
    return shown


def evidence_table(evidence: Evidence, names: tuple[str, str]) -> Table:
    """Values at the step before and at the step of the divergence, on both sides."""
    table = _table("at the first divergence")
    _columns(table, "step", "side")
    table.columns[1].justify = "left"
    further = evidence.further_states
    limit = () if "threshold" in further else ("threshold",)
    shown = ("current", "u", "bias", "v before reset", "v", *further, *limit, "spike")
    _columns(table, None, *shown)
    for at in (evidence.at - 1, evidence.at):
        if at < 0:
            continue
        for name, trace in zip(names, (evidence.a, evidence.b), strict=True):
            cells = [
                _number(trace.values[what][at]) if what in trace.values else NOTHING
                for what in ("current", "u", "bias", "v_before_reset", "v", *further, "spikes")
            ]
            threshold = NOTHING if evidence.threshold is None else f"{evidence.threshold:,}"
            step, limits = str(evidence.steps[at]), [threshold] * len(limit)
            table.add_row(step, Text(name), *cells[:-1], *limits, cells[-1])
    return table


def _table(title: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )


def _columns(table: Table, first: str | None, *numbers: str) -> None:
    if first is not None:
        table.add_column(first, overflow="fold")
    for heading in numbers:
        table.add_column(heading, justify="right", overflow="fold")


def _decibel(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.1f} dB"


def _number(value: float | int | None) -> str:
    if value is None:
        return NOTHING
    return f"{value:,}" if isinstance(value, int) or float(value).is_integer() else f"{value:,.4g}"


def _both(a: float | None, b: float | None) -> str:
    cells: Iterable[str] = (NOTHING if x is None else f"{x:.3g}" for x in (a, b))
    return " | ".join(cells)
