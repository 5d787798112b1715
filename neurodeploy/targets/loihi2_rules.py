"""What Loihi 2 runs as the network says, element by element.

Backend ``loihi2`` refuses by `check_chip_population` and `check_chip_projection`: it builds
Lava's processes, so Lava's rules are among them. The look-ahead adds what is published of the
chip beyond them: widths as in `network.fixed_point`. An element rated faithful here is one that
nothing public speaks against. Whether all of it fits on the chip's cores says `neurodeploy.fit`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedError
from ..network import Network, Neuron, Population, Projection, Rating, Synapse, neurons, synapses
from ..network.fixed_point import MAX_DELAY, STATE_LIMIT, THRESHOLD_BITS
from ..recording.run_options import RunOptions
from .lava_rules import (
    check_population,
    check_projection,
    has_process,
    refusal,
    starts_by_itself,
)
from .registry import TARGETS, Finding, Target
from .rewrite.catalogue import FOR_LOIHI2

BIAS_LIMIT = (1 << 12) - 1
"""The chip's bias mantissa has 13 bits with its sign."""

LARGEST_EXPONENT = 7

HELD_WEIGHTS: dict[type[Synapse], Callable[[Any], NDArray[np.int32]]] = dict.fromkeys(
    (synapses.Dense, synapses.DelayedDense, synapses.Sparse, synapses.DelayedSparse, synapses.Conv),
    attrgetter("weight"),
)
"""Weights that the chip holds, by operator."""

_LEAKS = ("current_decay", "voltage_decay")
_TURNS = ("sin_decay", "cos_decay", "threshold")
ONE_VALUE: dict[type[Neuron], tuple[str, ...]] = {
    **dict.fromkeys(
        (neurons.CubaLIF, neurons.GeneralCubaLIF, neurons.ModulatedLIF), (*_LEAKS, "threshold")
    ),
    neurons.LeakyIntegrator: _LEAKS,
    neurons.TernaryLIF: (*_LEAKS, "upper", "lower"),
    neurons.ALIF: (
        *_LEAKS, "threshold_decay", "refractory_decay", "threshold", "threshold_step",
    ),
    **dict.fromkeys((neurons.ResonateFire, neurons.ResonateFireIzhikevich), _TURNS),
    **dict.fromkeys(
        (
            neurons.ResonateFireZero,
            neurons.Product,
            neurons.Threshold,
            neurons.GradedThreshold,
            neurons.Delta,
            neurons.SigmaDelta,
            neurons.GeneralSigmaDelta,
        ),
        ("threshold",),
    ),
}  # fmt: skip
"""Parameters of which a process of Lava has one for all its neurons."""

ON_NO_CHIP_YET = (
    "Lava's process for {kind} neurons, of which no public run on a chip is known; verify it there"
)
NEW_ON_CHIP = frozenset(
    {
        neurons.ALIF.kind,
        neurons.ResonateFire.kind,
        neurons.ResonateFireIzhikevich.kind,
        neurons.ResonateFireZero.kind,
        neurons.Product.kind,
        neurons.GeneralSigmaDelta.kind,
    }
)
"""Kinds of neurons that are Lava's to the bit, and that nothing public shows on silicon."""


LEARNS = (
    "learns by a two-factor rule, to the bit as Lava's CPU model does; the chip rounds traces and "
    "weights by random numbers of its own, so there it is the same in distribution alone"
)


def check_chip_population(network: Network, population: Population) -> None:
    """Refuse neurons that the `loihi2` backend would run otherwise, or has no process of.

    Raises
    ------
    UnsupportedError
    """
    neuron, name = population.neuron, population.name
    if neuron.runs_on_host == "always":
        return
    if neuron.has_third_factor:
        raise UnsupportedError(
            f"population {name!r}: {neuron.kind} neurons write y1, y2 and y3, which on the chip "
            f"needs a neuron program of its own (lava-loihi's NcModels; lava-nc 0.10 has none); "
            f"backends 'engine' and 'lava' run it, a two-factor rule needs none"
        )
    if not has_process(neuron):
        raise UnsupportedError(
            f"population {name!r}: {neuron.kind} neurons need microcode of their own, lava-nc 0.10 "
            f"has none; 'neurodeploy deploy' rewrites what has another form, "
            f"backend 'engine' runs the rest"
        )
    if np.any(neuron.constant_current):
        raise UnsupportedError(
            f"population {name!r}: a bias of its current, and Lava's process of {neuron.kind} "
            f"neurons has none; 'neurodeploy deploy' gives it as synapses from a neuron that fires "
            f"at every step"
        )
    if population.starts and not starts_by_itself(network, population):
        # A reset in a run brings v to 0, which is no way to another first voltage.
        elsewhere = any(np.any(p.initial_voltage) for p in network.populations)
        if population.starts != network.hops(name) or elsewhere:
            raise UnsupportedError(
                f"population {name!r}: starts at step {population.starts}, a reset comes at its "
                f"hop {network.hops(name)}; 'neurodeploy deploy' finds a voltage "
                f"to start at, or says what it moves that the bias acts from step 0 on"
            )
        population = replace(population, starts=0)  # resets come just then
    check_population(network, population, RunOptions(steps=1))
    for what in ONE_VALUE.get(type(neuron), ()):
        values = np.unique(np.asarray(getattr(neuron, what)))
        if len(values) > 1:
            raise UnsupportedError(
                f"population {name!r}: {len(values)} values of {what}, and Lava's process has one "
                f"for all its neurons; 'neurodeploy deploy' splits the population where "
                f"it has few kinds"
            )


def _too_wide(neuron: object) -> Iterator[Finding]:
    threshold = int(np.max(getattr(neuron, "threshold", 0)))
    if threshold >= 1 << THRESHOLD_BITS:
        reason = f"a threshold of {threshold}, beyond {THRESHOLD_BITS} bits; it never fires"
        yield Rating.APPROXIMATE, reason
    bias = int(np.max(np.abs(np.asarray(getattr(neuron, "bias", 0)))))
    if bias > BIAS_LIMIT:
        reason = f"a bias of {bias}, limit {BIAS_LIMIT} with exponent 6; needs a larger exponent"
        yield Rating.APPROXIMATE, reason


def check_chip_projection(network: Network, projection: Projection) -> None:
    """Refuse synapses that the `loihi2` backend would run otherwise, or has no process of.

    Raises
    ------
    UnsupportedError
    """
    if projection.rule is not None and projection.rule.factors == "three":
        raise UnsupportedError(
            f"projection {projection.name}: a three-factor rule, which on the chip needs neurons "
            f"behind it whose program writes y1, y2 and y3; backends 'engine' and 'lava' run it, "
            f"or make it a two-factor rule"
        )
    for weight in _held_weights(projection.synapse):
        exponent, lost = fitting_exponent(weight)
        if lost:
            raise UnsupportedError(
                f"projection {projection.name}: weights {weight.min()}..{weight.max()} do not fit "
                f"8 bits: with exponent {exponent} they are rounded by up to {lost}; 'neurodeploy "
                f"deploy' makes two synapses of each"
            )
    check_projection(network, projection)


def _held_weights(synapse: Synapse) -> Iterator[NDArray[np.int64]]:
    """Weights of each of an operator's parts, where the chip holds them as they are."""
    for part in synapse.parts:
        if weight_of := HELD_WEIGHTS.get(type(part)):
            yield weight_of(part).astype(np.int64)


def fitting_exponent(weight: NDArray[np.int64]) -> tuple[int, int]:
    """Weight exponent 0..7 with which 8 bits lose least, and what they lose at most.

    Mixed signs leave even mantissas (`fixed_point.weight_limits`); odd ones of
    a smaller range are held by a negative exponent, see `lava_rules.lava_weight`.
    """
    mixed = bool(weight.size and weight.min() < 0 < weight.max())
    best = (0, int(np.abs(weight).max(initial=0)))
    for exponent in range(-1 if mixed else 0, LARGEST_EXPONENT + 1):
        step = 2.0**exponent * (2 if mixed else 1)
        top = (254 if mixed else 255) * 2.0**exponent
        held = np.clip(np.rint(weight / step) * step, -256 * 2.0**exponent if mixed else -top, top)
        lost = int(np.ceil(np.abs(held - weight).max(initial=0)))
        if lost < best[1] or not lost:
            best = (exponent, lost)
        if not lost:
            break
    return best


def _may_leave_24_bits(network: Network, projection: Projection) -> bool:
    """Whether weights of a convolution and the widest payload could add up beyond the state."""
    source = network[projection.source]
    if not source.neuron.graded or source.neuron.is_port:
        return False
    weight = HELD_WEIGHTS[synapses.Conv](projection.synapse)
    most = np.abs(weight.astype(np.int64)).sum(axis=(1, 2, 3)).max(initial=0)
    return bool(most * (STATE_LIMIT >> 6) >= STATE_LIMIT)


@TARGETS.register
class Loihi2(Target):
    """The chip."""

    name = "loihi2"
    is_chip = True
    verified_on = ("loihi2", "lava")
    rewrites = FOR_LOIHI2

    def of_population(self, network: Network, population: Population) -> Iterator[Finding]:
        """See `Target`."""
        neuron = population.neuron
        if neuron.runs_on_host == "always":
            if population.axon_delay is not None:
                reason = "stands for axons with another delay; the chip has it on the axon itself"
                yield Rating.FAITHFUL, reason
            return
        try:
            check_chip_population(network, population)
        except UnsupportedError as error:
            yield refusal(error, self.name, neuron)
            return
        delay = population.axon_delay
        if delay is not None and delay.max(initial=0) > MAX_DELAY:
            reason = f"an axonal delay of {delay.max()} steps, limit {MAX_DELAY}"
            yield Rating.UNSUPPORTED, reason
        if population.starts:
            reason = (
                f"starts at step {population.starts}, with its first input: it is reset just then"
            )
            yield Rating.FAITHFUL, reason
        if neuron.kind in NEW_ON_CHIP:
            yield Rating.FAITHFUL, ON_NO_CHIP_YET.format(kind=neuron.kind)
        if neuron.is_readout:
            reason = "a LIF whose threshold no v reaches, as netx makes it of Affine: read its v"
            yield Rating.FAITHFUL, reason
        yield from _too_wide(neuron)

    def of_projection(self, network: Network, projection: Projection) -> Iterator[Finding]:
        """See `Target`."""
        synapse = projection.synapse
        try:
            check_chip_projection(network, projection)
        except UnsupportedError as error:
            yield refusal(error, self.name, synapse)
            return
        if projection.rule is not None:
            yield Rating.FAITHFUL, LEARNS
            return
        for weight in _held_weights(synapse):
            if exponent := fitting_exponent(weight)[0]:
                yield Rating.FAITHFUL, f"weights need exponent {exponent}"
        if synapse.sums_wrap and _may_leave_24_bits(network, projection):
            reason = (
                "a convolution's sum may leave 24 bits, where it wraps; SLAYER's does not: where "
                "that happens on given inputs, deploy splits it (wrapped-sums-in-parts)"
            )
            yield Rating.APPROXIMATE, reason
