"""Writes the ``neuron`` group and ``bias`` of a NetX layer; see `neuron_reader` for the way in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...errors import UnsupportedError
from ...hdf5_tree import Group
from ...network import (
    ALIF,
    AdaptiveResonateFire,
    AdaptiveResonateFireIzhikevich,
    CubaLIF,
    Delta,
    GeneralCubaLIF,
    LeakyIntegrator,
    Neuron,
    Population,
    ResonateFire,
    ResonateFireIzhikevich,
    Sigma,
    SigmaDelta,
)
from ...network.fixed_point import ACTIVATION_SHIFT
from ...network.neurons import Parameter

RESONATORS: dict[str, type[ResonateFire | AdaptiveResonateFire]] = {
    "RF_PHASE": ResonateFire,
    "RF_IZHIKEVICH": ResonateFireIzhikevich,
    "ADRF_PHASE": AdaptiveResonateFire,
    "ADRF_IZHIKEVICH": AdaptiveResonateFireIzhikevich,
}

WRITTEN = (
    CubaLIF, GeneralCubaLIF, LeakyIntegrator, ALIF, Delta, SigmaDelta, Sigma, *RESONATORS.values(),
)  # fmt: skip
"""Neurons that NetX has a word for."""

MAX_REFRACTORY = 63
"""The chip's refractory delay has 6 bits (Loihi 1; nengo-loihi's ``REFRACT_DELAY_MAX``)."""

WEIGHT_EXPONENTS = (-8, 7)
"""The chip's weight exponent has 4 bits."""

NEVER = (1 << 18) - 1
"""The threshold that SLAYER writes for a neuron that shall never spike (its Affine block)."""

_LEAKS = {"iDecay": "current_decay", "vDecay": "voltage_decay"}
_TURNING = {"sinDecay": "sin_decay", "cosDecay": "cos_decay"}
_ADAPTATION = {
    "thDecay": "threshold_decay", "refDecay": "refractory_decay", "vThStep": "threshold_step",
}  # fmt: skip


def write_neuron(group: Group, population: Population, exponent: int) -> None:
    """Write a population's ``neuron`` group and ``bias``.

    Parameters
    ----------
    group : Group
    population : Population
    exponent : int
        The `input_exponent` that a reader gives it, by what feeds it.

    Raises
    ------
    UnsupportedError
        If NetX cannot hold it.
    """
    neuron: Neuron = population.neuron
    if type(neuron) not in WRITTEN:  # not one derived from them either
        raise UnsupportedError(f"population {population.name!r}: NetX has no {neuron.kind} neuron")
    out = group.require_group("neuron")
    more = getattr(neuron, "input_exponent", ACTIVATION_SHIFT) - exponent
    has_exponent = isinstance(neuron, (GeneralCubaLIF, LeakyIntegrator))
    least, most = WEIGHT_EXPONENTS if has_exponent else (0, 0)
    if not least <= more <= most:
        raise UnsupportedError(
            f"population {population.name!r}: NetX has no place for an input_exponent of "
            f"{exponent + more} here; what feeds it makes it {exponent}"
        )
    if isinstance(neuron, (CubaLIF, GeneralCubaLIF, LeakyIntegrator)):
        _write_cuba(out, population, more)
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
    else:
        _write_sigma_delta(out, population)
    bias: Parameter = getattr(neuron, "bias", 0)
    if np.any(bias != 0):
        _write_bias(group, population, _in_64ths(bias, neuron))


def _in_64ths(value: Parameter, neuron: Neuron) -> Parameter:
    """Without the bits below NetX's unit: what other readers make of it is the nearest."""
    bits = int(getattr(neuron, "fraction_bits", 0))
    if not bits:
        return value
    rounded = np.rint(np.asarray(value) / 2**bits).astype(np.int32)
    return rounded if rounded.ndim else int(rounded)


def _write_cuba(out: Group, population: Population, weight_exponent: int) -> None:
    neuron = population.neuron
    if isinstance(neuron, GeneralCubaLIF):
        into_current = neuron.bias_into == "current" and np.any(neuron.bias != 0)
        if neuron.reset != "zero" or into_current or np.max(neuron.refractory) > MAX_REFRACTORY:
            raise UnsupportedError(
                f"population {population.name!r}: NetX's CUBA neurons reset to zero, take their "
                f"bias into the voltage and wait for up to {MAX_REFRACTORY} steps; this one has "
                f"reset {neuron.reset!r}, bias into {neuron.bias_into!r} and waits for "
                f"{np.max(neuron.refractory)}"
            )
    out["type"] = "CUBA"
    threshold = getattr(neuron, "threshold", NEVER)
    _write_parameters(out, population, {**_LEAKS, "vThMant": threshold})
    out["refDelay"] = per_channel(population, getattr(neuron, "refractory", 1))
    out["gradedSpike"] = neuron.graded
    if weight_exponent:
        out["wgtExp"] = weight_exponent


def _write_parameters(
    out: Group, population: Population, parameters: dict[str, str | Parameter]
) -> None:
    """Write parameters given by the name of the neuron's field, or by value."""
    for key, value in parameters.items():
        if isinstance(value, str):
            value = getattr(population.neuron, value)
        out[key] = per_channel(population, value)


def _write_sigma_delta(out: Group, population: Population) -> None:
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
    out["vThMant"] = per_channel(population, _in_64ths(neuron.threshold, neuron))


def _write_bias(group: Group, population: Population, bias: Parameter) -> None:
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
