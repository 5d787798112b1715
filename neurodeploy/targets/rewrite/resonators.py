"""Decays of resonators that survive lava-dl's way through a period and a decay in floats."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ...network import Network, Population, ResonateFire, ResonateFireIzhikevich
from ...network.fixed_point import DECAY_UNITY
from ...network.neurons import Parameter
from ..registry import Refused

Ints = NDArray[np.int64]

_NEAR = sorted(product(range(-4, 5), repeat=2), key=lambda by: by[0] ** 2 + by[1] ** 2)


def through_floats(sin_decay: Parameter, cos_decay: Parameter) -> tuple[Ints, Ints]:
    """Decays that netx gives Lava's RF for those in a file.

    Sources: ``slayer/neuron/rf.py:42`` (lava-dl 0.6.0), ``lava/proc/rf/process.py:71`` (lava-nc
    0.10.0), which cuts what it multiplies out again.
    """
    sin, cos = (np.asarray(d) / DECAY_UNITY for d in (sin_decay, cos_decay))
    decay = 1 - np.sqrt(sin**2 + cos**2)
    with np.errstate(divide="ignore"):
        period = 1 / (np.arctan2(sin, cos) / 2 / np.pi)
    angle = np.pi * 2 * 1 / period
    held = [(1 - decay) * of(angle) * DECAY_UNITY for of in (np.sin, np.cos)]
    return held[0].astype(np.int64), held[1].astype(np.int64)


def decays_through_floats(network: Network, refused: Refused) -> Network:
    """Move decays of resonators to the nearest that netx gives Lava as they are."""
    made = tuple(_moved(p) if p.name in refused else p for p in network.populations)
    return replace(network, populations=made)


def _moved(population: Population) -> Population:
    neuron = population.neuron
    # netx has these two.
    if type(neuron) not in (ResonateFire, ResonateFireIzhikevich):
        return population
    given = (neuron.sin_decay, neuron.cos_decay)  # type: ignore[attr-defined]
    sin, cos = (np.atleast_1d(np.asarray(d, np.int64)) for d in np.broadcast_arrays(*given))
    pairs = {pair: _nearest(*pair) for pair in set(zip(sin.tolist(), cos.tolist(), strict=True))}
    moved = np.array([pairs[pair] for pair in zip(sin.tolist(), cos.tolist(), strict=True)])
    own = {
        name: moved[:, k].astype(np.int32) if np.broadcast(*given).ndim else int(moved[0, k])
        for k, name in enumerate(("sin_decay", "cos_decay"))
    }
    return replace(population, neuron=replace(neuron, **own))


def _nearest(sin: int, cos: int) -> tuple[int, int]:
    for by in _NEAR:
        pair = sin + by[0], cos + by[1]
        if max(np.abs(pair)) <= DECAY_UNITY and _survives(*pair):
            return pair
    return sin, cos


def _survives(sin: Parameter, cos: Parameter) -> bool:
    held = through_floats(sin, cos)
    return bool(np.all(held[0] == sin) and np.all(held[1] == cos))
