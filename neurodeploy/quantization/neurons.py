"""Neurons from float32 to the chip's integers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedError
from ..network import (
    CubaLIF,
    FloatLIF,
    GeneralCubaLIF,
    LeakyIntegrator,
    Neuron,
    Population,
)
from ..network.fixed_point import (
    ACTIVATION_SHIFT,
    BIAS_BITS,
    DECAY_UNITY,
    STATE_LIMIT,
    THRESHOLD_BITS,
)
from .config import QuantConfig

Doubles = NDArray[np.float64]

STATE_UNIT = 1 << ACTIVATION_SHIFT
"""A weight of 1 adds 2^6 to the state."""

THRESHOLD_MAX = (1 << THRESHOLD_BITS) - 1
BIAS_MAX = (1 << (BIAS_BITS - 1)) - 1


@dataclass(frozen=True)
class Shape:
    """A float neuron brought to the form of the chip's, before rounding.

    ``u = k_u u + a``, ``v = k_v v + u + b``, threshold, reset to 0, where a is the input
    times `gain` and `drive` is a constant part of a.

    Attributes
    ----------
    gain, drive, bias, threshold : float64 [neurons]
    current_decay, voltage_decay : int32 [neurons]
        12 bits.
    refractory : int
        Steps from a spike to the next possible one.
    reset : {"zero", "subtract", "subtract-late"}
        As in `GeneralCubaLIF`.
    over_keep : bool
        Whether a soft reset takes off the threshold divided by what a decay keeps.
    notes : tuple of str
        What that form changes in meaning; empty where nothing.
    """

    gain: Doubles
    drive: Doubles
    bias: Doubles
    threshold: Doubles
    current_decay: NDArray[np.int32]
    voltage_decay: NDArray[np.int32]
    refractory: int
    reset: str
    over_keep: bool
    notes: tuple[str, ...]

    @property
    def amount(self) -> Doubles:
        """What a soft reset takes off where it is not the threshold itself."""
        return self.threshold * (DECAY_UNITY / (DECAY_UNITY - self.voltage_decay))


def float_neuron(population: Population) -> FloatLIF:
    """Give the neurons of a population that can be rounded.

    Raises
    ------
    UnsupportedError
        If it has others.
    """
    neuron = population.neuron
    if type(neuron) is not FloatLIF:  # what is derived from it may compute anything
        raise UnsupportedError(
            f"population {population.name!r}: {neuron.kind} neurons ({type(neuron).__name__}) have "
            f"no form in the chip's integers; write them as FloatLIF"
        )
    return neuron


def shape_of(population: Population, is_output: bool, config: QuantConfig) -> Shape:
    """Bring a float population to the chip's form.

    Raises
    ------
    UnsupportedError
        If its neurons send something that the chip's cannot.
    """
    neuron, size, name = float_neuron(population), population.size, population.name

    def of(parameter: str) -> Doubles:
        return np.broadcast_to(np.asarray(getattr(neuron, parameter), np.float64), size)

    reads_voltage = neuron.sends == "voltage"
    if reads_voltage and not is_output:
        raise UnsupportedError(
            f"population {name!r}: sends its voltage on to others, which needs graded spikes; only "
            f"the network's output may be a readout without spikes"
        )
    keep_u, keep_v = of("current_keep"), of("voltage_keep")
    for what, keep in (("current", keep_u), ("voltage", keep_v)):
        if keep.min() < 0 or keep.max() > 1:
            raise UnsupportedError(
                f"population {name!r}: {what} keeps {keep.min():g}..{keep.max():g} of itself, the "
                f"chip 0..1; correct the time constants"
            )
    gain = of("current_gain") * of("voltage_gain")
    drive, bias, threshold = of("current_bias") * gain, of("voltage_bias").copy(), of("threshold")
    if not np.any(keep_u):  # a current without memory: what drives it drives the voltage
        bias, drive = bias + drive, np.zeros(size)
    late = neuron.reset != "none" and neuron.reset_time == "after" and not reads_voltage
    exact = late and config.late_reset == "refractory"
    held = exact and neuron.reset == "value"
    decay_u, decay_v = (
        np.rint((1 - keep) * DECAY_UNITY).astype(np.int32) for keep in (keep_u, keep_v)
    )
    reset = "zero"
    if neuron.reset == "subtract" and not reads_voltage:
        reset = "subtract-late" if exact else "subtract"
    over_keep = reset == "subtract" and late and bool((decay_v < DECAY_UNITY).all())
    notes = _changes(neuron, is_output, exact, over_keep)
    if neuron.reset == "value" and np.any(of("reset_value")):
        bias, threshold = bias - (1 - keep_v) * of("reset_value"), threshold - of("reset_value")
        notes.append("voltages counted from the reset value, at which they start instead of at 0")
    if not reads_voltage and threshold.min() <= 0:
        raise UnsupportedError(
            f"population {name!r}: threshold {threshold.min():g} above the reset value, the chip "
            f"needs more than 0; shift weights and bias"
        )
    if config.keep_gain:
        same_v = _kept_gain(keep_v, decay_v)
        same = same_v * _kept_gain(keep_u, decay_u)
        gain, drive, bias = gain * same, drive * same, bias * same_v
    return Shape(
        gain, drive, bias, threshold, decay_u, decay_v, 1 + held, reset, over_keep, tuple(notes)
    )


def _kept_gain(keep: Doubles, decay: NDArray[np.int32]) -> Doubles:
    """Factor for an integrator's input that undoes what rounding its decay did to the sum.

    A constant input of 1 adds up to 1 / (1 - keep), rounded to 4096 / decay.
    """
    exact = (1 - keep) * DECAY_UNITY
    rounded: Doubles = np.where((decay > 0) & (exact > 0), decay / np.maximum(exact, 1e-9), 1.0)
    return rounded


def _changes(neuron: FloatLIF, is_output: bool, exact: bool, over_keep: bool) -> list[str]:
    notes = []
    if neuron.sends != "voltage":
        if neuron.reset == "none":
            if np.any(np.asarray(neuron.voltage_keep)):
                notes.append("the chip resets the voltage at a spike")
        elif exact:
            pass  # a late soft reset, or a refractory step: v of the next step is the reset value
        elif neuron.reset_time == "after" and neuron.reset == "value":
            notes.append("the chip resets in the step of the spike, not over the input of the next")
        elif neuron.reset_time == "again":
            notes.append("the chip fires again where a reset leaves v above the threshold")
        elif neuron.reset_time == "after" and over_keep:
            notes.append(
                "the chip subtracts threshold / keep before the next decay, not the threshold "
                "after it: v is off by up to 2 units of its 24 bits at each spike"
            )
        elif neuron.reset_time == "after":
            notes.append(
                "the chip subtracts before the next decay, which leaves nothing of v, not after it"
            )
        if neuron.inclusive:
            notes.append("fires above the threshold, not at it")
    if neuron.sends == "count":
        notes.append("one spike in a step where there were several")
    if neuron.sees_last_current:
        notes.append("the voltage sees the current a step earlier")
    if neuron.minimum is not None:
        notes.append("the voltage has no floor")
    if neuron.sends == "voltage" and is_output:
        notes.append("sends nothing; the host reads v")
    return notes


def largest_factor(shape: Shape, neuron: FloatLIF) -> float:
    """Largest factor by which bias and threshold still fit the chip."""
    factors = [np.inf]
    if neuron.sends != "voltage":
        factors.append(THRESHOLD_MAX / float(shape.threshold.max()))
        if shape.over_keep:
            factors.append((STATE_LIMIT - 1) / (float(shape.amount.max()) * STATE_UNIT))
    if np.any(shape.bias):
        factors.append(BIAS_MAX / float(np.abs(shape.bias).max()))
    return min(factors)


def round_neurons(population: Population, shape: Shape, factor: float) -> Neuron:
    """Give a population's neurons in integers.

    Raises
    ------
    UnsupportedError
        If a threshold vanishes.
    """
    neuron = float_neuron(population)
    bias: NDArray[np.int32] = np.rint(shape.bias * factor).astype(np.int32)
    if neuron.sends == "voltage":
        return LeakyIntegrator(shape.current_decay, shape.voltage_decay, bias)
    threshold: NDArray[np.int32] = np.rint(shape.threshold * factor).astype(np.int32)
    if threshold.min() < 1:
        raise UnsupportedError(
            f"population {population.name!r}: threshold {shape.threshold.min():g} rounds to 0 "
            f"beside its largest weight at a scale of {factor:g}, whatever the weight exponent; "
            f"clip the largest weights"
        )
    common = (shape.current_decay, shape.voltage_decay, threshold, bias)
    if shape.reset != "zero":
        amount = None
        if shape.over_keep:
            amount = np.rint(shape.amount * factor * STATE_UNIT).astype(np.int32)
        return GeneralCubaLIF(*common, reset=shape.reset, reset_amount=amount)
    if shape.refractory > 1:
        return GeneralCubaLIF(*common, refractory=shape.refractory)
    return CubaLIF(*common)
