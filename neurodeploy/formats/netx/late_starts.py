"""From which step on the biases of a NetX file act.

A file says only that there is a bias. netx, Lava and the chip let it act from step
0 on, so that a layer's voltage has grown before its first input comes. In SLAYER's
forward pass every layer begins with its first input: a population whose inputs come
k steps after the network's is k steps younger. SLAYER's blocks write the mean of
their norm as a bias (``block/base.py:603``, lava-dl 0.6.0), so a file of theirs
that runs as it stands is not what was trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...network import Average, Delta, Population, Projection, Rating, Sigma, SigmaDelta, Source
from .synapse_reader import Note

STARTS = "starts"
"""Attribute of a layer that we write: its bias is meant to act from this step on, which is 0.
Other programs' files do not have it."""

SAME_STEP = (Source, Average, Delta, Sigma, SigmaDelta)
"""What leaves these in SLAYER leaves in the step in which it is computed. Blocks of all other
neurons delay what they send by a step (``delay_shift``, which sigma-delta blocks turn off in
``block/sigma_delta.py:25``)."""


def trained_starts(
    populations: Sequence[Population], projections: Sequence[Projection]
) -> dict[str, int]:
    """Give the step of the chip clock at which each layer begins in SLAYER's forward pass.

    Parameters
    ----------
    populations, projections : sequence
        A chain, in its order.

    Returns
    -------
    dict of str to int
        By population.
    """
    starts: dict[str, int] = {}
    lag: dict[str, int] = {}
    into: dict[str, list[Projection]] = {}
    for projection in projections:
        if projection.source != projection.target:
            into.setdefault(projection.target, []).append(projection)
    for population in populations:
        feeds = into.get(population.name, ())
        arrival = max((lag[p.source] + p.synapse.steps for p in feeds), default=0)
        lag[population.name] = arrival - (not isinstance(population.neuron, SAME_STEP))
        starts[population.name] = max(arrival, 0)
    return starts


def with_starts(
    populations: Sequence[Population],
    projections: Sequence[Projection],
    biased: Mapping[str, str],
    as_trained: bool,
    note: Note,
) -> tuple[Population, ...]:
    """Let biases act as in training where asked to, and say what they do where not.

    Parameters
    ----------
    populations, projections : sequence
        A chain, in its order.
    biased : mapping of str to str
        Where in the file the layers are that have a bias and do not say when it
        acts, by population.
    as_trained : bool
    note : callable
        Adds an entry to the audit.

    Returns
    -------
    tuple of Population
    """
    starts = trained_starts(populations, projections)
    changed = []
    for population in populations:
        start = starts[population.name] if population.name in biased else 0
        where = f"{biased.get(population.name)}/bias"
        if start and as_trained:
            reason = (
                f"acts from step {start} on, when SLAYER's does; netx, Lava and the chip let it "
                f"act from step 0 on"
            )
            note(where, Rating.FAITHFUL, reason)
            population = replace(population, starts=start)
        elif start:
            reason = (
                f"acts from step 0 on, as in netx, Lava and the chip; in SLAYER's training it acts "
                f"from step {start} on; to read it as trained, give as_trained=True (--as-trained)"
            )
            note(where, Rating.APPROXIMATE, reason)
        changed.append(population)
    return tuple(changed)
