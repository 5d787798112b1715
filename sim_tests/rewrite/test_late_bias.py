"""Biases that begin late: an initial voltage leads to the same messages, in every number."""

from dataclasses import replace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import NetworkError, UnsupportedError
from neurodeploy.network import (
    CubaLIF,
    Delta,
    Dense,
    LeakyIntegrator,
    Network,
    Population,
    Projection,
    Source,
)
from neurodeploy.targets.rewrite import (
    bias_from_the_start,
    late_bias_as_initial_voltage,
    rewritten_for,
    voltage_before,
)
from sim_tests.reference import simulate


def chain(seed, biases=(-900, 900), shapes=((40,), (70,), (9,))):
    """Three layers, each of which starts with its first input."""
    rng = np.random.default_rng(seed)
    populations = [Population("input", (12,), Source())]
    projections = []
    for hop, shape in enumerate(shapes, 1):
        n = int(np.prod(shape))
        per_neuron = bool(rng.integers(2))
        bias = rng.integers(*biases, n if per_neuron else 1).astype(np.int32)
        neuron = CubaLIF(int(rng.choice([4096, 900])), int(rng.integers(0, 4096)), 1400, bias)
        before = populations[-1]
        populations.append(Population(f"l{hop}", shape, neuron, starts=hop))
        weight = 2 * rng.integers(-60, 100, (n, before.size)).astype(np.int32)
        projections.append(Projection(before.name, f"l{hop}", Dense(weight)))
    return Network(tuple(populations), tuple(projections))


def presented(network, seed=0, samples=3, steps=30):
    rng = np.random.default_rng(seed)
    return (rng.random((samples, steps, network.input.size)) < 0.3).astype(np.int32)


def assert_same_from_the_start(before, after, inputs):
    """All messages; u and v from the step on in which the population started before."""
    record = ("spikes", "u", "v")
    a, b = (nd.run(n, inputs, record=record) for n in (before, after))
    for p in before.populations[1:]:
        np.testing.assert_array_equal(b[p.name].spikes, a[p.name].spikes, p.name)
        for what in ("u", "v"):
            theirs, ours = (getattr(r[p.name], what)[:, p.starts :] for r in (b, a))
            np.testing.assert_array_equal(theirs, ours, f"{what} of {p.name}")


@pytest.mark.parametrize("seed", range(12))
def test_messages_and_states_are_the_same(seed):
    before = chain(seed)
    after = late_bias_as_initial_voltage(before)
    changed = [p.name for p in after.populations if np.any(p.initial_voltage)]
    assert "l1" in changed  # of one step every bias has its voltage
    assert [after[n].starts for n in changed] == [0] * len(changed)
    assert_same_from_the_start(before, after, presented(before))
    assert late_bias_as_initial_voltage(after) == after


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("decay", [0, 1, 128, 1024, 4000, 4095])
def test_every_bias_has_a_voltage_before_it(steps, decay):
    """Tried on the equations one neuron at a time, in Python's integers."""
    biases = np.array([-4095, -700, -64, -1, 1, 3, 500, 4095], np.int32)
    for bias in biases.tolist():
        neuron = CubaLIF(4096, decay, 1 << 20, bias)
        found = voltage_before(neuron, 1, steps)
        grown = abs(64 * bias) * sum((4096 / (4096 - decay)) ** k for k in range(1, steps + 1))
        if found is None:
            assert grown > 0.99 * 2**23
            continue
        v = int(found[0])
        for _ in range(steps):
            leaked = abs(v) * (4096 - decay) >> 12
            v = (leaked if v > 0 else -leaked) + 64 * bias
        assert v == 0


def test_a_bias_that_would_fire_on_its_way_is_left():
    """From above, v falls through the threshold; by a reset it is at 0 just then."""
    before = chain(1, biases=(-900, -800), shapes=((5,), (5,), (5,)))
    after = late_bias_as_initial_voltage(before)
    assert np.all(after["l1"].initial_voltage > 0)
    assert after["l3"].starts == 3
    early = bias_from_the_start(before, frozenset(["l3"]))
    assert (early["l2"].starts, early["l3"].starts) == (2, 0)


def test_what_arrives_before_the_start_stays_lost():
    before = chain(2)
    later = replace(before["l1"], starts=4)
    before = replace(before, populations=(before.input, later, *before.populations[2:]))
    assert late_bias_as_initial_voltage(before)["l1"].starts == 4


@pytest.mark.parametrize("seed", range(6))
def test_the_engine_starts_where_the_equations_do(seed):
    """Whole arrays, against NumPy's equations; images and windows, threads and streams too."""
    rng = np.random.default_rng(seed)
    network = chain(seed, shapes=((2, 5, 7), (130,), (9,)))
    populations = tuple(
        p
        if p is network.input
        else replace(p, starts=0, initial_voltage=rng.integers(-40000, 40000, p.size))
        for p in network.populations
    )
    network = replace(network, populations=populations)
    inputs = presented(network)
    found = nd.run(network, inputs, record=("spikes", "u", "v"), threads=1 + seed % 2)
    for sample, values in enumerate(inputs):
        expected = simulate(network, values)
        for p in network.populations[1:]:
            for what in ("spikes", "u", "v"):
                got = getattr(found[p.name], what)[sample]
                wanted = np.asarray(expected[p.name][what]).reshape(got.shape)
                np.testing.assert_array_equal(got, wanted, f"{what} of {p.name}")
    with nd.stream(network) as stream:
        for sample, values in enumerate(inputs):
            stream.reset()
            sent = np.stack([np.asarray(stream.step(value)) for value in values])
            np.testing.assert_array_equal(sent, found.output[sample])


@pytest.mark.parametrize("seed", range(3))
def test_a_gated_stream_starts_each_population_where_it_is_reached(seed):
    late = chain(seed, biases=(1, 900))
    leaks = [replace(p, neuron=replace(p.neuron, voltage_decay=300)) for p in late.populations[1:]]
    network = late_bias_as_initial_voltage(replace(late, populations=(late.input, *leaks)))
    assert all(p.starts == 0 and np.any(p.initial_voltage) for p in network.populations[1:])
    values, lag = presented(network)[0], network.hops("l3")
    whole = nd.run(network, values[None], drain=True).output[0]
    assert whole.any()
    with nd.stream(network, gated=True) as stream:
        sent = np.stack([np.asarray(stream.step(value)) for value in values])
    np.testing.assert_array_equal(sent, whole[lag:])


def test_a_reset_brings_v_to_0_all_the_same():
    network = chain(3)
    first = replace(network["l1"], starts=0, initial_voltage=np.arange(40) * 100)
    network = replace(network, populations=(network.input, first, *network.populations[2:]))
    inputs = presented(network)
    found = nd.run(network, inputs, record=("v",), reset_interval=8)
    expected = simulate(network, inputs[0], reset_interval=8)
    np.testing.assert_array_equal(found["l1"].v[0], expected["l1"]["v"])


def test_it_is_kept_in_files(tmp_path):
    after = late_bias_as_initial_voltage(chain(4))
    nd.save(after, tmp_path / "a.net")
    assert nd.load(tmp_path / "a.net") == after
    pytest.importorskip("nir")
    with pytest.raises(UnsupportedError, match="NIR's neurons begin at rest"):
        nd.save(after, tmp_path / "a.nir", dt=1e-3)


def test_only_neurons_with_a_voltage_have_a_first_one():
    with pytest.raises(NetworkError, match="delta neurons start at 0 alone"):
        Population("a", (2,), Delta(1), initial_voltage=3)
    with pytest.raises(NetworkError, match=r"shape \(3,\), needs one number, or one for each of 2"):
        Population("a", (2,), LeakyIntegrator(1, 1), initial_voltage=np.array([1, 2, 3]))


def test_lava_runs_it_the_same(lava):
    for seed in range(2):
        before = chain(seed, shapes=((20,), (30,), (9,)))
        after = rewritten_for(before, "lava")
        inputs = presented(before)
        ours = nd.run(after, inputs, record=("spikes", "u", "v"))
        theirs = nd.run(after, inputs, record=("spikes", "u", "v"), backend="lava")
        for p in after.populations[1:]:
            for what in ("spikes", "u", "v"):
                np.testing.assert_array_equal(
                    getattr(theirs[p.name], what), getattr(ours[p.name], what), f"{what}, {p.name}"
                )


def test_lava_resets_where_no_voltage_does_it(lava):
    """A negative bias over several steps: v is 0 by a reset just when it starts."""
    before = chain(1, biases=(-900, -800), shapes=((5,), (5,), (5,)))
    assert before["l3"].starts == 3
    inputs = presented(before)
    theirs = nd.run(before, inputs, record=("spikes", "v"), backend="lava")
    ours = nd.run(before, inputs, record=("spikes", "v"))
    for p in before.populations[1:]:
        np.testing.assert_array_equal(theirs[p.name].spikes, ours[p.name].spikes)
        np.testing.assert_array_equal(
            theirs[p.name].v[:, p.starts :], ours[p.name].v[:, p.starts :]
        )
