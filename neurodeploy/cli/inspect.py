"""``neurodeploy inspect``."""

from __future__ import annotations

from .shared import Dt, From, Json, Net, Reset, load_network, print_json, show


def inspect(
    net: Net, dt: Dt = None, reset: Reset = None, source: From = None, json: Json = False
) -> None:
    """Show what NET holds and how each element of the file was read.

    Populations with their neurons, synapses, weights, delays and hops (the
    steps by which each lags the input), then the audit.
    """
    from ..report.terminal import audit_table, network_table

    network = load_network(net, dt, reset, source)
    if json:
        print_json(_as_dict(network))
        return
    show(network_table(network), audit_table(network.audit))


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
        "audit": [{**vars(entry), "rating": entry.rating.value} for entry in network.audit],
        "metadata": dict(network.metadata),
    }
