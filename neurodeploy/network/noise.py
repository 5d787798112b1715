"""Networks whose neurons draw at random, drawn anew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .graph import Network
from .neurons.stochastic import draw


def reseeded(network: Network, seed: int) -> Network:
    """Give every population that draws at random a seed of its own, made of one for the network.

    Parameters
    ----------
    network : Network
    seed : int
        0..2^32 - 1. Runs of networks with different seeds are independent draws.

    Returns
    -------
    Network
        Equal to the one given where no neuron draws.

    Examples
    --------
    >>> runs = [nd.run(reseeded(net, seed), inputs) for seed in range(50)]  # doctest: +SKIP
    """
    seeds = draw(seed, 0, np.arange(len(network.populations)))
    populations = tuple(
        replace(population, neuron=population.neuron.with_seed(int(own)))
        for population, own in zip(network.populations, seeds, strict=True)
    )
    return replace(network, populations=populations)


__all__ = ["reseeded"]
