"""Rounding in which each weight takes up the errors of those before it, measured on inputs.

Weights rounded one by one to the nearest step err independently, and what counts is the error of
the membrane, the sum over all synapses. Inputs that are active together (all of them, where there
is a mean rate) let one weight's error be undone by another's: of each target neuron the weights
are rounded in turn, and those still to come are moved so that the sum changes least.

Source of the method: Frantar et al., "GPTQ", ICLR 2023 (after Hassibi and Stork's optimal brain
surgeon); here the inputs are the messages as a membrane sums them, leaks included.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.rounding import round_together
from ..network import Network
from ..network.fixed_point import DECAY_UNITY
from .calibration import Calibration
from .exact import exact_choice
from .population_alone import PopulationAlone, difference
from .scale_choice import Choice, Choices, Site, Sites
from .weights import Doubles

DAMPING = 0.01
"""Of the mean power of an input, added to each: GPTQ's value; keeps the inverse finite."""

MOST_SOURCES = 4096
"""Source neurons of a population beyond which weights are rounded to the nearest."""


def compensate_rounding(
    network: Network, sites: Sites, choices: Choices, calibration: Calibration
) -> dict[str, Choice]:
    """Round the dense weights of each population together, where that makes it differ less.

    Parameters
    ----------
    network : Network
    sites : mapping of population name to Site
    choices : mapping of population name to Choice
    calibration : Calibration

    Returns
    -------
    dict of population name to Choice
        With `Choice.mantissas` where they lessened `population_alone.difference`.
    """
    made = dict(choices)
    for name, site in sites.items():
        if exact_choice(site) is not None:
            continue
        local = PopulationAlone(network, site, calibration)
        other = together(local, choices[name])
        if other is None:
            continue
        before, after = (
            difference(local.run(choice), site.population, calibration)
            for choice in (choices[name], other)
        )
        if after < before:
            made[name] = other
    return made


def together(local: PopulationAlone, choice: Choice) -> Choice | None:
    """Round a population's dense weights with compensation; None where it has none."""
    site = local.site
    dense = [
        index
        for index, (_, synapse) in enumerate(site.feeds)
        if synapse.rows_are == "targets" and not site.grids[index].binary
    ]
    sizes = [site.weights[index].shape[1] for index in dense]
    if not dense or sum(sizes) > MOST_SOURCES:
        return None
    traces = np.concatenate([_traces(local, index) for index in dense], axis=1)
    power = traces.T @ traces / len(traces)
    mean = float(np.trace(power)) / len(power)
    if not mean:
        return None  # nothing ever arrives
    power[np.diag_indices_from(power)] += DAMPING * mean
    weight, low, high, unit = (
        np.concatenate(parts, axis=1)
        for parts in zip(*(_limits(site, index, choice) for index in dense), strict=True)
    )
    order = np.argsort(-np.diag(power), kind="stable")
    upper = np.linalg.cholesky(np.linalg.inv(power[np.ix_(order, order)])).T
    found = np.empty(weight.shape, np.int64)
    found[:, order] = round_together(
        weight[:, order] / unit[:, order], low[:, order], high[:, order], upper, unit[0, order]
    )
    pieces = np.split(found, np.cumsum(sizes)[:-1], axis=1)
    mantissas: list[NDArray[np.int64] | None] = [None] * len(site.feeds)
    for index, piece in zip(dense, pieces, strict=True):
        mantissas[index] = piece
    return replace(choice, mantissas=tuple(mantissas))


def _limits(site: Site, index: int, choice: Choice) -> tuple[Doubles, ...]:
    """Weights, the smallest and largest mantissa that each may have, and its step.

    A weight of 0 is no synapse and stays none; one that a single synapse holds stays in it.
    """
    weight, grid = site.weights[index], site.grids[index]
    step = choice.steps[index]
    nearest = site.rounded(index, choice.factor, step)
    wide = grid.beyond(nearest)
    ends = zip(grid.limits(site.splits[index]), (grid.low, grid.high), strict=True)
    whole = [np.where(wide, of_two, of_one) * (weight != 0) for of_two, of_one in ends]
    unit = np.full(weight.shape, 2.0**step / choice.factor)
    # A coarse part stays as coarse as it is: no exponent grows beyond what the chip has.
    most = np.abs(nearest).max(initial=0) if wide.any() else np.inf
    low, high = np.maximum(whole[0], -most), np.minimum(whole[1], most)
    return weight, low.astype(np.float64), high.astype(np.float64), unit


def _traces(local: PopulationAlone, index: int) -> Doubles:
    """Messages as a membrane of the population sums them, [samples x steps, sources].

    By the median decays; a delay of a synapse by the commonest.
    """
    site = local.site
    synapse: Any
    projection, synapse = site.feeds[index]
    sent: NDArray[Any] = local.calibration.sent[projection.source].astype(np.float64)
    lag = int(local.network.closes(projection))
    if synapse.has_delays:  # its commonest delay stands for all
        lag += int(np.bincount(synapse.delay.ravel()).argmax())
    late = np.zeros_like(sent)
    if lag < sent.shape[1]:
        late[:, lag:] = sent[:, : sent.shape[1] - lag]
    for decay in (site.shape.current_decay, site.shape.voltage_decay):
        keep = 1 - float(np.median(decay)) / DECAY_UNITY
        for step in range(1, late.shape[1]):
            late[:, step] += keep * late[:, step - 1]
    return late.reshape(-1, late.shape[2])
