"""What no chip of today runs is refused by the name of what is missing."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import FormatError, UnsupportedError
from neurodeploy.formats.beyond_chip import BEYOND, what_is_missing

NEEDS = {
    "EGRU": ("four accumulators", "LUTs", "product of two activations"),
    "GRU": ("four accumulators", "LUTs", "product of two activations"),
    "LSTM": ("four accumulators", "LUTs", "product of two activations"),
    "MS_Attention_RepConv_qkv_id": ("product of two activations", "Q (K^T V)"),
    "RWKV_TimeMix": ("exp", "division", "LayerNorm", "product of two activations"),
    "LayerNorm": ("mean", "variance", "LayerNorm"),
}
"""EGRU, Spike-driven Transformer V2 and SpikeGPT by the names of their layers, and parts."""


@pytest.mark.parametrize("kind", NEEDS)
def test_each_names_what_is_missing(kind):
    line = what_is_missing(["Linear", kind])
    assert line is not None
    assert line.startswith(f"{kind}, ")
    assert "\n" not in line
    assert all(word in line for word in NEEDS[kind])
    assert "nearest: " in line


def test_all_rows_are_reached_and_others_are_not():
    reached = {what_is_missing([name]) for beyond in BEYOND for name in beyond.names[:1]}
    assert len(reached) == len(BEYOND)
    assert what_is_missing(["Linear", "Conv2d", "LIF", "ReLU", "Softmax", "Sequential"]) is None
    assert what_is_missing([]) is None


def test_whole_systems_come_before_their_parts():
    line = what_is_missing(["LayerNorm", "RWKV_ChannelMix"])
    assert line is not None
    assert line.startswith("RWKV_ChannelMix")


def test_torch_modules_are_refused_by_it():
    torch = pytest.importorskip("torch", reason="needs torch: the extra train")
    pytest.importorskip("lava.lib.dl", reason="needs lava-dl: neurodeploy doctor --add lava-dl")
    layers = {
        "GRU": torch.nn.GRU(3, 4),
        "MultiheadAttention": torch.nn.Sequential(torch.nn.MultiheadAttention(8, 2)),
        "LayerNorm": torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.LayerNorm(4)),
    }
    for kind, module in layers.items():
        with pytest.raises(UnsupportedError, match=f"{kind}, .* needs"):
            nd.load(module)
    with pytest.raises(UnsupportedError, match="no SLAYER block"):
        nd.load(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU()))


@pytest.mark.parametrize(
    ("kind", "error", "says"),
    [
        ("EGRU", UnsupportedError, "four accumulators"),
        ("SelfAttention", UnsupportedError, "product of two activations"),
        ("Colour", FormatError, "is not one that nir"),
    ],
)
def test_unknown_nodes_of_nir_are_refused_by_it(tmp_path, kind, error, says):
    nir = pytest.importorskip("nir", reason="needs nir: pip install '.[nir]'")
    tau = np.full(4, 1e-3)
    nodes = {
        "input": nir.Input({"input": np.array([4])}),
        "cell": nir.LIF(tau=tau, r=tau / 1e-4, v_leak=0 * tau, v_threshold=0 * tau + 1),
        "output": nir.Output({"output": np.array([4])}),
    }
    path = tmp_path / "net.nir"
    nir.write(path, nir.NIRGraph(nodes, [("input", "cell"), ("cell", "output")]))
    with h5py.File(path, "r+") as file:
        del file["node/nodes/cell/type"]
        file["node/nodes/cell/type"] = kind
    with pytest.raises(error, match=f"node 'cell'.*{says}"):
        nd.load(path, dt=1e-4)
