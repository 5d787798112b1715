"""Neurons that are forced to fire while they wait, unheard, do what refractory ones do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.network import (
    Conv,
    Dense,
    GeneralCubaLIF,
    Network,
    Population,
    Projection,
    Source,
)
from neurodeploy.targets.rewrite import refractory_steps_forced, rewritten_for
from neurodeploy.targets.rewrite.refractory import LATER
from sim_tests.reference import simulate

OWN_PERIODS = np.array([1, 2, 3, 4, 2] * 6)


def recurrent(seed: int, **options: object) -> Network:
    """A layer with a loop, a convolution behind it, an output; all of them wait."""
    rng = np.random.default_rng(seed)
    neuron = GeneralCubaLIF(**{"current_decay": 4096, "voltage_decay": 300, "threshold": 130,
                               "refractory": 2, **options})  # fmt: skip
    one = {name: value[:18] for name, value in options.items() if np.ndim(value)}
    last = replace(neuron, **{n: v[:4] for n, v in one.items()})

    def dense(targets: int, sources: int) -> Dense:
        return Dense(rng.integers(-60, 90, (targets, sources)).astype(np.int32))

    kernel = rng.integers(-60, 90, (2, 3, 2, 2)).astype(np.int32)
    return Network(
        (
            Population("input", (12,), Source()),
            Population("a", (3, 5, 2), neuron),
            Population("b", (2, 4, 1), replace(neuron, **{n: v[:8] for n, v in one.items()})),
            Population("c", (4,), last),
        ),
        (
            Projection("input", "a", dense(30, 12)),
            Projection("a", "a", dense(30, 30)),
            Projection("a", "b", Conv(kernel)),
            Projection("b", "c", dense(4, 8)),
        ),
    )


def presented(seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random((3, 60, 12)) < 0.3).astype(np.int32)


def true_spikes(recording: nd.Recording, name: str) -> np.ndarray:
    """All spikes of a population less the forced ones, which a second one sends, too."""
    return recording[name].spikes - recording[f"{name}_waits"].spikes


@pytest.mark.parametrize("period", [2, 3, 5, OWN_PERIODS], ids=["2", "3", "5", "own"])
@pytest.mark.parametrize("bias", [0, 7])
def test_without_a_lasting_current_every_message_is_the_same(period, bias):
    """Against NumPy's equations, too."""
    for seed in range(2):
        before = recurrent(seed, refractory=period, bias=bias)
        after = refractory_steps_forced(before)
        inputs = presented(seed)
        old = nd.run(before, inputs, record=("spikes",), drain=True)
        new = nd.run(after, inputs, record=("spikes",), drain=True)
        for name in ("a", "b"):
            np.testing.assert_array_equal(
                true_spikes(new, name)[:, : old.steps], old[name].spikes, name
            )
        np.testing.assert_array_equal(new.output[:, 1:], old.output)
        assert not new.output[:, 0].any()
        truth = simulate(before, inputs[0])
        np.testing.assert_array_equal(old["b"].spikes[0, :60], truth["b"]["spikes"])
        assert all(old[name].spikes.any() for name in "abc")
        waits = all(np.all(p.neuron.refractory == 1) for p in after.populations[1:4])
        assert waits
        assert after.metadata[LATER] == 1


@pytest.mark.parametrize(("decay", "threshold"), [(300, 900), (2048, 200)])
def test_with_one_nearly_every_message_is(decay, threshold):
    same = sent = 0
    for seed in range(4):
        before = recurrent(seed, current_decay=decay, threshold=threshold, refractory=3)
        inputs = presented(seed)
        old = nd.run(before, inputs, drain=True).output
        new = nd.run(refractory_steps_forced(before), inputs, drain=True).output[:, 1:]
        same += np.count_nonzero(old & new)
        sent += np.count_nonzero(old) + np.count_nonzero(new)
    assert sent > 100
    assert 2 * same / sent > 0.97


def test_on_lava_too(lava):
    before = recurrent(2)
    after = rewritten_for(before, "lava")
    inputs = presented(2)[:2]
    ours = nd.run(before, inputs, record=("spikes",))
    theirs = nd.run(after, inputs, record=("spikes",), backend="lava")
    for name in ("a", "b"):
        np.testing.assert_array_equal(true_spikes(theirs, name), ours[name].spikes)
    np.testing.assert_array_equal(theirs.output[:, 1:], ours.output[:, :-1])


@pytest.mark.parametrize(
    "options",
    [{"reset": "subtract"}, {"refractory": 9}, {"graded_spike": True}, {"threshold": 1 << 15}],
    ids=["soft reset", "long", "graded", "out of reach"],
)
def test_what_it_cannot_do_is_left(options):
    before = recurrent(0, **options)
    assert refractory_steps_forced(before) == before


def test_deploy_measures_the_output_a_step_later():
    before, inputs = recurrent(1), presented(1)
    ready = nd.deploy(before, "lava", inputs=inputs, verified=False)
    assert not ready.left
    assert "refractory-steps-forced" in [step.name for step in ready.steps]
    assert all(step.exact for step in ready.steps)
    assert ready.change.effect.differing == 0
    assert ready.change.effect.sent > 20
    assert ready.needs == ("'c' sends a step later than the network that was given",)
    assert not nd.deploy(ready.network, "lava", inputs=inputs, verified=False).steps
