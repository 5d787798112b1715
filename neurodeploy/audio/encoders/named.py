"""Encoders by name, as the command line gives them: ``mel:bands=40,log=true+delta:threshold=64``.

Named encoders are the integer forms, so that what they give can be presented to a network.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...files import damaged
from ...numpy_files import read_archive
from ..files import AudioReader, to_pcm16
from .base import Chain, Coder, rounded_shift
from .codec import ConvEncoder
from .filterbanks import Gammatone, Mel
from .ndns import RATE, NdnsEncoder
from .spikes import CumulativeDelta, Delta, Latency, LevelCrossing, OnOff, Rate, SigmaDelta
from .stft import STFT, magnitude, phase

BLOCK = 1 << 14
"""Samples encoded at a time."""


class Magnitude(Coder):
    """Integer magnitudes of `STFT`, with `phases` the phases after them; divided by 2^shift."""

    kind = "stft"

    def __init__(
        self,
        n_fft: int = 512,
        hop: int = 128,
        window: str = "rect",
        phases: bool = False,
        shift: int = 0,
        fixed: bool = True,
    ) -> None:
        self._stft = STFT(n_fft, hop, window, fixed)
        self.fixed, self.phases, self.shift = fixed, phases, shift
        self.ratio, self.delay = self._stft.ratio, self._stft.delay
        self.width = self._stft.bins * (1 + phases)

    def reset(self) -> None:
        """See `Coder.reset`."""
        self._stft.reset()

    def push(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Give [frames, bins], or [frames, 2 x bins]."""
        spectra = self._stft.push(rows)
        size = magnitude(spectra, self.fixed)
        size = rounded_shift(size, self.shift) if self.fixed else size / (1 << self.shift)
        return np.concatenate([size, phase(spectra, self.fixed)], 1) if self.phases else size


def _conv(weights: str, stride: int, shift: int = 0, fixed: bool = True) -> ConvEncoder:
    """Read filters: array ``weight`` [channels, size] and optional ``bias`` of an ``.npz``."""
    cure = "give an .npz with 'weight'"
    found = read_archive(Path(weights), ("weight", "bias"), InputError, cure)
    with damaged(weights, InputError, cure):
        return ConvEncoder(found["weight"], stride, found.get("bias"), shift=shift)


ENCODERS: dict[str, Callable[..., Coder]] = {
    "ndns": NdnsEncoder,
    "stft": Magnitude,
    "mel": Mel,
    "gammatone": Gammatone,
    "conv": _conv,
    "delta": Delta,
    "sigma-delta": SigmaDelta,
    "rate": Rate,
    "latency": Latency,
    "level-crossing": LevelCrossing,
    "cumulative-delta": CumulativeDelta,
    "on-off": OnOff,
}


def parse_encoder(text: str, rate: int) -> Coder:
    """Make encoders from ``name[:option=value,...]``, several joined by ``+``.

    Parameters
    ----------
    text : str
    rate : int
        Hz of the sound, for those that need it.

    Returns
    -------
    Coder

    Raises
    ------
    InputError
        If a name or an option is unknown or missing; it lists those there are.
    """
    made = [_parse_one(part.strip(), rate) for part in text.split("+")]
    return made[0] if len(made) == 1 else Chain(made)


def _parse_one(text: str, rate: int) -> Coder:
    name, _, rest = text.partition(":")
    factory = ENCODERS.get(name)
    if factory is None:
        raise InputError(f"encoder {name!r}: unknown; there are {', '.join(ENCODERS)}")
    known = inspect.signature(factory).parameters
    options: dict[str, Any] = {"fixed": name != "ndns"}
    if "rate" in known:
        options["rate"] = rate
    for item in filter(None, rest.split(",")):
        key, equals, value = item.partition("=")
        if key not in known or not equals:
            raise InputError(
                f"encoder {name!r}: option {item!r} not understood; it takes "
                f"{', '.join(k for k in known if k != 'fixed')}, each as NAME=VALUE"
            )
        options[key] = value if known[key].annotation == "str" else _number(name, item, value)
    missing = [k for k, p in known.items() if p.default is p.empty and k not in options]
    if missing:
        raise InputError(f"encoder {name!r}: needs {missing[0]}; add :{missing[0]}=VALUE")
    return factory(**options)


def _number(name: str, item: str, value: str) -> bool | int | float:
    if value in ("true", "false"):
        return value == "true"
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    raise InputError(f"encoder {name!r}: option {item!r} is no number; give one, true or false")


def encode_file(
    path: str | os.PathLike[str],
    encoder: str,
    rate: int | None = None,
    channel: int | str | None = None,
) -> NDArray[np.int64]:
    """Encode a sound file, block by block, into the inputs of a network.

    Parameters
    ----------
    path : path
    encoder : str
        See `parse_encoder`.
    rate : int, optional
        Hz to resample to; by default the file's, 16000 for ``ndns``.
    channel : int or "mix", optional

    Returns
    -------
    int64 [steps, width]

    Raises
    ------
    InputError
    """
    if rate is None and encoder.partition(":")[0] == "ndns":
        rate = RATE
    with AudioReader(path, rate, channel) as reader:
        coder = parse_encoder(encoder, reader.rate)
        floats = isinstance(coder, NdnsEncoder) and not coder.fixed
        made = [coder.push(b if floats else to_pcm16(b)) for b in reader.blocks(BLOCK)]
    steps = np.concatenate(made)
    if not len(steps):
        raise InputError(
            f"{path}: too short for a single step of encoder {encoder!r}; give a longer file"
        )
    return np.asarray(steps, np.int64)
