"""Blocks as SLAYER trains them, read and run on Lava: messages and states are the engine's."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy.formats.slayer import export_slayer
from neurodeploy.inputs import present
from sim_tests.backends.test_lava_neurons import assert_equal, run_on_lava
from sim_tests.formats.test_slayer import parameters
from sim_tests.slayer_oracle import import_slayer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("lava"),
    pytest.mark.filterwarnings("ignore:torch.nn.utils.weight_norm is deprecated"),
]


def modules(torch, slayer):
    """Networks that no road led to Lava from, by what they show."""
    room, norm = slayer.block, slayer.neuron.norm.MeanOnlyBatchNorm
    adaptive = parameters(torch, "alif", norm=norm)
    turning, height = parameters(torch, "rf"), parameters(torch, "rf_iz")
    cuba = parameters(torch, "cuba")
    sdnn = parameters(torch, "sigma_delta", requires_grad=True)
    return {
        "alif with norms in a loop": torch.nn.Sequential(
            room.alif.Dense(adaptive, 14, 12, weight_scale=2),
            room.alif.Recurrent(parameters(torch, "alif"), 12, 10, weight_scale=2),
            room.alif.Dense(adaptive, 10, 8, weight_scale=3),
        ),
        "resonators": torch.nn.Sequential(
            room.rf.Dense(turning, 14, 12, weight_scale=2),
            room.rf_iz.Dense(height, 12, 8, weight_scale=3),
        ),
        "readout": torch.nn.Sequential(
            room.cuba.Dense(cuba, 14, 12, weight_scale=2), room.cuba.Affine(cuba, 12, 4)
        ),
        "learnt thresholds": torch.nn.Sequential(
            room.sigma_delta.Dense(sdnn, 14, 12, weight_scale=2),
            room.sigma_delta.Dense(sdnn, 12, 4, weight_scale=2),
        ),
    }


def test_slayers_networks_run_on_lava_as_on_the_engine(tmp_path):
    slayer, torch = import_slayer()
    torch.manual_seed(3)
    networks = {}
    for name, module in modules(torch, slayer).items():
        module(torch.zeros(1, 14, 2))
        for block in module:
            if name == "learnt thresholds":
                block.neuron.delta.threshold.data = torch.tensor([0.1234])
            means = getattr(getattr(block.neuron, "norm", None), "running_mean", None)
            if means is not None:  # as training leaves them
                means.data = torch.linspace(-0.2, 0.3, means.numel()).reshape(means.shape)
        networks[name] = export_slayer(module.eval(), shape=(14,)).network
    kinds = {p.neuron.kind for network in networks.values() for p in network.populations}
    assert {"alif", "rf", "rf-iz", "leaky-integrator", "sigma-delta"} <= kinds
    assert any(p.starts and np.any(p.neuron.constant_current)
               for p in networks["alif with norms in a loop"].populations)  # fmt: skip
    thresholds = networks["learnt thresholds"].populations[-1].neuron
    assert thresholds.fraction_bits
    values = (np.random.default_rng(4).random((2, 30, 14)) < 0.4).astype(np.int32)
    units = {"learnt thresholds": 1 << 12}  # a sigma-delta message of 1
    cases = [
        (network, present(network, values * units.get(name, 1), None, True)[:])
        for name, network in networks.items()
    ]
    for name, case, theirs in zip(networks, cases, run_on_lava(tmp_path, cases), strict=True):
        ours = assert_equal(*case, theirs, name)
        last = ours[case[0].populations[-1].name]
        assert np.count_nonzero(last["v"]) > 20, name
