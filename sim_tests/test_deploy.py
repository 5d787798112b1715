"""A network that somebody trained goes to its target: every step named, exact or measured."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.cli.deploy import REWRITES
from neurodeploy.errors import ChipError, InputError
from neurodeploy.network import (
    AdaptiveResonateFire,
    ComplexDense,
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
from neurodeploy.targets import TARGETS
from sim_tests import exporting_cases as cases
from sim_tests.backends.standin import StandIn

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm is deprecated:UserWarning")

SLAYER = (
    "conv CUBA, MeanOnlyBatchNorm, delays",
    "conv CUBA, WgtScaleBatchNorm, delays",
    "ALIF, recurrent",
    "CUBA with Affine readout",
    "RF and RF-Iz",
    "SDNN, norm, learnt thresholds",
)

EXACT_ON_LAVA = set(SLAYER[:5])
"""Whose messages are the trained network's integers, all of them."""


def soft(threshold=120, reset="subtract", decay=0):
    rng = np.random.default_rng(3)
    neuron = GeneralCubaLIF(4096, decay, threshold, reset=reset)
    return Network(
        (
            Population("input", (20,), Source()),
            Population("a", (30,), neuron),
            Population("b", (6,), neuron),
        ),
        (
            Projection("input", "a", Dense((2 * rng.integers(-20, 50, (30, 20))).astype(np.int32))),
            Projection("a", "b", Dense((2 * rng.integers(-20, 40, (6, 30))).astype(np.int32))),
        ),
    )


def spikes(samples=4, steps=50):
    return (np.random.default_rng(1).random((samples, steps, 20)) < 0.25).astype(np.int32)


@pytest.mark.parametrize("name", SLAYER)
def test_every_ordinary_slayer_network_runs_on_lava(lava, name):
    pytest.importorskip("lava.lib.dl")
    module, inputs = cases.slayer_networks()[name]()
    network = nd.load(module, example=inputs, measure=False)
    ready = nd.deploy(network, "lava", inputs=inputs)
    assert not ready.left
    assert ready.verification.equal
    assert ready.runs
    if name in EXACT_ON_LAVA:
        assert all(step.exact for step in ready.steps)
        record = ("spikes", "v")
        ours, theirs = (
            nd.run(n, inputs, record=record, drain=True) for n in (network, ready.network)
        )
        for what in record[: 1 + network.output.neuron.is_readout]:
            np.testing.assert_array_equal(
                getattr(theirs[network.output.name], what)[:, : ours.steps],
                getattr(ours[network.output.name], what)[:, : theirs.steps],
            )
    assert nd.deploy(ready.network, "lava", inputs=inputs, verified=False).network == ready.network


@pytest.mark.slow
@pytest.mark.parametrize("name", SLAYER)
def test_and_through_the_stand_in_of_the_chip(lava, tmp_path, monkeypatch, name):
    pytest.importorskip("lava.lib.dl")
    standin = StandIn(tmp_path, monkeypatch)
    module, inputs = cases.slayer_networks()[name]()
    network = nd.load(module, example=inputs, measure=False)
    ready = nd.deploy(
        network, "loihi2", inputs=inputs, place=standin.host,
        board_settings={"measure": False}, timeout_seconds=200,
    )  # fmt: skip
    assert not ready.left
    assert ready.verification is not None, ready.not_verified
    assert ready.verification.recordings[1].header.backend == "loihi2-standin"
    assert ready.verification.equal


MORE = (*cases.NIR_FILES, "Sinabs: CNN of IAF, soft reset", *cases.INTEGER_NETWORKS)


def one_of_every(name, folder):
    """A network by name, its inputs and labels, or a skip."""
    found = cases.every_network(folder)
    if name not in found:
        pytest.skip("needs nir, or the shared folder")
    return (*found[name](), None)[:3]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*MORE, *cases.PUBLISHED])
def test_all_others_end_equal_on_lava(lava, tmp_path, name):
    network, inputs, labels = one_of_every(name, tmp_path)
    ready = nd.deploy(network, "lava", inputs=inputs, labels=labels)
    assert not ready.left
    assert ready.verification is not None, ready.not_verified
    assert ready.verification.equal


@pytest.mark.slow
@pytest.mark.parametrize("name", [*MORE, *(n for n in cases.PUBLISHED if "PilotNet" not in n)])
def test_and_all_but_one_through_the_stand_in(lava, tmp_path, monkeypatch, name):
    """PilotNet's sigma-delta neurons have biases, which begin before the late inputs do."""
    network, inputs, labels = one_of_every(name, tmp_path)
    ready = nd.deploy(
        network, "loihi2", inputs=inputs, labels=labels,
        place=StandIn(tmp_path, monkeypatch).host,
        board_settings={"measure": False}, timeout_seconds=600,
    )  # fmt: skip
    assert not ready.left
    assert ready.verification is not None, ready.not_verified
    assert ready.verification.equal


@pytest.mark.parametrize("name", SLAYER)
def test_and_nothing_of_it_is_left_for_the_chip(name):
    pytest.importorskip("lava.lib.dl")
    module, inputs = cases.slayer_networks()[name]()
    ready = nd.deploy(
        module, "loihi2", inputs=inputs, example=inputs, measure=False, verified=False
    )
    assert not ready.left
    assert ready.placement.cores_used >= 1


@pytest.mark.parametrize("name", cases.NIR_FILES)
def test_networks_of_other_frameworks_run_on_lava(lava, name):
    if not cases.SHARED.is_dir():
        pytest.skip("the shared folder is not here")
    network, inputs, labels = cases.nir_network(name)
    ready = nd.deploy(network, "lava", calibration=inputs, labels=labels)
    assert not ready.left
    assert ready.verification.equal
    assert ready.steps[0].name == "quantize"
    assert all(step.exact or step.name != "soft-reset-as-hard" for step in ready.steps)
    if labels is not None:
        right, kept = ready.change.accuracy
        assert kept >= right - 0.13  # one of eight
        assert all(step.exact for step in ready.steps[1:])
    else:
        assert all(step.change.coincidence > 0.85 for step in ready.steps if not step.exact)


@pytest.mark.parametrize("target", ["lava", "loihi2"])
def test_a_cnn_of_neurons_with_soft_resets_keeps_its_spikes(tmp_path, target):
    """Sinabs' IAF, which do not leak: as ATRLIF, where a hard reset would lose half of them."""
    nir = pytest.importorskip("nir")
    graph, inputs = cases.sinabs_cnn()
    nir.write(tmp_path / "cnn.nir", graph)
    network = nd.load(tmp_path / "cnn.nir", dt=1.0, preset="sinabs")
    ready = nd.deploy(network, target, inputs=inputs, verified=False)
    assert ready.runs
    fixed = nd.quantize(network, calibration=inputs)
    a, b = (nd.run(n, inputs, record=("spikes",)) for n in (fixed, ready.network))
    for name in ("if1", "if2"):
        old, new = a[name].spikes, b[name].spikes
        assert np.count_nonzero(old != new) < 0.06 * np.count_nonzero(old)


@pytest.mark.parametrize("target", ["lava", "loihi2", "netx"])
@pytest.mark.parametrize("make", [cases.pruned_chain, cases.payload_network])
def test_networks_in_integers(make, target):
    network, inputs = make()
    ready = nd.deploy(network, target, inputs=inputs, verified=False)
    assert not ready.left
    if target == "netx" and make is cases.pruned_chain:  # its biases are not delayed there
        assert [step.name for step in ready.steps if not step.exact] == ["delays-before-the-layer"]
    else:
        assert all(step.exact for step in ready.steps)
    if target == "netx" and make is cases.payload_network:
        assert "give netx input_message_bits=8" in ready.needs[0]


def test_the_effect_is_what_an_independent_run_measures():
    before, inputs = soft(decay=300), spikes()
    ready = nd.deploy(before, "netx", inputs=inputs, verified=False)
    lossy = [step for step in ready.steps if not step.exact]
    assert [step.name for step in lossy] == ["soft-reset-as-hard"] * 2
    steps = inputs.shape[1] + 2
    old, new = (nd.run(n, inputs, steps=steps, record=("spikes",)) for n in (before, ready.network))
    effect = ready.change.effect
    assert effect.differing == np.count_nonzero(old.output != new.output) > 0
    assert (effect.sent_before, effect.sent) == tuple(
        np.count_nonzero(r.output) for r in (old, new)
    )
    lost = np.abs(new.output - old.output).sum() / np.abs(old.output).sum()
    assert effect.output_relative_error == pytest.approx(lost)
    same = np.count_nonzero((old.output == new.output) & (old.output != 0))
    both = np.count_nonzero(old.output) + np.count_nonzero(new.output)
    assert ready.change.coincidence == pytest.approx(2 * same / both)
    # Of the two steps, each is against the network before it, in the population that it changed.
    first = lossy[0].change.effect
    only_a = replace(before, populations=(before.input, ready.network["a"], before["b"]))
    mid = nd.run(only_a, inputs, steps=steps, record=("spikes",))
    assert first.population == "a"
    assert first.differing == np.count_nonzero(mid["a"].spikes != old["a"].spikes)


def test_of_several_forms_the_least_lossy_is_taken():
    before, inputs = soft(decay=300), spikes()
    found = nd.deploy(before, "loihi2", inputs=inputs, verified=False).network
    plain = replace(
        before,
        populations=(
            before.input,
            *(replace(p, neuron=CubaLIF(4096, 300, 120)) for p in before.populations[1:]),
        ),
    )
    old = nd.run(before, inputs, record=("spikes",))["a"].counts
    lost = [
        np.abs(nd.run(n, inputs, record=("spikes",))["a"].counts - old).sum()
        for n in (found, plain)
    ]
    assert lost[0] < 0.5 * lost[1]


def test_a_rewrite_can_be_left_out():
    before, inputs = soft(), spikes()
    with_it = nd.deploy(before, "lava", inputs=inputs, verified=False)
    assert [step.name for step in with_it.steps] == ["soft-reset-as-adaptation"] * 2
    assert all(step.exact for step in with_it.steps)
    without = nd.deploy(
        before, "lava", inputs=inputs, verified=False,
        without=("soft-reset-as-adaptation", "soft-reset-approximated"),
    )  # fmt: skip
    assert not without.runs
    assert {entry.element for entry in without.left} == {"a", "b"}
    with pytest.raises(InputError, match="'soft-resets': target 'lava' has none; there are taps"):
        nd.deploy(before, "lava", without=("soft-resets",))


def test_accuracy_is_said_where_there_are_labels():
    before, inputs = soft(decay=300), spikes(12)
    labels = nd.run(before, inputs).decisions()
    ready = nd.deploy(before, "loihi2", inputs=inputs, labels=labels, verified=False)
    right, kept = ready.change.accuracy
    assert right == 1.0
    assert kept == nd.run(ready.network, inputs, steps=52).accuracy(labels)
    assert f"accuracy {kept:.2%} for 100.00%" in str(ready.change)


def test_what_cannot_run_is_named(tmp_path):
    network = Network(
        (
            Population("input", (4,), Source()),
            Population("a", (3,), AdaptiveResonateFire(300, 3000, 40, 50, 90, 5)),
        ),
        (Projection("input", "a", ComplexDense(*np.full((2, 3, 4), 60, np.int32))),),
    )
    ready = nd.deploy(network, "lava")
    assert not ready.runs
    assert ready.verification is None
    assert [entry.element for entry in ready.left] == ["a"]


def test_its_own_result_is_left_as_it_is(tmp_path):
    ready = nd.deploy(soft(), "lava", inputs=spikes(), verified=False)
    nd.save(ready.network, tmp_path / "a.net")
    again = nd.deploy(tmp_path / "a.net", "lava", inputs=spikes(), verified=False)
    assert again.steps == ()
    assert again.change is None
    assert again.network == ready.network
    assert again.network.audit == ready.network.audit
    assert dict(again.network.metadata) == dict(ready.network.metadata)


def test_every_step_stands_in_the_file(tmp_path):
    ready = nd.deploy(soft(decay=300), "loihi2", inputs=spikes(), verified=False)
    nd.save(ready.network, tmp_path / "a.net")
    held = nd.load(tmp_path / "a.net")
    assert json.loads(held.metadata["deploy/steps"]) == [step.name for step in ready.steps]
    assert [entry.rating for entry in held.audit] == [Rating.APPROXIMATE] * 2
    for entry, step in zip(held.audit, ready.steps, strict=True):
        assert step.says in entry.reason
        assert entry.effect == step.change.effect


def test_a_readout_says_where_its_numbers_are():
    network = Network(
        (Population("input", (4,), Source()), Population("a", (3,), LeakyIntegrator(4096, 300))),
        (Projection("input", "a", Dense(np.full((3, 4), 60, np.int32))),),
    )
    ready = nd.deploy(network, "lava", verified=False)
    assert ready.needs == (
        "'a' sends nothing, the host reads its v (record v): v / 2^12 is SLAYER's number",
    )


def test_the_error_of_a_readout_is_told_in_the_unit_of_the_trained_network():
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.5, (30, 20)), rng.normal(0, 0.3, (4, 30))
    floats = Network(
        (
            Population("input", (20,), Source()),
            Population("a", (30,), FloatLIF(voltage_keep=0.9)),
            Population("b", (4,), FloatLIF(voltage_keep=0.95, sends="voltage", reset="none")),
        ),
        tuple(
            Projection(source, target, Dense(weight.astype(np.float32)))
            for source, target, weight in zip(("input", "a"), ("a", "b"), weights, strict=True)
        ),
    )
    inputs = spikes(8)
    ready = nd.deploy(floats, "lava", inputs=inputs, verified=False)
    before = nd.run(floats, inputs, backend="float", record=("spikes",)).output
    steps = inputs.shape[1] + 2
    after = nd.run(ready.network, inputs, record=("v",), steps=steps)["b"].in_trained_units()
    error = np.abs(after[:, 2:] - before).sum() / np.abs(before).sum()
    assert error < 0.02
    assert ready.change.effect.relative_error == pytest.approx(error)


def test_a_compiler_bounds_what_a_chip_holds_and_is_refused_elsewhere():
    weight = np.full((50, 784), 127, np.int32)  # 12,544 words on one core
    network = Network(
        (Population("input", (784,), Source()), Population("n", (50,), CubaLIF(4095, 4095, 1))),
        (Projection("input", "n", Dense(weight)),),
    )
    cores = {
        compiler: nd.deploy(network, compiler=compiler, verified=False).placement.cores_used
        for compiler in (None, "2022")
    }
    assert cores == {None: 1, "2022": 2}
    with pytest.raises(ChipError, match="no compiler '1999'; there are 2022, 2024"):
        nd.deploy(network, compiler="1999", verified=False)
    with pytest.raises(ChipError, match="compiler '2022': target 'lava' is no chip; leave it out"):
        nd.deploy(network, "lava", compiler="2022", verified=False)


def test_the_verb_knows_every_rewrite():
    known = {r.name for t in TARGETS.values() for r in t.rewrites}
    assert tuple(sorted(known)) == REWRITES


def test_an_output_that_falls_silent_decides_nothing():
    """It is a loss like others, not an error: another form may do better."""
    before, inputs = soft(decay=300), spikes(4)
    labels = nd.run(before, inputs).decisions()
    silent = replace(before["b"], neuron=CubaLIF(4096, 300, 1 << 16))
    network = replace(before, populations=(*before.populations[:2], silent))
    ready = nd.deploy(network, "lava", inputs=inputs, labels=labels, verified=False)
    assert ready.change.accuracy == (0.0, 0.0)


def test_each_neuron_gets_the_threshold_that_fits_it():
    """And keeps its number of spikes better than one threshold for all keeps them."""
    before, inputs = soft(decay=300), spikes(8)
    ready = nd.deploy(before, "netx", inputs=inputs, verified=False)
    assert "for each neuron the threshold that fits it" in ready.steps[0].says
    found = ready.network["a"].neuron.threshold
    assert len(np.unique(found)) > 1
    old = nd.run(before, inputs)["a"].counts

    def lost(threshold):
        hard = replace(before["a"], neuron=CubaLIF(4096, 300, threshold))
        changed = replace(before, populations=(before.input, hard, before["b"]))
        return np.abs(nd.run(changed, inputs)["a"].counts - old).sum()

    assert lost(found) < min(lost(int(threshold)) for threshold in np.unique(found))
