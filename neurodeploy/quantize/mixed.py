"""Mixed precision: which population gets how many bits within a budget of synaptic memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetworkError
from ..network import FloatLIF, Network
from .calibration import Calibration
from .choice import Site
from .config import QuantConfig
from .floats import as_float
from .scales import chosen

WIDTHS = (8, 7, 6, 5, 4, 3, 2)


def weight_memory(network: Network, config: QuantConfig) -> int:
    """Bits of all weights that are not 0, splitting not counted; ternary and binary take 2."""
    return sum(
        _synapses(network, p.name) * _width(config.bits_of(p.name))
        for p in network.populations
        if isinstance(p.neuron, FloatLIF)
    )


def within_budget(
    network: Network, budget_bits: int, config: QuantConfig, calibration: NDArray[Any]
) -> QuantConfig:
    """Give each population bits so that all weights together fit a budget.

    All start at `config.bits`; then whichever population loses least in spikes and membrane, fed
    what the float network sends, for each bit of memory that it frees, gets a bit less, until
    the weights fit.

    Parameters
    ----------
    network : Network
        In float32, or in integers (CUBA).
    budget_bits : int
        Synaptic memory for weights; see `weight_memory`.
    config : QuantConfig
        Whose `bits` is the most that a population gets.
    calibration : array [samples, steps, *input shape]

    Returns
    -------
    QuantConfig
        With `population_bits`.

    Raises
    ------
    NetworkError
        If not even 2 bits everywhere fit.
    """
    from .local import Local, difference

    if not network.is_float:
        network = as_float(network)
    reference = Calibration.of(network, calibration)
    top = config.bits
    widths = [w for w in WIDTHS if isinstance(top, int) and w <= top] or [2]
    loss: dict[tuple[str, int], float] = {}
    populations = [p for p in network.populations if isinstance(p.neuron, FloatLIF)]
    for population in populations:
        for width in widths:
            alone = replace(config, bits=width, population_bits=())
            site = Site(network, population, alone, reference)
            run = Local(network, site, reference).run(chosen(site, "mse"))
            loss[population.name, width] = difference(run, population, reference)
    given = {p.name: widths[0] for p in populations}
    while (
        weight_memory(network, made := replace(config, population_bits=tuple(given.items())))
        > budget_bits
    ):
        prices = {
            name: (loss[name, width - 1] - loss[name, width]) / max(1, _synapses(network, name))
            for name, width in given.items()
            if width - 1 in widths
        }
        if not prices:
            raise NetworkError(
                f"budget: {budget_bits} bits; the weights take {weight_memory(network, made)} at 2 "
                f"bits each; prune the network or raise the budget"
            )
        given[min(prices, key=lambda name: (prices[name], name))] -= 1
    return made


def _width(bits: int | str) -> int:
    return max(2, bits) if isinstance(bits, int) else 2


def _synapses(network: Network, name: str) -> int:
    return sum(int(np.count_nonzero(getattr(p.synapse, "weight", 0.0))) for p in network.into(name))
