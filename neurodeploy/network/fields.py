"""What the fields of a network's parts may hold: declared where a field stands, checked when made.

``threshold: Parameter = field(metadata=integers(0, 100))`` says it once. `Declared` checks it,
brings the value into its one form (int32 or float32, flat, read-only, one number where all are
equal) and names the element, the value and the limit where it is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import NetworkError, printable

RULE = "rule"
"""Key of a field's rule in its metadata: a callable that takes a value and gives its one form."""

WEIGHTS = "weights"
"""Key in the metadata of a field that holds weights of synapses."""

DERIVED = "derived"
"""Key in the metadata of a field that follows from others, and is neither stored nor hashed."""

INT32 = np.iinfo(np.int32)

CLASSES: dict[str, type[Declared]] = {}
"""All classes that a network can be made of, by name; for readers of stored networks."""

Metadata = Mapping[str, Any]


class Declared:
    """Base of all parts of a network: their fields are checked and frozen when one is made.

    Attributes
    ----------
    version : int
        Of the class's stored form. Raise it where the meaning of a field or of a default changes,
        and let `upgrade` read the older ones. A new field whose default means what was meant
        without it needs no new version.
    """

    version: ClassVar[int] = 1

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        there = CLASSES.get(cls.__name__)
        if there is None or not _is_ours(there):  # nobody takes the name of one of ours
            CLASSES[cls.__name__] = cls

    def __post_init__(self) -> None:
        for name, rule in _rules_of(type(self)):  # type: ignore[arg-type]
            value = getattr(self, name)
            try:
                accepted = rule(value)
            except ValueError as error:
                raise NetworkError(f"{self.label}: {name} {error}") from None
            if accepted is not value:
                object.__setattr__(self, name, accepted)

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickle and copy make it anew: an array's read-only mark does not travel with it.
        return type(self), tuple(getattr(self, item.name) for item in fields(self))  # type: ignore[arg-type]

    @property
    def label(self) -> str:
        """What an error calls it."""
        return type(self).__name__

    @classmethod
    def upgrade(cls, version: int, values: dict[str, Any]) -> dict[str, Any]:
        """Give the fields that an older version stored as today's.

        Parameters
        ----------
        version : int
            That wrote them, below the class's.
        values : dict
            The fields that were not at their default.
        """
        raise ValueError(f"no reader for version {version}, this is version {cls.version}")


def _is_ours(model: type) -> bool:
    return model.__module__.split(".")[0] == __name__.split(".")[0]


@cache
def _rules_of(model: type) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    return tuple(
        (item.name, item.metadata[RULE]) for item in fields(model) if RULE in item.metadata
    )


@dataclass(frozen=True)
class Integers:
    """One integer in low..high, or an int32 array of one for each neuron."""

    low: int
    high: int
    optional: bool = False

    def __call__(self, value: Any) -> Any:
        """Give an int, or a read-only int32 array of numbers that are not all equal."""
        if self.optional and value is None:
            return None
        if type(value) is int and self.low <= value <= self.high:
            return value
        array = _of_kind(value, "iu", "integers")
        _check_flat(array)
        outside = (array < self.low) | (array > self.high)
        if outside.any():
            raise ValueError(f"holds {array[outside].flat[0]}, needs {self.low}..{self.high}")
        if (array == array.flat[0]).all():  # equal values for all neurons are one number
            return int(array.flat[0])
        return frozen(array, np.int32)


def integers(
    low: int = int(INT32.min), high: int = int(INT32.max), optional: bool = False
) -> Metadata:
    """Declare one integer for the whole population, or one for each neuron; None if optional."""
    return {RULE: Integers(low, high, optional)}


def limits_of(model: type, name: str) -> tuple[int, int]:
    """Smallest and largest integer that a field holds."""
    for field_name, rule in _rules_of(model):
        if field_name == name and isinstance(rule, Integers):
            return rule.low, rule.high
    raise KeyError(f"{model.__name__}: no integers {name!r}")


def floats(optional: bool = False) -> Metadata:
    """Declare one finite number for the whole population, or one for each neuron, in float32."""

    def accept(value: Any) -> Any:
        if optional and value is None:
            return None
        array = _of_kind(value, "iuf", "numbers")
        _check_flat(array)
        array = frozen(array, np.float32)
        _check_finite(array)
        return array.flat[0].item() if (array == array.flat[0]).all() else array

    return {RULE: accept}


def one_integer(low: int = int(INT32.min), high: int = int(INT32.max)) -> Metadata:
    """Declare one integer."""

    def accept(value: Any) -> int:
        array = _of_kind(value, "iu", "an integer")
        if array.ndim or not low <= array <= high:
            raise ValueError(f"holds {value}, needs one integer in {low}..{high}")
        return int(array)

    return {RULE: accept}


def one_float() -> Metadata:
    """Declare one finite number."""

    def accept(value: Any) -> float:
        array = _of_kind(value, "iuf", "a number")
        if array.ndim or not np.isfinite(array):
            raise ValueError(f"is {value}, needs one finite number")
        return float(array)

    return {RULE: accept}


def choice(*choices: str) -> Metadata:
    """Declare one of some words."""

    def accept(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"is {value!r}; choose one of {', '.join(choices)}")
        return str(value)

    return {RULE: accept}


def text() -> Metadata:
    """Declare words, kept with what a terminal would obey spelt out."""

    def accept(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"is {value!r}; give text")
        return printable(value)

    return {RULE: accept}


def flag() -> Metadata:
    """Declare True or False."""

    def accept(value: Any) -> bool:
        if not isinstance(value, (bool, np.bool_)):
            raise ValueError(f"is {value!r}; give True or False")
        return bool(value)

    return {RULE: accept}


def pair(low: int) -> Metadata:
    """Declare two integers of at least `low`, of rows and of columns."""

    def accept(value: Any) -> tuple[int, int]:
        array = _of_kind(value, "iu", "integers")
        if array.shape != (2,) or array.min() < low:
            raise ValueError(f"is {value}, needs two integers of at least {low}")
        return int(array[0]), int(array[1])

    return {RULE: accept}


def shape() -> Metadata:
    """Declare (neurons,) or (channels, height, width)."""

    def accept(value: Any) -> tuple[int, ...]:
        array = _of_kind(value, "iu", "integers")
        if array.ndim != 1 or array.size not in (1, 3) or array.min() < 1:
            raise ValueError(f"is {value}, needs (neurons,) or (channels, height, width)")
        if math.prod(array.tolist()) > INT32.max:
            raise ValueError(f"is {value}, of more than {INT32.max} neurons")
        return tuple(array.tolist())

    return {RULE: accept}


def weights(one_for_all: bool = False) -> Metadata:
    """Declare an array of int32, or of finite float32 in a float network.

    With `one_for_all`, also one number.
    """

    def accept(value: Any) -> Any:
        if one_for_all and type(value) in (int, float):
            _check_int32(np.asarray(value))
            return value
        array = _of_kind(value, "biuf", "numbers")
        if array.ndim == 0:
            if not one_for_all:
                raise ValueError(f"is {value}, needs an array")
            return accept(array.item())
        if array.dtype.kind == "f":
            array = frozen(array, np.float32)
            _check_finite(array)
            return array
        _check_int32(array)
        return frozen(array, np.int32)

    return {RULE: accept, WEIGHTS: True}


def indices(kind: Any = np.int32, low: int = 0, optional: bool = False) -> Metadata:
    """Declare an array of integers of at least `low`: delays, or where something stands."""

    def accept(value: Any) -> Any:
        if optional and value is None:
            return None
        array = _of_kind(value, "iu", "integers")
        if array.size and (array.min() < low or array.max() > np.iinfo(kind).max):
            worst = array.min() if array.min() < low else array.max()
            raise ValueError(f"holds {worst}, needs {low}..{np.iinfo(kind).max}")
        return frozen(array, kind)

    return {RULE: accept}


def frozen(array: NDArray[Any], kind: Any) -> NDArray[Any]:
    """Give the array of this type, in C order, which nobody can change; copied only if need be."""
    if array.dtype == kind and array.flags.c_contiguous and _is_frozen(array):
        return array
    with np.errstate(over="ignore"):  # becomes infinity, which is refused by name
        copy = np.array(array, kind, order="C")
    copy.setflags(write=False)
    return copy


def _is_frozen(array: NDArray[Any]) -> bool:
    """Whether neither it nor what it is a view of can be written to."""
    held: Any = array
    while isinstance(held, np.ndarray):
        if held.flags.writeable:
            return False
        held = held.base
    return held is None


def _of_kind(value: Any, kinds: str, what: str) -> NDArray[Any]:
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"is {value!r}; give {what}") from None
    if array.dtype.kind not in kinds:
        raise ValueError(f"holds {str(array.ravel()[:1])[1:-1]} ({array.dtype}); give {what}")
    return array


def _check_flat(array: NDArray[Any]) -> None:
    if array.ndim > 1 or not array.size:
        raise ValueError(f"has shape {array.shape}; give one number, or one for each neuron")


def _check_finite(array: NDArray[Any]) -> None:
    finite = np.isfinite(array)
    if not finite.all():
        raise ValueError(
            f"holds {array.size} numbers, {np.count_nonzero(~finite)} are NaN or infinite in "
            f"float32; correct the trained network"
        )


def _check_int32(array: NDArray[Any]) -> None:
    if array.dtype.kind == "f":
        _check_finite(array)
    elif array.dtype.itemsize >= 4 and array.dtype != np.int32 and array.size:
        worst = array.max() if array.max() > INT32.max else array.min()
        if not INT32.min <= worst <= INT32.max:
            raise ValueError(f"holds {worst}, beyond the 32 bits that weights have")
