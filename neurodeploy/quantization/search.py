"""The choice of scales with the least difference of spikes and membrane on calibration inputs.

First population by population, each fed what the float network sent (`population_alone`); then
of the whole network on the engine, one population's choice changed at a time.
"""

from __future__ import annotations

import numpy as np

from ..backends import run
from ..network import Network
from ..network.fixed_point import SCALE
from .calibration import Calibration
from .neurons import float_neuron
from .population_alone import PopulationAlone, difference
from .rounding import Rounding, scale_before
from .scale_choice import Choice, Site, Sites
from .scales import candidates

TRIED_LOCALLY = 24
"""Choices of a population that run on the calibration inputs: those with least square error."""

TRIED_JOINTLY = 5
"""The best of these that run in the whole network, in each pass."""


def search(
    network: Network, sites: Sites, calibration: Calibration, passes: int
) -> dict[str, Choice]:
    """Find choices for all populations.

    Parameters
    ----------
    network : Network
    sites : mapping of population name to Site
    calibration : Calibration
    passes : int
        Over the whole network; ends before where nothing changes.
    """
    ranked = {name: ranked_locally(network, site, calibration) for name, site in sites.items()}
    choices = {name: some[0] for name, some in ranked.items()}
    if all(len(some) == 1 for some in ranked.values()):
        return choices
    if len(sites) == 1 and not any(network.closes(p) for p in network.projections):
        return choices  # what is best locally is best
    least = difference_of(Rounding(network, sites, choices).result(), network, calibration)
    for _ in range(passes):
        before = dict(choices)
        for name in sites:
            for choice in ranked[name][:TRIED_JOINTLY]:
                if choice == choices[name]:
                    continue
                tried = Rounding(network, sites, {**choices, name: choice}).result()
                found = difference_of(tried, network, calibration)
                if found < least:
                    least, choices[name] = found, choice
        if choices == before:
            break
    return choices


def ranked_locally(network: Network, site: Site, calibration: Calibration) -> list[Choice]:
    """Choices of a population, the least local difference first."""
    tried = list(candidates(site, TRIED_LOCALLY))
    if len(tried) == 1:
        return tried
    local = PopulationAlone(network, site, calibration)
    found = [
        (
            difference(local.run(choice), site.population, calibration) * site.price(choice),
            index,
            choice,
        )
        for index, choice in enumerate(tried)
    ]
    return [choice for _, _, choice in sorted(found, key=lambda entry: entry[:2])]


def difference_of(fixed: Network, network: Network, calibration: Calibration) -> float:
    """How far a whole network in integers is from its float form on the calibration inputs.

    For each population with spikes: spikes of one and not of the other as a share of both, plus
    the same of the counts of each neuron in each sample; for a readout the square error of its
    voltage as a share of its power. The mean over populations, the output counted as much as all
    others together.
    """
    last = network.output.name
    steps = calibration.inputs.shape[1]
    longest = max(fixed.hops(p.name) for p in network.populations)
    record = ("spikes", "v") if network.output.neuron.graded else ("spikes",)
    recording = run(fixed, calibration.inputs, steps=steps + longest, record=record)
    found = {}
    for population in network.populations:
        if not population.neuron.is_float:
            continue
        neuron, name = float_neuron(population), population.name
        shape, hops = calibration.sent[name].shape, fixed.hops(name)
        if neuron.sends == "voltage":
            scale = float(fixed.metadata[f"{SCALE}{name}"]) / scale_before(network, name)
            unit = 64 * scale
            voltage = recording[name].v[:, hops : hops + steps].reshape(shape) / unit
            exact = calibration.v[name]
            found[name] = float(((voltage - exact) ** 2).sum() / max(1e-30, (exact**2).sum()))
            continue
        spikes = recording[name].spikes[:, hops : hops + steps].reshape(shape)
        sent = calibration.sent[name]
        both = max(1.0, float(spikes.sum() + sent.sum()))
        counted = np.abs(spikes.sum(axis=1) - sent.sum(axis=1)).sum()
        found[name] = float(np.abs(spikes - sent).sum() + counted) / both
    others = [value for name, value in found.items() if name != last]
    return found[last] + (float(np.mean(others)) if others else 0.0)
