"""Grids, exponents, split weights, reproducibility and refusals of `quantize`."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import InputError, NetworkError, UnsupportedError
from neurodeploy.network import (
    CubaLIF,
    Dense,
    FloatLIF,
    GeneralCubaLIF,
    Network,
    Population,
    Projection,
    Source,
)
from neurodeploy.quantization import quantization_report
from neurodeploy.quantization.balance import WIDEST
from neurodeploy.quantization.calibration import Calibration
from neurodeploy.quantization.neurons import THRESHOLD_MAX
from neurodeploy.quantization.population_alone import PopulationAlone
from neurodeploy.quantization.quantize_network import choice_of
from neurodeploy.quantization.scale_choice import Site
from neurodeploy.quantization.weights import Grid

F = np.float32


def recurrent(seed=0, neurons=12, outlier=1.0):
    rng = np.random.default_rng(seed)
    hidden = FloatLIF(current_keep=0.6, voltage_keep=0.9, threshold=1.0)
    output = FloatLIF(current_keep=0.5, voltage_keep=0.8, threshold=1.0)
    loop = rng.normal(size=(neurons, neurons)) / 8
    loop[0, 1] *= outlier
    return Network(
        (
            Population("in", (6,), Source()),
            Population("a", (neurons,), hidden),
            Population("b", (4,), output),
        ),
        (
            Projection("in", "a", Dense((rng.normal(size=(neurons, 6)) / 2).astype(F))),
            Projection("a", "a", Dense(loop.astype(F))),
            Projection("a", "b", Dense((rng.normal(size=(4, neurons)) / 2).astype(F))),
        ),
    )


def spikes(samples=6, steps=60, seed=1):
    return (np.random.default_rng(seed).random((samples, steps, 6)) < 0.3).astype(np.uint8)


@pytest.mark.parametrize("bits", [8, 5, 3, 2, "ternary"])
@pytest.mark.parametrize("sign", ["mixed", "positive", "negative"])
def test_two_synapses_hold_a_weight_beyond_one_exactly(bits, sign):
    weight = {"mixed": [-1.0, 1.0], "positive": [1.0], "negative": [-1.0]}[sign]
    grid = Grid.of(np.array(weight), bits)
    low, high = grid.limits(split=True)
    mantissa = np.arange(low, high + 1)
    fine, coarse = grid.parts(mantissa)
    np.testing.assert_array_equal(fine + (coarse << grid.shift(mantissa)), mantissa)
    assert not grid.beyond(fine).any()
    assert not grid.beyond(coarse).any()
    assert (coarse == 0)[~grid.beyond(mantissa)].all()
    assert grid.beyond(mantissa).any()


@pytest.mark.parametrize("bits", [8, 4, 2, "ternary", 1])
def test_every_projection_is_a_matrix_of_its_bits_times_a_power_of_two(bits):
    fixed = nd.quantize(recurrent(), nd.QuantConfig(bits, split=0.0), spikes())
    width = {"ternary": 2, 1: 2}.get(bits, bits)
    for projection in fixed.projections:
        weight = projection.synapse.weight
        unit = np.gcd.reduce(np.abs(weight).ravel())
        mantissa = weight // unit
        assert mantissa.min() >= -(1 << (width - 1))
        assert mantissa.max() <= 1 << (width - 1)
        if bits == 1:
            assert set(np.unique(mantissa)) == {-1, 1}
        assert (weight != 0).any()


def test_outliers_do_not_take_the_steps_of_other_weights():
    """One weight far beyond the others: two synapses for it, finer steps for all."""
    net = recurrent(outlier=40.0)
    exact = net.projections[1].synapse.weight.astype(float)
    worst = {}
    for method, split in (("max", 0.0), ("mse", 0.05)):
        fixed = nd.quantize(net, nd.QuantConfig(4, method=method, split=split))
        parts = [p.synapse for p in fixed.projections if p.source == p.target == "a"]
        assert len(parts) == (2 if split else 1)
        whole = sum(s.to_dense() if s.kind == "sparse" else s.weight for s in parts)
        found = whole / fixed.metadata["quantize/scale/a"]
        worst[split] = np.abs(found - exact).max()
    assert worst[0.05] < worst[0.0] / 2


def test_same_configuration_and_data_give_the_same_bits():
    net, inputs = recurrent(), spikes()
    a, b = (nd.quantize(net, nd.QuantConfig(5), inputs) for _ in range(2))
    assert a == b
    assert a.metadata == b.metadata
    assert nd.QuantConfig.from_json(a.metadata["quantize/config"]) == nd.QuantConfig(5)
    other = nd.quantize(net, nd.QuantConfig(5), spikes(seed=3))
    assert other.metadata["quantize/calibration"] != a.metadata["quantize/calibration"]


def test_facts_of_rounding_come_back_from_netx(tmp_path):
    rng = np.random.default_rng(0)
    net = Network(
        (Population("input", (4,), Source()), Population("1_dense", (3,), FloatLIF())),
        (Projection("input", "1_dense", Dense(rng.normal(size=(3, 4)).astype(F))),),
    )
    fixed = nd.quantize(net, nd.QuantConfig(6, exponents=False, split=0.0))
    nd.save(fixed, tmp_path / "a.net")
    facts = nd.load(tmp_path / "a.net").metadata
    assert {k: v for k, v in facts.items() if k.startswith("quantize/")} == dict(fixed.metadata)


def test_network_in_integers_goes_to_fewer_bits():
    """Rounded once at 8 bits and again at 8: the same spikes."""
    net, inputs = recurrent(), spikes()
    first = nd.quantize(net, nd.QuantConfig(8, split=0.0), inputs)
    again = nd.quantize(first, nd.QuantConfig(8, split=0.0), inputs)
    fewer = nd.quantize(first, nd.QuantConfig(3, split=0.0), inputs)
    runs = [nd.run(n, inputs, record=("spikes",)) for n in (first, again, fewer)]
    np.testing.assert_array_equal(runs[0]["b"].spikes, runs[1]["b"].spikes)
    assert (runs[0]["b"].spikes != runs[2]["b"].spikes).any()
    assert all(isinstance(p.neuron, (CubaLIF, Source)) for p in fewer.populations)


def test_late_reset_is_a_refractory_step():
    """The input of the step after a spike is lost in both; the same spikes, hops later."""
    neuron = FloatLIF(voltage_keep=0.5, threshold=1.0, reset_time="after")
    net = Network(
        (Population("in", (1,), Source()), Population("n", (1,), neuron)),
        (Projection("in", "n", Dense(np.array([[0.75]], F))),),
    )
    fixed = nd.quantize(net)
    assert isinstance(fixed["n"].neuron, GeneralCubaLIF)
    x = np.ones((1, 30, 1), np.uint8)
    floats, whole = nd.run(net, x, backend="float").output, nd.run(fixed, x, steps=31).output
    assert 3 < floats.sum() < 15
    np.testing.assert_array_equal(whole[:, 1:], floats)


def refractory():
    """A population whose reset wipes out the next step's input, before one that spikes too."""
    rng = np.random.default_rng(0)
    neuron = FloatLIF(current_keep=0.5, voltage_keep=0.8, threshold=1.0, reset_time="after")
    return Network(
        (Population("in", (6,), Source()), Population("a", (8,), neuron),
         Population("b", (3,), neuron)),
        (Projection("in", "a", Dense(rng.normal(size=(8, 6)).astype(F))),
         Projection("a", "b", Dense(rng.normal(size=(3, 8)).astype(F)))),
    )  # fmt: skip


@pytest.mark.parametrize("options", [{}, {"exponents": False, "split": 0.0}])
def test_refractory_step_survives_a_netx_file(tmp_path, options):
    fixed = nd.quantize(refractory(), nd.QuantConfig(8, **options), spikes())
    nd.save(fixed, tmp_path / "a.net")
    back = nd.load(tmp_path / "a.net")
    assert back == fixed
    assert [p.neuron.refractory for p in back.populations[1:]] == [2, 2]
    runs = [nd.run(net, spikes(), record=("spikes", "u", "v")) for net in (fixed, back)]
    assert nd.compare(*runs).equal
    assert runs[0].output.any()


def test_refractory_step_is_refused_by_name_where_there_is_none(tmp_path, lava):
    pytest.importorskip("nir", reason="needs nir: pip install '.[nir]'")
    fixed = nd.quantize(refractory())
    with pytest.raises(
        UnsupportedError, match=r"population .a.: NIR has no .* write \.net instead"
    ):
        nd.save(fixed, tmp_path / "a.nir")
    assert not list(tmp_path.iterdir())
    with pytest.raises(UnsupportedError, match="refractory 2, and Lava"):
        nd.run(fixed, spikes(), backend="lava")
    same = nd.quantize(refractory(), nd.QuantConfig(8, late_reset="same"))
    assert isinstance(same["a"].neuron, CubaLIF)
    nd.save(same, tmp_path / "a.nir")
    assert nd.load(tmp_path / "a.nir") == same


def test_errors_of_other_synapses_are_taken_up():
    """Inputs that always come together: the sum of their weights' errors is what counts."""
    rng = np.random.default_rng(3)
    neuron = FloatLIF(voltage_keep=0.97, threshold=40.0)
    weight = (rng.random((5, 20)) - 0.2).astype(F)
    net = Network(
        (Population("in", (20,), Source()), Population("n", (5,), neuron)),
        (Projection("in", "n", Dense(weight)),),
    )
    x = np.repeat((rng.random((6, 80, 1)) < 0.3).astype(np.uint8), 20, axis=2)
    errors, coincide = {}, {}
    for rounding in ("nearest", "compensated"):
        config = nd.QuantConfig(3, method="max", split=0.0, rounding=rounding)
        fixed = nd.quantize(net, config, x)
        found = fixed.projections[0].synapse.weight / fixed.metadata["quantize/scale/n"]
        errors[rounding] = np.abs((found - weight).sum(axis=1)).max()
        report = quantization_report(net, fixed, x)
        coincide[rounding] = report["n"].local.coincidence
        # Alone and within the whole are the same where all that arrives comes from the input.
        assert report["n"].cumulative.coincidence == coincide[rounding]
    assert errors["compensated"] < errors["nearest"] / 2
    assert coincide["compensated"] >= coincide["nearest"]


def test_absent_synapses_stay_absent_and_no_synapse_is_added():
    net, inputs = recurrent(), spikes()
    weight = net.projections[1].synapse.weight.copy()
    weight[np.random.default_rng(5).random(weight.shape) < 0.5] = 0
    loop = Projection("a", "a", Dense(weight))
    net = Network(net.populations, (net.projections[0], loop, net.projections[2]))
    near, taken = (
        nd.quantize(net, nd.QuantConfig(4, method="mse", rounding=rounding), inputs)
        for rounding in ("nearest", "auto")
    )
    assert near != taken
    for fixed in (near, taken):
        parts = [p.synapse for p in fixed.projections if p.source == p.target == "a"]
        whole = sum(s.to_dense() if s.kind == "sparse" else s.weight for s in parts)
        assert not whole[weight == 0].any()
    sizes = [sum(int(np.count_nonzero(p.synapse.weight)) for p in fixed.projections
                 if p.synapse.kind == "sparse") for fixed in (near, taken)]  # fmt: skip
    assert sizes[1] <= sizes[0]


def test_report_of_an_exact_network_says_so():
    net = Network(
        (Population("in", (2,), Source()), Population("n", (2,), FloatLIF(voltage_keep=0.5))),
        (Projection("in", "n", Dense(np.array([[0.5, -0.25], [1.0, 0.125]], F))),),
    )
    x = (np.random.default_rng(0).random((4, 50, 2)) < 0.7).astype(np.uint8)
    report = quantization_report(net, nd.quantize(net, calibration=x), x)
    assert report["n"].cumulative.coincidence == report["n"].local.coincidence == 1
    assert report["n"].local.float_spikes > 20
    json.dumps(report.as_dict(), allow_nan=False)


def test_all_zero_layer_is_rounded():
    net = Network(
        (Population("in", (2,), Source()), Population("n", (2,), FloatLIF())),
        (Projection("in", "n", Dense(np.zeros((2, 2), F))),),
    )
    for config in (nd.QuantConfig(), nd.QuantConfig("ternary"), nd.QuantConfig(1, method="max")):
        assert not nd.quantize(net, config).projections[0].synapse.weight.any()


def test_weights_that_nothing_holds_are_named():
    net = Network(
        (Population("in", (2,), Source()), Population("n", (2,), FloatLIF())),
        (Projection("in", "n", Dense(np.array([[1e30, 1], [1, 1]], F))),),
    )
    with pytest.raises(UnsupportedError, match="whatever the weight exponent"):
        nd.quantize(net, nd.QuantConfig(split=0.0))


def test_calibration_that_does_not_fit_is_refused():
    net = recurrent()
    with pytest.raises(InputError, match=r"shape \[3, 20, 5\] do not fit .* steps, 6\]"):
        nd.quantize(net, calibration=np.zeros((3, 20, 5), np.uint8))
    with pytest.raises(InputError, match="NaN"):
        nd.quantize(net, calibration=np.full((3, 20, 6), np.nan))
    with pytest.raises(InputError, match="method 'search': needs calibration"):
        nd.quantize(net, nd.QuantConfig(method="search"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"bits": 0}', "bits: 0"),
        ('{"bits": "two"}', "bits: two"),
        ('{"split": 2}', "split: 2"),
        ('{"colour": 1}', "'colour' unknown"),
        ("bits=8", "not JSON"),
    ],
)
def test_impossible_configurations_are_refused(text, problem):
    with pytest.raises(NetworkError, match=problem):
        nd.QuantConfig.from_json(text)
    with pytest.raises(NetworkError, match="no population 'c'"):
        nd.quantize(recurrent(), nd.QuantConfig(population_bits=(("c", 4),)))


@pytest.mark.parametrize("balance", ["population", "neuron"])
def test_balanced_thresholds_send_as_many_spikes_and_leave_weights_alone(balance):
    net, inputs = recurrent(), spikes(24)
    config = nd.QuantConfig("ternary", method="mse", split=0.0)
    plain = nd.quantize(net, config, inputs)
    fixed = nd.quantize(net, replace(config, balance=balance), inputs)
    reference = Calibration.of(net, inputs)
    for name in ("a", "b"):
        local = PopulationAlone(net, Site(net, net[name], config, reference), reference)
        wanted = reference.sent[name].sum(axis=(0, 1))
        runs = [local.run(choice_of(some, name)).spikes for some in (plain, fixed)]
        before, after = (run.sum(axis=(0, 1)) - wanted for run in runs)
        if balance == "population":
            assert abs(after.sum()) <= max(abs(before.sum()) / 2, 0.01 * wanted.sum())
        else:
            choice = choice_of(fixed, name)
            factor = np.array(choice.balance)
            most = min(WIDEST, THRESHOLD_MAX / choice.factor)  # of a threshold of 1
            free = (factor > 1.02 / WIDEST) & (factor < 0.98 * most)  # others reach a bound
            assert free.sum() > 1
            assert np.abs(after)[free].sum() < np.abs(before)[free].sum() / 2
        different = np.unique(fixed[name].neuron.threshold).size
        assert different == 1 if balance == "population" else different > 1
        assert f"{name}/threshold" in {e.element for e in fixed.audit}
    for one, other in zip(plain.projections, fixed.projections, strict=True):
        np.testing.assert_array_equal(one.synapse.weight, other.synapse.weight)
    with pytest.raises(InputError, match="balance: needs calibration inputs"):
        nd.quantize(net, replace(config, balance=balance))
