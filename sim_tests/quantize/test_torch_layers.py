"""Spiking layers in plain torch: the engine's integers forward, trained, and as a network."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import InputError, UnsupportedError

torch = pytest.importorskip("torch", reason="needs torch: neurodeploy doctor --add lava-dl")
nn = torch.nn
STEPS = 25


@pytest.fixture(autouse=True)
def _seeded():
    threads = torch.get_num_threads()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def lif(*args, **more):
    from neurodeploy.training.layers import LIF

    return LIF(*args, **more)


def module(bits=8):
    """Every synapse, reset and readout that there is; biases, recurrence, a delay."""
    return nn.Sequential(
        lif(nn.Conv2d(2, 6, 3, padding=1, groups=2), bits=bits, threshold=0.5),
        nn.Sequential(
            lif(nn.AvgPool2d(2), bits=bits, threshold=0.3, reset="subtract"),
            nn.Flatten(2),
        ),
        lif(
            nn.Linear(72, 16, bias=False), recurrent=nn.Linear(16, 16, bias=False), bits=bits,
            current_keep=0.5, threshold=0.3, delay=2, refractory=3,
        ),
        nn.Dropout(0.5),
        lif(
            nn.Linear(16, 16), bits=bits, threshold=0.2, reset="subtract-late", refractory=2,
        ),
        lif(nn.Linear(16, 5), bits=bits, sends="voltage"),
    ).eval()  # fmt: skip


def inputs(samples=3):
    return (torch.rand(samples, STEPS, 2, 6, 8) < 0.4).float()


def integer_layers(whole):
    from neurodeploy.training.layers import LIF

    return [m for m in whole.modules() if isinstance(m, LIF)]


def held(whole, x):
    """[(what a layer gives, what its population does on the engine)]."""
    from neurodeploy.training.torch_network import to_network

    given = []
    hooks = [
        layer.register_forward_hook(lambda _, __, sent: given.append(sent))
        for layer in integer_layers(whole)
    ]
    with torch.no_grad():
        whole(x)
    for hook in hooks:
        hook.remove()
    net = to_network(whole, tuple(x.shape[2:]))
    steps = STEPS + len(net.populations) - 1
    run = nd.run(net, x.numpy().astype(np.uint8), steps=steps, record=("spikes", "v"))
    pairs = []
    for layer, own, population in zip(
        integer_layers(whole), given, net.populations[1:], strict=True
    ):
        hops, kept = net.hops(population.name), run[population.name]
        if layer.sends == "voltage":
            # Divided by 64 and the scale, which float64 takes back but for its last bit.
            own, kept = np.rint((own * 64 * layer.scale).numpy()), kept.v
        else:
            own, kept = own.numpy(), kept.spikes
        pairs.append((own, kept[:, hops : hops + STEPS]))
    return net, pairs


@pytest.mark.parametrize("bits", [8, 4, 2, 1, "ternary"])
def test_layers_are_the_engine_to_the_bit(bits):
    net, pairs = held(module(bits), inputs())
    for own, engine in pairs:
        assert np.count_nonzero(engine) > 50
        np.testing.assert_array_equal(own, engine)
    assert [p.name for p in net.populations] == ["input", "0", "1.0", "2", "4", "5"]
    for projection in net.projections:
        weight = projection.synapse.weight
        levels = np.unique(weight)
        assert len(levels) <= (3 if bits == "ternary" else 1 << bits)
        assert levels.any()


@pytest.mark.parametrize("bits", [4, "ternary"])
def test_what_was_trained_in_integers_runs(bits):
    whole, x = module(bits), inputs(4)
    target = torch.arange(4)
    before = [w.detach().clone() for layer in integer_layers(whole) for w in layer.integers()]
    optimiser = torch.optim.Adam(whole.parameters(), lr=0.02)
    losses = []
    for _ in range(6):
        loss = nn.functional.cross_entropy(whole(x).mean(dim=1), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]
    after = [w.detach() for layer in integer_layers(whole) for w in layer.integers()]
    changed = [bool((a != b).any()) for a, b in zip(after, before, strict=True)]
    assert changed == [True, False, True, True, True, True]  # a pool's weights are not trained
    _, pairs = held(whole, x)
    for own, engine in pairs:
        np.testing.assert_array_equal(own, engine)


def test_floats_first_and_integers_then():
    from neurodeploy.training.torch_network import compute_in

    whole, x = module(8), inputs()
    with torch.no_grad():
        fine = whole(x)
        compute_in(whole, whole=False)
        exact = whole(x)
        assert not torch.equal(fine, exact)
        assert float((fine - exact).square().mean() / exact.square().mean()) < 0.05
        integer_layers(whole)[0].synapse.weight *= 40
        scale = float(integer_layers(whole)[0].scale), int(integer_layers(whole)[0].steps[0])
        compute_in(whole, whole=True)
    assert scale != (float(integer_layers(whole)[0].scale), int(integer_layers(whole)[0].steps[0]))


def test_fan_in_holds_and_is_in_the_checkpoint(tmp_path):
    from neurodeploy.training.torch_network import to_network

    def made(seed):
        torch.manual_seed(seed)
        return lif(nn.Linear(20, 12, bias=False), recurrent=nn.Linear(12, 12, bias=False), bits=4)

    first, second = made(1), made(2)
    assert first.limit_fan_in(9) == 12 * (32 - 9)
    for projection in (found := to_network(first, (20,))).projections:
        assert projection.synapse.weight.any()
    total = sum((p.synapse.weight != 0).sum(axis=1) for p in found.projections)
    assert total.max() <= 9
    torch.save(first.state_dict(), tmp_path / "a.pt")
    second.load_state_dict(torch.load(tmp_path / "a.pt", weights_only=True))
    assert to_network(second, (20,)) == found


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: lif(nn.Conv1d(2, 3, 2)), "Conv1d as synapse"),
        (lambda: lif(nn.Conv2d(2, 3, 2, padding="same")), "padding other than by a number"),
        (lambda: lif(nn.AvgPool2d(2, ceil_mode=True)), "windows differ at the borders"),
        (lambda: lif(nn.Linear(2, 3), current_keep=0.5), "a bias of a current that lasts"),
        (lambda: lif(nn.Linear(2, 2), recurrent=nn.Linear(2, 2)), "recurrence with a bias"),
        (lambda: lif(nn.Linear(2, 2), voltage_keep=1.5), r"voltage_keep of \(0.0, 1.5\)"),
        (lambda: lif(nn.Linear(2, 2), delay=63), "delay 63"),
        (lambda: lif(nn.Conv2d(2, 3, 2), delay=1), "a delay of Conv2d"),
        (lambda: lif(nn.Linear(2, 2), reset="none"), "reset 'none'"),
    ],
)
def test_what_no_chip_has_is_refused(make, problem):
    with pytest.raises(UnsupportedError, match=problem):
        make()


def test_other_modules_and_shapes_are_named():
    from neurodeploy.training.torch_network import to_network

    with pytest.raises(UnsupportedError, match=r"1: ReLU has no counterpart"):
        to_network(nn.Sequential(lif(nn.Linear(2, 2)), nn.ReLU()), (2,))
    first = lif(nn.Linear(2, 2), sends="voltage")
    with pytest.raises(UnsupportedError, match="0: sends its voltage; only the last layer may"):
        to_network(nn.Sequential(first, lif(nn.Linear(2, 2))), (2,))
    with pytest.raises(InputError, match="takes 2 neurons or channels, is given 3"):
        lif(nn.Linear(2, 2))(torch.zeros(1, 4, 3))
