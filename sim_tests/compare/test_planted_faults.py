"""Planted defects are found where they were planted, and called by their names."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.network import CubaLIF, SigmaDelta
from neurodeploy.network.fixed_point import STATE_LIMIT
from sim_tests.compare.planted import (
    Fault,
    message_faults,
    parameter_faults,
    recording_of,
    rule_faults,
    simulate,
)
from sim_tests.conftest import ROOT
from sim_tests.random_networks import Draw

SAMPLES, STEPS, SEEDS = 4, 24, 16

FEW = ("digits", "seed 0", "seed 4", "seed 9")
"""Cases of the quick test; between them every pattern."""

SAME = {
    # Nothing that a run shows tells these apart: what one does, the other does.
    frozenset(("transposed-kernel", "flipped-kernel")),
    frozenset(("transposed-kernel", "swapped-channels")),
}


def random_network(seed):
    """A random network of the kinds that faults can be planted in, with some activity."""
    while True:
        draw = Draw(seed, beyond_netx=seed % 2 == 1, sigma_delta=seed % 4 == 0)
        network = draw.network
        kinds = {type(p.neuron) for p in network.populations[1:]}
        if kinds <= {CubaLIF, SigmaDelta} and network.input.transform is None:
            return network, draw.inputs(SAMPLES, STEPS)
        seed += 1000


def digits():
    network = nd.load(ROOT / "netx_exports" / "digits.net")
    inputs = np.load(ROOT / "netx_exports" / "digits_test.npz")["inputs"]
    return network, inputs[:SAMPLES].astype(np.int32)


CASES = {"digits": digits, **{f"seed {n}": lambda n=n: random_network(n) for n in range(SEEDS)}}


def truth_of(network, fault: Fault, sound, faulty, record):
    """(sample, step, neurons) of the first difference in the planted population, or None."""
    name = fault.population
    differs = sound[name]["spikes"] != faulty[name]["spikes"]
    if "u" in record and network[name].neuron.states:
        differs |= sound[name]["u"] != faulty[name]["u"]
        v = sound[name]["v"] != faulty[name]["v"]
        if isinstance(network[name].neuron, CubaLIF):
            for run in (sound, faulty):
                v &= ~fired(network[name], run[name]["spikes"])
        differs |= v
    places = np.argwhere(differs)
    if not len(places):
        return None
    sample, step = places[0][:2]
    return (
        int(sample),
        int(step),
        {int(n) for n in places[:, 2][(places[:, :2] == places[0][:2]).all(1)]},
    )


def fired(population, spikes):
    flags = np.zeros(spikes.shape, bool)
    delay = (
        np.zeros(population.size, int) if population.axon_delay is None else population.axon_delay
    )
    for s, t, n in np.argwhere(spikes):
        if t >= delay[n]:
            flags[s, t - delay[n], n] = True
    for n, late in enumerate(delay):
        flags[:, spikes.shape[1] - late :, n] |= late > 0  # messages that left after the end
    return flags


def faults_of(network, sound, rng):
    for population in network.populations[1:]:
        if not network.into(population.name):
            continue
        yield from rule_faults(network, population.name)
        yield from parameter_faults(network, population.name, rng)
        yield from message_faults(network, population.name, sound, rng)


def try_all(case, record):
    """Outcomes of all faults of one case that change anything: (pattern, found, where right)."""
    network, values = CASES[case]()
    rng = np.random.default_rng(0)
    sound = simulate(network, values)
    reference = recording_of(network, sound, record)
    outcomes = []
    for fault in faults_of(network, sound, rng):
        faulty = simulate(network, values, fault)
        if max(np.abs(faulty[n][w]).max() for n in faulty for w in "uv") >= 2 * STATE_LIMIT:
            continue  # int32 is left: no chip and no simulator means anything there
        truth = truth_of(network, fault, sound, faulty, record)
        if truth is None:
            continue  # it changes nothing that was recorded
        result = nd.compare(
            reference, recording_of(network, faulty, record), net=network, inputs=values
        )
        first = result.first_divergence
        where = (first.sample, first.step, first.population) == (*truth[:2], fault.population)
        outcomes.append(
            (fault.pattern, result.diagnosis.pattern, where and first.neuron in truth[2], result)
        )
    return outcomes


def is_named(planted, found):
    return planted == found or frozenset((planted, found)) in SAME


STATES, SPIKES = ("spikes", "u", "v"), ("spikes",)


@pytest.mark.parametrize(
    ("record", "cases"),
    [
        (STATES, FEW),
        pytest.param(STATES, tuple(CASES), marks=pytest.mark.slow),
        pytest.param(SPIKES, tuple(CASES), marks=pytest.mark.slow),
    ],
    ids=["states-quick", "states", "spikes"],
)
def test_planted_faults_are_located_and_named(record, cases, capsys):
    outcomes = [outcome for case in cases for outcome in try_all(case, record)]
    named = sum(is_named(planted, found) for planted, found, _, _ in outcomes)
    located = sum(where for _, _, where, _ in outcomes)
    wrong = Counter((p, f) for p, f, _, _ in outcomes if not is_named(p, f))
    with capsys.disabled():
        print(
            f"\nplanted faults, {'+'.join(record)}: {len(outcomes)} that change anything, "
            f"{located} located, {named} named ({100 * named / len(outcomes):.1f} %)"
        )
    patterns = Counter(planted for planted, _, _, _ in outcomes)
    assert len(outcomes) > 60
    assert len(patterns) >= 14, patterns
    assert located == len(outcomes)
    assert named >= 0.9 * len(outcomes), wrong
