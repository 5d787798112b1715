"""Quantized modules keep their integers: those of torch, torchao, brevitas, and whole floats."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.ann import run_floats
from neurodeploy.ann.weights import step_of

torch = pytest.importorskip("torch")
nn = torch.nn
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),  # torch's, of its observers
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(3)


class Staged(nn.Module):
    """A small network between the stubs that torch's eager way asks for."""

    def __init__(self, stubs=True):
        super().__init__()
        stub = torch.ao.quantization
        self.quant = stub.QuantStub() if stubs else nn.Identity()
        self.conv, self.relu1 = nn.Conv2d(2, 6, 3, padding=1), nn.ReLU()
        self.pool, self.flat = nn.AvgPool2d(2), nn.Flatten()
        self.fc, self.relu2, self.out = nn.Linear(96, 20), nn.ReLU(), nn.Linear(20, 5)
        self.dequant = stub.DeQuantStub() if stubs else nn.Identity()

    def forward(self, x):
        x = self.pool(self.relu1(self.conv(self.quant(x))))
        return self.dequant(self.out(self.relu2(self.fc(self.flat(x)))))


def symmetric(each_channel=False):
    aq = torch.ao.quantization
    scheme = torch.per_channel_symmetric if each_channel else torch.per_tensor_symmetric
    kind = aq.PerChannelMinMaxObserver if each_channel else aq.MinMaxObserver
    of_weights = kind.with_args(dtype=torch.qint8, qscheme=scheme)
    # Sums of torch's own kernels may leave 16 bits unless activations have 7.
    sent = aq.MinMaxObserver.with_args(dtype=torch.quint8, reduce_range=True)
    return aq.QConfig(sent, of_weights)


def images(count=40):
    return torch.rand(count, 2, 8, 8)


def eager(config):
    aq = torch.ao.quantization
    model = Staged().eval()
    model.qconfig = config
    torch.backends.quantized.engine = "fbgemm"
    fused = aq.fuse_modules(model, [["conv", "relu1"], ["fc", "relu2"]])
    prepared = aq.prepare(fused)
    prepared(images())
    return aq.convert(prepared)


def by_fx(config):
    from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

    torch.backends.quantized.engine = "fbgemm"
    mapping = torch.ao.quantization.QConfigMapping().set_global(config)
    prepared = prepare_fx(Staged(False).eval(), mapping, (images(),))
    prepared(images())
    return convert_fx(prepared)


def weights_into(net, name):
    projection, *_ = net.into(name)  # a second one is of what a clip takes off again
    return projection.synapse.only_array


def output_of(net, inputs):
    rec = nd.run(net, inputs.numpy()[:, None], drain=True, record="v")
    last = net.output.name
    return rec[last].v[:, net.hops(last)] / net.metadata[f"ann/scale/{last}"]


@pytest.mark.parametrize("make", [eager, by_fx])
def test_integers_of_torch_are_the_networks(make):
    module = make(symmetric())
    net = nd.convert_ann(module, images(), measure=False)
    for name in ("conv", "fc", "out"):
        whole = getattr(module, name).weight().int_repr().numpy()
        assert np.array_equal(weights_into(net, name), whole), name
    inputs = images(30)
    wanted = module(inputs).numpy()
    found = output_of(net, inputs)
    # torch rounds activations and the output to its steps, of which an integer is one.
    assert np.abs(found - wanted).max() < 4 * module.out.scale
    assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.995


def test_presented_values_are_rounded_as_torch_does():
    module = eager(symmetric())
    net = nd.convert_ann(module, images(), measure=False)
    inputs = images(20)
    wanted = module.quant(inputs).int_repr().numpy().astype(np.int64)
    assert np.array_equal(net.input.transform(inputs.double().numpy()), wanted)


def test_channels_with_steps_of_their_own_are_read_and_rounded_to_one():
    module = eager(symmetric(each_channel=True))
    net = nd.convert_ann(module, images(), measure=False)
    whole = module.out.weight()
    factor = whole.q_per_channel_scales().numpy()[:, None]
    real = whole.int_repr().numpy() * factor
    found = weights_into(net, "out").astype(float)
    step = np.abs(real).max() / 127
    assert np.abs(found * step - real).max() <= step * 0.5001
    inputs = images(30)
    assert np.corrcoef(output_of(net, inputs).ravel(), module(inputs).numpy().ravel())[0, 1] > 0.99


def test_weights_whose_zero_is_another_integer_are_refused():
    layer = torch.ao.nn.quantized.Linear(4, 3)
    weight = torch.quantize_per_tensor(torch.randn(3, 4), 0.02, 5, torch.qint8)
    layer.set_weight_bias(weight, None)
    module = nn.Sequential(nn.Sequential(layer), nn.ReLU())
    with pytest.raises(
        nd.errors.UnsupportedError, match=r"0\.0: weight has the zero point 5, limit"
    ):
        nd.convert_ann(module, torch.rand(5, 4))


def test_a_network_prepared_for_training_asks_for_convert():
    aq = torch.ao.quantization
    model = Staged().train()
    model.qconfig = aq.get_default_qat_qconfig("fbgemm")
    prepared = aq.prepare_qat(model).eval()
    with pytest.raises(nd.errors.UnsupportedError, match="convert first"):
        nd.convert_ann(prepared, images())


def test_sums_of_quantized_tensors():
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 6)

        def forward(self, x):
            x = torch.relu(self.first(x))
            return torch.relu(x + self.second(x))

    from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

    inputs = torch.rand(50, 6)
    mapping = torch.ao.quantization.QConfigMapping().set_global(symmetric())
    prepared = prepare_fx(Residual().eval(), mapping, (inputs,))
    prepared(inputs)
    module = convert_fx(prepared)
    found = run_floats(module, inputs)
    assert np.abs(found - module(inputs).numpy()).max() < 0.02


def integers_of_torchao():
    dtypes = pytest.importorskip("torchao.dtypes")
    from torchao.quantization.quant_primitives import MappingType

    def per_tensor(weight):
        shape, way = tuple(weight.shape), MappingType.SYMMETRIC
        return dtypes.to_affine_quantized_intx(weight.detach(), way, shape, torch.int8)

    return per_tensor


def test_integers_of_torchao_are_the_networks():
    per_tensor = integers_of_torchao()
    module = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 4))
    for part in (module[0], module[2]):
        part.weight = nn.Parameter(per_tensor(part.weight), requires_grad=False)
    net = nd.convert_ann(module, torch.rand(30, 12), measure=False)
    for name in ("0", "2"):
        weight = module[int(name)].weight
        inside = getattr(weight, "tensor_impl", None) or weight.layout_tensor
        assert np.array_equal(weights_into(net, name), inside.get_plain()[0].numpy()), name


def test_torchao_s_own_way_is_read():
    quantization = pytest.importorskip("torchao.quantization")
    module = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 4))
    quantization.quantize_(module, quantization.int8_weight_only())
    inputs = torch.rand(30, 12)
    found = run_floats(module, inputs)
    assert np.allclose(found, module(inputs).detach().numpy(), atol=1e-5)


def brevitas_network(bits=8, **more):
    layers = pytest.importorskip("brevitas.nn")
    module = nn.Sequential(
        layers.QuantIdentity(bit_width=8, **more.get("act", {})),
        layers.QuantConv2d(2, 4, 3, weight_bit_width=bits, **more.get("weight", {})),
        layers.QuantReLU(bit_width=4, **more.get("relu", {})),
        nn.Flatten(),
        layers.QuantLinear(144, 3, bias=True, weight_bit_width=bits, **more.get("weight", {})),
    )
    module.train()
    for _ in range(3):  # scales of activations are learned, or counted at first
        module(images())
    return module.eval()


@pytest.mark.parametrize("bits", [8, 4])
def test_integers_of_brevitas_are_the_networks(bits):
    module = brevitas_network(bits)
    net = nd.convert_ann(module, images(), bits=bits, measure=False)
    for name in ("1", "4"):
        whole = module[int(name)].quant_weight().int().numpy()
        assert np.array_equal(weights_into(net, name), whole), name
    inputs = images(30)
    with torch.no_grad():
        wanted = module(inputs).numpy()
    found = output_of(net, inputs)
    assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.995


def test_a_network_of_brevitas_with_steps_of_powers_of_two_is_exact():
    pytest.importorskip("brevitas.nn")
    from brevitas.quant import (
        Int8ActPerTensorFixedPoint,
        Int8WeightPerTensorFixedPoint,
        Uint8ActPerTensorFixedPoint,
    )

    module = brevitas_network(
        act={"act_quant": Int8ActPerTensorFixedPoint},
        weight={"weight_quant": Int8WeightPerTensorFixedPoint},
        relu={"act_quant": Uint8ActPerTensorFixedPoint},
    )
    with torch.no_grad():  # a bias of the chip is 64 integers of the sum
        sum_step = module[0].act_quant.scale() * module[1].quant_weight().scale
        module[1].bias.copy_(torch.round(module[1].bias / sum_step / 64) * sum_step * 64)
    net = nd.convert_ann(module, images(), measure=False)
    inputs = 0.98 * images(30)  # within the levels: what is presented is not clipped
    rec = nd.run(net, inputs.numpy()[:, None], drain=True, record=("spikes",))
    step = float(module[2].act_quant.scale())
    assert net.metadata["ann/scale/1"] == pytest.approx(1 / step, rel=1e-9)
    with torch.no_grad():
        entering = module[0](inputs).double() / float(module[0].act_quant.scale())
        weight = module[1].quant_weight().int().double()
        sums = torch.nn.functional.conv2d(torch.round(entering), weight)
        sums += torch.round(module[1].bias / sum_step).double()[:, None, None]
        wanted = torch.clamp(torch.floor(sums * float(sum_step) / step + 0.5), 0)
        top = 2**4 - 1
        theirs = torch.round(module[2](module[1](module[0](inputs))) / step)
    found = rec["1"].spikes[:, 1]
    assert np.array_equal(found, wanted.numpy())
    # brevitas rounds halves to even, and clips at its largest level, as the second unit does.
    apart = np.minimum(found, top) - theirs.numpy()
    half = np.abs((sums * float(sum_step) / step).numpy() % 1 - 0.5) < 1e-9
    assert not apart[~half].any()
    assert np.abs(apart).max() <= 1


def test_floats_that_are_integers_times_a_step_keep_it():
    rng = np.random.default_rng(1)
    whole = rng.integers(-7, 8, (10, 20))
    whole[0, :2] = 7, 6
    module = nn.Sequential(nn.Linear(20, 10), nn.ReLU(), nn.Linear(10, 3))
    with torch.no_grad():
        module[0].weight.copy_(torch.from_numpy(whole * 0.0371))
    net = nd.convert_ann(module, torch.rand(30, 20), bits=4, measure=False)
    assert np.array_equal(weights_into(net, "0"), whole)
    finer = nd.convert_ann(module, torch.rand(30, 20), measure=False)
    assert np.array_equal(weights_into(finer, "0"), whole * 18)


@pytest.mark.parametrize(
    ("weight", "bits", "wanted"),
    [
        ([0.5, -0.25, 0.75], 8, (0.25, 42)),
        ([-128.0, 127.0, 3.0], 8, (1.0, 1)),
        ([128.0, -127.0, 3.0], 8, (0.0, 1)),
        ([0.1, 0.1, -0.1], 8, (0.0, 1)),
        ([0.0, 0.0], 8, (0.0, 1)),
        ([0.1234, 0.7211, -0.5678], 8, (0.0, 1)),
        ([9.0, 5.0], 4, (0.0, 1)),
    ],
)
def test_step_of(weight, bits, wanted):
    assert step_of(np.array(weight, np.float32), bits) == pytest.approx(wanted)
