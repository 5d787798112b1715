"""A job folder: all that a worker needs to run a network, without pickle.

``job.json`` names the backend, the options and the network's structure,
``network.npz`` holds the network's arrays and ``inputs.npy`` what is presented
to it. Other than a file format for networks, this holds every `Network` there
can be and gives back the same, to the fingerprint. The audit stays at
home: it changes nothing in how a network runs nor in what is recorded.
"""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import network as models
from ..network import Network
from .options import RunOptions

OPTIONS = ("steps", "record", "reset_interval", "reset_offset", "inputs_fingerprint")
"""The options that a worker follows; the others concern the process that started it."""


def write_job(
    job: Path, backend: str, network: Network, values: NDArray[np.int32], options: RunOptions
) -> None:
    """Write a job into the folder `job`; see `run_in_worker` for what it holds."""
    arrays: dict[str, NDArray[Any]] = {}
    structure = pack((network.populations, network.projections), arrays)
    wanted = {key: getattr(options, key) for key in OPTIONS}
    (job / "job.json").write_text(
        json.dumps(
            {
                "backend": backend,
                "options": wanted,
                "network": structure,
                "metadata": dict(network.metadata),
            }
        )
    )
    np.savez(job / "network.npz", **arrays)
    np.save(job / "inputs.npy", values, allow_pickle=False)


def read_job(job: Path) -> tuple[str, Network, NDArray[np.int32], RunOptions]:
    """Read what `write_job` wrote: backend, network, values (mapped from disk), options."""
    wanted = json.loads((job / "job.json").read_text())
    with np.load(job / "network.npz", allow_pickle=False) as arrays:
        populations, projections = unpack(wanted["network"], dict(arrays))
    network = Network(populations, projections, metadata=wanted["metadata"])
    values = np.load(job / "inputs.npy", mmap_mode="r", allow_pickle=False)
    options = {**wanted["options"], "record": tuple(wanted["options"]["record"])}
    return wanted["backend"], network, values, RunOptions(**options)


def pack(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    """Turn tuples and dataclasses of `neurodeploy.network` into what JSON can hold.

    Arrays are put into `arrays`, and named in their place.
    """
    if isinstance(value, np.ndarray):
        name = f"array{len(arrays)}"
        arrays[name] = value
        return {"array": name}
    if is_dataclass(value):
        items = {f.name: pack(getattr(value, f.name), arrays) for f in fields(value)}
        return {"class": type(value).__name__, "fields": items}
    if isinstance(value, tuple):
        return [pack(item, arrays) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def unpack(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    """Undo `pack`."""
    if isinstance(value, list):
        return tuple(unpack(item, arrays) for item in value)
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return arrays[value["array"]]
    if value["class"] not in models.__all__:
        raise ValueError(f"job.json: no class {value['class']!r} in neurodeploy.network")
    items = {name: unpack(item, arrays) for name, item in value["fields"].items()}
    return getattr(models, value["class"])(**items)
