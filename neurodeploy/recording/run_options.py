"""What a run is asked to do, the same for every backend."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, UnsupportedError
from ..network import Network

Progress = Callable[[int, int], None]
"""Called with (samples done, samples in all)."""


@dataclass(frozen=True)
class RunOptions:
    """Options of one run.

    Attributes
    ----------
    steps : int
        Chip time steps to run each sample for.
    record : tuple of str
        Of counts, spikes, the states of the network's neurons and, where it learns, weights:
        what its synapses and traces are like after each epoch.
    out : Path or None
        Stream the recording to this file instead of keeping it in memory.
    reset_interval : int or None
        Within each sample, set the states to zero every so many steps, as Lava's
        LIFReset and the chip do; None never resets. A sample always starts
        from zero state.
    reset_offset : int
        Step of the first reset, as netx counts it: the population at hop h
        resets where ``t % interval == (reset_offset + 1 + h) % interval``, t
        counted from 1.
    learn_across_samples : bool
        Of a network that learns: each sample begins with the weights, tags and random generators
        that the one before left, in place of those of the network. Neurons, traces and the clock
        of epochs begin anew with each sample all the same.
    threads : int or None
        Threads of the engine and of the float backend; None takes ``NEURODEPLOY_THREADS``,
        else all cores. Other backends have no use for it.
    timeout_seconds : float or None
        End a worker that takes longer.
    progress : callable or None
        See `Progress`.
    inputs_fingerprint : str
        SHA-256 of the inputs, for the header of a recording that a worker makes.
    host : str or None
        Where the worker runs, see `places.parse_place`; None takes the backend's variable.
    job : Path or None
        Folder to keep the job in, see `job`; None makes one and removes it again.
    chip : mapping or None
        Options that only a backend knows, as JSON has them.
    sent : callable or None
        Set in a worker whose job came from elsewhere: called with each finished file.
    """

    steps: int
    record: tuple[str, ...] = ("counts",)
    out: Path | None = None
    reset_interval: int | None = None
    reset_offset: int = 0
    learn_across_samples: bool = False
    threads: int | None = None
    timeout_seconds: float | None = None
    progress: Progress | None = None
    inputs_fingerprint: str = ""
    host: str | None = None
    job: Path | None = None
    chip: Mapping[str, Any] | None = None
    sent: Callable[[Path], None] | None = None


def names_of(names: str | Iterable[str]) -> tuple[str, ...]:
    """Several names, or one that stands by itself: a string is a name, not its letters."""
    return (names,) if isinstance(names, str) else tuple(names)


def to_record(network: Network, record: str | Iterable[str]) -> tuple[str, ...]:
    """What a run records where `record` is asked for: counts, then the rest in fixed order.

    Raises
    ------
    InputError
        If no neuron of the network has a state of this name.
    """
    names = names_of(record)
    if ("record", names) in network.kept:
        known_before: tuple[str, ...] = network.kept["record", names]
        return known_before
    wanted = frozenset(names)
    had = dict.fromkeys(s for p in network.populations for s in p.neuron.states)
    learned = ("weights",) if network.learning else ()
    known = ("counts", "spikes", *learned, *dict.fromkeys(("u", "v", *had)))
    if unknown := sorted(wanted - {*known, "states"}):
        raise InputError(
            f"record {unknown[0]!r}: unknown; there are {', '.join(known)}, and states for all "
            f"that the neurons have"
        )
    if "states" in wanted:
        wanted |= frozenset(had)
    found = tuple(what for what in known if what == "counts" or what in wanted)
    network.kept["record", names] = found
    return found


def recorded_states(network: Network, options: RunOptions) -> tuple[str, ...]:
    """States that a run records of any of its populations."""
    known = {state for population in network.populations for state in population.neuron.states}
    return tuple(name for name in options.record if name in known)


def refuse_floats(network: Network) -> None:
    """Stop a float network on its way to a place that computes in integers.

    Raises
    ------
    UnsupportedError
    """
    for population in network.populations:
        if population.neuron.is_float:
            raise UnsupportedError(
                f"population {population.name!r}: float neurons; quantize the network first "
                f"(nd.quantize), or run it on backend 'float'"
            )
