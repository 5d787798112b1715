"""Learning on the engine against Lava's own, live: every weight and trace after every epoch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.network import (
    CubaLIF,
    Dense,
    LearningRule,
    ModulatedLIF,
    Network,
    Population,
    Projection,
    Source,
    Sparse,
)
from sim_tests.learning.random_rules import random_rule
from sim_tests.learning.test_engine import PAYLOADS

pytestmark = pytest.mark.usefixtures("lava")

AT_ONCE = 12
"""Rules in one network, each behind the same source: one start of Lava for all of them."""


def listed(weight, exists):
    """Sparse synapses, of weight 0 too."""
    target, source = np.nonzero(exists)
    indptr = np.concatenate([[0], np.cumsum(exists.sum(axis=1))])
    return Sparse(indptr, source, weight[target, source], weight.shape[1])


def rules_side_by_side(seeds, sources=8, steps=70, samples=2, three=False):
    """A network in which a projection learns by each of some random rules."""
    rng = np.random.default_rng(seeds[0])
    populations = [Population("in", (sources,), Source())]
    projections = []
    graded = bool(seeds[0] % 2)
    for seed in seeds:
        payload = PAYLOADS[seed % 4] if graded else "impulse"
        rule = random_rule(seed, "three" if three else "two", payload=payload)
        size, name = int(rng.integers(2, 6)), f"n{seed}"
        low, high = rule.weight_range
        scale = 40 if graded else 1  # payloads bring more
        weight = rng.integers(low // (2 * scale), high // (2 * scale) + 1, (size, sources))
        exists = rng.random(weight.shape) < 0.7
        exists[:, 0] = True
        synapse = listed(weight, exists) if seed % 3 == 0 else Dense(weight)
        bias = 40 if rule.sign == "inhibitory" else 5
        if three:
            neuron = ModulatedLIF(
                2500, 300, 90, bias, y1_is=("trace", "surrogate")[seed % 2],
                y1_size=int(rng.integers(0, 128)), y1_keep=int(rng.integers(0, 129)), y1_width=6,
                signal_keep=int(rng.integers(0, 129)), message_cost=int(rng.integers(0, 100)),
            )  # fmt: skip
        else:
            neuron = CubaLIF(2500, 300, 90, bias)
        populations.append(Population(name, (size,), neuron))
        projections.append(Projection("in", name, synapse, rule=rule))
        if three:
            factor = 2 * rng.integers(-40, 41, (size, sources))
            projections.append(Projection("in", name, Dense(factor), into="third-factor"))
    inputs = (rng.random((samples, steps, sources)) < 0.25).astype(np.int32)
    if graded:
        inputs *= rng.integers(1, 200, inputs.shape)
    return Network(tuple(populations), tuple(projections)), inputs


def check(network, inputs, **how):
    found = nd.verify(network, inputs, record=("spikes", "states"), **how)
    assert found.equal, found.comparison.summary()
    for projection in network.learning:
        one, other = (r.learning(projection.name) for r in found.recordings)
        names = (*one.variables, "x1", "x2", "y1", "y2", "y3")
        assert other.variables == one.variables
        for name in names:
            left, right = one.trajectory(name), other.trajectory(name)
            assert left.shape == right.shape
            assert np.array_equal(left, right), (projection.name, projection.rule, name)
        for name in one.variables:
            assert np.array_equal(one.after(name), other.after(name))
    return found


@pytest.mark.parametrize("first", [100, 201])
def test_random_rules(first):
    """12 rules with spikes, 12 with payloads."""
    network, inputs = rules_side_by_side(range(first, first + AT_ONCE))
    found = check(network, inputs)
    moved = 0
    for projection in network.learning:
        w = found.recordings[0].learning(projection.name).trajectory()
        moved += bool((np.diff(w.astype(int), axis=1) != 0).any())
    assert moved > AT_ONCE / 2  # rules that do something


def test_random_three_factor_rules():
    network, inputs = rules_side_by_side(range(300, 306), three=True)
    check(network, inputs)


def test_samples_that_learn_one_after_the_other():
    network, inputs = rules_side_by_side(range(400, 403), samples=3, steps=31)
    check(network, inputs, learn_across_samples=True)


def test_a_population_behind_learns_from_one_that_learns():
    rng = np.random.default_rng(1)
    first, second = (random_rule(seed, sign="mixed") for seed in (11, 12))
    network = Network(
        (
            Population("in", (6,), Source()),
            Population("hid", (5,), CubaLIF(2500, 300, 60)),
            Population("out", (4,), CubaLIF(2500, 300, 60)),
        ),
        (
            Projection("in", "hid", Dense(rng.integers(10, 90, (5, 6))), rule=first),
            Projection("hid", "hid", Dense(rng.integers(-60, 60, (5, 5))), rule=second),
            Projection(
                "hid", "out", Dense(rng.integers(10, 90, (4, 5))), rule=replace(first, seed=5)
            ),
        ),
    )
    inputs = (rng.random((60, 6)) < 0.4).astype(np.int32)
    check(network, inputs)


def test_a_first_divergence_of_weights_is_named():
    rng = np.random.default_rng(0)
    rule = LearningRule(
        "dw = 2^-1*x1*y0 - 2^-1*y1*x0", x1_impulse=30.5, x1_tau=8, y1_impulse=30.5, y1_tau=8
    )
    network = Network(
        (Population("in", (6,), Source()), Population("n100", (4,), CubaLIF(2500, 300, 60))),
        (Projection("in", "n100", Dense(rng.integers(10, 90, (4, 6))), rule=rule),),
    )
    inputs = (rng.random((60, 6)) < 0.4).astype(np.int32)
    other = Network(
        network.populations,
        tuple(replace(p, rule=replace(rule, seed=rule.seed + 1)) for p in network.projections),
    )
    one, two = (nd.run(n, inputs, record=("spikes", "weights")) for n in (network, other))
    diff = nd.compare(one, two, anyway=True)
    assert not diff.equal
    first = diff.first_learned
    trajectories = [r.learning(first.projection).trajectory(first.variable) for r in (one, two)]
    at = (first.sample, first.epoch, first.target, first.source)
    assert (first.value_a, first.value_b) == tuple(int(t[at]) for t in trajectories)
    assert not (trajectories[0] != trajectories[1])[0, : first.epoch].any()
    assert set(first.traces) == {"x1", "x2", "y1", "y2", "y3"}
    assert f"epoch {first.epoch}, projection in->n100, synapse" in str(first)
    assert diff.as_dict()["learning"][0]["differing"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 1000 + 17 * (AT_ONCE + 1), AT_ONCE + 1))
def test_two_hundred_more_random_rules(first):
    network, inputs = rules_side_by_side(range(first, first + AT_ONCE))
    check(network, inputs)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(2000, 2024, 8))
def test_more_three_factor_rules(first):
    network, inputs = rules_side_by_side(range(first, first + 8), three=True)
    check(network, inputs)
