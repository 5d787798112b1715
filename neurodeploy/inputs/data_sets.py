"""Data sets: samples with what is right for each, read piece by piece and never as a whole.

A data set is cut into shards of so many samples each. A `Part` of it is what one
shard is read from: the whole set, where that is sent once to whoever reads, or just
the shard's own samples.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..numpy_files import map_array
from .arrays import order_axes, read_inputs
from .event_files import bin_file
from .events import as_events, bin_events, hot_pixels, read_binning

Array = NDArray[Any]


class Block(NamedTuple):
    """Samples of a data set.

    Attributes
    ----------
    inputs : array [samples, steps, *shape]
    labels : array [samples, ...] or None
        Classes (whole numbers), or the values wanted.
    """

    inputs: Array
    labels: Array | None


class DataSet(ABC):
    """Samples that are read by their numbers.

    Attributes
    ----------
    travels : bool
        Whether it is small enough to be sent to whoever reads it, once; otherwise the
        samples themselves are sent.
    """

    travels: bool = True

    @abstractmethod
    def __len__(self) -> int:
        """Give the number of samples."""

    @abstractmethod
    def read(self, start: int, stop: int) -> Block:
        """Read samples start..stop."""


@dataclass(frozen=True, eq=False)
class ArraySet(DataSet):
    """Arrays in memory.

    Attributes
    ----------
    inputs : array [samples, steps, *shape]
    labels : array [samples, ...] or None
    """

    inputs: Array
    labels: Array | None = None
    travels = False

    def __len__(self) -> int:
        return len(self.inputs)

    def read(self, start: int, stop: int) -> Block:
        """See `DataSet`."""
        labels = None if self.labels is None else self.labels[start:stop]
        return Block(self.inputs[start:stop], labels)


@dataclass(frozen=True, eq=False)
class FileSet(DataSet):
    """One array of a ``.npy`` file, mapped wherever it is read; the file must be there.

    Attributes
    ----------
    path : Path
    shape : tuple of int
        Of the array, as it was when the set was made.
    axes : str or None
        See `order_axes`.
    labels : array [samples, ...] or None
    """

    path: Path
    shape: tuple[int, ...]
    axes: str | None = None
    labels: Array | None = None

    def __len__(self) -> int:
        return len(self.mapped())

    def read(self, start: int, stop: int) -> Block:
        """See `DataSet`."""
        labels = None if self.labels is None else self.labels[start:stop]
        return Block(self.mapped()[start:stop], labels)

    def mapped(self) -> Array:
        """Map the array, its axes in order."""
        mapped = map_array(self.path, InputError, "every worker needs the file at this path")
        if mapped.shape != self.shape:
            raise InputError(
                f"{self.path}: shape {mapped.shape}, was {self.shape}; leave the file as it is "
                f"while it is read"
            )
        return order_axes(mapped, self.axes)


@dataclass(frozen=True, eq=False)
class ItemSet(DataSet):
    """A map-style data set, as torch and tonic have them: ``items[i]`` gives input and label.

    Attributes
    ----------
    items : object with __len__ and __getitem__
        Each item is an input, or (input, label). An input is an array [steps, *shape] (or in
        the order that `axes` says), or what `np.asarray` makes one of.
    axes : str or None
        Of one item's array, without ``B``.
    steps : int or None
        Inputs are cut, or filled with zeros, to so many steps; None takes them as they are,
        all of one length.
    bin : str or None
        How events become steps, see `events.read_binning`: for items that are structured arrays
        of events, as tonic has them. The sensor's size may be the data set's ``sensor_size``.
    """

    items: Any
    axes: str | None = None
    steps: int | None = None
    bin: str | None = None

    def __len__(self) -> int:
        return len(self.items)

    def read(self, start: int, stop: int) -> Block:
        """See `DataSet`.

        Raises
        ------
        InputError
            If samples are of different shapes, or some have no label.
        """
        inputs, labels = [], []
        for number in range(start, stop):
            item = self.items[number]
            pair = isinstance(item, (tuple, list)) and len(item) == 2
            value = self._value(item[0] if pair else item)
            inputs.append(value if self.steps is None else _of_length(value, self.steps))
            labels += [_array(item[1])] if pair else []
        return Block(_stacked(inputs, start, "inputs"), _labels(labels, inputs, start))

    def _value(self, item: Any) -> Array:
        if self.bin is None or getattr(getattr(item, "dtype", None), "names", None) is None:
            return order_axes(_array(item), self.axes)
        size = getattr(self.items, "sensor_size", None)
        sensor = None if size is None else (int(size[0]), int(size[1]))
        binning, hot = read_binning(self.bin, sensor)
        events = as_events(item)
        silent = None if hot is None else hot_pixels([events], binning.sensor, hot)
        return bin_events([events], binning, self.steps, silent)


@dataclass(frozen=True, eq=False)
class BatchSet:
    """Batches that come one after another, as a torch DataLoader or a generator gives them.

    Attributes
    ----------
    batches : iterable
        Of inputs [samples, steps, *shape] (or in the order that `axes` says), or of
        (inputs, labels).
    axes : str or None
    """

    batches: Iterable[Any]
    axes: str | None = None

    def shards(self, samples: int) -> Iterator[ArraySet]:
        """Yield the samples in sets of `samples`; the last may be shorter.

        Raises
        ------
        InputError
            If some batches have labels and others none.
        """
        held: list[Block] = []
        for batch in self.batches:
            block = self._block(batch)
            if held and (held[0].labels is None) != (block.labels is None):
                raise InputError("inputs: some batches have labels and others none; give all")
            held.append(block)
            while sum(len(b.inputs) for b in held) >= samples:
                whole = _joined(held)
                yield ArraySet(whole.inputs[:samples], _part(whole.labels, slice(samples)))
                rest = slice(samples, None)
                held = [Block(whole.inputs[rest], _part(whole.labels, rest))]
        if sum(len(b.inputs) for b in held):
            yield ArraySet(*_joined(held))

    def _block(self, batch: Any) -> Block:
        pair = isinstance(batch, (tuple, list)) and len(batch) == 2
        inputs = order_axes(_array(batch[0] if pair else batch), self.axes)
        labels = _array(batch[1]) if pair else None
        if inputs.ndim < 3 or (labels is not None and len(labels) != len(inputs)):
            of = "none" if labels is None else str(labels.shape)
            raise InputError(
                f"inputs: a batch of shape {inputs.shape} with labels of shape {of}; give batches "
                f"[samples, steps, *shape], one label for each sample (axes= says another order)"
            )
        return Block(inputs, labels)


def as_data_set(
    inputs: Any,
    labels: Any = None,
    axes: str | None = None,
    steps: int | None = None,
    bin: str | None = None,
) -> DataSet | BatchSet:
    """Make a data set of whatever holds samples.

    Parameters
    ----------
    inputs : array, path, data set or iterable
        An array [samples, steps, *shape]; the path of a ``.npy`` or ``.npz``; a torch or tonic
        data set (``len`` and items); a DataLoader, generator or any iterable of batches; or a
        `DataSet` of one's own.
    labels : array [samples, ...], optional
        What is right for each sample, where `inputs` does not hold it.
    axes : str, optional
        The order of the inputs' axes, see `order_axes`.
    steps : int, optional
        To cut or fill items of different lengths to.
    bin : str, optional
        How events become steps, see `events.read_binning`: of a file of events, which is one
        sample, or of a data set whose items are events.

    Raises
    ------
    InputError
        If labels are given twice, or not one for each sample.

    Examples
    --------
    >>> as_data_set(np.zeros((100, 16, 64), np.uint8), np.zeros(100, int)).read(0, 2).inputs.shape
    (2, 16, 64)
    """
    if isinstance(inputs, DataSet):
        _none_twice(labels)
        return inputs
    if isinstance(inputs, (str, Path)):
        return _of_file(Path(inputs), labels, axes, steps, bin)
    if isinstance(inputs, np.ndarray) or _is_tensor(inputs):
        array = order_axes(_array(inputs), axes)
        given = None if labels is None else _array(labels)
        _check_one_each(given, len(array))
        return ArraySet(array, given)
    if hasattr(inputs, "__getitem__") and hasattr(inputs, "__len__"):
        items = ItemSet(inputs, axes, steps, bin)
        if labels is None:
            return items
        given = _array(labels)
        _check_one_each(given, len(items))
        return ItemSet(_Labelled(inputs, given), axes, steps, bin)
    if hasattr(inputs, "__iter__"):
        _none_twice(labels)
        return BatchSet(inputs, axes)
    raise InputError(
        f"inputs: {type(inputs).__name__}; give an array, a file, a data set with len and items, "
        f"or an iterable of batches"
    )


def read_values(path: str | Path) -> Array:
    """Read the values wanted of a regression, from ``.npy``, mapped.

    Raises
    ------
    InputError
    """
    values = map_array(Path(path), InputError, "give values as .npy")
    if values.ndim not in (2, 3) or values.dtype.kind not in "iuf":
        raise InputError(f"{path}: needs numbers [samples, outputs] or [samples, steps, outputs]")
    return values


@dataclass(frozen=True, eq=False)
class _Labelled:
    """Items with labels that came beside them."""

    items: Any
    labels: Array

    @property
    def sensor_size(self) -> Any:
        """What the items say."""
        return getattr(self.items, "sensor_size", None)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, number: int) -> tuple[Any, Any]:
        return self.items[number], self.labels[number]


def _of_file(
    path: Path, labels: Any, axes: str | None, steps: int | None, bin: str | None
) -> DataSet:
    if bin is not None:
        given = None if labels is None else _array(labels)
        return ArraySet(bin_file(path, bin, steps)[None], given)
    inputs, own = read_inputs(path, axes)
    if own is not None:
        _none_twice(labels)
        labels = own
    given = None if labels is None else _array(labels)
    _check_one_each(given, len(inputs))
    if own is None and isinstance(inputs, np.memmap):
        shape = map_array(path, InputError, "give inputs as .npy").shape  # as it is stored
        return FileSet(path.resolve(), shape, axes, given)
    return ArraySet(inputs, given)


def _none_twice(labels: Any) -> None:
    if labels is not None:
        raise InputError("labels: the data set gives its own; leave labels out")


def _check_one_each(labels: Array | None, samples: int) -> None:
    if labels is not None and (not labels.ndim or len(labels) != samples):
        raise InputError(
            f"labels: shape {labels.shape} for {samples} samples; give one for each sample"
        )


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "detach") and hasattr(value, "numpy")


def _array(value: Any) -> Array:
    if _is_tensor(value):
        value = value.detach().cpu().numpy()
    array: Array = np.asanyarray(value)
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"inputs: a sample or label of type {array.dtype}; give numbers, and of events how "
            f"they become steps (bin='1ms')"
        )
    return array


def _of_length(value: Array, steps: int) -> Array:
    full: Array = np.zeros((steps, *value.shape[1:]), value.dtype)
    full[: len(value)] = value[:steps]
    return full


def _stacked(values: Sequence[Array], start: int, what: str) -> Array:
    for number, value in enumerate(values):
        if value.shape != values[0].shape:
            raise InputError(
                f"{what}: sample {start + number} has shape {value.shape}, sample {start} "
                f"{values[0].shape}; give steps= to cut or fill all to one length"
            )
    return np.stack(values)


def _labels(labels: Sequence[Array], inputs: Sequence[Array], start: int) -> Array | None:
    if not labels:
        return None
    if len(labels) != len(inputs):
        raise InputError(f"labels: some of the samples from {start} on have none; give all or none")
    return _stacked(labels, start, "labels")


def _joined(blocks: Sequence[Block]) -> Block:
    if len(blocks) == 1:
        return blocks[0]
    labels = None
    if blocks[0].labels is not None:
        labels = np.concatenate([b.labels for b in blocks if b.labels is not None])
    return Block(np.concatenate([b.inputs for b in blocks]), labels)


def _part(labels: Array | None, where: slice) -> Array | None:
    return None if labels is None else labels[where]
