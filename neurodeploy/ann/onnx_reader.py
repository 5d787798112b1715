"""Reads ONNX files; needs the extra ``onnx``. Weights in other files are not followed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import BackendError, FormatError, how_to_add
from .graph import (
    AdaptivePooling,
    Array,
    Clip,
    Concatenation,
    Convolution,
    Flatten,
    Graph,
    Identity,
    LeakyRectifier,
    Linear,
    Node,
    Operator,
    Pair,
    Pooling,
    Scale,
    Shape,
    Sides,
    Sign,
    Softmax,
    Step,
    Sum,
    TransposedConvolution,
    check_floats,
    refuse,
)

LARGEST_FILE = 1 << 31
"""Bytes: what protobuf holds in one message."""

Made: TypeAlias = "Operator | list[Operator]"

_CALLED = {
    "Tanh": "tanh", "Sigmoid": "sigmoid", "Exp": "exp", "Erf": "GELU", "Gelu": "GELU",
    "HardSwish": "SiLU", "Elu": "ELU", "Selu": "ELU", "Celu": "ELU", "Softplus": "softplus",
    "Mish": "SiLU", "LayerNormalization": "layer norm", "GroupNormalization": "group norm",
    "InstanceNormalization": "instance norm", "LSTM": "recurrent cell", "GRU": "recurrent cell",
    "RNN": "recurrent cell", "Attention": "product of two activations",
    "Einsum": "product of two activations",
}  # fmt: skip
"""What operators without a form are called when refused."""

_SIZES = frozenset(
    {"Shape", "Gather", "Unsqueeze", "Squeeze", "Concat", "Cast", "Slice", "Mul", "Add", "Sub"}
)
"""Operators that exporters make of ``x.size(0)``; they compute with sizes, not with tensors."""


def read_onnx(path: Path) -> Graph:
    """Read a file.

    Raises
    ------
    BackendError
        Without the extra.
    FormatError
        If it is no ONNX file, or damaged.
    UnsupportedError
        Naming the node, its operator and what comes nearest.
    """
    try:
        import onnx
    except ImportError as error:
        raise BackendError(f"{path}: needs onnx ({error}); {how_to_add('onnx')}") from error
    if path.stat().st_size > LARGEST_FILE:
        raise FormatError(f"{path}: larger than 2 GiB; keep the network in one file below that")
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's own, of which there are several
        raise FormatError(f"{path}: not a readable ONNX file; export it again") from error
    if not model.graph.node:
        raise FormatError(f"{path}: holds no nodes; export it again")
    try:
        return _Reading(path, onnx).of(model.graph)
    except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        raise FormatError(
            f"{path}: a node is incomplete ({type(error).__name__}: {error}); export it again"
        ) from error


@dataclass
class _Call:
    """A node: what enters it, its constants by their place, and its attributes."""

    name: str
    kind: str
    tensors: list[str]
    constants: dict[int, NDArray[Any]]
    attributes: dict[str, Any]
    rank: int

    def floats(self, place: int, what: str, default: Any = None) -> Array:
        """Give a constant that enters at a place."""
        if place in self.constants:
            return check_floats(self.name, what, self.constants[place])
        if default is None:
            raise refuse(
                self.name, self.kind, f"has a {what} that is computed", "make it a constant"
            )
        return np.asarray(default, np.float64)

    def ints(self, name: str, default: Sequence[int]) -> list[int]:
        """Give an attribute that is a list."""
        return [int(v) for v in self.attributes.get(name, default)]


class _Reading:
    def __init__(self, path: Path, onnx: Any) -> None:
        self.path, self.onnx = path, onnx
        self.nodes: list[Node] = []
        self.names: dict[str, str] = {}  # of tensors, to nodes
        self.ranks: dict[str, int] = {}
        self.constants: dict[str, NDArray[Any]] = {}
        self.sizes: dict[str, int] = {}  # of tensors of sizes, how many they hold (0: unknown)

    def of(self, graph: Any) -> Graph:
        for held in graph.initializer:
            self.constants[held.name] = self.array(held.name, held)
        given = [i for i in graph.input if i.name not in self.constants]
        if len(given) != 1:
            raise refuse(str(self.path), f"{len(given)} inputs", nearest="export one input")
        sizes = [d.dim_value for d in given[0].type.tensor_type.shape.dim]
        self.names[given[0].name], self.ranks[given[0].name] = "input", len(sizes)
        shape: Shape | None = tuple(sizes[1:])
        if len(sizes) < 2 or not all(sizes[1:]):
            shape = None
        if shape is not None and len(shape) == 2:
            self.ranks[given[0].name] = 3
        for node in graph.node:
            self.add(node)
        if len(graph.output) != 1 or graph.output[0].name not in self.names:
            raise refuse(
                str(self.path), f"{len(graph.output)} outputs", nearest="export one tensor"
            )
        last = self.names[graph.output[0].name]
        return Graph(str(self.path), "input", tuple(self.nodes), last, shape)

    def array(self, name: str, held: Any) -> NDArray[Any]:
        """Give a tensor that is held in the file itself, in the size that it says."""
        if held.data_location == self.onnx.TensorProto.EXTERNAL:
            raise FormatError(
                f"{self.path}: {name} lies in another file; save the model as one file"
            )
        try:
            # to_array makes an array of what the file holds, and refuses another size.
            return np.asarray(self.onnx.numpy_helper.to_array(held))
        except (ValueError, TypeError) as error:
            raise FormatError(f"{self.path}: {name}: {error}; export it again") from None

    def add(self, node: Any) -> None:
        name = node.name.strip("/").replace("//", "/") or node.output[0]
        attributes = {a.name: self.onnx.helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "Constant":
            value = attributes.get("value")
            made = self.array(name, value) if value is not None else None
            for key in ("value_float", "value_int", "value_floats", "value_ints"):
                made = np.asarray(attributes[key]) if key in attributes else made
            if made is not None:
                self.constants[node.output[0]] = made
                return
        tensors = [self.names[i] for i in node.input if i in self.names]
        constants = {n: self.constants[i] for n, i in enumerate(node.input) if i in self.constants}
        ranks = [self.ranks[i] for i in node.input if i in self.ranks]
        if node.op_type == "Shape" or not tensors:
            if node.op_type not in _SIZES:
                raise refuse(name, _CALLED.get(node.op_type, node.op_type))
            counted = len(node.input) if node.op_type == "Concat" else 0
            self.sizes.update(dict.fromkeys(node.output, counted))
            return
        call = _Call(name, node.op_type, tensors, constants, attributes, max(ranks, default=0))
        if node.op_type == "Reshape":
            shape = constants.get(1)
            call.attributes["sizes"] = (
                int(np.size(shape)) if shape is not None else self.sizes.get(node.input[1], 0)
            )
        read = _OPERATORS.get(node.op_type)
        if read is None:
            raise refuse(name, _CALLED.get(node.op_type, node.op_type))
        operators = read(call)
        operators = operators if isinstance(operators, list) else [operators]
        inputs = tuple(tensors)
        taken = {n.name for n in self.nodes} | {"input"}
        for operator in operators:
            own, number = name, 2
            while own in taken:
                own, number = f"{name}#{number}", number + 1
            taken.add(own)
            self.nodes.append(Node(own, operator, inputs))
            inputs = (own,)
        self.names[node.output[0]] = inputs[0]
        flat = any(type(o) in (Flatten, Linear) for o in operators)
        self.ranks[node.output[0]] = 2 if flat else call.rank


def _pair(values: Sequence[int], unit: int) -> Pair:
    """Of an image; a length is one of one row."""
    return (unit, values[0]) if len(values) == 1 else (values[0], values[1])


def _sides(call: _Call, kernel: Pair, axes: int) -> Sides:
    mode = call.attributes.get("auto_pad", b"NOTSET")
    ones = [1] * axes
    if mode in (b"SAME_UPPER", b"SAME_LOWER") and call.ints("strides", ones) == ones:
        dilation = _pair(call.ints("dilations", ones), 1)
        total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        less, more = ((n // 2, -(-n // 2)) for n in total)
        upper = mode == b"SAME_UPPER"  # where the odd zero stands at the end
        return (less, more) if upper else (less[::-1], more[::-1])
    if mode not in (b"NOTSET", b"VALID"):
        raise refuse(
            call.name, f"auto_pad {mode.decode()}", "with a stride hangs on the image's size",
            "export the padding itself",
        )  # fmt: skip
    pads = call.ints("pads", [0] * (2 * axes))
    if axes == 1:
        return (0, 0), (pads[0], pads[1])
    return (pads[0], pads[2]), (pads[1], pads[3])


def _kernel(call: _Call) -> tuple[Array, int]:
    weight = call.floats(1, "weight")
    axes = weight.ndim - 2
    if axes not in (1, 2):
        raise refuse(call.name, call.kind, f"over {axes} axes", "use one or two")
    return (weight[:, :, None] if axes == 1 else weight), axes


def _size(weight: Array) -> Pair:
    """Rows and columns of a kernel."""
    return weight.shape[2], weight.shape[3]


def _conv(call: _Call) -> Made:
    weight, axes = _kernel(call)
    ones = [1] * axes
    return Convolution(
        weight, call.floats(2, "bias", np.zeros(len(weight))),
        _pair(call.ints("strides", ones), 1), _sides(call, _size(weight), axes),
        _pair(call.ints("dilations", ones), 1), int(call.attributes.get("group", 1)),
    )  # fmt: skip


def _transposed(call: _Call) -> Made:
    weight, axes = _kernel(call)
    ones, groups = [1] * axes, int(call.attributes.get("group", 1))
    sides = _sides(call, _size(weight), axes)
    more = _pair(call.ints("output_padding", [0] * axes), 0)
    if any(a != b for a, b in sides) or "output_shape" in call.attributes:
        raise refuse(call.name, call.kind, "with uneven padding", "pad alike at both ends")
    return TransposedConvolution(
        weight, call.floats(2, "bias", np.zeros(weight.shape[1] * groups)),
        _pair(call.ints("strides", ones), 1), (sides[0][0], sides[1][0]), more,
        _pair(call.ints("dilations", ones), 1), groups,
    )  # fmt: skip


def _gemm(call: _Call) -> Made:
    if call.attributes.get("transA"):
        raise refuse(call.name, "Gemm", "with transA", "export a linear layer")
    weight = call.floats(1, "weight") * float(call.attributes.get("alpha", 1.0))
    weight = weight if call.attributes.get("transB") else weight.T
    bias = call.floats(2, "bias", 0.0) * float(call.attributes.get("beta", 1.0))
    return Linear(weight, np.broadcast_to(bias.ravel(), len(weight)).copy())


def _product(call: _Call) -> Made:
    if len(call.tensors) == 2:
        raise refuse(call.name, "product of two activations")
    if 1 not in call.constants or call.constants[1].ndim != 2:
        raise refuse(call.name, "MatMul", "with a constant at the left", "export a linear layer")
    weight = call.floats(1, "weight").T
    return Linear(weight, np.zeros(len(weight)))


def _norm(call: _Call) -> Made:
    gain, offset, mean, variance = (
        call.floats(n, what) for n, what in enumerate(("scale", "B", "mean", "var"), 1)
    )
    factor = gain / np.sqrt(variance + float(call.attributes.get("epsilon", 1e-5)))
    return Scale(factor, offset - mean * factor)


def _by_channel(call: _Call) -> Array:
    """Give the constant of a sum or product: one number, or one for each channel."""
    (value,) = call.constants.values()
    array = check_floats(call.name, "constant", value)
    if array.size == 1:
        return array.reshape(1)
    shape = (1,) * (call.rank - array.ndim) + array.shape
    if len(shape) != call.rank or any(n != 1 for at, n in enumerate(shape) if at != 1):
        raise refuse(
            call.name, call.kind, f"with a constant of shape {array.shape}",
            "use one number, or one for each channel",
        )  # fmt: skip
    return array.ravel()


def _added(sign: int) -> Callable[[_Call], Made]:
    def add(call: _Call) -> Made:
        if len(call.tensors) == 2:
            return Sum((1, sign))
        first = 0 in call.constants
        number = _by_channel(call)
        if first:
            return Scale(np.array([float(sign)]), number)
        return Scale(np.ones(1), sign * number)

    return add


def _multiplied(call: _Call) -> Made:
    if len(call.tensors) == 2:
        raise refuse(call.name, "product of two activations")
    return Scale(_by_channel(call), np.zeros(1))


def _divided(call: _Call) -> Made:
    if len(call.tensors) == 2 or 0 in call.constants:
        raise refuse(call.name, "division by an activation", nearest="divide by a number")
    return Scale(1 / _by_channel(call), np.zeros(1))


def _clip(call: _Call) -> Made:
    low = call.constants.get(1, call.attributes.get("min", -np.inf))
    high = call.constants.get(2, call.attributes.get("max", np.inf))
    bounds = float(np.ravel(low)[0]), float(np.ravel(high)[0])
    return Identity() if np.isinf(bounds).all() else Clip(*bounds)


def _prelu(call: _Call) -> Made:
    slope = call.floats(1, "slope")
    return LeakyRectifier(slope.ravel())


def _hard_sigmoid(call: _Call) -> Made:
    alpha = float(call.attributes.get("alpha", 0.2))
    beta = float(call.attributes.get("beta", 0.5))
    return [Scale(np.array([alpha]), np.array([beta])), Clip(0, 1)]


def _pool(reduce: str) -> Callable[[_Call], Made]:
    def pool(call: _Call) -> Made:
        kernel = call.ints("kernel_shape", ())
        ones = [1] * len(kernel)
        return Pooling(
            reduce, _pair(kernel, 1), _pair(call.ints("strides", ones), 1),
            _sides(call, _pair(kernel, 1), len(kernel)), _pair(call.ints("dilations", ones), 1),
            bool(call.attributes.get("ceil_mode", 0)),
            bool(call.attributes.get("count_include_pad", 0)),
        )  # fmt: skip

    return pool


def _flatten(call: _Call) -> Made:
    if int(call.attributes.get("axis", 1)) != 1:
        raise refuse(call.name, "Flatten", "not from axis 1", "flatten all but the samples' axis")
    return Flatten()


def _reshape(call: _Call) -> Made:
    if call.attributes["sizes"] != 2:
        raise refuse(call.name, "reshape", "to an image", "use Flatten")
    return Flatten()


def _mean(call: _Call) -> Made:
    axes = call.attributes.get("axes")
    axes = list(np.ravel(call.constants[1])) if axes is None and 1 in call.constants else axes
    if call.rank != 4 or axes is None or sorted(int(a) % 4 for a in axes) != [2, 3]:
        raise refuse(call.name, "mean", f"over axes {axes}", "use a global average pool")
    pooled: list[Operator] = [AdaptivePooling("average", (1, 1))]
    return pooled if call.attributes.get("keepdims", 1) else [*pooled, Flatten()]


def _above(inclusive: bool) -> Callable[[_Call], Made]:
    def compare(call: _Call) -> Made:
        if len(call.tensors) == 2 or 1 not in call.constants or call.constants[1].size != 1:
            raise refuse(
                call.name, "comparison", "of two activations", "compare with a number at the right"
            )
        return [Scale(np.ones(1), -_by_channel(call)), Step(inclusive)]

    return compare


def _pad(call: _Call) -> Made:
    raise refuse(call.name, "Pad", nearest="give the padding to the convolution behind it")


def _join(call: _Call) -> Made:
    if int(call.attributes.get("axis", 1)) not in (1, 1 - call.rank) or call.constants:
        raise refuse(
            call.name, "concatenation", "not along the channels, or with a constant", "join axis 1"
        )
    return Concatenation()


def _plain(made: Operator) -> Callable[[_Call], Made]:
    return lambda call: made


_OPERATORS: dict[str, Callable[[_Call], Made]] = {
    "Gemm": _gemm,
    "MatMul": _product,
    "Conv": _conv,
    "ConvTranspose": _transposed,
    "BatchNormalization": _norm,
    "Relu": _plain(Clip(0)),
    "Clip": _clip,
    "LeakyRelu": lambda call: LeakyRectifier(np.array([float(call.attributes.get("alpha", 0.01))])),
    "PRelu": _prelu,
    "HardSigmoid": _hard_sigmoid,
    "Sign": _plain(Sign()),
    "Greater": _above(False),
    "GreaterOrEqual": _above(True),
    "AveragePool": _pool("average"),
    "MaxPool": _pool("max"),
    "GlobalAveragePool": _plain(AdaptivePooling("average", (1, 1))),
    "GlobalMaxPool": _plain(AdaptivePooling("max", (1, 1))),
    "ReduceMean": _mean,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Pad": _pad,
    **dict.fromkeys(("Dropout", "Identity", "Cast"), _plain(Identity())),
    "Add": _added(1),
    "Sub": _added(-1),
    "Mul": _multiplied,
    "Div": _divided,
    "Neg": _plain(Scale(-np.ones(1), np.zeros(1))),
    "Concat": _join,
    **dict.fromkeys(("Softmax", "LogSoftmax"), _plain(Softmax())),
}
"""ONNX's operators by name."""
