"""Sigma-delta thresholds and biases that were learnt, on a grid of 1/64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ...network import Delta, Network, Population, SigmaDelta
from ...network.neurons import Parameter
from ..registry import Refused


def thresholds_in_64ths(
    network: Network, refused: Refused | None = None
) -> Iterator[tuple[str, Network]]:
    """Round thresholds and biases that have bits below 1/64, which NetX has no place for.

    Biases to the nearest, thresholds to the nearest, down or up; one stays above 0 where it was.
    """
    for how, rounded in ROUNDED.items():
        made = tuple(
            _rounded(p, rounded) if refused is None or p.name in refused else p
            for p in network.populations
        )
        says = f"thresholds of sigma-delta neurons rounded {how} 1/64, biases to the nearest"
        yield says, replace(network, populations=made)


ROUNDED: dict[str, Callable[..., Any]] = {
    "to the nearest": np.rint,
    "down to": np.floor,
    "up to": np.ceil,
}


def _rounded(population: Population, rounded: Callable[..., Any]) -> Population:
    neuron: Any = population.neuron
    # The rewrite is of these models alone.
    if type(neuron) not in (Delta, SigmaDelta) or not neuron.fraction_bits:
        return population
    bits = neuron.fraction_bits
    given = {
        name: neuron.parameters[name] for name in ("threshold", "bias") if name in neuron.parameters
    }
    new = {
        name: _in_64ths(value, bits, rounded if name == "threshold" else np.rint)
        for name, value in given.items()
    }
    positive = np.asarray(given["threshold"]) > 0
    new["threshold"] = np.maximum(new["threshold"], positive.astype(np.int32))
    return replace(population, neuron=replace(neuron, fraction_bits=0, **new))


def _in_64ths(value: Parameter, bits: int, rounded: Callable[..., Any]) -> Parameter:
    made: Parameter = rounded(np.asarray(value, np.float64) / (1 << bits)).astype(np.int32)
    return made
