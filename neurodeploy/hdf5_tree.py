"""What an HDF5 file holds, as groups and arrays in memory; written in as few calls as there can be.

h5py takes about 0.1 ms for each object that it opens, makes or is asked about, and a deep network's
file has tens of thousands. So a reader gets a tree of which each object was opened once
(`hdf5.read_hdf5`), a writer makes one, and `write_tree` copies what is in a file already: libhdf5
copies a group with a dozen numbers in a sixth of the time in which it makes one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5g, h5o, h5p, h5s, h5t
from numpy.typing import NDArray

SMALL = 64
"""Bytes up to which an array is copied with the group that it is in."""


class Dataset:
    """An array of a file.

    Parameters
    ----------
    name : str
        Path from the file's top.
    dtype : dtype
    shape : tuple of int or None
        None of a dataset that was made without a value.
    read : callable
        Gives the array.
    attrs : dict, optional
        Read only: none is written.
    """

    __slots__ = ("_read", "attrs", "dtype", "name", "shape")

    def __init__(
        self,
        name: str,
        dtype: np.dtype[Any],
        shape: tuple[int, ...] | None,
        read: Callable[[], NDArray[Any]],
        attrs: dict[str, Any] | None = None,
    ) -> None:
        self.name, self.dtype, self.shape, self._read = name, dtype, shape, read
        self.attrs = attrs or {}

    @classmethod
    def of(cls, name: str, value: Any) -> Dataset:
        """Hold a value as h5py would write it: text in UTF-8, numbers in their NumPy type."""
        if isinstance(value, str):
            array = np.array(value.encode(), h5py.string_dtype())
        else:
            array = np.asarray(value)
        return cls(name, array.dtype, array.shape, lambda: array)

    @property
    def array(self) -> NDArray[Any]:
        """The array, also of a single number; of one that is not small, read each time."""
        return self._read()

    @property
    def value(self) -> Any:
        """The array; a single number or text by itself, as h5py gives it."""
        array = self.array
        return array if array.ndim else array[()]

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return 0 if self.shape is None else math.prod(self.shape)


class Group(Mapping[str, "Group | Dataset"]):
    """A group of a file, or the file's top.

    Parameters
    ----------
    name : str
        Path from the file's top.
    attrs : dict, optional
    """

    def __init__(self, name: str = "", attrs: dict[str, Any] | None = None) -> None:
        self.name = name
        self.attrs = attrs or {}
        self.members: dict[str, Group | Dataset] = {}

    def __getitem__(self, key: str) -> Any:
        return self.members[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.members)

    def __len__(self) -> int:
        return len(self.members)

    def __setitem__(self, path: str, value: Any) -> None:
        """Put a number, text or array there, in groups that are made if need be."""
        *groups, key = path.split("/")
        at = self
        for group in groups:
            at = at.require_group(group)
        if key in at.members:
            raise ValueError(f"{at.name}/{key}: is there already")
        at.members[key] = Dataset.of(f"{at.name}/{key}".lstrip("/"), value)

    def require_group(self, key: str) -> Group:
        """Give the group of this name, made if it is not there."""
        group = self.members.setdefault(key, Group(f"{self.name}/{key}".lstrip("/")))
        if not isinstance(group, Group):
            raise ValueError(f"{group.name}: is an array, not a group")
        return group

    def walk(self, prefix: str = "") -> Iterator[tuple[str, Group | Dataset]]:
        """All within, by paths from here, in the order of ``h5py.Group.visititems``."""
        for key in sorted(self.members, key=str.encode):
            item = self.members[key]
            yield f"{prefix}{key}", item
            if isinstance(item, Group):
                yield from item.walk(f"{prefix}{key}/")


def write_tree(file: h5py.File, root: Group) -> None:
    """Write all that a tree holds to a new file."""
    writer = _Writer()
    top = h5g.open(file.id, b"/")
    writer.small(top, root)
    writer.rest(top, root)


class _Writer:
    """Writes in two rounds: first what is small, which equal groups have in common."""

    def __init__(self) -> None:
        self._made: dict[Hashable, Any] = {}
        self._parts: dict[int, Hashable] = {}
        self._types: dict[Any, Any] = {}
        self._spaces: dict[tuple[int, ...], Any] = {(): h5s.create(h5s.SCALAR)}
        self._links = h5p.create(h5p.LINK_CREATE)
        self._links.set_char_encoding(h5t.CSET_UTF8)
        self._compact = h5p.create(h5p.DATASET_CREATE)
        self._compact.set_layout(h5d.COMPACT)
        self._plain = h5p.create(h5p.DATASET_CREATE)
        for plan in (self._compact, self._plain):
            plan.set_obj_track_times(False)  # the same content gives the same bytes

    def small(self, made: Any, group: Group) -> None:
        """Put in what is small, and groups, each copied where there is one with the same."""
        for key, item in group.items():
            if isinstance(item, Dataset):
                if _is_small(item):
                    self._array(made, key, item)
                continue
            parts = self._parts_of(item)
            if parts in self._made:
                h5o.copy(self._made[parts], b".", made, key.encode(), lcpl=self._links)
            else:
                inner = h5g.create(made, key.encode(), lcpl=self._links)
                self._made[parts] = inner
                self.small(inner, item)

    def rest(self, made: Any, group: Group) -> None:
        """Add what is not small, and attributes, once nothing is copied any more."""
        for name, value in group.attrs.items():
            h5py.Group(made).attrs[name] = value
        for key, item in group.items():
            if isinstance(item, Group):
                if _has_more(item):
                    self.rest(h5g.open(made, key.encode()), item)
            elif not _is_small(item):
                self._array(made, key, item)

    def _array(self, parent: Any, key: str, item: Dataset) -> None:
        array = np.ascontiguousarray(item.array).reshape(item.array.shape)
        if array.dtype not in self._types:
            self._types[array.dtype] = h5t.py_create(item.dtype, logical=True)
        if array.shape not in self._spaces:
            self._spaces[array.shape] = h5s.create_simple(array.shape)
        # Numbers lie in the object's header: one place to go to. Text lies in a heap anyway.
        small = array.nbytes <= SMALL and array.dtype.kind != "O"
        plan = self._compact if small else self._plain
        kind, space = self._types[array.dtype], self._spaces[array.shape]
        dataset = h5d.create(parent, key.encode(), kind, space, plan, lcpl=self._links)
        if array.size:
            dataset.write(h5s.ALL, h5s.ALL, array, None if array.dtype.kind == "O" else kind)

    def _parts_of(self, group: Group) -> Hashable:
        """What is small in a group and in those within it."""
        if id(group) not in self._parts:
            self._parts[id(group)] = tuple(
                (key, self._parts_of(item) if isinstance(item, Group) else _content_of(item))
                for key, item in group.items()
                if isinstance(item, Group) or _is_small(item)
            )
        return self._parts[id(group)]


def _is_small(item: Dataset) -> bool:
    if item.dtype.kind == "O":
        return item.shape == () and len(item.value) <= SMALL
    return item.size * item.dtype.itemsize <= SMALL


def _content_of(item: Dataset) -> Hashable:
    held = item.value if item.dtype.kind == "O" else item.array.tobytes()
    return item.dtype.str, item.shape, held


def _has_more(group: Group) -> bool:
    """Whether a group, or one within it, has attributes or anything that is not small."""
    return bool(group.attrs) or any(
        _has_more(item) if isinstance(item, Group) else not _is_small(item)
        for item in group.values()
    )
