"""Reads NetX HDF5, the files that lava-dl's SLAYER blocks export.

A file holds a chain ``layer/0``, ``layer/1``, ... What a chain cannot say stands
in a group beside it, see `whole_network`, which is read first. See `neuron_reader` for the
neuron groups and `writer` for the way back. Everything that a file holds
is either understood or named in the network's audit. Differences from lava-dl
0.6.0's own importer (``lava/lib/dl/netx/hdf5.py``) are in the audit too:

* an axonal delay stays on the axon; netx moves it to the layer's input, which
  is the same only without a bias, and ignores it on convolutions;
* ``convT``, ``pool`` and ``unpool`` layers and delayed ``dense_rec`` layers are
  read as SLAYER computes them; netx refuses them;
* an ``input`` layer's weight and bias are kept and applied to the inputs;
* an all-inhibitory weight matrix keeps its weights (`fixed_point.weight_limits`).
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...errors import FormatError, NetworkError, UnsupportedError
from ...files import damaged
from ...hdf5_tree import Group
from ...memory import Need, check_memory
from ...network import (
    Audit,
    AuditEntry,
    Average,
    ComplexDense,
    InputTransform,
    Network,
    Neuron,
    Population,
    Projection,
    Rating,
    Readout,
    Sigma,
    SigmaDelta,
    Source,
    Synapse,
)
from ...network.graph import CLIPPED
from ..hdf5 import Layer, read_hdf5, reading
from .late_starts import STARTS, with_starts
from .neuron_reader import input_exponent_after, note_empty, read_bias, read_neuron
from .synapse_reader import (
    as_slayer_pools,
    read_delay,
    read_dense,
    read_kernel,
    read_loop,
    source_of,
    with_delay,
)
from .whole_network import GROUP, read_whole

LAYER_TYPES = (
    "input", "dense", "dense_rec", "conv", "convT", "pool", "unpool", "flatten", "average",
)  # fmt: skip
AXON = "_axon"
"""Ends the name of the population that stands for a recurrent layer's delayed axons."""

MAX_NEURONS = (1 << 31) - 1
"""Of a population, see `network.fields.shape`."""

BYTES_PER_NEURON = 16
"""What a layer takes while it is read: biases and delays, which a file may say once for all."""

OLDER_TYPES = {"recurrent": "dense_rec"}
"""Names that slayerPytorch, before lava-dl, wrote for the same layers."""

LOOP_WEIGHTS = ("weight_rec", "recWeight")
"""The weights of a recurrent layer's loop, as lava-dl and as slayerPytorch name them."""

OTHER_TYPES = ("concat", "dense_comp", "kwta")


def load_netx(
    path: str | os.PathLike[str],
    *,
    allow: Collection[str] = (),
    input_shape: tuple[int, ...] | None = None,
    as_trained: bool = False,
) -> Network:
    """Read a NetX HDF5 file.

    Parameters
    ----------
    path : path
    allow : collection of str
        Elements rated unsupported to go on without, by the names that the
        error gives, e.g. ``layer/1/neuron/refDelay``; and ``layer/1/delay`` to
        keep delays longer than the chip's instead of clamping them.
    input_shape : (int, int, int), optional
        (C, H, W), for a file that starts with a convolution or pool and says
        nothing of its input.
    as_trained : bool
        Let biases act from the step on from which they do in SLAYER's forward
        pass (`Population.starts`), where a file that SLAYER wrote lets them
        act from step 0 on; see `netx_starts`.

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
    with reading(path), read_hdf5(path) as file:
        return read_tree(file, path, allow=allow, input_shape=input_shape, as_trained=as_trained)


def read_tree(
    file: Group,
    path: Path,
    *,
    allow: Collection[str] = (),
    input_shape: tuple[int, ...] | None = None,
    as_trained: bool = False,
) -> Network:
    """Read a network from a tree of what a file holds, or will; see `load_netx`."""
    if isinstance(file.get(GROUP), Group):
        whole = read_whole(file, path)
        if whole is not None:
            return whole
    layers = file.get("layer")
    if not isinstance(layers, Group) or not layers:
        if "model_weights" in file:
            raise FormatError(
                f"{path}: a Keras model, which has no spikes; convert it with calibration inputs "
                f"(nd.convert_ann, or convert --calibration INPUTS)"
            )
        raise FormatError(
            f"{path}: HDF5, but no NetX network (no group 'layer') and no NIR graph "
            f"(no group 'node'); export it with SLAYER's export_hdf5 or nir.write"
        )
    reader = _Reader(path, frozenset(allow), input_shape)
    for index in range(len(layers)):
        layer = layers.get(str(index))
        if not isinstance(layer, Group):
            what = "missing" if layer is None else "no group"
            raise FormatError(f"{path}: layer/{index}: {what}, though there are {len(layers)}")
        reader.read(index, Layer(layer, path))
    populations = with_starts(
        reader.populations, reader.projections, reader.biased, as_trained, reader.note
    )
    metadata = reader.metadata(file)
    return Network(populations, tuple(reader.projections), Audit(tuple(reader.audit)), metadata)


def kind_of(layer: Layer) -> str:
    """NetX's name of a layer's type, also where an older exporter wrote another."""
    kind = layer.text("type")
    return OLDER_TYPES.get(kind, kind)


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
        self.biased: dict[str, str] = {}
        self.facts: dict[str, str | int | float] = {}

    def note(self, element: str, rating: Rating, reason: str) -> None:
        """Add to the audit; an unsupported element stops unless it is allowed."""
        if rating is Rating.UNSUPPORTED and element not in self.allow:
            raise UnsupportedError(f"{self.path}: {element}: {reason}; to go on, allow {element!r}")
        self.audit.append(AuditEntry(element, rating, reason))

    def read(self, index: int, layer: Layer) -> None:
        """Read one layer of any type."""
        if not len(layer.group):
            raise UnsupportedError(
                f"{self.path}: layer/{index}: an empty group, which is all that SLAYER's KWTA "
                f"exports; build it with winners_loop and winners_drive of network.synapses"
            )
        kind = kind_of(layer)
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
        readers = {"input": self._input, "flatten": self._flatten, "average": self._average}
        reader = self._dense if kind in ("dense", "dense_rec") else self._kernel
        readers.get(kind, reader)(name, layer)
        self.note(layer.where, Rating.FAITHFUL, f"{kind} layer {layer.text('type')!r} as {name!r}")
        note_empty(layer, self.note)
        for key in layer.unread():
            if key not in ("inFeatures", "outFeatures", "inChannels", "outChannels", "kernelSize"):
                self.note(f"{layer.where}/{key}", Rating.APPROXIMATE, "not known to NetX; ignored")

    def _shape(self, layer: Layer) -> tuple[int, ...]:
        shape = tuple(int(n) for n in layer.integers("shape").ravel())
        if not shape or min(shape) < 1 or len(shape) not in (1, 3):
            raise layer.fail("shape", f"is {shape}, needs (neurons) or (channels, height, width)")
        neurons = math.prod(shape)
        if neurons > MAX_NEURONS:
            raise layer.fail("shape", f"is {shape}, of more than {MAX_NEURONS} neurons")
        what = f"{self.path}: {layer.where}: {neurons:,} neurons"
        size = BYTES_PER_NEURON * neurons
        check_memory([Need(what, size, "load it on a machine with more memory")])
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
        synapse = read_dense(layer, size, self.note)
        matrix = synapse.real if isinstance(synapse, ComplexDense) else synapse.weight
        source = self._source(layer, (matrix.shape[1],))
        if matrix.shape[1] != source.size:
            raise layer.fail(
                "weight", f"takes {matrix.shape[1]} inputs, but {source.name!r} has {source.size}"
            )
        if len(source.shape) == 3 and not self.flattened and max(source.shape) != source.size:
            raise FormatError(
                f"{self.path}: {layer.where}: a dense layer cannot follow {source.name!r} of shape "
                f"{source.shape}; put a flatten layer between them"
            )
        loops = [key for key in LOOP_WEIGHTS if key in layer]
        if len(loops) != (kind_of(layer) == "dense_rec"):
            raise layer.fail("weight_rec", "must be there in a dense_rec layer, and only there")
        self._append(name, layer, (size,), synapse, matrix.shape)
        for key in loops:
            self._loop(name, layer, key, size)

    def _loop(self, name: str, layer: Layer, key: str, size: int) -> None:
        keep = f"{layer.where}/delay_rec" in self.allow
        loop = read_loop(layer, key, size, self.note, keep)
        population = self.populations[-1]
        forward = input_exponent_after(self._sender(self.projections[-1].source))
        if input_exponent_after(population.neuron) != forward:
            raise UnsupportedError(
                f"{self.path}: {layer.where}/neuron/gradedSpike: in a recurrent layer graded "
                f"spikes and plain ones would add up in one current, 2^12 apart; send either from "
                f"this layer and from the one before"
            )
        self.projections.append(Projection(name, name, loop))
        self._count_clipped(layer.clipped.pop(key, 0))
        if population.axon_delay is None:
            return
        # SLAYER delays what the block sends, but not what it sends to itself.
        axon = Population(f"{name}{AXON}", (size,), Average(1), axon_delay=population.axon_delay)
        self.populations[-1] = replace(population, axon_delay=None)
        self.populations.append(axon)
        self.projections.append(Projection(name, axon.name, Readout()))
        reason = (
            f"delays the layer's messages but not its loop, as in SLAYER; {axon.name!r} stands for "
            f"the delayed axons, netx cannot read it"
        )
        self.note(f"{layer.where}/delay", Rating.FAITHFUL, reason)

    def _kernel(self, name: str, layer: Layer) -> None:
        synapse = read_kernel(layer, kind_of(layer), self.note)
        shape = self._shape(layer)
        source = self._source(layer, self.input_shape or source_of(synapse, shape))
        try:
            synapse, remark = as_slayer_pools(synapse, source.shape)
        except NetworkError as error:
            raise NetworkError(f"{self.path}: {layer.where}: {error}") from error
        if remark:
            self.note(f"{layer.where}/kernelSize", Rating.FAITHFUL, remark)
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
                    f"this first layer have; give input_shape (C, H, W)"
                )
            self.populations.append(Population("input", shape, Source()))
        return self.populations[-1]

    def _append(
        self,
        name: str,
        layer: Layer,
        shape: tuple[int, ...],
        synapse: Synapse,
        weight_shape: tuple[int, ...] = (),
    ) -> None:
        source = self.populations[-1]
        bias = read_bias(layer, shape, self.note)
        sender = self._sender(source.name)
        neuron = read_neuron(layer, shape, self.note, bias=bias, source=sender)
        if isinstance(source.neuron, Source) and isinstance(neuron, (Sigma, SigmaDelta)):
            source = Population(source.name, source.shape, Source(signed=True))
            self.populations[-1] = source
        keep = f"{layer.where}/delay" in self.allow
        delay = read_delay(layer, shape, weight_shape, self.note, keep)
        synapse, axon_delay = with_delay(synapse, delay, layer)
        if axon_delay is not None:
            self._note_axon(layer, has_bias=bool(np.any(bias != 0)))
        if np.any(bias != 0) and STARTS not in layer.group.attrs:
            self.biased[name] = layer.where
        self.populations.append(Population(name, shape, neuron, axon_delay=axon_delay))
        self.projections.append(Projection(source.name, name, synapse))
        self._count_clipped(sum(layer.clipped.values()))
        self.flattened = False

    def _count_clipped(self, count: int) -> None:
        if count:
            self.facts[f"{CLIPPED}{self.projections[-1].name}"] = count

    def _sender(self, name: str) -> Neuron:
        """Give the neuron whose messages leave a population; readouts pass on another's."""
        # A layer is fed by the one before, so it stands near the end.
        neuron = next(p.neuron for p in reversed(self.populations) if p.name == name)
        if not isinstance(neuron, Average):
            return neuron
        return self._sender(next(p.source for p in reversed(self.projections) if p.target == name))

    def _note_axon(self, layer: Layer, has_bias: bool) -> None:
        where = f"{layer.where}/delay"
        if kind_of(layer) == "conv":
            self.note(where, Rating.FAITHFUL, "kept on the axon; netx ignores a conv delay")
        elif has_bias:
            reason = "kept on the axon; netx moves it to the input, which differs with a bias"
            self.note(where, Rating.FAITHFUL, reason)

    def metadata(self, file: Group) -> dict[str, str | int | float]:
        """Read the facts of ``simulation`` and ``quantize``; name every group not known."""
        facts = self.facts
        for key in file:
            known = key in ("simulation", "quantize") and isinstance(file[key], Group)
            if known and key == "simulation":
                group = Layer(file[key], self.path)
                for name in group.group:
                    facts[f"simulation/{name}"] = group.number(name)
                reason = "training settings, which never change how the network runs; kept"
                self.note("simulation", Rating.FAITHFUL, reason)
            elif key == GROUP:
                reason = (
                    "left aside: 'layer' was changed by another program since it was written, so "
                    "'layer' is read"
                )
                self.note(key, Rating.APPROXIMATE, reason)
            elif known:
                for name, value in file[key].attrs.items():
                    with damaged(f"{self.path}: quantize/{name}"):
                        plain = value if isinstance(value, str) else np.asarray(value).item()
                    facts[f"quantize/{name}"] = plain
                self.note(key, Rating.FAITHFUL, "how the network was rounded; kept")
            elif key != "layer":
                self.note(key, Rating.APPROXIMATE, "group not known to NetX; ignored")
        return facts
