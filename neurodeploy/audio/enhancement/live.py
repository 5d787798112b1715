"""Sound as it comes: a raw pipe or a microphone through the denoiser, with a meter."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BackendError, InputError, how_to_add
from ..files import FULL_SCALE, read_pcm
from .denoise import Denoiser
from .fronts import RATE
from .meter import Reading

QUEUED_SAMPLES = RATE // 2
"""Of a microphone, that may wait; what comes after is lost, and concealed."""


def listen(
    denoiser: Denoiser,
    blocks: Iterator[NDArray[Any] | None],
    play: Callable[[NDArray[np.float32]], None] | None = None,
    show: Callable[[Reading], None] | None = None,
    every_seconds: float = 1.0,
    limit_seconds: float | None = None,
) -> Reading:
    """Run blocks through a denoiser until they end.

    Parameters
    ----------
    denoiser : Denoiser
    blocks : iterator of float [samples] or None
        None stands for a hop that was lost.
    play : callable, optional
        Takes the enhanced sound; it is behind by `Denoiser.lag` samples.
    show : callable, optional
        Takes a reading, every so many seconds of the clock.
    every_seconds : float
    limit_seconds : float, optional
        Seconds of sound after which to stop.

    Returns
    -------
    Reading
        Of the whole.

    Raises
    ------
    InputError
        If there was no sound at all.
    """
    shown, given, taken, lost = time.monotonic(), 0, 0, denoiser.front.hop
    left = None if limit_seconds is None else round(limit_seconds * RATE)
    for block in blocks:
        if block is not None and left is not None:
            block = block[: left - taken]
        made = denoiser.drop(lost) if block is None else denoiser.push(block)
        taken += lost if block is None else len(block)
        given += len(made)
        if play is not None and len(made):
            play(made)
        if show is not None and time.monotonic() - shown >= every_seconds:
            show(denoiser.meter.read())
            shown = time.monotonic()
        if left is not None and taken >= left:
            break
    if not taken:
        raise InputError("listen: 0 samples came; send raw sound, see neurodeploy listen --help")
    rest = denoiser.finish()[: taken + denoiser.lag - given]
    if play is not None:
        play(rest)
    return denoiser.meter.read()


def pipe_blocks(
    pipe: IO[bytes],
    hop: int,
    kind: str = "s16",
    rate: int = RATE,
    channels: int = 1,
    channel: int | str | None = None,
) -> Iterator[NDArray[Any]]:
    """Give hops of so many samples of raw sound; see `audio.files.read_pcm`.

    Raises
    ------
    InputError
        If the rate is not the network's.
    """
    if rate != RATE:
        raise InputError(
            f"raw sound: sampled at {rate} Hz, the network listens at {RATE} Hz; resample before "
            f"(sox, ffmpeg -ar {RATE}), or use neurodeploy enhance on a file"
        )
    yield from read_pcm(pipe, hop, kind, channels, channel)


def microphone_blocks(hop: int, device: int | str | None = None) -> Iterator[NDArray[Any] | None]:
    """Give hops of so many samples from a microphone, None for each that was lost.

    Raises
    ------
    BackendError
        If this machine has no ``sounddevice`` or no microphone.
    """
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: no PortAudio
        raise BackendError(
            f"microphone: sounddevice cannot be used ({error}); {how_to_add('audio')}, "
            f"or pipe raw sound in: arecord -f S16_LE -r {RATE} | neurodeploy listen NET"
        ) from error
    waiting: Queue[NDArray[Any] | None] = Queue(-(-QUEUED_SAMPLES // hop))
    lost = [0]

    def take(sound: NDArray[Any], frames: int, when: Any, status: Any) -> None:
        lost[0] += bool(status.input_overflow)
        try:
            waiting.put_nowait(sound[:, 0].copy())
        except Full:
            lost[0] += 1

    try:
        with sounddevice.InputStream(
            samplerate=RATE, blocksize=hop, channels=1, dtype="float32", device=device,
            callback=take,
        ):  # fmt: skip
            while True:
                while lost[0]:
                    lost[0] -= 1
                    yield None
                with suppress(Empty):
                    yield waiting.get(timeout=0.1)
    except sounddevice.PortAudioError as error:
        raise BackendError(
            f"microphone {device if device is not None else 'by default'}: {error}; choose another "
            f"with --device, or pipe raw sound in"
        ) from error


def to_bytes(sound: NDArray[np.float32], kind: str = "s16") -> bytes:
    """Give raw little-endian samples, ``s16`` (clipped) or ``f32``."""
    if kind == "f32":
        return bytes(sound.astype("<f4").tobytes())
    whole = np.clip(np.rint(sound * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1)
    return bytes(whole.astype("<i2").tobytes())
