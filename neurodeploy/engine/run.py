"""Runs a network on blocks of samples: in the core, where it has all elements, else in kernels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..core.network import knows
from ..core.simulate import PopulationResult
from ..core.simulate import simulate as simulate_in_core
from ..inputs import Presented
from ..network import Network


def run_blocks(
    network: Network, values: Presented, *, kernels: str = "auto", **options: Any
) -> Iterator[dict[str, PopulationResult]]:
    """Run samples block by block.

    Parameters
    ----------
    network : Network
    values : Presented
    kernels : str
        One of `synapses.KERNELS`; "auto" is the core.
    options
        Of `core.simulate.simulate`.

    Raises
    ------
    UnsupportedError
        If an element cannot be run; it names it.
    """
    if kernels == "auto" and knows(network):
        return simulate_in_core(network, values, **options)
    from .plan import make_plan
    from .simulate import simulate

    return simulate(make_plan(network, kernels), values, **options)
