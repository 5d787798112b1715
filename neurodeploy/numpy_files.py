"""Reads ``.npy`` and ``.npz`` files that strangers wrote: sizes are checked first."""

from __future__ import annotations

import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError, NeurodeployError
from .files import FOREIGN
from .memory import Need, check_memory

EXPANSION = 1_100
"""Bytes in memory for each one of the file; deflate gains 1,032 of zeros."""

SPARE = 1 << 20

_FORMAT: Any = np.lib.format  # untyped in NumPy

MAX_HEADER = 10_000
"""Bytes of the text in which an array says its type and shape; NumPy's own limit."""

UNREADABLE = (
    *FOREIGN, OSError, EOFError, RuntimeError, SyntaxError, zipfile.BadZipFile, zlib.error,
    struct.error, tokenize.TokenError,
)  # fmt: skip
"""What NumPy and zipfile raise over a damaged file; NotImplementedError is a RuntimeError."""


def read_archive(
    path: Path,
    names: Collection[str] | None = None,
    error: type[NeurodeployError] = InputError,
    cure: str = "write it again",
    packed: bool = True,
) -> dict[str, NDArray[Any]]:
    """Read arrays of an archive.

    Parameters
    ----------
    path : Path
    names : collection of str, optional
        Those to be read, where they are there; by default all.
    error : type
        What is raised.
    cure : str
        What its message tells to do.
    packed : bool
        Whether it may be compressed, and its arrays larger than the file.

    Raises
    ------
    NeurodeployError
        Of the type `error`: if the archive is missing or damaged, holds objects, or claims more
        than a file of its size can hold.
    TooLargeError
        If its arrays do not fit into memory.
    """
    found: dict[str, NDArray[Any]] = {}
    _check_regular(path, error)
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
            _check_sizes(path, parts, packed)
            for part in parts:
                name = part.filename.removesuffix(".npy")
                if part.filename.endswith(".npy") and (names is None or name in names):
                    with archive.open(part) as stream:
                        _check_header(stream, part.file_size)
                    with archive.open(part) as stream:
                        found[name] = _FORMAT.read_array(stream, allow_pickle=False)
    except UNREADABLE as problem:
        what = str(problem) or type(problem).__name__
        raise error(f"{path}: damaged, or no archive of arrays ({what}); {cure}") from problem
    return found


def map_array(
    path: Path, error: type[NeurodeployError] = InputError, cure: str = "write it again"
) -> NDArray[Any]:
    """Map the array of an ``.npy`` file from the disk; parameters as `read_archive`.

    Raises
    ------
    NeurodeployError
        Of the type `error`: if the file is missing or damaged, holds objects, or less than its
        header says.
    """
    _check_regular(path, error)
    try:
        return np.asanyarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except UNREADABLE as problem:
        what = str(problem) or type(problem).__name__
        raise error(f"{path}: damaged, or no array ({what}); {cure}") from problem


def write_archive(file: IO[bytes], arrays: Mapping[str, Any], packed: bool = False) -> None:
    """Write arrays as ``np.savez`` does.

    On a full disk that leaves its archive open, which Python complains of when it finds it.
    """
    how = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, "w", how) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as part:
                _FORMAT.write_array(part, np.asanyarray(array), allow_pickle=False)


def names_in(path: Path) -> list[str]:
    """Names of the arrays in an archive; errors as `UNREADABLE`."""
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        return [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]


def _check_regular(path: Path, error: type[NeurodeployError]) -> None:
    """Refuse a pipe, over which opening waits for ever."""
    if not path.is_file():
        there = "no regular file" if path.exists() else "no such file"
        raise error(f"{path}: {there}; check the path")


def _check_sizes(path: Path, parts: list[zipfile.ZipInfo], packable: bool) -> None:
    size = path.stat().st_size
    claimed, packed = sum(p.file_size for p in parts), sum(p.compress_size for p in parts)
    if packed > size or claimed > (EXPANSION * size + SPARE if packable else size):
        raise ValueError(f"claims {claimed:,} bytes in a file of {size:,}")
    for part in parts:
        if part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{part.filename}: compressed in another way than NumPy's")
    check_memory([Need(f"{path}: its arrays", claimed, "read it on a machine with more memory")])


def _check_header(stream: IO[bytes], size: int) -> None:
    """Refuse an array that says it is larger than what the archive holds of it."""
    version = _FORMAT.read_magic(stream)
    wide = version != (1, 0)
    length = struct.unpack("<I" if wide else "<H", stream.read(4 if wide else 2))[0]
    if length > MAX_HEADER:
        raise ValueError(f"a header of {length:,} bytes")
    stream.seek(0)
    _FORMAT.read_magic(stream)
    read = _FORMAT.read_array_header_2_0 if wide else _FORMAT.read_array_header_1_0
    shape, _, kind = read(stream)
    if kind.hasobject or math.prod(shape) * kind.itemsize > size:
        raise ValueError(f"an array of shape {shape} and {kind} in {size:,} bytes")
