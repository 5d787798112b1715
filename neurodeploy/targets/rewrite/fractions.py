"""Sigma-delta thresholds and biases that were learnt, on a grid of 1/64."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ...network import Delta, Network, Population, SigmaDelta
from ...network.neurons import Parameter
from ..registry import Refused


def thresholds_in_64ths(network: Network, refused: Refused | None = None) -> Network:
    """Round thresholds and biases that have bits below 1/64, which NetX has no place for.

    To the nearest; a threshold stays above 0 where it was.
    """
    made = tuple(
        _rounded(p) if refused is None or p.name in refused else p for p in network.populations
    )
    return replace(network, populations=made)


def _rounded(population: Population) -> Population:
    neuron: Any = population.neuron
    # The rewrite is of these models alone.
    if type(neuron) not in (Delta, SigmaDelta) or not neuron.fraction_bits:
        return population
    bits = neuron.fraction_bits
    given = {
        name: neuron.parameters[name] for name in ("threshold", "bias") if name in neuron.parameters
    }
    new = {name: _nearest(value, bits) for name, value in given.items()}
    positive = np.asarray(given["threshold"]) > 0
    new["threshold"] = np.maximum(new["threshold"], positive.astype(np.int32))
    return replace(population, neuron=replace(neuron, fraction_bits=0, **new))


def _nearest(value: Parameter, bits: int) -> Parameter:
    rounded: Parameter = np.rint(np.asarray(value, np.float64) / (1 << bits)).astype(np.int32)
    return rounded
