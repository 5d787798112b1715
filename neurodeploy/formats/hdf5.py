"""Reading HDF5 groups with errors that name the file, the dataset and the fix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from .. import hdf5
from ..errors import FormatError, NeurodeployError
from ..hdf5_tree import Dataset, Group
from ..memory import Need, check_memory

MAX_ELEMENTS = 1 << 30
"""A dataset larger than this is refused before anything is allocated."""

BYTES_PER_NUMBER = 36
"""Memory to read one number: as float64, rounded, and as integers of 64 and of 32 bits."""


RAW_LOSS = 0.1
"""Weights that rounding changes by more than this share of their size are no integers yet. Of
weights spread evenly up to 5 it takes so much; of raw weights below 1, nearly all."""


@contextmanager
def read_hdf5(path: Path) -> Iterator[Group]:
    """Give a tree of what is in a file, see `hdf5.read_hdf5`.

    Raises
    ------
    FormatError
        If it is missing, not HDF5, cut short or damaged.
    """
    check_hdf5(path)
    with hdf5.read_hdf5(path) as tree:
        yield tree


def check_hdf5(path: Path) -> None:
    """Say of a file that is no HDF5 what it is instead.

    Raises
    ------
    FormatError
    """
    if path.is_file() and not _is_hdf5(path):
        raise FormatError(f"{path}: not an HDF5 file; {_what_else(path)}")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Name the file in what is wrong with it, be it h5py that finds it or a network's own check."""
    try:
        with hdf5.hdf5_damage(path):
            yield
    except NeurodeployError as error:
        if str(path) not in str(error):
            error.args = (f"{path}: {error}",)
        raise


def _is_hdf5(path: Path) -> bool:
    with hdf5.hdf5_damage(path):
        return bool(h5py.is_hdf5(path))


_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"


def _what_else(path: Path) -> str:
    """What a file is instead, as far as its first bytes say, and what to do."""
    with path.open("rb") as file:
        start = file.read(4)
    nir = path.suffix.lower() == ".nir"
    if start == _ZIP or start[:1] == _PICKLE:
        how = "nir.write" if nir else "nir.write, or give the module itself to nd.load in Python"
        return f"it is a pickled object (torch.save), which is not opened; write it with {how}"
    if nir:
        return "a NIR graph is HDF5 with a group 'node'; write it with nir.write"
    return "a NetX network is HDF5 with a group 'layer'"


def rounding_loss(values: NDArray[np.float64]) -> float:
    """What rounding to whole numbers takes from values: a share of their root mean square."""
    lost, whole = np.linalg.norm(values - np.rint(values)), np.linalg.norm(values)
    return float(lost / whole) if whole else 0.0


class Layer:
    """One group of a file; remembers which of its datasets were read.

    Parameters
    ----------
    group : Group
    path : Path
        The file, for messages.

    Attributes
    ----------
    clipped : dict of str to int
        How many weights of a dataset were clipped, where any were; shared with
        the groups inside.
    """

    def __init__(self, group: Group, path: Path) -> None:
        self.group = group
        self.where = group.name
        self.path = path
        self.read: set[str] = set()
        self.clipped: dict[str, int] = {}

    def __contains__(self, key: str) -> bool:
        return key in self.group and not self._is_empty(key)

    def _is_empty(self, key: str) -> bool:
        """Whether a dataset was made without a value, as some writers do; it says nothing."""
        item = self.group.get(key)
        return isinstance(item, Dataset) and item.shape is None

    def fail(self, key: str, problem: str) -> FormatError:
        """Build the error for a dataset of this group."""
        return FormatError(f"{self.path}: {self.where}/{key}: {problem}")

    def text(self, key: str) -> str:
        """Read a string, stored as a scalar or as an array of one."""
        dataset = self._dataset(key)
        value = np.ravel(dataset.value)[0] if dataset.size else b""
        return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)

    def numbers(self, key: str) -> NDArray[np.float64]:
        """Read numbers as float64; NaN and infinity are refused."""
        dataset = self._dataset(key)
        if dataset.dtype.kind not in "biuf":
            raise self.fail(key, f"holds {dataset.dtype}, needs numbers")
        values = dataset.array.astype(np.float64)
        if not np.isfinite(values).all():
            count = int(np.count_nonzero(~np.isfinite(values)))
            raise self.fail(key, f"{count} of {values.size} values are NaN or infinite; retrain")
        return values

    def integers(self, key: str, cure: str = "quantize the network") -> NDArray[np.int64]:
        """Read numbers that must be whole; `cure` says what to do where they are not."""
        values = self.numbers(key)
        if values.size and np.abs(values).max() >= 1 << 63:
            raise self.fail(key, f"holds {np.abs(values).max():g}, beyond 64 bits; export it again")
        rounded = np.rint(values)
        if (rounded != values).any():
            worst = values.ravel()[np.argmax(np.abs(values - rounded))]
            raise self.fail(key, f"holds {worst:g}, needs whole numbers; {cure}")
        return rounded.astype(np.int64)

    def number(self, key: str) -> float:
        """Read one number, stored as a scalar or as an array of one."""
        values = self.numbers(key)
        if values.size != 1:
            raise self.fail(key, f"has shape {values.shape}, needs one number")
        return float(values.ravel()[0])

    def integer(self, key: str) -> int:
        """Read one whole number, stored as a scalar or as an array of one."""
        values = self.integers(key)
        if values.size != 1:
            raise self.fail(key, f"has shape {values.shape}, needs one number")
        return int(values.ravel()[0])

    def pair(self, key: str) -> tuple[int, int]:
        """Read (height, width); one number stands for both."""
        values = self.integers(key).ravel()
        if values.size not in (1, 2):
            raise self.fail(key, f"has {values.size} numbers, needs (height, width)")
        return int(values[0]), int(values[-1])

    def flag(self, key: str) -> bool:
        """Read a truth value; a missing one is False."""
        return key in self and bool(self.numbers(key).any())

    def sub(self, key: str) -> Layer:
        """Open a group inside this one."""
        group = self.group.get(key)
        if not isinstance(group, Group):
            raise self.fail(key, "group is missing; export the layer again")
        self.read.add(key)
        inside = Layer(group, self.path)
        inside.clipped = self.clipped
        return inside

    def unread(self) -> list[str]:
        """Names that nothing asked for, of what holds a value."""
        return [key for key in self.group if key not in self.read and key in self]

    def empty(self) -> list[str]:
        """Names of datasets without a value."""
        return [key for key in self.group if self._is_empty(key)]

    def _dataset(self, key: str) -> Dataset:
        dataset = self.group.get(key)
        if not isinstance(dataset, Dataset):
            raise self.fail(key, "dataset is missing; export the layer again")
        if self._is_empty(key):
            raise self.fail(key, "dataset is empty, without a value; export the layer again")
        self.read.add(key)
        count = dataset.size
        if count > MAX_ELEMENTS:
            raise self.fail(key, f"has {count:,} numbers, limit {MAX_ELEMENTS:,}")
        what = f"{self.path}: {self.where}/{key}: {count:,} numbers"
        size = BYTES_PER_NUMBER * count
        check_memory([Need(what, size, "load it on a machine with more memory")])
        return dataset
