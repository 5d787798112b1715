"""Sound in, cleaner sound out, integers in between: a network as a stream."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...backends import run
from ...engine.stream import Stream, stream
from ...network import Network
from .fronts import RATE, Front, NdnsFront
from .meter import Meter

FADE = np.float32(0.5)
"""A lost block sounds like the one before it, softer by this factor for each in a row."""


class Denoiser:
    """Enhances a stream of sound in blocks of any size; states carry on for ever.

    Parameters
    ----------
    network : Network
    front : Front, optional
        The host's part; by default that of Intel's N-DNS baseline.
    gated : bool
        As `neurodeploy.stream`; a hop takes a chip step for each population then.

    Attributes
    ----------
    front : Front
    lag : int
        Samples by which what comes out is behind what went in.
    meter : Meter
    latency : Latency

    Raises
    ------
    InputError
        If the front needs a network with other inputs or outputs.
    """

    def __init__(self, network: Network, front: Front | None = None, gated: bool = False) -> None:
        self.front = NdnsFront() if front is None else front
        self.front.check(network)
        self._stream: Stream = stream(network, apply_transform=False, count=True, gated=gated)
        self.lag, self.latency = self.front.lag, self.front.latency
        steps = network.hops(network.output.name) + 1 if gated else 1
        self.meter = Meter(network, self.front.hop / RATE, self.latency, chip_steps=steps)
        self.reset()

    def reset(self) -> None:
        """Begin again: states zero, nothing counted."""
        self._stream.reset()
        self.front.reset()
        self._held = np.zeros(0, np.float32)
        self._last = np.zeros(self.front.hop, np.float32)
        self.meter.reset()

    def push(self, samples: NDArray[Any]) -> NDArray[np.float32]:
        """Take in a block of float sound in -1..1 at 16 kHz; give what is ready.

        A hop with NaN or infinite samples counts as lost and is concealed;
        what is beyond full scale is cut off and counted.
        """
        hop = self.front.hop
        held = np.concatenate([self._held, np.asarray(samples, np.float32).ravel()])
        whole = len(held) // hop * hop
        self._held = held[whole:].copy()
        made = [self._hop(part) for part in held[:whole].reshape(-1, hop)]
        return np.concatenate([*made, np.zeros(0, np.float32)])

    def drop(self, samples: int) -> NDArray[np.float32]:
        """Say that so many samples were lost; they are concealed and counted."""
        return self.push(np.full(samples, np.nan, np.float32))

    def finish(self) -> NDArray[np.float32]:
        """Give what is still on its way, by letting silence follow."""
        hop = self.front.hop
        silence = (-len(self._held)) % hop + -(-self.lag // hop) * hop
        return self.push(np.zeros(silence, np.float32))

    def _hop(self, hop: NDArray[np.float32]) -> NDArray[np.float32]:
        began, busy = time.perf_counter(), time.thread_time()
        inputs = self.front.inputs(self._sound(hop))
        sound = self.front.sound(self._stream.step(inputs))
        self.meter.block(
            time.perf_counter() - began,
            time.thread_time() - busy,
            self._stream.messages,
            self._stream.synops,
        )
        return sound

    def _sound(self, hop: NDArray[np.float32]) -> NDArray[np.float32]:
        """Conceal a lost hop, and cut off what is beyond full scale."""
        peak = np.abs(hop).max()  # NaN if any is
        if not peak < np.inf:
            self.meter.dropped += 1
            self._last = self._last * FADE
            return self._last
        if peak > 1:
            self.meter.clipped += int(np.count_nonzero(np.abs(hop) > 1))
            hop = np.clip(hop, np.float32(-1), np.float32(1))
        self._last = hop
        return hop


def enhance_whole(
    network: Network,
    samples: NDArray[Any],
    front: Front | None = None,
    backend: str = "engine",
    **options: Any,
) -> NDArray[np.float32]:
    """Enhance sound in one run of the whole, on any backend: what `Denoiser` must equal.

    Parameters
    ----------
    network, front
        As `Denoiser`, not gated.
    samples : float [samples]
        Finite, in -1..1, at 16 kHz.
    backend : str
        As `neurodeploy.run`.
    **options
        As `neurodeploy.run`.

    Returns
    -------
    float32 [samples]
        In time with what went in.
    """
    front = NdnsFront() if front is None else front
    front.check(network)
    samples = np.asarray(samples, np.float32)
    silence = np.zeros((-len(samples)) % front.hop + -(-front.lag // front.hop) * front.hop)
    inputs = front.encode(np.concatenate([samples, silence.astype(np.float32)]))
    output = run(network, inputs, backend=backend, apply_transform=False, **options).output[0]
    made = np.concatenate([front.sound(o) for o in output])
    return made[front.lag : front.lag + len(samples)]


def in_time(denoiser: Denoiser, blocks: Iterator[NDArray[Any]]) -> Iterator[NDArray[np.float32]]:
    """Give enhanced sound in time with what went in and as long, when all of it is at hand."""
    skip, taken, given = denoiser.lag, 0, 0
    for block in blocks:
        taken += len(block)
        made = denoiser.push(block)
        cut = min(skip, len(made))
        skip -= cut
        given += len(made) - cut
        yield made[cut:]
    made = denoiser.finish()
    yield made[skip : skip + taken - given]
