"""A network whole, in an HDF5 group ``neurodeploy`` beside NetX's ``layer``.

NetX cannot hold every network: branches, loops over several layers, neurons
that SLAYER has not. Such a network is written here as plain datasets and
attributes: a group for each population and projection, inside it one for its
neuron or synapse, with the class's name and fields. Nothing is pickled.

``layer`` is written beside it where NetX can hold the chain, so that programs
that know only NetX open the file. The group keeps a hash of ``layer``: if
another program has changed that part since, the reader notices, and reads what
was changed.
"""

from __future__ import annotations

import hashlib
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from .. import network as models
from ..errors import FormatError, NetworkError
from ..network import Audit, AuditEntry, Network, Rating

GROUP = "neurodeploy"
VERSION = 1


def write_whole(file: h5py.File, network: Network) -> None:
    """Write a network into the group of an open file, after ``layer`` if there is one."""
    group = file.create_group(GROUP)
    group.attrs["version"] = VERSION
    group.attrs["fingerprint"] = network.fingerprint
    group.attrs["layer_sha256"] = layer_hash(file)
    for name, items in (
        ("populations", network.populations),
        ("projections", network.projections),
        ("audit", network.audit.entries),
    ):
        part = group.create_group(name)
        for index, item in enumerate(items):
            _write(part, f"{index:06d}", item)
    facts = group.create_group("metadata")
    for key, value in network.metadata.items():
        facts.attrs[key] = value


def read_whole(file: h5py.File, path: Path) -> Network | None:
    """Read the group of an open file.

    Returns
    -------
    Network or None
        None if ``layer`` was changed since the group was written.

    Raises
    ------
    FormatError
        If the group is damaged, or newer than this reader.
    """
    group = file[GROUP]
    version = int(group.attrs.get("version", 0))
    if version != VERSION:
        raise FormatError(
            f"{path}: {GROUP}: version {version}, this neurodeploy reads {VERSION}; update it"
        )
    if group.attrs.get("layer_sha256") != layer_hash(file):
        return None
    try:
        parts = {
            name: tuple(_read(group[name][key]) for key in sorted(group[name]))
            for name in ("populations", "projections", "audit")
        }
        metadata = {key: _plain(value) for key, value in group["metadata"].attrs.items()}
        network = Network(
            parts["populations"], parts["projections"], Audit(parts["audit"]), metadata
        )
    except (KeyError, TypeError, ValueError, OSError, AttributeError, NetworkError) as error:
        raise FormatError(f"{path}: {GROUP}: damaged ({error}); export it again") from error
    if network.fingerprint != group.attrs.get("fingerprint"):
        raise FormatError(f"{path}: {GROUP}: does not match its fingerprint; export it again")
    return network


def layer_hash(file: h5py.File) -> str:
    """SHA-256 over names, types and contents of everything in ``layer``; of nothing without it."""
    digest = hashlib.sha256()

    def feed(name: str, item: h5py.Group | h5py.Dataset) -> None:
        digest.update(name.encode())
        for key in sorted(item.attrs):
            digest.update(f"{key}={item.attrs[key]!r}".encode())
        if isinstance(item, h5py.Dataset):
            value = np.asarray(item[()])
            digest.update(f"{value.shape}{item.dtype.kind}".encode())
            held = value.tobytes() if value.dtype.kind != "O" else repr(value.tolist()).encode()
            digest.update(held)

    if "layer" in file:
        file["layer"].visititems(feed)
    return digest.hexdigest()


def _write(group: h5py.Group, key: str, value: Any) -> None:
    """Write one value: a dataclass as a group, an array as a dataset, the rest as attributes."""
    if value is None:
        return
    if is_dataclass(value) and not isinstance(value, type):
        inside = group.create_group(key)
        inside.attrs["class"] = type(value).__name__
        for item in fields(value):
            _write(inside, item.name, getattr(value, item.name))
    elif isinstance(value, np.ndarray):
        group.create_dataset(key, data=value)
    else:
        group.attrs[key] = value.value if isinstance(value, Rating) else value


def _read(group: h5py.Group) -> Any:
    name = group.attrs["class"]
    if name not in models.__all__ or not is_dataclass(getattr(models, name)):
        raise ValueError(f"no class {name!r} in neurodeploy.network")
    model = getattr(models, name)
    values: dict[str, Any] = {}
    for item in fields(model):
        if item.name in group.attrs:
            values[item.name] = _plain(group.attrs[item.name])
        elif item.name in group:
            held = group[item.name]
            values[item.name] = _read(held) if isinstance(held, h5py.Group) else held[()]
        elif item.default is MISSING and item.default_factory is MISSING:
            values[item.name] = None
    if model is AuditEntry:
        values["rating"] = Rating(values["rating"])
    return model(**values)


def _plain(value: Any) -> Any:
    """Python's own numbers, strings and tuples, as attributes were before h5py took them."""
    if isinstance(value, np.ndarray):
        return tuple(value.tolist())
    return value.item() if isinstance(value, np.generic) else value
