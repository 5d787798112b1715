"""The CUBA neuron's update with its rules set otherwise, for networks the engine cannot run.

With the rules as they stand by default it is `network.CubaLIF`, bit for bit;
each field is a way in which other simulators and chips are known to differ.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...network import CubaLIF
from ...network.fixed_point import (
    ACTIVATION_SHIFT,
    DECAY_BITS,
    DECAY_UNITY,
    round_to_zero,
    saturate_voltage,
    wrap_current,
)
from ...network.neurons.base import IntArray
from ...network.neurons.cuba_states import Rule

Array = NDArray[np.int64]


def round_down(product: IntArray) -> IntArray:
    """Divide by 2^12, rounding down."""
    return product >> DECAY_BITS


def round_to_nearest(product: IntArray) -> IntArray:
    """Divide by 2^12, rounding to nearest."""
    return (product + DECAY_UNITY // 2) >> DECAY_BITS


def unlimited(state: IntArray) -> IntArray:
    """Let a state leave 24 bits."""
    return state


@dataclass(frozen=True)
class CubaRules:
    """How a CUBA neuron is updated.

    Attributes
    ----------
    round_u, round_v : callable
        How the product of a decay is rounded.
    limit_u, limit_v : callable
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

    round_u: Rule = round_to_zero
    round_v: Rule = round_to_zero
    limit_u: Rule = wrap_current
    limit_v: Rule = saturate_voltage
    at_least: bool = False
    reset: str = "zero"
    refractory: int = 1
    bias_from: int = 0


def step_cuba(
    neuron: CubaLIF,
    rules: CubaRules,
    current: Array,
    resets: NDArray[np.bool_] | None = None,
    starts: int = 0,
    first_v: int | NDArray[np.int32] = 0,
) -> tuple[NDArray[np.bool_], Array, Array]:
    """Run neurons on their synaptic currents, from zero state.

    Parameters
    ----------
    neuron : CubaLIF
    rules : CubaRules
    current : int64 [steps, neurons]
        What the synapses deliver.
    resets : bool [steps], optional
        Steps before which u and v become zero.
    starts : int
        Step in which the neurons begin, see `network.Population`.
    first_v : int or int32 [neurons]
        v before it.

    Returns
    -------
    fired : bool [steps, neurons]
    u, v : int64 [steps, neurons]
    """
    begin = starts + min(0, rules.bias_from)
    steps = len(current)
    threshold = np.asarray(neuron.threshold, np.int64) << ACTIVATION_SHIFT
    without_bias = replace(neuron, bias=0)
    nothing = np.zeros(current.shape[1], np.int64)
    u: IntArray
    v: IntArray
    u, v = np.zeros((2, current.shape[1]), np.int64)
    v = v + first_v
    wait = np.zeros(current.shape[1], np.int64)
    late = np.zeros(current.shape[1], np.bool_)
    fired = np.zeros(current.shape, np.bool_)
    us, vs = np.zeros((2, *current.shape), np.int64)
    for t in range(begin, steps):
        arriving = current[t] if t >= max(0, starts) else nothing
        if t >= 0 and resets is not None and resets[t]:
            u, v = np.zeros_like(u), np.zeros_like(v)
        model = neuron if t >= starts + rules.bias_from else without_bias
        u = model.next_current(u, arriving, rules.round_u, rules.limit_u)
        awake = wait == 0
        v = np.where(awake, model.next_voltage(v, u, rules.round_v, rules.limit_v), v)
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
