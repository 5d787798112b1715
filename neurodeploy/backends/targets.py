"""What a target would do to a network, element by element, before any run.

``lava``: Lava 0.10's CPU fixed-point models, by the rules with which the backend
refuses (`lava.check_population`, `lava.check_projection`).

``loihi2``: what is published of the chip: widths as in `network.fixed_point`;
neuron models and operators as far as lava-nc 0.10.0 has process models of them
(``lava/proc``), since those are what its compiler knows. Public sources say no more;
an element rated faithful here is one that nothing public speaks against.

``netx``: lava-dl's importer reading the file that we write, see `netx_target`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, UnsupportedError
from ..formats.netx_writer import why_no_layers
from ..network import (
    ALIF,
    Audit,
    AuditEntry,
    Average,
    Conv,
    CubaLIF,
    DelayedDense,
    Delta,
    Dense,
    GradedThreshold,
    Network,
    OneToOne,
    Population,
    Projection,
    Rating,
    Readout,
    ResonateFire,
    Sigma,
    SigmaDelta,
    Source,
    Sparse,
    TernaryLIF,
)
from ..network.fixed_point import MAX_DELAY, STATE_LIMIT, THRESHOLD_BITS
from .lava import check_population, check_projection
from .netx_target import Finding, netx_population, netx_projection
from .options import RunOptions

BIAS_LIMIT = (1 << 12) - 1
"""The chip's bias mantissa has 13 bits with its sign."""

LARGEST_EXPONENT = 7

MODELS = (CubaLIF, TernaryLIF, GradedThreshold, Delta, SigmaDelta, Sigma, ResonateFire)
"""Neurons of which lava-nc has a process model."""

OPERATORS = (Dense, DelayedDense, Sparse, OneToOne, Conv)


def look_ahead(network: Network, target: str) -> Audit:
    """Say of each population and projection what a target would do to it.

    Parameters
    ----------
    network : Network
    target : {"lava", "loihi2", "netx"}

    Returns
    -------
    Audit
        One entry for each, or several where several things are to be said.

    Raises
    ------
    InputError
        If there is no such target.
    """
    if target not in TARGETS:
        raise InputError(f"target {target!r}: unknown; there are {', '.join(TARGETS)}")
    if target == "netx" and (why := why_no_layers(network)):
        reason = f"the file has no NetX layers, neurodeploy alone reads it: {why}"
        return Audit((AuditEntry("network", Rating.UNSUPPORTED, reason),))
    of_population, of_projection = TARGETS[target]
    entries = []
    for population in network.populations:
        found = list(of_population(network, population)) or [(Rating.FAITHFUL, _runs(population))]
        entries += [AuditEntry(population.name, *finding) for finding in found]
    for projection in network.projections:
        kind = projection.synapse.kind
        found = list(of_projection(network, projection)) or [(Rating.FAITHFUL, f"{kind} synapses")]
        entries += [AuditEntry(projection.name, *finding) for finding in found]
    return Audit(tuple(entries))


def _runs(population: Population) -> str:
    if isinstance(population.neuron, (Average, Source)):
        return f"{population.neuron.kind}: on the host"
    return f"{population.neuron.kind} neurons"


def _lava_population(network: Network, population: Population) -> Iterator[Finding]:
    try:
        check_population(network, population, RunOptions(steps=1))
    except UnsupportedError as error:
        hint = "; rewrite.as_atrlif gives it as Lava's ATRLIF" if _is_alif(population) else ""
        yield Rating.UNSUPPORTED, _bare(error) + hint


def _is_alif(population: Population) -> bool:
    return isinstance(population.neuron, ALIF)


def _lava_projection(network: Network, projection: Projection) -> Iterator[Finding]:
    try:
        check_projection(network, projection)
    except UnsupportedError as error:
        pool = "; or convert --for lava (rewrite.pool_as_conv)"
        yield Rating.UNSUPPORTED, _bare(error) + (pool if projection.synapse.kind == "pool" else "")


def _bare(error: UnsupportedError) -> str:
    """The reason without the element's name, which stands beside it."""
    return str(error).split(": ", 1)[-1]


def _chip_population(network: Network, population: Population) -> Iterator[Finding]:
    neuron = population.neuron
    if isinstance(neuron, (Source, Average)):
        if population.axon_delay is not None:
            reason = "stands for axons with another delay; the chip has it on the axon itself"
            yield Rating.FAITHFUL, reason
        return
    if not isinstance(neuron, MODELS):
        reason = f"{neuron.kind} neurons need microcode of their own; lava-nc 0.10 has none"
        if isinstance(neuron, ALIF):
            reason = "its form in lava-nc is ATRLIF: rewrite.as_atrlif gives its parameters"
        yield Rating.UNSUPPORTED, reason
    delay = population.axon_delay
    if delay is not None and delay.max(initial=0) > MAX_DELAY:
        reason = f"an axonal delay of {delay.max()} steps, limit {MAX_DELAY}"
        yield Rating.UNSUPPORTED, reason
    if population.starts:
        reason = (
            f"its bias acts from step {population.starts} on; the chip's acts from step 0 on, "
            f"unless the host sets it late: that many steps of bias more"
        )
        yield Rating.APPROXIMATE, reason
    if bits := int(getattr(neuron, "fraction_bits", 0)):
        yield Rating.APPROXIMATE, _rounded_threshold(neuron, bits)
    if power := int(getattr(neuron, "voltage_exponent", 0)):
        reason = f"divides its current by 2^{-power} as it enters the voltage: needs microcode"
        yield Rating.UNSUPPORTED, reason
    yield from _too_wide(neuron)


def _rounded_threshold(neuron: object, bits: int) -> str:
    threshold = np.asarray(getattr(neuron, "threshold", 0), np.float64) / 2**bits
    change = np.abs(np.rint(threshold) - threshold).max() / 64
    return f"threshold and bias rounded to 1/64: the threshold by up to {change:.2g}"


def _too_wide(neuron: object) -> Iterator[Finding]:
    threshold = int(np.max(getattr(neuron, "threshold", 0)))
    if threshold >> int(getattr(neuron, "fraction_bits", 0)) >= 1 << THRESHOLD_BITS:
        reason = f"a threshold of {threshold}, beyond {THRESHOLD_BITS} bits; it never fires"
        yield Rating.APPROXIMATE, reason
    bias = int(np.max(np.abs(np.asarray(getattr(neuron, "bias", 0)))))
    bias >>= int(getattr(neuron, "fraction_bits", 0))
    if bias > BIAS_LIMIT:
        reason = f"a bias of {bias}, limit {BIAS_LIMIT} with exponent 6; needs a larger exponent"
        yield Rating.APPROXIMATE, reason


def _chip_projection(network: Network, projection: Projection) -> Iterator[Finding]:
    synapse = projection.synapse
    if isinstance(synapse, Readout):
        return
    if not isinstance(synapse, OPERATORS):
        hint = {
            "pool": "; convert --for loihi2 (rewrite.pool_as_conv) makes a convolution of it"
        }.get(synapse.kind, "")
        yield Rating.UNSUPPORTED, f"no {synapse.kind} operator in lava-nc 0.10{hint}"
        return
    weight = np.asarray(synapse.weight, np.int64)
    exponent, lost = fitting_exponent(weight)
    if lost:
        reason = (
            f"weights {weight.min()}..{weight.max()} do not fit 8 bits: with exponent {exponent} "
            f"they are rounded by up to {lost}; quantize, or split the largest"
        )
        yield Rating.APPROXIMATE, reason
    elif exponent:
        yield Rating.FAITHFUL, f"weights need exponent {exponent}"
    if isinstance(synapse, Conv) and _may_leave_24_bits(network, projection):
        reason = (
            "a convolution's sum may leave 24 bits, where it wraps; SLAYER's does not: run inputs "
            "on the engine, which counts it; rewrite.sums_in_parts splits it"
        )
        yield Rating.APPROXIMATE, reason


def fitting_exponent(weight: NDArray[np.int64]) -> tuple[int, int]:
    """Weight exponent 0..7 with which 8 bits lose least, and what they lose at most.

    Mixed signs leave even mantissas (`fixed_point.weight_limits`); odd ones of
    a smaller range are held by a negative exponent, see `lava.lava_weight`.
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
    """Whether weights and the widest payload could add up beyond the state."""
    synapse = projection.synapse
    assert isinstance(synapse, Conv)
    source = network[projection.source]
    if not source.neuron.graded or isinstance(source.neuron, Source):
        return False
    most = np.abs(synapse.weight.astype(np.int64)).sum(axis=(1, 2, 3)).max(initial=0)
    return bool(most * (STATE_LIMIT >> 6) >= STATE_LIMIT)


TARGETS: dict[
    str,
    tuple[
        Callable[[Network, Population], Iterator[Finding]],
        Callable[[Network, Projection], Iterator[Finding]],
    ],
] = {
    "lava": (_lava_population, _lava_projection),
    "loihi2": (_chip_population, _chip_projection),
    "netx": (netx_population, netx_projection),
}
