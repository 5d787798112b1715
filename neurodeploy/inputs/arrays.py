"""Arrays and array files to and from the inputs of a network."""

from __future__ import annotations

import hashlib
import mmap
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, InputWarning
from ..network import InputTransform, Network

_HASHED_SAMPLES = 64

_LARGE = 1 << 18
"""Values from which on it pays to see whether all steps are the same before they are hashed."""

_KEPT_BYTES = 1 << 20
"""Inputs that are made ready once, for all who look at them."""

TIME_FIRST = ("snntorch", "norse", "spikingjelly")
"""Presets of frameworks whose users hold arrays as [steps, samples, ...]."""


def read_inputs(
    path: str | os.PathLike[str], axes: str | None = None
) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
    """Read inputs, and labels where there are any, from ``.npy`` or ``.npz``.

    Parameters
    ----------
    path : path
        ``.npy``: one array. ``.npz``: array ``inputs``, optional ``labels``.
    axes : str, optional
        The order of the array's axes, see `order_axes`.

    Returns
    -------
    inputs : array
        [steps, *shape] or [samples, steps, *shape].
    labels : int64 [samples] or None

    Raises
    ------
    InputError
    """
    inputs, labels = _read_arrays(Path(path))
    inputs = order_axes(inputs, axes)
    if labels is None or axes is not None or inputs.ndim < 3:
        return inputs, labels
    if inputs.shape[0] != len(labels) == inputs.shape[1]:  # time first, as the labels give away
        raise InputError(
            f"{path}: inputs of shape {inputs.shape} with {len(labels)} labels seem to be "
            f"[steps, samples, ...]; say so with axes TB..."
        )
    return inputs, labels


def _read_arrays(path: Path) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
    if not path.is_file():
        raise InputError(f"{path}: no such file; give inputs as .npy or .npz")
    if _is_archive(path):
        return _from_archive(path)
    return _mapped(path, "inputs"), None


def _is_archive(path: Path) -> bool:
    with _readable(path, "inputs"), path.open("rb") as file:
        return file.read(2) == b"PK"


def _mapped(path: Path, what: str) -> NDArray[Any]:
    from ..numpy_files import map_array

    return map_array(path, InputError, f"give {what} as .npy or .npz")


@contextmanager
def _readable(path: Path, what: str) -> Iterator[None]:
    """Say of anything that NumPy raises over a file that it holds no inputs."""
    from ..numpy_files import UNREADABLE

    try:
        yield
    except UNREADABLE as error:
        raise InputError(
            f"{path}: not a NumPy file, or damaged ({error}); give {what} as .npy or .npz"
        ) from error


def _from_archive(path: Path) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
    from ..numpy_files import names_in, read_archive

    cure = "give inputs as .npy or .npz"
    found = read_archive(path, ("inputs", "labels"), InputError, cure)
    if "inputs" not in found:
        there = ", ".join(names_in(path)) or "none"
        raise InputError(
            f"{path}: no array 'inputs' in it (there are: {there}); "
            f"save it with np.savez(path, inputs=...)"
        )
    return found["inputs"], _as_labels(path, found["labels"]) if "labels" in found else None


def order_axes(inputs: NDArray[Any], axes: str | None) -> NDArray[Any]:
    """Bring the axes of inputs into the order [samples, steps, *shape]; nothing is copied.

    Parameters
    ----------
    inputs : array
    axes : str or None
        A letter for each axis: ``T`` the steps, ``B`` the samples (may be absent), any other
        letter an axis of the input population's shape, in the population's order (``CHW``,
        or ``N`` of a flat one), or ``...`` for all of them, where they stand together and
        in order. None leaves the inputs as they are.

    Returns
    -------
    array [samples, steps, *shape], or [steps, *shape] without a ``B``

    Raises
    ------
    InputError
        If the letters do not fit the array.

    Examples
    --------
    >>> order_axes(np.zeros((100, 8, 20)), "TBN").shape
    (8, 100, 20)
    >>> order_axes(np.zeros((100, 8, 2, 34, 34)), "TB...").shape
    (8, 100, 2, 34, 34)
    """
    if axes is None:
        return inputs
    letters = axes.upper()
    if letters.count("...") == 1:
        # Letters of their own, in alphabetical order, which CHW and N keep among themselves.
        missing = inputs.ndim - len(letters) + len("...")
        letters = letters.replace("...", "0123456789"[: max(missing, 0)])
    if len(letters) != inputs.ndim or len(set(letters)) != len(letters) or "." in letters:
        raise InputError(
            f"axes {axes!r}: needs one letter for each of {inputs.ndim} axes of shape "
            f"{inputs.shape}, each once; for example TBN, BTCHW or TB..."
        )
    if "T" not in letters:
        raise InputError(f"axes {axes!r}: says of no axis that it is time; name it T")
    # CHW is alphabetical already; so is every order in which a shape's axes are named.
    shape = sorted(letter for letter in letters if letter not in "BT")
    wanted = [letter for letter in "BT" if letter in letters] + shape
    return inputs.transpose([letters.index(letter) for letter in wanted])


def read_labels(path: str | os.PathLike[str]) -> NDArray[np.int64]:
    """Read labels from ``.npy`` (one array) or ``.npz`` (array ``labels``), int64 [samples].

    Raises
    ------
    InputError
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give labels as .npy or .npz")
    if not _is_archive(path):
        return _as_labels(path, _mapped(path, "labels"))
    from ..numpy_files import read_archive

    found = read_archive(path, ("labels",), InputError, "give labels as .npy or .npz")
    if "labels" not in found:
        raise InputError(f"{path}: no array 'labels' in it; save it with labels=...")
    return _as_labels(path, found["labels"])


def _as_labels(path: Path, found: NDArray[Any]) -> NDArray[np.int64]:
    if found.ndim != 1 or found.dtype.kind not in "biu":
        raise InputError(
            f"{path}: labels of dtype {found.dtype} and shape {found.shape}; give one whole "
            f"number per sample"
        )
    return np.asarray(found, np.int64)


@dataclass(frozen=True, eq=False)
class Presented:
    """Inputs as the numbers that the first population takes, made block by block.

    Attributes
    ----------
    given : array [samples, steps given, *shape]
        As the user gave them, in whatever type.
    steps : int
        Steps to present; after those given come zeros (nothing presented).
    transform : InputTransform or None
    limits : (int, int)
        Smallest and largest integer presented.
    whole : bool
        False where they are float32 in place of integers, which only a float network takes.
    """

    given: NDArray[Any]
    steps: int
    transform: InputTransform | None
    limits: tuple[int, int]
    whole: bool = True

    @property
    def shape(self) -> tuple[int, ...]:
        """(samples, steps, *shape)."""
        return self.given.shape[0], self.steps, *self.given.shape[2:]

    def __len__(self) -> int:
        return len(self.given)

    @property
    def binary(self) -> bool:
        """Whether there is nothing but 0 and 1, plain spikes without payloads."""
        return self.whole and self.limits[0] >= 0 and self.limits[1] <= 1

    @property
    def held(self) -> bool:
        """Whether all steps given are one in memory, as `numpy.broadcast_to` makes them."""
        return self.given.shape[1] > 1 and self.given.strides[1] == 0

    @cached_property
    def once(self) -> Presented:
        """Of what is held, one step."""
        return replace(self, given=self.given[:, :1], steps=1)

    def __getitem__(self, samples: slice) -> NDArray[Any]:
        """Make a block: int32 (float32 unless whole) [samples, steps, *shape]."""
        made = self.block(samples)
        kind = np.int32 if self.whole else np.float32
        if made.shape[1] == self.steps:
            return np.ascontiguousarray(made, kind)
        values = np.zeros((len(made), *self.shape[1:]), kind)
        values[:, : made.shape[1]] = made
        return values

    def block(self, samples: slice) -> NDArray[Any]:
        """Make a block of the steps given, [samples, steps given, *shape].

        uint8 where that is what the user gave, with nothing copied; else int32
        (float32 unless whole).
        """
        given = self.given[samples]
        if len(given) == len(self.given) and given.nbytes <= _KEPT_BYTES:
            return self._only  # what is hashed is what runs: it is made once
        _let_go(self.given)
        return self._made(given)

    @cached_property
    def _only(self) -> NDArray[Any]:
        return self._made(self.given)

    def _made(self, given: NDArray[Any]) -> NDArray[Any]:
        small = given.dtype in (np.bool_, np.uint8)
        if self.transform is None:
            if small:
                return np.ascontiguousarray(given).view(np.uint8)
            return np.ascontiguousarray(given, np.int32 if self.whole else np.float32)
        if small:  # 256 values can be looked up
            made = self.transform(np.arange(256)).astype(np.int32)
            return np.take(made, given.view(np.uint8))
        return np.ascontiguousarray(self.transform(given), np.int32)

    def fingerprint(self) -> str:
        """SHA-256 of what is presented, shape included; the type it came in makes no difference.

        Of large inputs that are the same in every step, as where a picture is held, one step is.
        """
        kind = self._narrowest()
        name = "bits" if self.binary else kind.__name__
        digest = hashlib.sha256(f"neurodeploy.inputs.2 {self.shape} {name}".encode())
        whole = self.given.shape[1] == self.steps
        large = whole and self.given.size >= _LARGE
        for first in range(0, len(self), _HASHED_SAMPLES):
            part = slice(first, first + _HASHED_SAMPLES)
            if large and self.held:
                made = self.once.block(part)
            else:
                made = self.block(part) if whole else self[part]
            if large and (self.held or _all_steps_same(made)):
                digest.update(b"held")
                made = made[:, :1]
            # Eight spikes a byte: hashing is what takes longest before a short run.
            hashed = np.packbits(made) if self.binary else np.ascontiguousarray(made, kind)
            digest.update(hashed.data)
        return digest.hexdigest()

    def _narrowest(self) -> type[np.number[Any]]:
        """Smallest type that holds what is presented."""
        if not self.whole:
            return np.float32
        largest = max(self.limits[1], ~self.limits[0])
        return np.int8 if largest < 1 << 7 else np.int16 if largest < 1 << 15 else np.int32


def present(
    network: Network,
    inputs: NDArray[Any],
    steps: int | None = None,
    apply_transform: bool = True,
    axes: str | None = None,
) -> Presented:
    """Check inputs and make ready to turn them into what the first population takes.

    Parameters
    ----------
    network : Network
    inputs : array [steps, *shape] or [samples, steps, *shape]
        Spikes (0/1) or payloads, for a network whose first population is a
        port; values presented to its neurons where it has some. Any finite
        numbers for a float network. Axes of
        length 1 of the shape may be left out.
    steps : int, optional
        Cut, or fill with zeros (nothing presented) to this many steps.
    apply_transform : bool
        Apply the input layer's own weight and bias:
        ``round(value * weight + bias)``. False takes the inputs as the
        neurons' integers already.
    axes : str, optional
        The order of the inputs' axes where it is another one, see `order_axes`.

    Returns
    -------
    Presented

    Raises
    ------
    InputError
        If shape, dtype or range do not fit; nothing is wrapped or clipped.
    """
    population = network.input
    array = order_axes(np.asanyarray(inputs), axes)
    array = _shaped(array, population.shape, population.name)
    if array.dtype.kind not in "biuf":
        raise InputError(f"inputs: dtype {array.dtype}; give integers (0/1 or payloads)")
    steps = array.shape[1] if steps is None else steps
    if steps < 1:
        raise InputError(f"steps: {steps}; give at least 1")
    given = array[:, :steps]
    if network.is_float:
        return _present_floats(given, steps)
    transform = population.transform if apply_transform else None
    if given.dtype.kind == "f":
        _check_floats(given, population.name, scaled=transform is not None)
    ends = _ends(given)
    if transform is not None:
        low, high = (float(transform(end)) for end in ends)
        ends = min(low, high), max(low, high)
    _check_range(network, *ends, transformed=transform is not None)
    limits = int(ends[0]), int(ends[1])
    if given.shape[1] < steps:
        limits = min(limits[0], 0), max(limits[1], 0)
    return Presented(given, steps, transform, limits)


def warn_of_time_first(network: Network, shape: tuple[int, ...], stacklevel: int = 3) -> None:
    """Warn of inputs that may be [steps, samples, ...], as the framework's own arrays are.

    Parameters
    ----------
    network : Network
    shape : tuple of int
        (samples, steps, ...) as the inputs were read.
    stacklevel : int
        As `warnings.warn` takes it, seen from here.

    Warns
    -----
    InputWarning
        If the network's framework keeps time first and there are more samples than steps.
    """
    samples, steps = shape[:2]
    framework = network.metadata.get("nir/preset")
    if framework in TIME_FIRST and samples > steps > 1:
        warnings.warn(
            f"inputs: read as {samples} samples of {steps} steps; {framework} keeps time first: "
            f"if these are {samples} steps of {steps} samples give axes 'TB...', else 'BT...'",
            InputWarning,
            stacklevel=stacklevel,
        )


def as_samples(network: Network, inputs: NDArray[Any]) -> NDArray[Any]:
    """Bring inputs in any shape that `present` takes to [samples, steps, *input shape].

    Raises
    ------
    InputError
        If they are of another shape.
    """
    return _shaped(np.asanyarray(inputs), network.input.shape, network.input.name)


def draining_steps(network: Network, inputs: NDArray[Any]) -> int:
    """Chip steps after which the last of `inputs` has reached the output; errors: `as_samples`."""
    return int(as_samples(network, inputs).shape[1]) + network.hops(network.output.name)


def _ends(given: NDArray[Any]) -> tuple[float, float]:
    """Smallest and largest value; 0 for the smallest of what has no sign, without looking."""
    lows, highs = [0.0] if given.dtype.kind in "bu" else [], []
    # What `numpy.broadcast_to` repeats is looked at once.
    if 0 in given.strides:
        given = given[tuple(slice(0, 1) if step == 0 else slice(None) for step in given.strides)]
    for first in range(0, len(given), _HASHED_SAMPLES):
        part = given[first : first + _HASHED_SAMPLES]
        highs.append(float(part.max()))
        if given.dtype.kind not in "bu":
            lows.append(float(part.min()))
        _let_go(given)
    return min(lows), max(highs)


def _all_steps_same(made: NDArray[Any]) -> bool:
    """Whether each sample presents the same in all its steps, more than one."""
    return made.shape[1] > 1 and all(
        (sample[1] == sample[0]).all() and (sample[2:] == sample[0]).all() for sample in made
    )


def _let_go(array: NDArray[Any]) -> None:
    """Let the system take back what was read of a mapped file; it is read again if needed.

    Otherwise a run on inputs from a file holds all of them in the end.
    """
    mapping = getattr(array, "_mmap", None)
    if mapping is not None and hasattr(mapping, "madvise"):
        mapping.madvise(mmap.MADV_DONTNEED)


def _present_floats(given: NDArray[Any], steps: int) -> Presented:
    """Whatever is finite; integers stay integers, so that both worlds know the same inputs."""
    whole = True
    for sample in _finite(given):
        whole = whole and not (given.dtype.kind == "f" and (sample != np.rint(sample)).any())
    low, high = float(given.min()), float(given.max())
    if max(abs(low), abs(high)) >= 1 << 31:
        whole = False
    limits = (min(int(low), 0), max(int(high), 0)) if given.shape[1] < steps else None
    return Presented(given, steps, None, limits or (int(low), int(high)), whole)


def _finite(given: NDArray[Any]) -> Iterator[NDArray[Any]]:
    for sample in given:
        if not np.isfinite(sample).all():
            raise InputError("inputs: NaN or infinite values; clean the input file")
        yield sample


def _check_floats(given: NDArray[Any], name: str, scaled: bool) -> None:
    for sample in _finite(given):
        if not scaled and (sample != np.rint(sample)).any():
            worst = sample[sample != np.rint(sample)].flat[0]
            raise InputError(
                f"inputs: value {worst:g} is not whole, and {name!r} has no weight to scale it by; "
                f"give integers"
            )


def _shaped(array: NDArray[Any], shape: tuple[int, ...], name: str) -> NDArray[Any]:
    """Bring inputs to [samples, steps, *shape]."""
    squeezed = tuple(n for n in shape if n != 1)
    for wanted in (shape, squeezed):
        lead = array.ndim - len(wanted)
        if lead in (1, 2) and array.shape[lead:] == wanted:
            full = array.reshape(*array.shape[:lead], *shape)
            full = full if lead == 2 else full[None]
            if 0 in full.shape:
                raise InputError(f"inputs: shape {array.shape} holds nothing; give some steps")
            return full
    raise InputError(
        f"inputs: shape {array.shape} does not fit population {name!r} of shape {shape}; "
        f"give [steps, {', '.join(map(str, shape))}] or [samples, steps, ...]"
    )


def range_of(network: Network) -> tuple[int, int]:
    """Smallest and largest integer that a network's first population takes."""
    return network.input.neuron.input_range


def _check_range(network: Network, low: float, high: float, transformed: bool) -> None:
    neuron, name = network.input.neuron, network.input.name
    least, limit = range_of(network)
    if neuron.is_port:
        what = "payloads" if least < 0 else "spikes (0/1) or positive payloads"
    else:
        what = "integers after weight and bias" if transformed else "integers"
    if low < least or high > limit:
        worst = low if low < least else high
        raise InputError(
            f"inputs: value {worst:.0f} is outside {least}..{limit}, the {what} that {name!r} takes"
        )
