"""The CUBA neuron's update with its rules set otherwise, for networks the engine cannot run.

With the rules as they stand by default it is `network.CubaLIF`, bit for bit;
each field is a way in which other simulators and chips are known to differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...network import CubaLIF
from ...network.fixed_point import (
    ACTIVATION_SHIFT,
    DECAY_BITS,
    DECAY_UNITY,
    STATE_LIMIT,
    round_to_zero,
    saturate_voltage,
    wrap_current,
    wrap_signed,
)

Array = NDArray[np.int64]


@dataclass(frozen=True)
class Rules:
    """How a CUBA neuron is updated.

    Attributes
    ----------
    round_u, round_v : {"zero", "floor", "nearest"}
        How the product of a decay is rounded.
    limit_u : {"wrap", "saturate", "none"}
    limit_v : {"saturate", "wrap", "none"}
        What becomes of a state that leaves 24 bits.
    at_least : bool
        Spike at ``v >= threshold`` in place of ``v > threshold``.
    reset : {"zero", "late", "late-silent", "subtract", "none", "both"}
        Late: v is cleared after the update of the step after the spike, and may
        have spiked again in it (or not: silent). Both: u is cleared too.
    refractory : int
        Steps that a spike takes, itself included; v is held at 0 until then.
    bias_from : int
        The first step in which the bias acts, counted from when the neurons begin; negative:
        so many steps before.
    """

    round_u: str = "zero"
    round_v: str = "zero"
    limit_u: str = "wrap"
    limit_v: str = "saturate"
    at_least: bool = False
    reset: str = "zero"
    refractory: int = 1
    bias_from: int = 0


def step_cuba(
    neuron: CubaLIF,
    rules: Rules,
    current: Array,
    resets: NDArray[np.bool_] | None = None,
    starts: int = 0,
) -> tuple[NDArray[np.bool_], Array, Array]:
    """Run neurons on their synaptic currents, from zero state.

    Parameters
    ----------
    neuron : CubaLIF
    rules : Rules
    current : int64 [steps, neurons]
        What the synapses deliver.
    resets : bool [steps], optional
        Steps before which u and v become zero.
    starts : int
        Step in which the neurons begin, see `network.Population`.

    Returns
    -------
    fired : bool [steps, neurons]
    u, v : int64 [steps, neurons]
    """
    begin = starts + min(0, rules.bias_from)
    steps = len(current)
    threshold, bias = (
        np.asarray(parameter, np.int64) << ACTIVATION_SHIFT
        for parameter in (neuron.threshold, neuron.bias)
    )
    u, v = np.zeros((2, current.shape[1]), np.int64)
    wait = np.zeros(current.shape[1], np.int64)
    late = np.zeros(current.shape[1], np.bool_)
    fired = np.zeros(current.shape, np.bool_)
    us, vs = np.zeros((2, *current.shape), np.int64)
    for t in range(begin, steps):
        arriving = current[t] << ACTIVATION_SHIFT if t >= max(0, starts) else 0
        if t >= 0 and resets is not None and resets[t]:
            u, v = np.zeros_like(u), np.zeros_like(v)
        u = _limited(_decayed(u, neuron.current_decay, rules.round_u) + arriving, rules.limit_u)
        pull = bias if t >= starts + rules.bias_from else 0
        moved = _decayed(v, neuron.voltage_decay, rules.round_v) + u + pull
        awake = wait == 0
        v = np.where(awake, _limited(moved, rules.limit_v, voltage=True), v)
        fires = awake & ((v >= threshold) if rules.at_least else (v > threshold))
        if rules.reset == "late-silent":
            fires &= ~late
        kept = {"subtract": v - threshold, "none": v, "late": v, "late-silent": v}
        v = np.where(fires, kept.get(rules.reset, 0), v)
        v = np.where(late, 0, v)
        late = fires if rules.reset.startswith("late") else late
        if rules.reset == "both":
            u = np.where(fires, 0, u)
        wait = np.where(fires, rules.refractory - 1, np.maximum(wait - 1, 0))
        if t >= 0:
            fired[t], us[t], vs[t] = fires, u, v
    return fired, us, vs


def _decayed(state: Array, decay: object, rounding: str) -> Array:
    product = state * (DECAY_UNITY - np.asarray(decay, np.int64))
    if rounding == "floor":
        return product >> DECAY_BITS
    if rounding == "nearest":
        return (product + DECAY_UNITY // 2) >> DECAY_BITS
    return np.asarray(round_to_zero(product), np.int64)


def _limited(state: Array, rule: str, voltage: bool = False) -> Array:
    if rule == "wrap":
        return np.asarray(wrap_signed(state) if voltage else wrap_current(state), np.int64)
    if rule == "saturate":
        return np.asarray(saturate_voltage(state) if voltage else _clipped(state), np.int64)
    return state


def _clipped(u: Array) -> Array:
    clipped: Array = np.clip(u, -STATE_LIMIT + 1, STATE_LIMIT - 1)
    return clipped
