"""Surrogates by name, and thresholds and decays that are trained."""

from __future__ import annotations

import math

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import InputError, UnsupportedError

torch = pytest.importorskip("torch", reason="needs torch: neurodeploy doctor --add lava-dl")
nn = torch.nn

SMOOTH_STEPS = {
    "super-spike": lambda y: y / (1 + y.abs()),
    "atan": lambda y: torch.atan(math.pi / 2 * y) / math.pi,
    "sigmoid": torch.sigmoid,
    "triangle": lambda y: torch.where(
        y.abs() < 1, y - y * y.abs() / 2, y.sign() / 2
    ),
    "gaussian": lambda y: torch.special.ndtr(y),
    "box": lambda y: y.clamp(-1, 1) / 2,
}  # fmt: skip
"""What each is the derivative of, but for the slope where its peak is 1."""


def lif(*args, **more):
    from neurodeploy.training.layers import LIF

    return LIF(*args, **more)


@pytest.mark.parametrize("slope", [None, 3.0])
@pytest.mark.parametrize("name", SMOOTH_STEPS)
def test_a_surrogate_is_the_derivative_of_its_smooth_step(name, slope):
    from neurodeploy.training.surrogates import KINDS, Surrogate

    surrogate = Surrogate(name, slope)
    x = torch.linspace(-1.99, 1.99, 398, dtype=torch.float64, requires_grad=True)
    y = SMOOTH_STEPS[name](surrogate.beta * x)
    if not KINDS[name].scales:
        y = y / surrogate.beta
    (exact,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(surrogate(x.detach()), exact)
    assert "arXiv" in KINDS[name].source


def test_unknown_names_and_slopes_are_refused():
    from neurodeploy.training.surrogates import Surrogate

    with pytest.raises(InputError, match="surrogate 'sine': unknown; there are super-spike, atan"):
        lif(nn.Linear(2, 2), surrogate="sine")
    with pytest.raises(InputError, match="slope 0"):
        Surrogate("atan", 0)


@pytest.mark.parametrize("name", SMOOTH_STEPS)
def test_a_layer_trains_with_the_surrogate_it_is_given(name):
    from neurodeploy.training.surrogates import Surrogate

    surrogate = Surrogate(name, 0.8, height=0.5)
    layer = lif(nn.Linear(3, 2, bias=False), surrogate=surrogate, threshold=1.0)
    layer.whole = False
    with torch.no_grad():
        layer.synapse.weight.copy_(torch.tensor([[0.5, 0.7, 1.0], [-0.2, 0.1, 0.3]]))
    layer.fit()
    x = torch.eye(3)[:, None]  # three samples of one step: v is one weight
    layer(x).sum().backward()
    threshold = round(float(layer.scale)) / float(layer.scale)
    v = layer.synapse.weight.detach().double() / threshold
    torch.testing.assert_close(layer.synapse.weight.grad.double(), surrogate(v - 1) / threshold)


def test_thresholds_and_decays_train_and_are_the_engines():
    from neurodeploy.training.torch_network import to_network

    model = nn.Sequential(
        lif(
            nn.Conv2d(1, 4, 3, bias=False), threshold=0.4, current_keep=0.3,
            trains=("threshold", "current_keep", "voltage_keep"), reset="subtract",
        ),
        nn.Flatten(2),
        lif(nn.Linear(36, 6), threshold=0.3, trains=("voltage_keep",), sends="voltage"),
    )  # fmt: skip
    x = (torch.rand(4, 20, 1, 5, 5) < 0.4).float()
    names = [n for n, _ in model.named_parameters() if "synapse" not in n]
    assert names == ["0.threshold", "0.current_keep", "0.voltage_keep", "2.voltage_keep"]
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    losses = []
    for _ in range(8):
        loss = nn.functional.cross_entropy(model(x).mean(1), torch.arange(4))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    for name in names:
        assert (dict(model.named_parameters())[name].detach() != before[name]).all(), name
    with torch.no_grad():
        own = [model[0](x).flatten(2).numpy()]
        own.append(np.rint((model(x) * 64 * model[2].scale).numpy()))
    net = to_network(model, (1, 5, 5))
    assert np.unique(net["0"].neuron.threshold).size == 4
    run = nd.run(net, x.numpy().astype(np.uint8), steps=22, record=("spikes", "v"))
    np.testing.assert_array_equal(own[0], run["0"].spikes[:, 1:21].reshape(4, 20, -1))
    np.testing.assert_array_equal(own[1], run["2"].v[:, 2:22])


def test_the_gradient_of_a_threshold_is_that_of_the_surrogates_quotient():
    from neurodeploy.training.torch_rounding import spike

    v = torch.linspace(0.2, 2, 7, dtype=torch.float64)
    threshold = torch.full((7,), 0.8, dtype=torch.float64, requires_grad=True)
    spike(v, threshold).sum().backward()
    x = v / 0.8 - 1
    torch.testing.assert_close(threshold.grad, -(1 / (1 + 5 * x.abs()) ** 2) * v / 0.8**2)


def test_what_is_trained_stays_within_the_chip():
    layer = lif(nn.Linear(3, 2, bias=False), trains=("threshold", "voltage_keep"))
    with torch.no_grad():
        layer.threshold.fill_(-1)
        layer.voltage_keep.fill_(1.2)
    layer(torch.ones(1, 2, 3))
    assert (layer.voltage_keep == 1).all()
    neuron = layer.neuron(2)
    assert neuron.threshold == 1
    assert neuron.voltage_decay == 0


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: lif(nn.AvgPool2d(2), trains=("threshold",)), "and no pool"),
        (lambda: lif(nn.Linear(2, 2), trains=("bias",)), r"trains \('bias',\)"),
        (
            lambda: lif(nn.Linear(2, 2), trains=("threshold",), sends="voltage"),
            "the threshold of a readout",
        ),
        (lambda: lif(nn.Linear(2, 2), trains=("current_keep",)), "a current that lasts"),
    ],
)
def test_what_cannot_be_trained_is_refused(make, problem):
    with pytest.raises(UnsupportedError, match=problem):
        make()


def test_fine_tuning_takes_a_surrogate():
    from neurodeploy.network import Dense, FloatLIF, Network, Population, Projection, Source
    from neurodeploy.training import fine_tune

    rng = np.random.default_rng(0)
    weight = rng.normal(size=(6, 8)).astype(np.float32) * 0.5
    net = Network(
        (Population("in", (8,), Source()), Population("n", (6,), FloatLIF(voltage_keep=0.9))),
        (Projection("in", "n", Dense(weight)),),
    )
    inputs = (rng.random((6, 12, 8)) < 0.3).astype(np.uint8)
    losses = [
        fine_tune(
            net, nd.QuantConfig(3), inputs, np.arange(6), epochs=2, surrogate=name
        ).losses
        for name in ("super-spike", "super-spike", "triangle")
    ]  # fmt: skip
    assert losses[0] == losses[1] != losses[2]
