"""Fluctuation-driven initialization: what it predicts is what membranes do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import InputError, UnsupportedError
from neurodeploy.network import (
    ALIF,
    AdaptiveResonateFireIzhikevich,
    ComplexDense,
    CubaLIF,
    Dense,
    FloatLIF,
    GeneralCubaLIF,
    Network,
    Population,
    Projection,
    ResonateFire,
    ResonateFireIzhikevich,
    Source,
    TernaryLIF,
)

torch = pytest.importorskip("torch", reason="needs torch: neurodeploy doctor --add lava-dl")
nn = torch.nn


@pytest.fixture
def init():
    from neurodeploy.training import init

    return init


def lif(*args, **more):
    from neurodeploy.training.layers import LIF

    return LIF(*args, **more)


def delays(*args):
    from neurodeploy.training.delays import LearnedDelays

    return LearnedDelays(*args)


def cuba_response(keep_u, keep_v, steps=4000):
    """u = keep_u u + a, v = keep_v v + u after a spike, by the closed form of two exponentials."""
    t = np.arange(1, steps + 1)
    if keep_u == keep_v:
        return t * keep_v ** (t - 1.0)
    return (keep_v**t - keep_u**t) / (keep_v - keep_u)


@pytest.mark.parametrize(("keep_u", "keep_v"), [(0.0, 0.9), (0.6, 0.95), (0.8, 0.8)])
def test_the_response_is_the_closed_form(init, keep_u, keep_v):
    found = init.impulse_response(FloatLIF(current_keep=keep_u, voltage_keep=keep_v))[0]
    exact = cuba_response(np.float32(keep_u).astype(float), np.float32(keep_v).astype(float))
    np.testing.assert_allclose(found, exact[: len(found)], atol=2e-5 * exact.max())
    integer = CubaLIF(
        round(4096 * (1 - keep_u)), round(4096 * (1 - keep_v)), threshold=100
    )  # fmt: skip
    whole = init.impulse_response(integer)[0] / 64
    np.testing.assert_allclose(whole.sum(), exact.sum(), rtol=5e-3)
    np.testing.assert_allclose((whole**2).sum(), (exact**2).sum(), rtol=5e-3)


@pytest.mark.parametrize(
    ("tau_mem", "tau_syn", "dt", "inputs", "rate", "mean", "xi"),
    [
        (20e-3, 10e-3, 1e-3, 500, 10, 0.0, 1.0),
        (20e-3, 10e-3, 1e-3, 500, 10, 0.2, 2.0),
        (60e-3, 6e-3, 5e-3, 200, 20, 0.0, 1.5),
        (20e-3, 5e-3, 4e-3, 96, 40, 0.0, 2.0),
    ],
)
def test_the_weights_are_those_of_the_papers_formula(
    init, tau_mem, tau_syn, dt, inputs, rate, mean, xi
):
    """mu_w = mu_U / (n nu eps), sigma_w^2 = ((theta - mu_U) / xi)^2 / (n nu eps^2) - mu_w^2."""
    keep_v, keep_u, p = np.exp(-dt / tau_mem), np.exp(-dt / tau_syn), rate * dt
    response = cuba_response(keep_u, keep_v)
    mu = mean / (inputs * p * response.sum())
    poisson = ((1 - mean) / xi) ** 2 / (inputs * p * (response**2).sum())
    found = init.spread(
        FloatLIF(current_keep=keep_u, voltage_keep=keep_v), inputs, p, xi=xi, mean=mean
    )
    assert found.mean == pytest.approx(mu, rel=1e-3)
    # The paper's spikes are Poisson; of ours a step has one at most.
    assert (found.sd**2 + mu**2) * (1 - p) == pytest.approx(poisson, rel=1e-3)


LAYERS = {
    "dense": lambda: lif(nn.Linear(200, 100), threshold=0.7, voltage_keep=0.95),
    "current": lambda: lif(nn.Linear(200, 100, bias=False), current_keep=0.8, reset="subtract"),
    "convolution": lambda: lif(nn.Conv2d(8, 24, 3, bias=False), current_keep=0.6),
    "groups": lambda: lif(nn.Conv2d(16, 24, 3, groups=2), voltage_keep=0.8),
    "recurrent": lambda: lif(
        nn.Linear(150, 80, bias=False), recurrent=nn.Linear(80, 80, bias=False), current_keep=0.5
    ),
    "delayed": lambda: lif(delays(150, 60, 20)),
    "each its own decay": lambda: own_decays(lif(nn.Linear(200, 60), trains=("voltage_keep",))),
}


def own_decays(layer):
    with torch.no_grad():
        layer.voltage_keep.copy_(torch.linspace(0.5, 0.97, 60))
    return layer


@pytest.mark.parametrize("dale", [None, 0.75])
@pytest.mark.parametrize("kind", LAYERS)
def test_membranes_fluctuate_as_predicted(init, kind, dale):
    layer = LAYERS[kind]()
    (drawn,) = init.fluctuation(layer, 0.05, xi=2.0, dale=dale)
    mean, sd = init.free_membrane(layer, 0.05, samples=6, steps=3000)
    assert sd == pytest.approx(drawn.membrane_sd, rel=0.05)
    assert mean == pytest.approx(drawn.membrane_mean, abs=0.05)
    assert drawn.membrane_sd == pytest.approx(0.5, rel=0.12)  # these weights, not their law
    if kind != "convolution" or dale is None:
        assert abs(mean) < 0.15


def test_the_mean_is_what_is_asked_for(init):
    layer = lif(nn.Linear(400, 200, bias=False))
    (drawn,) = init.fluctuation(layer, 0.05, xi=3.0, mean=0.3)
    mean, sd = init.free_membrane(layer, 0.05)
    assert drawn.membrane_mean == pytest.approx(0.3, abs=0.06)
    assert mean == pytest.approx(drawn.membrane_mean, abs=0.03)
    assert sd == pytest.approx(0.7 / 3, rel=0.05)


@pytest.mark.parametrize(
    ("neuron", "state"),
    [
        (CubaLIF(400, 300, 4000), "v"),
        (GeneralCubaLIF(1000, 200, 4000, reset="subtract", refractory=3), "v"),
        (TernaryLIF(400, 300, 4000, -4000), "v"),
        (ALIF(400, 300, 100, 100, 4000, 20), "v"),
        (ResonateFire(800, 3900, 4000), "u"),
        (ResonateFireIzhikevich(800, 3900, 4000), "v"),
        (AdaptiveResonateFireIzhikevich(800, 3900, 100, 100, 4000, 20), "v"),
    ],
    ids=lambda value: getattr(value, "kind", value),
)
def test_every_model_fluctuates_as_predicted_on_the_engine(init, neuron, state):
    rng, n, size, p = np.random.default_rng(1), 100, 40, 0.1
    found = init.spread(neuron, n, p, xi=2.5, state=state)
    weight = np.rint(rng.normal(found.mean, found.sd, (size, n))).astype(np.int32)
    synapse = Dense(weight)
    if neuron.ports == 2:
        synapse = ComplexDense(weight, np.zeros_like(weight))
    high = {"threshold": 100_000} if not hasattr(neuron, "upper") else {
        "upper": 100_000, "lower": -100_000,
    }  # fmt: skip
    net = Network(
        (Population("in", (n,), Source()), Population("n", (size,), replace(neuron, **high))),
        (Projection("in", "n", synapse),),
    )
    x = (rng.random((8, 1500, n)) < p).astype(np.uint8)
    kept = nd.run(net, x, record=("states", "counts"))["n"]
    assert not kept.counts.any()
    v = kept[state][:, 300:].astype(float) / (64 * 4000)
    assert np.sqrt(v.var(axis=1).mean()) == pytest.approx(1 / 2.5, rel=0.05)


def chain(layers=6):
    return nn.Sequential(*(lif(nn.Linear(120, 120), voltage_keep=0.9) for _ in range(layers)))


def rates(model, x):
    found = []
    with torch.no_grad():
        for layer in model:
            x = layer(x)
            found.append(float(x.mean()))
    return np.array(found)


def test_a_deep_network_lives_that_dies_by_default(init):
    x = (torch.rand(4, 120, 120) < 0.05).float()
    model = chain()
    before = rates(model, x)
    assert before[-1] == 0  # torch's own weights: nothing arrives at the sixth layer
    drawn = init.fluctuation(model, x, xi=1.0)
    after = rates(model, x)
    assert after.min() > 0.01
    assert after.max() < 0.3
    assert after.max() < 4 * after.min()
    assert [d.rate for d in drawn] == pytest.approx([float(x.mean()), *after[:-1]])


def test_sources_keep_one_sign_and_readouts_their_weights(init):
    model = nn.Sequential(
        lif(nn.Conv2d(4, 10, 3)),
        nn.Flatten(2),
        lif(nn.Linear(90, 20), recurrent=nn.Linear(20, 20, bias=False)),
        lif(nn.Linear(20, 5), sends="voltage"),
    )
    readout = model[3].synapse.weight.detach().clone()
    drawn = init.fluctuation(model, 0.1, dale=0.6)
    assert [d.name for d in drawn] == ["0", "2"]
    image, dense, back = model[0].synapse.weight, model[2].synapse.weight, model[2].recurrent.weight
    for weight, kinds in (
        (image, drawn[0].excitatory), (dense, drawn[1].excitatory[:90]),
        (back, drawn[1].excitatory[90:]),
    ):  # fmt: skip
        signs = torch.tensor(kinds).float() * 2 - 1
        wrong = weight.transpose(1, -1) * signs < 0
        assert not wrong.any()
        assert 0.5 <= np.mean(kinds) <= 0.75
    per_channel = np.array(drawn[1].excitatory[:90]).reshape(10, 9)
    assert (per_channel == per_channel[:, :1]).all()
    assert (model[2].synapse.bias == 0).all()
    assert torch.equal(model[3].synapse.weight, readout)


def test_the_same_seed_draws_the_same(init):
    first, second, third = (lif(nn.Linear(30, 20)) for _ in range(3))
    for layer, seed in ((first, 1), (second, 1), (third, 2)):
        init.fluctuation(layer, 0.1, seed=seed)
    assert torch.equal(first.synapse.weight, second.synapse.weight)
    assert not torch.equal(first.synapse.weight, third.synapse.weight)


def test_what_has_no_answer_is_refused(init):
    layer = lif(nn.Linear(30, 20))
    for wrong in ({"rate": 0.0}, {"rate": 1.0}, {"rate": 0.1, "xi": 0}, {"rate": 0.1, "mean": 1}):
        with pytest.raises(InputError, match="give a rate above 0 and below 1"):
            init.fluctuation(layer, **wrong)
    with pytest.raises(InputError, match="alpha 1"):
        init.fluctuation(layer, 0.1, alpha=1)
    with pytest.raises(InputError, match=r"with dale a mean of 0"):
        init.fluctuation(layer, 0.1, dale=0.8, mean=0.1)
    with pytest.raises(InputError, match="lif: a neuron lacks excitatory or inhibitory"):
        init.fluctuation(layer, 0.1, dale=0.99)
    with pytest.raises(InputError, match=r"lif: gets 0 spikes"):
        init.fluctuation(layer, torch.zeros(1, 5, 30))
    with pytest.raises(InputError, match="fluctuate more than a root mean square of"):
        init.fluctuation(lif(nn.Linear(3, 2, bias=False)), 0.01, mean=0.9, xi=9)
    with pytest.raises(UnsupportedError, match="has not forgotten a spike"):
        init.spread(FloatLIF(voltage_keep=1.0), 10, 0.1)
    with pytest.raises(UnsupportedError, match="source neuron: has no state 'v'"):
        init.impulse_response(Source())
