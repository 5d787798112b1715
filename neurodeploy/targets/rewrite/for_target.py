"""All rewrites that a target needs, applied to a whole network."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import NamedTuple

from ...errors import InputError
from ...network import Audit, AuditEntry, Effect, Network, Population, Projection, Rating
from ...network.canonical import fingerprint
from ..look_ahead import look_ahead
from ..registry import TARGETS, Refused, Rewrite

NAMED = 3
"""Elements that an entry of the audit names; of more it says that it is the network."""


class Form(NamedTuple):
    """A network that a rewrite makes of another.

    Attributes
    ----------
    says : str
        What was done.
    network : Network
    """

    says: str
    network: Network


def refused_by(target: str, network: Network) -> Refused:
    """Names of the elements that a target does not run as the network says."""
    mended = TARGETS[target].mended
    found = frozenset(e.element for e in look_ahead(network, target) if e.rating in mended)
    # What concerns the whole concerns each part: the parts were not asked then.
    return found | frozenset(_elements(network)) if "network" in found else found


def rewrites_of(target: str, without: Collection[str] = ()) -> tuple[Rewrite, ...]:
    """Give a target's rewrites in their order, less some by name.

    Raises
    ------
    InputError
        If there is no such target, or it has no such rewrite.
    """
    known = TARGETS[target].rewrites
    names = [rewrite.name for rewrite in known]
    if unknown := [name for name in without if name not in names]:
        there = ", ".join(names) or "none"
        raise InputError(f"rewrite {unknown[0]!r}: target {target!r} has none; there are {there}")
    return tuple(rewrite for rewrite in known if rewrite.name not in without)


def forms(
    network: Network, target: str, rewrite: Rewrite, wrapped: Refused = frozenset()
) -> Iterator[Form]:
    """Give the other networks that a rewrite makes of one for a target; none where it has no use.

    What became of the network's elements is not in their audits yet. `wrapped`: populations into
    which sums have wrapped on some inputs.
    """
    refused = refused_by(target, network) if rewrite.refused_only else frozenset[str]()
    for says, made in rewrite.forms(network, refused, wrapped):
        if made != network and _learns_the_same(network, made):
            yield Form(says, made)


def _learns_the_same(before: Network, after: Network) -> bool:
    """Whether a rewrite has left all that learns alone: in other units it would learn otherwise."""
    one, other = (
        [(p, n[p.source].neuron, n[p.target]) for p in n.learning] for n in (before, after)
    )
    return fingerprint(tuple(one)) == fingerprint(tuple(other))


def changed_elements(before: Network, after: Network) -> tuple[str, ...]:
    """Names of populations and projections that are other ones now, or new."""
    old, new = _elements(before), _elements(after)
    changed = [name for name, item in new.items() if not _same(old.get(name), item)]
    return tuple(changed or [name for name in old if name not in new])


def _elements(network: Network) -> dict[str, Population | Projection]:
    populations: dict[str, Population | Projection] = {p.name: p for p in network.populations}
    return {**populations, **{p.name: p for p in network.projections}}


def _same(one: object, other: object) -> bool:
    return one is other or (one is not None and fingerprint(one) == fingerprint(other))


def noted(
    before: Network, after: Network, target: str, says: str, rating: Rating,
    effect: Effect | None = None,
) -> Network:  # fmt: skip
    """Write into a rewritten network's audit what was done, and what it changed where measured."""
    exact = "; exact" if rating is Rating.FAITHFUL else ""
    changed = changed_elements(before, after)
    element = ", ".join(changed) if len(changed) <= NAMED else "network"
    note = AuditEntry(element, rating, f"for {target}: {says}{exact}", effect)
    return replace(after, audit=before.audit + Audit((note,)))


def rewritten_for(network: Network, target: str, without: Collection[str] = ()) -> Network:
    """Apply the exact rewrites that a target needs; what none of them helps is left.

    `deploy` applies the approximate ones, too, and measures them.

    Parameters
    ----------
    network : Network
    target : str
        Of `TARGETS`, one that has rewrites.
    without : collection of str
        Names of rewrites to leave out.

    Returns
    -------
    Network
        With an entry in its audit for each rewrite that changed something.

    Raises
    ------
    InputError
        If there is no such target, or no rewrite for it.
    """
    steps = rewrites_of(target, without)
    if not TARGETS[target].rewrites:
        others = [name for name, other in TARGETS.items() if other.rewrites]
        raise InputError(f"target {target!r}: has no rewrites; there are {', '.join(others)}")
    for rewrite in steps:
        made = next(forms(network, target, rewrite), None) if rewrite.exact else None
        if made is not None:
            network = noted(network, made.network, target, made.says, Rating.FAITHFUL)
    return network
