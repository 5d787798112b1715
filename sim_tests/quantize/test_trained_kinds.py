"""What fine-tuning trains, kind by kind: its forward pass is the engine's, states included."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import NetworkError, UnsupportedError
from neurodeploy.network import (
    Conv,
    DelayedDense,
    Dense,
    FloatLIF,
    Network,
    OneToOne,
    Pool,
    Population,
    Projection,
    Source,
    Sparse,
    Unpool,
)

torch = pytest.importorskip("torch", reason="needs torch: neurodeploy doctor --add lava-dl")
F = np.float32
SOFT = {"reset": "subtract"}
LATE_SOFT = {"reset": "subtract", "reset_time": "after"}
LATE = {"reset_time": "after"}
STEPS = 30


def lif(**more):
    return FloatLIF(**{"current_keep": 0.6, "voltage_keep": 0.9, "threshold": 1.0, **more})


def normal(*shape, scale=0.5, seed=0):
    return (np.random.default_rng(seed).normal(size=shape) * scale).astype(F)


def dense(targets, sources, seed=0, scale=0.5):
    return Dense(normal(targets, sources, seed=seed, scale=scale))


def network(populations, projections):
    return Network(tuple(populations), tuple(Projection(*p) for p in projections))


def image():
    """Convolution with stride, padding, dilation and groups, pool with odd edges, dense."""
    return network(
        [
            Population("in", (2, 7, 6), Source()),
            Population("c", (4, 6, 5), lif()),
            Population("p", (4, 3, 3), lif(threshold=0.7, **SOFT)),
            Population("d", (5,), lif()),
        ],
        [
            ("in", "c", Conv(normal(4, 1, 2, 2, scale=0.8), groups=2)),
            ("c", "p", Pool(np.full((2, 2), 0.25, F), (2, 2), end_padding=(0, 1))),
            ("p", "d", dense(5, 36)),
        ],
    )


def strided():
    more = {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2)}
    weight = normal(3, 2, 3, 2, scale=0.8)
    conv = Conv(weight, **more)
    shape = conv.output_shape((2, 7, 6))
    return network(
        [Population("in", (2, 7, 6), Source()), Population("c", shape, lif(**LATE))],
        [("in", "c", conv)],
    )


def cycle():
    """Two populations that feed each other, one itself too, several projections into one."""
    delay = np.random.default_rng(3).integers(0, 4, (6, 8)).astype(np.int32)
    return network(
        [
            Population("in", (7,), Source()),
            Population("a", (8,), lif(**SOFT)),
            Population("b", (6,), lif(**LATE)),
            Population("o", (3,), lif(**LATE_SOFT)),
        ],
        [
            ("in", "a", dense(8, 7, 1)),
            ("a", "a", dense(8, 8, 2, 0.2)),
            ("a", "b", DelayedDense(normal(6, 8, seed=3), delay)),
            ("b", "a", dense(8, 6, 4, 0.3)),
            ("in", "b", Sparse.from_dense(normal(6, 7, seed=5) * (normal(6, 7, seed=6) > 0))),
            ("b", "o", dense(3, 6, 7)),
        ],
    )


def delayed():
    """Delays of axons, a shorter way past a population, biases of voltage and current."""
    axons = np.array([0, 3, 1, 0, 5, 2, 0, 1], np.int32)
    return network(
        [
            Population("in", (7,), Source()),
            Population("a", (8,), lif(voltage_bias=0.05), axon_delay=axons),
            Population("b", (8,), lif(current_bias=normal(8, scale=0.05))),
            Population("o", (4,), FloatLIF(voltage_keep=0.95, sends="voltage", reset="none")),
        ],
        [
            ("in", "a", DelayedDense(normal(8, 7), np.full((8, 7), 2, np.int32))),
            ("a", "b", OneToOne(1.2)),
            ("b", "b", dense(8, 8, 1, 0.2)),
            ("a", "o", dense(4, 8, 2)),
            ("b", "o", dense(4, 8, 3)),
        ],
    )


KINDS = {"image": image, "strided": strided, "cycle": cycle, "delayed": delayed}


def inputs_for(net, samples=4, seed=1):
    random = np.random.default_rng(seed).random((samples, STEPS, *net.input.shape))
    return (random < 0.35).astype(np.uint8)


def held(net, config, inputs):
    """(model, rounded network, what each sends in both on the float clock)."""
    from neurodeploy.quantization.calibration import Calibration
    from neurodeploy.quantization.quantize_network import choose_scales, round_with
    from neurodeploy.quantization.scale_choice import Site
    from neurodeploy.training.integer_network import IntegerNetwork

    reference = Calibration.of(net, inputs)
    names = [p.name for p in net.populations[1:]]
    sites = {n: Site(net, net[n], config, reference) for n in names}
    choices = choose_scales(net, sites, config, reference)
    model = IntegerNetwork(net, sites, choices)
    given = torch.from_numpy(inputs.reshape(*inputs.shape[:2], -1).astype(np.float64))
    with torch.no_grad():
        ours = model(given)
    fixed = round_with(net, sites, choices, config, reference)
    longest = max(fixed.hops(n) for n in names)
    run = nd.run(fixed, inputs, steps=STEPS + longest, record=("spikes", "v"))
    found = {}
    for name in names:
        hops, readout = fixed.hops(name), net[name].neuron.sends == "voltage"
        kept = run[name].v if readout else run[name].spikes
        unit = 64 * choices[name].factor if readout else 1
        engine = kept[:, hops : hops + STEPS].reshape(len(inputs), STEPS, -1) / unit
        found[name] = (ours[name].numpy(), engine)
    return model, fixed, found


@pytest.mark.parametrize("bits", [8, 3, "ternary"])
@pytest.mark.parametrize("kind", KINDS)
def test_forward_pass_of_every_kind_is_the_engine(kind, bits):
    net = KINDS[kind]()
    config = nd.QuantConfig(bits, method="mse", split=0.1)
    model, _, found = held(net, config, inputs_for(net))
    for name, (ours, engine) in found.items():
        assert np.count_nonzero(engine) > 20, name
        np.testing.assert_array_equal(ours, engine, err_msg=name)
    assert all(layer.whole for layer in model.layers)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_trains_and_gives_the_trained_integers_back(kind):
    from neurodeploy.quantization.quantize_network import choice_of
    from neurodeploy.quantization.scale_choice import Site
    from neurodeploy.training import fine_tune

    net = KINDS[kind]()
    inputs, labels = inputs_for(net, samples=8), np.arange(8) % 3
    config = nd.QuantConfig(3, method="mse", split=0.0)
    told = []
    tuned = fine_tune(
        net, config, inputs, labels, epochs=3, learning_rate=0.03, batch=2,
        progress=lambda *now: told.append(now),
    )  # fmt: skip
    assert [now[:2] for now in told] == [(1, 3), (2, 3), (3, 3)]
    assert tuple(now[2] for now in told) == tuned.losses
    plain = nd.quantize(net, config, inputs)
    assert tuned.network != plain
    again = fine_tune(net, config, inputs, labels, epochs=3, learning_rate=0.03, batch=2)
    assert again.network == tuned.network  # the same seed gives the same bits
    # Rounded with the scales that were chosen, the float network that is given back is the
    # integers; float32 may decide one or two ties otherwise.
    for name in (p.name for p in net.populations[1:]):
        grids, choice = Site(net, net[name], config).grids, choice_of(tuned.network, name)
        trained = Site(tuned.floats, net[name], config)
        trained.grids = grids
        for index, step in enumerate(choice.steps):
            wanted = trained.feeds[index][0].name
            projection = next(p for p in tuned.network.projections if p.name == wanted)
            whole = trained.rounded(index, choice.factor, step) << step
            assert np.count_nonzero(whole != projection.synapse.weight) <= 2


def test_gains_of_neurons_are_taken_out_again():
    from neurodeploy.training import fine_tune

    net = network(
        [
            Population("in", (7,), Source()),
            Population("a", (8,), lif(current_gain=3.0, voltage_gain=normal(8) ** 2 + 0.5)),
        ],
        [("in", "a", dense(8, 7))],
    )
    inputs = inputs_for(net)
    tuned = fine_tune(net, nd.QuantConfig(8, method="mse"), inputs, epochs=0)
    before, after = (n.projections[0].synapse.weight for n in (net, tuned.floats))
    np.testing.assert_allclose(after, before, rtol=1e-6)


def test_labels_train_a_readout_without_spikes():
    from neurodeploy.training import fine_tune

    net = delayed()
    inputs = inputs_for(net, samples=24)
    labels = inputs[:, :, :4].sum(axis=1).argmax(axis=1)
    config = nd.QuantConfig(3, method="mse")
    tuned = fine_tune(net, config, inputs, labels, epochs=6, learning_rate=0.05)
    assert tuned.losses[-1] < tuned.losses[0]


def test_progressive_tuning_freezes_the_integers_of_one_population_after_another():
    from neurodeploy.training import fine_tune

    net = cycle()
    inputs, told, labels = inputs_for(net, samples=8), [], np.arange(8) % 3
    tuned = fine_tune(
        net, nd.QuantConfig(3, method="mse", split=0.0), inputs, labels, epochs=2,
        learning_rate=0.05, batch=4, progressive=True,
        progress=lambda *now: told.append(now[:2]),
    )  # fmt: skip
    assert told == [(n, 6) for n in range(1, 7)]
    assert [stage.population for stage in tuned.stages] == ["a", "b", "o"]
    start = nd.quantize(net, nd.QuantConfig(3, method="mse", split=0.0), inputs)
    moved = 0
    for stage in tuned.stages:
        into, before = tuned.network.into(stage.population), start.into(stage.population)
        for weight, projection, other in zip(stage.weights, into, before, strict=True):
            np.testing.assert_array_equal(weight, projection.synapse.weight)
            moved += (weight != other.synapse.weight).sum()
    assert moved > 10
    assert tuned.losses == sum((stage.losses for stage in tuned.stages), ())


@pytest.mark.parametrize("progressive", [False, True])
def test_fan_in_and_memory_hold_after_training(progressive):
    from neurodeploy.training import Limits, fine_tune

    def weight_memory(network, config):
        return sum(
            int(np.count_nonzero(p.synapse.weight)) * config.bits_of(p.target)
            for p in network.projections
        )

    net = cycle()
    config = nd.QuantConfig(4, method="mse", population_bits=(("o", 8),))
    memory = weight_memory(net, config) // 2
    tuned = fine_tune(
        net, config, inputs_for(net, samples=8), epochs=2, learning_rate=0.1,
        progressive=progressive, limits=Limits(fan_in=9, memory_bits=memory),
    )  # fmt: skip
    for fixed in (tuned.network, tuned.floats):
        assert weight_memory(tuned.floats, config) <= memory
        for name in ("a", "b", "o"):
            whole = 0
            for p in fixed.into(name):
                matrix = p.synapse.to_dense() if p.synapse.kind == "sparse" else p.synapse.weight
                whole = whole + (matrix != 0).sum(axis=1)
            assert 0 < whole.max() <= 9
    removed = {p.population: p for p in tuned.pruned}
    assert {"a", "b"} <= set(removed)
    before = sum(int(np.count_nonzero(p.synapse.weight)) for p in net.into("a"))
    after = sum(int(np.count_nonzero(p.synapse.weight)) for p in tuned.floats.into("a"))
    assert removed["a"].synapses == before
    assert removed["a"].synapses - removed["a"].removed == after
    assert 0 < removed["a"].largest < 2


def test_fan_in_of_kernels_counts_channels_and_pools_cannot_be_pruned():
    from neurodeploy.training import Limits, fine_tune

    net = image()
    config, inputs = nd.QuantConfig(4, method="mse"), inputs_for(net)
    tuned = fine_tune(net, config, inputs, epochs=1, limits=Limits(fan_in=4))
    conv, pool, matrix = (p.synapse.weight for p in tuned.network.projections)
    assert (conv != 0).reshape(4, -1).sum(axis=1).max() <= 4
    assert (pool != 0).all()
    assert (matrix != 0).sum(axis=1).max() <= 4
    fewer = fine_tune(strided(), config, inputs, epochs=1, limits=Limits(fan_in=3))
    assert (fewer.network.projections[0].synapse.weight != 0).reshape(3, -1).sum(axis=1).max() <= 3
    with pytest.raises(NetworkError, match=r"'p': 4 synapses of pools .* fan_in is 3: raise"):
        fine_tune(net, config, inputs, epochs=0, limits=Limits(fan_in=3))
    with pytest.raises(NetworkError, match="fan_in: 0; give at least 1"):
        Limits(fan_in=0)


def test_what_is_not_trained_is_named():
    from neurodeploy.training.operators import feeds_of

    source = Population("in", (2, 3, 3), Source())
    unpool = Projection("in", "n", Unpool(np.ones((2, 2), F), (2, 2)))
    with pytest.raises(UnsupportedError, match="in->n: unpool synapses are not trained here"):
        feeds_of(unpool, source, 0)
    from neurodeploy.network import GeneralCubaLIF
    from neurodeploy.training.cells import Cells

    graded = GeneralCubaLIF(4096, 100, 64, graded_spike=True)
    with pytest.raises(UnsupportedError, match="'n': cuba-lif-general neurons with these choices"):
        Cells(graded, 3, "n")


def test_weights_of_a_torch_module_come_into_the_network():
    from neurodeploy.errors import InputError
    from neurodeploy.training import from_torch

    class Plain(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(1, 4, 2, groups=1)
            self.fc = torch.nn.Linear(36, 5)

    torch.manual_seed(0)
    module, net = Plain(), image()
    one = replace(net.projections[0], synapse=Conv(normal(4, 1, 2, 2), groups=2))
    net = replace(net, projections=(one, *net.projections[1:]))
    found = from_torch(net, module, {"in->c": "conv.weight", "p->d": "fc.weight"})
    conv, pool, matrix = (p.synapse for p in found.projections)
    np.testing.assert_array_equal(conv.weight, module.conv.weight.detach().numpy())
    np.testing.assert_array_equal(matrix.weight, module.fc.weight.detach().numpy())
    assert conv.groups == 2
    assert pool is net.projections[1].synapse
    for names, problem in (
        ({"in->d": "fc.weight"}, "names: 0 projections 'in->d'"),
        ({"p->d": "fc.bias"}, r"p->d: parameter 'fc.bias' has shape \(5,\), needs \(5, 36\)"),
        ({"p->d": "fc2.weight"}, r"p->d: the module has no parameter 'fc2.weight'"),
    ):
        with pytest.raises(InputError, match=problem):
            from_torch(net, module, names)
