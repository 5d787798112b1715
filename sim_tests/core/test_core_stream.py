"""Step by step, and one population alone: the core does what it does in a whole run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.core.replay import Messages, replay
from neurodeploy.core.stream import CoreStream
from neurodeploy.errors import InputError
from neurodeploy.network import CubaLIF, Dense, Network, Population, Projection, Source
from sim_tests.core.against_equations import run_core
from sim_tests.engine.test_synapses import inputs_of, network_of
from sim_tests.random_networks import Draw
from sim_tests.random_synapses import KINDS, draw, with_loop_and_taps


@pytest.mark.parametrize("seed", range(24))
def test_streaming_equals_running(unit, seed):
    network = Draw(seed, beyond_netx=seed % 2 == 1)
    values = network.inputs(steps=40)
    whole = run_core(network.network, values)
    output = network.network.output
    stream = CoreStream(network.network)
    for turn in range(2):
        counts = []
        for t, x in enumerate(values[0]):
            sent = stream.step(x)
            expected = whole[output.name]["spikes"][0, t]
            np.testing.assert_array_equal(sent.ravel(), expected, f"turn {turn}, step {t}")
            counts.append(stream.messages)
        for k, population in enumerate(network.network.populations):
            expected = whole[population.name]["step_counts"][0]
            np.testing.assert_array_equal(np.array(counts)[:, k], expected)
        stream.reset()


@pytest.mark.parametrize("kind", ["conv", "dense", "pool", "sparse", "delayed_dense"])
def test_synops_are_the_synapses_that_messages_reach(unit, kind):
    for seed in range(4):
        network = network_of(*draw(kind, seed))
        values = inputs_of(network, seed, samples=1)
        sent = run_core(network, values)["input"]["spikes"][0] != 0
        (projection,) = network.projections
        expected = sent @ projection.synapse.fan_out(network.input.shape)
        stream, plain = CoreStream(network, count=True), CoreStream(network)
        for x, count in zip(values[0], expected, strict=True):
            np.testing.assert_array_equal(stream.step(x), plain.step(x))
            assert (stream.synops, plain.synops) == (count, 0)
        assert expected.any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_gated_stream_is_the_same_without_the_lag(unit, kind):
    rng = np.random.default_rng(7)
    for seed in range(400, 402):
        network = with_loop_and_taps(network_of(*draw(kind, seed)), rng)
        lag = network.hops("tapped")
        values = inputs_of(network, seed, samples=1, steps=40)
        whole = run_core(network, values, steps=40 + lag)["tapped"]["spikes"][0]
        stream = CoreStream(network, gated=True)
        for _ in range(2):
            steps = np.array([stream.step(x).ravel() for x in values[0]])
            np.testing.assert_array_equal(steps, whole[lag:], f"seed {seed}")
            stream.reset()
        assert steps.any()


@pytest.mark.parametrize("seed", range(24))
def test_every_population_does_the_same_alone(unit, seed):
    network = Draw(seed, beyond_netx=seed % 2 == 1)
    inputs = network.inputs(samples=2, steps=20)
    recorded = run_core(network.network, inputs)
    for population in network.network.populations:
        name = population.name
        if population is network.network.input and not population.neuron.states:
            continue
        messages = {
            p.source: Messages.of(recorded[p.source]["spikes"]) for p in network.network.into(name)
        }
        again = replay(network.network, name, messages, values=inputs.reshape(2, 20, -1))
        np.testing.assert_array_equal(again.spikes, recorded[name]["spikes"])
        for state, kept in again.states.items():
            np.testing.assert_array_equal(kept, recorded[name][state])
        if population.axon_delay is None:
            np.testing.assert_array_equal(again.fired, again.spikes != 0)


def test_an_input_that_feeds_itself_runs_alone(unit):
    rng = np.random.default_rng(3)
    population = Population("input", (30,), CubaLIF(500, 300, 200), starts=3)
    loop = Projection("input", "input", Dense(rng.integers(-60, 60, (30, 30), np.int32)))
    network = Network((population,), (loop,))
    inputs = rng.integers(-40, 90, (2, 25, 30)).astype(np.int32)
    resets = np.arange(25) % 7 == 4
    recorded = run_core(network, inputs)["input"]
    assert recorded["spikes"].any()
    assert not recorded["spikes"][:, :3].any()
    messages = {"input": Messages.of(recorded["spikes"])}
    again = replay(network, "input", messages, values=inputs)
    np.testing.assert_array_equal(again.spikes, recorded["spikes"])
    reset = replay(network, "input", messages, values=inputs, resets=resets)
    assert (reset.states["v"] != again.states["v"]).any()


def test_axon_delays_are_told_from_firing(unit):
    delay = np.array([0, 2, 5], np.int32)
    network = Network(
        (
            Population("input", (3,), Source()),
            Population("neurons", (3,), CubaLIF(4096, 4096, 10), delay),
        ),
        (Projection("input", "neurons", Dense(np.eye(3, dtype=np.int32) * 20)),),
    )
    sent = np.zeros((1, 12, 3), np.int32)
    sent[0, 1] = 1
    again = replay(network, "neurons", {"input": Messages.of(sent)})
    assert np.argwhere(again.fired[0]).tolist() == [[2, 0], [2, 1], [2, 2]]
    assert np.argwhere(again.spikes[0]).tolist() == [[2, 0], [4, 1], [7, 2]]
    shorter = replace(network.populations[1], starts=3)
    late = Network((network.populations[0], shorter), network.projections)
    assert not replay(late, "neurons", {"input": Messages.of(sent)}).fired.any()


def test_a_population_that_nothing_feeds_runs_as_long_as_the_others(unit):
    network = Network(
        (Population("input", (2,), Source()), Population("drive", (3,), CubaLIF(0, 0, 5, bias=2))),
        (),
    )
    inputs = np.ones((2, 9, 2), np.int32)
    recorded = run_core(network, inputs)
    messages = {"input": Messages.of(recorded["input"]["spikes"])}
    again = replay(network, "drive", messages)
    np.testing.assert_array_equal(again.spikes, recorded["drive"]["spikes"])
    assert again.spikes.any()


def test_what_is_missing_is_named():
    network = Draw(3).network
    name = network.output.name
    with pytest.raises(InputError, match=f"{name}.*messages of"):
        replay(network, name, {})
