"""The arrays of a recording's file, checked against its header when it is opened."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import RecordingError
from ..hdf5 import hdf5_damage, open_hdf5
from .header import Header, ProjectionHeader
from .learning import shapes_of
from .population import OVERFLOWS, PopulationRecord

CURE = "record it again"

READ_AT_ONCE = 1 << 24
"""Bytes of arrays up to which a recording is read whole when it is opened; of a larger one, what
was damaged inside an array shows when that is read."""


class StoredArray:
    """An array in a file, read by slices."""

    def __init__(self, path: Path, dataset: h5py.Dataset) -> None:
        self._path, self._dataset = path, dataset
        self.shape: tuple[int, ...] = dataset.shape
        self.dtype: np.dtype[Any] = dataset.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return math.prod(self.shape) * int(self.dtype.itemsize)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, part: Any) -> NDArray[Any]:
        with hdf5_damage(self._path, RecordingError, CURE):
            return np.asarray(self._dataset[part])

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype)


class FileArrays:
    """The arrays of an HDF5 recording, each read when it is asked for.

    Raises
    ------
    RecordingError
        If the file is missing, damaged, or names other files; see `hdf5.open_hdf5`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = open_hdf5(path, RecordingError, CURE)

    @property
    def attributes(self) -> dict[str, Any]:
        """What stands beside the arrays."""
        with hdf5_damage(self.path, RecordingError, CURE):
            return dict(self._file.attrs)

    def __contains__(self, key: object) -> bool:
        return key in self._all

    def __getitem__(self, key: str) -> StoredArray:
        return self._all[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    @cached_property
    def _all(self) -> dict[str, StoredArray]:
        found: dict[str, StoredArray] = {}

        def add(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                if not item.shape or item.dtype.kind not in "iuf":
                    raise RecordingError(f"{self.path}: {name}: no array of numbers; {CURE}")
                found[name] = StoredArray(self.path, item)

        with hdf5_damage(self.path, RecordingError, CURE):
            self._file.visititems(add)
        return found

    def check(self, header: Header) -> None:
        """Refuse arrays of another shape or type than the header says, and damaged ones.

        Raises
        ------
        RecordingError
            Naming the file and the array.
        """
        samples, steps = header.samples, header.steps
        for population in header.populations:
            prefix = f"populations/{population.name}/"
            shapes: dict[str, tuple[int, ...]] = {
                "counts": (samples, *population.shape),
                "event_counts": (samples, steps),
                "axon_delay": (population.size,),
                **dict.fromkeys(OVERFLOWS, (samples,)),
            }
            for name in (*shapes, "neuron", "payload"):
                if f"{prefix}{name}/" in self._by_group:
                    raise self._fail(f"{prefix}{name}", "a group, needs an array")
            events = [k for k in ("neuron", "payload") if f"{prefix}{k}" in self]
            for name in self._direct(prefix):
                if name in events:
                    shape = self[f"{prefix}{events[0]}"].shape[:1]
                else:
                    shape = shapes.get(name, (samples, steps, *population.shape))
                whole = name in shapes or name == "neuron"
                self._check_shape(f"{prefix}{name}", shape, whole)
            if events and f"{prefix}event_counts" not in self:
                raise self._fail(f"{prefix}event_counts", "is missing")
        for projection in header.projections:
            prefix = f"projections/{projection.name}/"
            for name in self._direct(prefix):
                self._check_shape(f"{prefix}{name}", (1 if "clipped" in name else samples,), True)
            for key, shape in self._learned_shapes(header, projection).items():
                if prefix + key in self:
                    self._check_shape(prefix + key, shape, True)
        if sum(array.nbytes for array in self._all.values()) <= READ_AT_ONCE:
            for array in self._all.values():
                array[:]
            for population in header.populations:
                record = PopulationRecord(population, steps, self)
                if record.has("spikes"):
                    try:
                        record.events_of(0, samples)
                    except RecordingError as error:
                        raise RecordingError(f"{self.path}: {error}") from None

    @staticmethod
    def _learned_shapes(header: Header, projection: ProjectionHeader) -> dict[str, tuple[int, ...]]:
        ends = (header.by_name[name].size for name in (projection.source, projection.target))
        found = shapes_of(projection, header.samples, header.steps, *ends)
        if header.learn_across_samples:  # the last sample alone
            found |= {k: (1, *s[1:]) for k, s in found.items() if k.startswith("learned/")}
        return found

    def _direct(self, prefix: str) -> list[str]:
        """Names of the arrays right within a group."""
        return self._by_group.get(prefix, [])

    @cached_property
    def _by_group(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for key in self._all:
            group, slash, name = key.rpartition("/")
            found.setdefault(group + slash, []).append(name)
        return found

    def _check_shape(self, key: str, shape: tuple[int, ...], whole: bool) -> None:
        array = self[key]
        if array.shape != shape:
            raise self._fail(key, f"has shape {array.shape}, needs {shape}")
        if whole and array.dtype.kind not in "iu":
            raise self._fail(key, f"holds {array.dtype}, needs whole numbers")

    def _fail(self, key: str, problem: str) -> RecordingError:
        return RecordingError(f"{self.path}: {key}: {problem}; {CURE}")
