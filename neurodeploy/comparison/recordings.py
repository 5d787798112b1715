"""Finds where two recordings differ, a block of samples at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import RecordingError
from ..recording import PopulationRecord, Recording
from .alignment import AlignedBlock, aligned_blocks, overlap
from .comparison import Comparison
from .divergence import Divergence, position_of
from .learned import compare_learning
from .outputs import OutputComparison, OutputTally
from .results import PopulationDifference
from .statistics import PopulationStatistics, PopulationTally, from_counts
from .tolerances import EQUALITY, Tolerances


def compare_recordings(
    a: Recording,
    b: Recording,
    *,
    names: tuple[str, str] | None = None,
    truth: NDArray[np.int64] | None = None,
    tolerances: Tolerances = EQUALITY,
) -> Comparison:
    """Compare the populations of two recordings that have the same name and shape.

    Parameters
    ----------
    a, b : Recording
    names : (str, str), optional
        Names of the two sides; by default their backends.
    truth : int64 [samples], optional
        The right class of each sample.
    tolerances : Tolerances

    Returns
    -------
    Comparison
        Of what is recorded alone: no diagnosis, local differences or floor.

    Raises
    ------
    RecordingError
        If nothing, or not what a tolerance names, can be compared.
    """
    names = names or _names_of(a, b)
    notes: list[str] = []
    if a.samples != b.samples:
        notes.append(
            f"{names[0]} has {a.samples} samples, {names[1]} {b.samples}; the first are compared"
        )
    samples = min(a.samples, b.samples)
    rows, first, output = [], None, None
    for name in _common(a, b, names, notes):
        pair = _Pair(a[name], b[name], samples, names, tolerances)
        is_output = name == a.names[-1] == b.names[-1]
        row, divergence, of_output = pair.compare(notes, is_output, truth)
        rows.append(row)
        output = of_output or output
        if divergence is not None and (first is None or divergence.when < first.when):
            first = divergence
    if tolerances.decision_difference is not None and (output is None or output.agreeing is None):
        raise RecordingError(
            "decision_difference: the two cannot be compared in their decisions ("
            + (notes[-1] if notes else "no output population in common")
            + "); leave --allow-decision-difference out"
        )
    learning = compare_learning(a, b, samples, names, notes)
    if all(row.exact is None for row in rows):
        raise RecordingError(
            "the recordings hold nothing to compare: their clocks differ and spikes were not "
            "recorded; run again with --record counts,spikes"
        )
    return Comparison(
        equal=all(row.exact is not False for row in rows)
        and not any(one.differing for one in learning),
        labels=names,
        samples=samples,
        steps=a.steps,
        rows=tuple(rows),
        first_divergence=first,
        notes=tuple(notes),
        output=output,
        tolerances=tolerances,
        learning=learning,
    )


def check_same_run(a: Recording, b: Recording, different_networks: bool) -> None:
    """Refuse recordings of different inputs or resets, and of different networks unless said.

    Raises
    ------
    RecordingError
    """
    for what, x, y in (
        ("networks", a.header.network, b.header.network),
        ("inputs", a.header.inputs, b.header.inputs),
        ("resets", _resets_of(a), _resets_of(b)),
    ):
        if x != y and not (different_networks and what == "networks"):
            raise RecordingError(
                f"the recordings are of different {what} ({str(x)[:12]} and {str(y)[:12]}); give "
                f"`anyway` to compare them all the same"
            )


def _names_of(a: Recording, b: Recording) -> tuple[str, str]:
    first, second = a.header.backend, b.header.backend
    return (first, second) if first != second else (f"A ({first})", f"B ({second})")


def _resets_of(recording: Recording) -> str:
    """Interval of a recording's resets and their offset within it, in words."""
    interval = recording.header.reset_interval
    if interval is None:
        return "none"
    return f"{recording.header.reset_offset % interval} of {interval}"


def _common(a: Recording, b: Recording, names: tuple[str, str], notes: list[str]) -> list[str]:
    """Populations that both have in the same shape."""
    common = []
    for name in a.names:
        if name in b.names and a[name].header.shape == b[name].header.shape:
            common.append(name)
        else:
            notes.append(f"population {name!r} has no counterpart of its shape in {names[1]}")
    if not common:
        raise RecordingError("the recordings have no population in common; compare others")
    return common


class _Pair:
    """One population of both sides."""

    def __init__(
        self,
        a: PopulationRecord,
        b: PopulationRecord,
        samples: int,
        names: tuple[str, str],
        tolerances: Tolerances,
    ) -> None:
        self.a, self.b = a, b
        self.name = a.header.name
        self.shift = b.header.hops - a.header.hops
        self.samples, self.names, self.tolerances = samples, names, tolerances

    def compare(
        self, notes: list[str], is_output: bool, truth: NDArray[np.int64] | None
    ) -> tuple[PopulationDifference, Divergence | None, OutputComparison | None]:
        a, b = self.a, self.b
        # In the order in which a neuron makes them: the first to differ is the cause.
        known = (*dict.fromkeys((*a.states, *b.states)), "spikes")
        variables = tuple(variable for variable in known if a.has(variable) and b.has(variable))
        for variable in known:
            if a.has(variable) != b.has(variable):
                side = self.names[0] if a.has(variable) else self.names[1]
                notes.append(f"population {self.name!r}: {variable} only in {side}, not compared")
        if "spikes" not in variables:
            return self._compare_counts(), None, None
        tally = PopulationTally(a.header.size, self.tolerances.steps)
        decides = self.tolerances.decision_difference is not None
        output = OutputTally(a, b, truth, decides, notes) if is_output else None
        differing = dict.fromkeys(variables, 0)
        masked, first = 0, None
        for block in aligned_blocks(a, b, self.samples, self.names):
            tally.add(block)
            if output is not None:
                output.add(block)
            masked += int(np.count_nonzero(block.masked))
            found = self._differences(block, variables, differing)
            first = first or found
        statistics = tally.result(a, b)
        exact = not any(differing.values())
        row = PopulationDifference(
            population=self.name,
            shift=self.shift,
            spikes_a=tally.spikes[0],
            spikes_b=tally.spikes[1],
            differing=differing.pop("spikes"),
            states_differing=differing,
            masked=masked,
            compared=variables,
            exact=exact,
            statistics=statistics,
            within=exact or self._tolerable(statistics),
        )
        return row, first, output.result() if output else None

    def _differences(
        self, block: AlignedBlock, variables: tuple[str, ...], differing: dict[str, int]
    ) -> Divergence | None:
        """Count what differs in a block; returns its first divergence."""
        found: Divergence | None = None
        for variable in variables:
            pair, differs = block.pair(variable), block.differs(variable)
            differing[variable] += int(differs.sum())
            if not differs.any():
                continue
            flat = differs.reshape(*differs.shape[:2], -1)
            at = tuple(int(i) for i in np.unravel_index(int(flat.argmax()), flat.shape))
            sample, step, neuron = at
            when = (block.start + sample, step + block.first_step)
            if found is None or when < found.when:
                found = Divergence(
                    sample=when[0],
                    step=when[1],
                    population=self.name,
                    neuron=neuron,
                    position=position_of(neuron, self.a.header.shape),
                    variable=variable,
                    value_a=pair[0].reshape(flat.shape)[at].item(),
                    value_b=pair[1].reshape(flat.shape)[at].item(),
                )
        return found

    def _tolerable(self, statistics: PopulationStatistics) -> bool:
        allowed = self.tolerances
        if not allowed.given:
            return False
        rate = statistics.coincidence_rate
        missed = 0.0 if rate is None else 1.0 - rate
        if missed > (allowed.spike_difference or 0.0):
            return False
        if allowed.state_error is None:
            return True
        return all(error.largest <= allowed.state_error for error in statistics.errors.values())

    def _compare_counts(self) -> PopulationDifference:
        """Compare spike counts, for want of spikes; they only line up without a shift."""
        a, b, samples = self.a, self.b, self.samples
        counts_a, counts_b = a.counts[:samples], b.counts[:samples]
        comparable = self.shift == 0 and a.steps == b.steps
        exact = bool((counts_a == counts_b).all()) if comparable else None
        total = int(counts_a.sum() + counts_b.sum())
        missed = float(np.abs(counts_a - counts_b).sum()) / max(1, total)
        allowed = self.tolerances.spike_difference
        return PopulationDifference(
            population=self.name,
            shift=self.shift,
            spikes_a=int(counts_a.sum()),
            spikes_b=int(counts_b.sum()),
            differing=None,
            states_differing={},
            masked=0,
            compared=("counts",) if comparable else (),
            exact=exact,
            statistics=from_counts(a, b, samples, tuple(s.stop - s.start for s in overlap(a, b))),
            within=exact if exact is not False or allowed is None else missed <= allowed,
        )
