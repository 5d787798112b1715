"""What the engine asks of a synapse operator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...network import Population, Synapse
from ..events import EventBuffer


class Delivery(ABC):
    """A projection's weights, packed; adds what they deliver to the target's current.

    Parameters
    ----------
    synapse : Synapse
    source, target : Population

    Attributes
    ----------
    may_wrap : bool
        Whether the sum of this projection wraps to 24 bits and could reach that.
    """

    may_wrap = False

    def __init__(self, synapse: Synapse, source: Population, target: Population) -> None:
        self.lag = synapse.steps

    @abstractmethod
    def deliver(self, events: EventBuffer, t0: int, t1: int, current: NDArray[np.int32]) -> None:
        """Add to `current` [samples, t1 - t0, ports x neurons] what arrives in steps t0..t1.

        What the source sent at step t arrives at t + `lag`.
        """


def narrowest(weight: NDArray[Any]) -> NDArray[Any]:
    """Copy to the narrowest of int8, int16 and int32 that holds the weights."""
    largest = int(np.abs(weight.astype(np.int64)).max(initial=0))
    kind = np.int8 if largest < 1 << 7 else np.int16 if largest < 1 << 15 else np.int32
    return np.ascontiguousarray(weight, dtype=kind)
