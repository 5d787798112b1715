"""A learned codec with a mask: the host's part of a network such as DPSNN."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.sound import Mask
from ...errors import InputError
from ...files import damaged, written_whole
from ...network import Network
from ...numpy_files import read_archive, write_archive
from ..encoders.codec import ConvDecoder, ConvEncoder
from .denoise import Denoiser
from .fronts import Front

LARGEST_COEFFICIENT = 1e6
"""Filters of sound in -1..1 are far below; beyond, sums leave float32."""


@dataclass(frozen=True, eq=False)
class MaskCodec:
    r"""Filters learned for both directions, and how a network between them is to be fed and read.

    .. math::
        w &= \max(E x + b, 0) \\
        q &= rint(clip(g\,(w - \bar w) / \sqrt{var(w) + \epsilon})) \\
        y &= D^T\,(w / (1 + e^{-(o / m + c)}))

    x is a frame of sound, q goes into the network, o is what comes out of it in the same
    step, y is overlapped and added.

    Attributes
    ----------
    encoder : float64 [channels, window]
        E; its coefficients and all others are at most 1e6.
    bias : float64 [channels]
        b.
    decoder : float64 [channels, window]
        D.
    mask_bias : float64 [channels]
        c.
    mask_unit : float
        m > 0: how much of the output is 1.
    gain : int
        g >= 1: q is in 1/g standard deviations.
    largest : int
        Magnitude to which q is clipped.
    epsilon : float
        > 0, added to the variance, which silence has not.
    hop : int
        Samples from frame to frame.
    """

    encoder: NDArray[np.float64]
    bias: NDArray[np.float64]
    decoder: NDArray[np.float64]
    mask_bias: NDArray[np.float64]
    mask_unit: float
    gain: int
    largest: int
    epsilon: float
    hop: int

    def __post_init__(self) -> None:
        for name in ("encoder", "bias", "decoder", "mask_bias"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), np.float64))
            most = np.abs(getattr(self, name)).max(initial=0)
            if not most <= LARGEST_COEFFICIENT:
                raise InputError(
                    f"codec: {name} holds {most:g}, the limit is {LARGEST_COEFFICIENT:g}"
                )
        if self.encoder.ndim != 2 or 0 in self.encoder.shape:
            raise InputError(
                f"codec: encoder has shape {self.encoder.shape}; give [channels, window]"
            )
        channels, window = self.encoder.shape
        shapes = {"decoder": (channels, window), "bias": (channels,), "mask_bias": (channels,)}
        for name, shape in shapes.items():
            found = getattr(self, name).shape
            if found != shape:
                raise InputError(f"codec: {name} has shape {found}, its encoder needs {shape}")
        for name in ("mask_unit", "epsilon", "gain", "largest", "hop"):
            value = getattr(self, name)
            whole = name in ("gain", "largest", "hop")
            kinds: Any = (int, np.integer) if whole else (int, float, np.number)
            if not isinstance(value, kinds) or not 0 < value < np.inf:
                kind = "whole number" if whole else "number"
                raise InputError(f"codec: {name} is {str(value)[:40]!r}; give one {kind} above 0")
        if self.hop > window:
            raise InputError(f"codec: hop is {self.hop}; give 1..{window}, the samples of a frame")

    @property
    def channels(self) -> int:
        """Inputs and outputs of the network."""
        return len(self.encoder)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an .npz file, whole or not at all."""
        with written_whole(path) as beside, open(beside, "wb") as file:
            write_archive(file, vars(self), packed=True)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> MaskCodec:
        """Read what `save` wrote.

        Raises
        ------
        InputError
            If the file is not such a one.
        """
        names, cure = [field.name for field in fields(cls)], "give a codec's .npz"
        held = read_archive(Path(path), names, InputError, cure)
        for name in names:
            if name not in held:
                raise InputError(f"codec {path}: no {name!r} in it; {cure}")
            found = held[name]
            if found.dtype.kind not in "iuf" or not np.isfinite(found).all():
                raise InputError(
                    f"codec {path}: {name} is {found.dtype} {found.shape} or holds NaN; give "
                    f"finite numbers"
                )
        numbers: dict[str, Any] = {k: v if v.ndim else v.item() for k, v in held.items()}
        with damaged(f"codec {path}", InputError, cure):
            return cls(**numbers)


class MaskFront(Front):
    """A `MaskCodec` at work.

    Parameters
    ----------
    codec : MaskCodec
    wait : int
        Steps by which the network's output is late: 0 if it runs gated.
    """

    needs = "the network that its codec was trained with"

    def __init__(self, codec: MaskCodec, wait: int = 0) -> None:
        if wait < 0:
            raise InputError(f"codec: the sound waits {wait} steps; give 0 or more")
        self.codec, self.wait = codec, wait
        self.window, self.hop, self.width = codec.encoder.shape[1], codec.hop, codec.channels
        self._encoder = ConvEncoder(codec.encoder, codec.hop, codec.bias)
        self._decoder = ConvDecoder(codec.decoder, codec.hop)
        self._mask = Mask(
            codec.gain, codec.largest, codec.epsilon, codec.mask_unit, codec.mask_bias
        )
        self.reset()

    def reset(self) -> None:
        """See `Front.reset`."""
        self._encoder.reset()
        self._decoder.reset()
        self._waiting = deque(np.zeros(self.width) for _ in range(self.wait))

    def inputs(self, sound: NDArray[np.float32]) -> NDArray[np.int64]:
        """See `Front.inputs`."""
        frame = self._encoder.push(sound)[0]
        self._waiting.append(frame)
        return self._mask.normalised(frame)

    def sound(self, output: NDArray[np.int32]) -> NDArray[np.float32]:
        """See `Front.sound`."""
        masked = self._mask.masked(self._waiting.popleft(), output)
        return self._decoder.push(masked[None]).astype(np.float32)


def separator(network: Network, codec: MaskCodec, gated: bool = True) -> Denoiser:
    """A stream of sound through codec and network; states carry on for ever.

    Parameters
    ----------
    network : Network
    codec : MaskCodec
    gated : bool
        Several chip steps a hop, so that nothing waits, see `neurodeploy.stream`. Otherwise
        one chip step a hop, and the sound waits as many hops as the output lags.

    Returns
    -------
    Denoiser
    """
    wait = 0 if gated else network.hops(network.output.name)
    return Denoiser(network, MaskFront(codec, wait), gated)
