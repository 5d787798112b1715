"""All rewrites that a target needs, applied to a whole network."""

from __future__ import annotations

from dataclasses import replace

from ...errors import InputError
from ...network import Audit, AuditEntry, Network, Rating
from .axons import delays_on_axons
from .pools import pool_as_conv
from .taps import taps_as_delays

STEPS = {
    "lava": (taps_as_delays, pool_as_conv),
    "loihi2": (taps_as_delays, delays_on_axons, pool_as_conv),
}
"""Lava has delays in its dense synapses and none on axons before a convolution."""

SAID = {
    taps_as_delays: "taps in time as parallel synapses with delays",
    pool_as_conv: "sum pools as depthwise convolutions of the same sums",
    delays_on_axons: "delays of synapses and relays moved to the axons before them",
}


def rewritten_for(network: Network, target: str) -> Network:
    """Apply the exact rewrites that a target needs; what none of them helps is left.

    Parameters
    ----------
    network : Network
    target : {"lava", "loihi2"}

    Returns
    -------
    Network
        With an entry in its audit for each rewrite that changed something.

    Raises
    ------
    InputError
        If there is no such target.
    """
    if target not in STEPS:
        raise InputError(f"target {target!r}: unknown; there are {', '.join(STEPS)}")
    for step in STEPS[target]:
        made = step(network)
        if made != network:
            note = AuditEntry("network", Rating.FAITHFUL, f"for {target}: {SAID[step]}; exact")
            made = replace(made, audit=made.audit + Audit((note,)))
        network = made
    return network
