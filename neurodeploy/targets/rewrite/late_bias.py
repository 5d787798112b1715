"""Biases that begin to act late, as voltages from which the first steps lead to 0."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...network import Network, Neuron, Population
from ...network.fixed_point import ACTIVATION_SHIFT, DECAY_UNITY, STATE_LIMIT
from ..first_messages import first_arrival
from ..registry import Refused

IntArray = NDArray[np.integer[Any]]


def late_bias_as_initial_voltage(network: Network, refused: Refused | None = None) -> Network:
    """Let populations with a bias start at step 0, at a voltage that is 0 when they should start.

    A population that `starts` at step k rests before; its bias b acts from k on. Let it act from
    step 0 on instead, and begin at v0 such that k updates without input lead to v = 0: of one
    update that is ``-ceil(64 b 4096 / (4096 - d_v))`` (mirrored for b < 0), for k it is iterated.
    A decay is rounded towards zero and lets go of at most one unit more for each unit of v, so
    every voltage has one before it.

    What is found is tried on the neuron's own equations before it is taken. It is left alone
    where a neuron would fire on its way (a negative bias lets v fall from above), where v0 has
    more than 24 bits, where something arrives before step k, which then is not lost any more, or
    where the bias enters the current.
    """
    made = tuple(_made(network, p, refused) for p in network.populations)
    return replace(network, populations=made)


def _made(network: Network, population: Population, refused: Refused | None) -> Population:
    steps = population.starts
    asked = refused is None or population.name in refused
    if not steps or not asked or not population.neuron.has_initial_voltage:
        return population
    if np.any(population.initial_voltage) or first_arrival(network, population) < steps:
        return population
    voltage = voltage_before(population.neuron, population.size, steps)
    if voltage is None:
        return population
    return replace(population, starts=0, initial_voltage=voltage)


def voltage_before(
    neuron: Neuron, size: int, steps: int, then: int | IntArray = 0
) -> NDArray[np.int32] | None:
    """Give the voltage from which some updates without input lead to another, without a message.

    Parameters
    ----------
    neuron : Neuron
        One of `CubaStates`.
    size : int
    steps : int
    then : int or int32 [size]
        The voltage after them.

    Returns
    -------
    int32 [size] or None
        None where there is no such voltage within 24 bits.
    """
    if (form := _biased_form(neuron)) is None:
        return None
    end = np.broadcast_to(np.asarray(then, np.int64), size)
    v = _backwards(form, end, steps)
    if np.abs(v).max(initial=0) >= STATE_LIMIT:
        return None
    nothing, last = np.zeros_like(v), _after(form, v, steps)
    # A voltage of which the next update keeps as much is as good.
    if last is None or (form.next_voltage(last, nothing) != form.next_voltage(end, nothing)).any():
        return None
    return v.astype(np.int32)


def quiet_voltage(neuron: Neuron, size: int, steps: int) -> NDArray[np.int32] | None:
    """Give a voltage from which neurons send nothing in some updates without input.

    For neurons that a reset brings to 0 then: those whose bias lifts v begin below.

    Returns
    -------
    int32 [size] or None
        None where a bias lifts v to the threshold in so many steps from anywhere.
    """
    if (form := _biased_form(neuron)) is None:
        return None
    v = np.minimum(_backwards(form, np.zeros(size, np.int64), steps), 0)
    v = np.maximum(v, 1 - STATE_LIMIT)
    return None if _after(form, v, steps) is None else v.astype(np.int32)


def _biased_form(neuron: Neuron) -> Any:
    form = neuron.cuba_form()
    if form is None or form.bias_into != "voltage" or form.voltage_exponent:
        return None
    return form


def _backwards(form: Any, end: IntArray, steps: int) -> IntArray:
    """Voltages before some updates, of any size; of one that keeps nothing, 0."""
    bias = np.broadcast_to(np.asarray(form.bias, np.int64) << ACTIVATION_SHIFT, end.shape)
    keep = np.broadcast_to(DECAY_UNITY - np.asarray(form.voltage_decay, np.int64), end.shape)
    v = end
    for _ in range(steps):
        before = v - bias
        lifted = -(-np.abs(before) * DECAY_UNITY // np.maximum(keep, 1))  # rounded up
        v = np.where(keep > 0, np.sign(before) * lifted, 0)
        v = np.clip(v, -2 * STATE_LIMIT, 2 * STATE_LIMIT)  # beyond 24 bits is beyond
    return v


def _after(form: Any, v: IntArray, steps: int) -> IntArray | None:
    """Voltages after some updates without input; None if anything is sent on the way."""
    nothing = np.zeros_like(v)
    for _ in range(steps):
        v = form.next_voltage(v, nothing)
        if form.fires(v).any():
            return None
    return v


def bias_from_the_start(network: Network, refused: Refused) -> Network:
    """Let biases act from step 0 on, where a target has no other way: populations start there.

    Approximate: before its first input a population's v moves to where its bias leads.
    """
    made = tuple(
        replace(p, starts=0) if p.starts and p.name in refused else p for p in network.populations
    )
    return replace(network, populations=made)
