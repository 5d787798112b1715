"""Sound files and raw pipes, block by block: an hour takes no more memory than a second."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, how_to_add
from ..files import written_whole

Samples: TypeAlias = NDArray[np.float32]

SUFFIXES = (".wav", ".flac", ".ogg")
FULL_SCALE = 1 << 15
"""Integer forms count sound in 1/2^15 of full scale, as 16-bit files hold it."""

CLIPPED = (FULL_SCALE - 1) / FULL_SCALE
"""Samples from here on are at the end of the 16-bit scale."""

_CHUNK = 4096
"""Frames read at a time, whatever blocks are asked for, so that resampling never depends on them.
"""

_PCM: dict[str, Any] = {"s16": np.dtype("<i2"), "f32": np.dtype("<f4")}
_UNKNOWN_SIZE = (0, 0xFFFFFFFF)


class AudioReader:
    """A sound file that is read as one channel of float32 at one rate.

    Parameters
    ----------
    path : path
        Whatever libsndfile reads: ``.wav``, ``.flac``, ``.ogg``.
    rate : int, optional
        Hz to resample to (needs ``soxr``, extra ``audio``); by default the file's own.
    channel : int or "mix", optional
        Which channel, from 0, or the mean of all. Needed where there are several.

    Attributes
    ----------
    rate, source_rate : int
        Hz of what is read and of the file.
    frames : int
        Of the file.
    bad : int
        Samples so far that were NaN or infinite; they are read as 0.
    clipped : int
        Samples so far at the end of the 16-bit scale or beyond.

    Raises
    ------
    InputError
        If the file is missing, no sound, cut short or empty, has several
        channels and none was chosen, or another rate and soxr is not installed.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        rate: int | None = None,
        channel: int | str | None = None,
    ) -> None:
        import soundfile

        self.path = Path(path)
        if not self.path.is_file():
            raise InputError(f"{self.path}: no such file; give a sound file (.wav, .flac, .ogg)")
        _check_whole(self.path)
        try:
            self._file = soundfile.SoundFile(self.path)
        except soundfile.LibsndfileError as error:
            raise InputError(
                f"{self.path}: not a sound file, or damaged ({error}); give .wav, .flac or .ogg"
            ) from error
        self.source_rate, self.frames = self._file.samplerate, self._file.frames
        self.rate = rate or self.source_rate
        self.bad = self.clipped = 0
        try:
            if not self.frames:
                raise InputError(f"{self.path}: 0 samples; give a file with some sound")
            self._pick = channel_picker(self._file.channels, channel, str(self.path))
            self._resample = _resampler(self.source_rate, self.rate, str(self.path))
        except InputError:
            self._file.close()
            raise

    def __enter__(self) -> AudioReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def blocks(self, size: int) -> Iterator[Samples]:
        """Give the sound in blocks of `size` samples; the last may be shorter.

        Raises
        ------
        InputError
            If the file breaks off or is damaged.
        """
        held = np.zeros(0, np.float32)
        for chunk in self._chunks():
            held = np.concatenate([held, chunk])
            whole = len(held) // size * size
            for first in range(0, whole, size):
                yield held[first : first + size]
            held = held[whole:]
        if len(held):
            yield held

    def read(self) -> Samples:
        """Read all that is left."""
        return np.concatenate([*self._chunks(), np.zeros(0, np.float32)])

    def _chunks(self) -> Iterator[Samples]:
        import soundfile

        done = 0
        while done < self.frames:
            try:
                raw = self._file.read(min(_CHUNK, self.frames - done), "float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                raise InputError(
                    f"{self.path}: damaged after {done} of {self.frames} samples ({error}); give "
                    f"a whole file"
                ) from error
            if not len(raw):
                raise InputError(
                    f"{self.path}: ends after {done} of {self.frames} samples; give a whole file"
                )
            done += len(raw)
            mono, bad = mended(self._pick(raw))
            self.bad += bad
            self.clipped += int(np.count_nonzero(np.abs(mono) >= CLIPPED))
            made = self._resample(mono, done == self.frames)
            if len(made):
                yield made


def read_audio(
    path: str | os.PathLike[str], rate: int | None = None, channel: int | str | None = None
) -> tuple[Samples, int]:
    """Read a whole sound file; parameters and errors as `AudioReader`.

    Returns
    -------
    samples : float32 [samples]
    rate : int
        Hz.
    """
    with AudioReader(path, rate, channel) as reader:
        return reader.read(), reader.rate


@contextmanager
def write_audio(
    path: str | os.PathLike[str], rate: int, subtype: str | None = None
) -> Iterator[Callable[[NDArray[Any]], None]]:
    """Open a sound file to write mono blocks to; it appears whole or not at all.

    Parameters
    ----------
    path : path
        ``.wav``, ``.flac`` or ``.ogg``.
    rate : int
        Hz.
    subtype : str, optional
        libsndfile's name of the sample format, e.g. ``FLOAT``; by default 16 bits, Vorbis in ogg.

    Yields
    ------
    callable
        Takes float samples in -1..1; what is beyond is clipped, not wrapped, in integer formats.

    Raises
    ------
    InputError
        If the format cannot be written.
    """
    import soundfile

    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: cannot write {suffix or 'no suffix'}; use {', '.join(SUFFIXES)}")
    with written_whole(path) as temporary:
        try:
            file = soundfile.SoundFile(
                temporary, "w", rate, 1, format=suffix[1:].upper(), subtype=subtype
            )
        except (soundfile.LibsndfileError, ValueError) as error:
            raise InputError(f"{path}: cannot be written ({error}); choose another") from error
        with file:
            yield file.write


def read_pcm(
    pipe: IO[bytes],
    size: int,
    kind: str = "s16",
    channels: int = 1,
    channel: int | str | None = None,
) -> Iterator[Samples]:
    """Give raw samples from a pipe in blocks of `size`, until it ends; the last may be shorter.

    Parameters
    ----------
    pipe : binary file
    size : int
    kind : str
        ``s16`` or ``f32``, little-endian, channels interleaved.
    channels : int
    channel : int or "mix", optional
        As for `AudioReader`.

    Yields
    ------
    float32 [size]
        NaN is left in, so that who plays the sound can conceal it.

    Raises
    ------
    InputError
    """
    if kind not in _PCM:
        raise InputError(f"raw sound {kind!r}: unknown; use one of {', '.join(_PCM)}")
    if channels < 1:
        raise InputError(f"raw sound: {channels} channels; give at least 1")
    pick = channel_picker(channels, channel, "raw sound")
    frame = _PCM[kind].itemsize * channels
    while data := pipe.read(size * frame):
        raw = np.frombuffer(data[: len(data) // frame * frame], _PCM[kind])
        scaled = raw.astype(np.float32) / (FULL_SCALE if kind == "s16" else 1)
        if len(scaled):
            yield pick(scaled.reshape(-1, channels).astype(np.float32))


def to_pcm16(samples: NDArray[Any]) -> NDArray[np.int32]:
    """Round sound in -1..1 to 1/2^15, clipped to 16 bits: what the integer forms take."""
    scaled = np.rint(np.asarray(samples, np.float64) * FULL_SCALE)
    return np.asarray(np.clip(scaled, -FULL_SCALE, FULL_SCALE - 1), np.int32)


def mended(samples: NDArray[Any]) -> tuple[Samples, int]:
    """Put 0 in place of NaN and infinite samples; also how many there were."""
    samples = np.asarray(samples, np.float32)
    finite = np.isfinite(samples)
    bad = samples.size - int(np.count_nonzero(finite))
    return (np.where(finite, samples, np.float32(0)) if bad else samples), bad


def channel_picker(
    channels: int, channel: int | str | None, what: str
) -> Callable[[Samples], Samples]:
    """Choose how [samples, channels] become one channel.

    Raises
    ------
    InputError
    """
    if channel is None and channels > 1:
        raise InputError(
            f"{what}: {channels} channels where one is needed; choose --channel 0..{channels - 1} "
            f"or --channel mix"
        )
    if channel == "mix":
        return lambda frames: frames.mean(axis=1, dtype=np.float32)
    try:
        chosen = int(channel or 0)
    except ValueError:
        chosen = -1
    if not 0 <= chosen < channels:
        raise InputError(
            f"{what}: no channel {channel!r} among {channels}; give 0..{channels - 1} or mix"
        )
    return lambda frames: np.ascontiguousarray(frames[:, chosen])


def _resampler(source: int, target: int, what: str) -> Callable[[Samples, bool], Samples]:
    if source == target:
        return lambda samples, last: samples
    if target < 1:
        raise InputError(f"{what}: rate {target} Hz; give at least 1")
    try:
        import soxr
    except ImportError:
        raise InputError(
            f"{what}: sampled at {source} Hz where {target} Hz are needed; install soxr to resample"
            f" ({how_to_add('audio')})"
        ) from None
    stream = soxr.ResampleStream(source, target, 1, dtype="float32")

    def resample(samples: Samples, last: bool) -> Samples:
        made: Samples = stream.resample_chunk(np.ascontiguousarray(samples), last=last)
        return made

    return resample


def _check_whole(path: Path) -> None:
    """Refuse a RIFF file that is shorter than it says; libsndfile reads what there is, silently."""
    with path.open("rb") as file:
        head = file.read(8)
    if len(head) == 8 and head[:4] == b"RIFF":
        (size,) = struct.unpack("<I", head[4:])
        there = path.stat().st_size
        if size not in _UNKNOWN_SIZE and there < size + 8:
            raise InputError(
                f"{path}: cut short, {there} of {size + 8} bytes are there; give a whole file"
            )
