"""Reads a NIR file into nodes of the `nir` package, within bounds.

Nothing in the file is trusted: it is looked at as a whole before it is read, see `hdf5`, and every
size is added up before anything is allocated.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ...errors import FormatError, UnsupportedError, how_to_add
from ...hdf5_tree import Dataset, Group
from ..beyond_chip import what_is_missing
from ..hdf5 import read_hdf5

MAX_BYTES = 1 << 30
"""All arrays of a file together; 1 GiB is a thousand times the largest graph published."""

MAX_NODES = 2_000
MAX_EDGES = 20_000
MAX_DEPTH = 16
"""Groups within groups."""

MAX_TEXT = 1 << 16
"""Bytes of one string."""

_DERIVED = ("input_type", "output_type")


def nir_package() -> ModuleType:
    """Import `nir`.

    Raises
    ------
    UnsupportedError
        If it is not installed.
    """
    try:
        import nir
    except ImportError as error:
        raise UnsupportedError(
            f"NIR: the package 'nir' is missing here; install it: {how_to_add('nir')}"
        ) from error
    module: ModuleType = nir
    return module


def has_nir_layout(file: Group) -> bool:
    """Whether an HDF5 file has NIR's layout: a group ``node`` and a ``version``."""
    return isinstance(file.get("node"), Group) and "version" in file


def read_file(path: Path) -> tuple[dict[str, Any], str]:
    """Read a file's graph as nested dictionaries, and its version.

    Raises
    ------
    FormatError
        If it is no NIR file, damaged, of a newer version, or beyond a bound.
    """
    nir = nir_package()
    with read_hdf5(path) as file:
        if isinstance(file.get("node"), Group) and "version" not in file:
            raise FormatError(
                f"{path}: a NIR file without 'version', which says how to read its group 'node'; "
                f"write it again with nir.write"
            )
        if not has_nir_layout(file):
            raise FormatError(
                f"{path}: HDF5, but no NIR graph (needs a group 'node' and a 'version'); write it "
                f"with nir.write"
            )
        version = _text(path, file["version"])
        _check_version(path, version, str(nir.version))
        _check_sizes(path, file["node"])
        graph = _read_group(path, file["node"])
    return graph, version


def _check_version(path: Path, version: str, ours: str) -> None:
    numbers = version.split(".")
    if not numbers[0].isdigit():
        raise FormatError(f"{path}: version {version!r} is no NIR version; export it again")
    if int(numbers[0]) > int(ours.split(".")[0]):
        raise FormatError(
            f"{path}: NIR version {version}, newer than the {ours} that is installed; update "
            f"'nir' and neurodeploy"
        )


def _check_sizes(path: Path, root: Group) -> None:
    """Add up what is to be read, before reading it."""
    total, waiting, groups = 0, [(root, 0)], 0
    while waiting:
        group, depth = waiting.pop()
        groups += 1
        if depth > 2 * MAX_DEPTH or groups > 4 * MAX_NODES:
            raise FormatError(
                f"{path}: {group.name}: more than {2 * MAX_DEPTH} levels or {4 * MAX_NODES:,} "
                f"groups; no network needs them"
            )
        for key, item in group.items():
            if isinstance(item, Group):
                waiting.append((item, depth + 1))
                continue
            if item.shape is None:
                raise FormatError(f"{path}: {item.name}: has no value; export it again")
            if key == "edges" and item.size > 2 * MAX_EDGES:
                raise FormatError(
                    f"{path}: {item.name}: {item.size // 2:,} edges, limit {MAX_EDGES:,}; no known "
                    f"network has as many"
                )
            total += item.size * item.dtype.itemsize
            if total > MAX_BYTES:
                raise FormatError(
                    f"{path}: {item.name}: arrays of {total:,} bytes up to here, limit "
                    f"{MAX_BYTES:,}; no known network is that large"
                )


def _text(path: Path, dataset: Group | Dataset) -> str:
    if not isinstance(dataset, Dataset) or dataset.size != 1 or dataset.dtype.kind not in "SO":
        raise FormatError(f"{path}: {dataset.name}: needs a string; export it again")
    value = np.ravel(dataset.value)[0]
    return value[:MAX_TEXT].decode("utf8", "replace") if isinstance(value, bytes) else str(value)


def _read_group(path: Path, group: Group) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, item in group.items():
        if isinstance(item, Group):
            found[key] = _read_group(path, item)
        elif item.dtype.kind in "SO" and item.shape == ():
            found[key] = _text(path, item)
        else:
            found[key] = item.value
    return found


def kind_of(raw: Any) -> str:
    """The type that the file gives a node; nothing where it gives none that is a word."""
    kind = raw.get("type") if isinstance(raw, dict) else None
    return kind if isinstance(kind, str) else ""


def make_node(path: Path, name: str, raw: dict[str, Any]) -> tuple[Any, list[str]]:
    """Make a node of the `nir` package from what the file holds of it.

    Returns
    -------
    node, list of str
        The node, and names in the file that it does not know.

    Raises
    ------
    FormatError
        If the type is unknown, or something is missing or malformed.
    UnsupportedError
        If it is unknown and `beyond_chip` knows what it would need.
    """
    nir = nir_package()
    kind = kind_of(raw)
    known = getattr(nir, kind, None)
    if not isinstance(known, type) or not issubclass(known, nir.NIRNode):
        if missing := what_is_missing([kind]):
            raise UnsupportedError(f"{path}: node {name!r}: {missing}")
        raise FormatError(
            f"{path}: node {name!r}: type {kind or None!r} is not one that nir {nir.version} knows"
        )
    names = {item.name for item in fields(known)} | {"type", "shape"}
    strange = [key for key in raw if key not in names and key not in _DERIVED]
    # Flatten alone keeps its input type in the file; elsewhere old exporters left it there.
    kept = {
        key: value
        for key, value in raw.items()
        if key in names and (key not in _DERIVED or kind == "Flatten")
    }
    _fill_older(known, kept)
    if "padding" in kept and isinstance(kept["padding"], bytes):
        kept["padding"] = kept["padding"].decode("ascii", "replace")
    _check_numbers(path, name, kept)
    try:
        return nir.dict2NIRNode(kept), strange
    except Exception as error:  # asserts, KeyErrors and TypeErrors of the dataclasses
        what = f"{type(error).__name__}: {error}".split("\n")[0]
        raise FormatError(
            f"{path}: node {name!r} ({kind}): cannot be read ({what}); export it again"
        ) from error


def _fill_older(known: type, kept: dict[str, Any]) -> None:
    """Give a node what older exporters left out: no bias is one of 0, a shape flows in."""
    names = {item.name for item in fields(known)}
    if "input_shape" in names:
        kept.setdefault("input_shape", None)
    weight = np.asarray(kept.get("weight", 0))
    if "bias" in names and "bias" not in kept and weight.ndim:
        kept["bias"] = np.zeros(len(weight), np.float32)


_ENDLESS = ("tau", "tau_mem", "tau_syn", "r", "w_in")


_ONE_NUMBER = ("groups", "start_dim", "end_dim")


def _check_numbers(path: Path, name: str, values: dict[str, Any]) -> None:
    for key, value in values.items():
        if (
            key in ("metadata", "type")
            or value is None
            or (key == "padding" and type(value) is str)
        ):
            continue
        array = np.asarray(value)
        if array.dtype.kind not in "biuf" or not array.size:
            held = "no numbers" if array.dtype.kind in "biuf" else "something else"
            raise FormatError(
                f"{path}: node {name!r}: {key}: holds {held}, needs numbers; export it again"
            )
        if key in _ONE_NUMBER and (array.size != 1 or array.ravel()[0] != int(array.ravel()[0])):
            raise FormatError(f"{path}: node {name!r}: {key}: needs one whole number; correct it")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            count = int(np.count_nonzero(~np.isfinite(array)))
            cure = "retrain"
            if key in _ENDLESS and not np.isnan(array).any():
                cure = (
                    "a decay of 1 (snnTorch's beta=1 or alpha=1) exports as infinity: write an IF "
                    "node, which does not leak, or train with less than 1"
                )
            raise FormatError(
                f"{path}: node {name!r}: {key}: {count} of {array.size} values are NaN or "
                f"infinite; {cure}"
            )
