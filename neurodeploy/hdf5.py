"""Opens HDF5 files that strangers wrote, and writes such that a full disk is an error.

All of a file is looked at before anything is read:
libhdf5 believes a file. It follows links and storage into other files, allocates what a file says
it holds, and walks in circles over a damaged heap of strings. So a file is walked through first,
each object once, and refused by name where it does not hold its own data in a size that it shows.
"""

from __future__ import annotations

import io
import math
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from .errors import FormatError, NeurodeployError
from .files import DEBUG

EXPANSION = 1_100
"""Bytes in memory for each one of the file; deflate gains 1,032 of zeros."""

STRING_EXPANSION = 256
"""The same of strings, of which many may share their place in the file."""

SPARE = 1 << 20
"""Bytes that a file may claim beyond that, all its datasets together."""

MAX_DEPTH = 64
"""Groups within groups."""

FILTERS = {
    h5py.h5z.FILTER_DEFLATE,
    h5py.h5z.FILTER_SHUFFLE,
    h5py.h5z.FILTER_FLETCHER32,
    h5py.h5z.FILTER_LZF,
}
"""None of them gains more than `EXPANSION`; each may stand once."""

_HEAP = b"GCOL\x01"
_PIECE = 1 << 22
_SIMPLE = {h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING, h5py.h5t.ENUM}


class _Unsound(Exception):
    """Where in a file, and what is wrong there."""


def open_hdf5(
    path: Path, error: type[NeurodeployError] = FormatError, cure: str = "export it again"
) -> h5py.File:
    """Open a file for reading, after all that is in it was looked at.

    Parameters
    ----------
    path : Path
    error : type
        What is raised.
    cure : str
        What its message tells to do.

    Raises
    ------
    NeurodeployError
        Of the type `error`: if the file is missing, no HDF5, cut short or damaged; if it names
        other files, holds something else than numbers and strings, holds something twice, or
        claims more than what it stores can hold.
    """
    if path.is_dir():
        raise error(f"{path}: is a folder; give the path of a file")
    if not path.is_file():
        there = "no regular file" if path.exists() else "no such file"
        raise error(f"{path}: {there}; check the path")
    file = None
    try:
        with hdf5_damage(path, error, cure):
            if not h5py.is_hdf5(path):
                raise error(f"{path}: not a readable HDF5 file; {cure}")
            longest = _check_heaps(path)
            file = h5py.File(path, "r")
            with path.open("rb") as raw:
                _check_objects(file, raw, longest)
    except BaseException as problem:
        if file is not None:
            file.close()
        if isinstance(problem, _Unsound):
            raise error(f"{path}: {problem}") from None
        raise
    return file


@contextmanager
def hdf5_damage(
    path: str | os.PathLike[str],
    error: type[NeurodeployError] = FormatError,
    cure: str = "export it again",
) -> Iterator[None]:
    """Put what h5py raises over a damaged file into one line; our own mistakes pass through."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as problem:
        if DEBUG in os.environ or not _from_h5py(problem):
            raise
        reason = " ".join(str(problem.args[0] if problem.args else problem).split())
        raise error(f"{path}: HDF5 file is damaged ({reason}); {cure}") from problem


def names_at_top(path: Path) -> set[str]:
    """Names of the groups and datasets at a file's top; none of what is no HDF5 file."""
    if not path.is_file():
        return set()
    try:
        with hdf5_damage(path):
            if not h5py.is_hdf5(path):
                return set()
            with h5py.File(path, "r") as file:
                return set(file)
    except FormatError:
        return set()


@contextmanager
def written_hdf5(path: Path, mode: str = "w") -> Iterator[h5py.File]:
    """Open a file for writing; where the disk takes no more, that is raised when it is closed.

    libhdf5 crashes over a file that it cannot write to, so it never learns of it.

    Parameters
    ----------
    path : Path
    mode : {"w", "r+"}
        A new file, or more in one that is there.

    Raises
    ------
    OSError
        If not all of it could be written.
    """
    with _Disk(path, mode) as disk:
        with h5py.File(disk, mode) as file:
            yield file
        disk.check()


class _Disk(io.RawIOBase):
    """A file that takes whatever is written: what finds no place on the disk lies in memory."""

    def __init__(self, path: Path, mode: str) -> None:
        self._file = path.open("w+b" if mode == "w" else "r+b", buffering=0)
        self._error: OSError | None = None
        self._left: list[tuple[int, bytes]] = []
        self._at = 0

    def check(self) -> None:
        """Raise what the disk said first."""
        if self._error is not None:
            raise self._error

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = 0 if whence == os.SEEK_SET else self._at
        if whence == os.SEEK_END:
            ends = [first + len(data) for first, data in self._left]
            start = max([self._file.seek(0, os.SEEK_END), *ends])
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        self._file.seek(self._at)
        count = self._file.readinto(view) or 0
        for start, data in self._left:
            first, last = max(start, self._at), min(start + len(data), self._at + len(view))
            if first < last:
                view[first - self._at : last - self._at] = data[first - start : last - start]
                count = max(count, last - self._at)
        self._at += count
        return count

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        size, done = len(view), 0
        try:
            self._file.seek(self._at)
            while done < size and self._error is None:
                done += self._file.write(view[done:]) or 0
        except OSError as error:
            self._error = error
        if done < size:
            self._left.append((self._at + done, bytes(view[done:])))
        self._at += size
        return size

    def truncate(self, size: int | None = None) -> int:
        size = self._at if size is None else size
        try:
            self._file.truncate(size)
        except OSError as error:
            self._error = self._error or error
        return size

    def close(self) -> None:
        self._file.close()
        super().close()


def _from_h5py(problem: BaseException) -> bool:
    trace = problem.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and "h5py" in trace.tb_frame.f_code.co_filename


def _check_heaps(path: Path) -> int:
    """Walk through all heaps of strings; give the length of the longest string.

    libhdf5 goes from object to object by their sizes, for ever where free space has none
    (H5HGcache.c); so they must lead on, up to the heap's end.
    """
    longest, size = 0, path.stat().st_size
    with path.open("rb") as file:
        for start in range(0, size, _PIECE):
            file.seek(start)
            piece = file.read(_PIECE + len(_HEAP) - 1)
            found = piece.find(_HEAP)
            while found >= 0:
                file.seek(start + found)
                longest = max(longest, _longest_in(file, size - start - found))
                found = piece.find(_HEAP, found + 1)
    return longest


def _longest_in(file: Any, there: int) -> int:
    held = int.from_bytes(file.read(16)[8:], "little")
    if not 16 <= held <= there:
        return 0  # of another file, or chance; libhdf5 reads none that ends beyond the file
    longest, rest = 0, held - 16
    while rest >= 16:
        number, size = struct.unpack("<H6xQ", file.read(16))
        # Free space, number 0, counts its own header; strings do not, and are padded to 8 bytes.
        step = size if number == 0 else 16 + -(-size // 8) * 8
        if not 16 <= step <= rest:
            raise _Unsound("HDF5 file is damaged (a heap of strings leads nowhere); write it again")
        if number:
            longest = max(longest, size)
        file.seek(step - 16, os.SEEK_CUR)
        rest -= step
    return longest


def _check_objects(file: h5py.File, raw: Any, longest: int) -> None:
    """Walk through groups, datasets and attributes, each once."""
    if file.id.get_create_plist().get_sizes() != (8, 8):
        raise _Unsound("HDF5 with addresses that are not of 64 bits; write it again")
    seen: set[int] = set()
    beyond = 0
    waiting: list[tuple[Any, str, int]] = [(h5py.h5g.open(file.id, b"/"), "", 0)]
    while waiting:
        item, where, depth = waiting.pop()
        address = h5py.h5o.get_info(item).addr
        if address in seen:
            raise _Unsound(f"{where}: is there twice or within itself; write each part once")
        seen.add(address)
        for number in range(h5py.h5a.get_num_attrs(item)):
            beyond += _claimed_by_attribute(h5py.h5a.open(item, index=number), where)
        if isinstance(item, h5py.h5g.GroupID):
            if depth >= MAX_DEPTH:
                raise _Unsound(f"{where}: more than {MAX_DEPTH} groups within each other; flatten")
            waiting += [(one, name, depth + 1) for one, name in _members(item, where)]
        elif isinstance(item, h5py.h5d.DatasetID):
            beyond += _claimed_by_dataset(item, where, raw, longest)
        else:
            raise _Unsound(f"{where}: a named type; a file holds groups and datasets only")
        if beyond > SPARE:
            raise _Unsound(
                f"{where}: claims {beyond:,} bytes more than what is stored can hold; write it "
                "again"
            )


def _members(group: Any, where: str) -> Iterator[tuple[Any, str]]:
    links: list[tuple[bytes, int]] = []
    group.links.iterate(lambda name, info: links.append((name, info.type)), info=True)
    for raw, kind in links:
        name = f"{where}/{raw.decode('utf8', 'backslashreplace')}".lstrip("/")
        name = name.encode("unicode_escape").decode() if not name.isprintable() else name
        if kind != h5py.h5l.TYPE_HARD:
            raise _Unsound(f"{name}: a link to somewhere else; a file holds its own data")
        if not isinstance(_text_of(raw), str):
            raise _Unsound(f"{name}: a name that is no UTF-8; write it again")
        yield h5py.h5o.open(group, raw), name


def _text_of(raw: bytes) -> str | None:
    try:
        return raw.decode("utf8")
    except UnicodeDecodeError:
        return None


def _claimed_by_attribute(item: Any, where: str) -> int:
    kind = item.get_type()
    if kind.get_class() not in _SIMPLE or _dtype_of(kind) is None:
        raise _Unsound(f"{where}: attribute {item.name!r}: needs numbers or text; write it again")
    claimed = _numbers_in(item) * int(kind.get_size())
    return max(0, claimed - (1 << 16))  # what an object's header holds is there


def _claimed_by_dataset(item: Any, where: str, raw: Any, longest: int) -> int:
    """Bytes that a dataset claims beyond what it can hold by what is stored."""
    kind, plan = item.get_type(), item.get_create_plist()
    if plan.get_external_count() or plan.get_layout() == h5py.h5d.VIRTUAL:
        raise _Unsound(f"{where}: its data lies in another file; a file holds its own data")
    if kind.get_class() not in _SIMPLE or _dtype_of(kind) is None:
        raise _Unsound(f"{where}: holds something else than numbers and text; write it again")
    stored = int(item.get_storage_size())
    numbers = _numbers_in(item)
    if kind.get_class() == h5py.h5t.STRING and kind.is_variable_str():
        file_size = os.fstat(raw.fileno()).st_size
        place = item.get_offset() if plan.get_layout() == h5py.h5d.CONTIGUOUS else None
        if place is not None and 16 * numbers <= file_size:
            # Length, address and number of each; libhdf5 takes memory by the first.
            block = h5py.h5i.get_file_id(item).get_create_plist().get_userblock()
            held = np.frombuffer(os.pread(raw.fileno(), 16 * numbers, block + place), "<u4")[::4]
            if held.max(initial=0) > longest:
                raise _Unsound(f"{where}: text longer than any that is stored; write it again")
        return max(0, numbers * (longest + int(kind.get_size())) - STRING_EXPANSION * file_size)
    if plan.get_layout() != h5py.h5d.CHUNKED:
        return max(0, numbers * int(kind.get_size()) - stored)
    filters = [plan.get_filter(number)[0] for number in range(plan.get_nfilters())]
    if set(filters) - FILTERS or len(set(filters)) < len(filters):
        raise _Unsound(f"{where}: compressed in another way than gzip or lzf; write it again so")
    numbers = max(numbers, math.prod(plan.get_chunk()) if stored else 0)
    return max(0, numbers * int(kind.get_size()) - EXPANSION * stored)


def _numbers_in(item: Any) -> int:
    return 0 if item.shape is None else math.prod(item.shape)  # None: made without a value


def _dtype_of(kind: Any) -> Any:
    try:
        return kind.dtype
    except (ValueError, TypeError):  # numbers that NumPy has not
        return None
