"""Files that we write, read and run by lava-dl's importer: the same, or we have said why not.

One process runs netx on every file of a group; see `sim_tests.netx_changes`.
"""

from __future__ import annotations

import json
import subprocess
import sys

import h5py
import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.formats.slayer import export_slayer
from neurodeploy.inputs import as_samples, present
from neurodeploy.network import (
    CubaLIF,
    Dense,
    GeneralCubaLIF,
    Network,
    Population,
    Projection,
    Rating,
    Sigma,
    SigmaDelta,
    Source,
)
from neurodeploy.targets.look_ahead import look_ahead
from neurodeploy.targets.netx_importer import message_bits, netx_needs, weights_of_netx
from sim_tests import exporting_cases
from sim_tests.formats.test_netx import write_dense
from sim_tests.formats.test_slayer import BLOCKS, CANNOT, PARAMETERS, module_of
from sim_tests.random_networks import Draw
from sim_tests.slayer_oracle import import_slayer

STEPS = 24


def run_netx(folder, networks):
    """What netx made of each network: facts and, where it ran, its output [steps, neurons]."""
    names = {}
    for name, (network, values) in networks.items():
        graded = any(isinstance(p.neuron, (SigmaDelta, Sigma)) for p in network.populations)
        block = not isinstance(network.input.neuron, Source)
        names[name] = ("input_" if block else "graded_" if graded else "") + name
        nd.save(network, folder / f"{names[name]}.net")
        np.save(folder / f"{names[name]}.npy", values[0])
    command = [sys.executable, "-m", "sim_tests.netx_changes", str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=500)
    facts = json.loads((folder / "facts.json").read_text())
    found = {}
    for name, stem in names.items():
        out = folder / f"{stem}.out.npy"
        found[name] = facts[stem], (np.load(out) if out.exists() else None)
    return found


def runs_the_same(network, values, output):
    """Whether netx's output is the engine's, at some shift of up to two steps."""
    ours = nd.run(network, values, apply_transform=False).output[0]
    ours = ours.reshape(len(ours), -1)
    inner = slice(4, len(ours) - 4)
    return any(
        np.array_equal(output[4 + shift : len(ours) - 4 + shift], ours[inner])
        for shift in range(-2, 3)
    )


def check(networks, found):
    """Compare each; gives how many were the same, and how many were announced otherwise."""
    same, otherwise = [], []
    for name, (network, values) in networks.items():
        ahead = look_ahead(network, "netx")
        facts, output = found[name]
        told = [(e.element, e.reason) for e in ahead if e.rating is not Rating.FAITHFUL]
        if ahead.worst is Rating.UNSUPPORTED:
            assert "failed" in facts, (name, "netx reads what we say it cannot", told)
            otherwise.append(name)
            continue
        by_hand = {p.name for p in network.populations if not isinstance(p.neuron, Source)}
        connects = [t for t in told if t[0] == network.input.name and t[0] in by_hand]
        if len(told) > len(connects):
            otherwise.append(name)
            continue
        assert output is not None, (name, facts, "said to run")
        assert runs_the_same(network, values, output), (name, "said to run the same")
        same.append(name)
    return same, otherwise


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    slayer, torch = import_slayer()
    pytest.importorskip("lava.lib.dl.netx", reason="needs lava-dl (extra lava)")
    networks = {}
    for family in PARAMETERS:
        for block in BLOCKS:
            if (family, block) in CANNOT:
                continue
            torch.manual_seed(3)
            module, shape = module_of(torch, slayer, family, block)
            export = export_slayer(module, shape=shape)
            networks[f"{family}.{block}"] = export.network, export.inputs
    return networks, run_netx(tmp_path_factory.mktemp("cells"), networks)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_every_block_of_every_family(cells):
    networks, found = cells
    same, otherwise = check(networks, found)
    assert len(same) + len(otherwise) == len(networks) == 56
    assert {
        f"{family}.{block}"
        for family, blocks in {
            "cuba": ("Dense", "Conv", "Affine", "Input", "Flatten", "TimeDecimation"),
            "sigma_delta": ("Dense", "Conv", "Flatten", "Input", "Output"),
        }.items()
        for block in blocks
    } <= set(same)


def random_chains(seeds):
    networks = {}
    for seed in seeds:
        network = Draw(seed).network
        rng = np.random.default_rng(seed)
        values = (rng.random((1, STEPS, *network.input.shape)) < 0.4).astype(np.int32)
        networks[f"chain{seed}"] = network, values
    return networks


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [range(30), range(30, 60)])
def test_random_chains(tmp_path, seeds):
    pytest.importorskip("lava.lib.dl.netx", reason="needs lava-dl (extra lava)")
    networks = random_chains(seeds)
    same, otherwise = check(networks, run_netx(tmp_path, networks))
    assert len(same) + len(otherwise) == len(seeds)
    assert same


def layer_of(rng, inputs, size, neuron=None, **more):
    """One layer, with what else its file holds."""
    weight = 2 * rng.integers(-40, 50, (size, inputs))
    return {"weight": weight.astype(np.float32), "neuron": neuron or {}, **more}


def write_layer(path, layer):
    with h5py.File(path, "w") as file:
        group = file.create_group("layer/0")
        kind = "dense_rec" if "weight_rec" in layer else "dense"
        write_dense(group, layer["weight"], kind=kind, **layer["neuron"])
        for key in set(layer) - {"weight", "neuron"}:
            group[key] = layer[key]


ONLY = (
    ("only_bias", CubaLIF(900, 300, 70, 8), None),
    ("only_biases", CubaLIF(900, 300, 70, np.arange(-2, 4, dtype=np.int32)), None),
    ("only_general", GeneralCubaLIF(900, 300, 70, 8), None),
    ("only_delays", CubaLIF(900, 300, 70), np.arange(6, dtype=np.int32)),
    ("graded_only_sigma", SigmaDelta(90, 20), None),
)
"""Single layers that `netx_only` accepts, by the name of their file."""


def one_layer(neuron, delay):
    weight = Dense(np.arange(-20, 28, 2, dtype=np.int32).reshape(6, 4))
    source = Source(signed=isinstance(neuron, SigmaDelta))
    return Network(
        (Population("input", (4,), source), Population("0_dense", (6,), neuron, delay)),
        (Projection("input", "0_dense", weight),),
    )


@pytest.fixture(scope="module")
def layers(tmp_path_factory):
    """(network, inputs, facts, netx's output) of single layers, by name."""
    pytest.importorskip("lava.lib.dl.netx", reason="needs lava-dl (extra lava)")
    folder, rng = tmp_path_factory.mktemp("layers"), np.random.default_rng(4)
    files = {}
    for name, inputs in (("square", 8), ("wide", 12)):
        loop = {"weight_rec": (2 * rng.integers(-40, 50, (8, 8))).astype(np.float32)}
        files[f"synapses_{name}"] = layer_of(
            rng, inputs, 8, **loop, delay=rng.integers(0, 5, (8, inputs)) * 1.0
        )
        files[f"axons_{name}"] = layer_of(rng, inputs, 8, **loop, delay=np.arange(8) % 4 * 1.0)
        files[f"loop_{name}"] = layer_of(rng, inputs, 8, **loop)
    payloads = layer_of(rng, 8, 6, {"vThMant": 900})
    files |= {"payloads": payloads, "bits8_payloads": payloads}
    networks = {}
    for name, layer in files.items():
        write_layer(folder / f"{name}.net", layer)
        network = nd.load(folder / f"{name}.net")
        values = (rng.random((1, 40, layer["weight"].shape[1])) < 0.4).astype(np.int32)
        values *= 7 if "payloads" in name else 1
        np.save(folder / f"{name}.npy", values[0])
        networks[name] = network, values
    for name, neuron, delay in ONLY:
        network = one_layer(neuron, delay)
        values = (rng.random((1, 40, 4)) < 0.4).astype(np.int32) * (
            32768 if "graded" in name else 1
        )
        nd.save(network, folder / f"{name}.net", netx_only=True)
        np.save(folder / f"{name}.npy", values[0])
        networks[name] = network, values
    command = [sys.executable, "-m", "sim_tests.netx_changes", str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=500)
    facts = json.loads((folder / "facts.json").read_text())
    found = {}
    for name, (network, values) in networks.items():
        out = folder / f"{name}.out.npy"
        found[name] = network, values, facts[name], np.load(out) if out.exists() else None
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, *_ in ONLY])
def test_what_netx_only_writes_comes_whole_through_lava_dl_s_importer(layers, name):
    network, values, facts, output = layers[name]
    assert look_ahead(network, "netx").worst is Rating.FAITHFUL
    neuron = network.output.neuron
    if isinstance(neuron, CubaLIF):
        bias = np.ravel(facts["bias_mant"]).astype(int)
        assert np.array_equal(bias, np.broadcast_to(neuron.bias, 6)[: bias.size])
        assert (facts["dv"], facts["vth"]) == ([neuron.voltage_decay], [neuron.threshold])
    assert runs_the_same(network, values, output)
    assert output.any()


@pytest.mark.parametrize("which", ["synapses", "axons"])
def test_delays_of_recurrent_layers_are_never_called_faithful(layers, which):
    """netx gives them to the loop as well: it fails, or runs another network."""
    network, _, facts, _ = layers[f"{which}_wide"]
    assert look_ahead(network, "netx").worst is Rating.UNSUPPORTED
    assert "failed" in facts
    network, values, facts, output = layers[f"{which}_square"]
    assert look_ahead(network, "netx").worst is Rating.APPROXIMATE
    assert "failed" not in facts
    assert not runs_the_same(network, values, output)


@pytest.mark.parametrize("shape", ["square", "wide"])
def test_recurrent_layers_without_delays_run_the_same(layers, shape):
    network, values, _, output = layers[f"loop_{shape}"]
    assert look_ahead(network, "netx").worst is Rating.FAITHFUL
    assert runs_the_same(network, values, output)


def test_payloads_need_the_message_bits_that_are_named(layers):
    network, values, _, output = layers["payloads"]
    (need,) = netx_needs(network, values)
    assert "payloads (0..7): give netx input_message_bits=8" in need
    assert not runs_the_same(network, values, output)
    network, values, _, output = layers["bits8_payloads"]
    assert runs_the_same(network, values, output)
    assert output.any()
    assert netx_needs(network, np.minimum(values, 1)) == []
    assert "input_message_bits" in next(iter(look_ahead(network, "netx"))).reason


@pytest.fixture(scope="module")
def deployed(tmp_path_factory):
    """Ordinary networks made ready for netx, and what netx runs of them."""
    pytest.importorskip("lava.lib.dl.netx", reason="needs lava-dl (extra lava)")
    networks = {}
    for name, make in exporting_cases.every_network(tmp_path_factory.mktemp("made")).items():
        if name in exporting_cases.PUBLISHED:
            continue
        network, inputs, _ = (*make(), None)[:3]
        ready = nd.deploy(network, "netx", inputs=inputs[:1], verified=False)
        if not ready.left:
            values = present(ready.network, as_samples(ready.network, inputs[:1]))
            stem = f"begin_{len(networks)}"
            if "payload" in name:
                stem = f"bits8_{stem}"
            networks[stem] = ready.network, values.block(slice(None)).astype(np.int32)
    return networks, run_netx(tmp_path_factory.mktemp("deployed"), networks)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_what_deploy_makes_netx_runs_the_same(deployed):
    """Norms, delays, resonators: what netx would leave out was left out before, and measured."""
    networks, found = deployed
    same, otherwise = check(networks, found)
    assert not otherwise
    assert len(same) == len(networks) >= 9


@pytest.mark.slow
def test_the_published_braille_readers_run_the_same_once_written_anew(cases, tmp_path):
    """netx knows no ``recurrent`` layers; what we write of them it reads."""
    pytest.importorskip("lava.lib.dl.netx", reason="needs lava-dl (extra lava)")
    networks, rng = {}, np.random.default_rng(5)
    for path in sorted((cases / "systems" / "braille_loihi1").glob("*.net")):
        network = nd.load(path)
        nd.save(network, tmp_path / "anew.net", netx_only=True)
        values = (rng.random((1, 60, *network.input.shape)) < 0.2).astype(np.int32)
        networks[path.stem] = nd.load(tmp_path / "anew.net"), values
    (tmp_path / "anew.net").unlink()
    same, otherwise = check(networks, run_netx(tmp_path, networks))
    assert (len(same), otherwise) == (2, [])
    assert all(nd.run(n, values).output.sum() > 20 for n, values in networks.values())


@pytest.mark.parametrize(
    ("low", "high", "bits"),
    [(0, 1, 0), (0, 0, 0), (-1, 1, 8), (0, 2, 8), (-128, 127, 8), (0, 128, 16), (-32769, 0, 24)],
)
def test_message_bits_hold_the_inputs(low, high, bits):
    assert message_bits(np.array([[[low, high]]], np.int32)) == bits


def test_weights_are_what_lava_holds_after_netx():
    """Against netx's own function and Lava's, on matrices of every sign and width."""
    pytest.importorskip("lava.lib.dl.netx", reason="needs lava-dl (extra lava)")
    from lava.lib.dl.netx.utils import optimize_weight_bits
    from lava.utils.weightutils import SignMode, clip_weights, truncate_weights

    lossy = 0
    for seed in range(300):
        weight = matrix(seed)
        if not weight.any():
            continue
        with np.errstate(divide="ignore"):
            scaled, bits, exponent, _ = optimize_weight_bits(weight)
        mode = SignMode.MIXED
        if scaled.min() >= 0:
            mode = SignMode.EXCITATORY
        elif scaled.max() <= 0:
            mode = SignMode.INHIBITORY
        clipped = clip_weights(scaled, mode, num_bits=8)
        held = truncate_weights(clipped, mode, num_weight_bits=bits) * 2.0**exponent
        np.testing.assert_array_equal(weights_of_netx(weight), held)
        lossy += not np.array_equal(held, weight)
    assert 10 < lossy < 250


def matrix(seed):
    rng = np.random.default_rng(seed)
    low, high = sorted(rng.integers(-300 if seed % 5 == 0 else -256, 256, 2).tolist())
    if seed % 3 == 0:
        low, high = sorted((min(high, -1), low)) if seed % 2 else (abs(high) // 4, abs(high) + 1)
    return rng.integers(low, high + 1, (3, 4)) >> (seed % 4) << (seed % 4)
