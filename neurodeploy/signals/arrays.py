"""Arrays and array files to and from the inputs of a network."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..network import Network, Source
from ..network.fixed_point import PAYLOAD_BITS, SIGMA_DELTA_SHIFT

MAX_BYTES = 1 << 34
"""Inputs larger than this (16 GiB) are refused before anything is allocated."""


def read_inputs(path: str | os.PathLike[str]) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
    """Read inputs, and labels where there are any, from ``.npy`` or ``.npz``.

    Parameters
    ----------
    path : path
        ``.npy``: one array. ``.npz``: array ``inputs``, optional ``labels``.

    Returns
    -------
    inputs : array
    labels : int64 [samples] or None

    Raises
    ------
    InputError
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give inputs as .npy or .npz")
    try:
        with path.open("rb") as file:
            if file.read(2) == b"PK":  # a zip archive; NumPy leaves it open if it is damaged
                file.seek(0)
                with np.load(file, allow_pickle=False) as archive:
                    return _from_archive(archive, path)
        return np.load(path, allow_pickle=False, mmap_mode="r"), None
    except InputError:
        raise
    except Exception as error:  # zipfile, zlib and header parsers raise many kinds
        raise InputError(
            f"{path}: not a NumPy file, or damaged ({error}); give inputs as .npy or .npz"
        ) from error


def _from_archive(archive: Any, path: Path) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
    if "inputs" not in archive.files:
        there = ", ".join(archive.files) or "none"
        raise InputError(
            f"{path}: no array 'inputs' in it (there are: {there}); "
            f"save it with np.savez(path, inputs=...)"
        )
    labels = np.asarray(archive["labels"], np.int64) if "labels" in archive.files else None
    return archive["inputs"], labels


def present(
    network: Network,
    inputs: NDArray[Any],
    steps: int | None = None,
    apply_transform: bool = True,
) -> NDArray[np.int32]:
    """Turn inputs into the integers that the first population takes at each step.

    Parameters
    ----------
    network : Network
    inputs : array [steps, *shape] or [samples, steps, *shape]
        Spikes (0/1) or payloads, for a network whose first population is a
        port; values presented to its neurons where it has some. Axes of
        length 1 of the shape may be left out.
    steps : int, optional
        Cut, or fill with zeros (nothing presented) to this many steps.
    apply_transform : bool
        Apply the input layer's own weight and bias:
        ``round(value * weight + bias)``. False takes the inputs as the
        neurons' integers already.

    Returns
    -------
    int32 [samples, steps, *shape]

    Raises
    ------
    InputError
        If shape, dtype or range do not fit; nothing is wrapped or clipped.
    """
    population = network.input
    array = _shaped(np.asanyarray(inputs), population.shape, population.name)
    if array.dtype.kind not in "biuf":
        raise InputError(f"inputs: dtype {array.dtype}; give integers (0/1 or payloads)")
    samples, length = array.shape[:2]
    steps = length if steps is None else steps
    if steps < 1:
        raise InputError(f"steps: {steps}; give at least 1")
    needed = samples * steps * population.size * 4
    if needed > MAX_BYTES:
        raise InputError(
            f"inputs: {needed:,} bytes as integers, limit {MAX_BYTES:,}; run fewer samples at once"
        )
    transform = population.transform if apply_transform else None
    length = min(length, steps)
    given: NDArray[Any] = array[:, :length]
    if given.dtype.kind == "f" and not np.isfinite(given).all():
        raise InputError("inputs: NaN or infinite values; clean the input file")
    if transform is not None:
        given = np.rint(given * transform.weight + transform.bias)
    elif given.dtype.kind == "f" and (given != np.rint(given)).any():
        worst = given[given != np.rint(given)].flat[0]
        raise InputError(
            f"inputs: value {worst:g} is not whole, and {population.name!r} has no weight to scale "
            f"it by; give integers"
        )
    _check_range(network, given, transformed=transform is not None)
    values = np.zeros((samples, steps, *population.shape), np.int32)
    values[:, :length] = given
    return values


def fingerprint(values: NDArray[Any]) -> str:
    """SHA-256 of presented inputs, shape included."""
    digest = hashlib.sha256(f"neurodeploy.inputs.1 {values.shape}".encode())
    for sample in values:
        digest.update(np.ascontiguousarray(sample, dtype=np.int32).tobytes())
    return digest.hexdigest()


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


def _check_range(network: Network, given: NDArray[Any], transformed: bool) -> None:
    if not given.size:
        return
    low, high = float(given.min()), float(given.max())
    neuron, name = network.input.neuron, network.input.name
    if isinstance(neuron, Source):
        limit = (1 << (PAYLOAD_BITS - 1)) - 1
        least = -limit - 1 if neuron.signed else 0
        what = "payloads" if neuron.signed else "spikes (0/1) or positive payloads"
    else:
        # So that a << 6 of a LIF and a << 12 of a delta encoder stay in Lava's int32.
        limit = (1 << (31 - SIGMA_DELTA_SHIFT)) - 1
        least = -limit - 1
        what = "integers after weight and bias" if transformed else "integers"
    if low < least or high > limit:
        worst = low if low < least else high
        raise InputError(
            f"inputs: value {worst:.0f} is outside {least}..{limit}, the {what} that {name!r} takes"
        )
