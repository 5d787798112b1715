"""Where the rules come from: forward-time learning against backpropagation, in float64.

A recurrent net of current-based LIF neurons with a leaky readout and a squared error, the reset
detached. Backpropagation through time is torch's; what runs forward in time is written here.
"""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

ALPHA, BETA, KAPPA, THRESHOLD = 0.8, 0.9, 0.85, 1.0
INPUTS, HIDDEN, OUTPUTS, STEPS = 5, 6, 3, 40
SAME = 1e-12


def surrogate(v):
    return 0.3 * (1 - (v - THRESHOLD).abs() / THRESHOLD).clamp(min=0)


class Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, v):
        ctx.save_for_backward(v)
        return (v > THRESHOLD).to(v)

    @staticmethod
    def backward(ctx, gradient):
        (v,) = ctx.saved_tensors
        return gradient * surrogate(v)


class Case:
    """One net and one sequence; `reset` is soft or hard."""

    def __init__(self, reset, seed=0):
        self.reset = reset
        generator = torch.Generator().manual_seed(seed)

        def normal(*shape):
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        self.x = (torch.rand(STEPS, INPUTS, generator=generator) < 0.3).double()
        self.target = normal(STEPS, OUTPUTS)
        loops = normal(HIDDEN, HIDDEN) * 0.5
        loops.fill_diagonal_(0)  # a loop of a neuron with itself is recurrence, too
        self.weights = {
            "feed": normal(HIDDEN, INPUTS) * 0.8,
            "loop": loops,
            "out": normal(OUTPUTS, HIDDEN) * 0.5,
        }

    def backpropagated(self, detached=False):
        """Gradients, and of each step the total derivative by z, v, z and the error."""
        w = {name: value.clone().requires_grad_() for name, value in self.weights.items()}
        u = v = z = torch.zeros(HIDDEN, dtype=torch.float64)
        readout, loss = torch.zeros(OUTPUTS, dtype=torch.float64), 0
        zs, vs, errors = [], [], []
        for x, target in zip(self.x, self.target, strict=True):
            u = ALPHA * u + w["feed"] @ x + w["loop"] @ (z.detach() if detached else z)
            s = z.detach()
            v = BETA * v * (1 - s) + u if self.reset == "hard" else BETA * v + u - THRESHOLD * s
            z = Spike.apply(v)
            z.retain_grad()
            readout = KAPPA * readout + w["out"] @ z
            errors.append((readout - target).detach())
            loss = loss + 0.5 * ((readout - target) ** 2).sum()
            zs.append(z)
            vs.append(v.detach())
        loss.backward()
        gradients = {name: value.grad.numpy() for name, value in w.items()}
        total = [np.zeros(HIDDEN) if z.grad is None else z.grad.numpy() for z in zs]
        sent = [z.detach().numpy() for z in zs]
        slopes = [surrogate(v).numpy() for v in vs]
        return gradients, total, sent, slopes, [e.numpy() for e in errors]

    def eligibilities(self, sent, slopes):
        """e = psi eps_v of each step, by its matrix; local to the neuron and its source."""
        u = {"feed": np.zeros((HIDDEN, INPUTS)), "loop": np.zeros((HIDDEN, HIDDEN))}
        v = {name: value.copy() for name, value in u.items()}
        before = np.zeros(HIDDEN)
        for x, z, slope in zip(self.x.numpy(), sent, slopes, strict=True):
            keep = BETA * (1 - before) if self.reset == "hard" else BETA * np.ones(HIDDEN)
            found = {}
            for name, source in (("feed", x), ("loop", before)):
                u[name] = ALPHA * u[name] + source[None, :]
                v[name] = keep[:, None] * v[name] + u[name]
                found[name] = slope[:, None] * v[name]
            before = z
            yield found

    def real_time(self, sent, slopes, errors, own_blocks_only):
        """RTRL: the derivative of all u and v by all weights of the hidden layer, step by step."""
        loop, out = self.weights["loop"].numpy(), self.weights["out"].numpy()
        size = HIDDEN * (INPUTS + HIDDEN)
        influence = np.zeros((2 * HIDDEN, size))
        by_readout, gradient = np.zeros((OUTPUTS, size)), np.zeros(size)
        before, slope_before = np.zeros(HIDDEN), np.zeros(HIDDEN)
        eye = np.eye(HIDDEN)
        for x, z, slope, error in zip(self.x.numpy(), sent, slopes, errors, strict=True):
            keep = BETA * (1 - before) if self.reset == "hard" else BETA * np.ones(HIDDEN)
            by_u = np.hstack([ALPHA * eye, loop * slope_before])  # of u, by u and v before
            jacobian = np.vstack([by_u, by_u + np.hstack([0 * eye, np.diag(keep)])])
            if own_blocks_only:
                jacobian *= np.tile(eye, (2, 2))
            now = np.hstack([np.kron(eye, x), np.kron(eye, before)])
            influence = jacobian @ influence + np.vstack([now, now])
            by_readout = KAPPA * by_readout + out @ (slope[:, None] * influence[HIDDEN:])
            gradient += error @ by_readout
            before, slope_before = z, slope
        feed, loops = np.split(gradient, [HIDDEN * INPUTS])
        return {"feed": feed.reshape(HIDDEN, INPUTS), "loop": loops.reshape(HIDDEN, HIDDEN)}

    def eprop(self, sent, slopes, errors):
        """Eligibility filtered by the readout's leak, times the error through its weights."""
        out = self.weights["out"].numpy()
        filtered = {"feed": 0.0, "loop": 0.0}
        gradients = {"feed": 0.0, "loop": 0.0, "out": 0.0}
        trace = np.zeros(HIDDEN)
        for found, z, error in zip(self.eligibilities(sent, slopes), sent, errors, strict=True):
            signal = out.T @ error
            for name, e in found.items():
                filtered[name] = KAPPA * filtered[name] + e
                gradients[name] = gradients[name] + signal[:, None] * filtered[name]
            trace = KAPPA * trace + z
            gradients["out"] = gradients["out"] + np.outer(error, trace)
        return gradients


def apart(one, other):
    return max(np.abs(one[name] - other[name]).max() / np.abs(other[name]).max() for name in one)


@pytest.fixture(params=["soft", "hard"])
def case(request):
    return Case(request.param)


def test_real_time_recurrent_learning_is_backpropagation_through_time(case):
    gradients, _, sent, slopes, errors = case.backpropagated()
    assert np.sum(sent) > 20
    found = case.real_time(sent, slopes, errors, own_blocks_only=False)
    assert apart(found, gradients) < SAME


def test_eligibility_times_the_total_derivative_is_backpropagation(case):
    gradients, total, sent, slopes, _ = case.backpropagated()
    found = {"feed": 0.0, "loop": 0.0}
    for eligibility, signal in zip(case.eligibilities(sent, slopes), total, strict=True):
        found = {name: found[name] + signal[:, None] * e for name, e in eligibility.items()}
    assert apart(found, gradients) < SAME


def test_eprop_is_backpropagation_with_recurrent_spikes_detached(case):
    gradients, _, sent, slopes, errors = case.backpropagated(detached=True)
    assert apart(case.eprop(sent, slopes, errors), gradients) < SAME


def test_eprop_is_real_time_learning_with_each_neurons_own_block(case):
    _, _, sent, slopes, errors = case.backpropagated()
    found = case.real_time(sent, slopes, errors, own_blocks_only=True)
    eprop = case.eprop(sent, slopes, errors)
    assert apart(found, {name: eprop[name] for name in found}) < SAME


def test_eprop_is_not_backpropagation(case):
    """So that the identities above cannot hold by mistake."""
    gradients, _, sent, slopes, errors = case.backpropagated()
    assert apart(case.eprop(sent, slopes, errors), gradients) > 1e-3


def test_two_traces_of_the_source_are_the_linear_part_of_an_eligibility():
    """With a soft reset eps_v depends on the source alone: a double exponential, x1 - x2 scaled."""
    rng = np.random.default_rng(0)
    spikes = rng.random(200) < 0.2
    u = v = slow = fast = 0.0
    for s in spikes:
        u = ALPHA * u + s
        v = BETA * v + u
        slow, fast = BETA * slow + s, ALPHA * fast + s
        assert v == pytest.approx((BETA * slow - ALPHA * fast) / (BETA - ALPHA), rel=1e-12)
