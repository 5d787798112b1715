"""The one form in which a network is hashed and stored: a tree that JSON can hold, and arrays.

``flatten`` turns a dataclass of this package into ``{"class": name, "fields": {...}}``, with
``"version"`` where the class is not in its first one, a tuple into a list and an array into
``{"array": key}``. Fields at their default are left out, so that a file written today is read by a
release whose classes have more fields. ``unflatten`` undoes it, and reads older versions.

The fingerprint goes over the same tree, with one more rule: the fields that a class had in 0.1 are
hashed at their default too. So a network has the fingerprint that 0.1 gave it, and a field that is
new changes no fingerprint while it is at its default.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetworkError
from .fields import CLASSES, DERIVED
from .neurons import NEURONS

Arrays = dict[str, NDArray[Any]]

_LEAKS = "current_decay voltage_decay "
_TURNING = "sin_decay cos_decay "
_ADAPTS = "threshold_decay refractory_decay threshold threshold_step "
_GRADED = "graded_spike input_exponent"
_WINDOW = "weight stride padding dilation "

FIELDS_OF_0_1 = {
    name: tuple(names.split())
    for name, names in {
        "ALIF": _LEAKS + _ADAPTS + "bias " + _GRADED,
        "AdaptiveResonateFire": _TURNING + _ADAPTS + _GRADED,
        "AdaptiveResonateFireIzhikevich": _TURNING + _ADAPTS + _GRADED,
        "Average": "group_size",
        "Complex": "real imag",
        "ComplexConv": "real imag stride padding dilation groups",
        "ComplexDense": "real imag",
        "Conv": _WINDOW + "groups",
        "ConvTranspose": _WINDOW + "groups",
        "CubaLIF": _LEAKS + "threshold bias",
        "DelayedDense": "weight delay beyond_chip",
        "Delta": "threshold fraction_bits",
        "Dense": "weight",
        "FloatLIF": "current_keep current_gain current_bias voltage_keep voltage_gain voltage_bias "
        "threshold reset reset_value reset_time inclusive sees_last_current minimum sends",
        "GeneralCubaLIF": _LEAKS
        + "threshold bias bias_into reset refractory graded_spike input_exponent voltage_exponent",
        "GeneralSigmaDelta": "threshold bias lowest highest message_shift",
        "GradedThreshold": "threshold rectify",
        "InputTransform": "weight bias rounds_first",
        "LeakyIntegrator": _LEAKS + "bias input_exponent",
        "OneToOne": "weight",
        "Pool": _WINDOW + "end_padding across_channels",
        "Population": "name shape neuron axon_delay transform starts",
        "Projection": "source target synapse",
        "ResonateFire": _TURNING + "threshold " + _GRADED,
        "ResonateFireIzhikevich": _TURNING + "threshold " + _GRADED,
        "SigmaDelta": "threshold bias rectify fraction_bits",
        "Source": "signed",
        "Sparse": "indptr index weight sources",
        "TemporalFIR": "weight",
        "TernaryLIF": _LEAKS + "upper lower bias",
        "Threshold": "threshold bias",
        "Unpool": _WINDOW + "across_channels",
    }.items()
}
"""Fields that are hashed at their default, too, in this order. It never changes."""


def flatten(value: Any, arrays: Arrays) -> Any:
    """Turn parts of a network into what JSON can hold.

    Parameters
    ----------
    value : dataclass of this package, tuple, array, number, str or None
    arrays : dict
        Takes the arrays, by the key that stands in their place.

    Raises
    ------
    NetworkError
        If a class has the name of another one, by which a reader would take it for that.
    """
    if isinstance(value, np.ndarray):
        key = f"array{len(arrays)}"
        arrays[key] = value
        return {"array": key}
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        model: type = type(value)
        if CLASSES.get(model.__name__) is not model:
            raise NetworkError(
                f"{model.__module__}.{model.__qualname__}: another class of a network is called "
                f"so, and a file could not tell them apart; rename it"
            )
        tree: dict[str, Any] = {"class": model.__name__}
        if (version := _version_of(model)) != 1:
            tree["version"] = version
        held = {name: flatten(item, arrays) for name, item in _told(value)}
        return {**tree, "fields": held}
    if isinstance(value, (tuple, list)):
        return [flatten(item, arrays) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def unflatten(tree: Any, arrays: Arrays) -> Any:
    """Undo `flatten`; arrays are frozen, not copied.

    Raises
    ------
    ValueError, KeyError, TypeError
        If the tree is damaged, or of a newer release.
    NetworkError
        If it is no network.
    """
    if isinstance(tree, list):
        return tuple(unflatten(item, arrays) for item in tree)
    if not isinstance(tree, dict):
        return tree
    if "array" in tree:
        array = arrays[tree["array"]]
        array.setflags(write=False)
        return array
    if tree["class"] not in CLASSES:
        list(NEURONS)  # of which other packages bring some
    model = CLASSES.get(tree["class"])
    if model is None:
        raise ValueError(
            f"no class {tree['class']!r} in neurodeploy.network, nor in a package that is imported "
            f"or brings neurons; import or install its own"
        )
    values = {name: unflatten(item, arrays) for name, item in tree["fields"].items()}
    written, ours = int(tree.get("version", 1)), _version_of(model)
    if written > ours:
        raise ValueError(
            f"{tree['class']}: version {written}, this neurodeploy reads {ours}; update it"
        )
    if written < ours:
        values = model.upgrade(written, values)
    unknown = set(values) - {item.name for item in fields(model)}  # type: ignore[arg-type]
    if unknown:
        raise ValueError(
            f"{tree['class']}: no field {min(unknown)!r}; a newer neurodeploy wrote it, update "
            f"this one"
        )
    return model(**values)


def fingerprint(value: Any) -> str:
    """SHA-256 over parts of a network; equal parts give equal hashes, in every release."""
    digest = hashlib.sha256(b"neurodeploy.network.1")
    _feed(digest, value)
    return digest.hexdigest()


def hash_values(values: NDArray[Any]) -> str:
    """SHA-256 of values presented to a network, [samples, ...], with their shape."""
    digest = hashlib.sha256(str(values.shape).encode())
    for sample in np.atleast_1d(values):  # may be mapped from a disk, and more than memory holds
        digest.update(np.ascontiguousarray(sample).data)
    return digest.hexdigest()


def _feed(digest: Any, value: Any) -> None:
    if isinstance(value, (np.ndarray, np.generic)) or (
        isinstance(value, (int, float)) and not isinstance(value, bool)
    ):
        array = np.asarray(value)
        # The width that an array happens to have is no difference.
        array = array.astype(np.int64 if array.dtype.kind in "iub" else np.float64, copy=False)
        digest.update(f"a{array.shape}{array.dtype.kind}".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).data)
    elif is_dataclass(value):
        model = type(value)
        digest.update(model.__name__.encode())
        if (version := _version_of(model)) != 1:
            digest.update(f"version {version}".encode())
        for name, item in _told(value, always=FIELDS_OF_0_1.get(model.__name__, ())):
            digest.update(name.encode())
            _feed(digest, item)
    elif isinstance(value, tuple):
        digest.update(f"t{len(value)}".encode())
        for item in value:
            _feed(digest, item)
    else:
        digest.update(repr(value).encode())


def _told(value: Any, always: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Fields that are not at their default, after those that are told `always`."""
    for name in always:
        yield name, getattr(value, name)
    for item in fields(value):
        if item.name not in always and DERIVED not in item.metadata:
            held = getattr(value, item.name)
            if not _is_default(item, held):
                yield item.name, held


def _is_default(item: Field[Any], held: Any) -> bool:
    if isinstance(held, np.ndarray) or item.default is MISSING:
        return False
    return type(held) is type(item.default) and bool(held == item.default)


def _version_of(model: type) -> int:
    return int(getattr(model, "version", 1))
