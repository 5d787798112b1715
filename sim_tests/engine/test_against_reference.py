"""The engine against the slow NumPy simulator, on random networks of every kind."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.core.network import core_network
from neurodeploy.errors import BackendError, InputError
from neurodeploy.network import (
    Conv,
    CubaLIF,
    Dense,
    Network,
    Population,
    Projection,
    Source,
)
from sim_tests.random_networks import Draw
from sim_tests.reference import simulate

RECORD = ("spikes", "states")


def assert_equal_to_reference(network, values, **options):
    recording = nd.run(network, values, record=RECORD, apply_transform=False, **options)
    for index, sample in enumerate(values):
        truth = simulate(network, sample, **options)
        for population in network.populations:
            for variable, expected in truth[population.name].items():
                found = recording[population.name][variable][index]
                np.testing.assert_array_equal(
                    found, expected, f"sample {index}, {population.name}, {variable}"
                )
    return recording


@pytest.mark.parametrize("seed", range(120))
def test_random_network_equals_reference(seed):
    draw = Draw(seed)
    assert_equal_to_reference(draw.network, draw.inputs(samples=2))


@pytest.mark.parametrize("seed", range(60))
def test_random_network_beyond_netx_equals_reference(seed):
    draw = Draw(2000 + seed, beyond_netx=True)
    assert_equal_to_reference(draw.network, draw.inputs(samples=2))


@pytest.mark.parametrize("seed", range(12))
def test_resets_equal_reference(seed):
    draw = Draw(1000 + seed, delays=False, sigma_delta=False)
    assert_equal_to_reference(
        draw.network, draw.inputs(steps=30), reset_interval=7, reset_offset=seed % 4
    )


def test_random_networks_do_something():
    """Guards the tests above against drawing networks that stay silent."""
    spikes = []
    for seed in range(60):
        draw = Draw(seed)
        recording = nd.run(draw.network, draw.inputs(), apply_transform=False)
        spikes.append(min(recording[name].counts.sum() for name in recording.names))
    assert np.mean([count > 0 for count in spikes]) > 0.6


def test_an_input_population_may_feed_itself():
    rng = np.random.default_rng(1)
    loop = Dense(2 * rng.integers(-40, 40, (6, 6)).astype(np.int32))
    network = Network(
        (Population("input", (6,), CubaLIF(500, 100, 90)),), (Projection("input", "input", loop),)
    )
    values = rng.integers(-40, 60, (2, 40, 6)).astype(np.int32)
    recording = assert_equal_to_reference(network, values)
    assert recording.output.any()


@pytest.mark.parametrize("seed", range(20))
def test_populations_in_cycles(seed):
    """Any graph: populations that feed each other in any direction, with and without delays."""
    rng = np.random.default_rng(seed)
    names = ["input", "a", "b", "c", "d"]
    sizes = dict(zip(names, rng.integers(2, 9, 5), strict=True))
    populations = []
    for name in names:
        size = int(sizes[name])
        delay = rng.integers(0, 6, size).astype(np.int32) if rng.random() < 0.5 else None
        neuron = CubaLIF(1024, 300, int(rng.integers(20, 200))) if name != "input" else Source()
        populations.append(Population(name, (size,), neuron, delay))
    projections = [
        Projection(source, target, Dense(weight_of(rng, sizes[target], sizes[source])))
        for source in names
        for target in names[1:]
        if rng.random() < 0.4 or (source, target) in (("input", "a"), ("a", "b"), ("b", "a"))
    ]
    network = Network(tuple(populations), tuple(projections))
    values = (rng.random((2, 40, sizes["input"])) < 0.4).astype(np.int32)
    recording = assert_equal_to_reference(network, values)
    assert recording["a"].counts.sum() > 10


def weight_of(rng, *shape):
    return 2 * rng.integers(-60, 90, shape).astype(np.int32)


def one_neuron(neuron, weight=64):
    return Network(
        (Population("input", (1,), Source()), Population("lif", (1,), neuron)),
        (Projection("input", "lif", Dense(np.array([[weight]], np.int32))),),
    )


def test_current_wraps_at_24_bits_and_voltage_saturates():
    network = one_neuron(CubaLIF(0, 4096, 131071), weight=255)
    values = np.full((1, 60, 1), 60, np.int32)  # 60 * 255 * 64 a step: past 2^23 in 9 steps
    recording = assert_equal_to_reference(network, values)
    overflows = recording["lif"].overflows()
    assert overflows["u_overflows"] > 0
    assert recording["lif"].u.min() < 0 < recording["lif"].u.max()
    network = one_neuron(CubaLIF(4096, 0, 1 << 17), weight=255)
    recording = assert_equal_to_reference(network, values)
    assert recording["lif"].v.max() == 2**23 - 1
    assert recording["lif"].overflows()["v_overflows"] > 0


def test_convolutions_of_little_and_of_much_activity():
    weight = np.full((8, 2, 3, 3), 2, np.int32)
    conv = Conv(weight, padding=(1, 1))
    network = Network(
        (
            Population("input", (2, 24, 24), Source()),
            Population("conv", (8, 24, 24), CubaLIF(1024, 300, 90)),
        ),
        (Projection("input", "conv", conv),),
    )
    rng = np.random.default_rng(0)
    for activity in (0.02, 0.9):  # sums of single messages, and sums that are looked up
        values = (rng.random((1, 6, 2, 24, 24)) < activity).astype(np.int32)
        assert_equal_to_reference(network, values)


def test_threads_and_blocks_change_nothing(monkeypatch):
    draw = Draw(5)
    values = draw.inputs(samples=37, steps=11)
    runs = []
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("NEURODEPLOY_THREADS", threads)
        runs.append(nd.run(draw.network, values, record=RECORD, apply_transform=False))
    for count in (1, 3):
        runs.append(
            nd.run(draw.network, values, record=RECORD, apply_transform=False, threads=count)
        )
    for run in runs[1:]:
        assert sorted(run.arrays) == sorted(runs[0].arrays)
        for key in runs[0].arrays:
            np.testing.assert_array_equal(run.arrays[key], runs[0].arrays[key])


def test_the_argument_threads_goes_before_the_environment(monkeypatch):
    monkeypatch.setenv("NEURODEPLOY_THREADS", "many")
    draw = Draw(5)
    values = draw.inputs(samples=3, steps=4)
    nd.run(draw.network, values, apply_transform=False, threads=2)
    with pytest.raises(BackendError, match="NEURODEPLOY_THREADS: 'many'"):
        nd.run(draw.network, values, apply_transform=False)
    with pytest.raises(InputError, match="threads: 0; give at least 1"):
        nd.run(draw.network, values, apply_transform=False, threads=0)


def test_samples_are_independent():
    draw = Draw(3)
    values = draw.inputs(samples=4)
    together = nd.run(draw.network, values, apply_transform=False)
    for index in range(4):
        alone = nd.run(draw.network, values[index], apply_transform=False)
        np.testing.assert_array_equal(alone.output[0], together.output[index])


def test_a_network_is_packed_once_and_for_its_lifetime():
    network = Draw(6).network
    assert core_network(network) is core_network(network)
    packed = weakref.ref(core_network(network))
    del network
    gc.collect()
    assert packed() is None


def test_steps_cut_and_fill():
    draw = Draw(7)
    values = draw.inputs(steps=10)
    longer = nd.run(draw.network, values, steps=15, apply_transform=False)
    filled = np.concatenate([values, np.zeros_like(values[:, :5])], axis=1)
    np.testing.assert_array_equal(
        longer.output, nd.run(draw.network, filled, apply_transform=False).output
    )
    shorter = nd.run(draw.network, values, steps=4, apply_transform=False)
    np.testing.assert_array_equal(shorter.output, longer.output[:, :4])


def test_synops_count_every_synapse_that_a_message_reaches():
    """Brute force: send one message from every neuron in turn and see what it touches."""
    for seed in range(40):
        network = Draw(seed).network
        for projection in network.projections:
            source = network[projection.source]
            if not projection.synapse.steps:
                continue
            fan_out = projection.synapse.fan_out(source.shape)
            if isinstance(projection.synapse, Dense):
                expected = (projection.synapse.weight != 0).sum(axis=0)
            else:
                expected = [
                    conv_touches(projection.synapse, source.shape, j) for j in range(source.size)
                ]
            np.testing.assert_array_equal(fan_out, expected)


def conv_touches(synapse, shape, neuron):
    from dataclasses import replace

    from sim_tests.reference_synapses import convolve

    ones = replace(synapse, weight=(synapse.weight != 0).astype(np.int32))
    message = np.zeros(int(np.prod(shape)), np.int64)
    message[neuron] = 1
    return convolve(ones, message.reshape(shape)).sum()
