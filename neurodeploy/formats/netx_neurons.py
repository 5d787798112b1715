"""The ``neuron`` group and ``bias`` of a NetX layer, read and written."""

from __future__ import annotations

from collections.abc import Callable

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, UnsupportedError
from ..network import CubaLIF, Delta, Neuron, Population, Rating, Sigma, SigmaDelta
from ..network.fixed_point import BIAS_BITS, DECAY_UNITY, THRESHOLD_BITS
from ..network.neurons import Parameter
from .hdf5 import Layer

Note = Callable[[str, Rating, str], None]

TRAINING_ONLY = ("scaleRho", "tauRho", "theta")
"""SLAYER's surrogate gradient, and the threshold as a float beside vThMant."""

OTHER_NEURONS = ("ALIF", "RF_PHASE", "RF_IZHIKEVICH", "ADRF_PHASE", "ADRF_IZHIKEVICH")

NO_NEURON_THRESHOLD = 1 << 17
"""netx gives a dense layer without a neuron this threshold, which v never reaches."""


def read_neuron(
    layer: Layer,
    shape: tuple[int, ...],
    note: Note,
    *,
    is_input: bool = False,
    bias: Parameter = 0,
) -> Neuron:
    """Read a layer's neuron.

    Parameters
    ----------
    layer : Layer
    shape : tuple of int
        The layer's shape, (neurons,) or (C, H, W).
    note : callable
        Adds an entry to the audit.
    is_input : bool
        Whether the layer is an ``input`` layer.
    bias : int or int32 [neurons]

    Raises
    ------
    FormatError, UnsupportedError
    """
    if "neuron" not in layer:
        reason = (
            "no neuron: a non-leaky integrator that never spikes, as netx and Lava read it; "
            "read v, whose change from step to step is SLAYER's output"
        )
        note(f"{layer.where}/neuron", Rating.APPROXIMATE, reason)
        return CubaLIF(0, DECAY_UNITY, NO_NEURON_THRESHOLD, bias)
    group = layer.sub("neuron")
    kind = group.text("type")
    if kind in ("CUBA", "LOIHI"):
        neuron: Neuron = _cuba(group, shape, note, bias)
    elif kind == "SDNN":
        neuron = _sigma_delta(group, shape, note, bias, is_input)
    elif kind in OTHER_NEURONS:
        raise UnsupportedError(
            f"{layer.path}: {group.where}: neuron type {kind!r} is not supported yet; "
            f"supported are CUBA, LOIHI and SDNN"
        )
    else:
        raise FormatError(
            f"{layer.path}: {group.where}: unknown neuron type {kind!r}; "
            f"known are CUBA, LOIHI and SDNN"
        )
    for key in group.unread():
        note(f"{group.where}/{key}", Rating.APPROXIMATE, "not known to NetX; ignored")
    return neuron


def read_bias(layer: Layer, shape: tuple[int, ...], note: Note) -> Parameter:
    """Read a layer's bias mantissas: one, one per channel, or one per neuron.

    One per neuron of a (C, H, W) layer is stored in (W, H, C) order, which is
    what netx adds to its neurons.
    """
    if "bias" not in layer:
        return 0
    values = layer.numbers("bias")
    rounded = np.rint(values)
    if (change := np.abs(values - rounded)).any():
        reason = f"not whole; rounded, by at most {change.max():.3g} (netx truncates)"
        note(f"{layer.where}/bias", Rating.APPROXIMATE, reason)
    limit = 1 << (BIAS_BITS - 1)
    if np.abs(rounded).max(initial=0) >= limit:
        raise layer.fail(
            "bias", f"holds {np.abs(rounded).max():g}, limit {limit - 1}; scale the layer down"
        )
    if values.ndim == 3 and values.size > max(values.shape):
        rounded = rounded.transpose(2, 1, 0)
    return per_neuron(layer, "bias", rounded.astype(np.int64), shape)


def per_neuron(
    layer: Layer, key: str, values: NDArray[np.int64], shape: tuple[int, ...]
) -> Parameter:
    """Spread one value, or one per channel, over the neurons; equal ones become an int."""
    size = int(np.prod(shape))
    flat = values.ravel()
    if flat.size not in (1, shape[0], size):
        raise layer.fail(key, f"has {flat.size} values, needs 1, {shape[0]} or {size}")
    if (flat == flat[0]).all():
        return int(flat[0])
    return np.repeat(flat, size // flat.size).astype(np.int32)


def _parameter(group: Layer, key: str, shape: tuple[int, ...], low: int, high: int) -> Parameter:
    values = group.integers(key)
    if values.size and (values.min() < low or values.max() > high):
        worst = values.min() if values.min() < low else values.max()
        raise group.fail(key, f"holds {worst}, needs {low}..{high}")
    return per_neuron(group, key, values, shape)


def _cuba(group: Layer, shape: tuple[int, ...], note: Note, bias: Parameter) -> CubaLIF:
    # SLAYER writes 2^18 - 1 for a neuron that shall never spike; v never gets there.
    threshold = _parameter(group, "vThMant", shape, 0, (1 << (THRESHOLD_BITS + 1)) - 1)
    if group.flag("gradedSpike"):
        note(f"{group.where}/gradedSpike", Rating.UNSUPPORTED, "graded spikes from CUBA neurons")
    if "refDelay" in group and (delay := group.integer("refDelay")) != 1:
        reason = f"a refractory period of {delay} steps, where Lava's neuron has only the reset's 1"
        note(f"{group.where}/refDelay", Rating.UNSUPPORTED, reason)
    for key in ("wgtExp", "weight_exp"):
        if key in group and (exponents := group.numbers(key)).any():
            reason = f"weight exponent {exponents.ravel()[0]:g}, which netx ignores"
            note(f"{group.where}/{key}", Rating.UNSUPPORTED, reason)
    for key in TRAINING_ONLY:
        if key in group:
            group.read.add(key)
            note(f"{group.where}/{key}", Rating.FAITHFUL, "only used in training; not kept")
    return CubaLIF(
        current_decay=_parameter(group, "iDecay", shape, 0, DECAY_UNITY),
        voltage_decay=_parameter(group, "vDecay", shape, 0, DECAY_UNITY),
        threshold=threshold,
        bias=bias,
    )


def _sigma_delta(
    group: Layer, shape: tuple[int, ...], note: Note, bias: Parameter, is_input: bool
) -> Neuron:
    threshold = _parameter(group, "vThMant", shape, 0, (1 << THRESHOLD_BITS) - 1)
    if "weight_exp" in group and group.numbers("weight_exp").any():
        note(f"{group.where}/weight_exp", Rating.UNSUPPORTED, "a weight exponent netx ignores")
    activation = group.text("activation") if "activation" in group else "relu"
    sigma_output = group.flag("sigma_output")
    if is_input:
        return Delta(threshold)
    if sigma_output:
        if np.any(bias != 0):
            note(f"{group.where}/bias", Rating.UNSUPPORTED, "a bias on a sigma output")
        return Sigma()
    if activation != "relu":
        reason = f"activation {activation!r} read as relu, as netx does"
        note(f"{group.where}/activation", Rating.UNSUPPORTED, reason)
    return SigmaDelta(threshold, bias)


def write_neuron(group: h5py.Group, population: Population) -> None:
    """Write a population's ``neuron`` group and ``bias``.

    Raises
    ------
    UnsupportedError
        If NetX cannot hold it.
    """
    neuron: Neuron = population.neuron
    out = group.create_group("neuron")
    if isinstance(neuron, CubaLIF):
        out["type"] = "CUBA"
        out["iDecay"] = per_channel(population, neuron.current_decay)
        out["vDecay"] = per_channel(population, neuron.voltage_decay)
        out["vThMant"] = per_channel(population, neuron.threshold)
        out["refDelay"] = 1
        out["gradedSpike"] = False
    elif isinstance(neuron, (Delta, SigmaDelta, Sigma)):
        out["type"] = "SDNN"
        out["activation"] = "relu"
        out["vThMant"] = (
            0 if isinstance(neuron, Sigma) else per_channel(population, neuron.threshold)
        )
        if isinstance(neuron, Sigma):
            out["sigma_output"] = True
        if isinstance(neuron, SigmaDelta) and not neuron.rectify:
            raise UnsupportedError(
                f"population {population.name!r}: NetX holds rectified sigma-delta neurons only"
            )
    else:
        raise UnsupportedError(f"population {population.name!r}: NetX has no {neuron.kind} neuron")
    if isinstance(neuron, (CubaLIF, SigmaDelta)) and np.any(neuron.bias != 0):
        _write_bias(group, population, neuron.bias)


def _write_bias(group: h5py.Group, population: Population, bias: Parameter) -> None:
    if len(population.shape) == 1:
        group["bias"] = np.broadcast_to(bias, population.shape).astype(np.float32)
        return
    channels = _channels(population, bias)
    if channels is None:  # netx adds a full bias to neurons in (W, H, C) order
        channels = np.asarray(bias).reshape(population.shape).transpose(2, 1, 0)
    group["bias"] = channels.astype(np.float32)


def per_channel(population: Population, value: Parameter) -> NDArray[np.int64]:
    """One number, one per neuron of a flat layer, or one per channel: what NetX can hold."""
    if not isinstance(value, np.ndarray):
        return np.asarray(value, np.int64)
    channels = value if len(population.shape) == 1 else _channels(population, value)
    if channels is None:
        raise UnsupportedError(
            f"population {population.name!r}: a parameter differs within a channel; NetX holds one "
            f"per channel"
        )
    return channels.astype(np.int64)


def _channels(population: Population, value: Parameter) -> NDArray[np.int64] | None:
    """One value per channel, or None where they differ within a channel."""
    grid = np.broadcast_to(value, population.size).reshape(population.shape[0], -1)
    return grid[:, 0].astype(np.int64) if (grid == grid[:, :1]).all() else None
