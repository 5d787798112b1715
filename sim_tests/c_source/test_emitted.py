"""Emitted C beside the engine: messages, states and overflows, whole arrays in every step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.network import (
    Conv,
    CubaLIF,
    Dense,
    GeneralCubaLIF,
    GradedThreshold,
    LeakyIntegrator,
    Network,
    Population,
    Projection,
    ResonateFire,
    Sigma,
    SigmaDelta,
    Source,
)
from sim_tests import random_synapses
from sim_tests.c_source.compiled import UNDEFINED, hold_against_the_engine
from sim_tests.engine.neuron_bench import MODELS, draw_currents, draw_neuron, driven_by_hand
from sim_tests.random_networks import Draw


@pytest.mark.parametrize("seed", [0, 1, 2, 5, 6, 7, 8])
def test_random_networks(seed, tmp_path):
    draw = Draw(seed, beyond_netx=seed % 2 == 0)
    inputs = draw.inputs(2, 24)
    flags = UNDEFINED if seed % 2 else ("-O3",)
    how = {"flags": flags, "with_own_test": True}
    assert hold_against_the_engine(draw.network, inputs, tmp_path, **how) > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 120))
def test_more_random_networks(seed, tmp_path):
    draw = Draw(seed, beyond_netx=seed % 2 == 0)
    flags = (UNDEFINED, ("-O2",), ("-O3",), ("-Os",))[seed % 4]
    hold_against_the_engine(draw.network, draw.inputs(2, 40), tmp_path, flags=flags)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_neuron_model_on_random_currents(model, tmp_path):
    """Strong currents, too, so that states leave 24 bits."""
    rng = np.random.default_rng(77)
    size = int(rng.integers(2, 20))
    neuron = draw_neuron(rng, model, size)
    currents = draw_currents(rng, 2, 60, neuron, size)
    currents[1] *= 300
    inputs = np.clip(currents, -(1 << 23), (1 << 23) - 1)
    hold_against_the_engine(driven_by_hand(neuron, size, starts=1), inputs, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_neuron_model_on_more_currents(model, seed, tmp_path):
    rng = np.random.default_rng([seed, 77])
    size = int(rng.integers(1, 20))
    neuron = draw_neuron(rng, model, size)
    currents = int(rng.choice([1, 1, 300])) * draw_currents(rng, 2, 60, neuron, size)
    inputs = np.clip(currents, -(1 << 23), (1 << 23) - 1)
    hold_against_the_engine(driven_by_hand(neuron, size), inputs, tmp_path)


def network_of(kind, seed):
    """Neurons on both sides of a random operator; payloads before it every other time."""
    synapse, source, target = random_synapses.draw(kind, seed)
    rng = np.random.default_rng([seed, 5])
    first = Source(signed=True) if seed % 2 else CubaLIF(4096, 4096, 20)
    last = SigmaDelta(3) if seed % 2 else CubaLIF(1024, 300, 300)
    if synapse.ports == 2:
        last = ResonateFire(700, 3900, 30)
    network = Network(
        [Population("a", source, first), Population("b", target, last)],
        [Projection("a", "b", synapse)],
    )
    low = -300 if seed % 2 else 0
    return network, rng.integers(low, 300, (2, 20, *source)).astype(np.int32)


@pytest.mark.parametrize("kind", random_synapses.KINDS)
def test_every_operator(kind, tmp_path):
    network, inputs = network_of(kind, 1 + random_synapses.KINDS.index(kind) % 2)
    hold_against_the_engine(network, inputs, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 13))
@pytest.mark.parametrize("kind", random_synapses.KINDS)
def test_every_operator_again(kind, seed, tmp_path):
    network, inputs = network_of(kind, seed)
    hold_against_the_engine(network, inputs, tmp_path)


def test_a_loop_taps_late_starts_delays_and_first_voltages(tmp_path):
    rng = np.random.default_rng(3)
    draw = Draw(12, sigma_delta=False)
    network = random_synapses.with_loop_and_taps(draw.network, rng)
    late = [
        replace(
            p,
            axon_delay=rng.integers(0, 7, p.size).astype(np.int32),
            initial_voltage=rng.integers(-900, 900, p.size).astype(np.int32),
        )
        if p.name in ("looped", "tapped")
        else p
        for p in network.populations
    ]
    network = Network(late, network.projections)
    assert hold_against_the_engine(network, draw.inputs(2, 40), tmp_path) > 100


def test_what_a_soft_reset_would_take_off_each_neuron_is_left_out_of_a_hard_one(tmp_path):
    """It would be a constant that nothing reads."""
    amounts = np.array([100, 200, 300], np.int32)
    inputs = np.full((1, 30, 3), 90, np.int32)
    for reset, kept in (("zero", False), ("subtract", True)):
        neuron = GeneralCubaLIF(2048, 512, 100, reset=reset, reset_amount=amounts)
        network = driven_by_hand(neuron, 3)
        assert hold_against_the_engine(network, inputs, tmp_path / reset) > 90
        assert ("taken_off" in (tmp_path / reset / "net.c").read_text()) == kept


def test_populations_that_feed_each_other(tmp_path):
    rng = np.random.default_rng(4)
    lif = CubaLIF(2048, 500, 60)

    def between(a, b, size):
        return Projection(a, b, Dense(rng.integers(-40, 60, size, np.int32)))

    network = Network(
        [
            Population("in", (6,), Source()),
            Population("a", (5,), lif),
            Population("b", (7,), lif),
            Population("out", (3,), LeakyIntegrator(300, 200, 5)),
        ],
        [
            between("in", "a", (5, 6)),
            between("a", "b", (7, 5)),
            between("b", "a", (5, 7)),
            between("a", "a", (5, 5)),
            between("b", "out", (3, 7)),
            between("in", "out", (3, 6)),
        ],
    )
    spikes = (rng.random((2, 50, 6)) < 0.3).astype(np.int32)
    assert hold_against_the_engine(network, spikes, tmp_path) > 100


def test_sums_of_convolutions_wrap_at_24_bits_one_by_one(tmp_path):
    """Two convolutions into one population: each wraps by itself, before they are added."""
    rng = np.random.default_rng(5)
    weight = rng.integers(-30000, 30000, (2, 3, 4, 3, 3)).astype(np.int32)
    network = Network(
        [
            Population("in", (4, 6, 6), Source(signed=True)),
            Population("graded", (3, 4, 4), GradedThreshold(100)),
            Population("sum", (3, 4, 4), Sigma()),
        ],
        [
            *(Projection("in", "graded", Conv(w)) for w in weight),
            Projection("graded", "sum", Conv(np.full((3, 3, 1, 1), 5, np.int32))),
        ],
    )
    inputs = rng.integers(-4000, 4000, (2, 12, 4, 6, 6)).astype(np.int32)
    hold_against_the_engine(network, inputs, tmp_path)


def test_sums_beyond_32_bits_wrap_as_the_engine_s_registers_do(tmp_path):
    rng = np.random.default_rng(6)
    weight = rng.integers(-(1 << 30), 1 << 30, (9, 8)).astype(np.int32)
    for number, neuron in enumerate((CubaLIF(100, 50, 400), SigmaDelta(5), Sigma())):
        network = Network(
            [Population("in", (8,), Source(signed=True)), Population("out", (9,), neuron)],
            [Projection("in", "out", Dense(weight))],
        )
        inputs = rng.integers(-(1 << 22), 1 << 22, (2, 20, 8)).astype(np.int32)
        hold_against_the_engine(network, inputs, tmp_path / str(number))
