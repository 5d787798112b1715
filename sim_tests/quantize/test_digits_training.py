"""The demo's digits in few bits, fine-tuned on its training split, measured on its test split."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.demo import digits
from neurodeploy.network import Dense, FloatLIF, Network, Population, Projection, Source

pytestmark = pytest.mark.slow
LOSS = {4: 0.01, 3: 0.02, "ternary": 0.05}
"""Most that may be lost against the float network, as a fraction of the test images."""


@pytest.fixture(scope="module")
def trained():
    for module in ("torch", "lava", "sklearn"):
        pytest.importorskip(module, reason=f"needs {module}: pip install '.[lava,demo]'")
    return digits.train()


@pytest.fixture(scope="module")
def split(trained):
    split = digits.load_split()
    train, test = (digits.encode(x) for x in (split.train_images, split.test_images))
    return train, split.train_labels, test, split.test_labels


@pytest.fixture(scope="module")
def net(trained):
    lif = FloatLIF(current_keep=0.75, voltage_keep=0.95, threshold=64.0)
    populations = [Population("input", (64,), Source())]
    projections = []
    for name, weight in trained.float_weights.items():
        populations.append(Population(name, (len(weight),), lif))
        projections.append(Projection(populations[-2].name, name, Dense(weight)))
    return Network(tuple(populations), tuple(projections))


def accuracy(net, inputs, labels, backend="engine"):
    steps = inputs.shape[1] + net.hops(net.output.name)
    output = nd.run(net, inputs, backend=backend, steps=steps).output
    return float(np.mean(digits.decide(output) == labels))


@pytest.mark.parametrize("bits", LOSS)
def test_fine_tuned_network_is_near_the_float_one(net, split, bits):
    from neurodeploy.training import fine_tune

    train, train_labels, test, labels = split
    config = nd.QuantConfig(bits, method="mse", split=0.0)
    tuned = fine_tune(net, config, train, train_labels, epochs=4)
    exact = accuracy(net, test, labels, "float")
    assert exact > 0.97
    assert accuracy(tuned.network, test, labels) >= exact - LOSS[bits]


@pytest.mark.parametrize("bits", LOSS)
def test_slayers_module_in_few_bits_is_near_the_one_in_eight(trained, split, bits):
    import torch

    from neurodeploy.training import slayer

    train, train_labels, test, labels = split
    module = slayer.quantized(copy.deepcopy(trained.module), bits)
    inputs = torch.from_numpy(train.transpose(0, 2, 1).astype(np.float32))
    target = torch.from_numpy(train_labels)
    torch.manual_seed(0)
    optimiser = torch.optim.Adam(module.parameters(), lr=0.005)
    for _ in range(4):
        for which in torch.randperm(len(target)).split(64):
            loss = torch.nn.functional.cross_entropy(
                0.5 * module(inputs[which]).sum(dim=-1), target[which]
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    found = accuracy(nd.load(module), test, labels)
    assert found >= trained.accuracy - LOSS[bits]
