"""An ordinary network as its readers give it: nodes in order, each one operator.

Tensors are channels first and have no axis of samples: ``(features,)``, ``(channels, length)`` or
``(channels, height, width)``; a length is an image of one row. Weights are float64.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedError

Array: TypeAlias = NDArray[np.float64]
Shape: TypeAlias = tuple[int, ...]
Pair: TypeAlias = tuple[int, int]
Sides: TypeAlias = tuple[Pair, Pair]
"""Padding ((top, bottom), (left, right))."""


@dataclass(frozen=True, eq=False)
class Operator:
    """Base of what a node does to the tensors that enter it."""


@dataclass(frozen=True, eq=False)
class Linear(Operator):
    """``y = weight x + bias``; weight [outputs, inputs], bias [outputs]."""

    weight: Array
    bias: Array


@dataclass(frozen=True, eq=False)
class Convolution(Operator):
    """Torch's convolution of an image; weight [out, in / groups, height, width], bias [out]."""

    weight: Array
    bias: Array
    stride: Pair = (1, 1)
    padding: Sides = ((0, 0), (0, 0))
    dilation: Pair = (1, 1)
    groups: int = 1


@dataclass(frozen=True, eq=False)
class TransposedConvolution(Operator):
    """Torch's transposed convolution; weight [in, out / groups, height, width], bias [out]."""

    weight: Array
    bias: Array
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    output_padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1


@dataclass(frozen=True, eq=False)
class Scale(Operator):
    """``y = factor x + offset``, one number for all or one for each channel: a batch norm."""

    factor: Array
    offset: Array


@dataclass(frozen=True, eq=False)
class Clip(Operator):
    """``y = min(max(x, lowest), highest)``: ReLU is (0, infinity), ReLU6 (0, 6)."""

    lowest: float
    highest: float = float("inf")


@dataclass(frozen=True, eq=False)
class LeakyRectifier(Operator):
    """``y = x where x > 0, else slope x``; slope one number, or one for each channel."""

    slope: Array


@dataclass(frozen=True, eq=False)
class Step(Operator):
    """``y = high where x > 0 (or x >= 0), else low``: Heaviside's function, a binary map."""

    inclusive: bool = False
    low: float = 0.0
    high: float = 1.0


@dataclass(frozen=True, eq=False)
class Sign(Operator):
    """1, 0 or -1."""


@dataclass(frozen=True, eq=False)
class Pooling(Operator):
    """Windows of each channel.

    Attributes
    ----------
    reduce : {"sum", "average", "max"}
    kernel, stride : (int, int)
    padding : Sides
        Zeros of a sum; of an average counted or not, see `counts_padding`; never the most.
    dilation : (int, int)
    rounds_up : bool
        Whether a last window that is not whole counts, too (torch's ``ceil_mode``).
    counts_padding : bool
        Whether an average divides by the whole window where padding lies in it.
    divisor : int or None
        What an average divides by in place of that.
    """

    reduce: str
    kernel: Pair
    stride: Pair
    padding: Sides = ((0, 0), (0, 0))
    dilation: Pair = (1, 1)
    rounds_up: bool = False
    counts_padding: bool = True
    divisor: int | None = None


@dataclass(frozen=True, eq=False)
class AdaptivePooling(Operator):
    """Windows that give an image of this size; None keeps an axis. `reduce` as in `Pooling`."""

    reduce: str
    size: tuple[int | None, int | None]


@dataclass(frozen=True, eq=False)
class Flatten(Operator):
    """All numbers in one row, in (C, H, W) order."""


@dataclass(frozen=True, eq=False)
class Identity(Operator):
    """What changes nothing when the network runs: dropout, identity."""


@dataclass(frozen=True, eq=False)
class Grid(Operator):
    """Rounds to whole multiples of `step`, as a quantized module says; messages take it over."""

    step: float


@dataclass(frozen=True, eq=False)
class Sum(Operator):
    """Sum of all that enters, each times its sign: a residual."""

    signs: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Concatenation(Operator):
    """All that enters behind each other, along the channels."""


@dataclass(frozen=True, eq=False)
class Softmax(Operator):
    """Monotone in each number: it changes no decision, so at the very end it is left out."""


@dataclass(frozen=True, eq=False)
class Node:
    """An operator and what enters it.

    Attributes
    ----------
    name : str
        The module's path, or what the file calls the node.
    operator : Operator
    inputs : tuple of str
        Names of nodes, or of the graph's input.
    """

    name: str
    operator: Operator
    inputs: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Graph:
    """A network without time: nodes in order, each behind what enters it.

    Attributes
    ----------
    source : str
        What it was read from, for errors.
    input : str
    nodes : tuple of Node
    output : str
        Name of the node whose numbers are the network's.
    shape : tuple of int or None
        Of the input where the source says it.
    """

    source: str
    input: str
    nodes: tuple[Node, ...]
    output: str
    shape: Shape | None = None

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)


NEAREST: dict[str, str] = {
    "softmax": "it may stand at the very end alone, where it changes no decision; remove it",
    "tanh": "train with Hardtanh, which is two rectifiers",
    "sigmoid": "train with ReLU, or a Hardtanh of 0..1",
    "exp": "train with ReLU",
    "gelu": "train with ReLU",
    "silu": "train with ReLU or ReLU6",
    "elu": "train with ReLU or LeakyReLU",
    "softplus": "train with ReLU",
    "layer norm": "train with BatchNorm, which folds into the weights",
    "group norm": "train with BatchNorm, which folds into the weights",
    "instance norm": "train with BatchNorm, which folds into the weights",
    "product of two activations": (
        "no synapse has a weight that another neuron sends; use convolutions in place of attention "
        "and gates"
    ),
    "graded max pool": (
        "use an average pool, a convolution with a stride, or a binary map before it, of which a "
        "max pool is an OR"
    ),
    "recurrent cell": "train a spiking layer with recurrence (SLAYER, snnTorch) and nd.load that",
}
"""What comes nearest to an operator that has no form on the chip."""


def refuse(name: str, operator: str, why: str = "", nearest: str | None = None) -> UnsupportedError:
    """Make the error of an operator that cannot be converted.

    Parameters
    ----------
    name : str
        The module's path.
    operator : str
    why : str
        Empty: the chip has no form of it.
    nearest : str, optional
        What to do instead; by default as `NEAREST` knows it.
    """
    reason = why or "has no form in integers of the chip"
    instead = nearest or NEAREST.get(operator.lower(), "rebuild it of the operators in docs/ann.md")
    return UnsupportedError(f"{name}: {operator} {reason}; {instead}")


def check_floats(name: str, what: str, values: Any) -> Array:
    """Give weights as float64, all of them finite.

    Raises
    ------
    UnsupportedError
        Naming the module where one is not.
    """
    array = np.asarray(values, np.float64)
    if not np.isfinite(array).all():
        raise UnsupportedError(
            f"{name}: {what} holds {array[~np.isfinite(array)].flat[0]}; train it again"
        )
    return array
