"""Recordings as NIR's data files, and back: what frameworks of NIR exchange beside the graph."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, InputError, how_to_add
from ..files import damaged, written_whole
from ..hdf5 import open_hdf5
from .recording import Recording

CURE = "write it with nir.write_data"


def to_nir_data(recording: Recording, dt: float = 1.0) -> Any:
    """Make a `nir.NIRGraphData` of a recording: a node for each population.

    Parameters
    ----------
    recording : Recording
    dt : float
        Seconds of a step.

    Returns
    -------
    nir.NIRGraphData
        Observable ``spikes`` (events, with values where payloads are sent), where they were
        recorded, and each state by its name. Neurons are flat in (C, H, W) order, times are those
        of the chip's clock.

    Raises
    ------
    InputError
        If `dt` is not above 0, or the package `nir` is missing.
    """
    nir = _nir()
    if not dt > 0:
        raise InputError(f"dt: {dt}; give seconds above 0")
    nodes = {}
    for name in recording.names:
        record = recording[name]
        found: dict[str, Any] = {}
        if record.has("spikes"):
            found["spikes"] = _events(nir, recording, name, dt)
        for state in record.states:
            values = record[state].reshape(recording.samples, recording.steps, -1)
            found[state] = nir.TimeGriddedData(values, dt)
        if found:
            nodes[name] = nir.NIRNodeData(found)
    return nir.NIRGraphData(nodes)


def write_nir_data(recording: Recording, path: str | os.PathLike[str], dt: float = 1.0) -> None:
    """Write `to_nir_data` to a file; it appears under its name only once it is whole."""
    nir = _nir()
    data = to_nir_data(recording, dt)
    with written_whole(Path(path)) as part:
        nir.write_data(str(part), data)


def read_nir_data(
    path: str | os.PathLike[str], dt: float | None = None
) -> dict[str, dict[str, NDArray[Any]]]:
    """Read a file of NIR data as arrays.

    Parameters
    ----------
    path : path
    dt : float, optional
        Seconds of a step, for events; by default that of the file's gridded observables.

    Returns
    -------
    dict of node to dict of observable to array [samples, steps, neurons]
        Of nodes within nodes, names are joined by dots. ``Recording.from_arrays`` takes them.

    Raises
    ------
    FormatError
        If it is damaged or no such file.
    InputError
        If there are events, and nothing says how long a step is.
    """
    nir = _nir()
    path = Path(path)
    open_hdf5(path, FormatError, CURE).close()  # looked at as a whole before nir reads it
    with damaged(f"{path}: NIR data", FormatError, CURE):
        data = nir.read_data(str(path))
        nodes = dict(_nodes(data, ""))
    grids = {
        float(value.dt)
        for node in nodes.values()
        for value in node.observables.values()
        if hasattr(value, "dt")
    }
    if dt is None and len(grids) == 1:
        (dt,) = grids
    with damaged(f"{path}: NIR data", FormatError, CURE):
        return {
            name: {key: _dense(path, value, dt) for key, value in node.observables.items()}
            for name, node in nodes.items()
        }


def _nir() -> Any:
    try:
        import nir
    except ImportError as error:
        raise InputError(
            f"NIR data: needs nir, which is not installed; {how_to_add('nir')}"
        ) from error
    if not hasattr(nir, "NIRGraphData"):
        raise InputError(f"NIR data: nir {nir.__version__} has none; install nir 1.0.7 or later")
    return nir


def _events(nir: Any, recording: Recording, name: str, dt: float) -> Any:
    record = recording[name]
    where, neuron, payload = record.events_of(0, recording.samples)
    sample, step = where // recording.steps, where % recording.steps
    number = np.bincount(sample, minlength=recording.samples)
    place = np.arange(len(where)) - np.repeat(np.cumsum(number) - number, number)
    shape = recording.samples, int(number.max(initial=0))
    index, time = np.full(shape, -1), np.full(shape, np.inf)
    index[sample, place], time[sample, place] = neuron, step * dt
    size, last = record.header.size, recording.steps * dt
    if not record.header.graded:
        return nir.EventData(index, time, size, last)
    value = np.zeros(shape)
    value[sample, place] = payload
    return nir.ValuedEventData(index, time, size, last, value)


def _nodes(data: Any, before: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, node in data.nodes.items():
        inner = hasattr(node, "nodes")
        found += _nodes(node, f"{before}{name}.") if inner else [(before + name, node)]
    return found


def _dense(path: Path, value: Any, dt: float | None) -> NDArray[Any]:
    if hasattr(value, "data"):
        return np.asarray(value.data)
    if dt is None:
        raise InputError(f"{path}: holds events, and nothing says how long a step is; give dt")
    steps = round(value.t_max / dt)
    real = np.asarray(value.idx) >= 0
    sample = np.nonzero(real)[0]
    # A little room, because times are multiples of dt that were rounded.
    step = np.floor(np.asarray(value.time)[real] / dt + 1e-6).astype(np.int64)
    made = np.zeros((len(value.idx), steps, value.n_neurons), np.float64)
    given = np.asarray(value.value)[real] if hasattr(value, "value") else 1
    made[sample, step, np.asarray(value.idx)[real]] = given
    return made
