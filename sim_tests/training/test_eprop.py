"""e-prop: forwards in time, and equal to autograd in which recurrent messages are constants."""

from __future__ import annotations

import pytest

from neurodeploy.errors import InputError, UnsupportedError
from sim_tests.training.test_online import most_kept

torch = pytest.importorskip("torch", reason="needs torch: neurodeploy doctor --add lava-dl")
nn = torch.nn


def model(whole=False, reset="zero", bias=False, recurrent=True, current_keep=0.6):
    from neurodeploy.training.layers import LIF

    made = nn.Sequential(
        LIF(
            nn.Linear(5, 7, bias=bias), threshold=0.4, reset=reset,
            current_keep=0.0 if bias else current_keep,
            recurrent=nn.Linear(7, 7, bias=False) if recurrent else None,
        ),
        LIF(nn.Linear(7, 3, bias=bias), sends="voltage", current_keep=0.0 if bias else 0.3),
    ).double()  # fmt: skip
    for layer in made:
        layer.whole = whole
        layer.fit()
    return made


def inputs(steps=40):
    return (torch.rand(2, steps, 5) < 0.4).double()


def loss_of(sent):
    target = torch.linspace(-1, 1, sent[0].numel(), dtype=sent.dtype).reshape(sent.shape[1:])
    return 0.5 * (sent - target).square().sum()


def run(made, x, detached):
    """The module's forward pass, written out, with recurrent messages as constants or not."""
    hidden, readout = made
    values, read = hidden.values(7), readout.values(3)
    cells, reader = hidden.cells(7, values), readout.cells(3, read)
    state, out, found = cells.rest(len(x)), reader.rest(len(x)), []
    last = torch.zeros(len(x), 7, dtype=torch.float64)
    for now in x.unbind(1):
        current = now @ values["synapse"].T
        if "recurrent" in values:
            current = current + (last.detach() if detached else last) @ values["recurrent"].T
        last, state = cells.step(current, state, values["bias"])
        v, out = reader.step(last @ read["synapse"].T, out, read["bias"])
        found.append(readout.message(v))
    return torch.stack(found, 1)


def grads(made):
    return {name: p.grad.clone() for name, p in made.named_parameters()}


@pytest.mark.parametrize("reset", ["zero", "subtract", "subtract-late"])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("whole", [False, True])
def test_it_is_autograd_with_recurrent_messages_as_constants(whole, bias, reset):
    from neurodeploy.training import eprop

    made, x = model(whole, reset, bias), inputs()
    loss, sent = eprop.gradients(made, x, loss_of)
    found = grads(made)
    made.zero_grad(set_to_none=True)
    outputs = run(made, x, detached=True)
    loss_of(outputs).backward()
    assert torch.equal(sent, outputs.detach())
    assert float(loss) == float(loss_of(outputs))
    for name, exact in grads(made).items():
        assert exact.abs().sum() > 0, name
        difference = (found[name] - exact).abs().max() / exact.abs().max()
        assert float(difference) < 1e-12, name
    made.zero_grad(set_to_none=True)
    loss_of(run(made, x, detached=False)).backward()
    full = grads(made)["0.recurrent.weight"]
    one = found["0.recurrent.weight"]
    assert float((one * full).sum() / one.norm() / full.norm()) > 0.6
    assert float((one - full).abs().max() / full.abs().max()) > 1e-6


def test_without_a_recurrence_it_is_backpropagation():
    from neurodeploy.training import eprop

    made, x = model(recurrent=False), inputs()
    eprop.gradients(made, x, loss_of)
    found = grads(made)
    made.zero_grad(set_to_none=True)
    loss_of(made(x)).backward()
    for name, exact in grads(made).items():
        torch.testing.assert_close(found[name], exact, rtol=1e-10, atol=1e-12)


def test_random_feedback_changes_the_hidden_layer_alone():
    from neurodeploy.training import eprop

    made, x = model(), inputs()
    eprop.gradients(made, x, loss_of)
    symmetric = grads(made)
    same = made[1].values(3)["synapse"].detach()
    results = []
    for feedback in (same, torch.randn(3, 7)):
        made.zero_grad(set_to_none=True)
        eprop.gradients(made, x, loss_of, feedback=feedback)
        results.append(grads(made))
    torch.testing.assert_close(results[0], symmetric)
    assert torch.equal(results[1]["1.synapse.weight"], symmetric["1.synapse.weight"])
    assert not torch.allclose(results[1]["0.synapse.weight"], symmetric["0.synapse.weight"])


def test_memory_does_not_grow_with_the_steps():
    from neurodeploy.training import eprop

    made = model()
    kept = []
    for steps in (20, 40, 160):
        x = inputs(steps)
        kept.append(most_kept(lambda x=x: eprop.gradients(made, x, lambda sent: sent.sum())))
    assert kept[0] == kept[1] == kept[2] > 0


def test_it_trains():
    from neurodeploy.training import eprop

    made, x = model(whole=True), inputs(30)
    target = torch.sin(torch.arange(30) / 4)[None, :, None].double()
    optimiser = torch.optim.Adam(made.parameters(), lr=0.01)
    losses = []
    for _ in range(25):
        optimiser.zero_grad()
        loss, _ = eprop.gradients(made, x, lambda sent: (sent - target).square().mean())
        optimiser.step()
        losses.append(float(loss))
    assert losses[-1] < 0.75 * losses[0]


def test_other_modules_are_refused():
    from neurodeploy.training import eprop
    from neurodeploy.training.layers import LIF

    made, x = model(), inputs()
    with pytest.raises(UnsupportedError, match="Sequential: e-prop takes a Sequential of two LIF"):
        eprop.gradients(nn.Sequential(made[0]), x, loss_of)
    with pytest.raises(UnsupportedError, match="1: sends its spike"):
        eprop.gradients(nn.Sequential(made[0], LIF(nn.Linear(7, 3))), x, loss_of)
    slow = LIF(nn.Linear(5, 7), refractory=2)
    with pytest.raises(UnsupportedError, match="0: delays, refractory steps or trained decays"):
        eprop.gradients(nn.Sequential(slow, made[1]), x, loss_of)
    with pytest.raises(InputError, match=r"feedback: \[7, 3\]; give \[3, 7\]"):
        eprop.gradients(made, x, loss_of, feedback=torch.zeros(7, 3))
