"""Pruning in rounds: masks only grow, hold in integers, and export in half precision."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import InputError

torch = pytest.importorskip("torch", reason="needs torch: neurodeploy doctor --add lava-dl")
nn = torch.nn


def model(bits=4):
    from neurodeploy.training.layers import LIF

    return nn.Sequential(
        LIF(nn.Conv2d(2, 6, 3), bits=bits, threshold=0.4),
        LIF(nn.AvgPool2d(2), threshold=0.2),
        nn.Flatten(2),
        LIF(
            nn.Linear(24, 20, bias=False), recurrent=nn.Linear(20, 20, bias=False), bits=bits,
            threshold=0.4,
        ),
        LIF(nn.Linear(20, 4), bits=bits, sends="voltage"),
    )  # fmt: skip


def masks(made):
    return {
        name: value.clone()
        for name, value in made.state_dict().items()
        if "keep" in name and not name.startswith("1.")
    }


def trainer(made, x, labels, epochs=2):
    def train():
        optimiser = torch.optim.Adam(made.parameters(), lr=0.01)
        for _ in range(epochs):
            loss = nn.functional.cross_entropy(made(x).mean(1), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    return train


def data():
    return (torch.rand(12, 15, 2, 6, 6) < 0.4).float(), torch.arange(12) % 4


def test_the_smallest_go_and_stay_gone():
    from neurodeploy.training.sparsity import prune_smallest

    made = model()
    x, labels = data()
    before = masks(made)
    for share in (0.3, 0.5, 0.2, 0.8):
        found = prune_smallest(made, share)
        after = masks(made)
        for name in before:
            assert not (after[name] & ~before[name]).any()  # nothing comes back
        before = after
        assert found == pytest.approx(max(share, 0.5) if share == 0.2 else share, abs=0.01)
        both = torch.cat([after["3.keep0"].ravel(), after["3.keep1"].ravel()])
        sizes = torch.cat([w.detach().ravel() for w in made[3].weights()]).abs()
        if share == 0.3:
            assert sizes[both].min() >= sizes[~both].max()
            trainer(made, x, labels)()  # magnitudes change, masks do not
            assert all(torch.equal(masks(made)[n], m) for n, m in after.items())
    assert made[1].keep0.all()


def test_what_was_pruned_is_zero_on_the_engine():
    from neurodeploy.training.sparsity import prune_smallest
    from neurodeploy.training.torch_network import to_network

    made = model()
    x, labels = data()
    prune_smallest(made, 0.6)
    pruned = masks(made)
    trainer(made, x, labels, epochs=5)()
    net = to_network(made, (2, 6, 6))
    weights = [p.synapse.weight for p in net.projections if p.synapse.kind != "pool"]
    for weight, mask in zip(weights, pruned.values(), strict=True):
        assert not weight[~mask.numpy()].any()
        assert weight.any()
    with torch.no_grad():
        own = np.rint((made(x) * 64 * made[4].scale).numpy())
    run = nd.run(net, x.numpy().astype(np.uint8), steps=19, record=("v",))
    np.testing.assert_array_equal(own, run["4"].v[:, 4:19])


def test_rounds_go_on_while_little_is_lost():
    from neurodeploy.training.sparsity import Schedule, prune_in_rounds

    made, shares, trained = model(), [], []

    def score():
        mask = masks(made)
        pruned = sum(int((~m).sum()) for m in mask.values()) / sum(m.numel() for m in mask.values())
        shares.append(pruned)
        return 1.0 - (0.5 if pruned > 0.66 else 0.01 * pruned)

    rounds = prune_in_rounds(
        made, lambda: trained.append(1), score, Schedule(first=0.4, steps=(0.1, 0.05))
    )
    assert [round(r.share, 2) for r in rounds] == [0, 0.4, 0.5, 0.6, 0.7, 0.65, 0.7]
    assert [r.kept for r in rounds] == [True, True, True, True, False, True, False]
    assert len(trained) == 6
    assert score() == pytest.approx(rounds[5].score)  # it ends as the last that was kept


def test_training_wins_back_what_pruning_took():
    from neurodeploy.training.sparsity import Schedule, prune_in_rounds

    made = model(8)
    x, labels = data()
    trainer(made, x, labels, epochs=25)()

    def score():
        with torch.no_grad():
            return float((made(x).mean(1).argmax(1) == labels).double().mean())

    rounds = prune_in_rounds(
        made, trainer(made, x, labels, epochs=12), score, Schedule(most=0.6, tolerance=0.1)
    )
    assert rounds[0].score > 0.6
    kept = [r for r in rounds if r.kept]
    assert kept[-1].share >= 0.4
    assert score() == kept[-1].score


def test_half_precision_is_what_then_runs(tmp_path):
    from neurodeploy.training.sparsity import half_precision, prune_smallest
    from neurodeploy.training.torch_network import to_network

    made, other = model(), model()
    prune_smallest(made, 0.5)
    state = half_precision(made)
    weights = [n for n, _ in made.named_parameters()]
    assert all(state[name].dtype == torch.float16 for name in weights)
    half = state["3.synapse.weight"]
    assert (half[~made[3].keep0] == 0).all()
    assert torch.equal(half, (made[3].synapse.weight * made[3].keep0).half())
    torch.save(state, tmp_path / "half.pt")
    loaded = torch.load(tmp_path / "half.pt", weights_only=True)
    for target in (other, made):
        target.load_state_dict(loaded)
    net = to_network(other, (2, 6, 6))
    assert net == to_network(made, (2, 6, 6))
    whole = [p.synapse.weight for p in net.projections if p.synapse.kind != "pool"]
    for weight, mask in zip(whole, masks(made).values(), strict=True):
        assert not weight[~mask.numpy()].any()
    with torch.no_grad():
        made[0].synapse.weight.fill_(1e6)
    with pytest.raises(InputError, match=r"0\.synapse\.weight: holds 1e\+06, 16-bit floats end"):
        half_precision(made)


def test_shares_out_of_range_are_refused():
    from neurodeploy.training.sparsity import Schedule, prune_smallest

    with pytest.raises(InputError, match="share: 1; give 0 or more"):
        prune_smallest(model(), 1)
    with pytest.raises(InputError, match="give shares above 0 and below 1"):
        Schedule(first=0)
