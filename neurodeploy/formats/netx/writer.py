"""Writes NetX HDF5 as SLAYER's blocks do, so that lava-dl reads it too."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import NeurodeployError, UnsupportedError
from ...files import written_whole
from ...hdf5 import written_hdf5
from ...hdf5_tree import Group, write_tree
from ...network import (
    Average,
    ComplexConv,
    ComplexDense,
    Conv,
    ConvTranspose,
    DelayedDense,
    Dense,
    Network,
    Neuron,
    Pool,
    Population,
    Projection,
    Rating,
    Source,
    Unpool,
)
from .late_starts import STARTS
from .losses import list_losses
from .neuron_reader import input_exponent_after
from .neuron_writer import per_channel, write_neuron
from .synapse_reader import write_dense, write_kernel
from .whole_network import write_whole

DENSE = (Dense, DelayedDense, ComplexDense)


def save_netx(network: Network, path: str | os.PathLike[str], *, netx_only: bool = False) -> str:
    """Write a network as NetX HDF5; the file appears only once it is whole.

    What NetX cannot hold, or would give back otherwise, is kept in a group
    beside ``layer``, see `whole`. If NetX has no place for an element, or the
    network is no chain, that group is all there is: half a chain would run as
    another network.

    Parameters
    ----------
    network : Network
    path : path
    netx_only : bool
        Write ``layer`` and nothing else, or refuse. What was written is read
        back and held against the network, see `losses`.

    Returns
    -------
    str
        Why there is no ``layer``; nothing where there is one.

    Raises
    ------
    UnsupportedError
        With `netx_only`, if NetX cannot hold an element, or not all of it.
    """
    missing = ""
    file = Group()
    try:
        file = _layers_of(network)
        if netx_only:
            _check_complete(network, file, Path(path))
    except UnsupportedError as error:
        if netx_only:
            raise
        missing = str(error)
    if missing or not (netx_only or _reads_the_same(network, file, Path(path))):
        write_whole(file, network)
    with written_whole(path) as temporary, written_hdf5(temporary) as written:
        write_tree(written, file)
    return missing


def why_no_layers(network: Network) -> str:
    """Why NetX cannot hold a network, so that its file has no ``layer``; nothing if it can."""
    try:
        _layers_of(network)
    except UnsupportedError as error:
        return str(error)
    return ""


def _check_complete(network: Network, file: Group, path: Path) -> None:
    """Refuse a network that a reader of its layers does not get back."""
    from .reader import read_tree  # reads through this module's neighbours

    try:
        again = read_tree(file, path)
    except NeurodeployError as error:
        reason = str(error).replace(f"{path}: ", "")
        raise UnsupportedError(f"NetX cannot give this network back: {reason}") from error
    for element, loss in list_losses(network, again):
        raise UnsupportedError(
            f"{element}: NetX cannot hold it whole: {loss}; or leave netx_only out"
        )


def _reads_the_same(network: Network, file: Group, path: Path) -> bool:
    from .reader import read_tree  # reads through this module's neighbours

    if network.audit.worst is not Rating.FAITHFUL:
        return False  # what a conversion lost must not be forgotten on the way
    try:
        again = read_tree(file, path)
        return again == network and dict(again.metadata) == dict(network.metadata)
    except NeurodeployError:
        return False


def _layers_of(network: Network) -> Group:
    """A file's tree, with the network in ``layer``."""
    file = Group()
    root = file.require_group("layer")
    index = 0
    for population, projection in list(_chain(network)):
        if is_axon(network, population):
            continue  # its delays are in the layer before
        if projection is not None and _needs_flatten(network, projection):
            group = root.require_group(str(index))
            _text(group, "type", "flatten")
            group["shape"] = np.array([network[projection.source].size, 1, 1])
            index += 1
        elif projection is None and _implicit(network):
            continue
        group = root.require_group(str(index))
        kind = _write_layer(group, network, population, projection)
        if population.name != ("input" if kind == "input" else f"{index}_{kind}"):
            group.attrs["name"] = population.name
        index += 1
    for key, value in network.metadata.items():
        if key.startswith("simulation/"):
            file[key] = value
        elif key.startswith("quantize/"):  # how it was rounded; other readers need not know
            file.require_group("quantize").attrs[key.partition("/")[2]] = value
    return file


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
    return isinstance(projection.synapse, DENSE) and len(network[projection.source].shape) == 3


def _write_layer(
    group: Group, network: Network, population: Population, projection: Projection | None
) -> str:
    group["shape"] = np.array(population.shape)
    if projection is None:
        kind = "input"
        if population.transform is not None:
            group["weight"] = np.array([population.transform.weight], np.float64)
            group["bias"] = np.array([population.transform.bias], np.float64)
    elif isinstance(population.neuron, Average):
        kind = "average"
    else:
        kind = _write_synapses(group, network, projection)
    _write_loops(group, network, population, kind)
    _text(group, "type", kind)
    delay = _axon_delay(network, population)
    if delay is not None:
        if "delay" in group:
            raise UnsupportedError(
                f"population {population.name!r}: NetX holds the delays of a layer's axons or of "
                f"its synapses, not both"
            )
        group["delay"] = per_channel(population, delay).astype(np.float32)
    if not isinstance(population.neuron, (Source, Average)):
        source = None if projection is None else projection.source
        write_neuron(group, population, input_exponent_after(_sender(network, source)))
        if "bias" in group and projection is not None and not population.starts:
            group.attrs[STARTS] = 0  # else a reader may take it for the mean of a norm
    return kind


def _write_synapses(group: Group, network: Network, projection: Projection) -> str:
    synapse = projection.synapse
    if isinstance(synapse, DENSE):
        write_dense(group, synapse)
        loops = any(p.source == p.target for p in network.into(projection.target))
        return "dense_rec" if loops else "dense"
    if isinstance(synapse, (Conv, ComplexConv, ConvTranspose, Pool, Unpool)):
        try:
            return write_kernel(group, synapse, network[projection.source].shape)
        except UnsupportedError as error:
            raise UnsupportedError(f"projection {projection.name}: {error}") from None
    raise UnsupportedError(
        f"population {projection.target!r}: NetX has no layer for its {synapse.kind} synapses"
    )


def _write_loops(group: Group, network: Network, population: Population, kind: str) -> None:
    loops = [p for p in network.into(population.name) if p.source == population.name]
    for loop in loops:
        if kind != "dense_rec" or not isinstance(loop.synapse, Dense) or len(loops) > 1:
            raise UnsupportedError(
                f"projection {loop.name}: NetX holds one dense loop of a dense layer only"
            )
        if population.axon_delay is not None:
            raise UnsupportedError(
                f"projection {loop.name}: NetX delays what a recurrent layer sends, but not its "
                f"loop; this network delays both"
            )
        group["weight_rec"] = loop.synapse.weight.astype(np.float32)


def _sender(network: Network, name: str | None) -> Neuron | None:
    """The neuron whose messages leave a population: a relay's or average's are those of another."""
    if name is None:
        return None
    while isinstance(network[name].neuron, Average):
        name = network.into(name)[0].source
    return network[name].neuron


def _axon_of(network: Network, population: Population) -> Population | None:
    """The population that stands for the delayed axons of a recurrent layer, see `netx`."""
    for projection in network.out_of(population.name):
        axon = network[projection.target]
        if is_axon(network, axon):
            return axon
    return None


def is_axon(network: Network, population: Population) -> bool:
    """Whether a population stands for the delayed axons of a recurrent layer, see `netx`."""
    relays = isinstance(population.neuron, Average) and population.neuron.group_size == 1
    sources = [p.source for p in network.into(population.name)]
    loops = any(p.source == p.target for name in sources for p in network.into(name))
    return relays and population.axon_delay is not None and len(sources) == 1 and loops


def _axon_delay(network: Network, population: Population) -> NDArray[np.int32] | None:
    axon = _axon_of(network, population)
    return population.axon_delay if axon is None else axon.axon_delay


def _text(group: Group, key: str, text: str) -> None:
    group[key] = np.array([text.encode("ascii")], "S10")
