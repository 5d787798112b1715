"""Learned delays: the published kernel, its gradients, and the engine's delayed synapses."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import InputError, UnsupportedError

torch = pytest.importorskip("torch", reason="needs torch: neurodeploy doctor --add lava-dl")
nn = torch.nn
STEPS = 40


def delays(*args, **more):
    from neurodeploy.training.delays import LearnedDelays

    return LearnedDelays(*args, **more)


def lif(*args, **more):
    from neurodeploy.training.layers import LIF

    return LIF(*args, **more)


def spikes(samples, neurons, steps=STEPS, rate=0.3):
    return (torch.rand(samples, steps, neurons) < rate).float()


def in_order(layer, kernel_size):
    """The layer's kernels as a convolution padded on the left has them: the last tap is now."""
    return layer.kernels().flip(-1) * layer.weight.double()[..., None], kernel_size


@pytest.mark.parametrize("sigma", [0.0, 0.23, 1.5, 6.0])
def test_the_kernel_is_that_of_dcls(sigma):
    modules = pytest.importorskip("DCLS.construct.modules", reason="needs the package dcls")
    size = 13
    theirs = modules.Dcls1d(7, 5, kernel_count=1, dilated_kernel_size=size, bias=False)
    with torch.no_grad():
        theirs.P.uniform_(-(size // 2), size // 2)
        theirs.SIG.fill_(sigma)
    ours = delays(7, 5, size - 1)
    with torch.no_grad():
        ours.weight.copy_(theirs.weight[:, :, 0])
        ours.delay.copy_(size - 1 - size // 2 - theirs.P[0, :, :, 0])
        ours.sigma.fill_(max(sigma, 1e-12))  # theirs rounds by another version, ours at 0
    exact = theirs.DCK(theirs.weight, theirs.P, theirs.SIG).double()
    found, _ = in_order(ours, size)
    assert float((found - exact).detach().abs().max()) < 1e-6
    x = spikes(2, 7)
    padded = nn.functional.pad(x.transpose(1, 2), (size - 1, 0))
    torch.testing.assert_close(ours(x), theirs(padded).transpose(1, 2), atol=1e-5, rtol=0)


def test_a_checkpoint_of_dcls_gives_its_delays(tmp_path):
    from neurodeploy.training.delays import from_dcls

    modules = pytest.importorskip("DCLS.construct.modules", reason="needs the package dcls")
    size = 11
    theirs = nn.Sequential(
        modules.Dcls1d(6, 4, kernel_count=1, dilated_kernel_size=size, version="max")
    )
    with torch.no_grad():
        theirs[0].P.uniform_(-(size // 2), size // 2).round_()
    torch.save(theirs.state_dict(), tmp_path / "net.pt")
    state = torch.load(tmp_path / "net.pt", weights_only=True)
    ours, x = from_dcls(state, size, prefix="0."), spikes(2, 6)
    padded = nn.functional.pad(x.transpose(1, 2), (size - 1, 0))
    # At sigma 0 their version "max" has all of a weight in one tap, as their evaluation does.
    torch.testing.assert_close(ours(x), theirs(padded).transpose(1, 2), atol=1e-5, rtol=0)


def test_checkpoints_that_are_none_are_refused():
    from neurodeploy.training.delays import from_dcls

    with pytest.raises(InputError, match=r"no tensors a\.weight and a\.P"):
        from_dcls({"a.weight": torch.ones(2, 2, 1)}, 5, prefix="a.")
    good = {"weight": torch.ones(2, 2, 1), "P": torch.full((1, 2, 2, 1), -2.0)}
    assert (from_dcls(good, 5).whole_delays() == 4).all()
    with pytest.raises(InputError, match=r"needs \[out, in, 1\]"):
        from_dcls({**good, "P": torch.zeros(1, 2, 2, 3)}, 5)
    with pytest.raises(InputError, match=r"delays of 4\.\.4 steps at a kernel_size of 5; needs"):
        from_dcls(good, 5, max_delay=3)


def test_gradients_are_those_of_finite_differences():
    layer = delays(3, 4, 6).double()
    x, weight = spikes(2, 3, 12).double(), layer.weight.detach().clone().requires_grad_()
    for sigma in (0.1, 1.0, 3.0):
        layer.sigma.fill_(sigma)

        def delivered(delay, weight):
            return torch.func.functional_call(
                Delivering(layer, x), {"layer.delay": delay}, (weight,)
            )

        delay = layer.delay.detach().clone().requires_grad_()
        assert torch.autograd.gradcheck(delivered, (delay, weight), eps=1e-6, atol=1e-6)


class Delivering(nn.Module):
    def __init__(self, layer, x):
        super().__init__()
        self.layer, self.x = layer, x

    def forward(self, weight):
        return self.layer.deliver(self.x, self.layer.spread(weight))


def test_rounded_delays_keep_the_gradient_of_the_gaussian():
    layer, x = delays(3, 4, 6).double(), spikes(2, 3, 12).double()
    layer.sigma.fill_(0.23)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    soft, hard = (
        torch.autograd.grad(
            layer.deliver(x, layer.spread(layer.weight, rounded)).sum(dim=(0, 2))[7], layer.delay
        )[0]
        for rounded in (False, True)
    )
    torch.testing.assert_close(soft, hard)
    assert (soft != 0).any()


@pytest.mark.parametrize("bits", [8, 4, "ternary"])
def test_the_rounded_layer_is_the_engines_delayed_dense(bits):
    from neurodeploy.network import DelayedDense
    from neurodeploy.training.torch_network import to_network

    model = nn.Sequential(
        lif(delays(12, 16, 14, bias=True), bits=bits, threshold=0.4),
        lif(
            delays(16, 9, 62), recurrent=nn.Linear(9, 9, bias=False), bits=bits,
            current_keep=0.5, threshold=0.4, reset="subtract",
        ),
    )  # fmt: skip
    x = spikes(3, 12)
    with torch.no_grad():
        first = model[0](x)
        sent = [first, model[1](first)]
    net = to_network(model, (12,))
    assert [type(p.synapse) is DelayedDense for p in net.projections] == [True, True, False]
    assert net.projections[0].synapse.delay.max() > 10
    run = nd.run(net, x.numpy().astype(np.uint8), steps=STEPS + 2, record=("spikes",))
    for hops, (name, own) in enumerate(zip(("0", "1"), sent, strict=True), start=1):
        assert own.sum() > 30
        np.testing.assert_array_equal(own, run[name].spikes[:, hops : hops + STEPS])


def test_training_in_integers_moves_delays_and_the_engine_follows():
    from neurodeploy.training.torch_network import to_network

    layer = lif(delays(6, 3, 10), bits=6, voltage_keep=0.5, sends="voltage")
    x, before = spikes(4, 6), layer.synapse.whole_delays()
    target = torch.roll(x[:, :, :3], 4, 1)
    optimiser = torch.optim.Adam(
        [{"params": [layer.synapse.weight]}, {"params": [layer.synapse.delay], "lr": 0.3}], lr=0.01
    )
    for _ in range(15):
        loss = (layer(x) - target).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        own = np.rint((layer(x) * 64 * layer.scale).numpy())
    assert (layer.synapse.whole_delays() != before).any()
    run = nd.run(
        to_network(layer, (6,)), x.numpy().astype(np.uint8), steps=STEPS + 1, record=("v",)
    )
    np.testing.assert_array_equal(own, run["lif"].v[:, 1:])


def test_sigma_narrows_as_published():
    from neurodeploy.training.delays import Annealing

    schedule, layer = Annealing(epochs=80), delays(2, 2, 24)
    assert float(layer.sigma) == 12
    found = [schedule.sigma(epoch, 24) for epoch in range(80)]
    np.testing.assert_allclose(found[:21], 12 * (0.23 / 12) ** (np.arange(21) / 20))
    assert set(found[20:]) == {found[20]}
    schedule.apply(nn.Sequential(nn.Identity(), layer), 10)
    assert float(layer.sigma) == pytest.approx((12 * 0.23) ** 0.5)
    with pytest.raises(InputError, match="share 0"):
        Annealing(10, share=0)


def recovered(student, x, y, epochs=80):
    """Train on what a teacher's membranes do."""
    from neurodeploy.training.delays import Annealing

    student.whole = False
    rates = [
        {"params": [p], "lr": 0.5 if name == "synapse.delay" else 0.05}
        for name, p in student.named_parameters()
    ]
    optimiser = torch.optim.Adam(rates)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    annealing = Annealing(epochs, share=1.0)
    for epoch in range(epochs):
        annealing.apply(student, epoch)
        for which in torch.randperm(len(x)).split(32):
            loss = (student(x[which]) - y[which]).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        schedule.step()
    if hasattr(student.synapse, "sigma"):
        student.synapse.sigma.zero_()
    with torch.no_grad():
        return float((student(x) - y).square().mean() / y.square().mean())


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_planted_delays_are_recovered(seed):
    torch.manual_seed(seed)
    how = {"voltage_keep": 0.5, "sends": "voltage"}
    teacher, student = (lif(delays(8, 4, 15), **how) for _ in range(2))
    with torch.no_grad():
        teacher.synapse.weight.copy_(torch.randn(4, 8) * 0.5 + torch.randn(4, 8).sign() * 0.2)
        teacher.synapse.delay.copy_(torch.randint(0, 16, (4, 8)))
        teacher.synapse.sigma.zero_()
        student.synapse.delay.fill_(7.5)
        teacher.whole = False
        x = spikes(128, 8, 50, rate=0.1)
        y = teacher(x)
    error = recovered(student, x, y)
    size = teacher.synapse.weight.detach().abs().numpy()
    right = student.synapse.whole_delays() == teacher.synapse.whole_delays()
    assert (right * size).sum() / size.sum() >= 0.95
    assert error < 0.05
    without = recovered(lif(nn.Linear(8, 4, bias=False), **how), x, y, epochs=20)
    assert without > 0.5  # weights alone do not do what the delays do


def test_the_core_price_of_delays():
    from neurodeploy.training.torch_network import to_network

    per_core = []
    for longest in (0, 14, 30, 62):
        layer = lif(delays(16, 512, max(longest, 1)), bits=4)
        with torch.no_grad():
            layer.synapse.delay.fill_(longest)
        place = nd.fit(to_network(layer, (16,)), chip="loihi1")
        per_core.append(max(part.neurons for part in place["lif"].pieces))
    assert per_core == [512, 512, 256, 128]


@pytest.mark.parametrize("longest", [-1, 63])
def test_delays_beyond_the_chip_are_refused(longest):
    with pytest.raises(UnsupportedError, match=rf"max_delay {longest}; the chip has 0\.\.62"):
        delays(2, 2, longest)
