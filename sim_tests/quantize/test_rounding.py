"""Plain rounding: what fits, what is kept, what is refused, and what the audit says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import NetworkError, UnsupportedError
from neurodeploy.network import (
    Conv,
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

F = np.float32


def network(neuron, weight, shape=(3,), synapse=Dense, source=(4,)):
    populations = (Population("in", source, Source(signed=True)), Population("n", shape, neuron))
    return Network(populations, (Projection("in", "n", synapse(np.asarray(weight, F))),))


COARSE = nd.QuantConfig(method="max", exponents=False)


def test_largest_weight_just_fits_and_everything_scales_with_it():
    weight = np.array([[0.5, -1.0, 0.25, 0.125]] * 3)
    neuron = FloatLIF(voltage_keep=0.75, threshold=0.75, voltage_bias=0.5)
    fixed = nd.quantize(network(neuron, weight), COARSE)
    assert fixed.metadata["quantize/scale/n"] == 256
    assert fixed.projections[0].synapse.weight[0].tolist() == [128, -256, 64, 32]
    assert fixed["n"].neuron.threshold == 192
    assert fixed["n"].neuron.bias == 128
    assert fixed["n"].neuron.voltage_decay == 1024
    assert fixed["n"].neuron.current_decay == 4096
    assert fixed.audit.rated(Rating.FAITHFUL)


@pytest.mark.parametrize("bits", [8, 6, 4])
def test_weights_are_multiples_of_their_step(bits):
    rng = np.random.default_rng(1)
    weight = rng.normal(size=(3, 4))
    mixed = (
        nd.quantize(network(FloatLIF(), weight), replace(COARSE, bits=bits)).projections[0].synapse
    )
    assert not (mixed.weight % (1 << (9 - bits))).any()
    assert mixed.weight.min() >= -256
    assert mixed.weight.max() <= 256 - (1 << (9 - bits))
    one = nd.quantize(network(FloatLIF(), np.abs(weight)), replace(COARSE, bits=bits)).projections[
        0
    ]
    assert not (one.synapse.weight % (1 << (8 - bits))).any()
    assert one.synapse.weight.max() == 256 - (1 << (8 - bits))


def test_power_of_two_scale():
    fixed = nd.quantize(
        network(FloatLIF(), [[3.0, -1, 1, 1]] * 3), replace(COARSE, scale="power-of-two")
    )
    assert fixed.metadata["quantize/scale/n"] == 64


def test_input_factors_are_folded_into_the_weights():
    """A gain of current and voltage is none of the chip's: the same network without them."""
    rng = np.random.default_rng(2)
    weight = rng.integers(-8, 9, (3, 4)) / 8
    gained = FloatLIF(current_keep=0.5, current_gain=4.0, voltage_keep=0.5, voltage_gain=0.5)
    plain = FloatLIF(current_keep=0.5, voltage_keep=0.5)
    a, b = nd.quantize(network(gained, weight / 2)), nd.quantize(network(plain, weight))
    assert a == b


def test_bias_of_a_lasting_current_counts_from_the_populations_first_step():
    """Exact numbers: the integers spike where the float network does, hops later."""
    keep = FloatLIF(
        current_keep=0.5, voltage_keep=0.5, current_bias=np.array([0.25, 0.5, -0.25], F)
    )  # fmt: skip
    weight = np.array([[1.0, 0.5, -0.5, 0], [0, 0.25, 0, 0.5], [2, -1, 0.5, 1]], F)
    second = FloatLIF(current_keep=0.5, current_bias=0.125, voltage_keep=0.5, threshold=1.0)
    net = Network(
        (
            Population("in", (4,), Source()),
            Population("a", (3,), keep),
            Population("b", (3,), second),
        ),
        (
            Projection("in", "a", Dense(weight)),
            Projection("a", "a", Dense(np.eye(3, dtype=F) / -2)),
            Projection("a", "b", Dense(np.eye(3, dtype=F))),
        ),
    )
    fixed = nd.quantize(net, nd.QuantConfig(8, "power-of-two"))
    assert "b.bias" in [p.name for p in fixed.populations]
    x = (np.random.default_rng(0).random((5, 20, 4)) < 0.4).astype(np.uint8)
    floats = nd.run(net, x, backend="float", record=("spikes", "v"))
    whole = nd.run(fixed, x, steps=22, record=("spikes", "v"))
    for name, hops in (("a", 1), ("b", 2)):
        assert floats[name].counts.sum() > 10
        np.testing.assert_array_equal(
            whole[name].spikes[:, hops : 20 + hops], floats[name].spikes.astype(int)
        )
    diff = nd.compare(floats, whole, anyway=True)
    assert {row.population: row.shift for row in diff.rows}["b"] == 2


def test_changes_in_meaning_are_in_the_audit():
    neuron = FloatLIF(
        current_keep=0.5, voltage_keep=0.5, reset_time="after", inclusive=True,
        sees_last_current=True, minimum=-1.0, reset_value=0.25,
    )  # fmt: skip
    same = nd.QuantConfig(late_reset="same")
    entries = nd.quantize(network(neuron, np.ones((3, 4))), same).audit.rated(Rating.APPROXIMATE)
    reasons = "\n".join(entry.reason for entry in entries)
    for words in ("in the step of the spike", "above the threshold", "no floor", "a step earlier",
                  "counted from the reset value"):  # fmt: skip
        assert words in reasons


def test_soft_resets_and_readouts_have_neurons_of_their_own():
    weight = np.ones((3, 4))
    soft = nd.quantize(network(FloatLIF(voltage_keep=0.5, reset="subtract"), weight))
    assert isinstance(soft["n"].neuron, GeneralCubaLIF)
    assert soft["n"].neuron.reset == "subtract"
    readout = nd.quantize(
        network(FloatLIF(voltage_keep=0.5, sends="voltage", reset="none"), weight)
    )
    assert isinstance(readout["n"].neuron, LeakyIntegrator)


def test_threshold_that_would_not_fit_lowers_the_scale():
    fixed = nd.quantize(network(FloatLIF(threshold=1e4), [[0.1, -0.23, 0.37, 0.41]] * 3), COARSE)
    assert (1 << 16) <= fixed["n"].neuron.threshold < (1 << 17)
    assert any("less than their range" in e.reason for e in fixed.audit)


@pytest.mark.parametrize(
    ("neuron", "problem"),
    [
        (FloatLIF(threshold=1e-7), "threshold 1e-07 rounds to 0"),
        (FloatLIF(threshold=-1.0), "threshold -1 above the reset value"),
        (FloatLIF(voltage_keep=1.5), r"voltage keeps 1.5..1.5 of itself, the chip 0..1"),
    ],
)
def test_what_does_not_fit_is_named(neuron, problem):
    with pytest.raises(UnsupportedError, match=f"population 'n': {problem}"):
        nd.quantize(network(neuron, np.ones((3, 4))))


def test_gains_that_differ_within_a_channel_are_refused():
    gain = np.linspace(1, 2, 8, dtype=F)
    net = network(FloatLIF(voltage_gain=gain), np.ones((2, 1, 1, 1)), (2, 2, 2), Conv, (1, 2, 2))
    with pytest.raises(UnsupportedError, match="in->n: conv synapses share weights"):
        nd.quantize(net)


def test_a_rounded_bias_is_no_faithful_neuron():
    """Threshold and decays as held, the bias not: 0.3 of a threshold of 1 at a scale of 1."""
    ratings = {}
    for bias in (0.25, 0.3):
        neuron = FloatLIF(current_keep=0, voltage_keep=0.5, voltage_bias=bias)
        weight = np.array([[127.0, -128.0]], np.float32)  # scales are powers of two
        net = Network(
            (Population("in", (2,), Source()), Population("a", (1,), neuron)),
            (Projection("in", "a", Dense(weight)),),
        )
        config = nd.QuantConfig(8, method="max", scale="power-of-two")
        fixed = nd.quantize(net, config)
        scale = float(fixed.metadata["quantize/scale/a"])
        held = fixed["a"].neuron.bias == bias * scale
        assert held == (bias == 0.25)
        (entry,) = (e for e in fixed.audit if e.element == "a")
        ratings[bias] = entry.rating
        assert ("bias by" in entry.reason) == (not held)
    assert ratings == {0.25: Rating.FAITHFUL, 0.3: Rating.APPROXIMATE}


def test_impossible_requests():
    with pytest.raises(NetworkError, match="bits: 9"):
        nd.QuantConfig(9)
    with pytest.raises(NetworkError, match="scale: 'best'"):
        nd.QuantConfig(8, "best")


def test_braille_in_integers_is_the_same_on_lava(cases, lava):
    pytest.importorskip("nir", reason="needs nir: pip install '.[nir]'")
    fixed = nd.quantize(_braille(cases))
    with np.load(cases / "braille7" / "val_0.npz") as data:
        inputs = data["spikes"][:3]
    record = ("spikes", "u", "v")
    engine = nd.run(fixed, inputs, record=record)
    diff = nd.compare(engine, nd.run(fixed, inputs, backend="lava", record=record))
    assert diff.equal, diff.first_divergence
    assert engine.output.sum() > 300


def _braille(cases):
    return nd.load(cases / "braille7" / "braille_noDelay_bias_zero.nir")
