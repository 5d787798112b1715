"""The same code on a GPU: whole numbers are the same there, and training runs."""

from __future__ import annotations

import copy

import pytest

torch = pytest.importorskip("torch", reason="needs torch: neurodeploy doctor --add lava-dl")
nn = torch.nn
DEVICES = [
    pytest.param(
        "cuda",
        marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    ),
    "cpu",
]


def model():
    from neurodeploy.training.delays import LearnedDelays
    from neurodeploy.training.layers import LIF
    from neurodeploy.training.noise import Noise

    return nn.Sequential(
        LIF(nn.Conv2d(2, 4, 3), threshold=0.3, trains=("threshold", "voltage_keep")),
        LIF(nn.AvgPool2d(2), threshold=0.2),
        nn.Flatten(2),
        LIF(LearnedDelays(16, 12, 6), recurrent=nn.Linear(12, 12, bias=False), threshold=0.2),
        LIF(nn.Linear(12, 8), noise=Noise("logistic", 0.1, seed=2), threshold=0.2),
        LIF(nn.Linear(8, 3), sends="voltage", bits=4),
    )


@pytest.mark.parametrize("device", DEVICES)
def test_a_device_computes_the_same_and_trains(device):
    from neurodeploy.training import init, online
    from neurodeploy.training.sparsity import prune_smallest
    from neurodeploy.training.torch_network import to_network

    here = model()
    x = (torch.rand(4, 12, 2, 6, 6) < 0.4).float()
    init.fluctuation(here, x)
    there, y = copy.deepcopy(here).to(device), x.to(device)
    with torch.no_grad():
        assert torch.equal(here(x), there(y).cpu())
    assert to_network(there, (2, 6, 6)) == to_network(here, (2, 6, 6))
    init.fluctuation(there, y, seed=1)
    prune_smallest(there, 0.3)
    optimiser = torch.optim.Adam(there.parameters(), lr=0.01)
    before = [p.detach().clone() for p in there.parameters()]
    for turn in range(2):
        optimiser.zero_grad()
        if turn:
            online.gradients(there, y, lambda sent: sent.square().mean(), steps=4)
        else:
            there(y).square().mean().backward()
        assert all(p.grad.device == y.device for p in there.parameters() if p.grad is not None)
        optimiser.step()
    changed = [bool((a != b).any()) for a, b in zip(before, there.parameters(), strict=True)]
    assert any(changed)
    assert {p.device.type for p in there.parameters()} == {device}
