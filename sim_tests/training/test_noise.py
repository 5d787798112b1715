"""Stochastic neurons: reproducible draws, the rates of their law, and gradients of it."""

from __future__ import annotations

import math

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import InputError, UnsupportedError
from neurodeploy.network import (
    CubaLIF,
    Dense,
    Network,
    Population,
    Projection,
    Source,
    StochasticLIF,
)
from neurodeploy.network.neurons.stochastic import draw, hash32, logistic_quantiles
from neurodeploy.network.noise import reseeded

torch = pytest.importorskip("torch", reason="needs torch: neurodeploy doctor --add lava-dl")
nn = torch.nn
KINDS = ("uniform", "logistic")


def lowbias32(x):
    """The hash in Python's integers, digit for digit as published."""
    x ^= x >> 16
    x = x * 0x7FEB352D % 2**32
    x ^= x >> 15
    x = x * 0x846CA68B % 2**32
    return x ^ (x >> 16)


def drawn(seed, step, neuron):
    first = lowbias32((seed + 0x9E3779B9) % 2**32)
    return lowbias32((lowbias32((first + neuron) % 2**32) + step) % 2**32)


def network(kind="uniform", amplitude=60, seed=5, inputs=12, size=20):
    rng = np.random.default_rng(0)
    neuron = StochasticLIF(
        1000, 400, 90, np.arange(size) - 5, noise=kind, amplitude=amplitude, seed=seed
    )
    weight = rng.integers(-30, 60, (size, inputs)).astype(np.int32)
    again = rng.integers(-40, 60, (size, size)).astype(np.int32)
    return Network(
        (
            Population("in", (inputs,), Source()),
            Population("a", (size,), neuron),
            Population("b", (size,), neuron.with_seed(seed + 1)),
        ),
        (Projection("in", "a", Dense(weight)), Projection("a", "b", Dense(again))),
    )


def inputs(samples=6, steps=30):
    return (np.random.default_rng(2).random((samples, steps, 12)) < 0.3).astype(np.uint8)


def test_the_draws_are_the_published_hash():
    rng = np.random.default_rng(1)
    seeds, steps, neurons = (rng.integers(0, 2**32, 200) for _ in range(3))
    exact = [drawn(*map(int, one)) for one in zip(seeds, steps, neurons, strict=True)]
    assert draw(seeds, steps, neurons).tolist() == exact
    many = draw(3, np.arange(2000)[:, None], np.arange(256)) / 2**32
    assert abs(many.mean() - 0.5) < 0.002
    assert many.var() * 12 == pytest.approx(1, abs=0.005)
    for a, b in ((many[:-1], many[1:]), (many[:, :-1], many[:, 1:])):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.006
    bins = np.bincount((many * 256).astype(int).ravel(), minlength=256)
    square = ((bins - many.size / 256) ** 2 / (many.size / 256)).sum()
    assert abs(square - 255) < 5 * math.sqrt(2 * 255)
    assert len(set(hash32(np.arange(1 << 16)).tolist())) == 1 << 16


def test_the_quantiles_are_those_of_the_logistic_distribution():
    middles = (np.arange(4096) + 0.5) / 4096
    exact = np.log(middles / (1 - middles)) * 2**16
    assert np.abs(logistic_quantiles() - exact).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_the_engine_runs_the_equations(kind):
    """Step by step in Python, with draws of its own."""
    net, x = network(kind), inputs(3)
    run = nd.run(net, x, record=("spikes", "states"))
    table = [math.log((i + 0.5) / (4095.5 - i)) for i in range(4096)]

    def to_zero(value, bits):
        return int(math.copysign(abs(value) >> bits, value)) if value else 0

    for name, weight, neuron in (
        ("a", net.projections[0].synapse.weight, net["a"].neuron),
        ("b", net.projections[1].synapse.weight, net["b"].neuron),
    ):
        size, before = 64 * neuron.amplitude, x if name == "a" else run["a"].spikes
        for sample in range(3):
            u, v = [0] * 20, [0] * 20
            for t in range(30):
                sent = before[sample, t - 1].astype(int) if t else np.zeros(weight.shape[1], int)
                for i in range(20):
                    u[i] = to_zero(u[i] * 3096, 12) + 64 * int(weight[i] @ sent)
                    v[i] = to_zero(v[i] * 3696, 12) + u[i] + 64 * (i - 5)
                    h = drawn(neuron.seed, t, i)
                    if kind == "uniform":
                        noise = (2 * size * h >> 32) - size
                    else:
                        noise = to_zero(size * round(65536 * table[h >> 20]), 16)
                    fires = v[i] + noise > 64 * 90
                    assert run[name].spikes[sample, t, i] == fires
                    v[i] = 0 if fires else v[i]
                np.testing.assert_array_equal(run[name].u[sample, t], u)
                np.testing.assert_array_equal(run[name].v[sample, t], v)
            assert (run[name]["clock"][sample, -1] == 30).all()
    assert 0.05 < run["b"].spikes.mean() < 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_is_the_same_in_any_batches_threads_and_chunks(kind):
    net, x = network(kind), inputs(7)
    whole = nd.run(net, x, record=("spikes",))["b"].spikes
    assert whole.any()
    for threads in (1, 2):
        np.testing.assert_array_equal(
            nd.run(net, x, record=("spikes",), threads=threads)["b"].spikes, whole
        )
    parts = [nd.run(net, part, record=("spikes",))["b"].spikes for part in np.split(x, [1, 5])]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    with nd.stream(net) as stream:
        steps = [stream.step(x[4, t]) for t in range(30)]
    np.testing.assert_array_equal(np.array(steps).reshape(30, -1), whole[4])


def test_seeds_draw_anew_and_stay_in_files(tmp_path):
    net, x = network(), inputs()
    other = reseeded(net, 9)
    assert other["a"].neuron.seed != other["b"].neuron.seed
    assert reseeded(net, 9) == other != reseeded(net, 10)
    runs = [nd.run(one, x)["b"].counts for one in (net, other, reseeded(net, 10))]
    assert not np.array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[1], runs[2])
    nd.save(other, tmp_path / "a.net")
    assert nd.load(tmp_path / "a.net") == other
    silent = Population("a", (20,), CubaLIF(1, 1, 1))
    plain = Network((net["in"], silent), net.projections[:1])
    assert reseeded(plain, 3) == plain


@pytest.mark.parametrize("kind", KINDS)
def test_mean_rates_lie_in_the_binomial_interval(kind):
    """20 voltages around the threshold; each step is a draw, for v has no memory."""
    amplitude, threshold, steps = 50, 300, 6000
    low = threshold - 2 * amplitude
    bias = np.linspace(low, low + 4 * amplitude, 20).astype(np.int32)
    neuron = StochasticLIF(
        4096, 4096, threshold, bias, noise=kind, amplitude=amplitude, seed=11
    )  # fmt: skip
    net = Network(
        (Population("in", (1,), Source()), Population("n", (20,), neuron)),
        (Projection("in", "n", Dense(np.zeros((20, 1), np.int32))),),
    )
    counts = nd.run(net, np.zeros((1, steps, 1), np.uint8))["n"].counts[0]
    x = (64 * bias - 64.0 * threshold) / (64 * amplitude)
    chance = np.clip((x + 1) / 2, 0, 1) if kind == "uniform" else 1 / (1 + np.exp(-x))
    found = neuron.probability(64 * bias.astype(np.int64))
    np.testing.assert_allclose(found, chance, atol=1 / 4096)
    # Twenty intervals: each of 99.95 %, so that all hold in 99 of 100 draws.
    spread = np.sqrt(steps * chance * (1 - chance))
    assert (np.abs(counts - steps * chance) <= 3.5 * spread + steps / 4096).all()
    assert counts.min() < 0.2 * steps
    assert counts.max() > 0.8 * steps


def layer(kind, size=3, **more):
    from neurodeploy.training.layers import LIF
    from neurodeploy.training.noise import Noise

    return LIF(nn.Linear(4, size), noise=Noise(kind, 0.4, seed=3), threshold=0.6, **more)


@pytest.mark.parametrize("kind", KINDS)
def test_the_layer_is_the_engines_neuron(kind):
    from neurodeploy.training.layers import LIF
    from neurodeploy.training.noise import Noise
    from neurodeploy.training.torch_network import to_network

    model = nn.Sequential(
        layer(kind, 16, current_keep=0.0),
        LIF(
            nn.Linear(16, 9, bias=False), recurrent=nn.Linear(9, 9, bias=False), current_keep=0.5,
            noise=Noise(kind, 0.2, seed=8), threshold=0.4,
        ),
    )  # fmt: skip
    x = (torch.rand(3, 25, 4) < 0.4).float()
    with torch.no_grad():
        sent = [model[0](x), model(x)]
    net = to_network(model, (4,))
    assert [type(p.neuron) for p in net.populations] == [Source, StochasticLIF, StochasticLIF]
    run = nd.run(net, x.numpy().astype(np.uint8), steps=27, record=("spikes",))
    for hops, (name, own) in enumerate(zip(("0", "1"), sent, strict=True), start=1):
        assert own.sum() > 30
        np.testing.assert_array_equal(own, run[name].spikes[:, hops : hops + 25])


def test_samples_may_have_seeds_of_their_own():
    noisy, x = layer("logistic", 8), (torch.rand(1, 40, 4) < 0.5).float().repeat(3, 1, 1)
    with torch.no_grad():
        same = noisy(x)
        assert torch.equal(same[0], same[1])
        noisy.seeds = torch.tensor([4, 3, 5])
        each = noisy(x)
        assert torch.equal(each[1], same[0])  # 3 is the layer's own seed
        assert not torch.equal(each[0], each[2])
        noisy.seeds = torch.tensor([5])
        assert torch.equal(noisy(x[:1])[0], each[2])  # whatever the batch


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_is_that_of_the_mean(kind):
    """A single layer: over draws the surrogate is the derivative of the expected loss."""
    noisy = layer(kind, 3)
    with torch.no_grad():
        noisy.synapse.weight.copy_(torch.tensor([[0.3, 0.2, 0.1, 0.1], [0.2] * 4, [0.4] * 4]))
        noisy.synapse.bias.zero_()
    noisy.whole = False
    x = torch.tensor([1.0, 0.0, 1.0, 1.0]).reshape(1, 1, 4)
    cost = torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64)

    def chance(weight):
        v = (weight @ x[0, 0].double() + noisy.synapse.bias.double()) * noisy.scale
        scale, threshold = (float(np.rint(a * float(noisy.scale))) for a in (0.4, 0.6))
        y = (v - threshold) / scale
        return ((y + 1) / 2).clamp(0, 1) if kind == "uniform" else torch.sigmoid(y)

    weight = noisy.synapse.weight.detach().double().requires_grad_()
    (chance(weight) * cost).sum().backward()
    draws = torch.arange(4000)
    noisy.seeds = draws
    sent = noisy(x.expand(4000, 1, 4))
    (sent[:, 0].double() * cost).sum(1).mean().backward()
    torch.testing.assert_close(
        noisy.synapse.weight.grad.double(), weight.grad, rtol=1e-3, atol=1e-6
    )
    rate, exact = sent[:, 0].double().mean(0), chance(weight).detach()
    assert ((rate - exact).abs() < 3.5 * (exact * (1 - exact) / 4000).sqrt() + 1e-3).all()
    assert weight.grad.abs().sum() > 0


def test_noise_that_no_neuron_has_is_refused():
    from neurodeploy.training.noise import Noise

    with pytest.raises(InputError, match="noise 'gaussian' of amplitude 1; give uniform or"):
        Noise("gaussian", 1.0)
    with pytest.raises(InputError, match="seed -1"):
        Noise("uniform", 1.0, seed=-1)
    with pytest.raises(UnsupportedError, match="noise with a soft reset"):
        layer("uniform", reset="subtract")
    with pytest.raises(UnsupportedError, match=r"has 1\.\.65536"):
        layer("uniform").__class__(nn.Linear(2, 2), noise=Noise("uniform", 1e9)).neuron(2)
