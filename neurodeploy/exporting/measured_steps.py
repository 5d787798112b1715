"""What a change of a network makes of given inputs: both are run, and their messages compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backends import run
from ..inputs import as_samples
from ..network import Effect, Network
from ..recording import Recording
from ..targets.rewrite.refractory import LATER

LARGEST = 1 << 24
"""Numbers of the largest population, over all samples and steps, that a measurement looks at."""

EXAMPLE_STEPS = 64
EXAMPLE_SAMPLES = 4
EXAMPLE_RATE = 0.3


@dataclass(frozen=True, eq=False)
class Example:
    """Inputs that changes are measured on.

    Attributes
    ----------
    inputs : array [samples, steps, *shape]
    labels : int [samples] or None
    what : str
        What they are, for the audit.
    """

    inputs: NDArray[Any]
    labels: NDArray[Any] | None
    what: str

    @classmethod
    def of(
        cls, network: Network, inputs: NDArray[Any] | None, labels: Sequence[int] | None, what: str
    ) -> Example:
        """Take the given inputs, or as many of their first samples as can be measured on.

        Without any, random ones: spikes, or numbers where a network takes those.
        """
        if inputs is None:
            shape = (EXAMPLE_SAMPLES, EXAMPLE_STEPS, *network.input.shape)
            made = _random_inputs(network, np.random.default_rng(0), shape)
            what = f"{EXAMPLE_SAMPLES} random samples of {EXAMPLE_STEPS} steps, seed 0"
            return cls(made, None, what)
        given = as_samples(network, inputs)
        widest = max(p.size for p in network.populations)
        first = min(len(given), max(1, LARGEST // (given.shape[1] * widest)))
        if first < len(given):
            what = f"the first {first} samples of {what}"
        chosen = None if labels is None else np.asarray(labels)[:first]
        return cls(given[:first], chosen, what)


def _random_inputs(
    network: Network, rng: np.random.Generator, shape: tuple[int, ...]
) -> NDArray[Any]:
    neuron = network.input.neuron
    if network.input.transform is not None:
        return rng.random(shape).astype(np.float32)
    if neuron.is_port and not getattr(neuron, "signed", False):
        return (rng.random(shape) < EXAMPLE_RATE).astype(np.int32)
    return rng.integers(-64, 65, shape).astype(np.int32)


class Measured:
    """A network's run on an example, on the clock of the chip.

    Parameters
    ----------
    network : Network
    example : Example
    hops : int
        Of the output of the integer network; a float network has none of its own.
    """

    def __init__(self, network: Network, example: Example, hops: int) -> None:
        self.network = network
        self.example = example
        self.shift = hops if network.is_float else 0
        self.later = int(network.metadata.get(LATER, 0))
        self.steps = example.inputs.shape[1] + (0 if network.is_float else hops)

    @cached_property
    def recording(self) -> Recording:
        """Made when it is first asked for."""
        backend = "float" if self.network.is_float else "engine"
        silent = self.network.output.neuron.is_readout
        record = ("counts", "spikes", *(("v",) if silent else ()))
        return run(
            self.network, self.example.inputs, backend=backend, record=record, steps=self.steps
        )

    def unit_known(self, name: str) -> bool:
        """Whether what a population gives can be told in the unit of the trained network."""
        return self.recording[name].unit is not None

    def numbers(self, name: str, trained: bool = False) -> NDArray[Any]:
        """Messages of a population, or v of a readout that sends none, [samples, steps, n].

        v is in the unit of the trained network where `trained`.
        """
        record = self.recording[name]
        readout = self.network[name].neuron.is_readout and not self.network.is_float
        values = record.spikes
        if readout:
            values = record.in_trained_units("v") if trained else record.v
        flat = values.reshape(*values.shape[:2], -1)
        return np.pad(flat, ((0, 0), (self.shift, 0), (0, 0))) if self.shift else flat

    @property
    def accuracy(self) -> float | None:
        """Share of samples decided as labelled, 0 where nothing is sent; None without labels."""
        labels = self.example.labels
        if labels is None:
            return None
        output = self.network.output
        silent = not output.neuron.is_readout and not self.recording[output.name].counts.any()
        return 0.0 if silent else self.recording.accuracy(labels)

    @property
    def wrapped(self) -> list[str]:
        """Populations into which sums of a projection wrapped to 24 bits."""
        counted = {n: self.recording[n].overflows() or {} for n in self.recording.names}
        return [name for name, some in counted.items() if some.get("input_overflows", 0)]


@dataclass(frozen=True)
class Change:
    """What differs between two runs.

    Attributes
    ----------
    effect : Effect
    coincidence : float
        Share of both networks' messages of that population that the other sends, too: the same
        number at the same step.
    count_error : float
        Differences of what each neuron sent in a sample, over all it sent before.
    accuracy : (float, float) or None
        Before and after; of samples with labels.
    """

    effect: Effect
    coincidence: float
    count_error: float
    accuracy: tuple[float, float] | None

    @property
    def loss(self) -> float:
        """By which forms are ranked, the least first: errors, counts, single spikes.

        A gain in accuracy is luck and counts for nothing.
        """
        lost = 0.0 if self.accuracy is None else max(0.0, self.accuracy[0] - self.accuracy[1])
        return lost + self.count_error + (1 - self.coincidence)

    @property
    def more(self) -> str:
        """What the effect does not say: how much coincides, and what it does to accuracy."""
        text = f", {self.coincidence:.1%} of messages coincide" if self.effect.differing else ""
        if self.accuracy is not None:
            text += f", accuracy {self.accuracy[1]:.2%} for {self.accuracy[0]:.2%}"
        return text

    def __str__(self) -> str:
        """One line."""
        return f"{self.effect}{self.more}"


def change_between(before: Measured, after: Measured, name: str | None = None) -> Change:
    """Hold two runs on the same example against each other.

    Parameters
    ----------
    before, after : Measured
    name : str, optional
        The population that is looked at, in both; by default each network's output.
    """
    ends = before.network.output.name, after.network.output.name
    last = _pair(before, after, *ends)
    old, new = last if name is None or name == ends[1] else _pair(before, after, name, name)
    differing = old != new
    sent = np.count_nonzero(old), np.count_nonzero(new)
    matching = np.count_nonzero(~differing & (old != 0))
    counts = old.sum(axis=1), new.sum(axis=1)
    labelled = before.accuracy, after.accuracy
    accuracy = None if labelled[0] is None or labelled[1] is None else (labelled[0], labelled[1])
    effect = Effect(
        inputs=before.example.what,
        population=name or ends[1],
        compared=int(differing.size),
        differing=int(np.count_nonzero(differing)),
        sent_before=int(sent[0]),
        sent=int(sent[1]),
        relative_error=_relative(old, new),
        output_relative_error=_relative(*last),
    )
    coincidence = 2 * matching / (sum(sent) or 1) if sum(sent) else 1.0
    return Change(effect, float(coincidence), _relative(*counts), accuracy)


def _pair(
    before: Measured, after: Measured, one: str, other: str
) -> tuple[NDArray[Any], NDArray[Any]]:
    # A readout in floats beside one in integers: their numbers have one unit alone in common.
    trained = before.unit_known(one) and after.unit_known(other)
    old, new = before.numbers(one, trained), after.numbers(other, trained)
    if one == before.network.output.name:
        new = new[:, after.later - before.later :]
    steps = min(old.shape[1], new.shape[1])
    return old[:, :steps], new[:, :steps]


def _relative(before: NDArray[Any], after: NDArray[Any]) -> float:
    error = np.abs(after - before).sum(dtype=np.float64)
    return float(error / (np.abs(before).sum(dtype=np.float64) or 1))
