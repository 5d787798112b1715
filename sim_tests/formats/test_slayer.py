"""Modules of SLAYER blocks as networks: every number that a block sends, against the engine's."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import InputError, NetworkError, UnsupportedError
from neurodeploy.exporting.forward_pass import compare_forward_pass
from neurodeploy.formats.slayer import export_slayer
from neurodeploy.inputs import present
from neurodeploy.network import Rating
from sim_tests.conftest import ROOT
from sim_tests.slayer_oracle import import_slayer

CUBA = {"threshold": 1.0, "current_decay": 0.25, "voltage_decay": 0.08}
ADAPTS = {"threshold_step": 0.2, "threshold_decay": 0.1, "refractory_decay": 0.2}
TURNS = {"threshold": 0.3, "period": 7, "decay": 0.1}
PARAMETERS = {
    "cuba": CUBA,
    "alif": {**CUBA, **ADAPTS},
    "rf": TURNS,
    "rf_iz": TURNS,
    "adrf": {**TURNS, **ADAPTS},
    "sigma_delta": {"threshold": 0.1},
}
IMAGE = (2, 6, 8)

BLOCKS = (
    "Dense", "Conv", "ConvT", "Pool", "Unpool", "Recurrent", "KWTA", "Affine", "Input", "Flatten",
    "Average", "TimeDecimation", "Output",
)  # fmt: skip

CANNOT = {
    **{(family, "Affine"): "no such block" for family in ("alif", "rf", "rf_iz", "adrf")},
    **{
        (family, block): "fails in SLAYER"
        for family in ("rf", "rf_iz", "adrf")
        for block in ("Recurrent", "KWTA", "Input")
    },
    **{(family, "Output"): "no such block" for family in ("cuba", "alif", "rf", "rf_iz", "adrf")},
    **{
        ("sigma_delta", block): "no such block"
        for block in ("Recurrent", "KWTA", "Affine", "TimeDecimation")
    },
}
"""What SLAYER has not or cannot run itself, by family and block; lava-dl 0.6.0."""


pytestmark = pytest.mark.filterwarnings("ignore:torch.nn.utils.weight_norm is deprecated")


@pytest.fixture(scope="module")
def torch():
    _, torch = import_slayer()
    torch.manual_seed(3)
    torch.set_num_threads(1)
    return torch


@pytest.fixture(autouse=True)
def _seeded(torch):
    torch.manual_seed(3)


@pytest.fixture(scope="module")
def slayer(torch):
    return import_slayer()[0]


def parameters(torch, family, **more):
    found = {**PARAMETERS[family], **more}
    if family == "sigma_delta":
        found.setdefault("activation", torch.nn.functional.relu)
    return found


def module_of(torch, slayer, family, block, **more):
    """A module with one block of a kind, and what else it takes to run it; its input's shape."""
    room, params = getattr(slayer.block, family), parameters(torch, family, **more)
    plain = {k: v for k, v in params.items() if k != "norm"}
    dense = room.Dense(dict(params), 24, 8, weight_scale=3)
    make = {
        "Dense": lambda: ([room.Dense(params, 14, 10, weight_scale=2)], (14,)),
        "Conv": lambda: ([room.Conv(params, 2, 4, 3, stride=2, padding=1, weight_scale=2)], IMAGE),
        "ConvT": lambda: ([room.ConvT(params, 2, 4, 3, stride=2, weight_scale=2)], IMAGE),
        "Pool": lambda: ([room.Pool(plain, 2, weight_scale=1)], IMAGE),
        "Unpool": lambda: ([room.Unpool(plain, 2, weight_scale=1.1)], IMAGE),
        "Recurrent": lambda: ([room.Recurrent(params, 14, 10, weight_scale=2, delay=True)], (14,)),
        "KWTA": lambda: ([room.KWTA(params, 14, 10, 3, weight_scale=3)], (14,)),
        "Affine": lambda: ([room.Affine(params, 14, 10)], (14,)),
        "Input": lambda: ([room.Input(plain, weight=1.5, bias=0.25), dense], (24,)),
        "Flatten": lambda: ([room.Flatten(), dense], (2, 3, 4)),
        "Average": lambda: ([dense, room.Average(2)], (24,)),
        "TimeDecimation": lambda: ([dense, room.TimeDecimation(4)], (24,)),
        "Output": lambda: ([room.Output(params, 14, 10)], (14,)),
    }
    if block == "Input" and family == "sigma_delta":
        return torch.nn.Sequential(room.Input(plain), dense), (24,)
    blocks, shape = make[block]()
    return torch.nn.Sequential(*blocks), shape


def assert_agree(export, least=10):
    found = compare_forward_pass(export)
    assert found, "nothing compared"
    for population in found:
        assert population.equal, population.line()
    assert min(p.sent for p in found) >= least, [p.line() for p in found]
    return found


def support_table():
    """The table in docs/export.md."""
    rows = ["| block | " + " | ".join(PARAMETERS) + " |", "|---" * (len(PARAMETERS) + 1) + "|"]
    for block in BLOCKS:
        cells = (CANNOT.get((family, block), "exact") for family in PARAMETERS)
        rows.append(f"| {block} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def test_the_documented_table_is_what_these_tests_run():
    text = (ROOT / "docs" / "export.md").read_text()
    assert support_table() in text


def slayer_refuses(torch, slayer, family, block):
    try:
        module, shape = module_of(torch, slayer, family, block)
        module(torch.ones(1, *shape, 4))
    except (AttributeError, RuntimeError, TypeError, ValueError):
        return True
    return False


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("family", PARAMETERS)
def test_every_block_of_every_family(torch, slayer, family, block):
    if (family, block) in CANNOT:
        assert slayer_refuses(torch, slayer, family, block), "SLAYER runs it, so we should, too"
        return
    module, shape = module_of(torch, slayer, family, block)
    export = export_slayer(module, shape=shape)
    assert_agree(export, least=3)
    assert export.network.audit.worst is Rating.FAITHFUL


@pytest.mark.parametrize("exponent", [-2, 0, 2])
@pytest.mark.parametrize("norm", ["MeanOnlyBatchNorm", "WgtScaleBatchNorm"])
@pytest.mark.parametrize("family", ["cuba", "alif", "rf", "rf_iz", "adrf", "sigma_delta"])
def test_norms(torch, slayer, family, norm, exponent):
    room, kind = getattr(slayer.block, family), getattr(slayer.neuron.norm, norm)
    params = parameters(torch, family, norm=kind)
    module = torch.nn.Sequential(
        room.Dense(params, 14, 12, weight_scale=3), room.Dense(params, 12, 10, weight_scale=3)
    )
    for part in module.modules():
        if isinstance(part, kind):
            first = any(part is other for other in module[0].modules())
            part.running_mean = torch.linspace(-0.2, 0.25, 12 if first else 10)
            if norm == "WgtScaleBatchNorm":
                part.running_var = torch.tensor([0.9 * 4.0**exponent])
    assert_agree(export_slayer(module), least=2)


class TestWiring:
    def test_a_chain_of_kernels(self, torch, slayer):
        cuba = slayer.block.cuba
        module = torch.nn.Sequential(
            cuba.Conv(CUBA, 2, 4, 3, padding=1, weight_scale=3, delay=True),
            cuba.Pool(CUBA, 2, weight_scale=0.6),
            cuba.ConvT(CUBA, 4, 2, 2, stride=2, weight_scale=3),
            cuba.Flatten(),
            cuba.Dense(CUBA, 96, 10, weight_scale=1, delay=True),
            cuba.Average(5),
        )
        export = export_slayer(module, shape=IMAGE)
        assert_agree(export)
        assert [p.name for p in export.network.populations] == [
            "input", "0_conv", "1_pool", "2_convT", "4_dense", "5_average",
        ]  # fmt: skip

    def test_skips_sums_and_reordered_channels(self, torch, slayer):
        cuba = slayer.block.cuba

        class Skip(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.a = cuba.Dense(CUBA, 12, 16, weight_scale=2)
                self.b = cuba.Dense(CUBA, 16, 16, weight_scale=3)
                self.c = cuba.Dense(CUBA, 28, 8, weight_scale=2)
                self.d = cuba.Dense(CUBA, 8, 8, weight_scale=3)

            def forward(self, x):
                a = self.a(x)
                c = self.c(torch.cat([self.b(a) + a, x], 1))
                return self.d(c.flip(1)[:, 0:8])

        # a sum of two feeds one synapse: the same weights twice
        export = export_slayer(Skip())
        assert_agree(export)
        assert len(export.network.into("2_dense")) == 3

    def test_sigma_delta_branches_meet_on_the_chip_as_in_slayer(self, torch, slayer):
        """Branches of one and of three blocks: SLAYER has them meet in one step."""
        sdnn = slayer.block.sigma_delta
        params = parameters(torch, "sigma_delta", norm=slayer.neuron.norm.MeanOnlyBatchNorm)
        plain = parameters(torch, "sigma_delta")

        class Branch(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.i = sdnn.Input(plain)
                self.a = sdnn.Conv(params, 2, 4, 3, padding=1, weight_scale=2, weight_norm=True)
                self.b = sdnn.Conv(params, 4, 4, 3, padding=1, weight_scale=2, groups=2)
                self.c = sdnn.Conv(plain, 4, 4, 1, weight_scale=2)
                self.d = sdnn.Conv(params, 8, 6, 3, weight_scale=2, groups=2)
                self.o = sdnn.Output(plain, 6 * 4 * 6, 5, weight_scale=0.5)
                for block in (self.a, self.b, self.d):
                    mean = torch.linspace(-0.2, 0.2, block.synapse.out_channels)
                    block.neuron.norm.running_mean = mean

            def forward(self, x):
                a = self.a(self.i((x - 0.5) / 0.25))
                d = self.d(torch.cat([self.c(self.b(a)), a], dim=1))
                rate = slayer.utils.event_rate(d)
                return self.o(d.reshape(d.shape[0], -1, d.shape[-1])), rate

        export = export_slayer(Branch(), shape=IMAGE)
        found = assert_agree(export)
        assert [a.lag for a in found] == [0, 1, 2, 3, 4, 5]
        assert export.network["1_conv_late2"].axon_delay.tolist() == [2] * 4 * 48
        assert [p.starts for p in export.network.populations] == [0, 1, 0, 2, 0, 4, 0]

    def test_a_loop_wired_by_hand(self, torch, slayer):
        cuba = slayer.block.cuba

        class Loop(torch.nn.Module):
            def __init__(self):
                super().__init__()
                kept = {**CUBA, "persistent_state": True}
                self.a = cuba.Dense(CUBA, 12, 16, weight_scale=2)
                self.h = cuba.Dense(kept, 26, 10, weight_scale=2, delay_shift=False)
                self.o = cuba.Dense(CUBA, 10, 5, weight_scale=4)

            def forward(self, x):
                a, out = self.a(x), []
                h = torch.zeros(x.shape[0], 10, 1)
                for t in range(x.shape[-1]):
                    h = self.h(torch.cat([a[..., t : t + 1], h], dim=1))
                    out.append(h)
                return self.o(torch.cat(out, -1))

        export = export_slayer(Loop())
        assert_agree(export)
        loops = [p.name for p in export.network.projections if p.source == p.target]
        assert loops == ["1_dense->1_dense"]

    def test_bare_synapses_and_dendrites(self, torch, slayer):
        sdnn, relu = slayer.block.sigma_delta, torch.nn.functional.relu
        module = torch.nn.Sequential(
            sdnn.Conv({"threshold": 0.1, "activation": relu}, 2, 4, 3, weight_scale=2),
            slayer.synapse.Conv(4, 5, 1, pre_hook_fx=slayer.utils.quantize_hook_fx),
            slayer.dendrite.Sigma(),
        )
        export = export_slayer(module, shape=IMAGE)
        assert_agree(export)
        assert export.network.output.neuron.kind == "sigma"

    def test_an_operation_that_no_chip_has_is_named(self, torch, slayer):
        cuba = slayer.block.cuba
        module = torch.nn.Sequential(
            cuba.Dense(CUBA, 12, 16), torch.nn.Sigmoid(), cuba.Dense(CUBA, 16, 8)
        )
        with pytest.raises(UnsupportedError, match=r"2: torch's 'sigmoid' stands between"):
            nd.load(module)

    def test_a_module_is_left_as_it_was(self, torch, slayer):
        module = torch.nn.Sequential(slayer.block.cuba.KWTA(dict(CUBA), 14, 10, 3, weight_scale=3))
        with torch.no_grad():  # step_delay writes into a view, which autograd forbids
            module(torch.ones(1, 14, 5))
        before = {k: v.clone() for k, v in module.state_dict().items()}
        state = module[0].neuron.current_state.clone()
        module.train()
        assert nd.load(module) == nd.load(module)
        assert module.training
        assert torch.equal(state, module[0].neuron.current_state)
        assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())


class TestInputs:
    @pytest.mark.parametrize("family", ["cuba", "sigma_delta"])
    def test_values_are_presented_as_an_input_block_takes_them(self, torch, slayer, family):
        """SLAYER rounds values to even multiples of 1/64 and clips them before its weight."""
        module, _ = module_of(torch, slayer, family, "Input")
        values = np.random.default_rng(4).normal(0, 2, (2, 12, 24)).astype(np.float32)
        values[0, 0, :4] = [9, -9, 1 / 64, 3 / 64]
        export = export_slayer(module, example=values)
        np.testing.assert_array_equal(present(export.network, values)[:], export.inputs)
        assert export.inputs.min() < -100 < 100 < export.inputs.max()

    def test_two_preparations_of_the_input_are_refused(self, torch, slayer):
        dense = slayer.block.cuba.Dense

        class Two(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b = dense(CUBA, 6, 5), dense(CUBA, 6, 5)

            def forward(self, x):
                return self.a(x) + self.b(1 - x)

        with pytest.raises(UnsupportedError, match="b: takes the module's input in another prep"):
            nd.load(Two())


class TestLearntNumbers:
    def test_thresholds_biases_and_activations_of_sigma_delta(self, torch, slayer):
        sdnn = slayer.block.sigma_delta
        params = {"threshold": 0.1, "activation": lambda x: x, "requires_grad": True}
        module = torch.nn.Sequential(sdnn.Dense(params, 14, 10, weight_scale=3))
        module(torch.zeros(1, 14, 2))
        neuron = module[0].neuron
        neuron.delta.threshold.data = torch.tensor([0.1234])
        neuron.set_bias(torch.linspace(-64, 64, 10).round() / 4096)
        export = export_slayer(module)
        assert_agree(export)
        ours = export.network.output.neuron
        assert not ours.rectify
        assert ours.threshold / 2**ours.fraction_bits / 64 == pytest.approx(0.1234, abs=2**-18)
        assert export.network.audit.worst is Rating.FAITHFUL

    def test_per_channel_thresholds(self, torch, slayer):
        params = parameters(torch, "sigma_delta", shared_param=False)
        module = torch.nn.Sequential(slayer.block.sigma_delta.Conv(params, 2, 4, 3, weight_scale=2))
        module(torch.zeros(1, *IMAGE, 2))
        module[0].neuron.delta.threshold.data = torch.tensor([[[0.1]], [[0.2]], [[0.3]], [[0.7]]])
        export = export_slayer(module, shape=IMAGE)
        assert_agree(export)

    @pytest.mark.parametrize("family", ["cuba", "alif", "rf", "rf_iz", "adrf"])
    def test_decays_of_each_channel_graded_spikes_and_delays(self, torch, slayer, family):
        params = parameters(torch, family, shared_param=False, graded_spike=True)
        room = getattr(slayer.block, family)
        module = torch.nn.Sequential(
            room.Dense(params, 14, 10, weight_scale=2, delay=True),
            room.Dense(params, 10, 8, weight_scale=0.5),
        )
        assert_agree(export_slayer(module), least=1)

    def test_weights_that_nothing_quantizes_are_said(self, torch, slayer):
        module = torch.nn.Sequential(
            slayer.block.cuba.Dense(CUBA, 14, 10, weight_scale=2, pre_hook_fx=None)
        )
        entries = nd.load(module).audit.rated(Rating.APPROXIMATE)
        assert [entry.element for entry in entries] == ["0.synapse.weight"]
        assert "rounded, by at most" in entries[0].reason


class TestBadInput:
    def dense(self, slayer, **options):
        return slayer.block.cuba.Dense(CUBA, 4, 3, **options)

    def test_weights_beyond_every_exponent(self, torch, slayer):
        block = self.dense(slayer, pre_hook_fx=lambda w, descale=False: w)
        block.synapse.weight.data[0, 0] = 1e6
        with pytest.raises(NetworkError, match="hold at most 32640"):
            nd.load(torch.nn.Sequential(block))

    def test_nan(self, torch, slayer):
        block = self.dense(slayer)
        block.synapse.weight.data[0, 0] = float("nan")
        with pytest.raises(NetworkError, match="1 of 12 weights are NaN"):
            nd.load(torch.nn.Sequential(block))

    def test_a_layer_of_zeros(self, torch, slayer):
        block = self.dense(slayer)
        block.synapse.weight.data.zero_()
        network = nd.load(torch.nn.Sequential(block))
        assert not network.projections[0].synapse.weight.any()
        assert any("log2 of 0" in entry.reason for entry in network.audit)

    def test_no_slayer_block(self, torch, slayer):
        with pytest.raises(UnsupportedError, match="Linear: has no SLAYER block"):
            nd.load(torch.nn.Linear(3, 4))

    def test_an_example_of_the_wrong_shape(self, torch, slayer):
        with pytest.raises(InputError, match="SLAYER's forward pass fails on an example"):
            nd.load(torch.nn.Sequential(self.dense(slayer)), example=np.zeros((1, 5, 9)))

    def test_no_shape_told(self, torch, slayer):
        module = torch.nn.Sequential(slayer.block.cuba.Conv(CUBA, 2, 4, 3))
        with pytest.raises(InputError, match="give an example, or the shape"):
            nd.load(module)

    def test_what_slayer_cannot_run_is_said_in_its_words(self, torch, slayer):
        params = parameters(torch, "adrf")
        module = torch.nn.Sequential(slayer.block.adrf_iz.Dense(params, 4, 3))
        with pytest.raises(InputError, match="refractory"):
            nd.load(module)
