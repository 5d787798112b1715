"""All rewrites that a target needs, applied to a whole network."""

from __future__ import annotations

from dataclasses import replace

from ...errors import InputError
from ...network import Audit, AuditEntry, Network, Rating
from ..registry import TARGETS


def rewritten_for(network: Network, target: str) -> Network:
    """Apply the exact rewrites that a target needs; what none of them helps is left.

    Parameters
    ----------
    network : Network
    target : str
        Of `TARGETS`, one that has rewrites.

    Returns
    -------
    Network
        With an entry in its audit for each rewrite that changed something.

    Raises
    ------
    InputError
        If there is no such target, or no rewrite for it.
    """
    steps = TARGETS[target].rewrites
    if not steps:
        others = [name for name, other in TARGETS.items() if other.rewrites]
        raise InputError(f"target {target!r}: has no rewrites; there are {', '.join(others)}")
    for step in steps:
        rewritten = step.apply(network)
        if rewritten != network:
            note = AuditEntry("network", Rating.FAITHFUL, f"for {target}: {step.says}; exact")
            rewritten = replace(rewritten, audit=rewritten.audit + Audit((note,)))
        network = rewritten
    return network
