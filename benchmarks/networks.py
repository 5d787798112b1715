"""The networks and inputs that are measured, and how they are handed to a peer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import neurodeploy as nd
from neurodeploy.network import Conv, CubaLIF, Dense, Network, Population, Projection, Source

CURRENT_DECAY, VOLTAGE_DECAY = 1024, 512
DECAY_UNITY = 4096

PILOTNET_CONVS = (
    # channels, stride, padding of 3 x 3 kernels, after an input of 3 x 66 x 200
    (24, (2, 2), (0, 0)),
    (36, (2, 2), (0, 0)),
    (48, (2, 2), (0, 0)),
    (64, (2, 1), (1, 0)),
    (64, (1, 1), (0, 0)),
)


def spikes(shape: Sequence[int], activity: float, seed: int = 1) -> NDArray[np.uint8]:
    """Random spikes [samples, steps, ...]; each neuron spikes with this probability per step."""
    return (np.random.default_rng(seed).random(shape, np.float32) < activity).astype(np.uint8)


def dense_network(
    sizes: Sequence[int],
    activity_in: float,
    activity: float = 0.05,
    seed: int = 0,
    neuron: Callable[[int], CubaLIF] | None = None,
) -> Network:
    """Random fully connected CUBA layers; thresholds set so that each fires at `activity`.

    `neuron` makes a neuron of a threshold; by default one with two decays.
    """
    rng = np.random.default_rng(seed)
    builder = _Builder((sizes[0],), activity_in, activity, neuron=neuron)
    for before, size in pairwise(sizes):
        builder.add((size,), Dense(_weights(rng, (size, before))))
    return builder.network()


def pilotnet_shape(activity: float = 0.05, steps: int = 32, seed: int = 0) -> Network:
    """PilotNet's layers with random weights, every layer firing at `activity` in so many steps."""
    rng = np.random.default_rng(seed)
    shape: tuple[int, ...] = (3, 66, 200)
    builder = _Builder(shape, activity, activity, (1, steps))
    for channels, stride, padding in PILOTNET_CONVS:
        conv = Conv(_weights(rng, (channels, shape[0], 3, 3)), stride=stride, padding=padding)
        shape = conv.output_shape(shape)
        builder.add(shape, conv)
    before = int(np.prod(shape))
    for size in (100, 50, 10):
        builder.add((size,), Dense(_weights(rng, (size, before))))
        before = size
    return builder.network()


def shipped(name: str) -> Path | None:
    """Path of a network that lava-dl's wheel brings, or None where it is not installed."""
    spec = find_spec("lava")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        found = Path(place).parent / "tests/lava/lib/dl/netx" / name
        if found.is_file():
            return found
    return None


def export(network: Network, inputs: NDArray[Any], path: Path) -> None:
    """Write network and inputs as an ``.npz`` that a peer reads with NumPy alone.

    Every layer i follows, in floats, with a the sum of weights times spikes:
    ``u = keep_u u + a; v = keep_v v + u; spike = v > threshold; v = 0 where spike``.
    """
    arrays: dict[str, Any] = {"inputs": inputs, "layers": len(network.projections)}
    for i, projection in enumerate(network.projections):
        neuron, synapse = network[projection.target].neuron, projection.synapse
        assert isinstance(neuron, CubaLIF)
        assert isinstance(synapse, (Dense, Conv))
        arrays[f"{i}.kind"] = synapse.kind
        arrays[f"{i}.weight"] = synapse.weight.astype(np.float32)
        arrays[f"{i}.keep_u"] = 1 - neuron.current_decay / DECAY_UNITY
        arrays[f"{i}.keep_v"] = 1 - neuron.voltage_decay / DECAY_UNITY
        arrays[f"{i}.threshold"] = float(neuron.threshold)
        arrays[f"{i}.shape"] = network[projection.target].shape
        if isinstance(synapse, Conv):
            arrays[f"{i}.stride"] = synapse.stride
            arrays[f"{i}.padding"] = synapse.padding
    np.savez(path, **arrays)


def _weights(rng: np.random.Generator, shape: Sequence[int]) -> NDArray[np.int32]:
    """Even weights of mixed sign, as a NetX file holds them, that fit 8 bits."""
    return (2 * np.clip(np.rint(rng.normal(1.0, 18.0, shape)), -63, 63)).astype(np.int32)


class _Builder:
    """Adds layers; sets each one's threshold by bisection so that it fires as often as asked."""

    def __init__(
        self,
        shape: tuple[int, ...],
        activity_in: float,
        activity: float,
        extent: tuple[int, int] = (4, 50),
        neuron: Callable[[int], CubaLIF] | None = None,
    ) -> None:
        self.neuron = neuron or _neuron
        self.populations = [Population("input", shape, Source())]
        self.projections: list[Projection] = []
        self.activity = activity
        self.sent: NDArray[Any] = spikes((*extent, *shape), activity_in, seed=7)

    def add(self, shape: tuple[int, ...], synapse: Dense | Conv) -> None:
        last = self.populations[-1]
        low, high = 1, 100_000
        while high - low > max(1, low // 50):
            middle = (low + high) // 2
            one = self._layer(last.shape, shape, synapse, middle)
            fired = nd.run(one, self.sent)["layer"].counts.sum()
            if fired > self.activity * np.prod(shape) * self.sent.shape[0] * self.sent.shape[1]:
                low = middle
            else:
                high = middle
        recording = nd.run(
            self._layer(last.shape, shape, synapse, high), self.sent, record=("spikes",)
        )
        self.sent = (recording["layer"].spikes != 0).astype(np.uint8)
        name = f"{len(self.populations)}_{synapse.kind}"
        self.populations.append(Population(name, shape, self.neuron(high)))
        self.projections.append(Projection(last.name, name, synapse))

    def _layer(
        self, before: tuple[int, ...], shape: tuple[int, ...], synapse: Dense | Conv, threshold: int
    ) -> Network:
        layer = Population("layer", shape, self.neuron(threshold))
        ends = (Population("in", before, Source()), layer)
        return Network(ends, (Projection("in", "layer", synapse),))

    def network(self) -> Network:
        return Network(tuple(self.populations), tuple(self.projections))


def _neuron(threshold: int) -> CubaLIF:
    return CubaLIF(CURRENT_DECAY, VOLTAGE_DECAY, threshold)
