"""Reads NetX HDF5, the files that lava-dl's SLAYER blocks export.

A file holds a chain ``layer/0``, ``layer/1``, ... See `netx_neurons` for the
neuron groups and `netx_writer` for the way back. Everything that a file holds
is either understood or named in the network's audit. Differences from lava-dl
0.6.0's own importer (``lava/lib/dl/netx/hdf5.py``) are in the audit too:

* an axonal delay stays on the axon; netx moves it to the layer's input, which
  is the same only without a bias, and ignores it on convolutions;
* an ``input`` layer's weight and bias are kept and applied to the inputs;
* an all-inhibitory weight matrix keeps its weights (`fixed_point.weight_limits`).
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, UnsupportedError
from ..network import (
    Audit,
    AuditEntry,
    Average,
    Conv,
    Dense,
    InputTransform,
    Network,
    Population,
    Projection,
    Rating,
    Readout,
    Sigma,
    SigmaDelta,
    Source,
    Synapse,
)
from ..network.fixed_point import MAX_DELAY, weight_limits
from .hdf5 import Layer, open_hdf5
from .netx_neurons import read_bias, read_neuron

LAYER_TYPES = ("input", "dense", "dense_rec", "conv", "flatten", "average")
OTHER_TYPES = ("convT", "pool", "unpool", "concat", "dense_comp", "kwta")


def load_netx(
    path: str | os.PathLike[str],
    *,
    allow: Collection[str] = (),
    input_shape: tuple[int, ...] | None = None,
) -> Network:
    """Read a NetX HDF5 file.

    Parameters
    ----------
    path : path
    allow : collection of str
        Elements rated unsupported to go on without, by the names that the
        error gives, e.g. ``layer/1/neuron/refDelay``.
    input_shape : (int, int, int), optional
        (C, H, W), for a file that starts with a convolution and says nothing
        of its input.

    Returns
    -------
    Network
        ``network.audit`` says how each element was read.

    Raises
    ------
    FormatError
        If the file is no NetX file, or a dataset is missing or malformed.
    NetworkError
        If the layers do not fit each other.
    UnsupportedError
        If an element cannot be carried and `allow` does not name it.
    """
    path = Path(path)
    with open_hdf5(path) as file:
        if not isinstance(file.get("layer"), h5py.Group) or not len(file["layer"]):
            raise FormatError(
                f"{path}: HDF5, but no NetX network (no group 'layer'); "
                f"export it with SLAYER's export_hdf5"
            )
        reader = _Reader(path, frozenset(allow), input_shape)
        count = len(file["layer"])
        for index in range(count):
            if str(index) not in file["layer"]:
                raise FormatError(f"{path}: layer/{index}: missing, though there are {count}")
            reader.read(index, Layer(file["layer"][str(index)], path))
        metadata = reader.metadata(file)
    return Network(
        tuple(reader.populations), tuple(reader.projections), Audit(tuple(reader.audit)), metadata
    )


class _Reader:
    """Builds the chain layer by layer."""

    def __init__(
        self, path: Path, allow: frozenset[str], input_shape: tuple[int, ...] | None
    ) -> None:
        self.path = path
        self.allow = allow
        self.input_shape = input_shape
        self.populations: list[Population] = []
        self.projections: list[Projection] = []
        self.audit: list[AuditEntry] = []
        self.flattened = False

    def note(self, element: str, rating: Rating, reason: str) -> None:
        """Add to the audit; an unsupported element stops unless it is allowed."""
        if rating is Rating.UNSUPPORTED and element not in self.allow:
            raise UnsupportedError(f"{self.path}: {element}: {reason}; to go on, allow {element!r}")
        self.audit.append(AuditEntry(element, rating, reason))

    def read(self, index: int, layer: Layer) -> None:
        """Read one layer of any type."""
        kind = layer.text("type")
        if kind in OTHER_TYPES:
            raise UnsupportedError(
                f"{self.path}: layer/{index}: layer type {kind!r} is not supported yet; "
                f"supported are {', '.join(LAYER_TYPES)}"
            )
        if kind not in LAYER_TYPES:
            raise FormatError(
                f"{self.path}: layer/{index}: unknown layer type {kind!r}; "
                f"known are {', '.join(LAYER_TYPES)}"
            )
        name = str(layer.group.attrs.get("name", "input" if kind == "input" else f"{index}_{kind}"))
        reader = {"dense_rec": self._dense}.get(kind) or getattr(self, f"_{kind}")
        reader(name, layer)
        self.note(layer.where, Rating.FAITHFUL, f"{kind} layer {layer.text('type')!r} as {name!r}")
        for key in layer.unread():
            if key not in ("inFeatures", "outFeatures", "inChannels", "outChannels", "kernelSize"):
                self.note(f"{layer.where}/{key}", Rating.APPROXIMATE, "not known to NetX; ignored")

    def _shape(self, layer: Layer) -> tuple[int, ...]:
        shape = tuple(int(n) for n in layer.integers("shape").ravel())
        if not shape or min(shape) < 1 or len(shape) not in (1, 3):
            raise layer.fail("shape", f"is {shape}, needs (neurons) or (channels, height, width)")
        return shape

    def _input(self, name: str, layer: Layer) -> None:
        if self.populations:
            raise FormatError(f"{self.path}: {layer.where}: an input layer must be the first")
        shape = self._shape(layer)
        if "neuron" not in layer:
            self.populations.append(Population(name, shape, Source()))
            return
        neuron = read_neuron(layer, shape, self.note, is_input=True)
        transform = None
        if "weight" in layer or "bias" in layer:
            weight = layer.numbers("weight") if "weight" in layer else np.full(1, 64.0)
            bias = layer.numbers("bias") if "bias" in layer else np.zeros(1)
            if weight.size != 1 or bias.size != 1:
                raise layer.fail("weight", "and bias of an input layer must be one number each")
            transform = InputTransform(float(weight.ravel()[0]), float(bias.ravel()[0]))
        else:
            reason = (
                "no weight: inputs are the neuron's integers (1/64); netx says to multiply by 64"
            )
            self.note(f"{layer.where}/weight", Rating.FAITHFUL, reason)
        self.populations.append(Population(name, shape, neuron, transform=transform))

    def _flatten(self, name: str, layer: Layer) -> None:
        self.flattened = True
        if "shape" in layer and self.populations:
            size = int(np.prod(layer.integers("shape")))
            if size != self.populations[-1].size:
                raise layer.fail(
                    "shape", f"holds {size} neurons, the layer before {self.populations[-1].size}"
                )

    def _dense(self, name: str, layer: Layer) -> None:
        size = int(np.prod(self._shape(layer)))
        weight = self._weight(layer, "weight")
        if weight.ndim == 1:  # older files; netx reshapes them the same way
            if weight.size % size:
                raise layer.fail("weight", f"{weight.size} weights do not divide by {size} neurons")
            weight = weight.reshape(size, -1)
        if weight.ndim != 2 or weight.shape[0] != size:
            raise layer.fail(
                "weight", f"has shape {weight.shape}, needs ({size} neurons of shape, inputs)"
            )
        source = self._source(layer, (weight.shape[1],))
        if weight.shape[1] != source.size:
            raise layer.fail(
                "weight", f"takes {weight.shape[1]} inputs, but {source.name!r} has {source.size}"
            )
        if len(source.shape) == 3 and not self.flattened and max(source.shape) != source.size:
            raise FormatError(
                f"{self.path}: {layer.where}: a dense layer cannot follow {source.name!r} of shape "
                f"{source.shape}; put a flatten layer between them"
            )
        recurrent = "weight_rec" in layer
        if recurrent != (layer.text("type") == "dense_rec"):
            raise layer.fail("weight_rec", "must be there in a dense_rec layer, and only there")
        self._append(name, layer, (size,), Dense(weight))
        if recurrent:
            loop = self._weight(layer, "weight_rec").reshape(-1)
            if loop.size != size * size:
                raise layer.fail("weight_rec", f"has {loop.size} weights, needs {size} x {size}")
            self.projections.append(Projection(name, name, Dense(loop.reshape(size, size))))
            if self.populations[-1].axon_delay is not None:
                reason = "a delayed recurrent layer: SLAYER delays its output but not its loop"
                self.note(f"{layer.where}/delay", Rating.UNSUPPORTED, reason)

    def _conv(self, name: str, layer: Layer) -> None:
        weight = self._weight(layer, "weight")
        if weight.ndim == 5 and weight.shape[4] == 1:  # older files have a time axis
            weight = weight[..., 0]
        if weight.ndim != 4:
            raise layer.fail(
                "weight", f"has shape {weight.shape}, needs (out, in / groups, height, width)"
            )
        synapse = Conv(
            weight,
            stride=layer.pair("stride"),
            padding=layer.pair("padding"),
            dilation=layer.pair("dilation"),
            groups=layer.integer("groups"),
        )
        shape = self._shape(layer)
        self._source(layer, self.input_shape or _source_of(synapse, shape))
        self._append(name, layer, shape, synapse)

    def _average(self, name: str, layer: Layer) -> None:
        if not self.populations:
            raise FormatError(f"{self.path}: {layer.where}: an average needs a layer before it")
        outputs = int(np.prod(self._shape(layer)))
        source = self.populations[-1]
        if source.size % outputs:
            raise layer.fail("shape", f"{outputs} outputs do not divide {source.size} neurons")
        group_size = source.size // outputs
        self.populations.append(Population(name, (outputs,), Average(group_size)))
        self.projections.append(Projection(source.name, name, Readout()))
        reason = f"group sums on the host, no chip layer; SLAYER's mean is the sum / {group_size}"
        self.note(f"{layer.where}/average", Rating.FAITHFUL, reason)

    def _source(self, layer: Layer, shape: tuple[int, ...] | None) -> Population:
        """Give the population before this layer; make an input port for the first."""
        if not self.populations:
            if shape is None:
                raise FormatError(
                    f"{self.path}: {layer.where}: the file does not say what shape the inputs of "
                    f"this first convolution have; give input_shape (C, H, W)"
                )
            self.populations.append(Population("input", shape, Source()))
        return self.populations[-1]

    def _append(self, name: str, layer: Layer, shape: tuple[int, ...], synapse: Synapse) -> None:
        source = self.populations[-1]
        bias = read_bias(layer, shape, self.note)
        neuron = read_neuron(layer, shape, self.note, bias=bias)
        if isinstance(source.neuron, Source) and isinstance(neuron, (Sigma, SigmaDelta)):
            source = Population(source.name, source.shape, Source(signed=True))
            self.populations[-1] = source
        delay = self._delay(layer, shape, has_bias=bool(np.any(bias != 0)))
        self.populations.append(Population(name, shape, neuron, axon_delay=delay))
        self.projections.append(Projection(source.name, name, synapse))
        self.flattened = False

    def _weight(self, layer: Layer, key: str) -> NDArray[np.int32]:
        if isinstance(layer.group.get(key), h5py.Group):
            reason = "complex weights are not supported yet; supported are real weights"
            raise UnsupportedError(f"{self.path}: {layer.where}/{key}: {reason}")
        values = layer.numbers(key)
        where = f"{layer.where}/{key}"
        weight = np.rint(values)
        change = np.abs(values - weight)
        if change.any():
            reason = (
                f"{np.count_nonzero(change)} of {values.size} weights are not whole; rounded, by "
                f"at most {change.max():.3g} (netx truncates)"
            )
            self.note(where, Rating.APPROXIMATE, reason)
        integers: NDArray[np.int64] = weight.astype(np.int64)
        low, high = weight_limits(integers)
        outside = (integers < low) | (integers > high)
        if outside.any():
            reason = (
                f"{np.count_nonzero(outside)} of {values.size} weights lie outside [{low}, {high}] "
                f"(range {integers.min()}..{integers.max()}); clipped to it, as netx does"
            )
            self.note(where, Rating.APPROXIMATE, reason)
        return np.clip(integers, low, high).astype(np.int32)

    def _delay(
        self, layer: Layer, shape: tuple[int, ...], has_bias: bool
    ) -> NDArray[np.int32] | None:
        if "delay" not in layer:
            return None
        values = layer.numbers("delay")
        where = f"{layer.where}/delay"
        if values.ndim > 1 and max(values.shape) != values.size:
            raise UnsupportedError(
                f"{self.path}: {where}: a delay for every synapse (shape {values.shape}) is not "
                f"supported yet; supported is one for each output channel or neuron"
            )
        values = np.floor(values.ravel())
        size = int(np.prod(shape))
        if values.size not in (1, shape[0], size):
            raise layer.fail("delay", f"has {values.size} delays, needs 1, {shape[0]} or {size}")
        if values.min() < 0:
            raise layer.fail("delay", f"holds {values.min():g}, needs 0..{MAX_DELAY}")
        if values.max() > MAX_DELAY:
            count = int(np.count_nonzero(values > MAX_DELAY))
            reason = (
                f"{count} of {values.size} delays exceed {MAX_DELAY} steps (longest "
                f"{values.max():.0f}); clamped, as netx does"
            )
            self.note(where, Rating.APPROXIMATE, reason)
        if layer.text("type") == "conv":
            self.note(where, Rating.FAITHFUL, "kept on the axon; netx ignores a conv delay")
        elif has_bias:
            reason = "kept on the axon; netx moves it to the input, which differs with a bias"
            self.note(where, Rating.FAITHFUL, reason)
        delay = np.minimum(values, MAX_DELAY).astype(np.int32)
        delay = np.repeat(delay, size // delay.size)
        return delay if delay.any() else None

    def metadata(self, file: h5py.File) -> dict[str, str | int | float]:
        """Read the facts of the ``simulation`` group; name every group not known."""
        facts: dict[str, str | int | float] = {}
        for key in file:
            if key == "simulation":
                group = Layer(file[key], self.path)
                for name in group.group:
                    facts[f"simulation/{name}"] = float(group.numbers(name).ravel()[0])
                reason = "training settings, which never change how the network runs; kept"
                self.note("simulation", Rating.FAITHFUL, reason)
            elif key != "layer":
                self.note(key, Rating.APPROXIMATE, "group not known to NetX; ignored")
        return facts


def _source_of(synapse: Conv, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """Shape (C, H, W) of a convolution's source, where stride 1 leaves one answer."""
    if len(shape) != 3 or synapse.stride != (1, 1):
        return None
    size = [
        n - 1 - 2 * p + d * (k - 1) + 1
        for n, p, d, k in zip(
            shape[1:], synapse.padding, synapse.dilation, synapse.weight.shape[2:], strict=True
        )
    ]
    return synapse.weight.shape[1] * synapse.groups, size[0], size[1]
