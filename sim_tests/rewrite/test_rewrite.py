"""Each rewrite sends and holds the same numbers, whole arrays, step by step."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import InputError, NetworkError
from neurodeploy.network import (
    Average,
    Conv,
    CubaLIF,
    DelayedDense,
    Dense,
    GradedThreshold,
    Network,
    Pool,
    Population,
    Projection,
    Rating,
    Readout,
    Source,
    TemporalFIR,
)
from neurodeploy.targets.look_ahead import look_ahead
from neurodeploy.targets.rewrite import (
    averages_on_host,
    columns_in_order,
    delays_on_axons,
    pool_as_conv,
    rewritten_for,
    sums_in_parts,
    taps_as_delays,
)
from sim_tests import random_synapses


def spikes_for(network, seed=0, steps=40, rate=0.35):
    rng = np.random.default_rng(seed)
    return (rng.random((2, steps, *network.input.shape)) < rate).astype(np.int32)


def assert_same(before, after, least=50):
    """Every population of both, u, v and messages."""
    spikes = spikes_for(before)
    old, new = (nd.run(n, spikes, record=("spikes", "states")) for n in (before, after))
    sent = 0
    for population in after.populations:
        if population.name not in [p.name for p in before.populations]:
            continue
        np.testing.assert_array_equal(
            new[population.name].spikes, old[population.name].spikes, population.name
        )
        for what in population.neuron.states:
            mine, theirs = (r[population.name][what] for r in (new, old))
            np.testing.assert_array_equal(mine, theirs)
        sent += np.count_nonzero(old[population.name].spikes)
    np.testing.assert_array_equal(new.output, old.output)
    assert sent > least


def pooled(pool, source, target):
    return Network(
        (
            Population("input", source, Source()),
            Population("pool", target, CubaLIF(1500, 400, 150)),
        ),
        (Projection("input", "pool", pool),),
    )


def test_pools_as_convolutions():
    rewritten, left = 0, 0
    for seed in range(60):
        pool, source, target = random_synapses.draw("pool", seed)
        before = pooled(pool, source, target)
        after = pool_as_conv(before)
        if isinstance(after.projections[0].synapse, Pool):
            left += 1
            ends = any(pool.end_padding)
            assert pool.across_channels or ends, "one that could have been rewritten"
            continue
        rewritten += 1
        assert isinstance(after.projections[0].synapse, Conv)
        assert after.projections[0].synapse.groups == source[0]
        assert_same(before, after, least=0)
    assert rewritten > 15
    assert left > 5


def test_a_pooled_network_fits_lava_only_after_it():
    before = pooled(Pool.sums((2, 2), 70), (3, 6, 8), (3, 3, 4))
    assert look_ahead(before, "lava").worst is Rating.UNSUPPORTED
    assert look_ahead(before, "loihi2").worst is Rating.UNSUPPORTED
    after = pool_as_conv(before)
    assert look_ahead(after, "lava").worst is Rating.FAITHFUL
    assert look_ahead(after, "loihi2").worst is Rating.FAITHFUL
    assert_same(before, after)


@pytest.mark.parametrize("seed", range(8))
def test_taps_in_time_as_delays(seed):
    before = tapped(seed)
    after = taps_as_delays(before)
    assert not any(isinstance(p.synapse, TemporalFIR) for p in after.projections)
    assert_same(before, after)


def test_taps_in_time_run_on_lava_after_it(lava):
    for seed in (0, 1):
        before = tapped(seed)
        assert look_ahead(before, "lava").worst is Rating.UNSUPPORTED
        after = rewritten_for(before, "lava")
        spikes, record = spikes_for(before), ("spikes", "u", "v")
        ours = nd.run(before, spikes, record=record)
        theirs = nd.run(after, spikes, record=record, backend="lava")
        for what in record:
            np.testing.assert_array_equal(
                getattr(theirs["a"], what), getattr(ours["a"], what), f"{what} of seed {seed}"
            )
        assert ours.output.sum() > 20


def tapped(seed):
    """Taps from each neuron to its counterpart (even seeds), or to all; one tap is empty."""
    rng = np.random.default_rng(seed)
    weight = 2 * rng.integers(-40, 70, (5, 12, 12) if seed % 2 else (5, 12))
    weight[2] = 0
    return Network(
        (Population("input", (12,), Source()), Population("a", (12,), CubaLIF(900, 300, 90))),
        (Projection("input", "a", TemporalFIR(weight.astype(np.int32))),),
    )


def dense(rng, targets, sources):
    return (2 * rng.integers(-40, 70, (targets, sources))).astype(np.int32)


@pytest.mark.parametrize("seed", range(8))
def test_delays_of_synapses_move_to_the_axon_before(seed):
    rng = np.random.default_rng(seed)
    own = rng.integers(0, 4, 9).astype(np.int32) if seed % 2 else None
    before = Network(
        (
            Population("input", (12,), Source()),
            Population("a", (9,), CubaLIF(900, 300, 90), own),
            Population("b", (6,), CubaLIF(900, 300, 90)),
        ),
        (
            Projection("input", "a", Dense(dense(rng, 9, 12))),
            Projection("a", "b", DelayedDense.from_axons(dense(rng, 6, 9), rng.integers(0, 6, 9))),
        ),
    )
    after = delays_on_axons(before)
    assert isinstance(after.projections[1].synapse, Dense)
    spikes = spikes_for(before)
    old, new = (nd.run(n, spikes, record=("spikes", "u", "v")) for n in (before, after))
    for what in ("spikes", "u", "v"):
        np.testing.assert_array_equal(getattr(new["b"], what), getattr(old["b"], what))
    for what in ("u", "v"):  # what leaves a is late now, its own states are not
        np.testing.assert_array_equal(getattr(new["a"], what), getattr(old["a"], what))
    assert old.output.sum() > 20


def test_delays_that_differ_between_targets_stay():
    rng = np.random.default_rng(0)
    synapse = DelayedDense(dense(rng, 6, 12), rng.integers(0, 6, (6, 12)).astype(np.int32))
    before = Network(
        (Population("input", (12,), Source()), Population("b", (6,), CubaLIF(900, 300, 90))),
        (Projection("input", "b", synapse),),
    )
    assert delays_on_axons(before) == before


@pytest.mark.parametrize("shape", [(4, 6, 5), (7,)])
def test_relays_dissolve_into_the_axons_they_stand_for(shape):
    """The delay of a convolution, as a relay before it, becomes one of the axons."""
    rng = np.random.default_rng(1)
    if len(shape) == 3:
        first = Conv((2 * rng.integers(-30, 60, (4, 2, 3, 3))).astype(np.int32), padding=(1, 1))
        second = Conv((2 * rng.integers(-30, 60, (3, 4, 3, 3))).astype(np.int32))
        source, target = (2, 6, 5), (3, 4, 3)
    else:
        first, second = Dense(dense(rng, 7, 9)), Dense(dense(rng, 5, 7))
        source, target = (9,), (5,)
    size = int(np.prod(shape))
    before = Network(
        (
            Population("input", source, Source()),
            Population("a", shape, CubaLIF(900, 300, 150)),
            Population("late", shape, Average(1), (np.arange(size) % 6).astype(np.int32)),
            Population("b", target, CubaLIF(900, 300, 150)),
        ),
        (
            Projection("input", "a", first),
            Projection("a", "late", Readout()),
            Projection("late", "b", second),
        ),
    )
    after = delays_on_axons(before)
    assert [p.name for p in after.populations] == ["input", "a", "b"]
    spikes = spikes_for(before)
    old, new = (nd.run(n, spikes, record=("spikes", "u", "v")) for n in (before, after))
    for what in ("spikes", "u", "v"):
        np.testing.assert_array_equal(getattr(new["b"], what), getattr(old["b"], what))
    np.testing.assert_array_equal(new["a"].spikes, old["late"].spikes)
    assert old.output.sum() > 20


def test_a_relay_that_others_hear_past_stays():
    rng = np.random.default_rng(1)
    before = Network(
        (
            Population("input", (9,), Source()),
            Population("late", (9,), Average(1), np.full(9, 3, np.int32)),
            Population("b", (5,), CubaLIF(900, 300, 150)),
        ),
        (
            Projection("input", "late", Readout()),
            Projection("late", "b", Dense(dense(rng, 5, 9))),
            Projection("input", "b", Dense(dense(rng, 5, 9))),
        ),
    )
    assert delays_on_axons(before) == before


def test_an_average_on_the_host():
    rng = np.random.default_rng(2)
    before = Network(
        (
            Population("input", (12,), Source()),
            Population("a", (8,), CubaLIF(900, 300, 90)),
            Population("mean", (4,), Average(2)),
        ),
        (Projection("input", "a", Dense(dense(rng, 8, 12))), Projection("a", "mean", Readout())),
    )
    rest, sums = averages_on_host(before)
    assert rest.output.name == "a"
    spikes = spikes_for(before)
    whole = nd.run(before, spikes).output
    np.testing.assert_array_equal(sums(nd.run(rest, spikes).output), whole)
    assert whole.sum() > 50
    same, nothing = averages_on_host(rest)
    assert same is rest
    np.testing.assert_array_equal(nothing(whole), whole)


def test_flatten_orders():
    """A matrix after an image is the same one after the image turned, with its columns moved."""
    rng = np.random.default_rng(5)
    shape = (3, 4, 5)
    weight = dense(rng, 7, 60)
    image = (rng.random((2, 30, *shape)) < 0.4).astype(np.int32)
    neuron = CubaLIF(900, 300, 120)

    def run(matrix, spikes):
        network = Network(
            (Population("input", (60,), Source()), Population("a", (7,), neuron)),
            (Projection("input", "a", Dense(matrix)),),
        )
        return nd.run(network, spikes.reshape(2, 30, -1), record=("spikes", "u", "v"))["a"]

    before = run(weight, image)
    assert before.spikes.sum() > 50
    for order in ("CHW", "WHC", "HWC", "CWH"):
        turned = image.transpose(0, 1, *(2 + "CHW".index(axis) for axis in order))
        after = run(columns_in_order(weight, shape, order), turned)
        for what in ("spikes", "u", "v"):
            np.testing.assert_array_equal(getattr(after, what), getattr(before, what))
    with pytest.raises(NetworkError, match="needs a permutation of CHW and 60 columns"):
        columns_in_order(weight, shape, "CWX")


@pytest.mark.parametrize("parts", [2, 3, 8, {"a": 2}])
def test_sums_in_parts(parts):
    """The same where nothing wraps; where the whole wraps, the true sums."""
    rng = np.random.default_rng(6)
    weight = (2 * rng.integers(-30, 60, (4, 6, 3, 3))).astype(np.int32)
    before = Network(
        (
            Population("input", (6, 7, 7), Source()),
            Population("a", (4, 5, 5), CubaLIF(900, 300, 150)),
        ),
        (Projection("input", "a", Conv(weight)),),
    )
    after = sums_in_parts(before, parts)
    wanted = parts["a"] if isinstance(parts, dict) else min(parts, 6)
    assert len(after.projections) == wanted
    np.testing.assert_array_equal(sum(p.synapse.weight for p in after.projections), weight)
    assert_same(before, after)


def test_a_sum_that_wraps_does_not_in_parts():
    weight = np.full((1, 4, 1, 1), 1 << 20, np.int32)
    before = Network(
        (
            Population("input", (4, 1, 1), Source()),
            Population("a", (1, 1, 1), GradedThreshold(0)),
        ),
        (Projection("input", "a", Conv(weight)),),
    )
    payloads = np.full((1, 3, 4, 1, 1), 3, np.int32)
    whole = nd.run(before, payloads)
    split = nd.run(sums_in_parts(before, 4), payloads)
    assert split.output[0, 1:].ravel().tolist() == [12 << 20] * 2
    assert whole.output[0, 1:].ravel().tolist() == [(12 << 20) - (1 << 24)] * 2
    assert whole["a"].overflows()["input_overflows"] == 2


@pytest.mark.parametrize("target", ["lava", "loihi2"])
def test_all_that_a_target_needs(target):
    before = pooled(Pool.sums((2, 2), 70), (3, 6, 8), (3, 3, 4))
    after = rewritten_for(before, target)
    assert look_ahead(after, target).worst is Rating.FAITHFUL
    assert [entry.reason for entry in after.audit] == [
        f"for {target}: sum pools as depthwise convolutions of the same sums; exact"
    ]
    assert rewritten_for(after, target) == after
    with pytest.raises(InputError, match="unknown; there are lava, loihi2"):
        rewritten_for(before, "spinnaker")
