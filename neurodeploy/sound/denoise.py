"""The N-DNS baseline as a stream: sound in, cleaner sound out, integers in between."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backends import run
from ..engine.stream import Stream, stream
from ..errors import InputError
from ..network import Network
from ..signals.audio import to_pcm16
from ..signals.coding.ndns import HOP, N_FFT, RATE, NdnsDecoder, NdnsEncoder
from .latency import Latency
from .meter import Meter

WAIT = 1
"""Steps that the sound waits for its mask by default.

The chip takes a step for each of the network's three projections; the network was trained with two
of them in its layers (``delay_shift``), so that a mask meets the frame that it met in training
when the sound waits for one. The challenge's own Lava notebook delays by 1, too.
"""

FADE = np.float32(0.5)
"""A lost block sounds like the one before it, softer by this factor for each in a row."""

HOP_SECONDS = HOP / RATE


class Denoiser:
    """Enhances a stream of sound in blocks of any size; states carry on for ever.

    Parameters
    ----------
    network : Network
        257 values in and out, as Intel's N-DNS baseline.
    wait : int
        Steps for which the sound is held back for its mask; see `WAIT`. 0 saves
        8 ms.
    fixed : bool
        Whether spectra, magnitudes, masks and overlap-add are integers, too; else
        they are doubles, as in the challenge, and only the network is exact
        on every machine.

    Attributes
    ----------
    lag : int
        Samples by which what comes out is behind what went in.
    meter : Meter
    latency : Latency

    Raises
    ------
    InputError
        If the network has other inputs or outputs.
    """

    def __init__(self, network: Network, wait: int = WAIT, fixed: bool = False) -> None:
        _check_network(network)
        self.fixed = fixed
        self._encoder, self._decoder = NdnsEncoder(fixed=fixed), NdnsDecoder(wait, fixed)
        self._stream: Stream = stream(network, apply_transform=False, count=True)
        self.lag = N_FFT - HOP + wait * HOP
        self.latency = Latency(1e3 * N_FFT / RATE, 0.0, 1e3 * wait * HOP_SECONDS, 0.0)
        self.meter = Meter(network, HOP_SECONDS, self.latency)
        self.reset()
        # Compiles, so that the first block is as quick as any.
        self.push(np.random.default_rng(0).uniform(-0.1, 0.1, 8 * HOP))
        self.reset()

    def reset(self) -> None:
        """Begin again: states zero, nothing counted."""
        self._stream.reset()
        self._encoder.reset()
        self._decoder.reset()
        self._held = np.zeros(0, np.float32)
        self._last = np.zeros(HOP, np.float32)
        self.meter.reset()

    def push(self, samples: NDArray[Any]) -> NDArray[np.float32]:
        """Take in a block of float sound in -1..1 at 16 kHz; give what is ready.

        A hop with NaN or infinite samples counts as lost and is concealed;
        what is beyond full scale is cut off and counted.
        """
        held = np.concatenate([self._held, np.asarray(samples, np.float32).ravel()])
        whole = len(held) // HOP * HOP
        self._held = held[whole:].copy()
        made = [self._hop(hop) for hop in held[:whole].reshape(-1, HOP)]
        return np.concatenate([*made, np.zeros(0, np.float32)])

    def drop(self, samples: int) -> NDArray[np.float32]:
        """Say that so many samples were lost; they are concealed and counted."""
        return self.push(np.full(samples, np.nan, np.float32))

    def finish(self) -> NDArray[np.float32]:
        """Give what is still on its way, by letting silence follow."""
        silence = (-len(self._held)) % HOP + -(-self.lag // HOP) * HOP
        return self.push(np.zeros(silence, np.float32))

    def _hop(self, hop: NDArray[np.float32]) -> NDArray[np.float32]:
        began, busy = time.perf_counter(), time.thread_time()
        hop = self._sound(hop)
        spectrum = self._encoder.spectra(to_pcm16(hop) if self.fixed else hop)
        out = self._stream.step(self._encoder.of_spectra(spectrum)[0])
        sound = _to_float(self._decoder.step(spectrum[0], out), self.fixed)
        self.meter.block(
            time.perf_counter() - began,
            time.thread_time() - busy,
            self._stream.messages,
            self._stream.synops,
        )
        return sound

    def _sound(self, hop: NDArray[np.float32]) -> NDArray[np.float32]:
        """Conceal a lost hop, and cut off what is beyond full scale."""
        if not np.isfinite(hop).all():
            self.meter.dropped += 1
            self._last = self._last * FADE
            return self._last
        beyond = int(np.count_nonzero(np.abs(hop) > 1))
        if beyond:
            self.meter.clipped += beyond
            hop = np.clip(hop, np.float32(-1), np.float32(1))
        self._last = hop
        return hop


def enhance_whole(
    network: Network,
    samples: NDArray[Any],
    wait: int = WAIT,
    fixed: bool = False,
    backend: str = "engine",
    **options: Any,
) -> NDArray[np.float32]:
    """Enhance sound in one run of the whole, on any backend: what `Denoiser` must equal.

    Parameters
    ----------
    network, wait, fixed
        As `Denoiser`.
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
    _check_network(network)
    samples = np.asarray(samples, np.float32)
    lag = N_FFT - HOP + wait * HOP
    padded = np.concatenate([samples, np.zeros((-len(samples)) % HOP + lag, np.float32)])
    encoder, decoder = NdnsEncoder(fixed=fixed), NdnsDecoder(wait, fixed)
    spectra = encoder.spectra(to_pcm16(padded) if fixed else padded)
    inputs = encoder.of_spectra(spectra)
    output = run(network, inputs, backend=backend, apply_transform=False, **options).output[0]
    made = [decoder.step(x, o) for x, o in zip(spectra, output, strict=True)]
    return _to_float(np.concatenate(made), fixed)[lag : lag + len(samples)]


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


def _to_float(sound: NDArray[Any], fixed: bool) -> NDArray[np.float32]:
    return (sound / (1 << 15) if fixed else sound).astype(np.float32)


def _check_network(network: Network) -> None:
    for end, population in (("input", network.input), ("output", network.output)):
        if population.size != N_FFT // 2 + 1:
            raise InputError(
                f"population {population.name!r}: {end} of {population.size} values; enhancement "
                f"needs a network with {N_FFT // 2 + 1} values at both ends (N-DNS baseline)"
            )
