"""Runs a network in the core one time step at a time, for ever; a step is one call."""

from __future__ import annotations

from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from ..network import Network, Population
from .learning import VARIABLES, pointers
from .library import library, raise_error
from .network import core_network


class CoreStream:
    """A network that is running.

    Parameters
    ----------
    network : Network
    gated : bool
        A message reaches the populations behind within the step; see `engine.stream.stream`.
    count : bool
        Count `synops`.

    Attributes
    ----------
    messages : int32 [populations]
        Messages that left each population in the last step, in the order of the network.
    synops : int
        Synapses that they reach, zero weights not counted; 0 unless counted.
    """

    def __init__(self, network: Network, gated: bool = False, count: bool = False) -> None:
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
        self._synops = np.zeros(1, np.int64)
        self._order = [self._packed.names.index(p.name) for p in network.populations]
        if count:
            for place, population in zip(self._order, network.populations, strict=True):
                self._count(place, _fan_out(network, population))
        # The buffers stay where they are, so that a step passes numbers only.
        bound = self._values, self._out, self._counts, self._synops
        self._pointers = tuple(a.ctypes.data for a in bound)

    def _count(self, place: int, fan_out: NDArray[np.int64]) -> None:
        if self._core.nd_stream_count(self._handle, place, fan_out.ctypes.data) < 0:
            raise_error("stream")

    @property
    def messages(self) -> NDArray[np.int32]:
        """See the class."""
        return self._counts[self._order]

    @property
    def synops(self) -> int:
        """See the class."""
        return int(self._synops[0])

    def step(self, values: NDArray[np.int32]) -> NDArray[np.int32]:
        """Present one step of values of the input's shape; what the output sends, of its shape."""
        self._values[...] = values
        if self._core.nd_stream_step(self._handle, *self._pointers) < 0:
            raise_error("stream")
        return self._out.copy()

    def learned(self, number: int, shape: tuple[int, ...]) -> dict[str, NDArray[np.int16]]:
        """Variables w, d, t of the projection that learns with this number, as they are now."""
        held = {name: np.empty(shape, np.int16) for name in VARIABLES}
        if self._core.nd_stream_learned(self._handle, number, pointers(held)) < 0:
            raise_error("stream")
        return held

    def reset(self) -> None:
        """Start again from zero state."""
        if self._core.nd_stream_begin(self._handle) < 0:
            raise_error("stream")


def _fan_out(network: Network, population: Population) -> NDArray[np.int64]:
    """Synapses that a message of each neuron reaches, flat in (C, H, W) order."""
    total = np.zeros(population.size, np.int64)
    for projection in network.out_of(population.name):
        total += network.fan_out(projection).ravel()
    return total
