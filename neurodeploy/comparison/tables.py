"""A comparison as tables: each is made once, the terminal and the page show the same.

`Comparison.tables` prints them by rich; ``reporting.differences`` puts them on the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from ..numbers import NOTHING, count, percent, signed
from .learned import LearningDifference
from .outputs import OutputComparison
from .results import Diagnosis, Evidence, Floor, LocalDifference, PopulationDifference

Rows: TypeAlias = "Sequence[PopulationDifference]"

VERDICTS = {True: "exact", False: "differs", None: "not compared"}
"""Words for `PopulationDifference.exact`."""

MOST_ARRIVALS = 12
"""Messages listed."""

_STYLES = {
    "exact": "green", "differs": "red", "within tolerance": "yellow",
    "below": "green", "at": "yellow", "above": "red",
}  # fmt: skip


@dataclass(frozen=True)
class Tagged:
    """An entry with a word that says how it is known, or what to think of it."""

    text: str
    tag: str


Entry: TypeAlias = "str | Tagged"


@dataclass(frozen=True)
class Listing:
    """A table of the comparison.

    Attributes
    ----------
    caption : str
    head : tuple of str
        A leading ``#`` marks a column of numbers.
    rows : tuple of sequence of (str or Tagged)
    foot : str
        What the columns are; the page alone has room for it.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[Sequence[Entry], ...]
    foot: str = ""

    def __rich__(self) -> Table:
        """Give it as a rich table."""
        title = Text(self.caption)
        table = Table(
            title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False
        )
        for heading in self.head:
            right = heading.startswith("#")
            text = Text(heading.removeprefix("#"))
            table.add_column(text, justify="right" if right else "left", overflow="fold")
        for row in self.rows:
            table.add_row(*map(_as_text, row))
        return table


def _as_text(entry: Entry) -> Text:
    # Text, not str: a name with [brackets] is not markup.
    if isinstance(entry, str):
        return Text(entry)
    return Text(entry.text) if entry.text else Text(entry.tag, _STYLES.get(entry.tag, ""))


def exactness_table(names: tuple[str, str], rows: Rows) -> Listing:
    """One row per population: what differs."""
    a, b = names
    states = list(dict.fromkeys(name for row in rows for name in row.states_differing))
    head = ["population", f"#spikes, {a}", f"#spikes, {b}", "#difference", "#spikes differing"]
    head += [f"#{name} differing" for name in states]
    foot = (
        "Sums over samples and steps, the two recordings lined up by hops; differing counts "
        "single entries."
    )
    if "v" in states:
        head.append("#v masked")
        foot += " v is masked where the neuron has just spiked."
    found: list[Sequence[Entry]] = []
    for row in rows:
        numbers = (row.spikes_a, row.spikes_b)
        cells = [row.population, *map(count, numbers), signed(row.spikes_b - row.spikes_a)]
        cells.append(count(row.differing))
        cells += [count(row.states_differing.get(name)) for name in states]
        if "v" in states:
            cells.append(count(row.masked) if "v" in row.compared else NOTHING)
        within = row.exact is False and row.within
        verdict = "within tolerance" if within else VERDICTS[row.exact]
        found.append((*cells, Tagged("", verdict)))
    return Listing(f"{a} against {b}", (*head, "verdict"), tuple(found), foot)


def learning_table(learning: Sequence[LearningDifference]) -> Listing:
    """One row per projection that learned: what differs, and where first."""
    found = tuple(
        (
            one.projection,
            count(one.compared),
            count(one.differing),
            count(one.largest),
            str(one.first) if one.first else NOTHING,
        )
        for one in learning
    )
    head = ("projection", "#values", "#differing", "#largest difference", "first")
    return Listing("What synapses learned", head, found, "Values of w, t and d over all epochs.")


def figures_table(rows: Rows) -> Listing:
    """One row per population: how far apart the two sides are."""
    known = dict.fromkeys(name for row in rows for name in row.statistics.errors)
    names = sorted(known, key="payload".__eq__)  # states first
    head = ["population", "#coincidence", "#van Rossum"]
    for name in names:
        head += [f"#{name} max error", f"#{name} rms", f"#{name} SQNR, dB"]
    found = []
    for row in rows:
        s = row.statistics
        cells = [row.population, _share(s.coincidence_rate), plain(s.van_rossum)]
        for error in (s.errors.get(name) for name in names):
            figures = (error.largest, error.rms, error.sqnr_db) if error else (None,) * 3
            cells += map(plain, figures)
        found.append(cells)
    first = rows[0].statistics
    foot = (
        f"Coincidence: share of spikes with a partner on the other side, at most "
        f"{first.tolerance_steps} steps apart (Kistler et al. 1997). van Rossum 2001, with a time "
        f"constant of {first.tau_steps:g} steps, mean over samples. SQNR: {NOTHING} "
        f"where nothing differs."
    )
    return Listing("How far apart", tuple(head), tuple(found), foot)


def sides_table(names: tuple[str, str], rows: Rows) -> Listing:
    """Rates, intervals, silent and saturated neurons, overflows of both sides."""
    fields = ("rate", "interval_mean", "interval_cv", "silent", "saturated", "overflowing")
    head = ("#rate", "#interval", "#interval CV", "#silent", "#saturated", "#overflows")
    found = []
    for row in rows:
        a, b = row.statistics.a, row.statistics.b
        pairs = (f"{plain(getattr(a, x))} | {plain(getattr(b, x))}" for x in fields)
        found.append([row.population, *pairs])
    foot = (
        "Rate: messages per neuron and step. Interval: steps between a neuron's messages; CV: its "
        "coefficient of variation. Saturated: sends in at least 95 % of all steps. Overflows: "
        f"numbers that left their bits; {NOTHING} where the backend counts none."
    )
    return Listing(
        f"How each side behaves: {' | '.join(names)}", ("population", *head), tuple(found), foot
    )


def output_table(names: tuple[str, str], output: OutputComparison) -> Listing:
    """Decisions and readouts."""
    rows: list[tuple[str, str]] = []
    if output.agreeing is not None:
        by = dict.fromkeys(str(side) for side in (output.decided_by, output.decided_by_b))
        tied = f"{count(output.tied_a or 0)} | {count(output.tied_b or 0)}"
        rows += [
            ("decisions that agree", f"{count(output.agreeing)} of {count(output.samples)}"),
            ("decided by", " | ".join(by)),
            ("tied, first taken", tied),
        ]
    rows.append(("readout correlation", plain(output.correlation)))
    if output.accuracies is not None:
        for name, accuracy in zip(names, output.accuracies, strict=True):
            rows.append((f"accuracy, {name}", percent(accuracy)))
    if output.si_snr_db is not None:
        rows.append(("SI-SNR, dB", plain(output.si_snr_db)))
    return Listing(f"Output {output.population}", ("", "#"), tuple(rows))


def local_table(names: tuple[str, str], differences: Iterable[LocalDifference]) -> Listing:
    """Each population alone on A's messages, beside what had piled up by then."""
    columns = ("spikes differing", "coincidence", "v SQNR, dB")
    head = [f"#{name}, {side}" for name in columns for side in ("local", "cumulative")]
    rows = []
    for row in differences:
        sides = (row.local, row.cumulative)
        cells = [row.population, *(count(side.differing) for side in sides)]
        cells += [percent(side.coincidence_rate) for side in sides]
        rows.append([*cells, *(plain(side.v_sqnr_db) for side in sides)])
    foot = (
        f"Local: each population of {names[1]}'s network on the engine, fed what {names[0]} "
        f"recorded of its sources. Cumulative: as recorded."
    )
    return Listing("Local and cumulative", ("population", *head), tuple(rows), foot)


def floor_table(floor: Floor) -> Listing:
    """Each metric beside what the network's own sensitivity makes of it."""
    rows: tuple[Sequence[Entry], ...] = tuple(
        (row.population, row.metric, *map(plain, (row.value, row.low, row.high)),
         Tagged("", row.verdict))
        for row in floor.rows
    )  # fmt: skip
    noise = (
        "half a quantization step"
        if floor.noise is None
        else f"{percent(floor.noise)} of each projection's largest weight"
    )
    foot = (
        f"What {floor.repeats} runs of the reference with weights perturbed by up to {noise} "
        f"({percent(floor.changed, 0)} of the weights changed) do to the same figures."
    )
    head = ("population", "metric", "#here", "#floor, lowest", "#floor, highest", "verdict")
    return Listing("Beside the sensitivity floor", head, rows, foot)


def diagnosis_lines(diagnosis: Diagnosis, names: tuple[str, str]) -> Iterator[Listing | Text]:
    """What stood around the first divergence, and the words for it."""
    if diagnosis.evidence is not None:
        yield from evidence_tables(diagnosis.evidence, names)
    yield from (Text(line) for line in diagnosis.differences)
    yield Text(f"diagnosis: {diagnosis.words}", style="bold")


def evidence_tables(evidence: Evidence, names: tuple[str, str]) -> Iterator[Listing]:
    """Values at the step before and at that of the divergence, and what arrived in it."""
    rows: list[Sequence[Entry]] = []
    columns = ("current", "u", "bias", "v_before_reset", "v", *evidence.further_states)
    limits = [] if "threshold" in columns else [_exactly(evidence.threshold)]
    for at in (evidence.at - 1, evidence.at):
        for name, trace in zip(names, (evidence.a, evidence.b), strict=True):
            if at < 0:
                continue
            cells: list[Entry] = [str(evidence.steps[at]), name]
            for what in columns:
                value = trace.values[what][at] if what in trace.values else None
                cells.append(Tagged(_exactly(value), trace.known.get(what, "")))
            sent = _exactly(trace.values["spikes"][at]) if "spikes" in trace.values else ""
            rows.append([*cells, *limits, sent])
    head = ["step", "side", *(f"#{what.replace('_', ' ')}" for what in columns)]
    foot = (
        "Current: what the synapses deliver. recorded: as the side recorded it; engine: run again "
        "from recorded messages; implied: what two recorded u leave for the synapses."
    )
    head += ["#threshold"] * len(limits)
    yield Listing("At the first difference", (*head, "#spike"), tuple(rows), foot)
    if evidence.arrivals:
        arrived = tuple(
            (
                f"{x.source}[{x.neuron}]",
                " ".join(map(str, x.position)),
                signed(x.weight),
                str(x.delay),
                str(x.payload),
            )
            for x in evidence.arrivals[:MOST_ARRIVALS]
        )
        caption = f"Messages that arrived in that step: {evidence.arrived}"
        if evidence.arrived > len(arrived):
            caption += f", the weightiest {len(arrived)}"
        titles = ("from", "#position", "#weight", "#delay", "#payload")
        yield Listing(caption, titles, arrived)


def plain(value: float | None) -> str:
    """Four digits, whole numbers whole."""
    if value is None:
        return NOTHING
    whole = isinstance(value, int) or abs(value) >= 1000
    return f"{value:,.0f}" if whole else f"{value:.4g}"


def _share(value: float | None) -> str:
    return NOTHING if value is None else percent(value)


def _exactly(value: float | None) -> str:
    if value is None:
        return NOTHING
    return f"{value:,}" if isinstance(value, int) else f"{value:,.7g}"
