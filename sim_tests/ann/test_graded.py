"""The graded form: the engine's integers are those of a torch forward pass, number by number."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.ann import read
from neurodeploy.ann.calibration import forward
from neurodeploy.ann.units import units_of

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:Using padding=.same.:UserWarning")  # torch's own

from .oracle import one_pass  # noqa: E402
from .random_networks import NAMES, ready  # noqa: E402


def converted(name, signed=False, **how):
    module, inputs = ready(name)
    inputs = inputs * 2 - 1 if signed else inputs
    return module, inputs, nd.convert_ann(module, inputs, measure=False, **how)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("splits", [False, True])
def test_units_compute_what_torch_does(name, splits):
    module, inputs = ready(name)
    units = units_of(read(module), tuple(inputs.shape[1:]), False, splits)
    *_, (_, _, found) = forward(units, inputs.double().numpy())
    with torch.no_grad():
        wanted = module.double()(inputs.double())
    if isinstance(list(module.children())[-1], torch.nn.Softmax):
        found = np.exp(found) / np.exp(found).sum(1, keepdims=True)
    assert np.allclose(found.reshape(wanted.shape), wanted.numpy(), atol=2e-5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("bits", "activation_bits", "signed"), [(8, 8, False), (4, 6, True)])
def test_engine_equals_torch_in_the_same_integers(name, bits, activation_bits, signed):
    _, inputs, net = converted(name, signed, bits=bits, activation_bits=activation_bits)
    payloads = net.input.transform(inputs.double().numpy().reshape(-1, *net.input.shape))
    wanted = one_pass(net, payloads)
    rec = nd.run(
        net, inputs.numpy().reshape(-1, 1, *net.input.shape), drain=True, record=("spikes", "v")
    )
    for population in net:
        record = rec[population.name]
        sent = record.v if population.neuron.is_readout else record.spikes
        found = sent[:, net.hops(population.name)]
        assert np.array_equal(found, wanted[population.name]), population.name


@pytest.mark.parametrize("name", NAMES)
def test_images_may_follow_each_other_step_by_step(name):
    _, inputs, net = converted(name)
    net_inputs = inputs.numpy().reshape(-1, *net.input.shape)
    wanted = one_pass(net, net.input.transform(net_inputs.astype(np.float64)))
    rec = nd.run(net, net_inputs, drain=True, record=("spikes", "v"))
    record = rec[net.output.name]
    sent = record.v if net.output.neuron.is_readout else record.spikes
    assert np.array_equal(sent[0, net.hops(net.output.name) :], wanted[net.output.name])


@pytest.mark.parametrize("name", NAMES)
def test_all_paths_to_a_population_take_as_many_steps(name):
    _, _, net = converted(name)
    for projection in net.projections:
        late = net.hops(projection.target) - net.hops(projection.source)
        assert late == projection.synapse.steps, projection.name


def test_eight_bits_keep_the_output_of_floats():
    for name in ("dense", "length", "residual", "transposed"):
        module, inputs, net = converted(name)
        net = nd.convert_ann(module, inputs)
        (effect,) = {e.effect.output_relative_error for e in net.audit if e.effect}
        assert effect < 0.06, (name, effect)


def test_a_max_pool_of_a_binary_map_is_an_or():
    _, inputs, net = converted("maps")
    pools = [p for p in net if p.name.startswith("max_pool2d")]
    assert [p.neuron.kind for p in pools] == ["threshold"]
    payloads = net.input.transform(inputs.double().numpy())
    sent = one_pass(net, payloads)
    before = net.into(pools[0].name)[0].source
    windows = torch.nn.functional.max_pool2d(torch.as_tensor(sent[before]).double(), 2)
    assert np.array_equal(sent[pools[0].name], windows.numpy())


def test_batch_norm_and_dropout_cost_no_population():
    _, _, net = converted("dense")
    assert [p.name for p in net] == [
        "input", "0", "4", "4.below", "7", "7.above", "9",
    ]  # fmt: skip


def test_nothing_leaves_24_bits_on_the_calibration_inputs():
    for name in NAMES:
        _, inputs, net = converted(name)
        rec = nd.run(net, inputs.numpy().reshape(-1, 1, *net.input.shape), drain=True)
        assert not any(sum((rec[p.name].overflows() or {}).values()) for p in net), name


def test_it_goes_through_fit_and_profile_and_a_file(tmp_path):
    _, inputs, net = converted("residual")
    nd.save(net, tmp_path / "a.net")
    assert nd.load(tmp_path / "a.net") == net
    assert nd.fit(net, chip="loihi2").cores_used >= 1
    rec = nd.run(net, inputs.numpy()[None], drain=True)
    assert nd.profile(rec, chip="loihi2").synops > 0


def test_lava_sends_the_same_binary_maps(lava):
    from neurodeploy.training.binary import BinaryActivation

    nn = torch.nn
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3), BinaryActivation(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 2),
        BinaryActivation(-1, 1), nn.Flatten(), nn.Linear(16, 4),
    )  # fmt: skip
    inputs = (torch.rand(8, 1, 8, 8) > 0.5).float().numpy()
    net = nd.convert_ann(module, inputs, activation_bits=1)
    deployed = nd.deploy(net, target="lava", inputs=inputs[:3, None])
    assert deployed.runs
    assert nd.verify(deployed.network, inputs[None, :3], backend="lava", drain=True).equal


def test_a_surrogate_trains_through_a_binary_map():
    from neurodeploy.training.binary import BinaryActivation

    x = torch.tensor([-1.0, 0.0, 0.5], requires_grad=True)
    BinaryActivation(-1, 1, slope=4.0)(x).sum().backward()
    assert torch.allclose(x.grad, 2 / (1 + 4 * x.detach().abs()) ** 2)
    assert BinaryActivation(inclusive=True)(torch.zeros(2)).tolist() == [1.0, 1.0]


def test_each_channel_of_a_binary_map_uses_all_bits():
    from neurodeploy.training.binary import BinaryActivation

    conv = torch.nn.Conv2d(1, 3, 3)
    with torch.no_grad():  # a batch norm's gains may be as far apart
        conv.weight *= torch.tensor([1.0, 0.01, 1e-4]).reshape(3, 1, 1, 1)
        conv.bias *= torch.tensor([1.0, 0.01, 1e-4])
    module = torch.nn.Sequential(conv, BinaryActivation(), torch.nn.Flatten())
    inputs = torch.rand(40, 1, 8, 8)
    net = nd.convert_ann(module, inputs, measure=False)
    weight = net.projections[0].synapse.weight
    assert np.abs(weight).reshape(3, -1).max(axis=1).tolist() == [127, 127, 127]
    rec = nd.run(net, inputs.numpy()[None], drain=True, record=("spikes",))
    with torch.no_grad():
        wanted = (conv(inputs) > 0).numpy()
    sent = rec[net.output.name].spikes[0, 1:].reshape(wanted.shape)
    assert (sent != wanted).mean() < 0.01
