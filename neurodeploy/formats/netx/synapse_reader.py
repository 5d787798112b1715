"""The synapses of a NetX layer: weights, kernels and delays, read and written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...errors import UnsupportedError
from ...hdf5_tree import Group
from ...network import (
    ComplexConv,
    ComplexDense,
    Conv,
    ConvTranspose,
    DelayedDense,
    Dense,
    Pool,
    Rating,
    Synapse,
    Unpool,
)
from ...network.fixed_point import MAX_DELAY, WEIGHT_MAX, weight_limits
from ..hdf5 import RAW_LOSS, Layer, rounding_loss

Note = Callable[[str, Rating, str], None]

KERNEL_TYPES = {"conv": "conv", "conv-transpose": "convT", "pool": "pool", "unpool": "unpool"}
"""NetX's name of a layer with such synapses."""


def read_weight(layer: Layer, key: str, note: Note) -> NDArray[np.int32]:
    """Read weights, rounded and clipped to what the chip holds, with a note where that happens."""
    values = layer.numbers(key)
    where = f"{layer.where}/{key}"
    weight = np.rint(values)
    changed = weight != values
    if changed.any():
        if rounding_loss(values) > RAW_LOSS:
            note(where, Rating.UNSUPPORTED, _raw(values))
        else:
            reason = (
                f"{np.count_nonzero(changed)} of {values.size} weights are not whole; rounded, by "
                f"at most {np.abs(values - weight).max():.3g} (netx truncates)"
            )
            note(where, Rating.APPROXIMATE, reason)
    integers: NDArray[np.int64] = weight.astype(np.int64)
    low, high = weight_limits(integers)
    clipped = np.clip(integers, low, high)
    outside = clipped != integers
    if outside.any():
        layer.clipped[key] = int(np.count_nonzero(outside))
        reason = (
            f"{np.count_nonzero(outside)} of {values.size} weights lie outside [{low}, {high}] "
            f"(range {integers.min()}..{integers.max()}); clipped to it, as netx does"
        )
        note(where, Rating.APPROXIMATE, reason)
    return clipped.astype(np.int32)


def _raw(values: NDArray[np.float64]) -> str:
    """Say that weights are raw floats, and what makes integers of them."""
    weight = np.rint(values)
    most = float(np.abs(values).max())
    of_slayer = int(np.rint(64 * most))
    return (
        f"raw floats up to {most:.3g}: rounded to {weight.min():g}..{weight.max():g} they lose "
        f"{rounding_loss(values):.0%} of their size; multiply by 64 and round, where vThMant is 64 "
        f"times the threshold as in SLAYER (largest weight then {of_slayer}, limit "
        f"{WEIGHT_MAX}), else weights, bias and vThMant alike by up to "
        f"{WEIGHT_MAX / most:.4g}"
    )


def is_complex(layer: Layer) -> bool:
    """Whether the layer has a real and an imaginary weight."""
    return isinstance(layer.group.get("weight"), Group)


def read_dense(layer: Layer, size: int, note: Note) -> Dense | ComplexDense:
    """Read the weights of `size` neurons, (size, inputs), or flat as in older files."""
    if is_complex(layer):
        parts = layer.sub("weight")
        real, imag = (_matrix(parts, key, size, note) for key in ("real", "imag"))
        if real.shape != imag.shape:
            raise parts.fail("imag", f"has shape {imag.shape}, but real has {real.shape}")
        return ComplexDense(real, imag)
    return Dense(_matrix(layer, "weight", size, note))


def read_loop(layer: Layer, key: str, size: int, note: Note, keep: bool) -> Dense | DelayedDense:
    """Read the weights with which `size` neurons feed each other, and these synapses' delays.

    ``delay_rec`` is what mlGeNN's exporter (ml_genn_netx) writes for a recurrent
    layer: one delay for each synapse, or one for all.

    Parameters
    ----------
    layer : Layer
    key : str
        Where the weights are.
    size : int
    note : callable
    keep : bool
        Whether to keep delays that are longer than the chip's.
    """
    weight = read_weight(layer, key, note)
    if weight.size != size * size:
        raise layer.fail(key, f"has {weight.size} weights, needs {size} x {size}")
    weight = weight.reshape(size, size)
    if "delay_rec" not in layer:
        return Dense(weight)
    values = _whole_delays(layer, "delay_rec", note, keep)
    if values.size != 1 and values.shape != weight.shape:
        raise layer.fail("delay_rec", f"has shape {values.shape}, needs 1 or {weight.shape}")
    if not values.any():
        return Dense(weight)
    reason = "one for each synapse of the loop; netx does not read it"
    note(f"{layer.where}/delay_rec", Rating.FAITHFUL, reason)
    delay = np.broadcast_to(values, weight.shape).astype(np.int32)
    return DelayedDense(weight, delay, beyond_chip=bool(delay.max() > MAX_DELAY))


def _matrix(layer: Layer, key: str, size: int, note: Note) -> NDArray[np.int32]:
    weight = read_weight(layer, key, note)
    if weight.ndim == 1 and weight.size % size:
        raise layer.fail(key, f"{weight.size} weights do not divide by {size} neurons")
    # Older files are flat, which netx reshapes the same way, or hold kernels of a convolution
    # with a time axis, (neurons, inputs, 1, 1, 1) or (neurons, channels, height, width, 1).
    if weight.ndim == 1 or (weight.ndim == 5 and weight.shape[4] == 1):
        weight = weight.reshape(size, -1) if weight.shape[0] in (size, weight.size) else weight
    if weight.ndim != 2 or weight.shape[0] != size:
        raise layer.fail(key, f"has shape {weight.shape}, needs ({size} neurons of shape, inputs)")
    return weight


def read_kernel(layer: Layer, kind: str, note: Note) -> Synapse:
    """Read the synapses of a ``conv``, ``convT``, ``pool`` or ``unpool`` layer."""
    how = (layer.pair("stride"), layer.pair("padding"), layer.pair("dilation"))
    if kind in ("pool", "unpool"):
        weight = _kernel_weight(layer, "weight", kind, note)
        if weight.shape[:2] != (1, 1):
            raise layer.fail("weight", f"has shape {weight.shape}, needs (1, 1, height, width)")
        operator = Pool if kind == "pool" else Unpool
        return operator(weight[0, 0], *how)
    groups = layer.integer("groups")
    if kind == "conv" and is_complex(layer):
        parts = layer.sub("weight")
        real, imag = (_kernel_weight(parts, key, kind, note) for key in ("real", "imag"))
        if real.shape != imag.shape:
            raise parts.fail("imag", f"has shape {imag.shape}, but real has {real.shape}")
        return ComplexConv(real, imag, *how, groups)
    weight = _kernel_weight(layer, "weight", kind, note)
    if kind == "conv":
        return Conv(weight, *how, groups)
    return ConvTranspose(weight, *how, groups)


def _kernel_weight(layer: Layer, key: str, kind: str, note: Note) -> NDArray[np.int32]:
    if isinstance(layer.group.get(key), Group):
        raise UnsupportedError(
            f"{layer.path}: {layer.where}/{key}: complex weights of a {kind} layer are not "
            f"supported; supported are dense and conv"
        )
    weight = read_weight(layer, key, note)
    if weight.ndim == 5 and weight.shape[4] == 1:  # older files have a time axis
        weight = weight[..., 0]
    if weight.ndim != 4:
        raise layer.fail(key, f"has shape {weight.shape}, needs (out, in / groups, height, width)")
    return weight


def as_slayer_pools(synapse: Synapse, source_shape: tuple[int, ...]) -> tuple[Synapse, str]:
    """Give a pool or unpool of a file the meaning that it has in SLAYER.

    Returns
    -------
    Synapse
        Each channel for itself where that is the same, across channels where not.
    str
        What SLAYER does that differs from a pool of each channel, or nothing.
    """
    if not isinstance(synapse, (Pool, Unpool)) or len(source_shape) != 3:
        return synapse, ""
    if isinstance(synapse, Pool):
        kernel = synapse.weight.shape
        ends = (source_shape[1] % kernel[0], source_shape[2] % kernel[1])
        synapse = replace(synapse, end_padding=ends)
    across = replace(synapse, across_channels=True)
    own_shape, slayer_shape = (s.output_shape(source_shape) for s in (synapse, across))
    if own_shape == slayer_shape and np.array_equal(
        synapse.rows(source_shape), across.rows(source_shape)
    ):
        return synapse, ""
    return across, (
        "windows reach from one channel into the next, as in SLAYER, which lays the channels "
        "below each other"
    )


def read_delay(
    layer: Layer, shape: tuple[int, ...], weight_shape: tuple[int, ...], note: Note, keep: bool
) -> NDArray[np.int32] | None:
    """Read a layer's delays.

    Parameters
    ----------
    layer : Layer
    shape : tuple of int
        The layer's shape.
    weight_shape : tuple of int
        (targets, sources) of a dense layer, else empty.
    note : callable
    keep : bool
        Whether to keep delays that are longer than the chip's.

    Returns
    -------
    int32 [neurons], int32 [targets, sources] or None
        Axonal delays of the layer's neurons, or one for each synapse.
    """
    if "delay" not in layer:
        return None
    values = _whole_delays(layer, "delay", note, keep)
    where = f"{layer.where}/delay"
    size = int(np.prod(shape))
    if values.shape != weight_shape and values.size not in (1, shape[0], size):
        if weight_shape and values.size == weight_shape[1]:
            note(where, Rating.FAITHFUL, "one for each input; kept on the synapses of this layer")
            values = np.broadcast_to(values.ravel(), weight_shape)
        else:
            needed = f"1, {shape[0]} or {size}"
            if weight_shape:
                needed = f"1, {size}, {weight_shape[1]} (inputs) or {weight_shape} (synapses)"
            raise layer.fail("delay", f"has shape {values.shape}, needs {needed}")
    delay = values.astype(np.int32)
    if delay.shape != weight_shape:
        delay = np.repeat(delay.ravel(), size // delay.size)
    return delay if delay.any() else None


def _whole_delays(layer: Layer, key: str, note: Note, keep: bool) -> NDArray[np.float64]:
    """Read delays as whole steps; what is cut from them is said."""
    given = layer.numbers(key)
    where = f"{layer.where}/{key}"
    values: NDArray[np.float64] = np.floor(given)
    if values.size and values.min() < 0:
        raise layer.fail(key, f"holds {values.min():g}, needs 0..{MAX_DELAY}")
    if (cut := given - values).any():
        reason = (
            f"{np.count_nonzero(cut)} of {cut.size} delays are not whole steps; cut by up to "
            f"{cut.max():.3g}, as SLAYER and netx do"
        )
        note(where, Rating.APPROXIMATE, reason)
    return _limited(values, where, note, keep) if values.max(initial=0) > MAX_DELAY else values


def _limited(
    values: NDArray[np.float64], where: str, note: Note, keep: bool
) -> NDArray[np.float64]:
    count = int(np.count_nonzero(values > MAX_DELAY))
    reason = (
        f"{count} of {values.size} delays exceed {MAX_DELAY} steps (longest {values.max():.0f}); "
    )
    if keep:
        note(where, Rating.APPROXIMATE, reason + "kept as asked: no chip runs them")
        return values
    note(
        where, Rating.APPROXIMATE, reason + f"clamped, as netx does; to keep them, allow {where!r}"
    )
    return np.minimum(values, MAX_DELAY)


def with_delay(
    synapse: Synapse, delay: NDArray[np.int32] | None, layer: Layer
) -> tuple[Synapse, NDArray[np.int32] | None]:
    """Put delays of synapses into the operator; return those of axons beside it."""
    if delay is None or delay.ndim == 1:
        return synapse, delay
    if not isinstance(synapse, Dense):
        raise UnsupportedError(
            f"{layer.path}: {layer.where}/delay: a delay for every synapse of complex weights is "
            f"not supported; give one for each neuron"
        )
    beyond = bool(delay.max() > MAX_DELAY)
    return DelayedDense(synapse.weight, delay, beyond_chip=beyond), None


def source_of(synapse: Synapse, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """Shape (C, H, W) of a convolution's source, where stride 1 leaves one answer."""
    if not isinstance(synapse, Conv) or len(shape) != 3 or synapse.stride != (1, 1):
        return None
    size = [
        n - 1 - 2 * p + d * (k - 1) + 1
        for n, p, d, k in zip(
            shape[1:], synapse.padding, synapse.dilation, synapse.weight.shape[2:], strict=True
        )
    ]
    return synapse.weight.shape[1] * synapse.groups, size[0], size[1]


def write_dense(group: Group, synapse: Dense | DelayedDense | ComplexDense) -> None:
    """Write the weights of a dense layer, and the delays of its synapses."""
    if isinstance(synapse, ComplexDense):
        group["outFeatures"], group["inFeatures"] = synapse.real.shape
        group["weight/real"] = synapse.real.astype(np.float32)
        group["weight/imag"] = synapse.imag.astype(np.float32)
        return
    group["outFeatures"], group["inFeatures"] = synapse.weight.shape
    group["weight"] = synapse.weight.astype(np.float32)
    if isinstance(synapse, DelayedDense):
        group["delay"] = synapse.delay.astype(np.float32)


def write_kernel(group: Group, synapse: Synapse, source_shape: tuple[int, ...]) -> str:
    """Write a convolution or pool; give NetX's name for it.

    Raises
    ------
    UnsupportedError
        If NetX cannot hold it.
    """
    if isinstance(synapse, ComplexConv):
        kind, weight, channels = "conv", synapse.real, synapse.real.shape[:2]
        group["weight/real"] = synapse.real.astype(np.float32)
        group["weight/imag"] = synapse.imag.astype(np.float32)
    else:
        assert isinstance(synapse, (Conv, ConvTranspose, Pool, Unpool))
        kind, weight = KERNEL_TYPES[synapse.kind], synapse.weight
        if isinstance(synapse, (Pool, Unpool)):
            _check_pool(synapse, source_shape)
            weight = weight[None, None]
        group["weight"] = weight.astype(np.float32)
        channels = weight.shape[:2]
    group["kernelSize"] = np.array(weight.shape[2:])
    for key in ("stride", "padding", "dilation"):
        group[key] = np.array(getattr(synapse, key))
    if isinstance(synapse, (Conv, ComplexConv, ConvTranspose)):
        out, into = (0, 1) if kind == "conv" else (1, 0)
        group["groups"] = synapse.groups
        group["outChannels"] = channels[out] * (synapse.groups if out else 1)
        group["inChannels"] = channels[into] * (synapse.groups if into else 1)
    return kind


def _check_pool(synapse: Pool | Unpool, source_shape: tuple[int, ...]) -> None:
    bare = replace(synapse, across_channels=False)
    if isinstance(bare, Pool):
        bare = replace(bare, end_padding=(0, 0))
    kept, _ = as_slayer_pools(bare, source_shape)
    assert isinstance(kept, (Pool, Unpool))
    same = kept.output_shape(source_shape) == synapse.output_shape(source_shape) and all(
        np.array_equal(getattr(kept, name)(source_shape), getattr(synapse, name)(source_shape))
        for name in ("rows", "columns")
    )
    if not same:
        raise UnsupportedError(
            f"a NetX {synapse.kind} of {source_shape} means what SLAYER does, which pads by size "
            f"mod kernel and joins the channels; this one does not: use stride = kernel without "
            f"padding"
        )
