"""The memory that a run will need, told before it starts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..inputs import Presented
from ..memory import ALWAYS_THERE, Need, check_memory
from ..network import Network, Population, Synapse
from ..network.canonical import Arrays, flatten
from ..recording.run_options import RunOptions
from .engine import thread_count

_FEWER = "run fewer samples or steps at a time"
_TO_FILE = "stream the recording to a file (out=FILE, -o FILE), record less or run fewer samples"
_LESS = "record less or run fewer steps"


def check_run(network: Network, values: Presented, options: RunOptions, backend: str) -> None:
    """Refuse a run that does not fit into memory.

    Counted is what is certain: what the recording keeps of neurons and steps,
    what the backend holds at the same time, packed weights. Messages are not:
    how many there will be is what the run finds out.

    Raises
    ------
    TooLargeError
        Naming the largest part, bytes needed and available, and what to do.
    """
    samples, steps = len(values), options.steps
    alone = backend != "engine" or samples == 1  # what each thread holds is then one sample's
    threads = 1 if alone else options.threads or thread_count()
    per_neuron = 8 * (samples + 2 * (threads + 1)) * (steps + 2)  # more than all below
    weights, size, neurons = _of_weights(network)
    if size + per_neuron * neurons <= ALWAYS_THERE:
        return
    needs = list(weights)
    for population in network.populations:
        needs += _of_recording(population, samples, options)
    if backend == "engine":
        at_once = min(samples, threads + 1)  # of which one waits to be written
        for population in network.populations:
            needs += _of_block(population, at_once, options)
    else:
        size = 4 * int(np.prod(values.shape))
        needs.append(Need(f"inputs as int32 of {samples} samples x {steps} steps", size, _FEWER))
    check_memory(needs)


def _of_weights(network: Network) -> tuple[tuple[Need, ...], int, int]:
    """Weights of each projection, their size and the network's neurons; kept with it."""
    if "memory" not in network.kept:
        needs = tuple(
            Need(
                f"projection {p.name}: packed {p.synapse.kind} weights",
                _array_bytes(p.synapse),
                "make the layer smaller or sparse",
            )
            for p in network.projections
        )
        neurons = sum(population.size for population in network.populations)
        network.kept["memory"] = needs, sum(need.size_bytes for need in needs), neurons
    known: tuple[tuple[Need, ...], int, int] = network.kept["memory"]
    return known


def _array_bytes(synapse: Synapse) -> int:
    arrays: Arrays = {}
    flatten(synapse, arrays)
    return sum(array.nbytes for array in arrays.values())


def _of_recording(population: Population, samples: int, options: RunOptions) -> Iterator[Need]:
    """What stays of a population until the end; nothing where it goes to a file."""
    if options.out is not None:
        return
    where = f"population {population.name!r}"
    counts = 8 * samples * population.size
    yield Need(f"{where}: counts of {samples} samples", counts, _TO_FILE)
    kept = [name for name in population.neuron.states if name in options.record]
    if kept:
        size = 4 * samples * options.steps * population.size * len(kept)
        what = f"{where}: {' and '.join(kept)} of {samples} samples x {options.steps} steps"
        yield Need(what, size, _TO_FILE)


def _of_block(population: Population, samples: int, options: RunOptions) -> Iterator[Need]:
    """What the engine holds of samples that are under way, beside the recording."""
    where = f"population {population.name!r}"
    kept = [name for name in population.neuron.states if name in options.record]
    if kept and (options.out is not None or samples > 1):  # a single block is the recording
        size = 4 * samples * population.size * options.steps * len(kept)
        what = f"{where}: {' and '.join(kept)} of {options.steps} steps, {samples} samples at once"
        yield Need(what, size, _LESS)
    held = population.neuron.ports + max(4, len(population.neuron.states))
    states = 4 * samples * population.size * held
    yield Need(f"{where}: states of {samples} samples at once", states, "make it smaller")
