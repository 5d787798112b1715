"""Reads Keras' HDF5 files (``model.save("model.h5")``): the model's JSON and its weights.

No TensorFlow is needed. Keras keeps channels last; the graph has them first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FormatError
from ..hdf5 import names_at_top, read_hdf5
from ..hdf5_tree import Dataset, Group
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
    Softmax,
    Sum,
    check_floats,
    refuse,
)

LONGEST_JSON = 1 << 24
"""Characters of a model's description; those of the largest published models have a million."""


def is_keras(path: Path) -> bool:
    """Whether a file is one of Keras' with a whole model, or with its weights."""
    names = set(names_at_top(path))
    return "model_weights" in names


def read_keras(path: Path) -> Graph:
    """Read a file with a whole model.

    Raises
    ------
    FormatError
        If it is damaged, or holds weights without the model.
    UnsupportedError
        Naming the layer and what comes nearest.
    """
    with read_hdf5(path) as tree:
        text = tree.attrs.get("model_config")
        if text is None or "model_weights" not in tree:
            raise FormatError(
                f"{path}: holds no whole Keras model; write it by model.save, with its description"
            )
        text = text.decode() if isinstance(text, bytes) else str(text)
        if len(text) > LONGEST_JSON:
            raise FormatError(f"{path}: a description of {len(text):,} characters; save it again")
        try:
            described = json.loads(text)
            layers = _layers_of(described)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise FormatError(
                f"{path}: its model_config is none of Keras' ({error}); save it again"
            ) from error
        try:
            return _Reading(path, tree["model_weights"]).of(layers, described)
        except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
            raise FormatError(
                f"{path}: the description of its layers is incomplete "
                f"({type(error).__name__}: {error}); save it again"
            ) from error


@dataclass(frozen=True)
class _Layer:
    name: str
    kind: str
    config: dict[str, Any]
    inputs: tuple[str, ...]


def _layers_of(described: dict[str, Any]) -> list[_Layer]:
    """Layers in order, with the names of what enters each."""
    config = described["config"]
    given = config["layers"] if isinstance(config, dict) else config
    layers: list[_Layer] = []
    for item in given:
        own = item["config"]
        name = str(item.get("name") or own.get("name"))
        inbound = item.get("inbound_nodes")
        if described["class_name"] == "Sequential":
            inputs: tuple[str, ...] = (layers[-1].name,) if layers else ()
            if not layers and item["class_name"] != "InputLayer":
                shape = own.get("batch_input_shape") or own.get("batch_shape")
                layers.append(_Layer("input", "InputLayer", {"batch_input_shape": shape}, ()))
                inputs = ("input",)
        else:
            if isinstance(inbound, list) and len(inbound) > 1:
                raise refuse(name, "layer that is used twice", nearest="give each use its own")
            inputs = tuple(_histories(inbound))
        layers.append(_Layer(name, str(item["class_name"]), own, inputs))
    return layers


def _histories(inbound: Any) -> Iterator[str]:
    """Names of the layers in ``inbound_nodes``, as Keras 2 and 3 write them."""
    if isinstance(inbound, dict):
        if "keras_history" in inbound:
            yield str(inbound["keras_history"][0])
            return
        for value in inbound.values():
            yield from _histories(value)
    elif isinstance(inbound, list):
        if len(inbound) >= 3 and isinstance(inbound[0], str) and isinstance(inbound[1], int):
            yield inbound[0]
            return
        for value in inbound:
            yield from _histories(value)


@dataclass(frozen=True)
class _Tensor:
    """What a layer gives: its shape, channels first; `image` where a Flatten made a row of one."""

    name: str
    shape: Shape
    image: Shape | None = None


class _Reading:
    def __init__(self, path: Path, weights: Group) -> None:
        self.path, self.weights = path, weights
        self.nodes: list[Node] = []
        self.tensors: dict[str, _Tensor] = {}

    def of(self, layers: list[_Layer], described: dict[str, Any]) -> Graph:
        first: _Tensor | None = None
        for layer in layers:
            if layer.kind == "InputLayer":
                if first is not None:
                    raise refuse(layer.name, "second input", nearest="concatenate them first")
                shape = layer.config.get("batch_input_shape") or layer.config.get("batch_shape")
                if (
                    shape is None
                    or any(n is None for n in shape[1:])
                    or len(shape) not in (2, 3, 4)
                ):
                    raise refuse(
                        layer.name, "input", f"has shape {shape}", "save a model of a fixed size"
                    )
                first = self.tensors[layer.name] = _Tensor(layer.name, _first(shape[1:]))
                continue
            if layer.config.get("data_format", "channels_last") != "channels_last":
                raise refuse(layer.name, "data_format channels_first", nearest="channels_last")
            made = _LAYERS.get(layer.kind)
            if made is None:
                raise refuse(layer.name, _CALLED.get(layer.kind, layer.kind))
            given = [self.tensors[name] for name in layer.inputs]
            self.tensors[layer.name] = made(self, layer, *given)
        if first is None or not self.nodes:
            raise FormatError(f"{self.path}: a model without an input or layers; save it again")
        outputs = (
            list(_histories(described["config"].get("output_layers")))
            if isinstance(described["config"], dict)
            else []
        )
        if len(outputs) > 1:
            raise refuse(outputs[1], "second output", nearest="save a model of the one to be read")
        last = self.tensors[outputs[0] if outputs else layers[-1].name].name
        shape = first.shape
        return Graph(str(self.path), first.name, tuple(self.nodes), last, shape)

    # Helpers ----------------------------------------------------------------------------------

    def arrays(self, layer: _Layer) -> dict[str, Array]:
        """A layer's weights, by the last word of their names."""
        if layer.name not in self.weights:
            raise FormatError(
                f"{self.path}: no weights of layer {layer.name!r}; save the model again"
            )
        found: dict[str, Array] = {}
        for path, item in self.weights[layer.name].walk():
            if isinstance(item, Dataset):
                key = path.rsplit("/", 1)[-1].split(":")[0]
                found[key] = check_floats(layer.name, key, item.array)
        return found

    def put(self, name: str, operator: Operator, inputs: tuple[str, ...]) -> str:
        self.nodes.append(Node(name, operator, inputs))
        return name

    def activated(self, layer: _Layer, tensor: _Tensor) -> _Tensor:
        """Add the activation that a layer names."""
        kind = layer.config.get("activation", "linear")
        kind = kind.get("class_name", kind) if isinstance(kind, dict) else kind
        if kind in (None, "linear"):
            return tensor
        operator = _ACTIVATIONS.get(kind)
        if operator is None:
            raise refuse(layer.name, _CALLED.get(kind, str(kind)))
        taken = tensor.name == layer.name
        name = f"{layer.name}.{kind}" if taken else layer.name
        return replace(tensor, name=self.put(name, operator, (tensor.name,)))

    # Layers -----------------------------------------------------------------------------------

    def dense(self, layer: _Layer, tensor: _Tensor) -> _Tensor:
        found = self.arrays(layer)
        weight = found["kernel"].T
        if len(tensor.shape) != 1:
            raise refuse(layer.name, "Dense", "over an image", "use Flatten or a convolution of 1")
        if tensor.image is not None:  # the row of an image has channels last in Keras
            channels, height, width = tensor.image
            weight = weight.reshape(-1, height, width, channels).transpose(0, 3, 1, 2)
            weight = weight.reshape(len(weight), -1)
        bias = found.get("bias", np.zeros(len(weight)))
        self.put(layer.name, Linear(weight, bias), (tensor.name,))
        return self.activated(layer, _Tensor(layer.name, (len(weight),)))

    def conv(self, layer: _Layer, tensor: _Tensor) -> _Tensor:
        found = self.arrays(layer)
        flat = layer.kind.endswith("1D")
        if "depthwise_kernel" in found:  # [height, width, channels, multiplier]
            kernel = found["depthwise_kernel"]
            kernel = kernel[None] if flat else kernel
            height, width, channels, times = kernel.shape
            weight = kernel.transpose(2, 3, 0, 1).reshape(channels * times, 1, height, width)
            groups = channels
        else:
            kernel = found["kernel"]
            kernel = kernel[None] if flat else kernel
            weight = kernel.transpose(3, 2, 0, 1)
            groups = int(layer.config.get("groups", 1))
        stride = _pair(layer.config["strides"], flat)
        dilation = _pair(layer.config.get("dilation_rate", 1), flat)
        sides, size = _padding(layer, tensor.shape, weight.shape[2:], stride, dilation)
        bias = found.get("bias", np.zeros(len(weight)))
        made = Convolution(weight, bias, stride, sides, dilation, groups)
        self.put(layer.name, made, (tensor.name,))
        return self.activated(layer, _Tensor(layer.name, (len(weight), *size)))

    def batch_norm(self, layer: _Layer, tensor: _Tensor) -> _Tensor:
        if tensor.image not in (None, (len(tensor.shape), 1, 1)):
            raise refuse(layer.name, "batch norm", "behind Flatten", "put it before Flatten")
        found = self.arrays(layer)
        deviation = np.sqrt(found["moving_variance"] + float(layer.config["epsilon"]))
        factor = found.get("gamma", np.ones_like(deviation)) / deviation
        offset = found.get("beta", 0.0) - found["moving_mean"] * factor
        self.put(layer.name, Scale(factor, offset), (tensor.name,))
        return replace(tensor, name=layer.name)

    def pool(self, layer: _Layer, tensor: _Tensor) -> _Tensor:
        flat = layer.kind.endswith("1D")
        kernel = _pair(layer.config["pool_size"], flat)
        stride = _pair(layer.config.get("strides") or layer.config["pool_size"], flat)
        sides, size = _padding(layer, tensor.shape, kernel, stride, (1, 1))
        reduce = "max" if layer.kind.startswith("Max") else "average"
        # Keras never counts padding in an average.
        made = Pooling(reduce, kernel, stride, sides, counts_padding=False)
        self.put(layer.name, made, (tensor.name,))
        return _Tensor(layer.name, (tensor.shape[0], *size))

    def over_all(self, layer: _Layer, tensor: _Tensor) -> _Tensor:
        reduce = "max" if "Max" in layer.kind else "average"
        name = f"{layer.name}.pool"
        self.put(name, AdaptivePooling(reduce, (1, 1)), (tensor.name,))
        self.put(layer.name, Flatten(), (name,))
        return _Tensor(layer.name, tensor.shape[:1])

    def flatten(self, layer: _Layer, tensor: _Tensor) -> _Tensor:
        self.put(layer.name, Flatten(), (tensor.name,))
        image = tensor.shape if len(tensor.shape) == 3 else tensor.image
        return _Tensor(layer.name, (int(np.prod(tensor.shape)),), image)

    def padded(self, layer: _Layer, tensor: _Tensor) -> _Tensor:
        """Zeros around an image: a convolution of kernel 1 that pads."""
        given = layer.config["padding"]
        if layer.kind.endswith("1D"):
            given = [(0, 0), given]
        sides: Any = tuple((int(a), int(b)) for a, b in given)
        channels = tensor.shape[0]
        one = np.ones((channels, 1, 1, 1))
        made = Convolution(one, np.zeros(channels), padding=sides, groups=channels)
        self.put(layer.name, made, (tensor.name,))
        size = tuple(n + a + b for n, (a, b) in zip(tensor.shape[1:], sides, strict=True))
        return _Tensor(layer.name, (channels, *size))

    def same(self, layer: _Layer, tensor: _Tensor) -> _Tensor:
        self.put(layer.name, Identity(), (tensor.name,))
        return replace(tensor, name=layer.name)

    def relu(self, layer: _Layer, tensor: _Tensor) -> _Tensor:
        most, slope = layer.config.get("max_value"), layer.config.get("negative_slope") or 0
        if layer.config.get("threshold") or (most is not None and slope):
            raise refuse(
                layer.name, "ReLU", "with a threshold, or with both a slope and a bound", "use ReLU"
            )
        operator: Operator = Clip(0, np.inf if most is None else float(most))
        if slope:
            operator = LeakyRectifier(np.array([float(slope)]))
        return replace(tensor, name=self.put(layer.name, operator, (tensor.name,)))

    def leaky(self, layer: _Layer, tensor: _Tensor) -> _Tensor:
        slope = layer.config.get("negative_slope", layer.config.get("alpha", 0.3))
        operator = LeakyRectifier(np.array([float(slope)]))
        return replace(tensor, name=self.put(layer.name, operator, (tensor.name,)))

    def softmax(self, layer: _Layer, tensor: _Tensor) -> _Tensor:
        return replace(tensor, name=self.put(layer.name, Softmax(), (tensor.name,)))

    def activation(self, layer: _Layer, tensor: _Tensor) -> _Tensor:
        return self.activated(layer, tensor)

    def add(self, layer: _Layer, *tensors: _Tensor) -> _Tensor:
        signs = (1,) * len(tensors) if layer.kind == "Add" else (1, -1)
        self.put(layer.name, Sum(signs), tuple(t.name for t in tensors))
        return replace(tensors[0], name=layer.name)

    def join(self, layer: _Layer, *tensors: _Tensor) -> _Tensor:
        axis, axes = layer.config.get("axis", -1), len(tensors[0].shape)
        if axis not in (-1, axes) or any(t.image is not None for t in tensors):
            raise refuse(
                layer.name, "concatenation", f"along axis {axis}",
                "join along the channels, before Flatten",
            )  # fmt: skip
        self.put(layer.name, Concatenation(), tuple(t.name for t in tensors))
        channels = sum(t.shape[0] for t in tensors)
        return _Tensor(layer.name, (channels, *tensors[0].shape[1:]))


def _first(shape: Any) -> Shape:
    """Channels first; a length is an image of one row."""
    *places, channels = (int(n) for n in shape)
    if not places:
        return (channels,)
    return (channels, *((1, *places) if len(places) == 1 else places))


def _pair(value: Any, flat: bool) -> Pair:
    if flat:
        return 1, int(value if isinstance(value, int) else value[0])
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


def _padding(
    layer: _Layer, shape: Shape, kernel: Any, stride: Pair, dilation: Pair
) -> tuple[Sides, Shape]:
    """Padding as TensorFlow has it (the odd zero at the end), and the size of what comes out."""
    if len(shape) != 3:
        raise refuse(layer.name, layer.kind, "gets a row of numbers", "move Flatten behind it")
    mode = layer.config.get("padding", "valid")
    if mode not in ("valid", "same"):
        raise refuse(layer.name, f"padding {mode!r}", nearest="use 'valid' or 'same'")
    sides, size = [], []
    for axis in (0, 1):
        n, span = shape[1 + axis], dilation[axis] * (kernel[axis] - 1) + 1
        if mode == "valid":
            sides.append((0, 0))
            size.append((n - span) // stride[axis] + 1)
            continue
        count = -(-n // stride[axis])
        total = max((count - 1) * stride[axis] + span - n, 0)
        sides.append((total // 2, total - total // 2))
        size.append(count)
    return (sides[0], sides[1]), tuple(size)


_ACTIVATIONS: dict[str, Operator] = {
    "relu": Clip(0),
    "relu6": Clip(0, 6),
    "leaky_relu": LeakyRectifier(np.array([0.2])),
    "softmax": Softmax(),
    "log_softmax": Softmax(),
}

_CALLED = {
    "Sigmoid": "sigmoid", "sigmoid": "sigmoid", "hard_sigmoid": "sigmoid", "tanh": "tanh",
    "exponential": "exp", "exp": "exp", "elu": "ELU", "selu": "ELU", "ELU": "ELU", "gelu": "GELU",
    "swish": "SiLU", "silu": "SiLU", "softplus": "softplus", "LayerNormalization": "layer norm",
    "GroupNormalization": "group norm", "Multiply": "product of two activations",
    "Dot": "product of two activations", "Attention": "product of two activations",
    "MultiHeadAttention": "product of two activations", "LSTM": "recurrent cell",
    "GRU": "recurrent cell", "SimpleRNN": "recurrent cell",
}  # fmt: skip
"""What layers and activations without a form are called when refused."""

_LAYERS: dict[str, Callable[..., _Tensor]] = {
    "Dense": _Reading.dense,
    **dict.fromkeys(("Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D"), _Reading.conv),
    "BatchNormalization": _Reading.batch_norm,
    **dict.fromkeys(
        ("AveragePooling1D", "AveragePooling2D", "MaxPooling1D", "MaxPooling2D"), _Reading.pool
    ),
    **dict.fromkeys(
        (
            "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D",
            "GlobalMaxPooling2D",
        ),
        _Reading.over_all,
    ),
    "Flatten": _Reading.flatten,
    **dict.fromkeys(("ZeroPadding1D", "ZeroPadding2D"), _Reading.padded),
    **dict.fromkeys(
        ("Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianNoise"), _Reading.same
    ),
    "ReLU": _Reading.relu,
    "LeakyReLU": _Reading.leaky,
    "Softmax": _Reading.softmax,
    "Activation": _Reading.activation,
    **dict.fromkeys(("Add", "Subtract"), _Reading.add),
    "Concatenate": _Reading.join,
}  # fmt: skip
"""Keras' layers by the name of their class."""
