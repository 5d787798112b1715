"""What needs more than Lava's operators: scales, norms and bounds of sigma-delta neurons, and
kernels over images that are put together, cropped or flipped. Every number against SLAYER's."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import UnsupportedError
from neurodeploy.exporting.forward_pass import compare_forward_pass, with_measured_audit
from neurodeploy.formats.slayer import export_slayer, moved_pixels
from neurodeploy.network import GeneralSigmaDelta, Rating, Sparse
from sim_tests.formats.test_slayer import CUBA, IMAGE, PARAMETERS, assert_agree, parameters
from sim_tests.slayer_oracle import import_slayer


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


class TestSigmaDelta:
    def chain(self, torch, slayer, **more):
        room = slayer.block.sigma_delta
        params = parameters(torch, "sigma_delta", **more)
        return torch.nn.Sequential(
            room.Dense(params, 14, 12, weight_scale=3),
            room.Dense(params, 12, 10, weight_scale=3),
            room.Output(params, 10, 5),
        )

    @pytest.mark.parametrize("power", [-2, 1, 3])
    @pytest.mark.parametrize("scale", [16, 64, 256])
    def test_norms_that_divide_and_other_scales(self, torch, slayer, scale, power):
        kind = slayer.neuron.norm.WgtScaleBatchNorm
        module = self.chain(torch, slayer, norm=kind, scale=scale)
        for index, size in ((0, 12), (1, 10)):
            norm = module[index].neuron.norm
            norm.running_mean = torch.linspace(-0.2, 0.25, size)
            norm.running_var = torch.tensor([0.9 * 4.0**power])
        module(torch.zeros(1, 14, 2))
        module[1].neuron.set_bias(torch.linspace(-64, 64, 10).round() / 4096)
        changes = np.random.default_rng(4).integers(-8, 9, (2, 12, 14)) * 2.0 ** (power - 6)
        export = export_slayer(module, example=changes.astype(np.float32))
        assert_agree(export, least=2)
        assert export.network.audit.worst is Rating.FAITHFUL
        neuron = export.network["0_dense"].neuron
        assert isinstance(neuron, GeneralSigmaDelta) is (scale != 64 or power > 0)

    @pytest.mark.parametrize("name", ["relu6", "hardtanh", "unit", "dyadic"])
    def test_activations_that_clip(self, torch, slayer, name, tmp_path):
        activation = {
            "relu6": torch.nn.functional.relu6,
            "hardtanh": torch.nn.Hardtanh(),
            "unit": lambda x: x.clamp(0, 1),
            "dyadic": lambda x: torch.clip(x, -0.375, 2.5),
        }[name]
        module = self.chain(torch, slayer, activation=activation)
        export = export_slayer(module)
        assert_agree(export)
        assert export.network.audit.worst is Rating.FAITHFUL
        nd.save(export.network, tmp_path / "a.net")
        assert nd.load(tmp_path / "a.net") == export.network

    @pytest.mark.parametrize("name", ["sigmoid", "tanh", "leaky_relu", "gelu"])
    def test_other_activations_are_named(self, torch, slayer, name):
        activation = getattr(torch.nn.functional, name)
        with pytest.raises(UnsupportedError, match=f"activation '{name}' is neither relu nor"):
            nd.load(self.chain(torch, slayer, activation=activation))

    def test_one_that_is_allowed_says_what_it_costs(self, torch, slayer):
        module = self.chain(torch, slayer, activation=torch.nn.functional.leaky_relu)
        names = [f"{index}.neuron.activation" for index in (0, 1)]
        network = nd.load(module, allow=names)
        effects = {entry.element: entry.effect for entry in network.audit if entry.effect}
        assert [effects[name].population for name in names] == ["0_dense", "1_dense"]
        assert all(effects[name].differing > 10 for name in names)
        assert 0.01 < effects[names[0]].relative_error < 10
        assert effects[names[0]].output_relative_error == effects["2_dense"].relative_error > 0

    def test_a_scale_that_shifts_no_whole_bits_is_refused(self, torch, slayer):
        with pytest.raises(UnsupportedError, match="messages count 1/3072, no power of two"):
            nd.load(self.chain(torch, slayer, scale=48))

    def test_spikes_into_sigma_delta_are_refused(self, torch, slayer):
        params = parameters(torch, "sigma_delta")
        module = torch.nn.Sequential(
            slayer.block.cuba.Dense(CUBA, 14, 12),
            slayer.block.sigma_delta.Dense(params, 12, 10),
        )
        with pytest.raises(UnsupportedError, match=r"counts in steps of 2\^-0, coarser than its"):
            nd.load(module)

    def test_an_input_block_of_another_scale_is_refused(self, torch, slayer):
        params = parameters(torch, "sigma_delta", scale=32)
        room = slayer.block.sigma_delta
        module = torch.nn.Sequential(room.Input(params), room.Dense(params, 14, 10))
        with pytest.raises(UnsupportedError, match="an Input block of scale 32"):
            nd.load(module)


MOVES = {
    "crop": lambda torch, a, b: a[:, :, 1:6, 1:],
    "flip": lambda torch, a, b: a.flip(2).flip(3),
    "transpose": lambda torch, a, b: a.transpose(2, 3),
    "both": lambda torch, a, b: torch.cat([a, b], 1),
    "interleaved": lambda torch, a, b: torch.stack([a, b], 2).flatten(1, 2),
    "side by side": lambda torch, a, b: torch.cat([a, b.flip(3)], 3),
    "wider": lambda torch, a, b: torch.nn.functional.pad(a, (0, 0, 1, 2, 2, 1)),
}
KERNELS = ("Conv", "ConvT", "Pool", "Unpool")


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("move", MOVES)
def test_pixels_that_were_moved(torch, slayer, move, kernel):
    cuba = slayer.block.cuba

    class Moved(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a = cuba.Conv(CUBA, 2, 4, 3, padding=1, weight_scale=3)
            self.b = cuba.Conv(CUBA, 2, 4, 3, padding=1, weight_scale=3)
            channels = 8 if move in ("both", "interleaved") else 4
            self.c = {
                "Conv": lambda: cuba.Conv(CUBA, channels, 6, 3, groups=2, weight_scale=3),
                "ConvT": lambda: cuba.ConvT(CUBA, channels, 6, 3, groups=2, weight_scale=3),
                "Pool": lambda: cuba.Pool(CUBA, 2, weight_scale=0.7),
                "Unpool": lambda: cuba.Unpool(CUBA, 2, weight_scale=1.1),
            }[kernel]()

        def forward(self, x):
            return self.c(MOVES[move](torch, self.a(x), self.b(x)))

    export = export_slayer(Moved(), shape=IMAGE)
    assert_agree(export, least=5)
    into = [p.synapse for p in export.network.into(export.network.output.name)]
    whole_channels = move in ("both", "interleaved") and kernel in ("Conv", "ConvT")
    assert all(isinstance(s, Sparse) is not whole_channels for s in into)


@pytest.mark.parametrize("family", ["rf", "sigma_delta"])
def test_moved_pixels_of_other_neurons(torch, slayer, family):
    room = getattr(slayer.block, family)
    params = parameters(torch, family)

    class Flipped(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a = room.Conv(params, 2, 4, 3, padding=1, weight_scale=3)
            self.b = room.Conv(params, 4, 3, 3, weight_scale=3)

        def forward(self, x):
            return self.b(self.a(x).flip(3))

    assert family in PARAMETERS
    assert_agree(export_slayer(Flipped(), shape=IMAGE), least=3)


def test_too_many_synapses_to_list_are_refused(torch, slayer, monkeypatch):
    monkeypatch.setattr(moved_pixels, "MOST", 1000)
    cuba = slayer.block.cuba

    class Flipped(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a = cuba.Conv(CUBA, 2, 4, 3, padding=1, weight_scale=3)
            self.b = cuba.Conv(CUBA, 4, 3, 3, weight_scale=3)

        def forward(self, x):
            return self.b(self.a(x).flip(3))

    with pytest.raises(UnsupportedError, match="takes 5,184 single synapses, limit 1,000"):
        nd.load(Flipped(), shape=IMAGE)


class TestEffects:
    """By how much an approximation matters, in the audit itself."""

    def test_of_rounded_weights(self, torch, slayer, tmp_path):
        module = torch.nn.Sequential(
            slayer.block.cuba.Dense(CUBA, 14, 200, weight_scale=2, pre_hook_fx=None),
            slayer.block.cuba.Dense(CUBA, 200, 8, weight_scale=1),
        )
        with torch.no_grad():
            module[0].synapse.weight += 0.007
        network = nd.load(module)
        first = network.audit.entries[0]
        assert first.element == "0.synapse.weight"
        effect = first.effect
        assert effect.inputs == "a random example of 24 steps, seed 0"
        held = compare_forward_pass(export_slayer(module))
        assert (effect.differing, effect.compared) == (held[0].differing, held[0].compared)
        assert effect.differing > 0
        assert f"{effect.differing:,} of {effect.compared:,} numbers of '0_dense'" in first.text
        nd.save(network, tmp_path / "a.net")
        assert nd.load(tmp_path / "a.net").audit == network.audit

    def test_not_measured_where_nobody_wants_it(self, torch, slayer):
        module = torch.nn.Sequential(slayer.block.cuba.Dense(CUBA, 14, 10, pre_hook_fx=None))
        assert nd.load(module, measure=False).audit.entries[0].effect is None

    def test_of_sums_that_wrap(self, torch, slayer):
        """Weights and messages of one sign: the sum leaves 24 bits, SLAYER's goes on."""
        room, params = slayer.block.sigma_delta, parameters(torch, "sigma_delta")
        module = torch.nn.Sequential(
            room.Conv(params, 8, 3, 3, weight_scale=1), room.Conv(params, 3, 2, 1, weight_scale=1)
        )
        with torch.no_grad():
            module[0].synapse.weight.fill_(1.5)
        example = np.full((1, 6, 8, 5, 5), 0.75, np.float32)
        export = export_slayer(module, example=example)
        held = compare_forward_pass(export)
        assert held[0].wrapped == held[0].compared
        network = with_measured_audit(export, held, "a test")
        first, second = network.audit.rated(Rating.APPROXIMATE)
        assert first.element == "0_conv"
        assert (
            f"{held[0].wrapped:,} of {held[0].compared:,} sums of convolutions left" in first.reason
        )
        assert first.effect.differing == held[0].differing > 0
        assert second.element == "1_conv"
        assert second.reason.startswith("what feeds it differs")
        assert second.effect.relative_error == second.effect.output_relative_error > 0
