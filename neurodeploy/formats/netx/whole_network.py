"""A network whole, in an HDF5 group ``neurodeploy`` beside NetX's ``layer``.

NetX cannot hold every network: branches, loops over several layers, neurons
that SLAYER has not. Such a network is written here in `network.canonical`'s
form: ``network`` is JSON, the tree of its populations, projections, audit and
metadata; ``arrays`` holds the arrays that the tree names. Nothing is pickled.

``layer`` is written beside it where NetX can hold the chain, so that programs
that know only NetX open the file. The group keeps a hash of ``layer``: if
another program has changed that part since, the reader notices, and reads what
was changed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import FormatError, NetworkError
from ...files import damaged
from ...hdf5_tree import Dataset, Group
from ...network import Audit, AuditEntry, Network, Rating
from ...network.canonical import flatten, unflatten

GROUP = "neurodeploy"
VERSION = 2
PARTS = ("populations", "projections", "audit")


def write_whole(file: Group, network: Network) -> None:
    """Put a network into the group of a file's tree, after ``layer`` if there is one."""
    group = file.require_group(GROUP)
    group.attrs["version"] = VERSION
    group.attrs["fingerprint"] = network.fingerprint
    group.attrs["layer_sha256"] = layer_hash(file)
    arrays: dict[str, NDArray[Any]] = {}
    items = (network.populations, network.projections, network.audit.entries)
    tree = {name: flatten(item, arrays) for name, item in zip(PARTS, items, strict=True)}
    group["network"] = json.dumps({**tree, "metadata": dict(network.metadata)})
    held = group.require_group("arrays")
    for key, array in arrays.items():
        held[key] = array


def read_whole(file: Group, path: Path) -> Network | None:
    """Read the group of a file, of this version or an older one.

    Where the network is not the one whose fingerprint was written beside it, the audit says so.

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
    where = f"{path}: {GROUP}"
    with damaged(where):
        version = int(group.attrs.get("version", 0))
    if not 1 <= version <= VERSION:
        raise FormatError(
            f"{where}: version {version}, this neurodeploy reads 1..{VERSION}; update it"
        )
    hashed = _plain(group.attrs.get("layer_sha256"))
    if hashed != layer_hash(file):
        return None
    try:
        with damaged(where):
            tree, arrays = (_read_version_1 if version == 1 else _read)(group)
            populations, projections, entries = (unflatten(tree[name], arrays) for name in PARTS)
            network = Network(populations, projections, Audit(entries), tree["metadata"])
    except NetworkError as error:
        raise FormatError(f"{where}: damaged ({error}); export it again") from error
    if network.fingerprint != _plain(group.attrs.get("fingerprint")):
        return with_mismatch(network, f"{GROUP}/fingerprint")
    return network


def with_mismatch(network: Network, element: str) -> Network:
    """Say in the audit that a network is not the one whose fingerprint its file holds."""
    reason = (
        "of another network: the file was changed, or written by a release that says something "
        "else with it; read as it stands"
    )
    entry = AuditEntry(element, Rating.APPROXIMATE, reason)
    return replace(network, audit=network.audit + Audit((entry,)))


def _read(group: Group) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    arrays = {key: held.value for key, held in group["arrays"].items()}
    tree: dict[str, Any] = json.loads(group["network"].value)
    return tree, arrays


def _read_version_1(group: Group) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    arrays: dict[str, NDArray[Any]] = {}
    tree: dict[str, Any] = {
        name: [_tree_of_version_1(group[name][key], arrays) for key in sorted(group[name])]
        for name in PARTS
    }
    tree["metadata"] = {key: _plain(value) for key, value in group["metadata"].attrs.items()}
    return tree, arrays


def layer_hash(file: Group) -> str:
    """SHA-256 over names, types and contents of everything in ``layer``; of nothing without it."""
    digest = hashlib.sha256()
    layers = file.get("layer")
    for name, item in layers.walk() if isinstance(layers, Group) else ():
        digest.update(name.encode())
        for key in sorted(item.attrs):
            digest.update(f"{key}={_shown(item.attrs[key])}".encode())
        if isinstance(item, Dataset):
            value = np.asarray(item.value)
            digest.update(f"{value.shape}{item.dtype.kind}".encode())
            held = value.tobytes() if value.dtype.kind != "O" else repr(value.tolist()).encode()
            digest.update(held)
    return digest.hexdigest()


def _shown(value: Any) -> str:
    """An attribute as text, the same before it was written and after, whatever the NumPy.

    NumPy 2 writes the type into the `repr` of its numbers, NumPy 1, with which older files were
    written, does not.
    """
    if isinstance(value, np.generic):
        return str(value) if value.dtype.kind in "biuf" else repr(value.item())
    return repr(np.asarray(value) if isinstance(value, (list, tuple)) else value)


def _tree_of_version_1(group: Group, arrays: dict[str, NDArray[Any]]) -> Any:
    """Read a group that stands for a dataclass, as version 1 wrote it, into `canonical`'s form."""
    held = {key: _plain(value) for key, value in group.attrs.items()}
    name = held.pop("class")
    for key, item in group.items():
        if isinstance(item, Group):
            held[key] = _tree_of_version_1(item, arrays)
        else:
            arrays[item.name] = item.value
            held[key] = {"array": item.name}
    return {"class": name, "fields": held}


def _plain(value: Any) -> Any:
    """Python's own numbers, strings and lists, as attributes were before h5py took them."""
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
