"""Units: what is left of a graph when all that is linear between two rectifiers is one sum.

A tensor of the graph is held as a sum of what units send, each through straight synapses or through
one operator, and a constant. So batch norms, residual sums, concatenations, biases at padded
borders and maps of -1 and 1 cost nothing: they end in weights and in biases of each neuron.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..network import Conv, ConvTranspose, Dense, OneToOne, Sparse, Synapse
from .arithmetic import deliver
from .graph import (
    AdaptivePooling,
    Array,
    Clip,
    Concatenation,
    Convolution,
    Flatten,
    Graph,
    Grid,
    Identity,
    LeakyRectifier,
    Linear,
    Node,
    Operator,
    Pooling,
    Scale,
    Shape,
    Sides,
    Sign,
    Softmax,
    Step,
    Sum,
    TransposedConvolution,
    refuse,
)

LARGEST = 1 << 28
"""Numbers of a tensor or a kernel."""

LARGEST_BIAS = 1000.0
"""Of a channel that is scaled, in units of the largest weight."""

NOT_NEGATIVE = ("rectify", "step", "step-inclusive")
"""Activations that send nothing below 0."""


ORDERS_ONLY = (Flatten, Identity)
"""Operators that leave each number as it is."""


@dataclass(frozen=True, eq=False)
class Feed:
    """Synapses from a unit, in float32, of one real value for each."""

    source: str
    synapse: Synapse


@dataclass(frozen=True, eq=False)
class Unit:
    """Neurons with one activation of a sum.

    Attributes
    ----------
    name : str
    shape : tuple of int
        (neurons,) or (channels, height, width).
    activation : str
        ``rectify``: max(sum, 0); ``step``: whether sum > 0; ``step-inclusive``: whether sum >= 0;
        ``identity``; ``readout``: the identity, read by the host; ``input``; ``signed-input``.
    feeds : tuple of Feed
    bias : float64 [neurons]
    grid : float
        Step that the network was trained with, of what it sends; 0 where there is none.
    """

    name: str
    shape: Shape
    activation: str
    feeds: tuple[Feed, ...]
    bias: Array
    grid: float = 0.0

    @property
    def size(self) -> int:
        """Number of neurons."""
        return int(np.prod(self.shape))

    @property
    def is_binary(self) -> bool:
        """Whether it sends 0 and 1 alone."""
        return self.activation.startswith("step")

    @property
    def is_signed(self) -> bool:
        """Whether it sends negative values, too."""
        return self.activation in ("identity", "readout", "signed-input")

    def sums(self, sent: dict[str, Array]) -> Array:
        """Sum of what arrives and the bias, float64 [samples, *shape], of all that was sent."""
        total = self.bias.reshape(1, *self.shape)
        for feed in self.feeds:
            total = total + deliver(feed.synapse, sent[feed.source], self.shape)
        return total

    def values(self, sums: Array) -> Array:
        """What it sends for these sums."""
        if self.activation == "rectify":
            return np.maximum(sums, 0)
        if self.is_binary:
            fires = sums >= 0 if self.activation == "step-inclusive" else sums > 0
            return fires.astype(np.float64)
        return sums


@dataclass(frozen=True, eq=False)
class _Straight:
    """A unit's values, each times its factor, from place `start` of the tensor on, flat."""

    source: str
    factor: Array
    start: int = 0


@dataclass(frozen=True, eq=False)
class _Tensor:
    """A sum of what units send, and a constant.

    `form` is the image that its operators lead to where a Flatten has made it one row since;
    `origin` is the node whose weights made it. `not_negative` says that it is none by its making,
    where its parts do not show it: a rectifier less another one.
    """

    shape: Shape
    form: Shape
    constant: Array
    straight: tuple[_Straight, ...] = ()
    through: tuple[Feed, ...] = ()
    origin: str = ""
    not_negative: bool = False


def units_of(graph: Graph, shape: Shape, signed: bool, splits_signs: bool) -> tuple[Unit, ...]:
    """Lower a graph to units, in order.

    Parameters
    ----------
    graph : Graph
    shape : tuple of int
        Of the input.
    signed : bool
        Whether inputs may be negative.
    splits_signs : bool
        Make two rectifiers of each identity between operators, for neurons that cannot send
        negative values.

    Returns
    -------
    tuple of Unit
        The first is the input, the last the output.

    Raises
    ------
    UnsupportedError
        Naming the node, its operator and what comes nearest.
    """
    return _Lowering(graph, shape, signed, splits_signs).units_needed()


class _Lowering:
    def __init__(self, graph: Graph, shape: Shape, signed: bool, splits_signs: bool) -> None:
        self.graph, self.splits_signs = graph, splits_signs
        self.units: dict[str, Unit] = {}
        if len(shape) == 2:  # (channels, length)
            shape = (shape[0], 1, shape[1])
        if len(shape) not in (1, 3):
            raise refuse(
                graph.source, "input", f"has shape {shape}", "give (C, H, W), (C, L) or (N,)"
            )
        name = self.unique("input")
        kind = "signed-input" if signed else "input"
        size = int(np.prod(shape))
        self.units[name] = Unit(name, shape, kind, (), np.zeros(size))
        self.tensors = {graph.input: self.of_unit(self.units[name])}

    def units_needed(self) -> tuple[Unit, ...]:
        for node in self.graph:
            given = [self.tensors[name] for name in node.inputs]
            lower = _OF_KIND.get(type(node.operator))
            if lower is None:
                raise refuse(node.name, type(node.operator).__name__)
            try:
                self.tensors[node.name] = lower(self, node, node.operator, *given)
            except ValueError as error:  # NumPy's, of weights that do not fit
                what = f"does not fit what enters it ({error})"
                raise refuse(node.name, type(node.operator).__name__, what, "check it") from error
        last = self.output(self.tensors[self.graph.output])
        needed, ahead = {last}, [last]
        while ahead:
            for feed in self.units[ahead.pop()].feeds:
                if feed.source not in needed:
                    needed.add(feed.source)
                    ahead.append(feed.source)
        first = next(iter(self.units))
        if first not in needed:
            raise refuse(self.graph.output, "output", "does not depend on the input", "check it")
        return tuple(unit for unit in self.units.values() if unit.name in needed)

    def unique(self, name: str) -> str:
        """Give a name that no unit has, and that a file can hold."""
        name = "/".join(part for part in name.split("/") if part.strip(".")) or "unit"
        if name not in self.units:
            return name
        return next(n for i in range(2, 1 << 20) if (n := f"{name}#{i}") not in self.units)

    def of_unit(self, unit: Unit, shape: Shape | None = None) -> _Tensor:
        shape = unit.shape if shape is None else shape
        whole = _Straight(unit.name, np.ones(unit.size))
        return _Tensor(shape, shape, np.zeros(shape), (whole,))

    def feeds_of(self, tensor: _Tensor, sign: float) -> tuple[Feed, ...]:
        """Synapses that make a tensor, times a number."""
        size = tensor.constant.size
        feeds = []
        for part in tensor.straight:
            weight = (sign * part.factor).astype(np.float32)
            synapse: Synapse
            if weight.size == size:
                alike = bool((weight == weight[0]).all())
                synapse = OneToOne(float(weight[0]) if alike else weight)
            else:
                count = weight.size
                ends = np.clip(np.arange(size + 1) - part.start, 0, count).astype(np.int64)
                synapse = Sparse(ends, np.arange(count, dtype=np.int32), weight, count)
            feeds.append(Feed(part.source, synapse))
        for feed in tensor.through:
            scaled = feed.synapse.with_arrays(lambda w: (w * np.float32(sign)).astype(np.float32))
            feeds.append(Feed(feed.source, feed.synapse if sign == 1 else scaled))
        return tuple(feeds)

    def unit(
        self, name: str, tensor: _Tensor, activation: str, sign: float = 1, offset: Any = 0.0
    ) -> Unit:
        """Make a unit of ``sign * tensor + offset``."""
        bias = (sign * tensor.constant + offset).ravel()
        name = self.unique(name)
        feeds = self.feeds_of(tensor, sign)
        if activation.startswith("step"):
            feeds, bias = _with_even_rows(feeds, bias, tensor.form)
        made = self.units[name] = Unit(name, tensor.form, activation, feeds, bias)
        return made

    def relay(self, name: str, tensor: _Tensor) -> _Tensor:
        """Give units that send a tensor's values on, so that an operator can follow."""
        name = tensor.origin or name
        if self.is_not_negative(tensor):
            return self.of_unit(self.unit(name, tensor, "rectify"), tensor.shape)
        if not self.splits_signs:
            return self.of_unit(self.unit(name, tensor, "identity"), tensor.shape)
        above = self.of_unit(self.unit(name, tensor, "rectify"), tensor.shape)
        below = self.of_unit(self.unit(f"{name}.below", tensor, "rectify", -1), tensor.shape)
        return _sum([above, below], (1, -1))

    def is_not_negative(self, tensor: _Tensor) -> bool:
        if tensor.not_negative:
            return True
        parts = [(s.source, s.factor) for s in tensor.straight]
        parts += [(f.source, a) for f in tensor.through for a in f.synapse.arrays()]
        kinds = (*NOT_NEGATIVE, "input")
        fine = all(self.units[n].activation in kinds and (w >= 0).all() for n, w in parts)
        return fine and bool((tensor.constant >= 0).all())

    def plain(self, name: str, tensor: _Tensor, by_channel: bool = False) -> _Tensor:
        """Give a tensor of straight parts alone; of images, with one factor for each channel."""
        if tensor.through:
            return self.relay(name, tensor)
        if by_channel and any(_by_channel(s, tensor.shape) is None for s in tensor.straight):
            return self.relay(name, tensor)
        return tensor

    def whole_channels(self, name: str, tensor: _Tensor, groups: int) -> _Tensor:
        """Give a tensor none of whose parts lies within a few groups of channels alone."""
        size = tensor.constant.size
        if groups == 1 or all(s.factor.size == size for s in tensor.straight):
            return tensor
        return self.plain(name, self.relay(name, tensor), by_channel=True)

    def output(self, tensor: _Tensor) -> str:
        """Name the unit that holds the network's output."""
        if len(tensor.straight) == 1 and not tensor.through and not tensor.constant.any():
            part = tensor.straight[0]
            whole = part.factor.size == tensor.constant.size
            is_input = self.units[part.source].activation.endswith("input")
            if whole and (part.factor == 1).all() and not is_input:
                return part.source
        return self.unit(tensor.origin or self.graph.output, tensor, "readout").name

    def image(self, node: Node, tensor: _Tensor) -> _Tensor:
        if len(tensor.shape) != 3:
            raise refuse(
                node.name, type(node.operator).__name__, f"gets a row of {tensor.shape[0]} numbers",
                "it needs an image (C, H, W); move Flatten behind it",
            )  # fmt: skip
        return tensor

    # What each operator does ------------------------------------------------------------------

    def linear(self, node: Node, operator: Linear, tensor: _Tensor) -> _Tensor:
        outputs, inputs = operator.weight.shape
        if tensor.shape != (inputs,):
            raise refuse(
                node.name, "Linear", f"of {inputs} inputs gets a tensor of shape {tensor.shape}",
                "put Flatten before it, or use a convolution of kernel 1",
            )  # fmt: skip
        tensor = self.plain(node.name, tensor)
        feeds = tuple(
            Feed(
                part.source,
                Dense(_float(operator.weight[:, part.start : part.start + part.factor.size]
                             * part.factor)),
            )
            for part in tensor.straight
        )  # fmt: skip
        constant = operator.weight @ tensor.constant + operator.bias
        return _Tensor((outputs,), (outputs,), constant, (), feeds, node.name)

    def convolve(self, node: Node, operator: Convolution, tensor: _Tensor) -> _Tensor:
        channels = operator.weight.shape[1] * operator.groups
        if self.image(node, tensor).shape[0] != channels:
            raise refuse(
                node.name, "Convolution", f"of {channels} channels gets {tensor.shape[0]}", "fix it"
            )
        tensor = self.plain(node.name, tensor, by_channel=True)
        tensor = self.whole_channels(node.name, tensor, operator.groups)
        _check_small(node, *operator.weight.shape[:2], *map(sum, operator.padding),
                     *(d * n for d, n in zip(operator.dilation, operator.weight.shape[2:],
                                             strict=True)))  # fmt: skip
        weight, padding, dilation = _padded_alike(
            operator.weight, operator.padding, operator.dilation
        )
        how = (operator.stride, padding, dilation, operator.groups)
        whole = Conv(_float(weight), *how)
        target = _output_shape(node, whole, tensor.shape)
        feeds = []
        for part in tensor.straight:
            factor, first = _channels(part, tensor.shape)
            if operator.groups == 1:
                own = weight[:, first : first + len(factor)] * factor[None, :, None, None]
            else:
                each = len(weight) // operator.groups
                by_group = factor.reshape(operator.groups, -1)
                own = weight * np.repeat(by_group, each, axis=0)[:, :, None, None]
            feeds.append(Feed(part.source, Conv(_float(own), *how)))
        constant = deliver(whole, tensor.constant[None], target)[0]
        constant = constant + operator.bias[:, None, None]
        positive = tensor.not_negative and (weight >= 0).all() and (operator.bias >= 0).all()
        return _Tensor(target, target, constant, (), tuple(feeds), node.name, bool(positive))

    def transpose(self, node: Node, operator: TransposedConvolution, tensor: _Tensor) -> _Tensor:
        tensor = self.plain(node.name, self.image(node, tensor), by_channel=True)
        tensor = self.whole_channels(node.name, tensor, operator.groups)
        weight, dilation = operator.weight, operator.dilation
        if any(operator.output_padding):  # more rows at the end: taps of zero
            weight, dilation = _spread(weight, dilation), (1, 1)
            weight = np.pad(weight, ((0, 0), (0, 0), *((0, p) for p in operator.output_padding)))
        how = (operator.stride, operator.padding, dilation, operator.groups)
        whole = ConvTranspose(_float(weight), *how)
        target = _output_shape(node, whole, tensor.shape)
        feeds = []
        for part in tensor.straight:
            factor, first = _channels(part, tensor.shape)
            own = weight[first : first + len(factor)] * factor[:, None, None, None]
            feeds.append(Feed(part.source, ConvTranspose(_float(own), *how)))
        constant = deliver(whole, tensor.constant[None], target)[0]
        constant = constant + operator.bias[:, None, None]
        return _Tensor(target, target, constant, (), tuple(feeds), node.name)

    def scale(self, node: Node, operator: Scale, tensor: _Tensor) -> _Tensor:
        factor, offset = np.asarray(operator.factor), np.asarray(operator.offset)
        if max(factor.size, offset.size) > 1 and tensor.form != tensor.shape:
            tensor = self.relay(node.name, tensor)
        for array in (factor, offset):
            if array.size not in (1, tensor.shape[0]):
                raise refuse(
                    node.name, "Scale", f"of {array.size} channels gets {tensor.shape[0]}", "fix it"
                )
        each = tensor.constant.size // tensor.shape[0]
        by_place = np.repeat(np.broadcast_to(factor.ravel(), tensor.shape[0]), each)
        by_channel = np.broadcast_to(factor.ravel(), tensor.shape[0])
        shape = (-1, *[1] * (len(tensor.shape) - 1))
        return replace(
            tensor,
            not_negative=tensor.not_negative and bool((factor >= 0).all() and (offset >= 0).all()),
            constant=tensor.constant * factor.reshape(shape) + offset.reshape(shape),
            straight=tuple(
                replace(s, factor=s.factor * by_place[s.start : s.start + s.factor.size])
                for s in tensor.straight
            ),
            through=tuple(
                Feed(f.source, _SCALED[type(f.synapse)](f.synapse, by_channel, by_place))
                for f in tensor.through
            ),
        )

    def clip(self, node: Node, operator: Clip, tensor: _Tensor) -> _Tensor:
        low, high = operator.lowest, operator.highest
        name = tensor.origin or node.name
        if low == 0 and np.isinf(high) and not tensor.through and self.is_not_negative(tensor):
            return tensor
        if np.isinf(low):
            below = self.of_unit(self.unit(name, tensor, "rectify", -1, high), tensor.shape)
            return replace(_sum([below], (-1,)), constant=np.full(tensor.shape, high))
        rest = [self.of_unit(self.unit(name, tensor, "rectify", 1, -low), tensor.shape)]
        if not np.isinf(high):
            above = self.unit(f"{name}.above", tensor, "rectify", 1, -high)
            rest.append(self.of_unit(above, tensor.shape))
        made = _sum(rest, (1, -1)[: len(rest)])
        constant = np.full(tensor.shape, float(low))
        return replace(made, constant=constant, not_negative=low >= 0)

    def leaky(self, node: Node, operator: LeakyRectifier, tensor: _Tensor) -> _Tensor:
        name = tensor.origin or node.name
        above = self.of_unit(self.unit(name, tensor, "rectify"), tensor.shape)
        below = self.of_unit(self.unit(f"{name}.below", tensor, "rectify", -1), tensor.shape)
        slope = Scale(-np.asarray(operator.slope, np.float64), np.zeros(1))
        return _sum([above, self.scale(node, slope, below)], (1, 1))

    def step(self, node: Node, operator: Step, tensor: _Tensor) -> _Tensor:
        kind = "step-inclusive" if operator.inclusive else "step"
        made = self.of_unit(self.unit(tensor.origin or node.name, tensor, kind), tensor.shape)
        span = np.array([operator.high - operator.low])
        return self.scale(node, Scale(span, np.array([operator.low])), made)

    def sign(self, node: Node, operator: Sign, tensor: _Tensor) -> _Tensor:
        name = tensor.origin or node.name
        above = self.of_unit(self.unit(name, tensor, "step"), tensor.shape)
        below = self.of_unit(self.unit(f"{name}.below", tensor, "step", -1), tensor.shape)
        return _sum([above, below], (1, -1))

    def pool(self, node: Node, operator: Pooling, tensor: _Tensor) -> _Tensor:
        image = self.image(node, tensor).shape
        _check_small(node, image[0], *operator.kernel, *map(sum, operator.padding))
        axes = [_windows(node, operator, axis, image[1 + axis]) for axis in (0, 1)]
        sides: Sides = (
            (operator.padding[0][0], operator.padding[0][1] + axes[0][2]),
            (operator.padding[1][0], operator.padding[1][1] + axes[1][2]),
        )
        kernel = np.ones((image[0], 1, *operator.kernel))
        zero = np.zeros(image[0])
        if operator.reduce == "max":
            return self.any_of(node, tensor, Convolution(
                kernel, zero, operator.stride, sides, operator.dilation, image[0]
            ))  # fmt: skip
        divisor = np.outer(axes[0][1], axes[1][1]).astype(np.float64)
        if operator.reduce == "sum" or operator.divisor:
            divisor = np.full_like(divisor, operator.divisor or 1)
        if (divisor == divisor.flat[0]).all():
            return self.convolve(node, Convolution(
                kernel / divisor.flat[0], zero, operator.stride, sides, operator.dilation, image[0]
            ), tensor)  # fmt: skip
        return self.average_of(node, tensor, axes[0][0], axes[1][0], divisor)

    def adaptive(self, node: Node, operator: AdaptivePooling, tensor: _Tensor) -> _Tensor:
        image = self.image(node, tensor).shape
        size = [image[1 + i] if n is None else n for i, n in enumerate(operator.size)]
        if not (image[1] % size[0] or image[2] % size[1]):
            kernel = (image[1] // size[0], image[2] // size[1])
            return self.pool(node, Pooling(operator.reduce, kernel, kernel), tensor)
        if operator.reduce == "max":
            raise refuse(
                node.name, "adaptive max pool", f"of {image[1:]} to {tuple(size)} has windows of "
                f"several sizes", "choose a size that divides the image",
            )  # fmt: skip
        rows, columns = (
            [np.arange(i * n // m, -(-(i + 1) * n // m)) for i in range(m)]
            for n, m in zip(image[1:], size, strict=True)
        )
        divisor = np.outer([len(r) for r in rows], [len(c) for c in columns]).astype(np.float64)
        return self.average_of(node, tensor, rows, columns, divisor)

    def average_of(
        self, node: Node, tensor: _Tensor, rows: list[Any], columns: list[Any], divisor: Array
    ) -> _Tensor:
        """Average windows of different sizes: listed synapses."""
        tensor = self.plain(node.name, tensor)
        channels, height, width = tensor.shape
        lists, weights = [], []
        for c in range(channels):
            for y, inside in enumerate(rows):
                for x, across in enumerate(columns):
                    where = (c * height + inside[:, None]) * width + across[None]
                    lists.append(where.ravel())
                    weights.append(np.full(where.size, 1 / divisor[y, x]))
        target = (channels, len(rows), len(columns))
        ends = np.cumsum([0, *map(len, lists)]).astype(np.int64)
        index, weight = np.concatenate(lists), np.concatenate(weights)
        whole = Sparse(ends, index.astype(np.int32), _float(weight), tensor.constant.size)
        feeds = []
        for part in tensor.straight:
            there = (index >= part.start) & (index < part.start + part.factor.size)
            own = index[there] - part.start
            kept = np.concatenate([[0], np.cumsum(there)])[ends].astype(np.int64)
            synapse = Sparse(
                kept, own.astype(np.int32), _float(weight[there] * part.factor[own]),
                part.factor.size,
            )  # fmt: skip
            feeds.append(Feed(part.source, synapse))
        constant = deliver(whole, tensor.constant[None], target)[0]
        return _Tensor(target, target, constant, (), tuple(feeds), node.name, tensor.not_negative)

    def any_of(self, node: Node, tensor: _Tensor, window: Convolution) -> _Tensor:
        """Max pool of binary maps: whether any neuron of a window sends."""
        constants = tensor.constant.reshape(tensor.shape[0], -1)
        alike = (constants == constants[:, :1]).all()
        parts = [(s, _by_channel(s, tensor.shape)) for s in tensor.straight]
        binary = all(self.units[s.source].is_binary for s in tensor.straight)
        covered = sum(s.factor.size for s in tensor.straight) == tensor.constant.size
        positive = all(f is not None and (f > 0).all() for _, f in parts)
        if tensor.through or not (binary and alike and covered and positive):
            raise refuse(node.name, "graded max pool")
        made = []
        for part, factor in parts:
            one = self.of_unit(self.units[part.source], (len(factor), *tensor.shape[1:]))  # type: ignore[arg-type]
            count = one.shape[0]
            own = replace(window, weight=window.weight[:count], bias=np.zeros(count), groups=count)
            found = self.convolve(node, own, one)
            unit = self.of_unit(self.unit(node.name, found, "step"), found.shape)
            made.append(self.scale(node, Scale(factor, np.zeros(1)), unit))  # type: ignore[arg-type]
        joined = self.concatenate(node, Concatenation(), *made)
        return replace(joined, constant=joined.constant + constants[:, 0][:, None, None])

    def flatten(self, node: Node, operator: Flatten, tensor: _Tensor) -> _Tensor:
        row = (tensor.constant.size,)
        form = tensor.form if tensor.through else row
        return replace(tensor, shape=row, form=form, constant=tensor.constant.ravel())

    def same(self, node: Node, operator: Identity, tensor: _Tensor) -> _Tensor:
        return tensor

    def on_grid(self, node: Node, operator: Grid, tensor: _Tensor) -> _Tensor:
        """Let those units send on a grid whose values stand in the tensor as they are."""
        for part in tensor.straight:
            unit = self.units[part.source]
            if not tensor.through and not unit.is_binary and (np.abs(part.factor) == 1).all():
                self.units[unit.name] = replace(unit, grid=operator.step)
        return tensor

    def add(self, node: Node, operator: Sum, *tensors: _Tensor) -> _Tensor:
        if len({t.shape for t in tensors}) > 1:
            shapes = ", ".join(str(t.shape) for t in tensors)
            raise refuse(node.name, "Sum", f"of shapes {shapes}", "give tensors of one shape")
        forms = {t.form for t in tensors if t.through}
        given = list(tensors)
        if len(forms) > 1 or (forms and forms != {tensors[0].shape}):
            given = [self.relay(node.name, t) if t.through else t for t in tensors]
        return replace(_sum(given, operator.signs), origin=node.name)

    def concatenate(self, node: Node, operator: Concatenation, *tensors: _Tensor) -> _Tensor:
        given = [self.relay(node.name, t) if t.through else t for t in tensors]
        if len({t.shape[1:] for t in given}) > 1:
            shapes = ", ".join(str(t.shape) for t in given)
            raise refuse(node.name, "Concatenation", f"of shapes {shapes}", "make images alike")
        straight, start = [], 0
        for tensor in given:
            straight += [replace(s, start=s.start + start) for s in tensor.straight]
            start += tensor.constant.size
        constant = np.concatenate([t.constant for t in given])
        return _Tensor(constant.shape, constant.shape, constant, tuple(straight))

    def softmax(self, node: Node, operator: Softmax, tensor: _Tensor) -> _Tensor:
        names = [node.name]
        for later in self.graph:
            if set(later.inputs) & set(names):
                if not isinstance(later.operator, ORDERS_ONLY):
                    raise refuse(node.name, "softmax", f"stands before {later.name}")
                names.append(later.name)
        return tensor


def _sum(tensors: Iterable[_Tensor], signs: Iterable[int]) -> _Tensor:
    """Add tensors of one shape, each times its sign."""
    given = list(tensors)
    straight: list[_Straight] = []
    through: list[Feed] = []
    total = np.zeros(given[0].shape)
    for tensor, sign in zip(given, signs, strict=True):
        straight += [replace(s, factor=sign * s.factor) for s in tensor.straight]
        through += [
            f if sign == 1 else Feed(f.source, f.synapse.with_arrays(np.negative))
            for f in tensor.through
        ]
        total = total + sign * tensor.constant
    form = next((t.form for t in given if t.through), given[0].shape)
    return _Tensor(given[0].shape, form, total, tuple(straight), tuple(through))


def _with_even_rows(
    feeds: tuple[Feed, ...], bias: Array, shape: Shape
) -> tuple[tuple[Feed, ...], Array]:
    """Scale each channel of a binary map so that its largest weight is that of all.

    It changes no sign, so nothing that is sent, and each channel's weights then use all bits.
    """
    # Those whose weights stand row by row as the channels they lead to.
    if not all(type(feed.synapse) in (Dense, Conv) for feed in feeds):
        return feeds, bias
    rows = shape[0]
    weights = [np.abs(feed.synapse.only_array).reshape(rows, -1) for feed in feeds]
    most = np.max([w.max(axis=1) for w in weights], axis=0).astype(np.float64)
    top = float(most.max(initial=0))
    biases = np.abs(bias.reshape(rows, -1)).max(axis=1)
    # A channel that hangs on its bias alone stays as it is: as an integer that would be huge.
    allowed = np.maximum(1, LARGEST_BIAS * top / np.maximum(biases, 1e-30))
    factor = np.minimum(np.where(most > 0, top / np.maximum(most, 1e-30), 1), allowed)
    place = np.repeat(factor, bias.size // rows)
    scaled = (Feed(f.source, _SCALED[type(f.synapse)](f.synapse, factor, place)) for f in feeds)
    return tuple(scaled), bias * place


def _float(array: Any) -> Any:
    return np.ascontiguousarray(array, np.float32)


def _by_channel(part: _Straight, shape: Shape) -> Array | None:
    """A part's factor for each of its channels; None where a channel has several."""
    each = int(np.prod(shape[1:]))
    if part.start % each or part.factor.size % each:
        return None
    factor = part.factor.reshape(-1, each)
    return factor[:, 0] if (factor == factor[:, :1]).all() else None


def _channels(part: _Straight, shape: Shape) -> tuple[Array, int]:
    """Factors and first channel of a part that has one factor for each channel."""
    factor = _by_channel(part, shape)
    if factor is None:
        raise refuse(part.source, "image", "is scaled place by place", "scale by channel")
    return factor, part.start // int(np.prod(shape[1:]))


def _spread(weight: Array, dilation: tuple[int, int]) -> Array:
    """Write a kernel's dilation as taps of zero."""
    if dilation == (1, 1):
        return weight
    size = [d * (n - 1) + 1 for d, n in zip(dilation, weight.shape[2:], strict=True)]
    spread = np.zeros((*weight.shape[:2], *size))
    spread[:, :, :: dilation[0], :: dilation[1]] = weight
    return spread


def _padded_alike(
    weight: Array, sides: Sides, dilation: tuple[int, int]
) -> tuple[Array, tuple[int, int], tuple[int, int]]:
    """Bring padding to the same at both ends: what is missing at one are taps of zero."""
    if all(first == last for first, last in sides):
        return weight, (sides[0][0], sides[1][0]), dilation
    weight = _spread(weight, dilation)
    more = [(max(last - first, 0), max(first - last, 0)) for first, last in sides]
    weight = np.pad(weight, ((0, 0), (0, 0), *more))
    return weight, (max(sides[0]), max(sides[1])), (1, 1)


def _output_shape(node: Node, synapse: Conv | ConvTranspose, shape: Shape) -> Shape:
    target = synapse.output_shape(shape)
    if min(target) < 1:
        raise refuse(
            node.name, type(node.operator).__name__, f"makes {target} of an image {shape}",
            "give larger images, or a smaller kernel",
        )  # fmt: skip
    _check_small(node, *target)
    return target


def _check_small(node: Node, *sizes: int) -> None:
    """Refuse sizes that no network of a chip has, before anything of them is allocated."""
    count = math.prod(max(size, 1) for size in sizes)
    if count > LARGEST:
        raise refuse(
            node.name, type(node.operator).__name__, f"makes {count:,} numbers",
            f"keep below {LARGEST:,}",
        )  # fmt: skip


def _windows(node: Node, pool: Pooling, axis: int, size: int) -> tuple[list[Any], list[int], int]:
    """Places in each window along an axis, what an average divides by, and rows missing at the end.

    As torch has it: a last window that is not whole must begin before the end of the image.
    """
    first, last = pool.padding[axis]
    step, dilation, kernel = pool.stride[axis], pool.dilation[axis], pool.kernel[axis]
    span = dilation * (kernel - 1) + 1
    room = size + first + last - span
    count = (-(-room // step) if pool.rounds_up else room // step) + 1
    if pool.rounds_up and (count - 1) * step >= size + first:
        count -= 1
    if room < 0 or count < 1:
        raise refuse(
            node.name, f"{pool.reduce} pool", f"of {kernel} gets {size} rows", "use a smaller one"
        )
    places, divisors = [], []
    for start in range(-first, -first + count * step, step):
        taps = start + dilation * np.arange(kernel)
        inside = taps[(taps >= 0) & (taps < size)]
        places.append(inside)
        divisors.append(int((taps < size + last).sum()) if pool.counts_padding else len(inside))
    return places, divisors, max(0, (count - 1) * step + span - (size + first + last))


_SCALED: dict[type[Synapse], Callable[[Any, Array, Array], Synapse]] = {
    Dense: lambda s, channel, place: replace(s, weight=_float(s.weight * place[:, None])),
    Conv: lambda s, channel, place: replace(
        s, weight=_float(s.weight * channel[:, None, None, None])
    ),
    ConvTranspose: lambda s, channel, place: replace(
        s,
        weight=_float(
            s.weight
            * np.repeat(channel.reshape(s.groups, -1), len(s.weight) // s.groups, axis=0)[
                :, :, None, None
            ]
        ),
    ),
    Sparse: lambda s, channel, place: replace(s, weight=_float(s.weight * place[s.targets])),
}

_OF_KIND: dict[type[Operator], Callable[..., _Tensor]] = {
    Linear: _Lowering.linear,
    Convolution: _Lowering.convolve,
    TransposedConvolution: _Lowering.transpose,
    Scale: _Lowering.scale,
    Clip: _Lowering.clip,
    LeakyRectifier: _Lowering.leaky,
    Step: _Lowering.step,
    Sign: _Lowering.sign,
    Pooling: _Lowering.pool,
    AdaptivePooling: _Lowering.adaptive,
    Flatten: _Lowering.flatten,
    Identity: _Lowering.same,
    Grid: _Lowering.on_grid,
    Sum: _Lowering.add,
    Concatenation: _Lowering.concatenate,
    Softmax: _Lowering.softmax,
}
