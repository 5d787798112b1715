"""An average layer as arithmetic of the host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...network import Average, Network

Readout = Callable[[NDArray[np.int32]], NDArray[np.int64]]


def averages_on_host(network: Network) -> tuple[Network, Readout]:
    """Take a network's last population off, if it is an average, and give what it did.

    Returns
    -------
    Network
        Without it: the chip's part.
    callable
        From the output [samples, steps, *shape] of that network to the sums
        [samples, steps, groups] that the average sent.
    """
    last = network.output
    # The sums below are those of this model.
    if type(last.neuron) is not Average or last.axon_delay is not None:
        return network, lambda output: output.astype(np.int64)
    rest = replace(
        network,
        populations=network.populations[:-1],
        projections=tuple(p for p in network.projections if p.target != last.name),
    )
    source = network.into(last.name)[0].source
    order = [p for p in rest.populations if p.name != source]
    rest = replace(rest, populations=(*order, rest[source]))
    size = last.neuron.group_size

    def sums(output: NDArray[np.int32]) -> NDArray[np.int64]:
        flat = output.reshape(*output.shape[:2], -1, size).astype(np.int64)
        total: NDArray[np.int64] = flat.sum(axis=-1)
        return total

    return rest, sums
