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
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from .errors import FormatError, NeurodeployError
from .files import DEBUG
from .hdf5_tree import Dataset, Group

EXPANSION = 1_100
"""Bytes in memory for each one of the file; deflate gains 1,032 of zeros."""

STRING_EXPANSION = 256
"""The same of strings, of which many may share their place in the file."""

SPARE = 1 << 20
"""Bytes that a file may claim beyond that, all its datasets together."""

MAX_DEPTH = 64
"""Groups within groups."""

READ_AT_ONCE = 1 << 12
"""Bytes of an array up to which it is read when it is looked at."""

FILTERS = {
    h5py.h5z.FILTER_DEFLATE,
    h5py.h5z.FILTER_SHUFFLE,
    h5py.h5z.FILTER_FLETCHER32,
    h5py.h5z.FILTER_LZF,
}
"""None of them gains more than `EXPANSION`; each may stand once."""

_HEAP = b"GCOL\x01"
_PIECE = 1 << 22
_ATTRIBUTE, _CONTINUED, _LAYOUT = 0x0C, 0x10, 0x08
"""Kinds of messages in an object's header."""

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
    return _opened(path, error, cure)[0]


@contextmanager
def read_hdf5(
    path: Path, error: type[NeurodeployError] = FormatError, cure: str = "export it again"
) -> Iterator[Group]:
    """Give a tree of what is in a file; parameters and errors are those of `open_hdf5`.

    Arrays up to `READ_AT_ONCE` bytes are read, each where it was looked at, and the others when
    they are asked for, which must be before the block ends.
    """
    file, tree = _opened(path, error, cure)
    with file:
        try:
            yield tree
        except _Unsound as problem:
            raise error(f"{path}: {problem}") from None


def _opened(path: Path, error: type[NeurodeployError], cure: str) -> tuple[h5py.File, Group]:
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
                tree = _Walk(file, raw, longest, cure).tree()
    except BaseException as problem:
        if file is not None:
            file.close()
        if isinstance(problem, _Unsound):
            raise error(f"{path}: {problem}") from None
        raise
    return file, tree


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


class _Walk:
    """Goes through groups, datasets and attributes of a file, each once."""

    def __init__(self, file: h5py.File, raw: Any, longest: int, cure: str) -> None:
        self.file, self.raw, self.longest, self.cure = file, raw, longest, cure
        self.size = os.fstat(raw.fileno()).st_size
        self.base = file.id.get_create_plist().get_userblock()
        self.seen: set[int] = set()
        self.beyond = 0
        self.types: dict[np.dtype[Any], Any] = {}

    def tree(self) -> Group:
        """Look at all, and give it."""
        if self.file.id.get_create_plist().get_sizes() != (8, 8):
            raise _Unsound("HDF5 with addresses that are not of 64 bits; write it again")
        root = Group()
        waiting: list[tuple[Any, Group, int]] = [(h5py.h5g.open(self.file.id, b"/"), root, 0)]
        while waiting:
            item, group, depth = waiting.pop()
            where = group.name
            group.attrs = self._attributes(item, where)
            if depth >= MAX_DEPTH:
                raise _Unsound(f"{where}: more than {MAX_DEPTH} groups within each other; flatten")
            for key, one in _members(item, where):
                name = _shown(f"{where}/{key}".lstrip("/"))
                if isinstance(one, h5py.h5g.GroupID):
                    group.members[key] = inner = Group(name)
                    waiting.append((one, inner, depth + 1))
                elif isinstance(one, h5py.h5d.DatasetID):
                    group.members[key] = self._dataset(one, name)
                else:
                    raise _Unsound(f"{name}: a named type; a file holds groups and datasets only")
        return root

    def _attributes(self, item: Any, where: str) -> dict[str, Any]:
        address = h5py.h5o.get_info(item).addr
        if address in self.seen:
            raise _Unsound(f"{where}: is there twice or within itself; write each part once")
        self.seen.add(address)
        count = h5py.h5a.get_num_attrs(item)
        if not count:
            return {}
        for number in range(count):
            self._attribute(h5py.h5a.open(item, index=number), item, where)
        kind = h5py.Group if isinstance(item, h5py.h5g.GroupID) else h5py.Dataset
        return dict(kind(item).attrs)

    def _attribute(self, item: Any, holder: Any, where: str) -> None:
        kind = item.get_type()
        name = _shown(item.name)
        if kind.get_class() not in _SIMPLE or _dtype_of(kind) is None:
            raise _Unsound(f"{where}: attribute {name!r}: needs numbers or text; write it again")
        numbers = _numbers_in(item.shape)
        # What an object's header holds is there.
        self._claim(where, numbers * int(kind.get_size()) - (1 << 16))
        if _is_text(kind):
            self._check_texts(f"{where}: attribute {name!r}", self._in_header(holder, item.name))

    def _dataset(self, item: Any, where: str) -> Dataset:
        attributes = self._attributes(item, where)
        kind, shape = item.get_type(), item.shape
        # None where it is not in one piece in this file.
        place = item.get_offset()
        plan = item.get_create_plist() if place is None else None
        if plan and (plan.get_external_count() or plan.get_layout() == h5py.h5d.VIRTUAL):
            raise _Unsound(f"{where}: its data lies in another file; a file holds its own data")
        dtype = _dtype_of(kind)
        if kind.get_class() not in _SIMPLE or dtype is None:
            raise _Unsound(f"{where}: holds something else than numbers and text; write it again")
        numbers, width = _numbers_in(shape), int(kind.get_size())
        self._claim(where, self._beyond(item, where, numbers, width, plan))
        if _is_text(kind):
            self._claim(where, numbers * (self.longest + width) - STRING_EXPANSION * self.size)
            self._check_texts(where, self._references(item, numbers, place, plan))
        array: NDArray[Any] | None = None
        if shape is None or numbers * width <= READ_AT_ONCE:
            array = self._read(item, where, dtype, shape)

        def read() -> NDArray[Any]:
            return self._read(item, where, dtype, shape) if array is None else array

        if array is not None:
            item = None  # closes it
        return Dataset(where, dtype, shape, read, attributes)

    def _read(
        self, item: Any, where: str, dtype: np.dtype[Any], shape: tuple[int, ...] | None
    ) -> NDArray[Any]:
        array = np.zeros(shape or (), dtype)
        if dtype not in self.types:
            self.types[dtype] = h5py.h5t.py_create(dtype)
        if shape is not None and array.size:
            try:
                item.read(h5py.h5s.ALL, h5py.h5s.ALL, array, self.types[dtype])
            except OSError as problem:
                raise _Unsound(f"{where}: cannot be read, the file is damaged; {self.cure}") from (
                    problem
                )
        return array

    def _claim(self, where: str, beyond: int) -> None:
        """Count bytes that something claims beyond what it can hold by what is stored."""
        self.beyond += max(0, beyond)
        if self.beyond > SPARE:
            raise _Unsound(
                f"{where}: claims {self.beyond:,} bytes more than what is stored can hold; write "
                "it again"
            )

    @staticmethod
    def _beyond(item: Any, where: str, numbers: int, width: int, plan: Any) -> int:
        stored = int(item.get_storage_size())
        if plan is None or plan.get_layout() != h5py.h5d.CHUNKED:
            return numbers * width - stored
        filters = [plan.get_filter(number)[0] for number in range(plan.get_nfilters())]
        if set(filters) - FILTERS or len(set(filters)) < len(filters):
            raise _Unsound(
                f"{where}: compressed in another way than gzip or lzf; write it again so"
            )
        numbers = max(numbers, math.prod(plan.get_chunk()) if stored else 0)
        return numbers * width - EXPANSION * stored

    def _check_texts(self, where: str, found: bytes | None) -> None:
        """Refuse lengths of text that no heap holds: libhdf5 takes memory by them first."""
        if found is None:
            raise _Unsound(f"{where}: text kept where it cannot be checked; write it again")
        # Length, address and number of each.
        lengths = np.frombuffer(found[: len(found) // 16 * 16], "<u4")[::4]
        if lengths.max(initial=0) > self.longest:
            raise _Unsound(f"{where}: text longer than any that is stored; write it again")

    def _references(self, item: Any, numbers: int, place: int | None, plan: Any) -> bytes | None:
        """What a dataset holds of its texts; None where it cannot be told."""
        if not item.get_storage_size():
            return b""
        if place is not None:
            return self._bytes(self.base + place, 16 * numbers)
        if plan.get_layout() == h5py.h5d.COMPACT:
            bodies = [body for kind, body in self._messages(item) if kind == _LAYOUT]
            whole = len(bodies) == 1 and bodies[0][0] in (3, 4)
            return bodies[0][4 : 4 + 16 * numbers] if whole else None
        filters = [plan.get_filter(number)[0] for number in range(plan.get_nfilters())]
        if filters not in ([], [h5py.h5z.FILTER_DEFLATE]):
            return None
        size, found = 16 * math.prod(plan.get_chunk()), []
        for number in range(item.get_num_chunks()):
            left_out, chunk = item.read_direct_chunk(item.get_chunk_info(number).chunk_offset)
            packed = filters and not left_out
            found.append(zlib.decompressobj().decompress(chunk, size) if packed else chunk)
        return b"".join(found)

    def _in_header(self, item: Any, name: bytes) -> bytes | None:
        """What an object's header holds of an attribute; None where it is somewhere else."""
        for kind, body in self._messages(item):
            if kind != _ATTRIBUTE or len(body) < 9:
                continue
            sizes = struct.unpack("<3H", body[2:8])
            padded = [-(-size // 8) * 8 if body[0] == 1 else size for size in sizes]
            start = 9 if body[0] == 3 else 8
            if body[start : start + sizes[0]].rstrip(b"\0") == name:
                return body[start + sum(padded) :]
        return None

    def _messages(self, item: Any) -> Iterator[tuple[int, bytes]]:
        """Kind and body of each message in an object's header, but of those shared with others.

        Of both versions, see HDF5's file format specification 3.0, IV.A.1.
        """
        start = self.base + h5py.h5o.get_info(item).addr
        head = self._bytes(start, 32)
        newer = head[:4] == b"OHDR"
        if newer:
            flags, at = head[5], 6 + 16 * bool(head[5] & 0x20) + 4 * bool(head[5] & 0x10)
            width = 1 << (flags & 3)
            size = int.from_bytes(head[at : at + width], "little")
            blocks, width = [(start + at + width, size)], 4 + 2 * bool(flags & 4)
        else:
            blocks, width = [(start + 16, int.from_bytes(head[8:12], "little"))], 8
        left = self.size
        for number, (first, size) in enumerate(blocks):  # which grows by those that it goes on in
            left -= size
            if left < 0:
                return
            block, at = self._bytes(first, size), 0
            if newer and number:
                block = block[4:-4]  # signature and checksum
            while at + width <= len(block):
                kind = block[at] if newer else int.from_bytes(block[at : at + 2], "little")
                length = int.from_bytes(block[at + (1 if newer else 2) :][:2], "little")
                shared = block[at + (3 if newer else 4)] & 2
                body = block[at + width : at + width + length]
                at += width + length
                if kind == _CONTINUED and len(body) >= 16:
                    place, size = struct.unpack("<2Q", body[:16])
                    blocks.append((self.base + place, size))
                elif not shared:
                    yield kind, body

    def _bytes(self, start: int, size: int) -> bytes:
        """Bytes of the file, as far as they are there."""
        start, end = min(start, self.size), min(start + size, self.size)
        return os.pread(self.raw.fileno(), end - start, start)


def _members(group: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Names and objects in a group, in the order in which h5py gives them."""
    tracked = group.get_create_plist().get_link_creation_order() & h5py.h5p.CRT_ORDER_TRACKED
    by = h5py.h5.INDEX_CRT_ORDER if tracked else h5py.h5.INDEX_NAME
    links: list[tuple[bytes, int]] = []
    group.links.iterate(lambda name, info: links.append((name, info.type)), idx_type=by, info=True)
    for raw, kind in links:
        name = _shown(f"{where}/{raw.decode('utf8', 'backslashreplace')}".lstrip("/"))
        if kind != h5py.h5l.TYPE_HARD:
            raise _Unsound(f"{name}: a link to somewhere else; a file holds its own data")
        try:
            key = raw.decode("utf8")
        except UnicodeDecodeError:
            raise _Unsound(f"{name}: a name that is no UTF-8; write it again") from None
        yield key, h5py.h5o.open(group, raw)


def _shown(name: str | bytes) -> str:
    text = name.decode("utf8", "backslashreplace") if isinstance(name, bytes) else name
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def _is_text(kind: Any) -> bool:
    """Whether it is text that lies in a heap."""
    return kind.get_class() == h5py.h5t.STRING and bool(kind.is_variable_str())


def _numbers_in(shape: tuple[int, ...] | None) -> int:
    return 0 if shape is None else math.prod(shape)  # None: made without a value


def _dtype_of(kind: Any) -> Any:
    try:
        return kind.dtype
    except (ValueError, TypeError):  # numbers that NumPy has not
        return None
