"""What a chip holds already is not rounded again: the same network, and no spike moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.network import (
    Conv,
    CubaLIF,
    Dense,
    FloatLIF,
    GeneralCubaLIF,
    LeakyIntegrator,
    Network,
    Population,
    Projection,
    Rating,
    Source,
)
from neurodeploy.quantization import quantization_report
from neurodeploy.quantization.float_form import as_float, is_rescalable
from sim_tests.conftest import ROOT
from sim_tests.random_networks import Draw

F = np.float32
OPTIONS = (
    {}, {"exponents": False, "split": 0.0}, {"scale": "power-of-two"}, {"method": "max"},
    {"method": "percentile"}, {"balance": "neuron"}, {"correct_bias": True},
)  # fmt: skip


def spikes_of(network, inputs, hops=0):
    recording = nd.run(network, inputs, steps=inputs.shape[1] + hops, record=("spikes", "states"))
    return [
        (name, what, recording[name][what])
        for name in recording.names
        for what in ("spikes", *network[name].neuron.states)
    ]


def assert_same_run(network, other, inputs):
    hops = max(network.hops(p.name) for p in network.populations)
    runs = (spikes_of(network, inputs, hops), spikes_of(other, inputs, hops))
    for (name, what, found), (_, _, expected) in zip(*runs, strict=True):
        np.testing.assert_array_equal(found, expected, f"{name}, {what}")


@pytest.fixture(scope="module")
def oxford(faults):
    network = nd.load(faults / "quantize" / "nir_oxford.net")
    with np.load(faults / "quantize" / "oxford_s.npz") as data:
        return network, data["inputs"][None]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_file_in_8_bits_moves_no_spike(oxford, options):
    network, inputs = oxford
    fixed = nd.quantize(network, nd.QuantConfig(8, **options), inputs)
    assert fixed == network
    assert fixed.audit.worst is Rating.FAITHFUL
    before, after = (nd.run(net, inputs, record=("spikes",)) for net in (network, fixed))
    assert before.output.sum() > 1500
    for name in before.names:
        np.testing.assert_array_equal(before[name].spikes, after[name].spikes)


def test_the_report_of_a_network_that_stayed_says_so(oxford):
    network, inputs = oxford
    report = quantization_report(network, nd.quantize(network, None, inputs), inputs)
    for entry in report.populations:
        assert entry.local.coincidence == entry.cumulative.coincidence == 1
        assert entry.cumulative.sqnr_db == np.inf
        assert not entry.clipped
        assert entry.cumulative.spikes > 400


def test_the_report_of_fewer_bits_is_against_the_integers(oxford):
    """Scales differ, so v is compared in the original's unit."""
    network, inputs = oxford
    config = nd.QuantConfig(4, population_bits=(("0_dense", 8),), method="mse")
    report = quantization_report(network, nd.quantize(network, config), inputs)
    assert report["0_dense"].cumulative.coincidence == 1
    assert report["1_dense"].local.coincidence < 1
    assert 5 < report["1_dense"].local.sqnr_db < 60
    assert report["1_dense"].local == report["1_dense"].cumulative


@pytest.mark.parametrize("name", ["digits", "spoken_digits", "dpsnn"])
def test_our_own_networks_stay(name):
    network = nd.load(ROOT / "netx_exports" / f"{name}.net")
    for options in ({}, {"exponents": False, "split": 0.0}):
        assert nd.quantize(network, nd.QuantConfig(8, **options)) == network


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("beyond_netx", [False, True])
def test_random_integers_of_8_bits_stay(seed, beyond_netx):
    """Every operator, delays, recurrence, biases, decays of each kind, signed inputs."""
    network = Draw(seed, beyond_netx=beyond_netx).network
    for options in ({}, {"exponents": False, "split": 0.0}):
        fixed = nd.quantize(network, nd.QuantConfig(8, **options))
        assert fixed == network
        assert fixed.audit.worst is Rating.FAITHFUL


def test_random_integers_are_of_both_kinds():
    """Guards the test above: some have a float form, others keep their neurons anyway."""
    kinds = [is_rescalable(Draw(seed).network) for seed in range(60)]
    assert 10 < sum(kinds) < 50


def integers(seed):
    """Random integers as a file holds them: images and not, recurrence, decays of each neuron."""
    rng = np.random.default_rng(seed)

    def decays(size):
        return rng.integers(1, 4097, size).astype(np.int32)

    def weights(*shape):
        return (2 * rng.integers(-60, 64, shape)).astype(np.int32)

    def lif(size):
        threshold = rng.integers(40, 300, size).astype(np.int32)
        bias = rng.integers(-9, 30, size).astype(np.int32)
        return CubaLIF(decays(size), decays(size), threshold, bias)

    conv = Conv(weights(3, 2, 3, 3), padding=(1, 1))
    populations = (
        Population("in", (2, 5, 6), Source()), Population("image", (3, 5, 6), lif(90)),
        Population("flat", (14,), lif(14)), Population("out", (4,), LeakyIntegrator(300, 77, 5)),
    )  # fmt: skip
    projections = (
        Projection("in", "image", conv), Projection("image", "flat", Dense(weights(14, 90))),
        Projection("flat", "flat", Dense(weights(14, 14))),
        Projection("flat", "out", Dense(weights(4, 14))),
    )  # fmt: skip
    return Network(populations, projections)


def events(seed, shape):
    return (np.random.default_rng([seed, 1]).random((3, 60, *shape)) < 0.3).astype(np.uint8)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("calibrated", [False, True])
def test_integers_that_a_file_held_as_floats_come_back(seed, calibrated):
    network = integers(seed)
    inputs = events(seed, network.input.shape)
    floats = replace(as_float(network), metadata={})
    assert floats.is_float
    fixed = nd.quantize(floats, None, inputs if calibrated else None)
    assert_same_run(fixed, network, inputs)
    assert nd.run(network, inputs)["flat"].counts.sum() > 50
    first = {entry.element: entry for entry in reversed(fixed.audit.entries)}
    for part in (*fixed.populations, *fixed.projections):
        assert first[part.name].rating is Rating.FAITHFUL


def test_integers_by_way_of_nir_without_our_note_come_back(tmp_path):
    """As when another program has written the graph again."""
    nir = pytest.importorskip("nir", reason="needs nir: pip install '.[nir]'")
    network = nd.load(ROOT / "netx_exports" / "digits.net")
    nd.save(network, tmp_path / "a.nir")
    graph = nir.read(tmp_path / "a.nir")
    graph.metadata.clear()
    nir.write(tmp_path / "b.nir", graph)
    floats = nd.load(tmp_path / "b.nir", dt=1e-4)
    assert floats.is_float
    fixed = nd.quantize(floats)
    for ours, theirs in zip(fixed.populations, network.populations, strict=True):
        assert ours.neuron.kind == theirs.neuron.kind
    inputs = (np.random.default_rng(0).random((4, 40, *network.input.shape)) < 0.3).astype(int)
    before, after = (nd.run(net, inputs) for net in (network, fixed))
    assert before.output.sum() > 20
    np.testing.assert_array_equal(before.output, after.output)


def trained(weights, threshold, keep=0.5, **options):
    """One population with two projections into it, floats."""
    first, second = (np.asarray(weight, F) for weight in weights)
    neuron = FloatLIF(voltage_keep=keep, threshold=threshold, **options)
    return Network(
        (Population("in", (first.shape[1],), Source()), Population("n", (len(first),), neuron)),
        (Projection("in", "n", Dense(first)), Projection("n", "n", Dense(second))),
    )


@pytest.mark.parametrize("units", [(0.1, 0.1), (0.013, 0.104), (1 / 64, 1 / 64), (0.3, 0.1)])
@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("calibrated", [False, True])
def test_weights_trained_in_steps_stay_multiples_of_them(units, bits, calibrated):
    """Quantization-aware training leaves integers times a step, seldom up to the range's end."""
    rng = np.random.default_rng(bits)
    most = {8: 37, 4: 7 if units[0] <= units[1] else 2}[bits]
    whole = [rng.integers(-most, most + 1, shape) for shape in ((6, 9), (6, 6))]
    for weight in whole:
        weight.flat[0] = most
    weights = [weight * unit for weight, unit in zip(whole, units, strict=True)]
    floats = trained(weights, threshold=40 * units[0])
    inputs = events(0, (9,)) if calibrated else None
    fixed = nd.quantize(floats, nd.QuantConfig(bits), inputs)
    scale = fixed.metadata["quantize/scale/n"]
    for projection, weight in zip(fixed.projections, weights, strict=True):
        np.testing.assert_allclose(projection.synapse.weight, weight * scale, rtol=1e-5)
    assert fixed["n"].neuron.threshold == pytest.approx(40 * units[0] * scale, rel=1e-6)
    assert fixed.audit.worst is Rating.FAITHFUL


def test_small_whole_floats_get_finer_states():
    """Weights of -1, 0, 1 and a threshold of 2 are no chip's integers: states need more."""
    rng = np.random.default_rng(3)
    floats = trained([rng.integers(-1, 2, (5, 8)), np.zeros((5, 5))], 2.0, keep=0.9375)
    fixed = nd.quantize(floats)
    assert fixed.metadata["quantize/scale/n"] >= 64
    assert set(
        np.unique(fixed.projections[0].synapse.weight / fixed.projections[0].synapse.weight.max())
    ) == {-1, 0, 1}


def test_one_population_in_fewer_bits_leaves_the_others():
    network = integers(1)
    fixed = nd.quantize(network, nd.QuantConfig(8, population_bits=(("out", 3),)))
    inputs = events(1, network.input.shape)
    before, after = (nd.run(net, inputs, record=("spikes", "v")) for net in (network, fixed))
    for name in ("image", "flat"):
        np.testing.assert_array_equal(before[name].v, after[name].v)
    assert (fixed.into("out")[0].synapse.weight != network.into("out")[0].synapse.weight).any()


def test_a_signed_port_and_a_cycle_stay_what_they_are():
    """The chip's clock and payloads are no change of meaning where they were there before."""
    network = integers(2)
    back = Projection("out", "flat", Dense(np.full((14, 4), 2, np.int32)))
    populations = (
        replace(network.input, neuron=Source(signed=True)), *network.populations[1:-1],
        replace(network.output, neuron=CubaLIF(300, 77, 50)),
    )  # fmt: skip
    network = Network(populations, (*network.projections, back))
    fixed = nd.quantize(network)
    assert fixed == network
    assert fixed.audit.worst is Rating.FAITHFUL


def test_soft_resets_and_refractory_steps_stay(oxford):
    network, _ = oxford
    first, second = network.populations[1:]
    late = GeneralCubaLIF(1024, 128, 64, reset="subtract-late", refractory=3)
    early = GeneralCubaLIF(1024, 128, 64, reset="subtract", reset_amount=5000)
    populations = (network.input, replace(first, neuron=late), replace(second, neuron=early))
    soft = replace(network, populations=populations)
    assert nd.quantize(soft, nd.QuantConfig(8)) == soft
