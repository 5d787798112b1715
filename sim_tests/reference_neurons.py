"""Slow, obvious neurons in NumPy int64, one class each, from the docstrings' equations.

`cell_of` gives a cell for a neuron model; ``cell.step(a)`` takes the currents
of one step, int64 [ports x neurons], and returns the messages.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.network import (
    ALIF,
    AdaptiveCubaLIF,
    AdaptiveResonateFire,
    AdaptiveResonateFireIzhikevich,
    GeneralCubaLIF,
    GeneralSigmaDelta,
    GradedThreshold,
    LeakyIntegrator,
    Product,
    ResonateFire,
    ResonateFireIzhikevich,
    ResonateFireZero,
    TernaryLIF,
    Threshold,
)

TOP = 2**23 - 1


def rz(x):
    return np.sign(x) * (np.abs(x) // 4096)


def clip(v):
    return np.minimum(np.maximum(v, -TOP), TOP)


def beyond(v):
    return np.abs(v) > TOP


def in_state_units(a, exponent):
    return a * 2**exponent if exponent >= 0 else np.sign(a) * (np.abs(a) // 2**-exponent)


def wide(parameter):
    return np.asarray(parameter, np.int64)


class Cell:
    """All states are zero at first and after a reset; ``overflows`` says how often each left."""

    def __init__(self, neuron, size):
        self.neuron = neuron
        self.size = size
        self.overflows = dict.fromkeys(("u_overflows", "v_overflows", "input_overflows"), 0)
        self.reset()

    def count(self, state, left):
        self.overflows[f"{state}_overflows"] += int(np.count_nonzero(left))

    def wrap(self, u):
        lowered = np.where(u > 2**23, u - 2**24, u)
        wrapped = np.where(lowered <= -(2**23), u + 2**24, lowered)
        self.count("u", wrapped != u)
        return wrapped

    def clip(self, v):
        self.count("v", beyond(v))
        return clip(v)

    def reset(self):
        for name in ("u", "v", "wait", "owed", "rise", "refractory"):
            setattr(self, name, np.zeros(self.size, np.int64))

    def recorded(self, state):
        """A state as recordings name it."""
        if state == "threshold":
            return self.rise + wide(self.neuron.threshold) * 64
        return getattr(self, state).copy()

    def message(self, fires, height):
        return np.where(fires, height if self.neuron.graded else 1, 0)

    def adapt(self, height, allowed=True):
        """Compare a height with the adaptive threshold, raise it where that is met."""
        n = self.neuron
        rest = wide(n.threshold) * 64
        threshold = rz(self.rise * (4096 - wide(n.threshold_decay))) + rest
        self.refractory = rz(self.refractory * (4096 - wide(n.refractory_decay)))
        self.adapted_beyond = beyond(threshold) | beyond(self.refractory)
        fires = (height >= threshold + self.refractory) & allowed
        self.refractory = self.refractory + np.where(fires, 2 * threshold, 0)
        self.rise = threshold - rest + np.where(fires, wide(n.threshold_step) * 64, 0)
        return fires


class GeneralCubaCell(Cell):
    def step(self, a):
        n = self.neuron
        bias = wide(n.bias) * 64
        into_current = n.bias_into == "current"
        arriving = in_state_units(a, n.input_exponent) + (bias if into_current else 0)
        self.u = self.wrap(rz(self.u * (4096 - wide(n.current_decay))) + arriving)
        moved = rz(self.v * (4096 - wide(n.voltage_decay))) + self.u + (0 if into_current else bias)
        awake = self.wait == 0
        amount = wide(n.threshold) * 64 if n.reset_amount is None else wide(n.reset_amount)
        if n.reset == "subtract-late":
            moved = moved - self.owed * amount
        self.count("v", awake & beyond(moved))
        self.v = np.where(awake, clip(moved), self.v)
        self.owed = np.where(awake, 0, self.owed)
        fires = awake & (self.v > wide(n.threshold) * 64)
        messages = self.message(fires, self.v)
        left = {"zero": 0, "subtract": self.v - amount, "subtract-late": self.v}[n.reset]
        self.v = np.where(fires, left, self.v)
        self.owed = np.where(fires, 1, self.owed)
        self.wait = np.where(fires, wide(n.refractory) - 1, np.maximum(self.wait - 1, 0))
        return messages


class LeakyCell(Cell):
    def step(self, a):
        n = self.neuron
        arriving = in_state_units(a, n.input_exponent)
        self.u = self.wrap(rz(self.u * (4096 - wide(n.current_decay))) + arriving)
        leaked = rz(self.v * (4096 - wide(n.voltage_decay)))
        self.v = self.clip(leaked + self.u + wide(n.bias) * 64)
        return np.zeros(self.size, np.int64)


class TernaryCell(Cell):
    def step(self, a):
        n = self.neuron
        self.u = self.wrap(rz(self.u * (4096 - wide(n.current_decay))) + a * 64)
        leaked = rz(self.v * (4096 - wide(n.voltage_decay)))
        self.v = self.clip(leaked + self.u + wide(n.bias) * 64)
        above, below = self.v > wide(n.upper) * 64, self.v < wide(n.lower) * 64
        sign = above.astype(np.int64) - below.astype(np.int64)
        self.v = np.where(sign != 0, 0, self.v)
        return sign


class AdaptiveCell(Cell):
    def step(self, a):
        n = self.neuron
        arriving = in_state_units(a, n.input_exponent) + wide(n.bias) * 64
        self.u = self.wrap(rz(self.u * (4096 - wide(n.current_decay))) + arriving)
        moved = rz(self.v * (4096 - wide(n.voltage_decay))) + self.u
        self.v = clip(moved)
        fires = self.adapt(self.v)
        self.count("v", beyond(moved) | self.adapted_beyond)
        return self.message(fires, self.v)


class AdaptiveCubaCell(Cell):
    """As two compartments: the second hears the neuron's spikes a step later, and joins then."""

    def reset(self):
        super().reset()
        self.second, self.before = np.zeros((2, self.size), np.int64)

    def step(self, a):
        n = self.neuron
        self.second = clip(self.heard())
        self.u = self.wrap(rz(self.u * (4096 - wide(n.current_decay))) + 64 * a)
        leaked = rz(self.v * (4096 - wide(n.voltage_decay)))
        self.v = self.clip(leaked + self.u + self.second + 64 * wide(n.bias))
        self.before = (self.v > 64 * wide(n.threshold)).astype(np.int64)
        self.v = self.v * (1 - self.before)
        self.count("v", beyond(self.heard()))
        return self.before

    def heard(self):
        """What the second compartment will hold in the next step."""
        leaked = rz(self.second * (4096 - wide(self.neuron.adaptation_decay)))
        return leaked - wide(self.neuron.adaptation_step) * self.before

    def recorded(self, state):
        return -clip(self.heard()) if state == "adaptation" else super().recorded(state)


class ResonateCell(Cell):
    def turn(self, a):
        """Turn by one step; give the imaginary part before it."""
        n = self.neuron
        sine, cosine = wide(n.sin_decay), wide(n.cos_decay)
        real, imag = in_state_units(a, n.input_exponent).reshape(2, -1)
        u, v = self.u, self.v
        turned = rz(cosine * u) - rz(sine * v) + real
        self.count("u", beyond(turned))
        self.u = clip(turned)
        self.v = self.clip(rz(sine * u) + rz(cosine * v) + imag)
        return v

    def step(self, a):
        before = self.turn(a)
        threshold = wide(self.neuron.threshold) * 64
        if isinstance(self.neuron, ResonateFireIzhikevich):
            fires = self.v >= threshold
            messages = self.message(fires, self.v)
            self.u = np.where(fires, 0, self.u)
            self.v = np.where(fires, threshold - 1, self.v)
            return messages
        fires = (self.u >= threshold) & (self.v >= 0) & (before < 0)
        return self.message(fires, self.u)


class AdaptiveResonateCell(ResonateCell):
    def step(self, a):
        before = self.turn(a)
        if isinstance(self.neuron, AdaptiveResonateFireIzhikevich):
            height, allowed = self.v, True
        else:
            height, allowed = self.u, (self.v >= 0) & (before < 0)
        fires = self.adapt(height, allowed)
        self.count("v", self.adapted_beyond)
        return self.message(fires, height)


class ThresholdCell(Cell):
    def step(self, a):
        self.count("input", beyond(a))
        return (64 * a + 64 * wide(self.neuron.bias) > 64 * wide(self.neuron.threshold)).astype(int)


class GradedThresholdCell(Cell):
    def step(self, a):
        self.count("input", beyond(a))
        height = a if self.neuron.rectify else np.abs(a)
        return np.where(height > wide(self.neuron.threshold), a, 0)


def wrap_32(x):
    return (x + 2**31) % 2**32 - 2**31


class ProductCell(Cell):
    def step(self, a):
        first, second = (part.astype(object) for part in a.reshape(2, -1))
        whole = first * second
        self.count("input", np.abs(whole) >= 2**31)
        product = (wrap_32(whole) // 2**self.neuron.shift).astype(np.int64)
        size = wrap_32(np.abs(product))  # -2^31 has no magnitude in 32 bits
        return np.where(size > wide(self.neuron.threshold), product, 0)


class ResonateZeroCell(Cell):
    def step(self, a):
        n = self.neuron
        real, imag = a.reshape(2, -1)
        u, v = self.u, self.v

        def part(state, decay):
            return wrap_32(state * wide(decay)) // 2**15

        self.u = wrap_32(part(u, n.cos_decay) - part(v, n.sin_decay) + real)
        self.v = wrap_32(part(v, n.cos_decay) + part(u, n.sin_decay) + imag)
        self.count("u", np.abs(self.u) >= 2**16)
        self.count("v", np.abs(self.v) >= 2**16)
        return np.where((self.u > wide(n.threshold)) & (self.v >= 0) & (v < 0), self.u, 0)


class GeneralSigmaDeltaCell(Cell):
    """``u`` is sigma, ``v`` the activation; ``residue`` what no message has said yet."""

    def reset(self):
        super().reset()
        self.residue = np.zeros(self.size, np.int64)

    def step(self, a):
        n = self.neuron
        self.u = self.u + a
        self.count("u", (self.u >= 2**23) | (self.u < -(2**23)))
        active = np.minimum(np.maximum(self.u + wide(n.bias), n.lowest), n.highest)
        change = active - self.v + self.residue
        told = np.where(np.abs(change) >= wide(n.threshold), change, 0)
        self.residue = change - told
        self.v = active
        return np.floor_divide(told, 2**n.message_shift)


CELLS = {
    ALIF: AdaptiveCell,
    AdaptiveCubaLIF: AdaptiveCubaCell,
    AdaptiveResonateFire: AdaptiveResonateCell,
    AdaptiveResonateFireIzhikevich: AdaptiveResonateCell,
    GeneralCubaLIF: GeneralCubaCell,
    GeneralSigmaDelta: GeneralSigmaDeltaCell,
    GradedThreshold: GradedThresholdCell,
    LeakyIntegrator: LeakyCell,
    Product: ProductCell,
    ResonateFire: ResonateCell,
    ResonateFireIzhikevich: ResonateCell,
    ResonateFireZero: ResonateZeroCell,
    TernaryLIF: TernaryCell,
    Threshold: ThresholdCell,
}
