"""A sound file through the denoiser into another, block by block."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from ..files import AudioReader, write_audio
from .denoise import Denoiser, in_time
from .fronts import RATE
from .meter import Reading

BLOCK = 1 << 12
"""Samples read at a time."""


@dataclass(frozen=True)
class Enhanced:
    """What came of a file.

    Attributes
    ----------
    samples : int
        Written, at 16 kHz.
    source_rate : int
        Hz of the file that was read.
    bad : int
        Samples that were NaN or infinite and read as 0.
    clipped : int
        Samples at the end of the 16-bit scale or beyond.
    reading : Reading
    """

    samples: int
    source_rate: int
    bad: int
    clipped: int
    reading: Reading

    def as_dict(self) -> dict[str, Any]:
        """Give plain values, as JSON has them."""
        return {**vars(self), "reading": self.reading.as_dict()}


def enhance_file(
    denoiser: Denoiser,
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    channel: int | str | None = None,
    block: int = BLOCK,
    subtype: str | None = None,
) -> Enhanced:
    """Enhance a sound file; the result is in time with it, and as long.

    Parameters
    ----------
    denoiser : Denoiser
        Begins again with the file.
    source, target : path
        ``.wav``, ``.flac`` or ``.ogg``; the target is mono at 16 kHz.
    channel : int or "mix", optional
        See `AudioReader`.
    block : int
        Samples at a time; makes no difference to the result.
    subtype : str, optional
        See `audio.files.write_audio`.

    Returns
    -------
    Enhanced

    Raises
    ------
    InputError
        As `AudioReader`; nothing is written then.
    """
    denoiser.reset()
    written = 0
    with AudioReader(source, RATE, channel) as reader:
        with write_audio(target, RATE, subtype) as write:
            for made in in_time(denoiser, reader.blocks(block)):
                write(made)
                written += len(made)
        return Enhanced(
            written, reader.source_rate, reader.bad, reader.clipped, denoiser.meter.read()
        )
