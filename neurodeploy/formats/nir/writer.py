"""Writes NIR graphs: float networks for a framework, integers so that they come back."""

from __future__ import annotations

import io
import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import FormatError, NeurodeployError, UnsupportedError
from ...files import written_whole
from ...network import (
    Conv,
    DelayedDense,
    Dense,
    FloatLIF,
    Network,
    OneToOne,
    Pool,
    Population,
    Projection,
    Source,
    Sparse,
    Synapse,
)
from .file import nir_package
from .integer_networks import MARK, as_float, without_idle_delays
from .late_spikes import undelay_spikes
from .loading import load_nir
from .neuron_writer import node_of, resets_at_spikes
from .presets import RESET_WORDS, Preset, preset_named

DEFAULT_DT = 1e-4
"""Seconds; what snnTorch's and SpikingJelly's imports take for granted."""

LARGEST_MATRIX = 1 << 26


def save_nir(
    network: Network,
    path: str | os.PathLike[str],
    *,
    dt: float | None = None,
    preset: str | None = None,
) -> None:
    """Write a network as a NIR graph; the file appears only once it is whole.

    Parameters
    ----------
    network : Network
        In float32; or in integers of `CubaLIF` neurons, which are then read back and compared
        before the file appears. Weights of integers are written as they are.
    path : path
    dt : float, optional
        Time step in seconds that the time constants are to stand for; by default that of the
        graph which the network was read from, else 1e-4.
    preset : str, optional
        The framework that is to run it, by default the one whose graph it was read from,
        else ``lava``: parameters are written so that it gives the same spikes.

    Raises
    ------
    UnsupportedError
        If NIR, or that framework, cannot say an element.
    FormatError
        If nothing can be written there, or an option is impossible.
    """
    nir = nir_package()
    for projection in network.learning:
        raise UnsupportedError(
            f"projection {projection.name}: learns by a rule, and NIR has none; save it as .net"
        )
    if dt is None:
        dt = float(network.metadata.get("nir/dt_seconds", DEFAULT_DT))
    if not (np.isfinite(dt) and dt > 0):
        raise FormatError(f"{path}: dt = {dt:g} s; give a positive number of seconds")
    fixed = not network.is_float
    network = without_idle_delays(network) if fixed else network
    if preset is None:
        preset = "lava" if fixed else str(network.metadata.get("nir/preset", "lava"))
    chosen = preset_named(preset)
    if preset == network.metadata.get("nir/preset") and "nir/reset_delay" in network.metadata:
        chosen = chosen.with_reset_delay(bool(network.metadata["nir/reset_delay"]))
    floating = as_float(network) if fixed else network
    writer = _Writer(undelay_spikes(floating) if chosen.sends_late else floating, dt, chosen)
    facts: dict[str, Any] = {"dt_seconds": dt, "preset": preset, "reset": writer.reset()}
    if chosen.reset_delay is not None:
        facts["reset_delay"] = chosen.reset_delay
    if fixed:
        facts["fingerprint"] = network.fingerprint
        delayed = (p.name for p in network.populations if p.axon_delay is not None)
        facts["axons"] = [f"{name}_delay" for name in delayed]
        facts["populations"] = [p.name for p in network.populations]
        facts["projections"] = [[p.source, p.target, p.synapse.kind] for p in network.projections]
        facts["metadata"] = {k: v for k, v in network.metadata.items() if k.startswith("quantize/")}
        facts["signed"] = isinstance(network.input.neuron, Source) and network.input.neuron.signed
    graph = writer.graph({MARK: json.dumps(facts)})
    with written_whole(path) as temporary:
        held = io.BytesIO()  # libhdf5 crashes on a full disk
        nir.write(held, graph)
        temporary.write_bytes(held.getbuffer())
        if fixed and preset == "lava" and not _comes_back(temporary, network):
            raise UnsupportedError(
                f"{path}: the integers of this network do not come back from NIR exactly; write "
                f".net instead"
            )


def _comes_back(path: Path, network: Network) -> bool:
    """Whether a file that holds an integer network reads as the same one."""
    try:
        return load_nir(path) == network
    except NeurodeployError:
        return False


@dataclass
class _Writer:
    """Collects nodes and edges."""

    network: Network
    dt: float
    preset: Preset
    nodes: dict[str, Any] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)

    def reset(self) -> str | dict[str, str]:
        """The reset of all neurons, or of each where they differ, which NIR cannot say."""
        each = {
            p.name: RESET_WORDS[p.neuron.reset]
            for p in self.network.populations
            if isinstance(p.neuron, FloatLIF) and resets_at_spikes(p.neuron)
        }
        found = set(each.values())
        return each if len(found) > 1 else next(iter(found), "hard")

    def preset_of(self, neuron: FloatLIF) -> Preset:
        """The preset with a neuron's own reset."""
        return replace(self.preset, reset=neuron.reset)

    def graph(self, metadata: dict[str, Any]) -> Any:
        """Build the graph."""
        nir = nir_package()
        last = self.network.output
        for population in self.network.populations:
            self._population(population)
        for population in self.network.populations[1:]:
            self._feeds(population)
        ends = "output" if "output" not in self.nodes else "output_port"
        self.nodes[ends] = nir.Output({"output": np.array(last.shape)})
        self.edges.append((self._leaving(last), ends))
        return nir.NIRGraph(self.nodes, self.edges, metadata=metadata, type_check=False)

    def _population(self, population: Population) -> None:
        nir = nir_package()
        name, neuron = population.name, population.neuron
        if isinstance(neuron, Source):
            self.nodes[name] = nir.Input({"input": np.array(population.shape)})
        else:
            if type(neuron) is not FloatLIF:  # not one derived from it either
                raise UnsupportedError(
                    f"population {name!r}: NIR has no {neuron.kind} neurons "
                    f"({type(neuron).__name__}); write .net instead"
                )
            loops = any(p.source == name for p in self.network.into(name))
            preset = self.preset_of(neuron)
            self.nodes[name] = node_of(population, neuron, self.dt, preset, loops)
        if population.axon_delay is not None:
            seconds = population.axon_delay.reshape(population.shape) * self.dt
            self.nodes[f"{name}_delay"] = nir.Delay(seconds.astype(np.float64))
            self.edges.append((name, f"{name}_delay"))

    def _leaving(self, population: Population) -> str:
        """The node whose signal leaves a population."""
        return f"{population.name}_delay" if population.axon_delay is not None else population.name

    def _feeds(self, population: Population) -> None:
        """Write all projections into a population; one of them carries its constant current."""
        neuron = population.neuron
        assert isinstance(neuron, FloatLIF)
        # Loops last: nirtorch takes the first edge that meets a node for the one without delay.
        feeds = tuple(sorted(self.network.into(population.name), key=self.network.closes))
        drive = np.broadcast_to(np.asarray(neuron.current_bias, np.float32), population.size)
        bias: NDArray[np.float32] | None = drive if drive.any() else None
        if not feeds:  # driven by its bias alone; NIR's nodes need something that leads to them
            zeros = np.zeros((population.size, self.network.input.size), np.float32)
            feeds = (Projection(self.network.input.name, population.name, Dense(zeros)),)
        number = 0
        for projection in feeds:
            for synapse, delay in _branches(projection):
                name = f"{population.name}_w{number or ''}"
                if projection.source == projection.target:
                    name = f"{population.name}_w_rec"
                while name in self.nodes:
                    number += 1
                    name = f"{population.name}_w{number}"
                carries = bias is not None and self._can_carry(synapse, population, bias)
                self._write(name, projection, synapse, delay, bias if carries else None)
                bias = None if carries else bias
                number += 1
        if bias is not None:
            raise UnsupportedError(
                f"population {population.name!r}: a bias of its current, but no dense or "
                f"convolutional synapses into it to carry it in NIR; add some"
            )

    @staticmethod
    def _can_carry(synapse: Synapse, population: Population, bias: NDArray[np.float32]) -> bool:
        if isinstance(synapse, (Dense, Sparse)):
            return True
        channels = bias.reshape(population.shape[0], -1)
        return isinstance(synapse, Conv) and bool((channels == channels[:, :1]).all())

    def _write(
        self,
        name: str,
        projection: Projection,
        synapse: Synapse,
        delay: NDArray[np.int32] | None,
        bias: NDArray[np.float32] | None,
    ) -> None:
        nir = nir_package()
        source, target = (self.network[n] for n in (projection.source, projection.target))
        chain: list[tuple[str, Any]] = []
        if delay is not None:
            seconds = delay.reshape(source.shape) * self.dt
            chain.append((f"{name}_delay", nir.Delay(seconds.astype(np.float64))))
        if isinstance(synapse, (Dense, Sparse)):
            if len(source.shape) > 1:
                shape = {"input": np.array(source.shape)}
                chain.append((f"{name}_flatten", nir.Flatten(shape, start_dim=0, end_dim=-1)))
            weight = _matrix(projection, synapse)
            chain.append(
                (name, nir.Linear(weight) if bias is None else nir.Affine(weight, bias.copy()))
            )
        elif isinstance(synapse, Conv):
            if bias is None:
                per_channel = np.zeros(target.shape[0], np.float32)
            else:
                per_channel = bias.reshape(target.shape[0], -1)[:, 0].copy()
            chain.append(
                (name, nir.Conv2d(
                    input_shape=(source.shape[1], source.shape[2]),
                    weight=synapse.weight.astype(np.float32), stride=synapse.stride,
                    padding=synapse.padding, dilation=synapse.dilation, groups=synapse.groups,
                    bias=per_channel,
                ))
            )  # fmt: skip
        elif isinstance(synapse, Pool):
            chain += _pool(name, projection, synapse, target)
        elif isinstance(synapse, OneToOne):
            factor = np.broadcast_to(np.asarray(synapse.weight, np.float32), source.size)
            if (factor != 1).any() or not chain:
                chain.append((name, nir.Scale(factor.reshape(source.shape).copy())))
        else:
            raise UnsupportedError(
                f"projection {projection.name}: NIR has no {synapse.kind} synapses; write another "
                f"format"
            )
        before = self._leaving(source)
        for node_name, node in chain:
            self.nodes[node_name] = node
            self.edges.append((before, node_name))
            before = node_name
        self.edges.append((before, target.name))


def _branches(projection: Projection) -> list[tuple[Synapse, NDArray[np.int32] | None]]:
    """A projection as parts whose delays belong to sources, which is what NIR can say."""
    synapse = projection.synapse
    if not isinstance(synapse, DelayedDense):
        return [(synapse, None)]
    if (synapse.delay == synapse.delay[:1]).all():
        return [(Dense(synapse.weight), synapse.delay[0])]
    parts: list[tuple[Synapse, NDArray[np.int32] | None]] = []
    for steps in np.unique(synapse.delay):
        weight = np.where(synapse.delay == steps, synapse.weight, 0)
        delay = np.full(synapse.delay.shape[1], steps, np.int32)
        parts.append((Dense(weight), delay))
    return parts


def _matrix(projection: Projection, synapse: Dense | Sparse) -> NDArray[np.float32]:
    if isinstance(synapse, Dense):
        return synapse.weight.astype(np.float32)
    size = (len(synapse.indptr) - 1) * synapse.sources
    if size > LARGEST_MATRIX:
        raise UnsupportedError(
            f"projection {projection.name}: NIR has no sparse weights, and as a matrix these are "
            f"{size:,} numbers, limit {LARGEST_MATRIX:,}; split the layer"
        )
    return synapse.to_dense().astype(np.float32)


def _pool(
    name: str, projection: Projection, synapse: Pool, target: Population
) -> list[tuple[str, Any]]:
    nir = nir_package()
    value = float(synapse.weight.flat[0])
    plain = (synapse.weight == value).all() and synapse.dilation == (1, 1)
    if not plain or synapse.across_channels or synapse.end_padding != (0, 0):
        raise UnsupportedError(
            f"projection {projection.name}: NIR's pools have one weight for the whole window and "
            f"no dilation or padding of one side; write .net instead"
        )
    how = {
        "kernel_size": np.array(synapse.weight.shape),
        "stride": np.array(synapse.stride),
        "padding": np.array(synapse.padding),
    }
    if np.float32(value) == np.float32(1 / synapse.weight.size):
        return [(name, nir.AvgPool2d(**how))]
    chain = [(name, nir.SumPool2d(**how))]
    if value != 1:
        scale = np.full(target.shape, value, np.float32)
        chain.append((f"{name}_scale", nir.Scale(scale)))
    return chain
