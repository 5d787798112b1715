"""Thresholds balanced after rounding, so that a population sends as many spikes as in floats."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..network import Network
from .calibration import Calibration
from .exact import exact_choice
from .neurons import THRESHOLD_MAX
from .population_alone import PopulationAlone
from .scale_choice import Choice, Choices, Sites

WIDEST = 1.5
"""A threshold changes by at most this factor, and no further than 17 bits."""

HALVINGS = 8
"""Of the interval in which the factor is sought: it is found within half a percent."""


def balance_thresholds(
    network: Network, sites: Sites, choices: Choices, reference: Calibration, each: bool = False
) -> dict[str, Choice]:
    """Find the factor of each population's threshold at which its spikes are as many as in floats.

    By bisection, each population fed what the float network's populations sent; rounded weights
    are not touched. (Threshold balancing: Diehl et al. 2015, doi:10.1109/IJCNN.2015.7280696;
    there from a network without spikes, here from the float one.)

    Parameters
    ----------
    network : Network
    sites, choices : mapping of population name to Site and Choice
    reference : Calibration
    each : bool
        A factor for each neuron, in place of one for the population.

    Returns
    -------
    dict of population name to Choice
        Readouts without spikes, and populations of which nothing is rounded, as they were.
    """
    made = dict(choices)
    for name, site in sites.items():
        if site.neuron.sends == "voltage" or exact_choice(site) is not None:
            continue
        local, choice = PopulationAlone(network, site, reference), choices[name]
        wanted = reference.sent[name].sum(axis=(0, 1))
        size = site.population.size
        most = THRESHOLD_MAX / (float(site.shape.threshold.max()) * choice.factor)
        low = np.full(size, -np.log(WIDEST))
        high = np.full(size, min(np.log(WIDEST), np.log(most)))
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            tried = replace(choice, balance=tuple(np.exp(middle).tolist()))
            sent = local.run(tried).spikes.sum(axis=(0, 1))
            more = sent > wanted if each else np.full(size, sent.sum() > wanted.sum())
            low, high = np.where(more, middle, low), np.where(more, high, middle)
        factor = np.exp((low + high) / 2)
        if each:  # what is right already stays, silent neurons above all
            factor[local.run(choice).spikes.sum(axis=(0, 1)) == wanted] = 1.0
        made[name] = replace(choice, balance=tuple(factor.tolist()))
    return made
