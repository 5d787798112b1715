"""Float networks in the core, to the bit: against NumPy's sums in the same order."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from neurodeploy.core.floating import simulate
from neurodeploy.core.floating_synapses import deliveries
from neurodeploy.inputs import present
from neurodeploy.network import (
    Conv,
    DelayedDense,
    Dense,
    FloatLIF,
    Network,
    OneToOne,
    Pool,
    Population,
    Projection,
    Source,
    Sparse,
)
from sim_tests import reference_floats

F = np.float32


def bits(array):
    return np.ascontiguousarray(array).view(np.int32)


def run_core(network, values, **how):
    blocks = list(simulate(network, present(network, values), states=("u", "v"), **how))
    return {
        p.name: {
            "sent": np.concatenate([block[p.name].sent for block in blocks]),
            **{
                name: np.concatenate([block[p.name].states[name] for block in blocks])
                for name in blocks[0][p.name].states
            },
        }
        for p in network.populations
    }


def assert_core_equals_reference(network, values, **how):
    found = run_core(network, values, **how)
    expected = reference_floats.run(network, values.reshape(*values.shape[:2], -1))
    for name, arrays in expected.items():
        assert found[name].keys() == arrays.keys()
        for what, array in arrays.items():
            assert np.array_equal(bits(found[name][what]), bits(array)), (name, what)
    return found


def draw_neuron(rng, size, sends=None):
    def number(low, high):
        value = rng.uniform(low, high, size).astype(F)
        return value if rng.integers(2) else float(value[0])

    sends = sends or rng.choice(["spike", "voltage", "count"])
    reset = str(rng.choice(["value", "subtract", "none"]))
    times = ["same", "before", "after"]
    if reset == "subtract" and sends == "spike":
        times.append("again")
    return FloatLIF(
        current_keep=number(0, 0.9), current_gain=number(0.5, 1.5), current_bias=number(-0.2, 0.2),
        voltage_keep=number(0.3, 0.99), voltage_gain=number(0.3, 1), voltage_bias=number(-0.1, 0.1),
        threshold=number(0.2, 1), reset=reset, reset_value=number(-0.3, 0.1),
        reset_time=str(rng.choice(times)), inclusive=bool(rng.integers(2)),
        sees_last_current=bool(rng.integers(2)),
        minimum=None if rng.integers(2) else number(-1, -0.5), sends=str(sends),
    )  # fmt: skip


def two(synapse, shape, target, neuron=None):
    populations = (
        Population("in", shape, Source(signed=True)),
        Population("n", target, neuron or FloatLIF.relay()),
    )
    return Network(populations, (Projection("in", "n", synapse),))


def draw_synapse(rng, kind):
    """A synapse with the shapes of its source and target."""
    if kind in ("conv", "pool"):
        kernel = tuple(int(n) for n in rng.integers(1, 4, 2))
        how = [tuple(int(n) for n in rng.integers(low, 3, 2)) for low in (1, 0, 1)]
        groups = int(rng.integers(1, 4))
        shape = (groups * int(rng.integers(1, 4)), *(int(n) for n in rng.integers(5, 9, 2)))
        if kind == "pool":
            ends = tuple(int(n) for n in rng.integers(0, 2, 2))
            synapse = Pool(rng.normal(size=kernel).astype(F), *how, end_padding=ends)
        else:
            weight = rng.normal(size=(groups * rng.integers(1, 6), shape[0] // groups, *kernel))
            synapse = Conv(weight.astype(F), *how, groups=groups)
        return synapse, shape, synapse.output_shape(shape)
    sources, targets = (int(n) for n in rng.integers(1, 90, 2))
    weight = rng.normal(size=(targets, sources)).astype(F)
    if kind == "dense":
        return Dense(weight), (sources,), (targets,)
    if kind == "delayed-dense":
        delay = rng.integers(0, 4, weight.shape).astype(np.int32)
        return DelayedDense(weight, delay), (sources,), (targets,)
    if kind == "one-to-one":
        return OneToOne(weight[0]), (sources,), (sources,)
    count = int(rng.integers(0, 400))
    target = np.sort(rng.integers(0, targets, count))
    starts = np.searchsorted(target, np.arange(targets + 1)).astype(np.int64)
    index = rng.integers(0, sources, count).astype(np.int32)  # in no order, some of them twice
    synapse = Sparse(starts, index, rng.normal(size=count).astype(F), sources)
    return synapse, (sources,), (targets,)


def draw_messages(rng, shape):
    """Spikes, or numbers of all sizes; few or many of them."""
    x = np.ones(shape) if rng.integers(2) else rng.normal(size=shape) * 10.0 ** rng.integers(-3, 4)
    return (x * (rng.random(shape) < rng.choice([0.02, 0.2, 1.0]))).astype(F)


KINDS = ("dense", "delayed-dense", "one-to-one", "sparse", "conv", "pool")


@pytest.mark.parametrize("kind", KINDS)
def test_operator_sums_in_the_promised_order(unit, kind):
    for seed in range(10):
        rng = np.random.default_rng([seed, KINDS.index(kind)])
        synapse, shape, target = draw_synapse(rng, kind)
        rows = (int(rng.integers(1, 8)), int(rng.integers(1, 20)))
        values = draw_messages(rng, (*rows, *shape))
        assert_core_equals_reference(two(synapse, shape, target), values)


def test_the_order_of_a_sum_is_what_is_tested():
    """Another order rounds otherwise: else the tests above would show nothing."""
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(20, 300)).astype(F), rng.normal(size=(40, 300)).astype(F)
    right = reference_floats.delivered(Dense(weight), x, (300,), 40)
    other = reference_floats.delivered(Dense(weight[:, ::-1].copy()), x[:, ::-1], (300,), 40)
    assert (bits(right) != bits(other)).mean() > 0.5
    fused = np.zeros((20, 40))  # a product that is not rounded before it is added
    for k in range(300):
        exact = x[:, k, None].astype(np.float64) * weight[None, :, k]
        fused = (fused + exact).astype(F).astype(np.float64)
    assert (bits(right) != bits(fused.astype(F))).mean() > 0.5


OPTIONS = [
    (reset, when, sends, inclusive, last)
    for reset in ("value", "subtract", "none")
    for when in ("same", "before", "after", "again")
    for sends in ("spike", "voltage", "count")
    for inclusive, last in itertools.product((False, True), repeat=2)
    if when != "again" or (reset == "subtract" and sends == "spike")
]


def test_neurons_with_every_option_equal_their_equations(unit):
    rng = np.random.default_rng(1)
    for reset, when, sends, inclusive, last in OPTIONS:
        size = int(rng.integers(1, 40))
        drawn = vars(draw_neuron(rng, size, "spike"))
        own = {
            "reset": reset, "reset_time": when, "sends": sends, "inclusive": inclusive,
            "sees_last_current": last,
        }  # fmt: skip
        network = two(OneToOne(1.0), (size,), (size,), FloatLIF(**{**drawn, **own}))
        values = rng.normal(size=(2, 25, size)).astype(F)
        assert assert_core_equals_reference(network, values)["n"]["sent"].any()


def test_a_voltage_at_the_threshold_decides_by_inclusive(unit):
    for inclusive in (False, True):
        neuron = FloatLIF(threshold=0.5, inclusive=inclusive)
        values = np.full((1, 3, 9), 0.5, F)
        found = assert_core_equals_reference(two(OneToOne(1.0), (9,), (9,), neuron), values)
        assert found["n"]["sent"].all() == inclusive


def draw_network(rng):
    """An image, a convolution, a pool, and a cycle of two populations with delays."""
    conv, shape, _ = draw_synapse(rng, "conv")
    made = conv.output_shape(shape)
    pool = Pool(rng.normal(size=(2, 1)).astype(F), (1, 2), (1, 0))
    pooled = pool.output_shape(made)
    size, inner, outer = int(np.prod(pooled)), int(rng.integers(1, 40)), int(rng.integers(1, 40))

    def weight(targets, sources):
        return rng.normal(0, 1 / np.sqrt(sources), (targets, sources)).astype(F)

    def delays(count):
        return rng.integers(0, 4, count).astype(np.int32) if rng.integers(2) else None

    populations = (
        Population("in", shape, Source(signed=True)),
        Population("conv", made, draw_neuron(rng, int(np.prod(made)))),
        Population("pool", pooled, draw_neuron(rng, size), delays(size)),
        Population("inner", (inner,), draw_neuron(rng, inner, "spike"), delays(inner)),
        Population("outer", (outer,), draw_neuron(rng, outer, "spike"), delays(outer)),
    )
    back = rng.integers(0, 3, (inner, outer)).astype(np.int32)
    projections = (
        Projection("in", "conv", conv),
        Projection("conv", "pool", pool),
        Projection("inner", "inner", Sparse.from_dense(weight(inner, inner))),
        Projection("pool", "inner", Dense(weight(inner, size))),
        Projection("inner", "outer", Dense(weight(outer, inner))),
        Projection("outer", "inner", DelayedDense(weight(inner, outer), back)),
        Projection("pool", "outer", Dense(weight(outer, size))),
    )
    return Network(populations, projections)


@pytest.mark.parametrize("seed", range(6))
def test_random_network_equals_the_reference(unit, seed):
    rng = np.random.default_rng(seed)
    network = draw_network(rng)
    values = draw_messages(rng, (3, 20, *network.input.shape))
    how = ({}, {"block": 1}, {"threads": 3, "block": 1}, {"block": 2, "threads": 2})[seed % 4]
    assert_core_equals_reference(network, values, **how)


def test_threads_blocks_and_batches_make_no_difference(unit):
    rng = np.random.default_rng(8)
    network = draw_network(rng)
    values = rng.normal(size=(7, 40, *network.input.shape)).astype(F)
    whole = run_core(network, values)
    parts = [run_core(network, values[s : s + 1]) for s in range(7)]
    for how in ({"threads": 2}, {"threads": 3, "block": 2}, {"block": 5}):
        found = run_core(network, values, **how)
        for name, arrays in whole.items():
            for what, array in arrays.items():
                assert np.array_equal(bits(found[name][what]), bits(array))
    for name, arrays in whole.items():
        for what, array in arrays.items():
            alone = np.concatenate([part[name][what] for part in parts])
            assert np.array_equal(bits(alone), bits(array))


@pytest.mark.parametrize("kind", ["dense", "sparse", "conv", "pool"])
def test_messages_that_are_no_numbers_come_through(unit, kind):
    rng = np.random.default_rng(KINDS.index(kind))
    synapse, shape, target = draw_synapse(rng, kind)
    network = two(synapse, shape, target)
    source, population = network.populations
    values = draw_messages(rng, (2, 19, source.size))
    values[0, 2, 0], values[1, 5, -1] = np.inf, np.nan
    ((_, deliver),) = deliveries(network.projections[0], source, population)
    current = np.zeros((2, 19, population.size), F)
    deliver(values, current)
    rows = values.reshape(-1, source.size)
    with np.errstate(invalid="ignore"):
        expected = reference_floats.delivered(synapse, rows, shape, population.size)
    assert not np.isfinite(expected).all()
    np.testing.assert_array_equal(current.reshape(expected.shape), expected)
