"""Every synapse operator in the engine against its definition in NumPy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import ChipWarning, NetworkError
from neurodeploy.network import (
    ComplexConv,
    ComplexDense,
    Conv,
    ConvTranspose,
    CubaLIF,
    DelayedDense,
    Dense,
    Network,
    OneToOne,
    Pool,
    Population,
    Projection,
    ResonateFireIzhikevich,
    SigmaDelta,
    Source,
    Sparse,
    Synapse,
    TemporalFIR,
    Unpool,
)
from sim_tests.engine.test_against_reference import assert_equal_to_reference
from sim_tests.random_synapses import KINDS, draw, weights
from sim_tests.reference_synapses import arriving

RF = ResonateFireIzhikevich(1500, 3600, 20)


def network_of(synapse, source, target, *, graded=False):
    """An input port, the operator, and neurons that it drives."""
    neuron = SigmaDelta(3) if graded else CubaLIF(2000, 900, 40)
    return Network(
        (
            Population("input", source, Source(signed=graded)),
            Population("neurons", target, RF if synapse.ports == 2 else neuron),
        ),
        (Projection("input", "neurons", synapse),),
    )


def inputs_of(network, seed, *, samples=2, steps=30):
    rng = np.random.default_rng(seed)
    shape = (samples, steps, *network.input.shape)
    if network.input.neuron.signed:
        values = rng.integers(-900, 1500, shape) * (rng.random(shape) < 0.4)
        return values.astype(np.int32)
    return (rng.random(shape) < rng.choice([0.1, 0.4])).astype(np.int32)


@pytest.mark.parametrize("kind", KINDS)
def test_operator_equals_its_definition(kind):
    counts = []
    for seed in range(25):
        synapse, source, target = draw(kind, seed)
        network = network_of(synapse, source, target)
        recording = assert_equal_to_reference(network, inputs_of(network, seed))
        counts.append(int(recording["neurons"].counts.sum()))
    assert np.mean([count > 20 for count in counts]) > 0.8, counts


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("complex")])
def test_operator_with_payloads_equals_its_definition(kind):
    counts = []
    for seed in range(100, 112):
        network = network_of(*draw(kind, seed), graded=True)
        recording = assert_equal_to_reference(network, inputs_of(network, seed))
        counts.append(int(recording["neurons"].counts.sum()))
    assert np.mean([count > 20 for count in counts]) > 0.8, counts


@pytest.mark.parametrize("kind", KINDS)
def test_fan_out_counts_every_synapse_that_a_message_reaches(kind):
    for seed in range(200, 208):
        rng = np.random.default_rng(seed)
        synapse, source, target = draw(kind, seed)
        for dense in (False, True):
            present = all_ones(synapse, dense)
            lags = range(21 if kind in ("delayed_dense", "delayed_sparse", "temporal_fir") else 1)
            some = rng.permutation(int(np.prod(source)))[:25]
            expected = []
            for j in some:
                message = np.zeros(int(np.prod(source)), np.int64)
                message[j] = 1
                reached = 0
                for lag in lags:

                    def heard(at, lag=lag, message=message):
                        return message if at == lag else 0 * message

                    reached += arriving(present, heard, source, target).sum()
                expected.append(reached)
            np.testing.assert_array_equal(synapse.fan_out(source, dense)[some], expected)


@pytest.mark.parametrize("kind", KINDS)
def test_incoming_synapses_deliver_what_the_definition_says(kind):
    for seed in range(300, 312):
        rng = np.random.default_rng(seed)
        synapse, source, target = draw(kind, seed)
        sent = rng.integers(-3, 4, (64, int(np.prod(source))))
        expected = arriving(synapse, sent.__getitem__, source, target)
        for neuron in rng.permutation(int(np.prod(target)))[:20]:
            found = synapse.incoming(int(neuron), source, target)
            if kind.startswith("complex"):
                assert found is None
                continue
            weight = np.ravel(synapse.weight)[found.index].astype(np.int64)
            assert weight @ sent[found.lag - 1, found.source] == expected[neuron]


def all_ones(synapse, dense):
    """The same synapses with weight 1: those that are not 0, or all."""
    changes = {}
    for name in ("weight", "real", "imag"):
        value = vars(synapse).get(name)
        if isinstance(value, Synapse):
            changes[name] = all_ones(value, dense)
        elif value is not None:
            changes[name] = (np.ones_like(value) if dense else np.asarray(value) != 0).astype(int)
    return replace(synapse, **changes)


def loops():
    """Operators that lead from a (2, 5, 4) population back to itself."""
    rng = np.random.default_rng(7)
    same = {"padding": (1, 1)}
    size = 40
    sparse = weights(rng, size, size) * (rng.random((size, size)) < 0.1)
    yield Conv(weights(rng, 2, 2, 3, 3), **same)
    yield Conv(weights(rng, 2, 1, 3, 3), **same, groups=2)
    yield ConvTranspose(weights(rng, 2, 2, 3, 3), **same)
    yield ComplexConv(weights(rng, 2, 2, 3, 3), weights(rng, 2, 2, 3, 3), **same)
    yield ComplexDense(weights(rng, size, size) // 8, weights(rng, size, size) // 8)
    yield Pool(np.full((3, 3), 30, np.int32), (1, 1), **same, across_channels=True)
    yield Unpool(np.full((3, 3), 30, np.int32), (1, 1), **same)
    yield Sparse.from_dense(sparse.astype(np.int32))
    yield OneToOne(weights(rng, size))
    yield OneToOne(-90)
    delay = rng.integers(0, 12, (size, size)).astype(np.int32)
    yield DelayedDense(weights(rng, size, size) // 6, delay)
    yield TemporalFIR(weights(rng, 5, size))
    yield TemporalFIR(weights(rng, 4, size, size) // 12)


@pytest.mark.parametrize("delayed", [False, True])
@pytest.mark.parametrize("index", range(len(list(loops()))))
def test_any_operator_may_lead_back_to_its_own_population(index, delayed):
    loop = list(loops())[index]
    rng = np.random.default_rng(index)
    shape = (2, 5, 4)
    neuron = RF if loop.ports == 2 else CubaLIF(2500, 1200, 60)
    feed = weights(rng, 40, 6)
    into = ComplexDense(feed, feed[::-1].copy()) if loop.ports == 2 else Dense(feed)
    delay = rng.integers(0, 5, 40).astype(np.int32) if delayed else None
    network = Network(
        (Population("input", (6,), Source()), Population("neurons", shape, neuron, delay)),
        (Projection("input", "neurons", into), Projection("neurons", "neurons", loop)),
    )
    recording = assert_equal_to_reference(network, inputs_of(network, index, steps=40))
    without = Network(network.populations, network.projections[:1])
    open_loop = nd.run(without, inputs_of(network, index, steps=40))
    assert recording["neurons"].counts.sum() > 100
    assert (recording.output != open_loop.output).any(), "the loop does something"


@pytest.mark.parametrize("seed", range(8))
def test_operators_in_a_cycle_of_populations(seed):
    """a -> b by a pool, b -> a by an unpool, a delay or a transposed convolution."""
    rng = np.random.default_rng(seed)
    large, small = (2, 6, 4), (2, 3, 2)
    back = (
        Unpool(np.full((2, 2), -60, np.int32), (2, 2)),
        ConvTranspose(weights(rng, 2, 2, 2, 2), (2, 2)),
        DelayedDense(weights(rng, 48, 12), rng.integers(0, 9, (48, 12)).astype(np.int32)),
        TemporalFIR(weights(rng, 3, 48, 12)),
    )[seed % 4]
    network = Network(
        (
            Population("input", large, Source()),
            Population("a", large, CubaLIF(2000, 900, 60)),
            Population("b", small, CubaLIF(2000, 900, 90)),
        ),
        (
            Projection("input", "a", OneToOne(110)),
            Projection("a", "b", Pool.sums((2, 2), 50)),
            Projection("b", "a", back),
        ),
    )
    recording = assert_equal_to_reference(network, inputs_of(network, seed, steps=40))
    assert recording["b"].counts.sum() > 50


def test_average_pool_has_whole_weights_or_none():
    assert (Pool.averages((2, 4)).weight == 8).all()
    with pytest.raises(NetworkError, match=r"64 / \(3 x 3\) is no whole weight"):
        Pool.averages((3, 3))


def test_sparse_equals_dense():
    rng = np.random.default_rng(3)
    weight = (weights(rng, 30, 24) * (rng.random((30, 24)) < 0.2)).astype(np.int32)
    sparse = Sparse.from_dense(weight)
    np.testing.assert_array_equal(sparse.to_dense(), weight)
    spikes = [
        nd.run(network, inputs_of(network, 1)).output
        for network in (network_of(op, (24,), (30,)) for op in (Dense(weight), sparse))
    ]
    assert spikes[0].any()
    np.testing.assert_array_equal(spikes[0], spikes[1])


def test_delay_of_all_synapses_equals_a_later_input():
    weight = weights(np.random.default_rng(2), 9, 7)
    plain = network_of(Dense(weight), (7,), (9,))
    later = network_of(DelayedDense(weight, np.full((9, 7), 62, np.int32)), (7,), (9,))
    values = inputs_of(plain, 1, steps=120)
    expected, found = nd.run(plain, values).output, nd.run(later, values).output
    assert expected.any()
    np.testing.assert_array_equal(found[:, 62:], expected[:, :-62])
    assert not found[:, :62].any()


NINE = np.ones((9, 7), np.int32)


@pytest.mark.parametrize(
    ("synapse", "message"),
    [
        (Dense(np.ones((9, 6), np.int32)), r"needs \(9, 7\)"),
        (DelayedDense(NINE, np.full((9, 7), 63, np.int32)), "a delay of 63 steps, .*limit is 62"),
        (DelayedDense(NINE, np.ones((9, 6), np.int32)), r"delay has shape \(9, 6\)"),
        (ComplexDense(NINE, NINE), "complex-dense synapses deliver 2 currents"),
        (OneToOne(), "7 sources and 9 targets"),
        (Sparse.from_dense(np.ones((9, 6), np.int32)), "9 x 6, needs 9 x 7"),
        (
            Sparse(np.arange(10), np.full(9, 7, np.int32), np.ones(9, np.int32), 7),
            "index 7 lies outside the 7",
        ),
        (Sparse(np.arange(10), np.zeros(8, np.int32), np.ones(9, np.int32), 7), "8 indices for 9"),
        (Sparse(np.arange(1, 11), np.zeros(9, np.int32), np.ones(9, np.int32), 7), "must rise"),
        (TemporalFIR(np.ones((3, 9), np.int32)), r"needs \(taps, 9 targets, 7 sources\)"),
        (TemporalFIR(np.ones((64, 9, 7), np.int32)), r"64 taps in time, needs 1\.\.63"),
        (ConvTranspose(np.ones((1, 1, 2, 2), np.int32)), "needs a source of shape"),
    ],
)
def test_impossible_synapses_are_refused(synapse, message):
    with pytest.raises(NetworkError, match=f"^projection input->neurons: .*{message}"):
        Network(
            (Population("input", (7,), Source()), Population("neurons", (9,), CubaLIF(1, 1, 1))),
            (Projection("input", "neurons", synapse),),
        )


def test_delays_beyond_the_chip_need_asking():
    weight = np.full((9, 7), 90, np.int32)
    synapse = DelayedDense(weight, np.full((9, 7), 70, np.int32), beyond_chip=True)
    network = network_of(synapse, (7,), (9,))
    line = "projection input->neurons: 63 delays exceed the chip's 62 steps \\(longest 70\\)"
    with pytest.warns(ChipWarning, match=line):
        recording = assert_equal_to_reference(network, inputs_of(network, 3, steps=100))
    assert recording.output.any()
    assert recording.header.warnings == network.beyond_chip
    with pytest.warns(ChipWarning, match=line):
        running = nd.stream(network)
    found = np.array([running.step(x) for x in inputs_of(network, 3, steps=100)[0]])
    np.testing.assert_array_equal(found, recording.output[0])


def test_axonal_delays_beyond_the_chip_warn_in_one_line():
    network = network_of(OneToOne(80), (7,), (7,))
    source = replace(network.input, axon_delay=np.arange(60, 67, dtype=np.int32))
    network = Network((source, network.output), network.projections)
    with pytest.warns(ChipWarning) as warned:
        assert_equal_to_reference(network, inputs_of(network, 3, steps=100))
    (line,) = {str(one.message) for one in warned}
    assert line == (
        "population 'input': 4 delays exceed the chip's 62 steps (longest 66); this runs as a "
        "simulation only, no chip runs it"
    )


def test_impossible_axonal_delays_are_refused():
    for delay in ([-1] * 7, [1] * 6):
        with pytest.raises(NetworkError, match="population 'input': axon_delay"):
            replace(
                network_of(OneToOne(80), (7,), (7,)),
                populations=(
                    Population("input", (7,), Source(), np.array(delay, np.int32)),
                    Population("neurons", (7,), CubaLIF(1, 1, 1)),
                ),
            )


def test_real_synapses_are_refused_by_complex_neurons():
    with pytest.raises(NetworkError, match="rf-iz neurons take 2; use complex weights"):
        Network(
            (Population("input", (7,), Source()), Population("neurons", (9,), RF)),
            (Projection("input", "neurons", Dense(NINE)),),
        )


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_given_and_taken_back(kind):
    synapse, *_ = draw(kind, 400)
    same = synapse.with_arrays(lambda weight: weight)
    assert [w.tolist() for w in same.arrays()] == [w.tolist() for w in synapse.arrays()]
    assert len(synapse.arrays()) == sum(len(part.arrays()) for part in synapse.parts)
    doubled = synapse.with_arrays(lambda weight: 2 * weight)
    for before, after in zip(synapse.arrays(), doubled.arrays(), strict=True):
        assert np.array_equal(np.broadcast_to(after, before.shape), 2 * before)


@pytest.mark.parametrize("kind", KINDS)
def test_operations_are_counted_where_they_arrive(kind):
    for seed in range(500, 506):
        rng = np.random.default_rng(seed)
        synapse, source, target = draw(kind, seed)
        size, targets = int(np.prod(source)), int(np.prod(target))
        counts = rng.integers(0, 5, size).astype(np.float64)
        for stored in (False, True):
            found = synapse.synops_per_target(counts, source, targets, stored)
            total = synapse.fan_out(source, dense=stored) @ counts
            np.testing.assert_allclose(found.sum(), total, rtol=1e-12)
            if kind in ("dense", "delayed_dense", "sparse", "one_to_one", "conv") and (
                getattr(synapse, "groups", 1) == 1
            ):
                expected = []
                for neuron in range(targets):
                    into = synapse.incoming(neuron, source, target)
                    there = stored | (np.ravel(synapse.weight)[into.index] != 0)
                    expected.append(counts[into.source[there]].sum())
                np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", ["dense", "delayed_dense", "sparse", "one_to_one"])
def test_rows_are_the_targets_of_weights(kind):
    synapse, source, target = draw(kind, 600)
    targets = int(np.prod(target))
    weight = synapse.only_array
    rows = np.broadcast_to(synapse.weight_rows(targets), weight.shape or (targets,)).ravel()
    for neuron in range(targets):
        index = synapse.incoming(neuron, source, target).index
        assert (rows[index] == neuron).all() or not weight.ndim
