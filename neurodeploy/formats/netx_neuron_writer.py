"""Writes the ``neuron`` group and ``bias`` of a NetX layer; see `netx_neurons` for the way in."""

from __future__ import annotations

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedError
from ..network import (
    ALIF,
    AdaptiveResonateFire,
    AdaptiveResonateFireIzhikevich,
    CubaLIF,
    Delta,
    LeakyIntegrator,
    Neuron,
    Population,
    ResonateFire,
    ResonateFireIzhikevich,
    Sigma,
    SigmaDelta,
)
from ..network.fixed_point import ACTIVATION_SHIFT
from ..network.neurons import Parameter

RESONATORS: dict[str, type[ResonateFire | AdaptiveResonateFire]] = {
    "RF_PHASE": ResonateFire,
    "RF_IZHIKEVICH": ResonateFireIzhikevich,
    "ADRF_PHASE": AdaptiveResonateFire,
    "ADRF_IZHIKEVICH": AdaptiveResonateFireIzhikevich,
}

NEVER = (1 << 18) - 1
"""The threshold that SLAYER writes for a neuron that shall never spike (its Affine block)."""

_LEAKS = {"iDecay": "current_decay", "vDecay": "voltage_decay"}
_TURNING = {"sinDecay": "sin_decay", "cosDecay": "cos_decay"}
_ADAPTATION = {
    "thDecay": "threshold_decay", "refDecay": "refractory_decay", "vThStep": "threshold_step",
}  # fmt: skip


def write_neuron(group: h5py.Group, population: Population) -> None:
    """Write a population's ``neuron`` group and ``bias``.

    Raises
    ------
    UnsupportedError
        If NetX cannot hold it.
    """
    neuron: Neuron = population.neuron
    out = group.create_group("neuron")
    if getattr(neuron, "input_exponent", ACTIVATION_SHIFT) != ACTIVATION_SHIFT:
        raise UnsupportedError(
            f"population {population.name!r}: NetX has no place for an input_exponent other than "
            f"{ACTIVATION_SHIFT}"
        )
    if isinstance(neuron, (CubaLIF, LeakyIntegrator)):
        out["type"] = "CUBA"
        threshold = NEVER if isinstance(neuron, LeakyIntegrator) else neuron.threshold
        _write_parameters(out, population, {**_LEAKS, "vThMant": threshold})
        out["refDelay"] = 1
        out["gradedSpike"] = False
    elif isinstance(neuron, ALIF):
        out["type"] = "ALIF"
        _write_parameters(out, population, {**_LEAKS, **_ADAPTATION, "vThMant": "threshold"})
        out["refDelay"] = 1
        out["gradedSpike"] = neuron.graded_spike
    elif isinstance(neuron, (ResonateFire, AdaptiveResonateFire)):
        out["type"] = next(name for name, model in RESONATORS.items() if type(neuron) is model)
        adapts = _ADAPTATION if isinstance(neuron, AdaptiveResonateFire) else {}
        _write_parameters(out, population, {**_TURNING, **adapts, "vThMant": "threshold"})
        out["gradedSpike"] = neuron.graded_spike
    elif isinstance(neuron, (Delta, SigmaDelta, Sigma)):
        _write_sigma_delta(out, population)
    else:
        raise UnsupportedError(f"population {population.name!r}: NetX has no {neuron.kind} neuron")
    bias: Parameter = getattr(neuron, "bias", 0)
    if np.any(bias != 0):
        _write_bias(group, population, bias)


def _write_parameters(
    out: h5py.Group, population: Population, parameters: dict[str, str | Parameter]
) -> None:
    """Write parameters given by the name of the neuron's field, or by value."""
    for key, value in parameters.items():
        if isinstance(value, str):
            value = getattr(population.neuron, value)
        out[key] = per_channel(population, value)


def _write_sigma_delta(out: h5py.Group, population: Population) -> None:
    neuron = population.neuron
    out["type"] = "SDNN"
    out["activation"] = "relu"
    if isinstance(neuron, Sigma):
        out["vThMant"] = np.asarray(0, np.int64)
        out["sigma_output"] = True
        return
    assert isinstance(neuron, (Delta, SigmaDelta))
    if isinstance(neuron, SigmaDelta) and not neuron.rectify:
        raise UnsupportedError(
            f"population {population.name!r}: NetX holds rectified sigma-delta neurons only"
        )
    out["vThMant"] = per_channel(population, neuron.threshold)


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
