"""Published networks rounded with few unlabelled samples: what that costs, measured."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.network import DelayedDense
from neurodeploy.quantization import quantization_report

STEPS = 4000


@pytest.fixture(scope="module")
def braille(cases):
    pytest.importorskip("nir", reason="needs nir: pip install '.[nir]'")
    with np.load(cases / "braille7" / "val_0.npz") as data:
        inputs, labels = data["spikes"], data["labels"]
    chosen = np.zeros(len(inputs), bool)
    chosen[np.random.default_rng(0).permutation(len(inputs))[:40]] = True
    net = nd.load(cases / "braille7" / "braille_noDelay_bias_zero.nir")
    return net, inputs[chosen], inputs[~chosen], labels[~chosen]


def accuracy(net, inputs, labels, backend="engine"):
    steps = inputs.shape[1] + net.hops(net.output.name)
    counts = nd.run(net, inputs, backend=backend, steps=steps).output.sum(axis=1)
    return float((counts.argmax(axis=1) == labels).mean())


@pytest.mark.parametrize(("bits", "most"), [(8, 0.010), (6, 0.030)])
def test_braille_costs_at_most(braille, bits, most):
    net, calibration, inputs, labels = braille
    fixed = nd.quantize(net, nd.QuantConfig(bits), calibration)
    lost = accuracy(net, inputs, labels, "float") - accuracy(fixed, inputs, labels)
    assert lost <= most + 1e-9


@pytest.mark.slow
def test_braille_with_split_weights_is_the_same_on_lava_and_from_a_file(braille, lava, tmp_path):
    net, calibration, inputs, _ = braille
    fixed = nd.quantize(net, nd.QuantConfig(4), calibration)
    pairs = [(p.source, p.target) for p in fixed.projections]
    assert len(pairs) > len(set(pairs))  # parallel synapses between the same populations
    nd.save(fixed, tmp_path / "braille.nir")
    back = nd.load(tmp_path / "braille.nir")
    assert back == fixed
    assert back.metadata["quantize/config"] == fixed.metadata["quantize/config"]
    assert back.metadata["quantize/calibration"] == fixed.metadata["quantize/calibration"]
    record = ("spikes", "u", "v")
    engine = nd.run(fixed, inputs[:3], record=record)
    diff = nd.compare(engine, nd.run(fixed, inputs[:3], backend="lava", record=record))
    assert diff.equal, diff.first_divergence
    assert engine.output.sum() > 300


def test_report_names_who_hurts_most_first(braille):
    net, calibration, _, _ = braille
    fixed = nd.quantize(net, nd.QuantConfig(8, population_bits=(("lif1.lif", 3),)), calibration)
    report = quantization_report(net, fixed, calibration)
    worst = report.populations[0]
    assert (worst.population, worst.bits) == ("lif1.lif", 3)
    assert worst.local.coincidence < report["lif2"].local.coincidence
    assert report["lif2"].local.sqnr_db > 30
    assert report["lif2"].cumulative.sqnr_db < report["lif2"].local.sqnr_db
    assert worst.split > 0


@pytest.fixture(scope="module")
def tiny(cases):
    from examples.tinyrsnn import rounded

    return rounded, rounded.load(cases / "tinyrsnn" / "indy01_seed1.npz")


@pytest.mark.slow
def test_tiny_decoder_in_8_bits_is_as_near_as_under_half_a_percent_of_noise(tiny):
    """Chaotic: 0.1 % of noise changes half of its spikes. Inputs that chose nothing, 4000 steps."""
    make, net = tiny
    fixed = nd.quantize(net, nd.QuantConfig(8), make.poisson(4, 500, 0.05, seed=1))
    found = make.against_noise(net, fixed, seed=2)
    assert 0 < found["noise"][0] < 0.5
    assert all(
        ours >= theirs for ours, theirs in zip(found["integers"], found["noise"], strict=True)
    )


def test_tiny_decoder_of_held_weights_spikes_as_storks_equations_do(tiny):
    """Stork's own order of operations, in the chip's rounding of states: no spike differs."""
    make, net = tiny
    fixed = nd.quantize(net, nd.QuantConfig(8, split=0.5))
    for p in fixed.into("hidden"):
        if isinstance(p.synapse, DelayedDense):
            assert (p.synapse.delay[p.synapse.weight != 0] == 2).all()
    differ, spikes = make.mismatches(fixed, seed=2)
    assert differ == 0
    assert spikes > 1000


@pytest.mark.slow
def test_braille_on_lava_is_the_engine_spike_for_spike_at_95_percent(braille, lava):
    """40 samples of those held out, 8 bits; all 280: docs/quantize.md."""
    net, calibration, inputs, labels = braille
    fixed = nd.quantize(net, nd.QuantConfig(8), calibration)
    some = np.random.default_rng(1).permutation(len(inputs))[:40]
    steps = inputs.shape[1] + fixed.hops(fixed.output.name)
    record = ("counts", "spikes")
    engine, other = (
        nd.run(fixed, inputs[some], backend=backend, steps=steps, record=record)
        for backend in ("engine", "lava")
    )
    for name in engine.names:
        np.testing.assert_array_equal(engine[name].spikes, other[name].spikes)
    right = other.output.sum(axis=1).argmax(axis=1) == labels[some]
    assert right.mean() >= 0.95
