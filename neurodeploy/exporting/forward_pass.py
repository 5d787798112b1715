"""SLAYER's CPU forward pass against the engine, on the example that a module was exported with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backends import run
from ..formats.slayer import Export, Sent
from ..network import Audit, AuditEntry, Effect, Network, Rating
from ..network.audit import relative_error


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
    compared, differing, sent, ours : int
        Numbers compared, how many of them differ, and how many of SLAYER's and of ours are
        not 0.
    first : tuple of int or None
        (sample, step of the chip clock, neuron) where they first differ.
    worst : float
        Largest difference, in the integers' unit.
    relative_error : float
        Sum of differences over the sum of SLAYER's magnitudes (over 1 where that is 0).
    inexact : int
        Numbers of SLAYER's that are not whole: its floats could not hold them.
    wrapped, beyond : int
        How often a convolution's sum, or a state, left the chip's 24 bits in this
        population. Such a sum wraps, where SLAYER's floats go on; populations behind it
        differ, too.
    """

    population: str
    what: str
    lag: int
    compared: int
    differing: int
    sent: int
    ours: int
    first: tuple[int, int, int] | None
    worst: float
    relative_error: float
    inexact: int
    wrapped: int
    beyond: int

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
        if self.wrapped:
            floats += f"; {self.wrapped:,} sums left the chip's 24 bits here"
        return (
            f"{self.population}: {self.differing:,} of {self.compared:,} {self.what} differ, first "
            f"at sample {sample}, step {step}, neuron {neuron}, by at most {self.worst:g}{floats}"
        )


def compare_forward_pass(export: Export, threads: int | None = None) -> tuple[Agreement, ...]:
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
        held.append(_compare_population(getattr(kept, sent.what), sent, kept.overflows() or {}))
    return tuple(held)


def with_measured_audit(export: Export, held: Sequence[Agreement], inputs: str) -> Network:
    """Give the network of an export with what was measured in its audit.

    Each approximation gets its effect. Each population that differs from its
    block although it was converted faithfully becomes an approximation of its
    own, with the reason: its sums wrapped, what feeds it differs, or neither, which
    is said. So does one that agrees, but whose states left 24 bits.

    Parameters
    ----------
    export : Export
    held : sequence of Agreement
        From `compare_forward_pass`.
    inputs : str
        What it ran on, for the effects.
    """
    found = {agreement.population: agreement for agreement in held}
    last = found.get(export.network.output.name, held[-1]) if held else None
    entries = []
    for entry in export.network.audit:
        here = found.get(export.places.get(entry.element, ""), last)
        if entry.rating is not Rating.FAITHFUL and here is not None and last is not None:
            entry = replace(entry, effect=_effect(here, last, inputs))
        entries.append(entry)
    explained = {e.effect.population for e in entries if e.effect is not None}
    for agreement in held:
        reason = _why(agreement, feeders(export.network, agreement.population, found))
        if (
            reason
            and last is not None
            and not (agreement.population in explained and not agreement.wrapped)
        ):
            effect = _effect(agreement, last, inputs)
            entries.append(AuditEntry(agreement.population, Rating.APPROXIMATE, reason, effect))
    return replace(export.network, audit=Audit(tuple(entries)))


def _effect(here: Agreement, last: Agreement, inputs: str) -> Effect:
    return Effect(
        inputs=inputs,
        population=here.population,
        compared=here.compared,
        differing=here.differing,
        sent_before=here.sent,
        sent=here.ours,
        relative_error=here.relative_error,
        output_relative_error=last.relative_error,
    )


def feeders(network: Network, population: str, found: Mapping[str, Agreement]) -> list[str]:
    """Other populations that feed one and differ themselves; through relays, too."""
    seen, waiting, differing = {population}, [population], []
    while waiting:
        for projection in network.into(waiting.pop()):
            name = projection.source
            if name in seen:
                continue
            seen.add(name)
            if name not in found:  # relays are held against nothing
                waiting.append(name)
            elif not found[name].equal:
                differing.append(name)
    return differing


def _why(agreement: Agreement, differing: Sequence[str]) -> str:
    """Why a population differs, or may on silicon; nothing where neither is so."""
    if agreement.wrapped:
        return (
            f"{agreement.wrapped:,} of {agreement.compared:,} sums of convolutions left 24 bits "
            f"and wrapped, as Lava's and the chip's do; SLAYER's do not: split them "
            f"(deploy does, or export --split-sums) or scale down what feeds it"
        )
    if agreement.differing:
        floats = f"{agreement.inexact:,} of SLAYER's numbers are beyond float32"
        if agreement.inexact:
            return floats
        states = f"; {agreement.beyond:,} of its states left 24 bits" if agreement.beyond else ""
        if differing:
            return f"what feeds it differs ({', '.join(differing)}); no sum wrapped here{states}"
        return (
            f"the block sends other numbers than what was read of it, though what feeds it is "
            f"equal and no sum wrapped{states}: something acts on it that is not in the file; "
            f"please report it"
        )
    if agreement.beyond:
        return (
            f"{agreement.beyond:,} states left 24 bits; the engine and Lava's CPU keep 32, silicon "
            f"may wrap"
        )
    return ""


def _compare_population(found: NDArray[Any], sent: Sent, overflows: dict[str, int]) -> Agreement:
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
    difference = np.abs(ours - theirs)
    wrapped = overflows.get("input_overflows", 0)
    return Agreement(
        population=sent.population,
        what=sent.what,
        lag=sent.lag,
        compared=apart.size,
        differing=int(np.count_nonzero(apart)),
        sent=int(np.count_nonzero(theirs)),
        ours=int(np.count_nonzero(ours)),
        first=where,
        worst=float(difference.max(initial=0)),
        relative_error=relative_error(theirs, ours),
        inexact=int(np.count_nonzero(theirs != np.rint(theirs))),
        wrapped=wrapped,
        beyond=sum(overflows.values()) - wrapped,
    )
