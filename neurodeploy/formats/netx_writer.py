"""Writes NetX HDF5 as SLAYER's blocks do, so that lava-dl reads it too."""

from __future__ import annotations

import os
from collections.abc import Iterator

import h5py
import numpy as np

from ..errors import UnsupportedError
from ..files import written_whole
from ..network import (
    Average,
    Conv,
    Dense,
    Network,
    Population,
    Projection,
    Source,
)
from .netx_neurons import per_channel, write_neuron


def save_netx(network: Network, path: str | os.PathLike[str]) -> None:
    """Write a network as NetX HDF5; the file appears only once it is whole.

    Parameters
    ----------
    network : Network
        A chain; NetX has no branches.
    path : path

    Raises
    ------
    UnsupportedError
        If NetX cannot hold an element.
    """
    layers = list(_chain(network))
    with written_whole(path) as temporary, h5py.File(temporary, "w") as file:
        root = file.create_group("layer")
        index = 0
        for population, projection in layers:
            if projection is not None and _needs_flatten(network, projection):
                group = root.create_group(str(index))
                _text(group, "type", "flatten")
                group["shape"] = np.array([network[projection.source].size, 1, 1])
                index += 1
            elif projection is None and _implicit(network):
                continue
            group = root.create_group(str(index))
            kind = _write_layer(group, network, population, projection)
            if population.name != ("input" if kind == "input" else f"{index}_{kind}"):
                group.attrs["name"] = population.name
            index += 1
        for key, value in network.metadata.items():
            if key.startswith("simulation/"):
                file[key] = value


def _chain(network: Network) -> Iterator[tuple[Population, Projection | None]]:
    """Give each population with the projection that feeds it, input first."""
    before: Population | None = None
    for population in network.populations:
        into = [p for p in network.into(population.name) if p.source != population.name]
        sources = [p.source for p in into]
        if sources != ([] if before is None else [before.name]):
            raise UnsupportedError(
                f"population {population.name!r}: fed by {', '.join(sources) or 'nothing'}; NetX "
                f"holds a chain only, where each layer feeds the next"
            )
        yield population, (into[0] if into else None)
        before = population


def _implicit(network: Network) -> bool:
    """Whether the input needs no layer: a flat port before a first dense layer."""
    source = network.input
    return isinstance(source.neuron, Source) and len(source.shape) == 1 and source.name == "input"


def _needs_flatten(network: Network, projection: Projection) -> bool:
    return isinstance(projection.synapse, Dense) and len(network[projection.source].shape) == 3


def _write_layer(
    group: h5py.Group, network: Network, population: Population, projection: Projection | None
) -> str:
    loops = [p for p in network.into(population.name) if p.source == population.name]
    group["shape"] = np.array(population.shape)
    if projection is None:
        kind = "input"
        if population.transform is not None:
            group["weight"] = np.array([population.transform.weight], np.float32)
            group["bias"] = np.array([population.transform.bias], np.float32)
    elif isinstance(projection.synapse, Dense):
        kind = "dense_rec" if loops else "dense"
        _write_dense(group, projection.synapse)
        for loop in loops:
            if not isinstance(loop.synapse, Dense):
                raise UnsupportedError(f"projection {loop.name}: NetX holds dense loops only")
            group["weight_rec"] = loop.synapse.weight.astype(np.float32)
    elif isinstance(projection.synapse, Conv) and not loops:
        kind = "conv"
        _write_conv(group, projection.synapse)
    elif isinstance(population.neuron, Average):
        kind = "average"
    else:
        raise UnsupportedError(
            f"population {population.name!r}: NetX has no layer for its "
            f"{projection.synapse.kind} synapses"
        )
    if loops and kind != "dense_rec":
        raise UnsupportedError(f"projection {loops[0].name}: NetX holds loops of dense layers only")
    _text(group, "type", kind)
    if population.axon_delay is not None:
        group["delay"] = per_channel(population, population.axon_delay).astype(np.float32)
    if not isinstance(population.neuron, (Source, Average)):
        write_neuron(group, population)
    return kind


def _write_dense(group: h5py.Group, synapse: Dense) -> None:
    group["outFeatures"], group["inFeatures"] = synapse.weight.shape
    group["weight"] = synapse.weight.astype(np.float32)


def _write_conv(group: h5py.Group, synapse: Conv) -> None:
    group["outChannels"] = synapse.weight.shape[0]
    group["inChannels"] = synapse.weight.shape[1] * synapse.groups
    group["kernelSize"] = np.array(synapse.weight.shape[2:])
    for key in ("stride", "padding", "dilation"):
        group[key] = np.array(getattr(synapse, key))
    group["groups"] = synapse.groups
    group["weight"] = synapse.weight.astype(np.float32)


def _text(group: h5py.Group, key: str, text: str) -> None:
    group.create_dataset(key, (1,), "S10", [text.encode("ascii")])
