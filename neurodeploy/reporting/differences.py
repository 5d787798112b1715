"""The page's section on how two recordings differ, where first and why."""

from __future__ import annotations

from ..comparison import Comparison, PopulationDifference
from .blocks import Block, Cell, Items, Note, Section, table
from .figures import trace_figures
from .numbers import NOTHING, count, percent, signed
from .report_sources import Sources
from .table_rows import VERDICTS

MOST_ARRIVALS = 12
"""Messages listed."""


def comparison_section(sources: Sources) -> Section | None:
    """Per population, what two recordings share and where they part."""
    blocks: list[Block] = []
    for comparison in sources.comparisons:
        blocks += _first_difference(comparison)
        blocks.append(_exactness(comparison))
        blocks += [Note(note) for note in comparison.notes]
        blocks += [_figures(comparison), _sides(comparison)]
        if comparison.output is not None:
            blocks.append(_output(comparison))
        if comparison.local:
            blocks.append(_local(comparison))
        if comparison.floor is not None:
            blocks.append(_floor(comparison))
    return Section("comparison", "Comparison", tuple(blocks)) if blocks else None


def _first_difference(comparison: Comparison) -> list[Block]:
    label_a, label_b = comparison.labels
    if comparison.equal:
        return [Note(f"{label_a} and {label_b} agree in everything that was compared.")]
    if comparison.first_divergence is None:
        return []
    blocks: list[Block] = [Note(f"First difference: {comparison.first_divergence}", alert=True)]
    diagnosis = comparison.diagnosis
    if diagnosis is None:
        blocks.append(Note("Give the network (net=, --net) and the cause is looked for too."))
        return blocks
    others = tuple(
        f"{finding.pattern}: it {finding.words} ({finding.steps_explained} of {finding.steps} "
        f"steps{', all samples tried' if finding.reproduces else ''})"
        for finding in diagnosis.findings[1:]
    )
    blocks.append(Items("Diagnosis", (diagnosis.words, *diagnosis.differences, *others)))
    if diagnosis.evidence is not None:
        blocks += [*trace_figures(comparison), *_evidence(comparison)]
    return blocks


def _evidence(comparison: Comparison) -> list[Block]:
    """Values at the step before and at that of the divergence, and what arrived in it."""
    assert comparison.diagnosis is not None
    evidence = comparison.diagnosis.evidence
    assert evidence is not None
    rows: list[list[str | Cell]] = []
    further = evidence.further_states
    limit = () if "threshold" in further else (_exactly(evidence.threshold),)
    for at in (evidence.at - 1, evidence.at):
        for label, trace in zip(comparison.labels, (evidence.a, evidence.b), strict=True):
            if at < 0:
                continue
            cells: list[str | Cell] = [str(evidence.steps[at]), label]
            for what in ("current", "u", "v", *further):
                value = trace.values[what][at] if what in trace.values else None
                cells.append(Cell(_exactly(value), tag=trace.known.get(what, "")))
            cells += limit
            cells.append(_exactly(trace.values["spikes"][at]) if "spikes" in trace.values else "")
            rows.append(cells)
    numbers = ("synaptic input", "u", "v", *further, *(["threshold"] if limit else []), "spike")
    head = ("step", "side", *(f"#{name}" for name in numbers))
    foot = (
        "recorded: as the side recorded it; engine: run again from recorded messages; implied: "
        "what two recorded u leave for the synapses."
    )
    blocks: list[Block] = [table(head, rows, "At the first difference", foot)]
    if evidence.arrivals:
        arrived: list[list[str | Cell]] = [
            [
                f"{x.source}[{x.neuron}]",
                " ".join(map(str, x.position)),
                signed(x.weight),
                str(x.delay),
                str(x.payload),
            ]
            for x in evidence.arrivals[:MOST_ARRIVALS]
        ]
        caption = f"Messages that arrived in that step: {evidence.arrived}"
        if evidence.arrived > len(arrived):
            caption += f", the weightiest {len(arrived)}"
        titles = ("from", "#position", "#weight", "#delay", "#payload")
        blocks.append(table(titles, arrived, caption))
    return blocks


def _exactness(comparison: Comparison) -> Block:
    label_a, label_b = comparison.labels
    head = [
        "population",
        f"#spikes, {label_a}",
        f"#spikes, {label_b}",
        "#difference",
        "#spikes differing",
    ]
    states = list(dict.fromkeys(name for row in comparison.rows for name in row.states_differing))
    head += [f"#{variable} differing" for variable in states]
    if "v" in states:
        head.append("#v masked")
    rows = []
    for row in comparison.rows:
        cells: list[str | Cell] = [
            row.population,
            count(row.spikes_a),
            count(row.spikes_b),
            signed(row.spikes_b - row.spikes_a),
            count(row.differing),
        ]
        cells += [count(row.states_differing.get(variable)) for variable in states]
        if "v" in states:
            cells.append(count(row.masked) if "v" in row.compared else NOTHING)
        rows.append([*cells, Cell("", tag=_verdict(row))])
    head.append("verdict")
    foot = (
        "Sums over samples and steps, the two recordings lined up by hops; differing counts "
        "single entries."
    )
    if "v" in states:
        foot += " v is masked where the neuron has just spiked."
    return table(head, rows, caption=f"{label_a} against {label_b}", foot=foot)


def _verdict(row: PopulationDifference) -> str:
    if row.exact is False and row.within:
        return "within tolerance"
    return VERDICTS[row.exact]


def _figures(comparison: Comparison) -> Block:
    """Coincidences, distance, errors."""
    found = dict.fromkeys(name for row in comparison.rows for name in row.statistics.errors)
    names = sorted(found, key="payload".__eq__)  # states first
    head = ["population", "#coincidence", "#van Rossum"]
    for name in names:
        head += [f"#{name} max error", f"#{name} rms", f"#{name} SQNR, dB"]
    rows = []
    for row in comparison.rows:
        s = row.statistics
        cells = [row.population]
        cells.append(NOTHING if s.coincidence_rate is None else percent(s.coincidence_rate))
        cells.append(_plain(s.van_rossum))
        for name in names:
            error = s.errors.get(name)
            cells.append(_plain(error.largest if error else None))
            cells.append(_plain(error.rms if error else None))
            cells.append(_plain(error.sqnr_db if error else None))
        rows.append(cells)
    first = comparison.rows[0].statistics
    foot = (
        f"Coincidence: share of spikes with a partner on the other side, at most "
        f"{first.tolerance_steps} steps apart (Kistler et al. 1997). van Rossum 2001, with a time "
        f"constant of {first.tau_steps:g} steps, mean over samples. SQNR: {NOTHING} "
        f"where nothing differs."
    )
    return table(head, rows, "How far apart", foot)


def _sides(comparison: Comparison) -> Block:
    """Rates, intervals, silent and saturated neurons, overflows of both sides."""
    head = (
        "population",
        "#rate",
        "#interval",
        "#interval CV",
        "#silent",
        "#saturated",
        "#overflows",
    )
    rows = []
    for row in comparison.rows:
        a, b = row.statistics.a, row.statistics.b
        pairs = (
            (_plain(a.rate), _plain(b.rate)),
            (_plain(a.interval_mean), _plain(b.interval_mean)),
            (_plain(a.interval_cv), _plain(b.interval_cv)),
            (count(a.silent), count(b.silent)),
            (count(a.saturated), count(b.saturated)),
            (_counted(a.overflowing), _counted(b.overflowing)),
        )
        rows.append([row.population, *(f"{x} | {y}" for x, y in pairs)])
    foot = (
        "Rate: messages per neuron and step. Interval: steps between a neuron's messages. "
        "Saturated: sends in at least 95 % of all steps. Overflows: numbers that left their bits; "
        f"{NOTHING} where the backend counts none."
    )
    return table(head, rows, f"How each side behaves: {' | '.join(comparison.labels)}", foot)


def _output(comparison: Comparison) -> Block:
    output = comparison.output
    assert output is not None
    rows: list[tuple[str, str]] = []
    if output.agreeing is not None:
        by = dict.fromkeys(str(side) for side in (output.decided_by, output.decided_by_b))
        tied = f"{count(output.tied_a or 0)} | {count(output.tied_b or 0)}"
        rows += [
            ("decisions that agree", f"{count(output.agreeing)} of {count(output.samples)}"),
            ("decided by", " | ".join(by)),
            ("tied, first taken", tied),
        ]
    rows.append(("readout correlation", _plain(output.correlation)))
    if output.accuracies is not None:
        for label, accuracy in zip(comparison.labels, output.accuracies, strict=True):
            rows.append((f"accuracy, {label}", percent(accuracy)))
    if output.si_snr_db is not None:
        rows.append(("SI-SNR, dB", _plain(output.si_snr_db)))
    return table(("", "#"), rows, f"Output {output.population}")


def _local(comparison: Comparison) -> Block:
    head = ["population"]
    for name in ("spikes differing", "coincidence", "v SQNR, dB"):
        head += [f"#{name}, local", f"#{name}, cumulative"]
    rows = []
    for row in comparison.local:
        sides = (row.local, row.cumulative)
        cells = [row.population]
        cells += [count(side.differing) for side in sides]
        cells += [percent(side.coincidence_rate) for side in sides]
        cells += [_plain(side.v_sqnr_db) for side in sides]
        rows.append(cells)
    foot = (
        f"Local: each population of {comparison.labels[1]}'s network on the engine, fed what "
        f"{comparison.labels[0]} recorded of its sources. Cumulative: as recorded."
    )
    return table(head, rows, "Local and cumulative", foot)


def _floor(comparison: Comparison) -> Block:
    floor = comparison.floor
    assert floor is not None
    rows = [
        (
            row.population,
            row.metric,
            _plain(row.value),
            _plain(row.low),
            _plain(row.high),
            Cell("", tag=row.verdict),
        )
        for row in floor.rows
    ]
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
    return table(head, rows, "Beside the sensitivity floor", foot)


def _counted(number: int | None) -> str:
    return NOTHING if number is None else count(number)


def _plain(value: float | None) -> str:
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _exactly(value: float | None) -> str:
    if value is None:
        return NOTHING
    return f"{value:,}" if isinstance(value, int) else f"{value:,.7g}"
