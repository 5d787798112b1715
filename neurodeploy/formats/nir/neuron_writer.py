"""Neurons back into NIR: the inverse of `presets.neuron_of`, exact to the float32 bit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UnsupportedError
from ...network import FloatLIF, Population
from .file import nir_package
from .presets import Preset

Floats = NDArray[np.float64]

ENDLESS = 2.0**40
"""A time constant in steps that keeps all of a state: 1 - 2^-40 is 1 in float32."""


def resets_at_spikes(neuron: FloatLIF) -> bool:
    """Whether a neuron is one of NIR's that reset: neither a readout nor a threshold."""
    states = np.any(np.asarray(neuron.voltage_keep)) or np.any(np.asarray(neuron.current_keep))
    return neuron.sends != "voltage" and (neuron.reset != "none" or bool(states))


def node_of(
    population: Population, neuron: FloatLIF, dt: float, preset: Preset, loops: bool = False
) -> Any:
    """Make the NIR node of a population; its constant current is its synapses' bias.

    Raises
    ------
    UnsupportedError
        If NIR, or the preset's framework, cannot say something of it.
    """
    nir = nir_package()
    shape = population.shape

    def of(name: str) -> Floats:
        value = np.asarray(getattr(neuron, name), np.float64)
        return np.broadcast_to(value, population.size).reshape(shape).copy()

    def fail(what: str) -> UnsupportedError:
        return UnsupportedError(
            f"population {population.name!r}: {what}, which NIR read with preset "
            f"{preset.name!r} cannot say; choose another preset or format"
        )

    _check_rules(neuron, preset, loops, fail)
    keep_u, keep_v = of("current_keep"), of("voltage_keep")
    gain_u, gain_v, bias = of("current_gain"), of("voltage_gain"), of("voltage_bias")
    spikes = neuron.sends != "voltage"
    if not keep_v.any() and not keep_u.any() and not bias.any() and neuron.reset == "none":
        if spikes and (gain_u * gain_v == 1).all():
            return nir.Threshold(of("threshold"))
        if not spikes:  # a relay
            return nir.Scale((gain_u * gain_v).astype(np.float32))
    ends = {"v_threshold": of("threshold"), "v_reset": of("reset_value")} if spikes else {}
    if not keep_u.any():
        gain_v = gain_v * gain_u
        if (keep_v == 1).all() and not bias.any():
            r = _integrator_r(gain_v, dt, preset, fail)
            return nir.IF(r=r, **ends) if spikes else nir.I(r=r)
    tau, rest = _tau(keep_v, dt, preset, fail)
    if preset.voltage_input == "equation":
        r = gain_v / rest
        if preset.ignores_r and not keep_u.any():
            r = _plain(r, rest, fail)
    else:
        r = _plain(gain_v, rest, fail)
        r = tau / dt - 1 if preset.r_says_step else r
    leak = {"v_leak": bias / rest}
    if not keep_u.any():
        kind = nir.LIF if spikes else nir.LI
        return kind(tau=tau, r=r, **leak, **ends)
    tau_syn, rest_u = _tau(keep_u, dt, preset, fail)
    if preset.current_input == "equation":
        w_in = gain_u / rest_u
        if preset.plain_w_in and (w_in == 1).all() and (rest_u != 1).any():
            raise fail("a current's input factor of dt / tau_syn")
    else:
        expected = keep_u if preset.current_input == "decayed" else np.ones(shape)
        if not np.allclose(gain_u, expected, rtol=1e-6):
            raise fail("a factor of its current's input")
        w_in = np.ones(shape)
    kind = nir.CubaLIF if spikes else nir.CubaLI
    return kind(tau_mem=tau, tau_syn=tau_syn, r=r, w_in=w_in, **leak, **ends)


def _check_rules(neuron: FloatLIF, preset: Preset, loops: bool, fail: Any) -> None:
    """Compare what no parameter of NIR says with what the preset implies."""
    if neuron.sends == "voltage" or neuron.reset == "none":
        return
    cuba = neuron.has_current
    time = preset.time_of_reset(cuba, loops)
    if neuron.reset_time != time:
        raise fail(f"a reset in time {neuron.reset_time!r}")
    if neuron.inclusive != preset.inclusive:
        raise fail("firing " + ("at the threshold" if neuron.inclusive else "above the threshold"))
    if (neuron.sends == "count") != preset.counts:
        raise fail(f"sending {neuron.sends}s")
    if np.any(np.asarray(neuron.reset_value)) and not preset.keeps_reset_value:
        raise fail("a reset to another value than 0")
    if neuron.sees_last_current:
        raise fail("a voltage that sees the last current")


def _tau(keep: Floats, dt: float, preset: Preset, fail: Any) -> tuple[Floats, Floats]:
    """Time constant of a decay, and what a step takes away."""
    if preset.decay == "euler":
        rest = np.where(keep == 1, 1 / ENDLESS, 1 - keep)
        return dt / rest, rest
    if (keep <= 0).any():
        raise fail("a state that nothing is left of after a step")
    tau = np.where(keep == 1, dt * ENDLESS, -dt / np.log(np.where(keep == 1, 0.5, keep)))
    return tau, -np.expm1(-dt / tau)


def _integrator_r(gain: Floats, dt: float, preset: Preset, fail: Any) -> Floats:
    if preset.integrator_input == "plain":
        return _plain(gain, np.ones_like(gain), fail)
    return gain / dt if preset.integrator_input == "equation" else gain


def _plain(gain: Floats, rest: Floats, fail: Any) -> Floats:
    if not np.allclose(gain, 1, rtol=1e-6):
        raise fail("a factor of its input")
    return np.ones_like(rest)
