"""What a target would do to a network, element by element, before any run.

``lava``: Lava 0.10's CPU fixed-point models, by the rules with which the backend
refuses (`lava_rules`).

``loihi2``: by the rules with which that backend refuses (`check_chip_population`,
`check_chip_projection`: it builds Lava's processes, so Lava's rules are among them),
and what is published of the chip beyond them: widths as in `network.fixed_point`. An
element rated faithful here is one that nothing public speaks against. Whether all of
it fits on the chip's cores says `neurodeploy.fit`.

``netx``: lava-dl's importer reading the file that we write, see `netx_target`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, UnsupportedError
from ..formats.netx.writer import why_no_layers
from ..network import (
    ALIF,
    Audit,
    AuditEntry,
    Average,
    Conv,
    CubaLIF,
    DelayedDense,
    Dense,
    Network,
    Population,
    Projection,
    Rating,
    ResonateFire,
    Source,
    Sparse,
)
from ..network.fixed_point import MAX_DELAY, STATE_LIMIT, THRESHOLD_BITS
from ..recording.run_options import RunOptions
from .lava_rules import NEURONS, check_population, check_projection
from .netx_importer import Finding, netx_population, netx_projection

BIAS_LIMIT = (1 << 12) - 1
"""The chip's bias mantissa has 13 bits with its sign."""

LARGEST_EXPONENT = 7

OPERATORS = (Dense, DelayedDense, Sparse, Conv)
"""Synapses whose weights the chip holds."""


REWRITES = {"pool": "pool_as_conv", "temporal-fir": "taps_as_delays"}
"""Of operators that Lava has not, in others that it has."""


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
        yield Rating.UNSUPPORTED, _bare(error) + _hint(projection, "lava")


def _hint(projection: Projection, target: str) -> str:
    rewrite = REWRITES.get(projection.synapse.kind)
    return f"; or convert --for {target} (rewrite.{rewrite})" if rewrite else ""


def _bare(error: UnsupportedError) -> str:
    """The reason without the element's name, which stands beside it."""
    return str(error).split(": ", 1)[-1]


def check_chip_population(network: Network, population: Population) -> None:
    """Refuse neurons that the `loihi2` backend would run otherwise, or has no process of.

    Raises
    ------
    UnsupportedError
    """
    neuron, name = population.neuron, population.name
    if isinstance(neuron, (Source, Average)):
        return
    if isinstance(neuron, ResonateFire):
        raise UnsupportedError(
            f"population {name!r}: {neuron.kind} neurons, of which lava-nc has a process that the "
            f"loihi2 backend does not build yet; run it on backend 'engine'"
        )
    if type(neuron) not in NEURONS:
        raise UnsupportedError(
            f"population {name!r}: {neuron.kind} neurons need microcode of their own, lava-nc 0.10 "
            f"has none; 'neurodeploy convert --for loihi2' rewrites what has an exact form, "
            f"backend 'engine' runs the rest"
        )
    if population.starts and population.starts == network.hops(name):
        population = replace(population, starts=0)  # resets come just then
    check_population(network, population, RunOptions(steps=1))
    if not isinstance(neuron, CubaLIF):
        return
    for what in ("current_decay", "voltage_decay", "threshold"):
        values = np.unique(np.asarray(getattr(neuron, what)))
        if len(values) > 1:
            raise UnsupportedError(
                f"population {name!r}: {len(values)} values of {what}, and Lava's LIF has one for "
                f"all its neurons; split the population, or run it on backend 'engine'"
            )


def _chip_population(network: Network, population: Population) -> Iterator[Finding]:
    neuron = population.neuron
    if isinstance(neuron, (Source, Average)):
        if population.axon_delay is not None:
            reason = "stands for axons with another delay; the chip has it on the axon itself"
            yield Rating.FAITHFUL, reason
        return
    try:
        check_chip_population(network, population)
    except UnsupportedError as error:
        hint = "; rewrite.as_atrlif gives the form that lava-nc has" if _is_alif(population) else ""
        yield Rating.UNSUPPORTED, _bare(error) + hint
        return
    delay = population.axon_delay
    if delay is not None and delay.max(initial=0) > MAX_DELAY:
        reason = f"an axonal delay of {delay.max()} steps, limit {MAX_DELAY}"
        yield Rating.UNSUPPORTED, reason
    if population.starts:
        reason = f"starts at step {population.starts}, with its first input: it is reset just then"
        yield Rating.FAITHFUL, reason
    yield from _too_wide(neuron)


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
    synapse = projection.synapse
    if isinstance(synapse, OPERATORS):
        weight = np.asarray(synapse.weight, np.int64)
        exponent, lost = fitting_exponent(weight)
        if lost:
            raise UnsupportedError(
                f"projection {projection.name}: weights {weight.min()}..{weight.max()} do not fit "
                f"8 bits: with exponent {exponent} they are rounded by up to {lost}; quantize, or "
                f"split the largest"
            )
    check_projection(network, projection)


def _chip_projection(network: Network, projection: Projection) -> Iterator[Finding]:
    synapse = projection.synapse
    try:
        check_chip_projection(network, projection)
    except UnsupportedError as error:
        yield Rating.UNSUPPORTED, _bare(error) + _hint(projection, "loihi2")
        return
    if not isinstance(synapse, OPERATORS):
        return
    exponent, _ = fitting_exponent(np.asarray(synapse.weight, np.int64))
    if exponent:
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
