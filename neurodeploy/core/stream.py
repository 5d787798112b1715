"""Runs a network in the core one time step at a time, for ever; a step is one call."""

from __future__ import annotations

from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from ..network import Network
from .library import library, raise_error
from .network import core_network


class CoreStream:
    """A network that is running.

    Parameters
    ----------
    network : Network
    gated : bool
        A message reaches the populations behind within the step; see `engine.stream.stream`.

    Attributes
    ----------
    messages : int32 [populations]
        Messages that left each population in the last step, in the order of the network.
    """

    def __init__(self, network: Network, gated: bool = False) -> None:
        self._packed = core_network(network, gated=gated)  # kept alive: the stream runs in it
        self._core = library()
        ends = (self._packed.names.index(p.name) for p in (network.input, network.output))
        handle = self._core.nd_stream_new(self._packed.handle, *ends, gated)
        if not handle:
            raise_error("stream")
        self._handle = handle
        self._finalizer = finalize(self, self._core.nd_stream_free, handle)
        self._values = np.zeros(network.input.shape, np.int32)
        self._out = np.zeros(network.output.shape, np.int32)
        self._counts = np.zeros(len(self._packed.names), np.int32)
        self._order = [self._packed.names.index(p.name) for p in network.populations]
        # The buffers stay where they are, so that a step passes numbers only.
        self._pointers = tuple(a.ctypes.data for a in (self._values, self._out, self._counts))

    @property
    def messages(self) -> NDArray[np.int32]:
        """See the class."""
        return self._counts[self._order]

    def step(self, values: NDArray[np.int32]) -> NDArray[np.int32]:
        """Present one step of values of the input's shape; what the output sends, of its shape."""
        self._values[...] = values
        if self._core.nd_stream_step(self._handle, *self._pointers) < 0:
            raise_error("stream")
        return self._out.copy()

    def reset(self) -> None:
        """Start again from zero state."""
        if self._core.nd_stream_begin(self._handle) < 0:
            raise_error("stream")
