"""Gradients step by step: those of autograd without the paths through time, in flat memory."""

from __future__ import annotations

import weakref

import numpy as np
import pytest

from neurodeploy.errors import InputError, UnsupportedError

torch = pytest.importorskip("torch", reason="needs torch: neurodeploy doctor --add lava-dl")
nn = torch.nn


def lif(*args, **more):
    from neurodeploy.training.layers import LIF

    return LIF(*args, **more)


def delays(*args):
    from neurodeploy.training.delays import LearnedDelays

    return LearnedDelays(*args)


def model(whole=True, last_delay=0):
    """Images, pools, recurrence, delays of all kinds, trained decays."""
    made = nn.Sequential(
        lif(nn.Conv2d(2, 4, 3, padding=1), threshold=0.4, trains=("voltage_keep", "threshold")),
        lif(nn.AvgPool2d(2), threshold=0.3, reset="subtract", delay=0),
        nn.Flatten(2),
        nn.Dropout(0.5),
        lif(
            nn.Linear(16, 12, bias=False), recurrent=nn.Linear(12, 12, bias=False),
            current_keep=0.5, threshold=0.3, refractory=2,
        ),
        lif(delays(12, 10, 3), threshold=0.2, reset="subtract-late"),
        lif(nn.Linear(10, 5, bias=False), sends="voltage", delay=last_delay),
    ).eval()  # fmt: skip
    for layer in layers(made):
        layer.whole = whole
    return made


def layers(made):
    from neurodeploy.training.layers import LIF

    return [m for m in made.modules() if isinstance(m, LIF)]


def inputs(steps=12, samples=4):
    return (torch.rand(samples, steps, 2, 4, 4) < 0.5).float()


def loss_of(sent):
    target = torch.arange(len(sent)) % sent.shape[-1]
    return nn.functional.cross_entropy(sent.mean(dim=1), target) + sent[:, 3].square().mean()


def grads(made):
    return {name: p.grad.clone() for name, p in made.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(("whole", "last_delay"), [(True, 0), (False, 0), (True, 2)])
def test_gradients_are_those_of_autograd_without_time(whole, last_delay):
    from neurodeploy.training import online

    made, x = model(whole, last_delay), inputs()
    loss, sent = online.gradients(made, x, loss_of)
    found = grads(made)
    made.zero_grad(set_to_none=True)
    for layer in layers(made):
        layer.temporal = "none"
    outputs = made(x)
    exact = loss_of(outputs)
    exact.backward()
    assert torch.equal(sent, outputs.detach())
    assert torch.equal(loss, exact.detach())
    expected = grads(made)
    assert found.keys() == expected.keys()
    for name, grad in expected.items():
        torch.testing.assert_close(found[name], grad, atol=1e-6, rtol=1e-4)
        assert grad.abs().sum() > 0, name
    # What all messages wait for a while in gets no gradient through them.
    names = [n for n, p in made.named_parameters() if p.requires_grad]
    assert list(expected) == (names if not last_delay else ["6.synapse.weight"])
    made.zero_grad(set_to_none=True)
    for layer in layers(made):
        layer.temporal = "full"
    loss_of(made(x)).backward()
    assert grads(made)["0.synapse.weight"].abs().sum() > 0


def plain():
    return nn.Sequential(lif(nn.Linear(6, 12, bias=False)), lif(nn.Linear(12, 4), threshold=0.5))


def test_the_sum_written_by_hand():
    """grad W = sum over t of delta_t times the messages of t, through layers alone."""
    from neurodeploy.training import online
    from neurodeploy.training.surrogates import Surrogate

    made, x = plain(), (torch.rand(3, 15, 6) < 0.5).float()
    weight_of_loss = torch.randn(3, 15, 4).double()
    online.gradients(made, x, lambda sent: (sent * weight_of_loss).sum())
    bell = Surrogate()
    u, pre = [x.double()], x.double()
    slopes = []
    with torch.no_grad():
        for layer in made:
            weight, bias = layer.integers()[0], layer._bias(len(layer.synapse.weight))
            cells = layer.cells(len(weight), layer.values(len(weight)))
            state, sent, slope = cells.rest(3), [], []
            for t in range(15):
                kept = torch.trunc(state.v * (4096 - cells.voltage_decay) / 4096)
                v = kept + 64 * (pre[:, t] @ weight.T) + 64 * bias
                slope.append(64 * bell(v / (64 * cells.threshold) - 1) / (64 * cells.threshold))
                s, state = cells.step(pre[:, t] @ weight.T, state, bias)
                sent.append(s)
            pre = torch.stack(sent, 1)
            u.append(pre)
            slopes.append(torch.stack(slope, 1) * layer.scale)
        delta = weight_of_loss * slopes[1]
        second = torch.einsum("bto,bti->oi", delta, u[1])
        through = delta @ (made[1].integers()[0] / made[1].scale) * slopes[0]
        first = torch.einsum("bto,bti->oi", through, u[0])
    for layer, exact in zip(made, (first, second), strict=True):
        torch.testing.assert_close(layer.synapse.weight.grad.double(), exact, rtol=1e-5, atol=1e-6)


class Kept:
    """Bytes of what autograd keeps for its way back, now and at most."""

    def __init__(self):
        self.now = self.most = 0

    def pack(self, tensor):
        held = [tensor.detach()]
        size = tensor.numel() * tensor.element_size()
        self.now += size
        self.most = max(self.most, self.now)
        box = Box(held)
        weakref.finalize(box, self.free, size)
        return box

    def free(self, size):
        self.now -= size


class Box:
    def __init__(self, held):
        self.held = held


def most_kept(run):
    kept = Kept()
    with torch.autograd.graph.saved_tensors_hooks(kept.pack, lambda box: box.held[0]):
        run()
    return kept.most


@pytest.mark.parametrize("taken", [None, 3])
def test_memory_does_not_grow_with_the_steps(taken):
    from neurodeploy.training import online

    made = nn.Sequential(
        lif(nn.Linear(6, 40, bias=False), recurrent=nn.Linear(40, 40, bias=False)),
        lif(delays(40, 4, 5)),
    )
    online_kept, full_kept = [], []
    for steps in (20, 40, 160):
        x = (torch.rand(3, steps, 6) < 0.5).float()
        online_kept.append(
            most_kept(lambda x=x: online.gradients(made, x, lambda s: s.sum(), steps=taken))
        )
        full_kept.append(most_kept(lambda x=x: made(x).sum().backward()))
    assert online_kept[0] == online_kept[1] == online_kept[2] > 0
    assert full_kept[2] > 3.5 * full_kept[1] > 6 * full_kept[0]


def test_some_steps_alone_give_the_same_mean():
    from neurodeploy.training import online

    made, x = plain(), (torch.rand(2, 4, 6) < 0.6).float()
    online.gradients(made, x, lambda sent: sent.sum())
    exact = grads(made)
    drawn, seed = {}, 0
    while len(drawn) < 4:  # every single step once
        made.zero_grad(set_to_none=True)
        online.gradients(made, x, lambda sent: sent.sum(), steps=1, seed=seed)
        step = int(torch.randperm(4, generator=torch.Generator().manual_seed(seed))[0])
        drawn[step] = {**{n: torch.zeros_like(g) for n, g in exact.items()}, **grads(made)}
        seed += 1
    for name, grad in exact.items():
        mean = sum(found[name] for found in drawn.values()) / 4
        torch.testing.assert_close(mean, grad, rtol=1e-4, atol=1e-6)


def test_it_trains():
    from neurodeploy.training import online

    made = plain()
    x, labels = (torch.rand(8, 30, 6) < 0.4).float(), torch.arange(8) % 4
    optimiser = torch.optim.Adam(made.parameters(), lr=0.02)
    losses = []
    for _ in range(15):
        optimiser.zero_grad()
        loss, _ = online.gradients(made, x, lambda s: nn.functional.cross_entropy(s.sum(1), labels))
        optimiser.step()
        losses.append(float(loss))
    assert np.min(losses[-3:]) < 0.8 * losses[0]


def test_what_is_not_run_step_by_step_is_refused():
    from neurodeploy.training import online

    made, x = plain(), torch.ones(1, 5, 6)
    with pytest.raises(InputError, match=r"steps: 6; give 1\.\.5"):
        online.gradients(made, x, lambda s: s.sum(), steps=6)
    with pytest.raises(UnsupportedError, match="1: Dropout is not run step by step"):
        online.gradients(nn.Sequential(made[0], nn.Dropout(0.1)), x, lambda s: s.sum())
