"""SLAYER's CPU forward pass against the engine, on the example that a module was exported with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..formats.slayer import Export, Sent
from . import run


@dataclass(frozen=True)
class Agreement:
    """One population held against its block.

    Attributes
    ----------
    population : str
    what : str
        ``spikes`` (messages with their payloads) or ``v``.
    lag : int
        Steps by which the chip's clock is behind SLAYER's here.
    compared, differing, sent : int
        Numbers compared, how many of them differ, and how many of SLAYER's are not 0.
    first : tuple of int or None
        (sample, step of the chip clock, neuron) where they first differ.
    worst : float
        Largest difference, in the integers' unit.
    inexact : int
        Numbers of SLAYER's that are not whole: its floats could not hold them.
    overflows : int
        How often a state or a convolution's sum left the chip's 24 bits in this
        population, which SLAYER's floats never do; populations behind it differ, too.
    """

    population: str
    what: str
    lag: int
    compared: int
    differing: int
    sent: int
    first: tuple[int, int, int] | None
    worst: float
    inexact: int
    overflows: int

    @property
    def equal(self) -> bool:
        """Whether every number is the same."""
        return not self.differing

    def line(self) -> str:
        """One line for the terminal."""
        if self.equal:
            seen = f"{self.sent:,} spikes" if self.what == "spikes" else self.what
            return f"{self.population}: equal, {seen} in {self.compared:,} numbers compared"
        assert self.first is not None
        sample, step, neuron = self.first
        floats = f"; {self.inexact:,} of SLAYER's are beyond float32" if self.inexact else ""
        if self.overflows:
            floats += f"; {self.overflows:,} sums left the chip's 24 bits here"
        return (
            f"{self.population}: {self.differing:,} of {self.compared:,} {self.what} differ, first "
            f"at sample {sample}, step {step}, neuron {neuron}, by at most {self.worst:g}{floats}"
        )


def agree(export: Export, threads: int | None = None) -> tuple[Agreement, ...]:
    """Run the engine on an export's example and compare every population with its block.

    Clocks are lined up: what a block sends at step t is the population's message
    at t + lag. Messages that SLAYER's last steps would cause on the chip are
    beyond the run and not compared.

    Parameters
    ----------
    export : Export
    threads : int, optional

    Returns
    -------
    tuple of Agreement
        In the order of the network.
    """
    record = ("spikes", "v") if any(s.what == "v" for s in export.sent) else ("spikes",)
    longest = max((sent.lag for sent in export.sent), default=0)
    inputs = export.inputs
    recording = run(
        export.network,
        inputs,
        record=record,
        apply_transform=False,
        steps=inputs.shape[1] + max(longest, 0),
        threads=threads,
    )
    held = []
    for sent in export.sent:
        kept = recording[sent.population]
        held.append(_held(getattr(kept, sent.what), sent, sum(kept.overflows().values())))
    return tuple(held)


def _held(found: NDArray[Any], sent: Sent, overflows: int) -> Agreement:
    steps = sent.values.shape[1]
    first = max(-sent.lag, 0)
    ours = found[:, max(sent.lag, 0) : sent.lag + steps].astype(np.float64)
    theirs = sent.values[:, first : first + ours.shape[1]]
    apart = ours != theirs
    where = None
    if apart.any():
        sample, step, *place = np.argwhere(apart)[0]
        neuron = int(np.ravel_multi_index(place, apart.shape[2:]))
        where = (int(sample), int(step) + max(sent.lag, 0), neuron)
    return Agreement(
        population=sent.population,
        what=sent.what,
        lag=sent.lag,
        compared=apart.size,
        differing=int(np.count_nonzero(apart)),
        sent=int(np.count_nonzero(theirs)),
        first=where,
        worst=float(np.abs(ours - theirs).max(initial=0)),
        inexact=int(np.count_nonzero(theirs != np.rint(theirs))),
        overflows=overflows,
    )
