"""Recordings of arrays that somebody else recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..inputs import present
from ..network import Network
from .events import Events, header_of
from .header import Header
from .run_options import RunOptions

CLOCKS = ("chip", "framework")


def arrays_of(
    network: Network,
    spikes: Mapping[str, NDArray[Any]],
    states: Mapping[str, Mapping[str, NDArray[Any]]],
    inputs: NDArray[Any] | None,
    clock: str,
    backend: str,
    seconds: float,
) -> tuple[Header, dict[str, NDArray[Any]]]:
    """Build the header and the arrays of a recording, see `Recording.from_arrays`."""
    if clock not in CLOCKS:
        raise InputError(f"clock: {clock!r}; give one of {', '.join(CLOCKS)}")
    known = [population.name for population in network.populations]
    unknown = [name for name in (*spikes, *states) if name not in known]
    if unknown or not spikes:
        what = f"no population {unknown[0]!r}" if unknown else "no spikes of any population"
        raise InputError(f"arrays: {what}; give spikes by population, of {', '.join(known)}")
    dense = {name: _dense(network, name, value) for name, value in spikes.items()}
    samples, steps = next(iter(dense.values())).shape[:2]
    given = [p for p in network.populations if p.name in dense]
    names = {p.name for p in given}
    record = ("counts", "spikes", *dict.fromkeys(s for of in states.values() for s in of))
    header = header_of(network, backend, "own arrays", RunOptions(steps, record))
    header = replace(
        header,
        populations=tuple(p for p in header.populations if p.name in names),
        projections=tuple(p for p in header.projections if {p.source, p.target} <= names),
        samples=samples,
        seconds=seconds,
        inputs="" if inputs is None else present(network, inputs, steps).fingerprint(),
    )
    arrays: dict[str, NDArray[Any]] = {}
    for population in given:
        name = population.name
        late = network.hops(name) if clock == "framework" else 0
        values = _late(_same(dense[name], (samples, steps), name, "spikes"), late)
        flat = values.reshape(samples, steps, -1)
        events = Events.from_dense(flat, population.neuron.graded)
        found: dict[str, Any] = {
            "counts": events.counts.reshape(samples, *population.shape),
            "event_counts": events.step_counts,
            "neuron": events.neuron,
        }
        if events.payload is not None:
            found["payload"] = events.payload
        for state, value in states.get(name, {}).items():
            if state not in population.neuron.states:
                raise InputError(
                    f"arrays: population {name!r} has no state {state!r}; give one of "
                    f"{', '.join(population.neuron.states) or 'none'}"
                )
            shaped = _same(
                _shaped(value, population.shape, name, state), (samples, steps), name, state
            )
            found[state] = _late(shaped, late)
        if population.axon_delay is not None:
            found["axon_delay"] = population.axon_delay.astype(np.int32)
        arrays |= {f"populations/{name}/{key}": value for key, value in found.items()}
        for projection in network.projections:
            if (
                projection.source == name
                and projection.target in names
                and projection.synapse.steps
            ):
                for what in ("synops", "dense_synops"):
                    fan_out = network.fan_out(projection, dense=what == "dense_synops")
                    key = f"projections/{projection.name}/{what}"
                    arrays[key] = events.counts @ fan_out
    return header, arrays


def _dense(network: Network, name: str, value: NDArray[Any]) -> NDArray[Any]:
    neuron = network[name].neuron
    array = _shaped(value, network[name].shape, name, "spikes")
    if neuron.is_float and neuron.graded:
        return array.astype(np.float32)
    if array.dtype.kind == "f" and (array != np.rint(array)).any():
        worst = array[array != np.rint(array)].flat[0]
        raise InputError(
            f"arrays: spikes of {name!r} hold {worst:g}; give 0 and 1, or whole payloads"
        )
    if not neuron.graded and array.size and not 0 <= array.min() <= array.max() <= 1:
        raise InputError(
            f"arrays: spikes of {name!r} hold more than 0 and 1, but it sends no payloads"
        )
    return array.astype(np.int32)


def _shaped(value: NDArray[Any], shape: tuple[int, ...], name: str, what: str) -> NDArray[Any]:
    array = np.asarray(value)
    size = int(np.prod(shape))
    if array.dtype.kind not in "biuf" or array.ndim < 3 or int(np.prod(array.shape[2:])) != size:
        raise InputError(
            f"arrays: {what} of {name!r} are {array.dtype} of shape {array.shape}; give numbers "
            f"[samples, steps, {', '.join(map(str, shape))}]"
        )
    return array.reshape(*array.shape[:2], *shape)


def _same(array: NDArray[Any], shape: tuple[int, int], name: str, what: str) -> NDArray[Any]:
    if array.shape[:2] != shape:
        raise InputError(
            f"arrays: {what} of {name!r} have {array.shape[0]} samples of {array.shape[1]} steps, "
            f"others {shape[0]} of {shape[1]}; give all of the same run"
        )
    return array


def _late(array: NDArray[Any], steps: int) -> NDArray[Any]:
    """Values as they stand so many steps later; what would come after the last is dropped."""
    if not steps:
        return array
    later = np.zeros_like(array)
    later[:, steps:] = array[:, : max(0, array.shape[1] - steps)]
    return later
