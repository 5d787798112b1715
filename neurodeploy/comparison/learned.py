"""Where two recordings differ in what their synapses learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..recording import Recording
from ..recording.learning import TRACES, LearningRecord


@dataclass(frozen=True)
class LearningDivergence:
    """The first synapse that two recordings learned otherwise.

    Attributes
    ----------
    sample : int
    epoch : int
        Counted from 0; the last where only the end of each sample was recorded.
    step : int
        With which the epoch ended, on the chip clock.
    projection : str
    target, source : int
        Neurons, flat in (C, H, W) order.
    variable : str
        ``w``, ``t`` or ``d``: of an epoch, the first of them to differ.
    value_a, value_b : int
    traces : mapping of str to (int, int)
        What both sides had after this epoch as x1, x2 of the source and y1, y2, y3 of the target,
        where recorded.
    """

    sample: int
    epoch: int
    step: int
    projection: str
    target: int
    source: int
    variable: str
    value_a: int
    value_b: int
    traces: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def when(self) -> tuple[int, int]:
        """Sample and step."""
        return self.sample, self.step

    def __str__(self) -> str:
        traces = ", ".join(
            f"{name} {a}" if a == b else f"{name} {a} against {b}"
            for name, (a, b) in self.traces.items()
        )
        return (
            f"sample {self.sample}, epoch {self.epoch}, projection {self.projection}, synapse "
            f"{self.source}->{self.target}: {self.variable} {self.value_a} against {self.value_b}"
            + (f" ({traces})" if traces else "")
        )


@dataclass(frozen=True)
class LearningDifference:
    """How far apart two recordings are in one projection that learned.

    Attributes
    ----------
    projection : str
    compared : int
        Values of synaptic variables: of all epochs, or of the ends of samples.
    differing : int
    largest : int
        Difference.
    first : LearningDivergence or None
    """

    projection: str
    compared: int
    differing: int
    largest: int
    first: LearningDivergence | None


def compare_learning(
    a: Recording, b: Recording, samples: int, names: tuple[str, str], notes: list[str]
) -> tuple[LearningDifference, ...]:
    """Compare what the projections learned that both have; what cannot be goes into `notes`."""
    found = []
    for header in (p for p in a.header.projections if p.epoch):
        there = {p.name: p for p in b.header.projections}.get(header.name)
        if there is None or there.epoch != header.epoch:
            notes.append(f"projection {header.name}: learns otherwise, or not, in {names[1]}")
            continue
        one, other = a.learning(header.name), b.learning(header.name)
        if a.header.learn_across_samples != b.header.learn_across_samples:
            notes.append(f"projection {header.name}: one side learned across samples; not compared")
            continue
        found.append(_difference(one, other, a, samples))
    return tuple(found)


def _difference(
    one: LearningRecord, other: LearningRecord, a: Recording, samples: int
) -> LearningDifference:
    variables = [name for name in one.variables if name in other.variables]
    every_epoch = one.has_trajectory and other.has_trajectory
    compared = differing = largest = 0
    first: LearningDivergence | None = None
    for variable in variables:
        left, right = (
            (r.trajectory(variable) if every_epoch else r.after(variable)[:, None])[:samples]
            for r in (one, other)
        )
        apart = np.abs(left.astype(np.int32) - right)
        compared += apart.size
        differing += int(np.count_nonzero(apart))
        largest = max(largest, int(apart.max(initial=0)))
        at = np.argwhere(apart)
        if len(at):
            here = _divergence(one, other, a, variable, tuple(at[0]), left, right, every_epoch)
            if first is None or here.when < first.when:
                first = here
    return LearningDifference(one.header.name, compared, differing, largest, first)


def _divergence(
    one: LearningRecord,
    other: LearningRecord,
    a: Recording,
    variable: str,
    at: tuple[Any, ...],
    left: NDArray[Any],
    right: NDArray[Any],
    every_epoch: bool,
) -> LearningDivergence:
    sample, epoch, target, source = (int(k) for k in at)
    epoch_steps = one.header.epoch
    traces = {}
    if every_epoch:
        for name in TRACES:
            neuron = source if name[0] == "x" else target
            pair = (int(r.trajectory(name)[sample, epoch, neuron]) for r in (one, other))
            traces[name] = (*pair,)
    else:
        epoch = a.steps // epoch_steps - 1
        if a.header.learn_across_samples:
            sample = a.samples - 1
    return LearningDivergence(
        sample,
        epoch,
        (epoch + 1) * epoch_steps - 1,
        one.header.name,
        target,
        source,
        variable,
        int(left[at]),
        int(right[at]),
        traces,  # type: ignore[arg-type]
    )
