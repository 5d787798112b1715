"""Delays on synapses and through relays: all behind them gets the same, step by step."""

from dataclasses import replace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.network import (
    Average,
    Conv,
    CubaLIF,
    DelayedDense,
    DelayedSparse,
    Dense,
    Network,
    Pool,
    Population,
    Projection,
    Rating,
    Readout,
    SigmaDelta,
    Source,
    Sparse,
)
from neurodeploy.targets.look_ahead import look_ahead
from neurodeploy.targets.rewrite import (
    axon_delays_by_relays,
    host_relays_as_delays,
    rewritten_for,
)

pytestmark = pytest.mark.filterwarnings("ignore::neurodeploy.errors.ChipWarning")


def weights(rng, *shape, low=-40, high=70):
    return (2 * rng.integers(low, high, shape)).astype(np.int32)


def delays(rng, shape, longest, how):
    if how == "channels":
        each = rng.integers(0, longest, shape[0])
        return np.repeat(each, int(np.prod(shape[1:]))).astype(np.int32)
    if how == "all":
        return rng.integers(1, longest, int(np.prod(shape))).astype(np.int32)
    return rng.integers(0, longest, int(np.prod(shape))).astype(np.int32)


def convolutions(seed, how="channels", longest=9, graded=False):
    """A delayed image that a convolution, a dense layer and a pool hear."""
    rng = np.random.default_rng(seed)
    neuron = SigmaDelta(3) if graded else CubaLIF(1024, 300, 120)
    image = (4, 6, 5)
    late = delays(rng, image, longest, how)
    populations = (
        Population("input", (2, 6, 5), Source(signed=graded)),
        Population("a", image, neuron, axon_delay=late),
        Population("b", (3, 4, 3), neuron),
        Population("c", (7,), neuron),
    )
    low = -3 if graded else -40
    projections = (
        Projection("input", "a", Conv(weights(rng, 4, 2, 3, 3, low=low), padding=(1, 1))),
        Projection("a", "b", Conv(weights(rng, 3, 4, 3, 3, low=low))),
        Projection("a", "c", Dense(weights(rng, 7, 120, low=low, high=5 if graded else 50))),
        Projection("b", "c", Dense(weights(rng, 7, 36, low=low, high=5 if graded else 50))),
    )
    return Network(populations, projections)


def presented(network, seed=0, samples=2, steps=50):
    rng = np.random.default_rng(seed)
    shape = (samples, steps, *network.input.shape)
    if network.input.neuron.signed:
        return rng.integers(-9, 10, shape).astype(np.int32)
    return (rng.random(shape) < 0.3).astype(np.int32)


def assert_same_behind(before, after, changed, seed=0, steps=50):
    """Messages, u and v of everything but the populations that send earlier now."""
    inputs = presented(before, seed, steps=steps)
    a, b = (nd.run(n, inputs, record=("spikes", "u", "v")) for n in (before, after))
    for p in before.populations[1:]:
        if p.name not in changed and p.name in b.names:
            assert a[p.name].spikes.any()
            for what in ("spikes", "u", "v"):
                theirs = getattr(b[p.name], what, None)
                np.testing.assert_array_equal(theirs, getattr(a[p.name], what), (p.name, what))


@pytest.mark.parametrize("graded", [False, True])
@pytest.mark.parametrize("how", ["channels", "all", "neurons"])
@pytest.mark.parametrize("longest", [3, 9, 60, 150])
def test_convolutions_behind_delays(how, longest, graded):
    for seed in range(3):
        before = convolutions(seed, how, longest, graded)
        after = axon_delays_by_relays(before)
        assert after["a"].axon_delay is None
        assert_same_behind(before, after, {"a"}, seed, 50 + longest)
        assert axon_delays_by_relays(after) == after
        if longest == 150:
            assert not after.beyond_chip


def test_delays_of_a_matrix_beyond_the_longest():
    rng = np.random.default_rng(4)
    weight = weights(rng, 9, 11)
    delay = rng.integers(0, 200, weight.shape).astype(np.int32)
    before = Network(
        (Population("input", (11,), Source()), Population("a", (9,), CubaLIF(900, 300, 90))),
        (Projection("input", "a", DelayedDense(weight, delay, beyond_chip=True)),),
    )
    inputs = presented(before, steps=260)
    after = axon_delays_by_relays(before)
    assert len(after.populations) == 2 + delay.max() // 63
    assert not after.beyond_chip
    record = ("spikes", "u", "v")
    a, b = (nd.run(n, inputs, record=record) for n in (before, after))
    for what in record:
        np.testing.assert_array_equal(getattr(b["a"], what), getattr(a["a"], what))


def looped(seed, behind):
    """A recurrent layer whose delays are its forward axons' alone, as SLAYER's is read."""
    rng = np.random.default_rng(seed)
    neuron = CubaLIF(1500, 200, 150)
    shape = (3, 4, 4)
    late = delays(rng, shape, 12, "channels")
    last = Population("b", behind.output_shape(shape) if behind else (5,), neuron)
    synapse = behind or Dense(weights(rng, 5, 48))
    return Network(
        (
            Population("input", shape, Source()),
            Population("a", shape, neuron),
            Population("a_axon", shape, Average(1), late),
            last,
        ),
        (
            Projection("input", "a", Dense(weights(rng, 48, 48))),
            Projection("a", "a", Dense(weights(rng, 48, 48, low=-30, high=20))),
            Projection("a", "a_axon", Readout()),
            Projection("a_axon", "b", synapse),
        ),
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["dense", "conv"])
def test_relays_of_the_host(seed, kind):
    rng = np.random.default_rng(seed)
    before = looped(seed, Conv(weights(rng, 2, 3, 2, 2)) if kind == "conv" else None)
    after = host_relays_as_delays(before)
    assert "a_axon" not in [p.name for p in after.populations]
    assert_same_behind(before, after, set(), seed)
    assert host_relays_as_delays(after) == after


def test_a_relay_at_the_output_stays_on_the_host():
    before = looped(0, None)
    cut = replace(before, populations=before.populations[:3], projections=before.projections[:3])
    assert host_relays_as_delays(cut) == cut


@pytest.mark.parametrize("graded", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_lava_runs_them(lava, graded):
    networks = [convolutions(1, "channels", 7, graded), convolutions(2, "all", 90, graded)]
    networks += [] if graded else [looped(3, None)]
    for before in networks:
        assert look_ahead(before, "lava").worst is Rating.UNSUPPORTED
        after = rewritten_for(before, "lava")
        assert look_ahead(after, "lava").worst is Rating.FAITHFUL
        inputs = presented(before, samples=2, steps=40)
        ours = nd.run(before, inputs, record=("spikes", "u", "v"))
        theirs = nd.run(after, inputs, record=("spikes", "u", "v"), backend="lava")
        for name in ("b", "c"):
            if name in ours.names:
                np.testing.assert_array_equal(theirs[name].spikes, ours[name].spikes, name)
                np.testing.assert_array_equal(theirs[name].u, ours[name].u, name)


def test_sparse_synapses_with_delays_are_the_matrix_of_lava():
    rng = np.random.default_rng(1)
    weight = weights(rng, 9, 11) * (rng.random((9, 11)) < 0.4)
    delay = rng.integers(0, 20, weight.shape)
    listed = DelayedSparse.of(weight, delay)
    np.testing.assert_array_equal(listed.to_dense(), weight)
    np.testing.assert_array_equal(listed.delays_to_dense(), np.where(weight != 0, delay, 0))
    straight = DelayedSparse.relay(np.array([3, 0, 5]), 2)
    np.testing.assert_array_equal(straight.to_dense(), np.diag([2, 2, 2]))
    assert isinstance(Sparse.from_dense(weight), Sparse)
    assert Pool.sums((2, 2), 1).longest_delay == 0
