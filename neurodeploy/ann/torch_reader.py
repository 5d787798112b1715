"""Reads torch modules by ``torch.fx``, which follows what ``forward`` does with a symbol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, TypeAlias

import numpy as np

from ..errors import UnsupportedError
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
    Pair,
    Pooling,
    Scale,
    Sides,
    Sign,
    Softmax,
    Step,
    Sum,
    TransposedConvolution,
    refuse,
)
from .quantized_modules import (
    LAYERS,
    around,
    array,
    bias_of,
    is_quantized,
    is_unfinished,
    other,
    weight_of,
)

REFUSED = {
    "Tanh": "tanh", "tanh": "tanh", "Sigmoid": "sigmoid", "sigmoid": "sigmoid", "exp": "exp",
    "GELU": "GELU", "gelu": "GELU", "SiLU": "SiLU", "silu": "SiLU", "Hardswish": "SiLU",
    "ELU": "ELU", "elu": "ELU", "SELU": "ELU", "selu": "ELU", "CELU": "ELU",
    "Softplus": "softplus", "softplus": "softplus", "Mish": "SiLU",
    "LayerNorm": "layer norm", "layer_norm": "layer norm", "GroupNorm": "group norm",
    "group_norm": "group norm", "InstanceNorm1d": "instance norm",
    "InstanceNorm2d": "instance norm", "LSTM": "recurrent cell", "GRU": "recurrent cell",
    "RNN": "recurrent cell", "LSTMCell": "recurrent cell", "GRUCell": "recurrent cell",
    "RNNCell": "recurrent cell", "MultiheadAttention": "product of two activations",
    "TransformerEncoderLayer": "product of two activations",
    "matmul": "product of two activations", "bmm": "product of two activations",
    "einsum": "product of two activations", "Bilinear": "product of two activations",
    "scaled_dot_product_attention": "product of two activations",
}  # fmt: skip
"""Names of modules, functions and methods of torch, and what they are called when refused."""

Made: TypeAlias = "Operator | list[Operator] | None"
"""None: no tensor, a size that a later call asks for."""


def read_torch(module: Any) -> Graph:
    """Read a torch module as it is in evaluation.

    Parameters
    ----------
    module : torch.nn.Module

    Returns
    -------
    Graph

    Raises
    ------
    UnsupportedError
        Naming the module's path and operator, and what comes nearest.
    """
    import torch.fx

    for path, part in module.named_modules():
        if type(part).__module__.startswith("lava."):
            raise UnsupportedError(
                f"{path or type(part).__name__}: {type(part).__name__} is a block of lava-dl, "
                f"which spikes already; use nd.load in place of nd.convert_ann"
            )

    class Tracer(torch.fx.Tracer):
        def is_leaf_module(self, m: Any, qualified_name: str) -> bool:
            own = _binary_values(m) is not None or is_quantized(m) or is_unfinished(m)
            return own or bool(super().is_leaf_module(m, qualified_name))

    name = type(module).__name__
    leaf = _binary_values(module) is not None or is_quantized(module) or is_unfinished(module)
    if name in _MODULES or name in REFUSED or leaf:
        module = torch.nn.Sequential(module)  # a module on its own would be traced into
    try:
        traced = Tracer().trace(module)
    except UnsupportedError:
        raise
    except Exception as error:  # whatever forward raises when it is given a symbol
        raise UnsupportedError(
            f"{name}: its forward cannot be followed ({error}); branches and loops that hang on "
            f"values have no form, take them out"
        ) from error
    return _Reading(name, module, dict(module.named_modules())).of(traced)


@dataclass
class _Call:
    """A call of a module or function: what was given, with graph nodes in it."""

    name: str
    args: tuple[Any, ...]
    keywords: dict[str, Any]
    tensors: list[str] = field(default_factory=list)

    def get(self, place: int, name: str, default: Any = None) -> Any:
        """Give an argument by its place (the tensor is 0) or name."""
        if name in self.keywords:
            return self.keywords[name]
        return self.args[place] if len(self.args) > place else default


class _Reading:
    def __init__(self, name: str, module: Any, modules: dict[str, Any]) -> None:
        self.name, self.module, self.modules = name, module, modules
        self.nodes: list[Node] = []
        self.names: dict[str, str] = {}  # fx's names to ours
        self.sizes: set[str] = set()
        self.numbers: dict[str, float] = {}

    def of(self, traced: Any) -> Graph:
        first = ""
        output = ""
        for node in traced.nodes:
            if node.op == "placeholder":
                if node.users and first:
                    raise refuse(self.name, "second input", nearest="concatenate the inputs first")
                if not first:
                    first = self.names[node.name] = "input"
            elif node.op == "output":
                given = node.args[0]
                if not hasattr(given, "op"):
                    raise refuse(
                        self.name, "output", "is not one tensor", "return the one to be read"
                    )
                output = self.names[given.name]
            else:
                self.add(node)
        return Graph(self.name, "input", tuple(self.nodes), output)

    def add(self, node: Any) -> None:
        """Take one node over."""
        if node.op == "call_module":
            module = self.modules[node.target]
            call = self.call(node, node.target)
            kind = type(module).__name__
            binary = _binary_values(module)
            if binary is not None:
                made: Made = binary
            elif is_unfinished(module):
                raise refuse(
                    node.target, kind, "is there for training in floats",
                    "call torch.ao.quantization.convert first",
                )  # fmt: skip
            elif is_quantized(module) and kind in LAYERS:
                before, after = around(node.target, module)
                made = [*before, _LAYERS[LAYERS[kind]](call, module), *after]
            elif is_quantized(module):
                made = other(node.target, module)
            elif kind in _MODULES and type(module).__module__.startswith("torch.nn.modules"):
                made = _MODULES[kind](call, module)
            else:
                raise refuse(node.target, REFUSED.get(kind, kind))
        elif node.op == "get_attr":
            found = attrgetter(str(node.target))(self.module)
            if hasattr(found, "numel") and found.numel() == 1:  # a scale, a zero point
                self.numbers[node.name] = float(found)
                self.sizes.add(node.name)
                return
            raise refuse(
                str(node.target), "tensor", "that belongs to the module stands in its forward",
                "use it as weight or bias of a layer",
            )  # fmt: skip
        else:
            kind = node.target if isinstance(node.target, str) else node.target.__name__
            owner = list(node.meta.get("nn_module_stack") or [""])[-1]
            call = self.call(node, f"{owner}.{node.name}".lstrip("."))
            if kind not in _CALLS or not call.tensors:
                if call.tensors or kind in REFUSED:
                    raise refuse(call.name, REFUSED.get(kind, kind))
                self.sizes.add(node.name)
                return
            made = _CALLS[kind](call)
        if made is None:
            self.sizes.add(node.name)
            return
        self.put(node.name, call, made if isinstance(made, list) else [made])

    def put(self, fx_name: str, call: _Call, made: list[Operator]) -> None:
        inputs = tuple(call.tensors)
        taken = {node.name for node in self.nodes} | {"input"}
        for operator in made:
            name = call.name
            number = 2
            while name in taken:
                name, number = f"{call.name}#{number}", number + 1
            taken.add(name)
            self.nodes.append(Node(name, operator, inputs))
            inputs = (name,)
        self.names[fx_name] = inputs[0]

    def call(self, node: Any, name: str) -> _Call:
        """Give a call, and the tensors among its arguments, in order."""
        found: list[str] = []

        def look(value: Any) -> None:
            if isinstance(value, tuple | list):
                for part in value:
                    look(part)
            elif hasattr(value, "op") and value.name not in self.sizes:
                found.append(self.names[value.name])

        def number(value: Any) -> Any:
            return self.numbers.get(value.name, value) if hasattr(value, "op") else value

        look(node.args)
        look(tuple(node.kwargs.values()))
        args = tuple(number(value) for value in node.args)
        return _Call(name, args, {k: number(v) for k, v in node.kwargs.items()}, found)


def _binary_values(module: Any) -> Step | None:
    """Operator of a module that says it makes binary maps, as `training.BinaryActivation` does."""
    values = getattr(module, "binary_values", None)
    if values is None:
        return None
    low, high = values
    return Step(bool(getattr(module, "inclusive", False)), float(low), float(high))


def _pair(value: Any) -> Pair:
    """One number for both axes, or two; one of a list is a length's, whose image has one row."""
    if isinstance(value, int):
        return value, value
    values = tuple(int(v) for v in value)
    return (values[0], values[0]) if len(values) == 1 else (values[0], values[1])


def _line(value: Any, unit: int) -> Pair:
    """A length's number as an image of one row has it."""
    return unit, int(value if isinstance(value, int) else value[0])


def _linear(call: _Call, module: Any) -> Operator:
    weight = weight_of(call.name, module)
    return Linear(weight, bias_of(call.name, module, len(weight)))


def _conv(call: _Call, module: Any) -> Operator:
    weight = weight_of(call.name, module)
    if module.padding_mode != "zeros":
        raise refuse(call.name, f"padding of {module.padding_mode}", nearest="pad with zeros")
    flat = weight.ndim == 3
    if flat:
        weight = weight[:, :, None]
    stride, dilation = (
        _line(value, 1) if flat else _pair(value) for value in (module.stride, module.dilation)
    )
    sides: Sides
    if module.padding == "same":  # torch puts the odd row at the end
        total = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
        sides = ((total[0] // 2, -(-total[0] // 2)), (total[1] // 2, -(-total[1] // 2)))
    else:
        given = 0 if module.padding == "valid" else module.padding
        pad = _line(given, 0) if flat else _pair(given)
        sides = ((pad[0], pad[0]), (pad[1], pad[1]))
    bias = bias_of(call.name, module, len(weight))
    return Convolution(weight, bias, stride, sides, dilation, module.groups)


def _transposed(call: _Call, module: Any) -> Operator:
    weight = weight_of(call.name, module)
    flat = weight.ndim == 3
    if flat:
        weight = weight[:, :, None]

    def both(value: Any, unit: int) -> Pair:
        return _line(value, unit) if flat else _pair(value)

    bias = bias_of(call.name, module, weight.shape[1] * module.groups)
    return TransposedConvolution(
        weight, bias, both(module.stride, 1), both(module.padding, 0),
        both(module.output_padding, 0), both(module.dilation, 1), module.groups,
    )  # fmt: skip


def _batch_norm(call: _Call, module: Any) -> Operator:
    if module.running_mean is None:
        raise refuse(
            call.name, "batch norm", "keeps no running mean and variance",
            "train it with track_running_stats=True",
        )  # fmt: skip
    deviation = np.sqrt(array(call.name, "running_var", module.running_var) + module.eps)
    mean = array(call.name, "running_mean", module.running_mean)
    gain = np.ones_like(mean) if module.weight is None else array(call.name, "w", module.weight)
    offset = np.zeros_like(mean) if module.bias is None else array(call.name, "b", module.bias)
    return Scale(gain / deviation, offset - mean * gain / deviation)


def _windows(
    call: _Call, reduce: str, kernel: Any, stride: Any, padding: Any, flat: bool, **more: Any
) -> Operator:
    size = _line(kernel, 1) if flat else _pair(kernel)
    step = size if stride in (None, [], ()) else _line(stride, 1) if flat else _pair(stride)
    pad = _line(padding, 0) if flat else _pair(padding)
    return Pooling(reduce, size, step, ((pad[0], pad[0]), (pad[1], pad[1])), **more)


def _average_pool(call: _Call, module: Any) -> Operator:
    flat = type(module).__name__.endswith("1d")
    return _windows(
        call, "average", module.kernel_size, module.stride, module.padding, flat,
        rounds_up=module.ceil_mode, counts_padding=module.count_include_pad,
        divisor=getattr(module, "divisor_override", None),
    )  # fmt: skip


def _max_pool(call: _Call, module: Any) -> Operator:
    flat = type(module).__name__.endswith("1d")
    dilation = _line(module.dilation, 1) if flat else _pair(module.dilation)
    return _windows(
        call, "max", module.kernel_size, module.stride, module.padding, flat,
        rounds_up=module.ceil_mode, dilation=dilation,
    )  # fmt: skip


def _adaptive(reduce: str, size: Any, flat: bool) -> Operator:
    if flat:
        return AdaptivePooling(reduce, (1, size if isinstance(size, int) else size[0]))
    pair = (size, size) if isinstance(size, int) or size is None else tuple(size)
    return AdaptivePooling(reduce, (pair[0], pair[1]))


def _prelu(call: _Call, module: Any) -> Operator:
    return LeakyRectifier(array(call.name, "weight", module.weight))


def _hard_sigmoid() -> list[Operator]:
    return [Scale(np.array([1 / 6]), np.array([0.5])), Clip(0, 1)]


def _plain(made: Operator) -> Callable[..., Operator]:
    return lambda call, *module: made


_LAYERS: dict[str, Callable[[_Call, Any], Operator]] = {
    "Linear": _linear,
    "Conv": _conv,
    "Transposed": _transposed,
}
"""Plain layers, as `quantized_modules.LAYERS` names them."""

_MODULES: dict[str, Callable[[_Call, Any], Made]] = {
    "Linear": _linear,
    **dict.fromkeys(("Conv1d", "Conv2d"), _conv),
    **dict.fromkeys(("ConvTranspose1d", "ConvTranspose2d"), _transposed),
    **dict.fromkeys(("BatchNorm1d", "BatchNorm2d"), _batch_norm),
    "ReLU": _plain(Clip(0)),
    "ReLU6": _plain(Clip(0, 6)),
    "Hardtanh": lambda call, m: Clip(float(m.min_val), float(m.max_val)),
    "Hardsigmoid": lambda call, m: _hard_sigmoid(),
    "LeakyReLU": lambda call, m: LeakyRectifier(np.array([float(m.negative_slope)])),
    "PReLU": _prelu,
    **dict.fromkeys(("AvgPool1d", "AvgPool2d"), _average_pool),
    **dict.fromkeys(("MaxPool1d", "MaxPool2d"), _max_pool),
    "AdaptiveAvgPool1d": lambda call, m: _adaptive("average", m.output_size, True),
    "AdaptiveAvgPool2d": lambda call, m: _adaptive("average", m.output_size, False),
    "AdaptiveMaxPool1d": lambda call, m: _adaptive("max", m.output_size, True),
    "AdaptiveMaxPool2d": lambda call, m: _adaptive("max", m.output_size, False),
    "Flatten": lambda call, m: _flattened(call, m.start_dim, m.end_dim),
    **dict.fromkeys(
        ("Dropout", "Dropout1d", "Dropout2d", "AlphaDropout", "Identity"), _plain(Identity())
    ),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Softmax2d"), _plain(Softmax())),
}
"""Torch's modules by the name of their class."""


def _flattened(call: _Call, start: Any, end: Any) -> Operator:
    if (start, end) != (1, -1):
        raise refuse(
            call.name, "Flatten", f"of axes {start}..{end}", "flatten all but the samples' axis"
        )
    return Flatten()


def _viewed(call: _Call) -> Operator:
    sizes = call.args[1:]
    sizes = tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], tuple | list) else sizes
    if len(sizes) != 2:
        raise refuse(call.name, "reshape", f"to {len(sizes)} axes", "use Flatten")
    return Flatten()


def _numbers(call: _Call) -> Array:
    given = [*call.args, *(v for k, v in call.keywords.items() if k != "alpha")]
    return np.array([float(v) for v in given if isinstance(v, int | float)], np.float64)


def _added(sign: int) -> Callable[[_Call], Made]:
    def add(call: _Call) -> Made:
        if call.keywords.get("alpha", 1) != 1:
            raise refuse(call.name, "sum", "with alpha", "scale one side before it")
        if len(call.tensors) == 2:
            return Sum((1, sign))
        first = isinstance(call.args[0], int | float)
        number = _numbers(call)
        if first:
            return Scale(np.array([float(sign)]), number)
        return Scale(np.ones(1), sign * number)

    return add


def _multiplied(call: _Call) -> Made:
    if len(call.tensors) == 2:
        raise refuse(call.name, "product of two activations")
    return Scale(_numbers(call), np.zeros(1))


def _divided(call: _Call) -> Made:
    if len(call.tensors) == 2 or isinstance(call.args[0], int | float):
        raise refuse(call.name, "division by an activation", nearest="divide by a number")
    return Scale(1 / _numbers(call), np.zeros(1))


def _above(inclusive: bool) -> Callable[[_Call], Made]:
    def compare(call: _Call) -> Made:
        numbers = _numbers(call)
        if len(call.tensors) != 1 or len(numbers) != 1 or isinstance(call.args[0], int | float):
            raise refuse(
                call.name, "comparison", "of two activations", "compare with a number at the right"
            )
        return [Scale(np.ones(1), -numbers), Step(inclusive)]

    return compare


def _clamped(call: _Call) -> Made:
    low, high = call.get(1, "min"), call.get(2, "max")
    return (
        Clip(-np.inf if low is None else float(low), np.inf if high is None else float(high))
        if not (low is None and high is None)
        else Identity()
    )


def _mean(call: _Call) -> Made:
    axes = call.get(1, "dim")
    kept = call.get(2, "keepdim", False)
    if axes is None or tuple(sorted(a % 4 for a in axes)) != (2, 3):
        raise refuse(call.name, "mean", f"over axes {axes}", "use AdaptiveAvgPool2d(1)")
    pooled: list[Operator] = [AdaptivePooling("average", (1, 1))]
    return pooled if kept else [*pooled, Flatten()]


def _joined(call: _Call) -> Operator:
    if call.get(1, "dim", 0) not in (1,):
        raise refuse(
            call.name, "concatenation", f"along axis {call.get(1, 'dim', 0)}",
            "join along the channels, dim=1",
        )  # fmt: skip
    return Concatenation()


def _pooled(reduce: str, flat: bool) -> Callable[[_Call], Made]:
    def pool(call: _Call) -> Made:
        more: dict[str, Any] = {}
        if reduce == "average":
            more = {
                "rounds_up": call.get(4, "ceil_mode", False),
                "counts_padding": call.get(5, "count_include_pad", True),
                "divisor": call.get(6, "divisor_override"),
            }
        else:
            dilation = call.get(4, "dilation", 1)
            more = {
                "dilation": _line(dilation, 1) if flat else _pair(dilation),
                "rounds_up": call.get(5, "ceil_mode", False),
            }
        kernel, stride = call.get(1, "kernel_size"), call.get(2, "stride")
        return _windows(call, reduce, kernel, stride, call.get(3, "padding", 0), flat, **more)

    return pool


def _leaky(call: _Call) -> Operator:
    return LeakyRectifier(np.array([float(call.get(1, "negative_slope", 0.01))]))


def _heaviside(call: _Call) -> Operator:
    raise refuse(
        call.name, "heaviside", "with values from a tensor",
        "write (x > 0).float(), or use neurodeploy.training.BinaryActivation",
    )  # fmt: skip


_CALLS: dict[str, Callable[[_Call], Made]] = {
    **dict.fromkeys(("relu", "relu_"), _plain(Clip(0))),
    "relu6": _plain(Clip(0, 6)),
    "hardtanh": lambda call: Clip(
        float(call.get(1, "min_val", -1.0)), float(call.get(2, "max_val", 1.0))
    ),
    "hardsigmoid": lambda call: _hard_sigmoid(),
    "leaky_relu": _leaky,
    **dict.fromkeys(("clamp", "clip", "clamp_"), _clamped),
    **dict.fromkeys(("add", "add_", "iadd"), _added(1)),
    **dict.fromkeys(("sub", "sub_", "isub"), _added(-1)),
    **dict.fromkeys(("mul", "mul_", "imul", "multiply"), _multiplied),
    **dict.fromkeys(("truediv", "div", "div_", "itruediv"), _divided),
    **dict.fromkeys(("neg", "negative"), _plain(Scale(-np.ones(1), np.zeros(1)))),
    "gt": _above(False),
    "ge": _above(True),
    "sign": _plain(Sign()),
    "heaviside": _heaviside,
    **dict.fromkeys(("float", "to", "type", "double", "contiguous", "clone"), _plain(Identity())),
    **dict.fromkeys(("dropout", "dropout2d", "feature_dropout"), _plain(Identity())),
    **dict.fromkeys(("softmax", "log_softmax"), _plain(Softmax())),
    "flatten": lambda call: _flattened(
        call, call.get(1, "start_dim", 0), call.get(2, "end_dim", -1)
    ),
    **dict.fromkeys(("view", "reshape"), _viewed),
    "mean": _mean,
    **dict.fromkeys(("cat", "concat", "concatenate"), _joined),
    "avg_pool1d": _pooled("average", True),
    "avg_pool2d": _pooled("average", False),
    **dict.fromkeys(("max_pool1d", "boolean_dispatch"), _pooled("max", False)),
    "max_pool2d": _pooled("max", False),
    "adaptive_avg_pool1d": lambda call: _adaptive("average", call.get(1, "output_size"), True),
    "adaptive_avg_pool2d": lambda call: _adaptive("average", call.get(1, "output_size"), False),
    "quantize_per_tensor": lambda call: Grid(float(call.args[1])),
    "dequantize": _plain(Identity()),
    "add_relu": lambda call: [Sum((1, 1)), Clip(0)],
    "size": lambda call: None,
    "getattr": lambda call: Identity() if call.args[1] == "value" else None,
    "dim": lambda call: None,
}
"""Functions and methods by name, of torch, its functional module and Python's operators."""
