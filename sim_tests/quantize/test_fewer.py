"""Integers to fewer bits where neurons have no float form: weights alone are rounded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import UnsupportedError
from neurodeploy.network import (
    ALIF,
    ComplexDense,
    Dense,
    Network,
    Population,
    Projection,
    Rating,
    ResonateFire,
    Sigma,
    Source,
    TemporalFIR,
)
from neurodeploy.quantization import quantization_report
from neurodeploy.quantization.float_form import is_rescalable
from sim_tests import random_synapses
from sim_tests.random_networks import Draw

KINDS = (
    "conv", "depthwise", "conv_transpose", "complex_conv", "pool", "unpool", "dense",
    "delayed_dense", "complex_dense", "complex_parts", "sparse", "one_to_one", "temporal_fir",
)  # fmt: skip


def arrays(synapse):
    """Weights of an operator, in order."""
    parts = [getattr(synapse, name) for name in ("real", "imag") if hasattr(synapse, name)]
    if not parts:
        return [np.atleast_1d(np.asarray(synapse.weight))] if hasattr(synapse, "weight") else []
    return [w for part in parts for w in ([part] if isinstance(part, np.ndarray) else arrays(part))]


def fits(weight, bits):
    """Whether weights are mantissas of so many bits times a power of two."""
    anywhere = int(np.bitwise_or.reduce(weight, axis=None))
    mantissa = weight // (anywhere & -anywhere) if anywhere else weight
    if (weight < 0).any() and (weight > 0).any():
        return -(1 << (bits - 1)) <= mantissa.min() and mantissa.max() < 1 << (bits - 1)
    return np.abs(mantissa).max(initial=0) < 1 << bits


@pytest.mark.parametrize("seed", range(5))
def test_random_networks_keep_their_neurons_and_lose_bits(seed):
    draw = Draw(seed, beyond_netx=True)
    net, inputs = draw.network, draw.inputs(2)
    if is_rescalable(net):
        draw = Draw(seed + 100, beyond_netx=True)
        net, inputs = draw.network, draw.inputs(2)
    config = nd.QuantConfig(4, method="mse", split=0.0)
    fixed = nd.quantize(net, config, inputs)
    assert is_rescalable(net) or fixed.populations == net.populations
    for projection in fixed.projections:
        assert all(fits(weight, 4) for weight in arrays(projection.synapse)), projection.name
    nd.run(fixed, inputs)


@pytest.mark.parametrize("kind", KINDS)
def test_every_operator_is_rounded_to_the_nearest_of_its_grid(kind):
    drawn = random_synapses.draw(kind, 3)
    synapse, source, target = drawn[0], drawn[1], drawn[2]
    neuron = ResonateFire(100, 4000, 50) if synapse.ports == 2 else Sigma()
    net = Network(
        (Population("in", source, Source(signed=True)), Population("out", target, neuron)),
        (Projection("in", "out", synapse),),
    )
    fixed = nd.quantize(net, nd.QuantConfig(3, method="max", split=0.0))
    for before, after in zip(arrays(synapse), arrays(fixed.projections[0].synapse), strict=True):
        before, after = np.broadcast_arrays(before, after)
        assert fits(after, 3)
        anywhere = int(np.bitwise_or.reduce(after, axis=None))
        assert np.abs(after - before).max() <= (anywhere & -anywhere)
    assert nd.quantize(net, nd.QuantConfig(8, split=0.0)).projections[0].target == "out"


def adaptive():
    rng = np.random.default_rng(0)
    neuron = ALIF(1024, 205, 400, 600, 64, 30)
    weight = 2 * rng.integers(-20, 21, (12, 6))
    weight[0, 0] = 250
    return Network(
        (Population("in", (6,), Source()), Population("a", (12,), neuron),
         Population("b", (4,), neuron)),
        (Projection("in", "a", Dense(weight.astype(np.int32))),
         Projection("a", "b", Dense((2 * rng.integers(-60, 60, (4, 12))).astype(np.int32)))),
    )  # fmt: skip


def spikes():
    return (np.random.default_rng(1).random((4, 60, 6)) < 0.4).astype(np.uint8)


def test_eight_bits_stay_eight_bits():
    net = adaptive()
    same = nd.quantize(net, nd.QuantConfig(8), spikes())
    assert same == net
    assert same.audit.worst is Rating.FAITHFUL
    report = quantization_report(net, same, spikes())
    assert all(entry.cumulative.coincidence == 1 for entry in report.populations)
    assert report["a"].cumulative.spikes > 20


def test_outlier_is_split_and_the_report_says_who_lost():
    net = adaptive()
    plain, split = (
        nd.quantize(net, nd.QuantConfig(4, split=share), spikes()) for share in (0.0, 0.1)
    )
    assert len(split.projections) == len(plain.projections) + 1
    first, second = (p.synapse for p in split.into("a"))
    whole = first.weight + second.to_dense()
    assert (
        np.abs(whole - net.projections[0].synapse.weight).mean()
        < np.abs(plain.projections[0].synapse.weight - net.projections[0].synapse.weight).mean()
    )
    bits = (("b", 2),)
    fewer = nd.quantize(net, nd.QuantConfig(8, population_bits=bits), spikes())
    report = quantization_report(net, fewer, spikes())
    assert report.populations[0].population == "b"
    assert report["a"].local.coincidence == 1
    assert report["b"].local.coincidence < 1


def test_clipped_weights_are_counted():
    """One weight of 250 beside weights up to 40, and a range for the most of them."""
    net = adaptive()
    config = nd.QuantConfig(4, method="percentile", percentile=90, split=0.0)
    fixed = nd.quantize(net, config, spikes())
    before, after = (n.projections[0].synapse.weight for n in (net, fixed))
    assert before[0, 0] - after[0, 0] > 100
    report = quantization_report(net, fixed, spikes())
    assert [report[name].clipped for name in "ab"] == [1, 0]
    (entry,) = (e for e in fixed.audit if e.element == "in->a")
    assert entry.reason.endswith("; 1 clipped")
    plain = nd.quantize(fixed, nd.QuantConfig(8))
    assert not [key for key in plain.metadata if "clipped" in key]


def test_same_inputs_same_bits_and_the_file_says_how(tmp_path):
    net = adaptive()
    a, b = (nd.quantize(net, nd.QuantConfig(4), spikes()) for _ in range(2))
    assert a == b
    assert a.metadata == b.metadata
    nd.save(a, tmp_path / "a.net")
    back = nd.load(tmp_path / "a.net")
    assert back == a
    assert nd.QuantConfig.from_json(back.metadata["quantize/config"]) == nd.QuantConfig(4)
    assert len(back.metadata["quantize/calibration"]) == 64


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (nd.QuantConfig(4, method="search"), "method 'search': population 'a' keeps its integers"),
        (nd.QuantConfig(4, correct_bias=True), "correct_bias: population 'a'"),
        (nd.QuantConfig(4, rounding="compensated"), "rounding 'compensated': population 'a'"),
        (nd.QuantConfig(4, balance="neuron"), "balance: population 'a'"),
    ],
)
def test_what_needs_a_float_form_is_refused_by_name(config, problem):
    with pytest.raises(UnsupportedError, match=problem):
        nd.quantize(adaptive(), config, spikes())


def test_weights_beyond_every_exponent_are_named():
    net = adaptive()
    huge = Dense(np.array([[1 << 20, -1]] * 4, np.int32))
    first = replace(net, populations=(Population("in", (2,), Source()), net.populations[2]),
                    projections=(Projection("in", "b", huge),))  # fmt: skip
    with pytest.raises(UnsupportedError, match=r"in->b: weights up to 1.04858e\+06 do not fit 4"):
        nd.quantize(first, nd.QuantConfig(4))


def test_taps_in_time_and_complex_weights_run_as_before_where_nothing_is_lost():
    rng = np.random.default_rng(2)
    taps = TemporalFIR((16 * rng.integers(-7, 8, (3, 5, 6))).astype(np.int32))
    parts = ComplexDense(*((32 * rng.integers(-7, 8, (4, 5))).astype(np.int32) for _ in range(2)))
    net = Network(
        (Population("in", (6,), Source()), Population("a", (5,), ALIF(1024, 205, 400, 600, 64, 30)),
         Population("b", (4,), ResonateFire(800, 3900, 20))),
        (Projection("in", "a", taps), Projection("a", "b", parts)),
    )  # fmt: skip
    fixed = nd.quantize(net, nd.QuantConfig(4))
    assert fixed == net
    before, after = (nd.run(n, spikes(), record=("spikes", "u", "v")) for n in (net, fixed))
    assert nd.compare(before, after).equal
    assert before["b"].spikes.any()


@pytest.mark.slow  # imports torch and SLAYER: 10 s and more
def test_yolo_kp_goes_from_eight_bits_to_six_and_four(tmp_path):
    """lava-dl's trained network: its weights have 6 bits, so nothing is lost down to there."""
    pytest.importorskip("torch", reason="needs torch and lava-dl: neurodeploy doctor --add lava-dl")
    from neurodeploy.formats.slayer import export_slayer
    from sim_tests.formats.test_slayer_yolo import frames, load_yolo

    example = frames(64, 0.1)
    net = export_slayer(load_yolo("yolo_kp", example), example=example).network
    six = nd.quantize(net, nd.QuantConfig(6), example)
    assert six == net
    four = nd.quantize(net, nd.QuantConfig(4), example)
    assert four != net
    assert four.populations == net.populations
    report = quantization_report(net, four, example)
    assert len(report.populations) == 10
    assert min(entry.cumulative.sqnr_db for entry in report.populations) > 0
    nd.save(four, tmp_path / "four.net")
    assert nd.load(tmp_path / "four.net") == four
