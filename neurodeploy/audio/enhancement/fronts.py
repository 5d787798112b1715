"""What the host does between sound and network: frames to inputs, outputs to frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...network import Network
from ..encoders import ndns
from ..encoders.ndns import NdnsDecoder, NdnsEncoder
from ..files import to_pcm16
from .latency import Latency

RATE = ndns.RATE
"""Hz of all sound here."""


class Front(ABC):
    """A host's part of a network that enhances sound, one network step per hop.

    Attributes
    ----------
    window, hop : int
        Samples of a frame, and from one to the next.
    width : int
        Inputs and outputs of the network.
    wait : int
        Steps for which the sound is held back for its mask.
    """

    window: int
    hop: int
    width: int
    wait: int

    @property
    def lag(self) -> int:
        """Samples by which what comes out is behind what went in."""
        return self.window - self.hop + self.wait * self.hop

    @property
    def latency(self) -> Latency:
        """Algorithmic latency: the window, and the steps for which sound is held back."""
        return Latency(1e3 * self.window / RATE, 0.0, 1e3 * self.wait * self.hop / RATE, 0.0)

    def check(self, network: Network) -> None:
        """Refuse a network with other inputs or outputs.

        Raises
        ------
        InputError
        """
        for end, population in (("input", network.input), ("output", network.output)):
            if population.size != self.width:
                raise InputError(
                    f"population {population.name!r}: {end} of {population.size} values; "
                    f"enhancement needs a network with {self.width} values at both ends "
                    f"({self.needs})"
                )

    @property
    @abstractmethod
    def needs(self) -> str:
        """Which networks these are."""

    @abstractmethod
    def reset(self) -> None:
        """Begin again after silence."""

    @abstractmethod
    def inputs(self, sound: NDArray[np.float32]) -> NDArray[np.int64]:
        """Take a hop of sound; give the network's inputs [width] of one step."""

    def encode(self, samples: NDArray[np.float32]) -> NDArray[np.int64]:
        """Begin again; give the network's inputs [hops, width] of all whole hops of sound."""
        self.reset()
        hops = samples[: len(samples) // self.hop * self.hop].reshape(-1, self.hop)
        return np.stack([self.inputs(hop) for hop in hops])

    @abstractmethod
    def sound(self, output: NDArray[np.int32]) -> NDArray[np.float32]:
        """Take what the network sent in that step; give a hop of sound, `lag` samples old."""


WAIT = 1
"""Steps that the sound waits for its mask by default, before Intel's N-DNS networks.

The chip takes a step for each of the network's three projections; the network was trained with two
of them in its layers (``delay_shift``), so that a mask meets the frame that it met in training
when the sound waits for one. The challenge's own Lava notebook delays by 1, too.
"""


class NdnsFront(Front):
    """Spectra and masks of Intel's N-DNS baseline, see `audio.encoders.ndns`.

    Parameters
    ----------
    wait : int
        See `WAIT`. 0 saves 8 ms.
    fixed : bool
        Whether spectra, magnitudes, masks and overlap-add are integers, too; else they are
        doubles, as in the challenge, and only the network is exact on every machine.
    """

    needs = "N-DNS baseline; other networks want their codec, see --codec"

    def __init__(self, wait: int = WAIT, fixed: bool = False) -> None:
        self.window, self.hop, self.width = ndns.N_FFT, ndns.HOP, ndns.N_FFT // 2 + 1
        self.wait, self.fixed = wait, fixed
        self._encoder, self._decoder = NdnsEncoder(fixed=fixed), NdnsDecoder(wait, fixed)
        self._spectra: deque[NDArray[Any]] = deque()

    def reset(self) -> None:
        """See `Front.reset`."""
        self._encoder.reset()
        self._decoder.reset()
        self._spectra.clear()

    def inputs(self, sound: NDArray[np.float32]) -> NDArray[np.int64]:
        """See `Front.inputs`."""
        spectrum = self._encoder.spectra(to_pcm16(sound) if self.fixed else sound)
        self._spectra.append(spectrum[0])
        found: NDArray[np.int64] = self._encoder.of_spectra(spectrum)[0]
        return found

    def sound(self, output: NDArray[np.int32]) -> NDArray[np.float32]:
        """See `Front.sound`."""
        made = self._decoder.step(self._spectra.popleft(), output)
        return (made / (1 << 15) if self.fixed else made).astype(np.float32)
