"""Runs with `starts`, resets and axon delays: what a comparison repeats of them, and explains."""

from __future__ import annotations

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.comparison import FloorOptions
from neurodeploy.errors import RecordingError
from neurodeploy.network import (
    ComplexDense,
    CubaLIF,
    Delta,
    Dense,
    GeneralCubaLIF,
    LeakyIntegrator,
    Network,
    Population,
    Projection,
    Sigma,
    SigmaDelta,
    Source,
)
from sim_tests.compare.test_compare import changed
from sim_tests.engine.neuron_bench import MODELS, draw_neuron
from sim_tests.random_networks import Draw

RECORD = ("spikes", "u", "v")
STEPS = 25
KINDS = (*MODELS, CubaLIF, SigmaDelta, Delta, Sigma)
RESETS = ({}, *({"reset_interval": n, "reset_offset": k} for n, k in ((1, 0), (7, 0), (7, 4))))


def drawn(model, rng, size):
    if model in MODELS and model is not GeneralCubaLIF:
        return draw_neuron(rng, model, size)
    return {
        GeneralCubaLIF: GeneralCubaLIF(410, 128, 60, 9, reset="subtract", refractory=2),
        CubaLIF: CubaLIF(410, 128, 60, rng.integers(-20, 40, size).astype(np.int32)),
        SigmaDelta: SigmaDelta(5, rng.integers(-20, 40, size).astype(np.int32)),
        Delta: Delta(5),
        Sigma: Sigma(),
    }[model]


def network_of(model, seed=0, starts=2, size=6):
    """input -> middle (the model, with starts and axon delays) -> output, which hears itself."""
    rng = np.random.default_rng([seed, KINDS.index(model)])
    neuron = drawn(model, rng, size)
    weight = 2 * rng.integers(-30, 60, (size, 8)).astype(np.int32)
    matrix = ComplexDense(weight, weight[::-1].copy()) if neuron.ports == 2 else Dense(weight)
    onward = 2 * rng.integers(-3, 9, (4, size)).astype(np.int32)
    again = 2 * rng.integers(-30, 20, (4, 4)).astype(np.int32)
    return Network(
        (
            Population("input", (8,), Source()),
            Population("middle", (size,), neuron, np.arange(size, dtype=np.int32), starts=starts),
            Population("output", (4,), CubaLIF(1024, 128, 40, 9), starts=3),
        ),
        (
            Projection("input", "middle", matrix),
            Projection("middle", "output", Dense(onward)),
            Projection("output", "output", Dense(again)),
        ),
    )


def spikes_in(samples=3, size=8, seed=4):
    return (np.random.default_rng(seed).random((samples, STEPS, size)) < 0.3).astype(np.int32)


def assert_equals_itself(network, inputs, **how):
    one, two = (nd.run(network, inputs, record=RECORD, **how) for _ in "ab")
    found = nd.compare(one, two, net=network, inputs=inputs, local=True)
    assert found.equal
    assert not [note for note in found.notes if "no local" in note]
    for row in found.local:
        assert row.local.differing == 0, row
        assert row.local.v_sqnr_db is None, row  # v differs nowhere
        assert row.local.coincidence_rate == 1
    return one, found


class TestARecordingEqualsItself:
    @pytest.mark.parametrize("model", KINDS, ids=lambda model: model.__name__)
    def test_for_every_neuron_and_reset(self, model):
        network, inputs = network_of(model), spikes_in()
        for how in RESETS if model.resettable else RESETS[:1]:
            _, found = assert_equals_itself(network, inputs, **how)
            assert [row.population for row in found.local] == ["middle", "output"]

    @pytest.mark.parametrize("seed", range(12))
    def test_for_random_networks(self, seed):
        draw = Draw(seed, beyond_netx=seed % 2 == 1, sigma_delta=seed % 3 == 0)
        rng = np.random.default_rng([seed, 9])
        populations = tuple(
            p if p is draw.network.input else replace(p, starts=int(rng.integers(0, 6)))
            for p in draw.network.populations
        )
        network = replace(draw.network, populations=populations)
        resettable = all(p.neuron.resettable for p in populations)
        how = RESETS[int(rng.integers(len(RESETS)))] if resettable else {}
        # Raw inputs: the recording's hash says so, the comparison is not told.
        assert_equals_itself(network, draw.inputs(2, STEPS), apply_transform=False, **how)

    def test_with_another_offset_it_does_not(self):
        network, inputs = network_of(CubaLIF), spikes_in()
        one, two, far = (
            nd.run(network, inputs, record=RECORD, reset_interval=7, reset_offset=k)
            for k in (0, 3, 10)
        )
        with pytest.raises(RecordingError, match=r"different resets \(0 of 7 and 3 of 7\)"):
            nd.compare(one, two)
        assert nd.compare(two, far).equal  # a whole interval later is the same
        found = nd.compare(one, two, anyway=True, net=network)
        assert not found.diagnosis.deviating  # each did what it was asked to


def test_the_offset_is_kept_in_the_file_and_may_be_missing(tmp_path):
    network, inputs = network_of(CubaLIF), spikes_in()
    path = tmp_path / "a.h5"
    nd.run(network, inputs, record=RECORD, reset_interval=7, reset_offset=3, out=path)
    assert nd.Recording.load(path).header.reset_offset == 3
    with h5py.File(path, "r+") as file:  # as versions wrote it that did not keep the offset
        header = json.loads(file.attrs["header"])
        assert header.pop("reset_offset") == 3
        file.attrs["header"] = json.dumps(header)
    assert nd.Recording.load(path).header.reset_offset == 0
    nd.run(network, inputs, out=path)
    with h5py.File(path) as file:
        assert "reset_offset" not in json.loads(file.attrs["header"])  # nothing was reset


@pytest.mark.parametrize("how", RESETS[1:])
def test_the_floor_resets_too(how):
    network, inputs = network_of(CubaLIF), spikes_in()
    recording = nd.run(network, inputs, record=RECORD, **how)
    found = nd.compare(
        recording, recording, net=network, inputs=inputs, floor=FloorOptions(repeats=1)
    )
    plain = nd.run(network, inputs, record=RECORD)
    unreset = nd.compare(plain, plain, net=network, inputs=inputs, floor=FloorOptions(repeats=1))
    assert found.floor.rows != unreset.floor.rows


class TestDiagnosis:
    def test_sources_not_recorded_run_again_with_their_resets(self):
        network, inputs = network_of(CubaLIF), spikes_in()
        how = {"reset_interval": 7, "reset_offset": 4}
        bare = nd.run(network, inputs, **how)
        neuron = np.asarray(bare.arrays["populations/output/neuron"]).copy()
        neuron[0] = (neuron[0] + 1) % 4
        wrong = changed(bare, "populations/output/neuron", slice(None), neuron)
        for pair, blamed in (((bare, wrong), "B"), ((wrong, bare), "A")):
            found = nd.compare(*pair, net=network, inputs=inputs, names=("A", "B")).diagnosis
            assert found.deviating == blamed

    @pytest.mark.parametrize("how", RESETS, ids=str)
    def test_a_lost_bias_is_found_where_the_population_starts_late(self, how):
        network, inputs = network_of(CubaLIF), spikes_in()
        output = replace(network["output"], neuron=replace(network["output"].neuron, bias=0))
        other = replace(network, populations=(*network.populations[:2], output))
        one, two = (nd.run(n, inputs, record=RECORD, **how) for n in (network, other))
        found = nd.compare(one, two, anyway=True, net=network, names=("A", "B")).diagnosis
        assert (found.deviating, found.pattern) == ("B", "lost-bias")

    @pytest.mark.parametrize(("model", "given", "actual"), [(CubaLIF, 2, 0), (CubaLIF, 0, 1)])
    def test_another_start_is_found_with_one_network(self, model, given, actual):
        networks = [network_of(model, starts=starts) for starts in (given, actual)]
        inputs = spikes_in()
        one, two = (nd.run(n, inputs, record=RECORD) for n in networks)
        found = nd.compare(one, two, anyway=True, net=networks[0], names=("A", "B")).diagnosis
        assert found.deviating == "B"
        words = f"begins at step {actual}, where the network says {given}"
        assert any(f.reproduces and words in f.words for f in found.findings)
        if given:
            assert found.pattern == "starts"

    def test_nothing_without_effect_is_named(self):
        """One v that no supposition gives: what gives as much as no supposition is left out."""
        network, inputs = network_of(CubaLIF), spikes_in()
        recording = nd.run(network, inputs, record=RECORD)
        # The first neuron's axon has no delay: where it sends nothing, it has not fired.
        quiet = (*np.argwhere(recording["middle"].spikes[..., 0] == 0)[-7], 0)
        wrong = changed(recording, "populations/middle/v", quiet, 12345)
        found = nd.compare(recording, wrong, net=network, names=("A", "B")).diagnosis
        assert found.deviating == "B"
        assert not found.pattern
        assert not found.findings
        assert "in no known way" in found.words

    def test_where_neither_does_what_it_should_the_first_to_leave_it_deviates(self):
        network, inputs = network_of(CubaLIF), spikes_in()
        recording = nd.run(network, inputs, record=RECORD)
        quiet = np.argwhere(recording["middle"].v[0, :18])  # v of a spike would be 0
        early, late = (
            changed(recording, "populations/middle/v", (0, *quiet[k]), 12345) for k in (3, -1)
        )
        for pair, blamed in (((early, late), "A"), ((late, early), "B")):
            found = nd.compare(*pair, net=network, names=("A", "B")).diagnosis
            assert found.deviating == blamed
            assert "The network given reproduces neither side" in found.words

    def test_bias_and_v_before_the_reset_stand_in_the_evidence(self):
        network, inputs = network_of(CubaLIF), spikes_in()
        how = {"reset_interval": 7, "reset_offset": 4}
        one = nd.run(network, inputs, record=RECORD, **how)
        sample, step, neuron = np.argwhere(one["output"].spikes)[3]
        wrong = changed(one, "populations/output/u", (sample, step, neuron), -77)
        evidence = nd.compare(one, wrong, net=network).diagnosis.evidence
        values = {name: np.array(each) for name, each in evidence.a.values.items()}
        steps = np.array(evidence.steps)
        np.testing.assert_array_equal(values["bias"], np.where(steps >= 3, 9 * 64, 0))
        sent = values["spikes"] != 0
        assert sent[evidence.at]
        np.testing.assert_array_equal(values["v_before_reset"][~sent], values["v"][~sent])
        assert (values["v_before_reset"][sent] > evidence.threshold).all()
        assert (values["v"][sent] == 0).all()


class TestTwoNetworks:
    @pytest.fixture
    def exports(self, faults):
        names = ("conv_exported", "conv_slayer_export_hdf5")
        networks = [nd.load(faults / "slayer" / f"{name}.net") for name in names]
        inputs = np.load(faults / "slayer" / "conv_x.npz")["inputs"]
        return networks, inputs, [nd.run(n, inputs, record=RECORD) for n in networks]

    def test_they_differ_in_starts_alone(self, exports):
        networks, inputs, recordings = exports
        assert [r.output.sum() for r in recordings] == [168, 188]
        found = nd.compare(
            *recordings, anyway=True, names=("ours", "SLAYER's"),
            net=networks[0], net_b=networks[1], inputs=inputs,
        ).diagnosis  # fmt: skip
        assert found.words.startswith(
            "The networks differ in starts alone: 1 against 0 in '2_conv'."
        )
        assert found.differences == ("starts: 1 against 0",)
        assert not found.deviating
        assert found.pattern == "starts"
        first, second = (side.values for side in (found.evidence.a, found.evidence.b))
        at = found.evidence.at
        assert (first["bias"][at], first["v"][at]) == (0, 0)
        assert second["bias"][at] == second["v_before_reset"][at] == second["v"][at] == -4480

    def test_with_one_of_them_the_other_begins_too_early(self, exports):
        networks, inputs, recordings = exports
        found = nd.compare(
            *recordings, anyway=True, names=("ours", "SLAYER's"), net=networks[0], inputs=inputs
        ).diagnosis
        assert (found.deviating, found.pattern) == ("SLAYER's", "starts")

    def test_what_else_differs_is_said_first(self):
        networks = [network_of(CubaLIF), network_of(CubaLIF, starts=0)]
        neuron = replace(networks[1]["output"].neuron, threshold=50)
        output = replace(networks[1]["output"], neuron=neuron)
        networks[1] = replace(networks[1], populations=(*networks[1].populations[:2], output))
        one, two = (nd.run(n, spikes_in(), record=RECORD) for n in networks)
        found = nd.compare(
            one, two, anyway=True, net=networks[0], net_b=networks[1], names=("A", "B")
        ).diagnosis
        said = "The networks differ in 'middle' (starts: 2 against 0) and in 'output'."
        assert found.words.startswith(said)

    def test_a_side_that_its_network_does_not_reproduce_deviates(self):
        networks = [network_of(CubaLIF), network_of(CubaLIF, starts=0)]
        one, two = (nd.run(n, spikes_in(), record=RECORD) for n in networks)
        index = tuple(np.argwhere(one["middle"].spikes == 0)[0])
        broken = changed(one, "populations/middle/u", index, 1 << 20)
        for pair, nets, blamed in (
            ((broken, two), networks, "A"),
            ((two, broken), networks[::-1], "B"),
        ):
            found = nd.compare(
                *pair, anyway=True, net=nets[0], net_b=nets[1], names=("A", "B")
            ).diagnosis
            assert found.deviating == blamed
            assert found.words.startswith("The networks differ in starts alone")


SENDING = [m for m in KINDS if m.states == ("u", "v") and m is not LeakyIntegrator]


@pytest.mark.parametrize("model", SENDING, ids=lambda model: model.__name__)
def test_the_model_says_whether_v_is_masked_after_a_spike(model):
    network = network_of(model)
    recording = nd.run(network, spikes_in(), record=RECORD)
    sent = np.argwhere(recording["middle"].spikes)
    sample, step, neuron = sent[len(sent) // 2]
    at = (sample, step - recording["middle"].axon_delay[neuron], neuron)
    wrong = changed(recording, "populations/middle/v", at, 1 << 22)
    assert nd.compare(recording, wrong).equal == network["middle"].neuron.masks_v
    assert model.masks_v == (model.kind in ("cuba-lif", "cuba-lif-general", "ternary-lif"))
