"""Networks by their shapes alone: how wide weights are is known, what they are is not.

A placement asks of weights only how many there are and how many bits they take. So a network can
be placed before it is trained, and a network with other shapes can be tried without weights for
them. Every layer of a `Sketch` says from which layers it gets input and by which kind of synapses;
`Sketch.network` works out the shapes and puts in synapses that hold no weights, which engines
refuse and a placement takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import NetworkError
from ..network import (
    Conv,
    CubaLIF,
    DelayedDense,
    Dense,
    Network,
    Neuron,
    Population,
    Projection,
    Synapse,
)
from ..network.fields import one_float, one_integer
from ..network.synapses.kernel import kernels_of
from .memory import WIDEST, weight_bits

Shape = tuple[int, ...]
Pair = tuple[int, int]


def stand_in(bits: int) -> int:
    """A weight that takes so many bits on the chip, see `weight_bits`; 7 bits take 8.

    Raises
    ------
    NetworkError
        If no weight does.
    """
    if not 1 <= bits <= WIDEST:
        raise NetworkError(f"bits {bits}: weights take 1 to {WIDEST} bits; give one of these")
    return 127 if bits >= WIDEST - 1 else 2**bits - 1


@dataclass(frozen=True, eq=False)
class DenseOfShape(Synapse):
    """Lists of synapses whose weights are not known.

    Attributes
    ----------
    targets, sources : int
    value : int
        A weight as wide as all of them.
    density : float
        Part of all pairs that have a synapse, spread evenly; 1 for a dense matrix.
    delay : int
        The longest delay of a synapse; 0: synapses have no delays of their own.
    """

    targets: int = field(metadata=one_integer(1))
    sources: int = field(metadata=one_integer(1))
    value: int = field(metadata=one_integer())
    density: float = field(default=1.0, metadata=one_float())
    delay: int = field(default=0, metadata=one_integer(0))
    kind: ClassVar[str] = "dense"

    @property
    def is_float(self) -> bool:
        """See `Synapse`: its weights are integers, its density is none of them."""
        return False

    @property
    def has_delays(self) -> bool:  # type: ignore[override]
        """See `Synapse`."""
        return self.delay > 0

    @property
    def longest_delay(self) -> int:  # type: ignore[override]
        """See `Synapse`."""
        return self.delay

    def arrays(self) -> tuple[NDArray[Any], ...]:
        """One weight that stands for all."""
        return (np.array([self.value], np.int32),)

    def check(self, source_shape: Shape, target_shape: Shape) -> None:
        """See `Synapse.check`."""
        needed = (math.prod(target_shape), math.prod(source_shape))
        if (self.targets, self.sources) != needed:
            raise NetworkError(f"{self.targets} x {self.sources} synapses, needs {needed}")

    def stored_lists(
        self, first: int, stop: int, sources: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """See `Synapse.stored_lists`."""
        synapses = math.ceil(self.density * (stop - first) * sources)
        each, longer = divmod(synapses, sources)
        return np.array([each, each + 1]), np.array([sources - longer, longer])


@dataclass(frozen=True, eq=False)
class ConvOfShape(Conv):
    """A convolution whose weights are not known; the kernel of one channel stands for all.

    Attributes
    ----------
    weight : int32 [1, 1, kernel height, kernel width]
    channels, sources : int
        Of the target and of the source.
    """

    channels: int = field(kw_only=True, metadata=one_integer(1))
    sources: int = field(kw_only=True, metadata=one_integer(1))

    def groups_from(self, source_channels: int) -> Pair:
        """See `Kernel.groups_from`."""
        return self.groups, self.channels // self.groups

    def output_shape(self, source_shape: Shape) -> tuple[int, int, int]:
        """See `Kernel.output_shape`."""
        return (self.channels, *super().output_shape(source_shape)[1:])

    def channels_read(self) -> None:  # type: ignore[override]
        """Not known."""
        return

    def check(self, source_shape: Shape, target_shape: Shape) -> None:
        """See `Synapse.check`."""
        self.check_geometry("convolution", source_shape)
        if self.channels % self.groups or self.sources % self.groups:
            raise NetworkError(
                f"{self.groups} groups do not divide {self.sources} input and {self.channels} "
                f"output channels"
            )
        expected = self.output_shape(source_shape)
        self.check_output("convolving", source_shape, expected, target_shape)


class Template(Protocol):
    """Synapses between layers whose sizes may change."""

    def leads_to(self, source: Shape, wanted: Shape) -> Shape:
        """Shape of a target that is to be of `wanted` neurons or channels."""

    def between(self, source: Shape, target: Shape) -> Synapse:
        """Synapses between populations of these shapes."""

    def at(self, bits: int) -> Template:
        """The same with weights of so many bits."""


@dataclass(frozen=True)
class Lists:
    """Dense or sparse synapses; see `DenseOfShape`."""

    bits: int
    density: float = 1.0
    delay: int = 0

    def leads_to(self, source: Shape, wanted: Shape) -> Shape:
        """See `Template`."""
        return wanted

    def between(self, source: Shape, target: Shape) -> Synapse:
        """See `Template`."""
        sizes = math.prod(target), math.prod(source)
        return DenseOfShape(*sizes, stand_in(self.bits), self.density, self.delay)

    def at(self, bits: int) -> Lists:
        """See `Template`."""
        return replace(self, bits=bits)


@dataclass(frozen=True)
class Kernels:
    """A convolution; pairs are (height, width)."""

    bits: int
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1

    def leads_to(self, source: Shape, wanted: Shape) -> Shape:
        """See `Template`."""
        return self._conv(source, wanted).output_shape(source)

    def between(self, source: Shape, target: Shape) -> Synapse:
        """See `Template`."""
        return self._conv(source, target)

    def at(self, bits: int) -> Kernels:
        """See `Template`."""
        return replace(self, bits=bits)

    def _conv(self, source: Shape, target: Shape) -> ConvOfShape:
        if len(source) != 3:
            raise NetworkError(
                f"a convolution needs a source of shape (channels, height, width), not {source}"
            )
        return ConvOfShape(
            np.full((1, 1, *self.kernel), stand_in(self.bits), np.int32),
            self.stride, self.padding, self.dilation, self.groups,
            channels=target[0], sources=source[0],
        )  # fmt: skip


@dataclass(frozen=True)
class Kept:
    """Synapses that stay as they are, such as pools, which follow their source's shape."""

    synapse: Synapse

    def leads_to(self, source: Shape, wanted: Shape) -> Shape:
        """See `Template`."""
        kernels = kernels_of(self.synapse)
        return kernels[0].output_shape(source) if kernels else wanted

    def between(self, source: Shape, target: Shape) -> Synapse:
        """See `Template`."""
        return self.synapse

    def at(self, bits: int) -> Kept:
        """See `Template`."""
        value = stand_in(bits)
        return Kept(self.synapse.with_arrays(lambda w: np.where(w != 0, value, 0).astype(np.int32)))


@dataclass(frozen=True)
class Link:
    """Input of a layer from another, or from itself."""

    source: str
    template: Template


@dataclass(frozen=True)
class Layer:
    """A population to be.

    Attributes
    ----------
    name : str
    shape : tuple of int
        (neurons,) or (channels, height, width); after a convolution the height and width follow.
    neuron : Neuron
        With the parameters of one neuron.
    links : tuple of Link
    axon_delay : int
        The longest.
    """

    name: str
    shape: Shape
    neuron: Neuron
    links: tuple[Link, ...] = ()
    axon_delay: int = 0


@dataclass(frozen=True)
class Sketch:
    """Layers, sources before their targets; the first takes the inputs."""

    layers: tuple[Layer, ...]

    def __getitem__(self, name: str) -> Layer:
        return next(layer for layer in self.layers if layer.name == name)

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """Shape of each layer, by name.

        Raises
        ------
        NetworkError
            If a kernel leaves nothing of an image, or meets none.
        """
        found: dict[str, Shape] = {}
        for layer in self.layers:
            shape = layer.shape
            for link in layer.links:
                if link.source in found:
                    try:
                        shape = link.template.leads_to(found[link.source], shape)
                    except NetworkError as error:
                        raise NetworkError(f"layer {layer.name!r}: {error}") from None
            if min(shape) < 1:
                why = "its kernel covers more than the layer before; make it smaller, or pad"
                why = why if layer.links else "an input has at least 1 neuron"
                raise NetworkError(f"layer {layer.name!r}: shape {_times(shape)}: {why}")
            found[layer.name] = shape
        return found

    def with_layer(self, layer: Layer) -> Sketch:
        """The same with another layer of this name."""
        return Sketch(tuple(layer if old.name == layer.name else old for old in self.layers))

    def network(self) -> Network:
        """Make the network, without weights.

        Raises
        ------
        NetworkError
            If the shapes contradict each other.
        """
        shapes = self.shapes
        populations, projections = [], []
        for layer in self.layers:
            shape = shapes[layer.name]
            delays = np.full(math.prod(shape), layer.axon_delay) if layer.axon_delay else None
            populations.append(Population(layer.name, shape, layer.neuron, axon_delay=delays))
            for link in layer.links:
                synapse = link.template.between(shapes[link.source], shape)
                projections.append(Projection(link.source, layer.name, synapse))
        return Network(tuple(populations), tuple(projections))


def sketch_of(network: Network, bits: int | None = None) -> Sketch:
    """Keep a network's shapes and how wide its weights are.

    Parameters
    ----------
    network : Network
        In integers or in floats.
    bits : int, optional
        Of every weight, in place of its own.
    """
    if bits is None and network.is_float:
        raise NetworkError("network: computes in float32; say at how many bits it is to be placed")
    return Sketch(
        tuple(
            Layer(
                population.name,
                population.shape,
                CubaLIF(0, 0, 1) if population.neuron.is_float else population.neuron.of_one(0),
                tuple(
                    Link(p.source, _template(p.synapse, bits))
                    for p in network.into(population.name)
                ),
                0 if population.axon_delay is None else int(population.axon_delay.max(initial=0)),
            )
            for population in network.populations
        )
    )


def _template(synapse: Synapse, bits: int | None) -> Template:
    arrays = synapse.arrays()
    if type(synapse) in _TEMPLATES:
        return _TEMPLATES[type(synapse)](synapse, bits or weight_bits(arrays[0]))
    return Kept(synapse).at(bits) if bits is not None and arrays else Kept(synapse)


def _kernels(synapse: Any, bits: int) -> Kernels:
    kernel = synapse.weight.shape[-2:]
    geometry = synapse.stride, synapse.padding, synapse.dilation, synapse.groups
    return Kernels(bits, kernel, *geometry)


_TEMPLATES: dict[type[Synapse], Callable[[Any, int], Template]] = {
    Dense: lambda _, bits: Lists(bits),
    DelayedDense: lambda synapse, bits: Lists(bits, delay=max(1, synapse.longest_delay)),
    DenseOfShape: lambda synapse, bits: Lists(bits, synapse.density, synapse.delay),
    Conv: _kernels,
    ConvOfShape: _kernels,
}


def _times(shape: Shape) -> str:
    return " x ".join(map(str, shape))
