"""The native core against the NumPy equations: whole arrays."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import UnsupportedError
from neurodeploy.network import (
    AdaptiveCubaLIF,
    Conv,
    CubaLIF,
    Dense,
    Network,
    Population,
    Projection,
    Source,
    Sparse,
)
from sim_tests.core.against_equations import assert_core_equals_equations, run_core
from sim_tests.engine.neuron_bench import MODELS, draw_currents, draw_neuron, driven_by_hand
from sim_tests.engine.test_synapses import inputs_of, network_of
from sim_tests.random_networks import Draw
from sim_tests.random_synapses import KINDS, draw

HOW = ({}, {"threads": 2}, {"window": 5}, {"window": 1, "threads": 3})
"""All steps at once or in windows; threads that share samples or one sample's neurons."""


@pytest.mark.parametrize("seed", range(40))
def test_random_network_equals_the_equations(unit, seed):
    network = Draw(seed, beyond_netx=seed % 2 == 1)
    assert_core_equals_equations(network.network, network.inputs(samples=2), **HOW[seed // 2 % 4])


@pytest.mark.parametrize("seed", range(1000, 1008))
def test_resets_equal_the_equations(unit, seed):
    network = Draw(seed, delays=False, sigma_delta=False)
    inputs = network.inputs(samples=2, steps=30)
    assert_core_equals_equations(network.network, inputs, resets=(7, seed % 4), **HOW[seed % 4])


@pytest.mark.parametrize("kind", KINDS)
def test_operator_equals_its_definition(unit, kind):
    for seed in range(8):
        network = network_of(*draw(kind, seed))
        assert_core_equals_equations(network, inputs_of(network, seed), **HOW[seed % 4])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("complex")])
def test_operator_with_payloads_equals_its_definition(unit, kind):
    for seed in range(100, 106):
        network = network_of(*draw(kind, seed), graded=True)
        assert_core_equals_equations(network, inputs_of(network, seed), **HOW[seed % 4])


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_neuron_equals_its_equations(unit, model):
    for seed in range(12):
        rng = np.random.default_rng([seed, 1])
        size = int(rng.integers(1, 200))
        neuron = draw_neuron(rng, model, size)
        limit = (1 << 23) - 1
        currents = draw_currents(rng, 2, 40, neuron, size).clip(-limit, limit)
        network = driven_by_hand(neuron, size)
        resets = (9, 2) if neuron.resettable and seed % 3 == 0 else (None, 0)
        assert_core_equals_equations(network, currents, resets=resets, **HOW[seed % 4])


def second_compartments(into, across, given, threshold, decays, cost):
    """Spikes of neurons whose second compartment joins the first in the same step.

    As Intel's LSNN is set up on Loihi 1: the second one's current does not last, its voltage
    decays by decays[1] and gathers -cost for each spike of the step before.
    """

    def kept(state, decay):
        return np.where(state < 0, -1, 1) * (np.abs(state) * (4096 - decay) >> 12)

    size = len(across)
    main, second, sent = np.zeros((3, size), np.int64)
    found = []
    for now in given.astype(np.int64):
        current = into @ now + across @ sent << 6
        second = kept(second, decays[1]) - cost * sent
        main = kept(main, decays[0]) + current + second
        sent = (main > threshold * 64).astype(np.int64)
        main = np.where(sent == 1, 0, main)
        found.append((sent, main, second))
    return (np.array(each) for each in zip(*found, strict=True))


@pytest.mark.parametrize("seed", range(8))
def test_an_adaptation_current_is_two_joined_compartments(unit, seed):
    rng = np.random.default_rng([seed, 12])
    size, steps = int(rng.integers(2, 130)), 60
    into = rng.integers(-120, 255, (size, 9)).astype(np.int32)
    across = rng.integers(-120, 90, (size, size)).astype(np.int32)
    threshold = rng.integers(20, 500, size).astype(np.int32)
    slow, fast = int(rng.integers(0, 60)), int(rng.integers(50, 900))
    cost = rng.integers(0, 3000, size).astype(np.int32)
    given = (rng.random((2, steps, 9)) < 0.3).astype(np.uint8)
    network = Network(
        (
            Population("in", (9,), Source()),
            Population("loop", (size,), AdaptiveCubaLIF(4096, fast, slow, threshold, cost)),
        ),
        (Projection("in", "loop", Dense(into)), Projection("loop", "loop", Dense(across))),
    )
    found = run_core(network, given, **HOW[seed % 4])["loop"]
    for sample, presented in enumerate(given):
        sent, main, second = second_compartments(
            into, across, presented[:-1], threshold, (fast, slow), cost
        )
        np.testing.assert_array_equal(found["spikes"][sample, 1:], sent)
        np.testing.assert_array_equal(found["v"][sample, 1:], main)
        np.testing.assert_array_equal(found["adaptation"][sample, 1:-1], -second[1:])
    assert found["spikes"].sum() > 50


class TestWhatIsCounted:
    def test_states_that_leave_24_bits_are_wrapped_clipped_and_counted(self, unit):
        neurons = 70  # more than a word, so that some of the second are none
        neuron = CubaLIF(1, 1, 131071, bias=3000)
        network = driven_by_hand(neuron, neurons)
        rng = np.random.default_rng(0)
        inputs = rng.integers(-(1 << 17), 1 << 17, (3, 50, neurons)).astype(np.int32)
        found = assert_core_equals_equations(network, inputs, resets=(11, 3))["neurons"]
        assert found["u_overflows"].min() > 100
        assert found["v_overflows"].min() > 100

    def test_convolutions_wrap_their_own_sum(self, unit):
        weight = np.full((1, 1, 1, 1), 1 << 12, np.int32)
        network = Network(
            (
                Population("input", (1, 2, 3), Source(signed=True)),
                Population("neurons", (1, 2, 3), CubaLIF(4096, 4096, 100)),
            ),
            (Projection("input", "neurons", Conv(weight)),) * 2,
        )
        inputs = np.full((1, 4, 1, 2, 3), 2500, np.int32)
        found = assert_core_equals_equations(network, inputs)["neurons"]
        assert found["input_overflows"].tolist() == [2 * 3 * 6]


@pytest.mark.parametrize("window", [0, 1, 4, 16])
def test_populations_that_start_late_rest_until_then(unit, window):
    size, steps = 70, 40
    neuron = CubaLIF(4096, 2048, 3, bias=1)
    delay = np.arange(size, dtype=np.int32) % 4
    network = Network(
        [
            Population("input", (size,), Source()),
            Population("late", (size,), neuron, delay, starts=5),
            Population("later", (size,), neuron, starts=17),
        ],
        [
            Projection("input", "late", Dense(np.eye(size, dtype=np.int32))),
            Projection("late", "later", Dense(np.eye(size, dtype=np.int32))),
        ],
    )
    values = np.random.default_rng(3).integers(0, 2, (2, steps, size)).astype(np.uint8)
    found = assert_core_equals_equations(network, values, window=window)
    assert not found["later"]["v"][:, :17].any()
    assert found["later"]["spikes"].any()


class TestSizes:
    @pytest.mark.parametrize("size", [1, 63, 64, 65, 128, 130, 500, 513, 1030])
    def test_dense_layers_of_every_width(self, unit, size):
        rng = np.random.default_rng(size)
        network = Network(
            (
                Population("input", (size,), Source()),
                Population("neurons", (size,), CubaLIF(1000, 500, 200)),
                Population("last", (7,), CubaLIF(1000, 500, 200)),
            ),
            (
                Projection("input", "neurons", Dense(weights(rng, size, size))),
                Projection("neurons", "last", Dense(weights(rng, 7, size))),
            ),
        )
        inputs = (rng.random((3, 9, size)) < 0.3).astype(np.uint8)
        for how in HOW:
            assert_core_equals_equations(network, inputs, **how)

    @pytest.mark.parametrize("scale", [1, 300, 40_000])
    def test_weights_of_every_width(self, unit, scale):
        rng = np.random.default_rng(scale)
        weight = (scale * rng.integers(-9, 9, (150, 90))).astype(np.int32)
        weight[0, 0] |= 1  # no common shift
        network = network_of(Dense(weight), (90,), (150,))
        assert_core_equals_equations(network, inputs_of(network, scale))

    def test_population_of_more_neurons_than_a_row_holds(self, unit):
        size = 40_000
        sparse = Sparse(
            np.arange(size + 1), np.arange(size, dtype=np.int32)[::-1].copy(),
            np.full(size, 90, np.int32), size,
        )  # fmt: skip
        network = network_of(sparse, (size,), (size,))
        inputs = (np.random.default_rng(0).random((1, 3, size)) < 0.2).astype(np.uint8)
        assert_core_equals_equations(network, inputs)

    @pytest.mark.parametrize("channels", [1, 24, 48, 64, 80, 200])
    def test_convolutions_of_every_depth_and_activity(self, unit, channels):
        rng = np.random.default_rng(channels)
        conv = Conv(weights(rng, channels, 3, 3, 3), stride=(2, 1), padding=(1, 1))
        source = (3, 9, 14)
        network = network_of(conv, source, conv.output_shape(source))
        for activity in (0.05, 0.9):
            inputs = (rng.random((2, 6, *source)) < activity).astype(np.uint8)
            assert_core_equals_equations(network, inputs)


def weights(rng, *shape):
    return (2 * rng.integers(-60, 64, shape)).astype(np.int32)


def test_held_picture_is_the_same_in_every_step(unit):
    rng = np.random.default_rng(0)
    picture = rng.integers(-50, 200, (2, 1, 3, 5, 6))
    network = Network((Population("input", (3, 5, 6), CubaLIF(400, 300, 900)),), ())
    held = np.broadcast_to(picture, (2, 9, 3, 5, 6))
    found = run_core(network, held, steps=12)
    expected = run_core(network, held.copy(), steps=12)
    for what, array in expected["input"].items():
        np.testing.assert_array_equal(found["input"][what], array)


@pytest.mark.parametrize("steps", [255, 256, 65535, 65536])
def test_counts_go_as_far_as_the_steps(unit, steps):
    network = network_of(Dense(np.full((70, 3), 2)), (3,), (70,))
    recording = nd.run(network, np.broadcast_to(np.ones(3, np.uint8), (2, steps, 3)))
    assert (recording["input"].counts == steps).all()
    out = recording["neurons"]
    fired = out.step_counts.sum(axis=1) // 70
    assert fired.all()
    np.testing.assert_array_equal(out.counts, np.repeat(fired[:, None], 70, axis=1))


@pytest.mark.parametrize("threads", [1, 2])
def test_samples_run_together_as_they_do_alone(unit, threads):
    rng = np.random.default_rng(0)
    sizes, populations = (300, 400, 520), [Population("0", (300,), Source())]
    projections = []
    for number, (before, size) in enumerate(pairwise(sizes), 1):
        populations.append(Population(str(number), (size,), CubaLIF(900, 300, 150)))
        weight = 2 * rng.integers(-30, 40, (size, before))
        projections.append(Projection(str(number - 1), str(number), Dense(weight)))
    network = Network(tuple(populations), tuple(projections))
    inputs = (rng.random((11, 20, 300)) < 0.05).astype(np.uint8)
    together = nd.run(network, inputs, record=("spikes", "v"), threads=threads)
    assert together["2"].counts.any()
    for k, sample in enumerate(inputs):
        alone = nd.run(network, sample, record=("spikes", "v"), threads=1)
        for name in together.names:
            assert (together[name].spikes[k] == alone[name].spikes[0]).all()
        for name in together.names[1:]:
            assert (together[name].v[k] == alone[name].v[0]).all()


def test_pilotnet_equals_its_record(unit, netx_truth):
    truth = netx_truth / "gts" / "pilotnet_lif"
    network = nd.load(truth / "network.net")
    image = np.load(truth / "image.npy").transpose(2, 1, 0)
    frames = np.broadcast_to(image, (1, 24, *image.shape))
    found = run_core(network, frames, resets=(17, 0))
    layers = ("input", "conv-0", "conv-1", "conv-2", "conv-3", "conv-4", "fc-0", "fc-1", "fc-2")
    for population, layer in zip(network.populations, layers, strict=False):
        recorded = np.moveaxis(np.load(truth / f"{layer}.npy"), -1, 0)
        if recorded.ndim == 4:
            recorded = recorded.transpose(0, 3, 2, 1)
        spikes = found[population.name]["spikes"][0]
        np.testing.assert_array_equal(spikes, recorded.reshape(spikes.shape), layer)


class UnknownLIF(CubaLIF):
    kind: ClassVar[str] = "unknown-lif"


class UnknownDense(Dense):
    kind: ClassVar[str] = "unknown-dense"


class Derived(CubaLIF):
    """May compute something else under the name of its base."""


@pytest.mark.parametrize("start", [nd.stream, lambda net: nd.run(net, np.zeros((3, 2), int))])
def test_an_element_of_unknown_kind_is_named(start):
    def network(neuron, synapse):
        return Network(
            (Population("input", (2,), Source()), Population("hidden", (2,), neuron)),
            (Projection("input", "hidden", synapse),),
        )

    weight = np.eye(2, dtype=np.int32)
    with pytest.raises(
        UnsupportedError, match="population 'hidden': the engine has no unknown-lif"
    ):
        start(network(UnknownLIF(1, 1, 1), Dense(weight)))
    with pytest.raises(UnsupportedError, match="->hidden: the engine has no unknown-dense syn"):
        start(network(CubaLIF(1, 1, 1), UnknownDense(weight)))
    with pytest.raises(UnsupportedError, match="no cuba-lif neuron of class Derived"):
        start(network(Derived(1, 1, 1), Dense(weight)))
