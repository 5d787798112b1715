"""Twelve ways in which lava-dl's importer changes a network without a word, and what we do.

Each: a block trained in SLAYER, exported by SLAYER's own exporter, imported and run by
netx, whose output is not SLAYER's; read by us from the module it is to the bit, or the file
does not say enough and the audit says so. One process runs netx on all of them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import warnings

import h5py
import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import UnsupportedError
from neurodeploy.exporting.forward_pass import compare_forward_pass
from neurodeploy.formats.slayer import export_slayer, quiet
from sim_tests.slayer_oracle import import_slayer

CUBA = {"threshold": 1.0, "current_decay": 0.25, "voltage_decay": 0.08}
STEPS = 30


def build(slayer, torch):
    """Modules by name, each one block behind nothing, with an example [steps, *shape]."""
    cuba, sdnn, rf = slayer.block.cuba, slayer.block.sigma_delta, slayer.block.rf
    mean, scale = slayer.neuron.norm.MeanOnlyBatchNorm, slayer.neuron.norm.WgtScaleBatchNorm
    turns = {"threshold": 0.3, "period": 7, "decay": 0.1}
    torch.manual_seed(5)
    wide = [
        cuba.Conv(CUBA, 2, 4, 3, weight_scale=3),
        cuba.Flatten(),
        cuba.Dense(CUBA, 4 * 4 * 3, 8, weight_scale=4, delay=True),
    ]
    torch.manual_seed(5)
    made = {
        "input": [cuba.Input(CUBA, weight=1.5, bias=0.25)],
        "conv_delay": [cuba.Conv(CUBA, 2, 4, 3, weight_scale=3, delay=True)],
        "dense_delay_bias": [cuba.Dense({**CUBA, "norm": mean}, 12, 8, weight_scale=3, delay=True)],
        "weight_exp": [cuba.Dense({**CUBA, "norm": scale}, 12, 8, weight_scale=3)],
        "rf_norm": [rf.Dense({**turns, "norm": mean}, 12, 8, weight_scale=3)],
        "graded_sdnn": [sdnn.Dense({"threshold": 0.1, "activation": lambda x: x}, 12, 8)],
        "spikes_graded": [cuba.Dense({**CUBA, "graded_spike": True}, 12, 8, weight_scale=3)],
        "plain": [cuba.Dense(CUBA, 12, 8, weight_scale=3)],
        "wide": wide,
        "graded_recurrent": [cuba.Recurrent(dict(CUBA), 12, 8, weight_scale=2)],
        "affine": [cuba.Affine(CUBA, 12, 8, dynamics=False)],
    }
    rng = np.random.default_rng(5)
    found = {}
    for name, blocks in made.items():
        shape = (2, 6, 5) if name in ("conv_delay", "wide") else (12,)
        example = (rng.random((STEPS, *shape)) < 0.4).astype(np.float32)
        if name == "graded_sdnn":
            example = np.round(rng.normal(0, 1, (STEPS, *shape)) * 32) / 32
        found[name] = torch.nn.Sequential(*blocks), example.astype(np.float32)
    return found


def settle(torch, module):
    """Give learnt values to what a first pass would draw or leave at zero."""
    for part in module.modules():
        if type(part).__name__ == "Delay":
            part.delay.data, part.init = torch.arange(len(part.delay)) % 5 + 1.0, True
        if type(part).__name__.endswith("BatchNorm"):
            part.running_mean = torch.linspace(-0.3, 0.1, 8)
            if hasattr(part, "running_var"):
                part.running_var = torch.tensor([14.0])
        if hasattr(part, "delta") and hasattr(part, "set_bias"):
            part.delta.threshold.data = torch.tensor([0.1234])
            part.set_bias(torch.linspace(-0.5, 0.5, 8) // (1 / 64) / 64)


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """(module, export, facts, SLAYER's own file, netx's output or None) by name."""
    slayer, torch = import_slayer()
    torch.manual_seed(5)
    folder = tmp_path_factory.mktemp("netx")
    made = {}
    with warnings.catch_warnings(), quiet():
        for name, (module, example) in build(slayer, torch).items():
            x = torch.from_numpy(np.moveaxis(example[None], 1, -1))
            with torch.no_grad():
                module(x)
                settle(torch, module)
            export = export_slayer(module, example=example[None])
            made[name] = (module, export)
            with h5py.File(folder / f"{name}.net", "w") as file:
                for index, block in enumerate(module):
                    block.export_hdf5(file.create_group(f"layer/{index}"))
            if name not in ("graded_recurrent", "affine"):
                values = export.inputs[0] if name != "input" else example.astype(np.int32)
                np.save(folder / f"{name}.npy", values)
    for name in ("plain", "wide"):
        export = made[name][1]
        nd.save(export.network, folder / f"ours_{name}.net")
        np.save(folder / f"ours_{name}.npy", export.inputs[0])
    subprocess.run(
        [sys.executable, "-m", "sim_tests.netx_changes", str(folder)],
        check=True, capture_output=True, timeout=240,
    )  # fmt: skip
    facts = json.loads((folder / "facts.json").read_text())
    found = {}
    for name, (module, export) in made.items():
        out = folder / f"{name}.out.npy"
        output = np.load(out) if out.exists() else None
        found[name] = (module, export, facts[name], folder / f"{name}.net", output)
    for name in ("plain", "wide"):
        path = folder / f"ours_{name}.out.npy"
        found[f"ours_{name}"] = (None, made[name][1], facts[f"ours_{name}"], path, np.load(path))
    return found


def differs_from_slayer(case):
    """Whether netx's output is SLAYER's at no shift of up to two steps."""
    _, export, facts, _, output = case
    assert output is not None, facts
    theirs = export.sent[-1].values[0].reshape(STEPS, -1)
    assert np.count_nonzero(theirs) > 10
    inner = slice(4, STEPS - 4)
    return all(
        not np.array_equal(output[4 + shift : STEPS - 4 + shift], theirs[inner])
        for shift in range(-2, 3)
    )


def assert_ours_is_exact(case):
    for population in compare_forward_pass(case[1]):
        assert population.equal, population.line()


def test_netx_runs_a_plain_block_as_slayer_does(cases):
    """So that what follows is the change and not the way of comparing."""
    assert not differs_from_slayer(cases["plain"])


@pytest.mark.parametrize("name", ["plain", "wide"])
def test_files_that_we_write_run_in_lava_dl_as_in_slayer(cases, name):
    assert not differs_from_slayer(cases[f"ours_{name}"])
    assert_ours_is_exact(cases[name])


class TestTwelveChanges:
    def test_1_the_input_block_is_not_connected(self, cases):
        assert cases["input"][2]["connected"] is False
        assert_ours_is_exact(cases["input"])

    def test_2_the_weight_and_bias_of_an_input_block_are_left_to_the_caller(self, cases):
        facts = cases["input"][2]
        assert facts["transform"] == {"weight": 96.0, "bias": 16.0}
        assert facts["bias_mant"] in ([0], [0, 0, 0, 0], None)
        transform = nd.load(cases["input"][3]).input.transform
        assert (transform.weight, transform.bias) == (96, 16)

    def test_3_a_convolution_s_delay_is_ignored(self, cases):
        assert differs_from_slayer(cases["conv_delay"])
        assert_ours_is_exact(cases["conv_delay"])
        audit = nd.load(cases["conv_delay"][3], input_shape=(2, 6, 5)).audit
        assert any("netx ignores a conv delay" in entry.reason for entry in audit)

    def test_4_a_dense_delay_goes_to_the_input_where_a_bias_makes_it_another(self, cases):
        assert cases["dense_delay_bias"][2]["synapse"] == "DelayDense"
        assert differs_from_slayer(cases["dense_delay_bias"])
        assert_ours_is_exact(cases["dense_delay_bias"])
        audit = nd.load(cases["dense_delay_bias"][3]).audit
        assert any("differs with a bias" in entry.reason for entry in audit)

    def test_5_the_weight_exponent_of_a_norm_is_ignored(self, cases):
        assert differs_from_slayer(cases["weight_exp"])
        assert_ours_is_exact(cases["weight_exp"])
        with pytest.raises(UnsupportedError, match="weight_exp"):
            nd.load(cases["weight_exp"][3])

    def test_6_the_norms_of_resonators_are_never_exported(self, cases):
        with h5py.File(cases["rf_norm"][3]) as file:
            assert "bias" not in file["layer/0"]
        assert differs_from_slayer(cases["rf_norm"])
        assert_ours_is_exact(cases["rf_norm"])

    def test_7_activation_bias_and_threshold_of_sigma_delta(self, cases):
        with h5py.File(cases["graded_sdnn"][3]) as file:
            assert "bias" not in file["layer/0"]
        _, export, facts, path, output = cases["graded_sdnn"]
        assert output is not None, facts
        theirs = export.sent[-1].values[0]
        assert (theirs < 0).sum() > 10  # no rectifier
        assert not np.array_equal(output[1:], theirs[:-1])
        assert_ours_is_exact(cases["graded_sdnn"])
        with pytest.raises(UnsupportedError, match="read as relu"):
            nd.load(path)

    def test_8_graded_spikes_become_plain_ones(self, cases):
        output = cases["spikes_graded"][4]
        assert set(np.unique(output)) == {0, 1}
        assert np.abs(cases["spikes_graded"][1].sent[-1].values).max() > 4096
        assert_ours_is_exact(cases["spikes_graded"])

    def test_9_message_bits_come_back_as_an_object(self, cases, tmp_path):
        from lava.lib.dl.netx.utils import NetDict

        path = tmp_path / "a.net"
        path.write_bytes(cases["plain"][3].read_bytes())
        with h5py.File(path, "a") as file:
            file["layer/0/neuron/messageBits"] = 8
        read = NetDict(filename=str(path))["layer"][0]["neuron"]["messageBits"]
        assert isinstance(read, NetDict)
        (entry,) = nd.load(path).audit.rated(nd.network.Rating.APPROXIMATE)
        assert entry.element == "layer/0/neuron/messageBits"

    def test_10_weights_that_only_inhibit_lose_bits(self):
        """netx scales their minimum to -256, which Lava clips to 255."""
        pytest.importorskip("lava.lib.dl.netx", reason="needs lava-dl (extra lava)")
        from lava.lib.dl.netx.utils import optimize_weight_bits
        from lava.utils.weightutils import SignMode, clip_weights, truncate_weights

        weight = np.array([[-64, -7], [-8, -33]])
        scaled, bits, exponent, _ = optimize_weight_bits(weight)
        mode = SignMode.INHIBITORY
        clipped = clip_weights(scaled, mode, num_bits=8)
        held = truncate_weights(clipped, mode, num_weight_bits=bits) * 2.0**exponent
        assert not np.array_equal(held, weight)
        source = nd.network.Population("input", (2,), nd.network.Source())
        target = nd.network.Population("0_dense", (2,), nd.network.CubaLIF(900, 300, 70))
        synapse = nd.network.Dense(weight.astype(np.int32))
        network = nd.network.Network(
            (source, target), (nd.network.Projection("input", "0_dense", synapse),)
        )
        from neurodeploy.targets.lava_rules import lava_weight

        mantissa, shift = lava_weight(network.projections[0])
        assert np.array_equal(mantissa * 2.0**shift, weight)

    def test_11_a_loop_takes_the_message_bits_of_the_input(self, cases):
        facts = cases["graded_recurrent"][2]
        assert facts["message_bits"] == [24, 24], facts  # its own messages are plain spikes
        assert_ours_is_exact(cases["graded_recurrent"])

    def test_12_an_affine_block_without_dynamics_becomes_an_integrator(self, cases):
        facts = cases["affine"][2]
        assert facts["vth"] == [1 << 17]
        assert facts["du"] == [-1]  # no decay: what was the current of one step adds up
        assert_ours_is_exact(cases["affine"])
        audit = nd.load(cases["affine"][3]).audit
        assert any("non-leaky integrator" in entry.reason for entry in audit)
