"""What a rounded network costs on a chip and what it still gets right, measured on inputs."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..chip import fit
from ..chip.energy import event_joules
from ..chip.resources import WORDS
from ..chip.specification import Chip, load_chip
from ..errors import InputError
from ..network import Network
from ..recording import Recording, decide
from .calibration import fitting

ChipName = str | os.PathLike[str] | Chip


@dataclass(frozen=True)
class Costs:
    """Costs of a network in integers, per inference where a figure grows with time.

    Attributes
    ----------
    memory_bits : int
        Synaptic memory of all cores as the chip packs it (`chip.memory`), parallel synapses
        included.
    memory_of, synops_of : mapping of population name to float
        Of the synapses into each.
    synops, neuron_updates, messages : float
        Mean over samples.
    joules : float
        Estimated dynamic energy: these numbers times the chip file's constants. No static energy.
    agreement : float
        Share of samples for which the network decides as the original does.
    accuracy, original_accuracy : float or None
        Share that it, and the original, decide as the labels say; None without labels.
    coincidence : float
        Messages in both networks at the same step over their mean number, hops taken off.
    """

    memory_bits: int
    memory_of: dict[str, float]
    synops: float
    synops_of: dict[str, float]
    neuron_updates: float
    messages: float
    joules: float
    agreement: float
    accuracy: float | None
    original_accuracy: float | None
    coincidence: float

    @property
    def loss(self) -> float:
        """Accuracy lost against the original where there are labels, else 1 - agreement."""
        if self.accuracy is None or self.original_accuracy is None:
            return 1 - self.agreement
        return self.original_accuracy - self.accuracy


class Meter:
    """Measures networks against the one that they were rounded from.

    Parameters
    ----------
    network : Network
        Float, or in integers.
    inputs : array [samples, steps, *input shape]
    labels : integer array [samples], optional
    chip : str, path or Chip

    Raises
    ------
    InputError
        If labels and inputs differ in number, or the inputs do not fit the network.
    ChipError
        If there is no such chip.
    """

    def __init__(
        self,
        network: Network,
        inputs: NDArray[Any],
        labels: NDArray[np.integer[Any]] | None = None,
        chip: ChipName = "loihi2",
    ) -> None:
        self.inputs = fitting(network, inputs)
        self.network, self.labels = network, labels
        self.chip = load_chip(chip)
        outputs = network.output.size
        if labels is not None and (
            labels.shape != (len(self.inputs),) or labels.min() < 0 or labels.max() >= outputs
        ):
            span = f"{labels.min()}..{labels.max()}" if labels.size else "none"
            raise InputError(
                f"labels: {labels.size}, {span}, for {len(self.inputs)} samples and {outputs} "
                f"outputs; give each sample the index of an output"
            )
        self.original = self.run(network)
        self.decided = self._decisions(network, self.original)

    def run(self, network: Network) -> Recording:
        """Run a network for as long as the last of the inputs takes to reach its output."""
        from ..backends import run

        steps = self.inputs.shape[1] + max(network.hops(p.name) for p in network.populations)
        record = ("counts", "spikes") + (("v",) if network.output.neuron.is_readout else ())
        backend = "float" if network.is_float else "engine"
        return run(network, self.inputs, backend=backend, steps=steps, record=record)

    def __call__(self, fixed: Network) -> Costs:
        """Measure a network in integers."""
        recording = self.run(fixed)
        decided = self._decisions(fixed, recording)
        memory = synaptic_memory(fixed, self.chip)
        into: dict[str, float] = {}
        for name, each in recording.synops().items():
            target = next(p.target for p in fixed.projections if p.name == name)
            into[target] = into.get(target, 0.0) + float(each.mean())
        updates, active, messages = self._events(recording)
        synops = sum(into.values())
        joules = event_joules(
            self.chip, synops=synops, updates=updates, active=active, messages=messages,
            core_steps=recording.steps * self._cores(recording),
        )  # fmt: skip
        right = original = None
        if self.labels is not None:
            right = float((decided == self.labels).mean())
            original = float((self.decided == self.labels).mean())
        return Costs(
            int(sum(memory.values())), memory, synops, into, updates, messages, joules,
            float((decided == self.decided).mean()), right, original,
            self._coincidence(fixed, recording),
        )  # fmt: skip

    def _events(self, recording: Recording) -> tuple[float, float, float]:
        """Neuron updates, those of them that send a message, and messages, per sample."""
        updates = active = messages = 0.0
        for population in recording.header.populations:
            counts = recording[population.name].counts
            sent = counts.reshape(len(counts), -1).sum(axis=1).mean()
            messages += float(sent)
            if population.on_chip:
                own = population.size * recording.steps
                updates += own
                active += min(own, float(sent))
        return updates, active, messages

    def _cores(self, recording: Recording) -> int:
        """Fewest cores that hold the neurons, as a profile without a placement has them."""
        most = self.chip["neurons_per_core"]
        return sum(math.ceil(p.size / most) for p in recording.header.populations if p.on_chip)

    def _aligned(self, network: Network, recording: Recording, name: str, what: str) -> Any:
        hops = network.hops(name)
        found = getattr(recording[name], what)[:, hops : hops + self.inputs.shape[1]]
        return found.reshape(*found.shape[:2], -1)

    def _decisions(self, network: Network, recording: Recording) -> NDArray[np.int64]:
        """Output that sent most; of a readout, the one of the highest mean voltage."""
        what = "v" if network.output.neuron.is_readout else "spikes"
        found = self._aligned(network, recording, network.output.name, what)
        return decide(found.sum(axis=1, dtype=np.float64))[0]

    def _coincidence(self, fixed: Network, recording: Recording) -> float:
        both = total = 0.0
        for population in self.network.populations[1:]:
            name = population.name
            if population.neuron.is_readout or not population.neuron.states:
                continue
            ours = self._aligned(fixed, recording, name, "spikes") != 0
            theirs = self._aligned(self.network, self.original, name, "spikes") != 0
            both += 2.0 * float(np.count_nonzero(ours & theirs))
            total += float(np.count_nonzero(ours) + np.count_nonzero(theirs))
        return both / total if total else 1.0


def synaptic_memory(fixed: Network, chip: ChipName = "loihi2") -> dict[str, float]:
    """Bits of synaptic memory by target population, on all its cores, as the chip packs them.

    Parameters
    ----------
    fixed : Network
        In integers.
    chip : str, path or Chip
    """
    place = fit(fixed, chip)
    word = place.chip.limit("synapse_word_bits")
    return {
        partition.population.name: float(word * sum(used[WORDS] for used in partition.used))
        for partition in place.partitions
    }
