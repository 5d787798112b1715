"""``neurodeploy inspect``."""

from __future__ import annotations

from typing import Annotated

import typer

from .shared import NO_OPTIONS, Json, Net, Reading, print_json, reads_a_network, show


@reads_a_network
def inspect(
    net: Net,
    target: Annotated[
        str | None, typer.Option(help="What this target would do to each element.")
    ] = None,
    reading: Reading = NO_OPTIONS,
    json: Json = False,
) -> int:
    """Show what NET holds and how each element of the file was read.

    Populations with their neurons, synapses, weights, delays and hops (the
    steps by which each lags the input), then the audit. With a target: what it
    would do to this network, before any run; exit status 1 if it has no place
    for an element.
    """
    from ..network import Rating
    from ..reporting.terminal import audit_table, network_table
    from ..targets.look_ahead import look_ahead
    from . import DIFFERS, DONE

    network = reading.load(net)
    ahead = None if target is None else look_ahead(network, target)
    if json:
        found = _as_dict(network)
        if ahead is not None:
            found["target"] = target
            found["ahead"] = [e.as_dict() for e in ahead]
        print_json(found)
    else:
        show(network_table(network))
        if network.audit:
            show(audit_table(network.audit))
        if ahead is not None:
            show(f"on {target}:", audit_table(ahead))
    return DIFFERS if ahead is not None and ahead.worst is Rating.UNSUPPORTED else DONE


def _as_dict(network: object) -> dict[str, object]:
    from ..network import Network

    assert isinstance(network, Network)
    return {
        "fingerprint": network.fingerprint,
        "populations": [
            {
                "name": p.name,
                "neuron": p.neuron.kind,
                "shape": list(p.shape),
                "neurons": p.size,
                "hops": network.hops(p.name),
                "longest_delay": 0 if p.axon_delay is None else int(p.axon_delay.max()),
            }
            for p in network.populations
        ],
        "projections": [
            {
                "source": p.source,
                "target": p.target,
                "synapse": p.synapse.kind,
                "synapses": int(network.fan_out(p).sum()),
            }
            for p in network.projections
        ],
        "audit": [entry.as_dict() for entry in network.audit],
        "metadata": dict(network.metadata),
    }
