"""How a learning rule is handed to the core, and what it gives back."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network import LearningRule, Network, Projection
from ..network.learning.matrix import learning_matrix
from ..network.learning.widths import (
    ACCUMULATOR_BITS,
    FACTOR_BITS,
    IMPULSE_FRACTION_BITS,
    WEIGHT_BITS,
)
from . import library as c

TRACES = ("x1", "x2", "y1", "y2", "y3")
VARIABLES = ("w", "d", "t")
_FACTORS = (*TRACES, *VARIABLES, "x0", "y0")
_DEPENDENCIES = ("x0", "y0", "u")
_PAYLOADS = ("impulse", "overwrite", "add-saturating", "add-overflow")
_SIGNS = ("mixed", "excitatory", "inhibitory")

SYNAPTIC_SEED = 2
"""Of the generator that rounds synaptic variables, whatever the rule's seed is (Lava's default)."""

THREE_FACTOR_TAU = float(np.iinfo(np.uint16).max)
"""With which Lava lets y1..y3 of a three-factor rule decay within an epoch (learning_rule.py)."""

_CARRIED_WORDS = 1 + 6 * 5
"""uint64, before the synaptic variables; ``Learner::words_carried``."""


def core_rule(
    projection: Projection,
) -> tuple[c.Rule, NDArray[np.int32], tuple[NDArray[Any], ...]]:
    """Describe a projection's rule to the core.

    Returns
    -------
    Rule
    int32 [targets, sources]
        The weights.
    tuple of arrays
        That must outlive the call which the rule is given to.
    """
    rule = projection.rule
    assert rule is not None
    code = np.array(list(_code(rule)), np.int32)
    three = rule.factors == "three"
    impulses = np.array([getattr(rule, f"{name}_impulse") for name in TRACES])
    whole = np.floor(impulses)
    fraction = np.round((impulses - whole) * (1 << IMPULSE_FRACTION_BITS))
    taus = np.array([getattr(rule, f"{name}_tau") for name in TRACES])
    taus[2:] = THREE_FACTOR_TAU if three else taus[2:]
    keep = np.zeros(len(TRACES))
    keep[taus != 0] = np.exp(-1 / taus[taus != 0])
    made = c.Rule(
        rule.epoch, _PAYLOADS.index(rule.payload), _SIGNS.index(rule.sign), three,
        -1 if rule.decimation is None else rule.decimation, 0,
    )  # fmt: skip
    made.impulse[:] = whole.astype(int).tolist()
    made.impulse_fraction[:] = fraction.astype(int).tolist()
    made.keep[:] = keep.tolist()
    seeds = (*(rule.seed + k for k in range(4)), SYNAPTIC_SEED)
    made.generators[:] = [word for seed in seeds for word in _generator(seed)]
    made.code = code.ctypes.data
    weight, exists = learning_matrix(projection.synapse)
    if exists is not None:
        made.exists = exists.ctypes.data
    return made, weight, (code, exists) if exists is not None else (code,)


def _generator(seed: int) -> Iterator[int]:
    """State and increment of ``numpy.random.default_rng(seed)``, upper halves first."""
    state = np.random.PCG64(seed).state["state"]
    for number in (state["state"], state["inc"]):
        yield number >> 64
        yield number & ((1 << 64) - 1)


def _code(rule: LearningRule) -> Iterator[int]:
    """See ``nd_rule``."""
    for variable in VARIABLES:
        equation = rule.equation_of(variable)
        if equation is None:
            yield -1
            continue
        yield len(equation.products)
        for product in equation.products:
            shift = max(0, product.bits - ACCUMULATOR_BITS)
            up = product.exponent + ACCUMULATOR_BITS - WEIGHT_BITS
            yield from (_DEPENDENCIES.index(product.dependency), product.mantissa, up, shift)
            yield len(product.factors)
            for factor in product.factors:
                bits = FACTOR_BITS[factor.variable]
                yield from (_FACTORS.index(factor.variable), factor.constant, bits)
                yield factor.sign_only


def shape_of(network: Network, projection: Projection) -> tuple[int, int]:
    """Targets and sources of a projection."""
    return network[projection.target].size, network[projection.source].size


@dataclass
class Carried:
    """What is learned, on its way from block to block: a buffer for each projection that learns."""

    buffers: list[NDArray[np.uint64]]

    @classmethod
    def of(cls, network: Network) -> Carried:
        """Nothing learned yet."""
        synapses = [int(np.prod(shape_of(network, p))) for p in network.learning]
        return cls([np.zeros(_CARRIED_WORDS + (3 * n + 1) // 2, np.uint64) for n in synapses])


@dataclass
class LearnedBlock:
    """What one projection learned in a block of samples.

    Attributes
    ----------
    after : dict of str to int16 [samples, targets, sources]
        Synaptic variables after each sample, by their names: w, and d and t if they learn.
    epochs : dict of str to int16 [samples, epochs, targets, sources]
        The same after each epoch, where asked for.
    traces : dict of str to int16 [samples, epochs, neurons]
        x1, x2 of the sources and y1, y2, y3 of the targets after each epoch, likewise.
    updates : int64 [samples]
        Synapses for which some product of the rule counted, added up over the epochs.
    trace_updates : int64 [samples]
        One for each epoch, neuron and trace that the rule reads.
    """

    updates: NDArray[np.int64]
    trace_updates: NDArray[np.int64]

    after: dict[str, NDArray[np.int16]] = field(default_factory=dict)
    epochs: dict[str, NDArray[np.int16]] = field(default_factory=dict)
    traces: dict[str, NDArray[np.int16]] = field(default_factory=dict)


def room_for(
    projection: Projection,
    shape: tuple[int, int],
    samples: int,
    steps: int,
    trajectory: bool,
    carried: NDArray[np.uint64] | None,
) -> tuple[LearnedBlock, c.Learned]:
    """Make room for what a projection of this `shape_of` learns, and tell the core where."""
    rule = projection.rule
    assert rule is not None
    neurons = sum(shape[1 if name[0] == "x" else 0] for name in rule.traces)
    traced = np.full(samples, steps // rule.epoch * neurons, np.int64)
    block, told = LearnedBlock(np.empty(samples, np.int64), traced), c.Learned()
    told.updates = block.updates.ctypes.data
    epochs = steps // rule.epoch
    for k, name in enumerate(VARIABLES):
        if not (name == "w" or rule.equation_of(name)):
            continue
        block.after[name] = np.empty((samples, *shape), np.int16)
        told.after[k] = block.after[name].ctypes.data
        if trajectory:
            block.epochs[name] = np.empty((samples, epochs, *shape), np.int16)
            told.epochs[k] = block.epochs[name].ctypes.data
    if trajectory:
        for side, names, neurons in (("x", TRACES[:2], shape[1]), ("y", TRACES[2:], shape[0])):
            held = np.empty((samples, epochs, len(names), neurons), np.int16)
            setattr(told, side, held.ctypes.data)
            block.traces.update({n: held[:, :, k] for k, n in enumerate(names)})
    if carried is not None:
        told.carried = carried.ctypes.data
    return block, told


def learned_bytes(network: Network, projection: Projection, steps: int, trajectory: bool) -> int:
    """Bytes of `room_for` for one sample."""
    rule = projection.rule
    assert rule is not None
    targets, sources = shape_of(network, projection)
    variables = 1 + sum(rule.equation_of(name) is not None for name in VARIABLES[1:])
    times = 1 + trajectory * (steps // rule.epoch)
    neurons = 2 * sources + 3 * targets
    return 2 * (variables * times * targets * sources + (times - 1) * neurons)


def pointers(arrays: dict[str, NDArray[np.int16]]) -> ctypes.Array[ctypes.c_void_p]:
    """Where the variables w, d, t of a stream go."""
    return (ctypes.c_void_p * 3)(*(arrays[name].ctypes.data for name in VARIABLES))
