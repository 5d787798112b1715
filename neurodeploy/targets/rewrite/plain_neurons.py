"""Leaky neurons of the general form as Lava's and the chip's own, which only reset to 0.

Exact where the two are the same, else approximate and measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ...network import (
    ALIF,
    CubaLIF,
    Dense,
    GeneralCubaLIF,
    Network,
    Population,
    Projection,
)
from ...network.canonical import fingerprint
from ...network.fixed_point import (
    ACTIVATION_SHIFT,
    BIAS_LIMIT,
    DECAY_UNITY,
    RISE_LIMIT,
    STATE_LIMIT,
    THRESHOLD_BITS,
)
from ...network.neurons import Parameter
from ..registry import Refused
from .matrices import wide_weights_in_parts

Form = tuple[str, Network]

_UNIT = 2 << ACTIVATION_SHIFT
"""What twice an ATRLIF's threshold is a multiple of, in the state's unit."""

LOWER = (0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)
HIGHER = (1.05, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0)
"""Factors of a threshold that are tried where a reset or a wait is another one."""


def _with(network: Network, population: Population) -> Network:
    made = tuple(population if p.name == population.name else p for p in network.populations)
    return replace(network, populations=made)


def _general(
    network: Network, refused: Refused | None
) -> Iterator[tuple[Population, GeneralCubaLIF]]:
    for population in network.populations:
        asked = refused is None or population.name in refused
        # What is derived from it may do anything.
        if asked and type(population.neuron) is GeneralCubaLIF:
            yield population, population.neuron


def norms_in_thresholds(network: Network, refused: Refused | None = None) -> Iterator[Form]:
    """Give v the scale of the current, in place of a norm that divides what enters it.

    With ``voltage_exponent`` -p a current enters the voltage as 2^-p of itself. A voltage in
    units 2^p finer takes it whole, against a threshold 2^p times as high: the same in floats, and
    in integers but for the roundings towards zero that are left out (SLAYER's
    ``WgtScaleBatchNorm``). Exact where nothing is rounded.
    """
    for population, neuron in _general(network, refused):
        shift = -neuron.voltage_exponent
        plain = neuron.reset == "zero" and not neuron.graded_spike
        threshold = np.asarray(neuron.threshold, np.int64) << max(shift, 0)
        if shift <= 0 or not plain or threshold.max() >= 1 << THRESHOLD_BITS:
            continue
        made = replace(neuron, voltage_exponent=0, threshold=threshold.astype(np.int32))
        says = (
            f"{population.name!r}: its norm divides by {1 << shift}; v in units {1 << shift} times "
            f"finer instead, threshold {1 << shift} times as high"
        )
        yield says, _with(network, replace(population, neuron=made))
        return


def input_exponents_in_weights(network: Network, refused: Refused | None = None) -> Network:
    """Fold a finer or coarser unit of the current into threshold and bias, where that is exact.

    ``input_exponent`` e scales what arrives by 2^e in place of 2^6. Without memory in roundings
    (decays 0 or 4096) all of u, v, threshold and bias may be 2^(6-e) times as large.
    """
    for population, neuron in _general(network, refused):
        shift = ACTIVATION_SHIFT - neuron.input_exponent
        whole = all(
            np.isin(d, (0, DECAY_UNITY)).all() for d in (neuron.current_decay, neuron.voltage_decay)
        )
        plain = neuron.reset == "zero" and not neuron.graded_spike and not neuron.voltage_exponent
        if shift <= 0 or neuron.input_exponent < 0 or not (whole and plain):
            continue
        threshold = np.asarray(neuron.threshold, np.int64) << shift
        bias = np.asarray(neuron.bias, np.int64) << shift
        if threshold.max() >= 1 << THRESHOLD_BITS or np.abs(bias).max() > BIAS_LIMIT:
            continue
        made = replace(
            neuron, input_exponent=ACTIVATION_SHIFT, threshold=threshold.astype(np.int32),
            bias=bias.astype(np.int32),
        )  # fmt: skip
        network = _with(network, replace(population, neuron=made))
    return network


def soft_reset_as_adaptation(network: Network, refused: Refused | None = None) -> Iterator[Form]:
    r"""Make of a soft reset the refractoriness of Lava's ATRLIF, which takes off as much.

    ATRLIF does not reset v; it fires where :math:`v - r \ge \vartheta` and adds
    :math:`2\vartheta` to r. With :math:`\vartheta` half of what the soft reset takes off, no decay
    of r and no adaptation, v - r is the voltage of a neuron that does not leak, but for a constant
    by which the two thresholds differ: v starts that much lower. The same messages at the same
    steps until v, the sum of all that arrived, leaves 24 bits. Where half a threshold is not
    whole, weights and threshold are doubled first, if the current keeps nothing.
    """
    for population, neuron in _general(network, refused):
        # A current that lasts is rounded, and twice of it otherwise.
        lasts = np.any(np.asarray(neuron.current_decay) != DECAY_UNITY)
        rounded = lasts and (np.any(np.asarray(neuron.taken_off) % _UNIT) or np.any(neuron.bias))
        if neuron.reset == "zero" or np.any(neuron.voltage_decay) or rounded:
            continue
        if made := _as_adaptive(network, population, neuron):
            says = f"{population.name!r}: its soft reset as ATRLIF's refractoriness"
            yield from _with_and_without_clock(says, made)
            return


def soft_reset_approximated(network: Network, refused: Refused | None = None) -> Iterator[Form]:
    """Take what comes closest to a soft reset: ATRLIF's refractoriness, or a hard reset.

    See `soft_reset_as_adaptation`; where v leaks, a constant current holds it at its distance, in
    steps of a weight's unit, and two decays are rounded in place of one. A hard reset drops what
    v is above the threshold, so fewer spikes are sent; a lower threshold sends as many. One
    population at a time, from the input on, so that each is measured on what reaches it then.
    """
    for population, neuron in _general(network, refused):
        if neuron.reset == "zero":
            continue
        says = f"{population.name!r}: its soft reset nearly as ATRLIF's refractoriness"
        if made := _as_adaptive(network, population, neuron):
            yield from _with_and_without_clock(says, made)
        shift = _common_zeros(network, population)
        if shift and (made := _as_adaptive(*_coarser(network, population, neuron, shift))):
            says += f", in units {1 << shift} times coarser, so that v reaches as far"
            yield from _with_and_without_clock(says, made)
        yield from _hard(network, population, neuron)
        return


def _with_and_without_clock(says: str, network: Network) -> Iterator[Form]:
    yield says, network
    if (clocked := current_bias_from_a_clock(network)) is not network:
        yield f"{says}, what is constant from a neuron that fires at every step", clocked


def current_bias_from_a_clock(network: Network, refused: Refused | None = None) -> Network:
    """Make of a bias that enters ALIF's current synapses from a neuron that fires at every step.

    The first message of such a neuron arrives a step late: v begins where the bias of that step
    would have brought it. Exact where the current keeps nothing of it and v does not leak; else v
    is a unit off at first. Populations that start late keep their bias.
    """
    for population in network.populations:
        neuron = population.neuron
        asked = refused is None or population.name in refused
        # The rewrite is of this model alone.
        if not asked or type(neuron) is not ALIF or population.starts:
            continue
        bias = np.broadcast_to(np.asarray(neuron.bias, np.int64), population.size)
        if not bias.any() or neuron.input_exponent != ACTIVATION_SHIFT:
            continue
        keep = np.maximum(DECAY_UNITY - np.asarray(neuron.voltage_decay, np.int64), 1)
        first = population.initial_voltage + np.rint(
            (bias << ACTIVATION_SHIFT) * DECAY_UNITY / keep
        )
        if np.abs(first).max() >= STATE_LIMIT:
            continue
        made = replace(
            population, neuron=replace(neuron, bias=0), initial_voltage=first.astype(np.int32)
        )
        clock = Population(
            f"{population.name}_clock", (1,), CubaLIF(DECAY_UNITY, DECAY_UNITY, 0, 1)
        )
        network = _with(network, made)
        place = network.populations.index(made)
        weight = bias.astype(np.int32)[:, None]
        constant = Projection(clock.name, made.name, Dense(weight))
        network = replace(
            network,
            populations=(*network.populations[:place], clock, *network.populations[place:]),
            projections=(*network.projections, constant),
        )
        network = wide_weights_in_parts(network, frozenset({constant.name}))
    return network


def soft_reset_as_hard(network: Network, refused: Refused | None = None) -> Iterator[Form]:
    """As `soft_reset_approximated`, where there is no ATRLIF."""
    for population, neuron in _general(network, refused):
        if neuron.reset != "zero":
            yield from _hard(network, population, neuron)
            return


def _common_zeros(network: Network, population: Population) -> int:
    """Bits that are 0 at the end of every weight into a population."""
    arrays = [a for p in network.into(population.name) for a in p.synapse.arrays()]
    together = int(
        np.bitwise_or.reduce([np.bitwise_or.reduce(np.ravel(a), initial=0) for a in arrays])
    )
    return (together & -together).bit_length() - 1 if together else 0


def _coarser(
    network: Network, population: Population, neuron: GeneralCubaLIF, shift: int
) -> tuple[Network, Population, GeneralCubaLIF]:
    """Weights, threshold and bias 2^shift times smaller; the weights exactly."""

    def less(value: Parameter) -> Parameter:
        rounded: Parameter = np.rint(np.asarray(value) / (1 << shift)).astype(np.int32)
        return rounded

    threshold = np.maximum(less(neuron.threshold), 1)
    amount = None if neuron.reset_amount is None else less(neuron.reset_amount)
    made = replace(neuron, threshold=threshold, bias=less(neuron.bias), reset_amount=amount)
    small = replace(population, neuron=made)
    projections = tuple(
        replace(p, synapse=p.synapse.with_arrays(lambda weight: weight >> shift))
        if p.target == population.name
        else p
        for p in network.projections
    )
    return replace(_with(network, small), projections=projections), small, made


def _hard(network: Network, population: Population, neuron: GeneralCubaLIF) -> Iterator[Form]:
    hard = replace(neuron, reset="zero", reset_amount=None)
    says = f"{population.name!r}: a hard reset for a soft one"
    for factor, words in _thresholds((1.0, *LOWER, *HIGHER)):
        made = replace(hard, threshold=_scaled(neuron.threshold, factor))
        yield says + words, _with(network, replace(population, neuron=made))


def _as_adaptive(
    network: Network, population: Population, neuron: GeneralCubaLIF
) -> Network | None:
    odd = neuron.graded_spike or neuron.voltage_exponent or np.any(population.initial_voltage)
    waits = np.any(np.asarray(neuron.refractory) != 1)
    keep = DECAY_UNITY - np.asarray(neuron.voltage_decay, np.int64)
    late = population.starts and keep.min() < DECAY_UNITY  # v would leak before it starts
    # Lava's ATRLIF has plain spikes; its current always decays.
    if odd or waits or late or keep.min() < 1 or np.min(neuron.current_decay) < 1:
        return None
    taken = np.asarray(neuron.taken_off, np.int64)
    if neuron.reset == "subtract-late":  # after the decay of v, here before it
        taken = np.rint(taken * DECAY_UNITY / keep).astype(np.int64)
    factor = 1 if not (taken % _UNIT).any() else 2
    taken, threshold = factor * taken, factor * np.asarray(neuron.threshold, np.int64)
    half = (taken + (1 << ACTIVATION_SHIFT)) >> (ACTIVATION_SHIFT + 1)
    if half.min() < 1 or half.max() > RISE_LIMIT:
        return None
    # v > 64 theta is v >= 64 theta + 1; v + r is held against 64 half.
    lower = (threshold << ACTIVATION_SHIFT) + 1 - (half << ACTIVATION_SHIFT)
    if np.abs(lower).max() >= STATE_LIMIT:
        return None
    bias = factor * np.asarray(neuron.bias, np.int64)
    # Everything constant enters ATRLIF's current, which keeps some of it from step to step.
    gained = np.asarray(neuron.current_decay) / DECAY_UNITY
    own = 1.0 if neuron.bias_into == "current" else gained
    held = own * (bias << ACTIVATION_SHIFT) - gained * lower * (1 - keep / DECAY_UNITY)
    made = ALIF(
        neuron.current_decay, neuron.voltage_decay, 0, neuron.voltage_decay,
        half.astype(np.int32), 0, np.rint(held / (1 << ACTIVATION_SHIFT)).astype(np.int32),
        input_exponent=neuron.input_exponent,
    )  # fmt: skip
    first = np.broadcast_to(-lower, population.size).astype(np.int32)
    network = _with(network, replace(population, neuron=made, initial_voltage=first))
    projections = tuple(
        replace(p, synapse=p.synapse.with_arrays(lambda weight: weight * factor))
        if p.target == population.name else p
        for p in network.projections
    )  # fmt: skip
    return replace(network, projections=projections)


def refractory_steps_left_out(network: Network, refused: Refused | None = None) -> Iterator[Form]:
    """Let neurons fire again at once where they waited, with the threshold that then fits best."""
    for population, neuron in _general(network, refused):
        if not np.any(np.asarray(neuron.refractory) != 1):
            continue
        says = f"{population.name!r}: no refractory steps"
        for factor, words in _thresholds((1.0, *HIGHER)):
            made = replace(neuron, refractory=1, threshold=_scaled(neuron.threshold, factor))
            yield says + words, _with(network, replace(population, neuron=made))
        return


def plain_form(network: Network, refused: Refused | None = None) -> Network:
    """Name `GeneralCubaLIF` that does what `CubaLIF` does so; the same equations."""
    for population, neuron in _general(network, refused):
        same = CubaLIF(neuron.current_decay, neuron.voltage_decay, neuron.threshold, neuron.bias)
        plain = GeneralCubaLIF(
            neuron.current_decay, neuron.voltage_decay, neuron.threshold, neuron.bias
        )
        at_once = np.all(np.asarray(neuron.current_decay) == DECAY_UNITY)
        told = replace(neuron, bias_into="voltage") if at_once else neuron
        told = replace(told, reset_amount=None) if neuron.reset == "zero" else told
        if fingerprint(told) == fingerprint(plain):
            network = _with(network, replace(population, neuron=same))
    return network


def _thresholds(factors: tuple[float, ...]) -> Iterator[tuple[float, str]]:
    for factor in factors:
        yield factor, "" if factor == 1 else f", its threshold {factor:g} times as high"


def _scaled(threshold: Parameter, factor: float) -> Parameter:
    scaled = np.maximum(np.rint(np.asarray(threshold) * factor), 1).astype(np.int32)
    return scaled if scaled.ndim else int(scaled)
