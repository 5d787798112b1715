"""Published networks rounded with few unlabelled samples: what that costs, measured."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.network import DelayedDense
from neurodeploy.quantize import quantization_report
from sim_tests.conftest import ROOT

STEPS = 4000


@pytest.fixture(scope="module")
def braille(cases):
    pytest.importorskip("nir", reason="needs nir: pip install 'neurodeploy[nir]'")
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
    sys.path.insert(0, str(ROOT / "examples" / "tinyrsnn"))
    try:
        import network
    finally:
        sys.path.pop(0)
    return network, network.load(cases / "tinyrsnn" / "indy01_seed1.npz")


def decoded(net, inputs):
    """Spikes of the recurrent neurons and the readout's voltage, hops taken off."""
    late = int(not net.is_float)
    backend = "float" if net.is_float else "engine"
    steps = inputs.shape[1]
    made = nd.run(net, inputs, backend=backend, steps=steps + 2 * late, record=("spikes", "v"))
    return (
        made["hidden"].spikes[:, late : steps + late],
        made["readout"].v[:, 2 * late : steps + 2 * late].astype(np.float64),
    )


def agreement(a, b):
    """Coincidence of spikes and mean correlation of the readout."""
    (spikes, v), (others, w) = a, b
    coincidence = 2 * (spikes * others).sum() / (spikes.sum() + others.sum())
    correlations = [
        np.corrcoef(v[s, :, k], w[s, :, k])[0, 1] for s in range(len(v)) for k in range(2)
    ]
    return float(coincidence), float(np.mean(correlations))


@pytest.mark.slow
def test_tiny_decoder_in_8_bits_is_as_near_as_under_half_a_percent_of_noise(tiny):
    """Chaotic: 0.1 % of noise changes half of its spikes. Inputs that chose nothing, 4000 steps."""
    make, net = tiny
    inputs = make.poisson(6, STEPS, 0.05, seed=2)
    fixed = nd.quantize(net, nd.QuantConfig(8), make.poisson(4, 500, 0.05, seed=1))
    exact = decoded(net, inputs)
    noise = [agreement(exact, decoded(noisy(net, seed), inputs)) for seed in range(4)]
    coincidence, correlation = agreement(exact, decoded(fixed, inputs))
    assert coincidence >= np.mean([c for c, _ in noise])
    assert correlation >= np.mean([r for _, r in noise])


def noisy(net, seed):
    random = np.random.default_rng(seed)
    projections = []
    for p in net.projections:
        factor = 1 + 0.005 * random.normal(size=p.synapse.weight.shape)
        weight = (p.synapse.weight * factor).astype(np.float32)
        projections.append(replace(p, synapse=replace(p.synapse, weight=weight)))
    return replace(net, projections=tuple(projections))


def test_tiny_decoder_of_held_weights_spikes_as_storks_equations_do(tiny):
    """Stork's own order of operations, in the chip's rounding of states: no spike differs."""
    make, net = tiny
    fixed = nd.quantize(net, nd.QuantConfig(8, split=0.5))
    inputs = make.poisson(1, STEPS, 0.05, seed=2)
    hidden = fixed["hidden"].neuron
    into = dict.fromkeys(("input", "hidden"), 0)
    for p in fixed.into("hidden"):
        weight = p.synapse.to_dense() if p.synapse.kind == "sparse" else p.synapse.weight
        into[p.source] = into[p.source] + weight.astype(np.int64)
        assert not isinstance(p.synapse, DelayedDense) or (p.synapse.delay[weight != 0] == 2).all()
    spikes = stork(into["input"], into["hidden"], hidden, inputs[0].astype(np.int64))
    ours, _ = decoded(fixed, inputs)
    assert spikes.sum() > 1000
    np.testing.assert_array_equal(ours[0, : STEPS - 2], spikes[2:STEPS])


def stork(w_in, w_rec, hidden, x):
    """Spike from the last voltage; then current into voltage, input into current.

    As ``stork.nodes.LIFGroup.forward`` has it, v and current of the step before.
    """
    size = len(w_rec)
    syn, mem, sent = (np.zeros(size, np.int64) for _ in range(3))
    made = np.zeros((len(x), size), np.int64)
    for t, now in enumerate(x):
        current = w_in @ now + w_rec @ sent
        sent = (mem > 64 * hidden.threshold).astype(np.int64)
        made[t] = sent
        mem = (shrunk(mem, hidden.voltage_decay) + syn) * (1 - sent)
        syn = shrunk(syn, hidden.current_decay) + 64 * current
    return made


def shrunk(x, decay):
    return np.sign(x) * (np.abs(x) * (4096 - decay) >> 12)


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
