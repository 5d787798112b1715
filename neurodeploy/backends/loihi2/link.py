"""How late the adapters between host and chip are, measured on the chip itself.

No public source says it, and it may differ between adapters and versions of
lava-loihi. So before the network, two neurons run behind the same adapters: one
message is presented at a known step; a neuron that it does not make fire shows
in u when it arrived, another that fires when its message is back on the host.
"""

from __future__ import annotations

import numpy as np

from ...errors import BackendError
from ...network import Conv, CubaLIF, Dense, Network, Population, Projection, Source
from .board import Board
from .schedule import Lag, Schedule

SENT_AT = 3
STEPS = 32
"""Longer than any lag that could be meant."""

_THRESHOLD, _STRONG, _WEAK = 10, 100, 2
"""Mantissas: a strong synapse makes its neuron fire at each message, a weak one shows in u."""


def measure_lag(convolution: bool, graded: bool) -> Lag:
    """Run two neurons on the chip and see when a message reaches them and comes back.

    Parameters
    ----------
    convolution : bool
        Behind the adapter that is used before convolutions.
    graded : bool
        With payloads.

    Raises
    ------
    BackendError
        If the message is lost.
    """
    network = relay(convolution)
    presented = np.zeros((1, STEPS, 1), np.int32)
    presented[0, SENT_AT] = 2 if graded else 1
    board = Board(network, presented, Schedule(1, STEPS, STEPS, Lag()), ["relay"], ["u"])
    spikes, states = board.run()
    arrived = np.flatnonzero(states["relay"]["u"][0, :, 1])
    returned = np.flatnonzero(spikes["relay"][0, :, 0])
    expected = SENT_AT + network.hops("relay")
    if not len(arrived) or not len(returned) or arrived[0] < expected or returned[0] < arrived[0]:
        raise BackendError(
            f"loihi2: a message presented at step {SENT_AT} to a relay on the chip is lost (it "
            f"arrived at steps {arrived.tolist()[:3]}, came back at {returned.tolist()[:3]}); the "
            f"adapters cannot be trusted. If you know their lags, give input_lag and output_lag"
        )
    return Lag(int(arrived[0] - expected), int(returned[0] - arrived[0]))


def relay(convolution: bool) -> Network:
    """Two neurons behind one input: the first fires at each message, the second never."""
    neuron = CubaLIF(current_decay=4096, voltage_decay=4096, threshold=_THRESHOLD)
    weight = np.array([[_STRONG], [_WEAK]], np.int32)
    shapes = ((1, 1, 1), (2, 1, 1)) if convolution else ((1,), (2,))
    synapse = Conv(weight.reshape(2, 1, 1, 1)) if convolution else Dense(weight)
    return Network(
        (Population("input", shapes[0], Source()), Population("relay", shapes[1], neuron)),
        (Projection("input", "relay", synapse),),
    )
