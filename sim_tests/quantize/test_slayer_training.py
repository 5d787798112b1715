"""SLAYER modules train on the integers that run: what load reads, what the engine does."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import InputError, NetworkError, UnsupportedError
from neurodeploy.formats.slayer import export_slayer
from neurodeploy.network import Rating
from sim_tests.formats.test_slayer import CANNOT, IMAGE, PARAMETERS, assert_agree, module_of
from sim_tests.slayer_oracle import import_slayer

pytestmark = pytest.mark.filterwarnings("ignore:torch.nn.utils.weight_norm is deprecated")
WITH_SYNAPSES = (
    "Dense", "Conv", "ConvT", "Pool", "Unpool", "Recurrent", "KWTA", "Affine", "Output",
)  # fmt: skip
CUBA = {"threshold": 1.0, "current_decay": 0.25, "voltage_decay": 0.08}
BITS = (8, 5, 3, 2, 1, "ternary")


@pytest.fixture(scope="module")
def torch():
    _, torch = import_slayer()
    torch.set_num_threads(1)
    return torch


@pytest.fixture(autouse=True)
def _seeded(torch):
    torch.manual_seed(3)


@pytest.fixture(scope="module")
def slayer(torch):
    return import_slayer()[0]


@pytest.fixture(scope="module")
def training(torch):
    from neurodeploy.training import slayer

    return slayer


def hooks(training, module):
    return {n: m for n, m in module.named_modules() if isinstance(m, training.Rounding)}


def integers(training, module):
    """What each synapse's pre-hook makes of its weights, in integers."""
    return {
        name: s.pre_hook_fx(s.weight, descale=True).detach().numpy().astype(np.int64)
        for name, s in training.synapses_of(module).items()
    }


def train(torch, module, shape, steps=4, rate=0.05):
    """A few steps towards more spikes of some neurons; gradients must reach every weight."""
    x = (torch.rand(3, *shape, 20) < 0.4).float()
    weights = [p for p in module.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(weights, lr=rate)
    losses = []
    for _ in range(steps):
        sent = module(x)
        loss = (sent.mean(dim=-1) - 0.2).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss))
    with torch.no_grad():
        module(x)  # weight_norm makes the weights when the module runs
    return losses


@pytest.mark.parametrize("block", WITH_SYNAPSES)
@pytest.mark.parametrize("family", PARAMETERS)
def test_every_block_in_few_bits_is_the_engine(torch, slayer, training, family, block):
    if (family, block) in CANNOT:
        pytest.skip(f"SLAYER's {family} {block}: {CANNOT[family, block]}")
    index = WITH_SYNAPSES.index(block) + list(PARAMETERS).index(family)
    bits = BITS[index % len(BITS)]
    module, shape = module_of(torch, slayer, family, block)
    training.quantized(module, bits)
    export = export_slayer(module, shape=shape)
    assert_agree(export, least=3)
    assert export.network.audit.worst is Rating.FAITHFUL
    for hook in hooks(training, module).values():
        assert hook.bits == bits
    for weight in integers(training, module).values():
        values = np.unique(weight)
        assert values.any()
        assert len(values) <= (3 if bits == "ternary" else 1 << bits)


@pytest.mark.parametrize("bits", [8, 4, 3, "ternary", 1])
def test_what_was_trained_is_what_load_reads(torch, slayer, training, bits):
    module = torch.nn.Sequential(
        slayer.block.cuba.Dense(CUBA, 14, 24, weight_scale=3, weight_norm=True),
        slayer.block.alif.Recurrent(dict(PARAMETERS["alif"]), 24, 10, weight_scale=3),
    )
    training.quantized(module, bits)
    before = integers(training, module)
    train(torch, module, (14,))
    after = integers(training, module)
    assert all((before[name] != after[name]).any() for name in before)
    found = nd.load(module)
    read = [p.synapse.weight for p in found.projections]
    ours = [after[n][:, :, 0, 0, 0] for n in sorted(after)]
    assert len(read) == 3
    for weight, own in zip(read, ours, strict=True):
        np.testing.assert_array_equal(weight, own)
        assert not (weight % 2).any()  # mixed signs: even steps, as the chip has them
    assert_agree(export_slayer(module), least=3)


def test_convolutions_pools_and_transposed_ones_train(torch, slayer, training):
    room = slayer.block.cuba
    module = torch.nn.Sequential(
        room.Conv(CUBA, 2, 4, 3, padding=1, weight_scale=2, weight_norm=True),
        room.Pool(CUBA, 2, weight_scale=1.1),
        room.ConvT(CUBA, 4, 2, 2, stride=2, weight_scale=3),
        room.Flatten(),
        room.Affine(CUBA, 2 * 6 * 8, 5),
    )
    training.quantized(module, 4, layers={"0": 6, "1": 3}, exclude=("4",))
    assert {n: h.bits for n, h in hooks(training, module).items()} == {
        "0.synapse._pre_hook_fx": 6,
        "1.synapse._pre_hook_fx": 3,
        "2.synapse._pre_hook_fx": 4,
    }
    train(torch, module, IMAGE)
    assert_agree(export_slayer(module, shape=IMAGE), least=3)
    kinds = {p.synapse.kind: p.synapse.weight for p in nd.load(module, shape=IMAGE).projections}
    for name, kind in (("0", "conv"), ("1", "pool"), ("2", "conv-transpose"), ("4", "dense")):
        own = integers(training, module)[f"{name}.synapse"]
        np.testing.assert_array_equal(kinds[kind].ravel(), own.ravel())


def test_exponent_is_that_of_the_weights_that_weight_norm_will_make(torch, slayer, training):
    def made():
        return slayer.block.cuba.Dense(CUBA, 14, 10, weight_scale=1, weight_norm=True)

    first, second = made(), made()
    with torch.no_grad():
        first.synapse.weight_g *= 20
    second.load_state_dict(first.state_dict())  # its weights are still what they were
    (small,) = hooks(training, training.quantized(made(), 4)).values()
    (large,) = hooks(training, training.quantized(second, 4)).values()
    assert int(large.step) >= int(small.step) + 4


def test_large_weights_take_a_larger_exponent(torch, slayer, training):
    module = torch.nn.Sequential(slayer.block.cuba.Dense(CUBA, 14, 10))
    with torch.no_grad():
        module[0].synapse.weight *= 60
    training.quantized(module, 4)
    weight = nd.load(module).projections[0].synapse.weight
    assert np.abs(weight).max() > 256
    assert not (weight % 64).any()
    assert_agree(export_slayer(module), least=3)


def test_step_and_pruned_synapses_are_in_the_checkpoint(torch, slayer, training, tmp_path):
    def made(seed):
        torch.manual_seed(seed)
        return torch.nn.Sequential(slayer.block.cuba.Dense(CUBA, 14, 10, weight_scale=4 * seed))

    first = training.quantized(made(1), 4, fan_in=5)
    train(torch, first, (14,))
    torch.save(first.state_dict(), tmp_path / "a.pt")
    second = training.quantized(made(2), 4, fan_in=7)
    assert nd.load(second) != nd.load(first)
    second.load_state_dict(torch.load(tmp_path / "a.pt", weights_only=True))
    assert nd.load(second) == nd.load(first)


def test_fan_in_holds_while_training(torch, slayer, training):
    module = torch.nn.Sequential(
        slayer.block.cuba.Dense(CUBA, 14, 24, weight_scale=3, weight_norm=True),
        slayer.block.cuba.Dense(CUBA, 24, 10, weight_scale=3),
    )
    training.quantized(module, 8, fan_in=6)
    losses = train(torch, module, (14,), steps=15)
    assert losses[-1] < 0.8 * losses[0]
    for projection in nd.load(module).projections:
        counts = (projection.synapse.weight != 0).sum(axis=1)
        assert counts.max() == 6
    room = slayer.block.cuba
    with pytest.raises(UnsupportedError, match=r"0\.synapse: a limit of the fan-in takes dense"):
        training.quantized(torch.nn.Sequential(room.ConvT(CUBA, 2, 4, 3)), 4, fan_in=3)


def test_layers_are_quantized_one_by_one_and_stay(torch, slayer, training):
    module = torch.nn.Sequential(
        slayer.block.cuba.Dense(CUBA, 14, 24, weight_scale=3),
        slayer.block.cuba.Recurrent(dict(CUBA), 24, 16, weight_scale=3),
        slayer.block.cuba.Dense(CUBA, 16, 10, weight_scale=3),
    )
    kept, seen = {}, []
    for path in training.one_by_one(module, 3, layers={"2": 6}):
        assert len(hooks(training, module)) == (1, 3, 4)[len(seen)]
        train(torch, module, (14,))
        now = {n: s.weight.detach().clone() for n, s in training.synapses_of(module).items()}
        for name, (weight, whole) in kept.items():
            assert torch.equal(now[name], weight)
            own = training.synapses_of(module)[name]
            assert torch.equal(own.pre_hook_fx(own.weight, descale=True), whole)
        for name in (n for n in now if n.startswith(f"{path}.")):
            own = training.synapses_of(module)[name]
            kept[name] = now[name], own.pre_hook_fx(own.weight, descale=True).detach().clone()
        seen.append(path)
    assert seen == ["0", "1", "2"]
    assert [h.bits for h in hooks(training, module).values()] == [3, 3, 3, 6]
    assert_agree(export_slayer(module), least=3)


@pytest.mark.parametrize("norm", ["MeanOnlyBatchNorm", "WgtScaleBatchNorm"])
def test_norms_of_frozen_layers_keep_their_averages(torch, slayer, training, norm):
    """Although a training loop puts the whole module in training mode again."""
    kind = getattr(slayer.neuron.norm, norm)
    module = torch.nn.Sequential(
        slayer.block.cuba.Dense({**CUBA, "norm": kind}, 14, 24, weight_scale=3),
        slayer.block.cuba.Dense({**CUBA, "norm": kind}, 24, 10, weight_scale=3),
    )
    means = []
    for _ in training.one_by_one(module, 4):
        module.train()
        train(torch, module, (14,))
        means.append([block.neuron.norm.running_mean.clone() for block in module])
    assert torch.equal(means[0][0], means[1][0])
    assert not torch.equal(means[0][1], means[1][1])
    module.eval()
    assert_agree(export_slayer(module), least=1)


def test_what_cannot_be_is_named(torch, slayer, training):
    module = torch.nn.Sequential(slayer.block.cuba.Dense(CUBA, 14, 10))
    with pytest.raises(InputError, match=r"5: leads to no synapse of the module; there are 0\.syn"):
        training.quantized(module, 4, exclude=("5",))
    with pytest.raises(NetworkError, match="bits: 9"):
        training.quantized(module, 9)
    with pytest.raises(UnsupportedError, match="Linear: has no SLAYER synapse"):
        training.quantized(torch.nn.Linear(2, 2))
