"""The weights in the file are the checkpoint's, however the module computes them."""

from __future__ import annotations

import hashlib
import importlib.util
import time

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import NetworkError, UnsupportedError
from neurodeploy.exporting.export import export
from neurodeploy.exporting.forward_pass import compare_forward_pass
from neurodeploy.formats.slayer import export_slayer
from neurodeploy.network import Rating
from sim_tests.slayer_oracle import import_slayer

pytestmark = pytest.mark.filterwarnings("ignore:torch.nn.utils.weight_norm is deprecated")

CUBA = {"threshold": 1.0, "current_decay": 0.3, "voltage_decay": 0.05}


@pytest.fixture
def slayer():
    return import_slayer()[0]


@pytest.fixture
def torch():
    return import_slayer()[1]


def quantized(weight):
    """SLAYER's 8 bits (`neuron/base.py`, `quantize_8bit`), in integers."""
    return np.clip(np.rint(np.asarray(weight, np.float64) * 32) * 2, -256, 254).astype(np.int32)


def normed(state, key):
    """``weight_g * weight_v / norm`` over all axes but the first."""
    g, v = (state[f"{key}.weight_{part}"].double().numpy() for part in "gv")
    norm = np.sqrt((v**2).sum(axis=tuple(range(1, v.ndim)), keepdims=True))
    return (g * v / norm).reshape(v.shape[:2])


def recurrent(torch, slayer, family="cuba", **options):
    room = getattr(slayer.block, family)
    params = dict(CUBA)
    if family == "alif":
        params |= {"threshold_step": 0.1, "threshold_decay": 0.1, "refractory_decay": 0.1}
    return torch.nn.Sequential(
        room.Dense(params, 16, 12, weight_scale=2, **options),
        room.Recurrent(params, 12, 12, weight_scale=2, **options),
    )


def loop_of(network):
    (loop,) = (p for p in network.projections if p.source == p.target)
    return loop.synapse.weight


def assert_equal(export, least=5):
    for population in compare_forward_pass(export):
        assert population.equal, population.line()
        assert population.sent >= least, population.line()


def renewed(torch, module, seed=7):
    """New parameters under computed weights, as loading a checkpoint brings them."""
    with torch.no_grad():
        module(torch.zeros(1, 16, 3))
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in module.named_parameters():
        if "synapse" in name:
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.8
    return module


class TestCheckpoint:
    @pytest.fixture
    def given(self, faults, monkeypatch):
        """The case's module by name, and its checkpoint."""
        import_slayer()
        monkeypatch.syspath_prepend(str(faults / "slayer"))
        monkeypatch.setattr("sys.dont_write_bytecode", True)
        return "weightnorm_recurrent:make", faults / "slayer" / "weightnorm_recurrent.pt"

    def test_a_weight_normed_loop_has_the_checkpoint_s_weights(self, torch, given, tmp_path):
        factory, checkpoint = given
        done = export(factory, tmp_path / "a.net", weights=checkpoint)
        assert done.equal
        state = torch.load(checkpoint, weights_only=True)
        right = quantized(normed(state, "1.recurrent_synapse"))
        np.testing.assert_array_equal(loop_of(done.network), right)
        forward = done.network.into("1_dense_rec")[0].synapse.weight
        np.testing.assert_array_equal(forward, quantized(normed(state, "1.input_synapse")))

    def test_the_same_export_gives_the_same_bytes(self, torch, given, tmp_path):
        factory, checkpoint = given
        hashes = set()
        for seed in (1, 2):
            torch.manual_seed(seed)  # the factory draws other weights, the checkpoint is the same
            export(factory, tmp_path / f"{seed}.net", weights=checkpoint)
            hashes.add(hashlib.sha256((tmp_path / f"{seed}.net").read_bytes()).hexdigest())
            time.sleep(1.1)  # HDF5's times of creation count seconds
        assert len(hashes) == 1


def by_weight_norm(torch, synapse):
    synapse.enable_weight_norm()
    return lambda: torch._weight_norm(synapse.weight_v, synapse.weight_g, 0)


def by_new_weight_norm(torch, synapse):
    torch.nn.utils.parametrizations.weight_norm(synapse)
    held = synapse.parametrizations.weight
    return lambda: torch._weight_norm(held.original1, held.original0, 0)


def by_spectral_norm(torch, synapse):
    torch.nn.utils.spectral_norm(synapse)

    def right():
        matrix = synapse.weight_orig.reshape(len(synapse.weight_orig), -1)
        return synapse.weight_orig / (synapse.weight_u @ (matrix @ synapse.weight_v))

    return right


def by_new_spectral_norm(torch, synapse):
    torch.nn.utils.parametrizations.spectral_norm(synapse)
    held = synapse.parametrizations.weight

    def right():
        matrix = held.original.reshape(len(held.original), -1)
        return held.original / (held[0]._u @ (matrix @ held[0]._v))

    return right


def by_own_parametrization(torch, synapse):
    class Signs(torch.nn.Module):
        def forward(self, weight):
            return torch.sign(weight)

    torch.nn.utils.parametrize.register_parametrization(synapse, "weight", Signs())
    return lambda: torch.sign(synapse.parametrizations.weight.original)


def by_module_as_hook(torch, synapse):
    class Halves(torch.nn.Module):
        def forward(self, weight, descale=False):
            return (weight * 2).round() / 2

    synapse._pre_hook_fx = Halves()  # torch lets no property take a module
    return lambda: (synapse.weight * 2).round() / 2


def by_pruning(torch, synapse):
    torch.nn.utils.prune.random_unstructured(synapse, "weight", 0.5)
    return lambda: synapse.weight_orig * synapse.weight_mask


def by_pruning_twice(torch, synapse):
    torch.nn.utils.prune.random_unstructured(synapse, "weight", 0.3)
    return by_pruning(torch, synapse)


WAYS = [
    by_weight_norm, by_new_weight_norm, by_spectral_norm, by_new_spectral_norm, by_pruning,
    by_pruning_twice, by_own_parametrization, by_module_as_hook,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("family", ["cuba", "alif"])
def test_computed_weights_are_those_of_the_parameters(torch, slayer, way, family):
    import torch.nn.utils.parametrize
    import torch.nn.utils.prune

    module = recurrent(torch, slayer, family)
    rights = [way(torch, s) for s in (module[1].input_synapse, module[1].recurrent_synapse)]
    renewed(torch, module)
    module.train()  # a spectral norm would take a step at every reading
    export = export_slayer(module)
    assert_equal(export, least=1)
    with torch.no_grad():
        forward, loop = (quantized(right().reshape(12, 12)) for right in rights)
    np.testing.assert_array_equal(loop_of(export.network), loop)
    np.testing.assert_array_equal(export.network.into("1_dense_rec")[0].synapse.weight, forward)
    assert export_slayer(module).network == export.network


def test_both_parts_of_complex_synapses(torch, slayer):
    params = {"threshold": 1.0, "period": 8, "decay": 0.1}
    module = torch.nn.Sequential(
        slayer.block.rf.Dense(params, 16, 12, weight_scale=2, weight_norm=True)
    )
    renewed(torch, module)
    export = export_slayer(module)
    synapse = export.network.projections[0].synapse
    for name, weight in (("real", synapse.real), ("imag", synapse.imag)):
        right = quantized(normed(module.state_dict(), f"0.synapse.{name}"))
        np.testing.assert_array_equal(weight, right)


def test_a_module_keeps_the_weight_that_it_had_computed(torch, slayer):
    module = renewed(torch, recurrent(torch, slayer, weight_norm=True))
    before = module[1].recurrent_synapse.weight
    export_slayer(module)
    assert module[1].recurrent_synapse.weight is before


def test_a_mask_is_said(torch, slayer):
    mask = (torch.arange(12 * 16).reshape(12, 16) % 3 == 0).float()
    module = torch.nn.Sequential(slayer.block.cuba.Dense(CUBA, 16, 12, weight_scale=4, mask=mask))
    weight = module[0].synapse.weight.detach().clone()
    export = export_slayer(module)
    assert_equal(export)
    right = quantized(weight.reshape(12, 16) * mask)
    np.testing.assert_array_equal(export.network.projections[0].synapse.weight, right)
    said = {entry.element: entry.reason for entry in export.network.audit}
    assert "a forward pass changes 128 of its 192 numbers" in said["0.synapse.weight"]


def test_weights_that_every_pass_changes_are_refused(torch, slayer):
    class Shrinking(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.block = slayer.block.cuba.Dense(CUBA, 16, 12, weight_scale=4)

        def forward(self, x):
            self.block.synapse.weight.data *= 0.9
            return self.block(x)

    with pytest.raises(NetworkError, match=r"block.synapse.weight: every forward pass changes 192"):
        nd.load(Shrinking())


def test_a_hook_that_slayer_never_runs_is_refused(torch, slayer):
    module = recurrent(torch, slayer)
    synapse = module[1].recurrent_synapse
    synapse.register_parameter("own", torch.nn.Parameter(synapse.weight.detach().clone()))
    del synapse.weight
    synapse.weight = torch.sign(synapse.own)

    def binarise(held, args):
        held.weight = torch.sign(held.own)

    synapse.register_forward_pre_hook(binarise)
    with pytest.raises(UnsupportedError, match=r"1.recurrent_synapse.weight: computed by the hook"):
        nd.load(module)


def test_a_hook_that_computes_a_weight_is_followed(torch, slayer):
    module = recurrent(torch, slayer)
    synapse = module[1].input_synapse
    synapse.register_parameter("own", torch.nn.Parameter(synapse.weight.detach().clone()))
    del synapse.weight

    def binarise(held, args):
        held.weight = torch.sign(held.own)

    synapse.register_forward_pre_hook(binarise)
    export = export_slayer(module)
    assert_equal(export, least=1)
    right = 64 * np.sign(synapse.own.detach().numpy()).reshape(12, 12)
    np.testing.assert_array_equal(export.network.into("1_dense_rec")[0].synapse.weight, right)


class TestForwardsOfTheirOwn:
    """What a user's synapse computes with is taken; what is more than weights is refused."""

    def model(self, faults, name):
        (folder,) = (faults / "bugs").glob(f"{name}_*")
        spec = importlib.util.spec_from_file_location(f"case_{name}", folder / "model.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def test_fake_quantized_weights_are_those_that_reach_conv3d(self, torch, faults):
        import_slayer()
        module = self.model(faults, "07").make()
        export = export_slayer(module)
        assert_equal(export)
        assert export.network.audit.worst is Rating.FAITHFUL
        weight = module[0].synapse.weight.detach()
        step = float(weight.abs().max() / 3)
        right = quantized(torch.fake_quantize_per_tensor_affine(weight, step, 0, -4, 3))
        found = export.network.into("0_dense")[0].synapse.weight
        np.testing.assert_array_equal(found, right.reshape(40, 30))

    def test_a_hook_that_changes_what_a_block_sends_is_named(self, faults):
        import_slayer()
        with pytest.raises(UnsupportedError, match=r"^0: its forward hook .*hooked.* changes what"):
            nd.load(self.model(faults, "07").hooked())

    def test_a_bias_of_a_synapse_is_a_constant_current(self, faults):
        import_slayer()
        export = export_slayer(self.model(faults, "08").make())
        assert_equal(export)
        assert export.network.audit.worst is Rating.FAITHFUL
        (clock,) = (p for p in export.network.projections if p.source == "clock0")
        np.testing.assert_array_equal(clock.synapse.weight, np.full((40, 1), 16))

    @pytest.mark.parametrize(
        ("part", "hook"),
        [
            ("synapse", lambda m, a, out: out * 0.5),
            ("neuron", lambda m, a, out: 1 - out),
            ("neuron", lambda m, a, out: out.mul_(2)),
        ],
    )
    def test_hooks_within_a_block_are_named(self, torch, slayer, part, hook):
        module = torch.nn.Sequential(slayer.block.cuba.Dense(CUBA, 16, 12, weight_scale=3))
        getattr(module[0], part).register_forward_hook(hook)
        with pytest.raises(UnsupportedError, match=rf"^0.{part}: its forward hook"):
            nd.load(module)

    @pytest.mark.parametrize("part", ["synapse", "neuron"])
    def test_pre_hooks_within_a_block_are_named(self, torch, slayer, part):
        module = torch.nn.Sequential(slayer.block.cuba.Dense(CUBA, 16, 12, weight_scale=3))
        getattr(module[0], part).register_forward_pre_hook(lambda m, args: (args[0] * 0.5,))
        with pytest.raises(UnsupportedError, match=rf"^0.{part}: its forward pre-hook"):
            nd.load(module)

    def test_hooks_that_only_look_change_nothing(self, torch, slayer):
        module = torch.nn.Sequential(slayer.block.cuba.Dense(CUBA, 16, 12, weight_scale=3))
        right, seen = nd.load(module), []
        for part in (module[0], module[0].synapse, module[0].neuron):
            part.register_forward_hook(lambda m, a, out: seen.append(out.sum()))
            part.register_forward_pre_hook(lambda m, a: seen.append(len(a)))
        assert nd.load(module) == right
        assert seen

    @pytest.mark.parametrize("method", ["forward", "dynamics", "spike"])
    def test_a_neuron_that_computes_otherwise_is_named(self, torch, slayer, method):
        def zeros(self, x):
            nothing = torch.zeros_like(x)
            return (nothing, nothing) if method == "dynamics" else nothing

        own = type("Own", (slayer.neuron.cuba.Neuron,), {method: zeros})
        module = torch.nn.Sequential(slayer.block.cuba.Dense(CUBA, 16, 12))
        module[0].neuron = own(**CUBA)
        with pytest.raises(UnsupportedError, match=r"^0.neuron: its .*test_slayer_weights"):
            nd.load(module)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda out: out.relu(), "does more than multiply by weights"),
            (lambda out: out + 0.5, "does more than multiply by weights"),
        ],
    )
    def test_a_synapse_that_does_more_is_named(self, torch, slayer, change, words):
        kind = slayer.synapse.Dense
        own = type("Own", (kind,), {"forward": lambda self, x: change(kind.forward(self, x))})
        module = torch.nn.Sequential(slayer.block.cuba.Dense(CUBA, 16, 12))
        module[0].synapse = own(16, 12, 2, pre_hook_fx=module[0].neuron.quantize_8bit)
        with pytest.raises(UnsupportedError, match=rf"^0.synapse: its forward .* {words}"):
            nd.load(module)

    def test_a_synapse_that_draws_its_weights_is_named(self, torch, slayer):
        kind = slayer.synapse.Dense

        def forward(self, x):
            self._pre_hook_fx = torch.nn.functional.dropout  # in evaluation mode, too
            return kind.forward(self, x)

        module = torch.nn.Sequential(slayer.block.cuba.Dense(CUBA, 16, 12))
        module[0].synapse = type("Own", (kind,), {"forward": forward})(16, 12, 2)
        with pytest.raises(UnsupportedError, match=r"^0.synapse: .*are drawn anew"):
            nd.load(module)


@pytest.mark.parametrize("family", ["cuba", "alif", "rf", "sigma_delta"])
@pytest.mark.parametrize("bias", [0.25, 0.01])
def test_biases_of_every_family(torch, slayer, family, bias):
    params = dict(CUBA)
    if family == "alif":
        params |= {"threshold_step": 0.1, "threshold_decay": 0.1, "refractory_decay": 0.1}
    if family == "rf":
        params = {"threshold": 1.0, "period": 8, "decay": 0.1}
    if family == "sigma_delta":
        params = {"threshold": 0.1, "activation": torch.nn.functional.relu}
    room = getattr(slayer.block, family)
    module = torch.nn.Sequential(
        room.Dense(params, 16, 12, weight_scale=2), room.Dense(params, 12, 8, weight_scale=2)
    )
    for block, sign in zip(module, (1, -1), strict=True):
        size = block.synapse.out_channels
        synapse = getattr(block.synapse, "imag", block.synapse)
        synapse.bias = torch.nn.Parameter(sign * torch.linspace(0, 1, size).round() * bias)
    export = export_slayer(module)
    if bias == 0.25:
        assert_equal(export, least=1)
        assert export.network.audit.worst is Rating.FAITHFUL
    else:
        notes = export.network.audit.rated(Rating.APPROXIMATE)
        assert all("rounded to 1/" in entry.reason for entry in notes)
        assert [entry.element.split(".")[0] for entry in notes] == ["0", "1"]


def test_biases_of_convolutions_and_of_blocks_with_a_loop(torch, slayer):
    cuba = slayer.block.cuba
    module = torch.nn.Sequential(
        cuba.Conv(CUBA, 2, 4, 3, padding=1, weight_scale=2),
        cuba.Flatten(),
        cuba.Recurrent(CUBA, 4 * 4 * 6, 10, weight_scale=1),
    )
    module[0].synapse.bias = torch.nn.Parameter(torch.tensor([0.5, -0.25, 0, 0.125]))
    module[2].bias = torch.nn.Parameter(torch.linspace(-1, 1, 10).mul(64).round().div(64)[:, None])
    assert_equal(export_slayer(module, shape=(2, 4, 6)))


class TestInPlace:
    """Operations in place between blocks are seen, as others are."""

    def wired(self, torch, slayer, change):
        class Wired(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.a = slayer.block.cuba.Dense(CUBA, 16, 12, weight_scale=3)
                self.b = slayer.block.cuba.Dense(CUBA, 12, 8, weight_scale=3)

            def forward(self, x):
                return self.b(change(self.a(x)))

        return Wired()

    @pytest.mark.parametrize(
        ("change", "name"),
        [
            (lambda a: a.mul_(2), "mul_"),
            (lambda a: a.__iadd__(1), "add_"),
            (lambda a: a.clamp_(0, 0.5), "clamp_"),
            (lambda a: (a[:, :3].zero_(), a)[1], "an operation in place"),
            (lambda a: (a.__setitem__((slice(None), 0), 1), a)[1], "__setitem__"),
        ],
    )
    def test_they_are_named(self, torch, slayer, change, name):
        with pytest.raises(UnsupportedError, match=rf"b: torch's '{name}"):
            nd.load(self.wired(torch, slayer, change))

    def test_zeros_written_over_messages_are_followed(self, torch, slayer):
        def blot(a):
            a[:, 2:5] = 0
            return a

        export = export_slayer(self.wired(torch, slayer, blot))
        last = export.network.into("1_dense")[0].synapse.weight
        assert not last[:, 2:5].any()
        assert last.any()
        held = compare_forward_pass(export)[-1]
        assert held.equal, held.line()


class TestThresholdAtScale:
    def module(self, torch, slayer, scale):
        """Weights of 1/32 that add up to exactly the threshold, without leaks."""
        params = {"threshold": 1.0, "current_decay": 1.0, "voltage_decay": 0.0, "scale": scale}
        module = torch.nn.Sequential(slayer.block.cuba.Dense(params, 4, 4))
        weight = torch.eye(4).reshape(4, 4, 1, 1, 1) / 32
        module[0].synapse.weight = torch.nn.Parameter(weight)
        return module

    def test_the_reason_is_the_threshold(self, torch, slayer):
        ones = np.ones((1, 40, 4), np.float32)
        network = nd.load(self.module(torch, slayer, 4096), example=ones)
        (entry,) = network.audit.rated(Rating.APPROXIMATE)
        assert entry.element == "0.neuron.threshold"
        assert "SLAYER spikes where v equals the threshold" in entry.reason
        assert entry.effect.differing > 0

    def test_scale_64_is_exact(self, torch, slayer):
        ones = np.ones((1, 70, 4), np.float32)
        export = export_slayer(self.module(torch, slayer, 64), example=ones)
        assert_equal(export)
        assert export.network.audit.worst is Rating.FAITHFUL
