"""Every synapse that SLAYER's blocks have, against their CPU forward pass, spike for spike.

A block runs once, exports itself, and the file's network runs in the engine.
What no block can export is taken from the block's weights instead.
"""

from __future__ import annotations

import h5py
import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.network import (
    Average,
    Complex,
    ComplexConv,
    ConvTranspose,
    CubaLIF,
    Dense,
    Network,
    Pool,
    Population,
    Projection,
    Source,
)
from neurodeploy.network.synapses import winners_drive, winners_loop
from sim_tests.slayer_oracle import import_slayer, neuron_of, quiet

CUBA = {"threshold": 1.0, "current_decay": 0.25, "voltage_decay": 0.08}
RESONATOR = {"threshold": 0.3, "period": 7, "decay": 0.1}
SIGMA_DELTA = {"threshold": 0.1, "activation": None}
IMAGE = (2, 6, 8)

CONV_T = {
    "plain": {},
    "groups": {"groups": 2},
    "dilation": {"dilation": (2, 1)},
    "padding": {"padding": (1, 2)},
    "stride": {"stride": (2, 3)},
    "kernel": {"kernel_size": (2, 3)},
    "all": {"stride": (3, 2), "padding": (2, 1), "dilation": (1, 2), "kernel_size": (3, 2)},
    "delay": {"delay": True},
}

POOL = {
    "plain": {},
    "kernel": {"kernel_size": (3, 2)},
    "odd image": {"image": (3, 7, 5)},
    "odd image, 4": {"image": (3, 6, 11), "kernel_size": 4},
    "overlapping": {"kernel_size": 3, "stride": 2, "image": (2, 9, 9)},
    "overlapping, padded": {"kernel_size": 3, "stride": 2, "padding": 1, "image": (2, 6, 9)},
    "stride 1": {"kernel_size": 3, "stride": 1, "padding": 1, "image": (3, 6, 6)},
    "gaps": {"kernel_size": 2, "stride": (3, 3), "image": (2, 6, 6)},
    "dilation": {"kernel_size": 2, "stride": 2, "dilation": (2, 3), "padding": (1, 0)},
    "one channel": {"kernel_size": 3, "padding": (2, 1), "image": (1, 9, 6)},
    "delay": {"delay": True},
}

UNPOOL = {
    "plain": {},
    "kernel": {"kernel_size": (3, 2)},
    "padding": {"kernel_size": (2, 3), "padding": (0, 1)},
    "overlapping": {"kernel_size": 4, "stride": 2, "padding": (1, 2)},
    "gaps": {"kernel_size": 2, "stride": 3, "padding": 0, "image": (1, 4, 3)},
    "dilation": {"kernel_size": 2, "stride": 2, "dilation": (1, 2)},
    "delay": {"delay": True},
}


@pytest.fixture(scope="module")
def slayer():
    slayer, torch = import_slayer()
    torch.manual_seed(1)
    torch.set_num_threads(1)
    return slayer, torch


def spikes_of(shape, *, rate=0.15, steps=40, seed=1):
    return (np.random.default_rng(seed).random((2, steps, *shape)) < rate).astype(np.int32)


def run_block(slayer, block, values, unit=1.0):
    """What a block sends, [samples, steps, ...], on its very first run."""
    torch = slayer[1]
    delay = getattr(block, "delay", None)
    if delay is not None:
        synapse = getattr(block, "synapse", None) or block.input_synapse
        channels = getattr(synapse, "out_channels", values.shape[2])
        channels = values.shape[2] if "ool" in type(block).__name__ else channels
        delay.delay.data = torch.from_numpy(np.linspace(0, 7.9, channels).astype(np.float32))
        delay.init = True
    x = torch.from_numpy(np.moveaxis(values, 1, -1).astype(np.float32) * np.float32(unit))
    with torch.no_grad(), quiet():
        return np.moveaxis(block(x).numpy(), -1, 1)


def load_block(block, path, input_shape):
    with quiet(), h5py.File(path, "w") as file:
        block.export_hdf5(file.create_group("layer/0"))
    return nd.load(path, input_shape=input_shape)


def assert_exact(slayer, block, path, values):
    expected = run_block(slayer, block, values)
    network = load_block(block, path, values.shape[2:])
    found = nd.run(network, values).output
    assert expected.sum() > 100, "SLAYER's block spikes"
    assert expected.mean() < 0.9
    np.testing.assert_array_equal(found, expected.reshape(found.shape))
    return network


def conv_t(slayer, family, params, *, kernel_size=3, **options):
    block = getattr(slayer[0].block, family)
    return block.ConvT(params, 2, 4, kernel_size, weight_scale=1.5, **options)


@pytest.mark.parametrize("case", CONV_T)
def test_transposed_convolution(slayer, tmp_path, case):
    block = conv_t(slayer, "cuba", CUBA, **CONV_T[case])
    network = assert_exact(slayer, block, tmp_path / "a.net", spikes_of(IMAGE))
    assert network.projections[0].synapse.kind == "conv-transpose"
    assert (network.output.axon_delay is not None) == (case == "delay")


@pytest.mark.parametrize("case", POOL)
def test_pool(slayer, tmp_path, case):
    options = {"kernel_size": 2, "image": (4, 6, 8), **POOL[case]}
    values = spikes_of(options.pop("image"), rate=0.12)
    block = slayer[0].block.cuba.Pool(CUBA, weight_scale=0.45, **options)
    network = assert_exact(slayer, block, tmp_path / "a.net", values)
    joined = case in ("overlapping", "overlapping, padded", "stride 1", "dilation")
    assert network.projections[0].synapse.across_channels == joined


@pytest.mark.parametrize("case", UNPOOL)
def test_unpool(slayer, tmp_path, case):
    options = {"kernel_size": 2, "image": IMAGE, **UNPOOL[case]}
    values = spikes_of(options.pop("image"))
    block = slayer[0].block.cuba.Unpool(CUBA, weight_scale=1.1, **options)
    assert_exact(slayer, block, tmp_path / "a.net", values)


def random_block(cuba, rng, kind, channels):
    options = {
        name: tuple(int(n) for n in rng.integers(low, high, 2))
        for name, low, high in (("stride", 1, 4), ("padding", 0, 3), ("dilation", 1, 3))
    }
    kernel = tuple(int(n) for n in rng.integers(1, 4, 2))
    delay = bool(rng.random() < 0.5)
    if kind in ("Pool", "Unpool"):
        scale = float(rng.uniform(0.2, 1.2))
        return getattr(cuba, kind)(CUBA, kernel, weight_scale=scale, delay=delay, **options)
    groups = int(rng.choice([g for g in (1, 2, 4) if channels % g == 0]))
    out = groups * int(rng.integers(1, 4))
    return getattr(cuba, kind)(
        CUBA, channels, out, kernel, groups=groups, weight_scale=3, delay=delay, **options
    )


@pytest.mark.parametrize("kind", ["Conv", "ConvT", "Pool", "Unpool"])
def test_random_kernels(slayer, tmp_path, kind):
    """Those that SLAYER's own forward pass refuses (shapes that do not divide) are left out."""
    spikes = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        image = int(rng.choice([1, 2, 4])), *(int(n) for n in rng.integers(3, 10, 2))
        slayer[1].manual_seed(seed)
        block = random_block(slayer[0].block.cuba, rng, kind, image[0])
        values = spikes_of(image, rate=0.2, steps=25, seed=seed)
        try:
            expected = run_block(slayer, block, values)
        except RuntimeError:
            continue
        network = load_block(block, tmp_path / f"{seed}.net", image)
        found = nd.run(network, values).output
        np.testing.assert_array_equal(found, expected.reshape(found.shape), f"seed {seed}")
        spikes.append(int(expected.sum()))
    assert len(spikes) >= 20
    assert np.mean([count > 20 for count in spikes]) > 0.7


def test_depthwise_convolution(slayer, tmp_path):
    block = slayer[0].block.cuba.Conv(CUBA, 4, 8, 3, padding=1, groups=4, weight_scale=3)
    network = assert_exact(slayer, block, tmp_path / "a.net", spikes_of((4, 6, 5), rate=0.3))
    assert network.projections[0].synapse.weight.shape == (8, 1, 3, 3)


@pytest.mark.parametrize("case", [{}, {"stride": 2}, {"groups": 2, "padding": 1}])
def test_delayed_convolution(slayer, tmp_path, case):
    block = slayer[0].block.cuba.Conv(CUBA, 2, 4, 3, weight_scale=3, delay=True, **case)
    network = assert_exact(slayer, block, tmp_path / "a.net", spikes_of(IMAGE, rate=0.3))
    assert network.output.axon_delay.max() == 7


@pytest.mark.parametrize("delay", [False, True])
def test_recurrent_layer(slayer, tmp_path, delay):
    """SLAYER delays what a recurrent layer sends, but not its loop; netx refuses the two."""
    block = slayer[0].block.cuba.Recurrent(dict(CUBA), 14, 20, weight_scale=2, delay=delay)
    values = spikes_of((14,), rate=0.3)
    network = assert_exact(slayer, block, tmp_path / "a.net", values)
    assert [p.name for p in network.populations[1:]] == ["0_dense_rec", "0_dense_rec_axon"][
        : 1 + delay
    ]
    nd.save(network, tmp_path / "b.net")
    assert nd.load(tmp_path / "b.net") == network


def test_a_delayed_recurrent_layer_in_a_chain(slayer, tmp_path):
    cuba = slayer[0].block.cuba
    blocks = [
        cuba.Recurrent(dict(CUBA), 14, 20, weight_scale=2, delay=True),
        cuba.Dense(CUBA, 20, 12, weight_scale=3, delay=True),
    ]
    values = spikes_of((14,), rate=0.3)
    middle = run_block(slayer, blocks[0], values)
    expected = run_block(slayer, blocks[1], middle)
    with quiet(), h5py.File(tmp_path / "a.net", "w") as file:
        for index, block in enumerate(blocks):
            block.export_hdf5(file.create_group(f"layer/{index}"))
    network = nd.load(tmp_path / "a.net")
    recording = nd.run(network, values, record=("spikes",))
    assert expected.sum() > 100
    np.testing.assert_array_equal(recording["0_dense_rec_axon"].spikes, middle)
    np.testing.assert_array_equal(recording.output, expected)
    nd.save(network, tmp_path / "b.net")
    assert nd.load(tmp_path / "b.net") == network


@pytest.mark.parametrize(
    ("neurons", "winners", "threshold", "excitation"),
    [(20, 3, 1.0, 0.5), (20, 18, 1.0, 0.0), (12, 2, 3.0, 0.9), (30, 4, 70.0, 0.3), (9, 8, 50, 1)],
)
def test_k_winners_take_all(slayer, neurons, winners, threshold, excitation):
    params = {**CUBA, "threshold": threshold}
    block = slayer[0].block.cuba.KWTA(
        params, 15, neurons, winners, self_excitation=excitation, weight_scale=4 * threshold**0.5
    )
    values = spikes_of((15,), rate=0.4)
    expected = run_block(slayer, block, values)
    weight = block.synapse.pre_hook_fx(block.synapse.weight, descale=True).detach().numpy()
    neuron = neuron_of(block.neuron)
    drive = winners_drive(neurons, winners, neuron.threshold)
    network = Network(
        (
            Population("input", (15,), Source()),
            Population("clock", (1,), CubaLIF(4096, 4096, threshold=0, bias=1)),
            Population("winners", (neurons,), neuron),
        ),
        (
            Projection("input", "winners", Dense(weight.reshape(neurons, 15).astype(np.int32))),
            Projection("clock", "winners", drive),
            Projection("winners", "winners", winners_loop(neurons, excitation)),
        ),
    )
    found = nd.run(network, values).output
    assert expected.sum() > 20
    np.testing.assert_array_equal(found, expected)


def test_the_drive_of_k_winners_is_there_for_large_thresholds():
    assert winners_drive(30, 4, 64).weight[0, 0] == 0
    assert winners_drive(30, 4, 64 * 70).weight[0, 0] != 0


ADAPTATION = {"threshold_step": 0.2, "threshold_decay": 0.1, "refractory_decay": 0.2}
FAMILIES = {"rf": RESONATOR, "rf_iz": RESONATOR, "adrf": {**RESONATOR, **ADAPTATION}}


def integers(synapse):
    return (
        synapse.pre_hook_fx(synapse.weight, descale=True).detach().numpy()[..., 0].astype(np.int32)
    )


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", ["conv", "convT", "pool"])
def test_complex_kernels(slayer, family, kind):
    """SLAYER's export of these fails, its forward pass does not."""
    block, params = getattr(slayer[0].block, family), FAMILIES[family]
    if kind == "conv":
        block = block.Conv(params, 2, 4, 3, stride=2, padding=1, weight_scale=2)
        parts = [block.synapse.real, block.synapse.imag]
        synapse = ComplexConv(*map(integers, parts), stride=(2, 2), padding=(1, 1))
    elif kind == "convT":
        block = block.ConvT(params, 2, 4, 3, stride=2, padding=1, weight_scale=2)
        parts = [block.synapse.real, block.synapse.imag]
        synapse = Complex(*(ConvTranspose(integers(p), (2, 2), (1, 1)) for p in parts))
    else:
        block = block.Pool(params, 2, weight_scale=1)
        parts = [block.synapse.real, block.synapse.imag]
        synapse = Complex(*(Pool(integers(p)[0, 0], (2, 2)) for p in parts))
    values = spikes_of(IMAGE, rate=0.2, steps=60)
    expected = run_block(slayer, block, values)
    network = Network(
        (
            Population("input", IMAGE, Source()),
            Population("neurons", expected.shape[2:], neuron_of(block.neuron)),
        ),
        (Projection("input", "neurons", synapse),),
    )
    assert expected.sum() > 20
    np.testing.assert_array_equal(nd.run(network, values).output, expected)


@pytest.mark.parametrize("kind", ["convT", "pool"])
def test_adaptive_neurons_behind_kernels(slayer, kind):
    alif = slayer[0].block.alif
    params = {**CUBA, **ADAPTATION}
    if kind == "convT":
        block = alif.ConvT(params, 2, 4, 3, stride=2, weight_scale=2)
        weight = integers(block.synapse)
        synapse = ConvTranspose(weight, (2, 2))
    else:
        block = alif.Pool(params, 2, weight_scale=1)
        synapse = Pool(integers(block.synapse)[0, 0], (2, 2))
    values = spikes_of(IMAGE, rate=0.3)
    expected = run_block(slayer, block, values)
    network = Network(
        (
            Population("input", IMAGE, Source()),
            Population("neurons", expected.shape[2:], neuron_of(block.neuron)),
        ),
        (Projection("input", "neurons", synapse),),
    )
    assert expected.sum() > 100
    np.testing.assert_array_equal(nd.run(network, values).output, expected)


@pytest.mark.parametrize("kind", ["convT", "pool", "pool, odd", "unpool"])
def test_sigma_delta_kernels(slayer, tmp_path, kind):
    """SLAYER's sigma-delta blocks add no step; the chip takes one for each projection."""
    torch = slayer[1]
    sdnn = slayer[0].block.sigma_delta
    params = {**SIGMA_DELTA, "activation": torch.nn.functional.relu}
    shape = (3, 5, 7) if kind == "pool, odd" else IMAGE
    if kind == "convT":
        block = sdnn.ConvT(params, 2, 3, 3, stride=2, weight_scale=2)
    elif kind == "unpool":
        block = sdnn.Unpool(params, 2, weight_scale=1.1)
    else:
        block = sdnn.Pool(params, 2, weight_scale=0.6)
    rng = np.random.default_rng(2)
    values = rng.integers(-12, 20, (2, 30, *shape)) * (rng.random((2, 30, *shape)) < 0.3)
    payloads = (values * 64).astype(np.int32)  # 12 fractional bits; none are lost by o >> 6
    expected = run_block(slayer, block, payloads, unit=1 / 4096) * 4096
    network = load_block(block, tmp_path / "a.net", shape)
    found = nd.run(network, payloads).output
    assert np.count_nonzero(expected) > 100
    np.testing.assert_array_equal(found[:, 1:], expected[:, :-1])


def test_average_pool_in_the_middle_of_a_chain(slayer, tmp_path):
    """conv -> pool -> flatten -> dense, as image networks have it."""
    cuba = slayer[0].block.cuba
    blocks = [
        cuba.Conv(CUBA, 2, 4, 3, padding=1, weight_scale=3),
        cuba.Pool(CUBA, 2, weight_scale=0.5, delay=True),
        cuba.Unpool(CUBA, 2, weight_scale=1.1),
        cuba.ConvT(CUBA, 4, 2, 2, stride=2, weight_scale=2, delay=True),
        cuba.Flatten(),
        cuba.Dense(CUBA, 2 * 12 * 16, 10, weight_scale=0.5, delay=True),
    ]
    values = spikes_of(IMAGE, rate=0.3)
    x, expected = values, []
    for block in blocks:
        x = run_block(slayer, block, x)
        if type(block).__name__ != "Flatten":
            expected.append(x)
    with quiet(), h5py.File(tmp_path / "a.net", "w") as file:
        for index, block in enumerate(blocks):
            block.export_hdf5(file.create_group(f"layer/{index}"))
    network = nd.load(tmp_path / "a.net", input_shape=IMAGE)
    recording = nd.run(network, values, record=("spikes",))
    for population, spikes in zip(network.populations[1:], expected, strict=True):
        assert spikes.sum() > 50, population.name
        np.testing.assert_array_equal(recording[population.name].spikes, spikes)
    nd.save(network, tmp_path / "b.net")
    assert nd.load(tmp_path / "b.net") == network


def test_an_axon_is_no_population_of_the_chip(slayer, tmp_path):
    block = slayer[0].block.cuba.Recurrent(dict(CUBA), 14, 20, weight_scale=2, delay=True)
    run_block(slayer, block, spikes_of((14,)))
    network = load_block(block, tmp_path / "a.net", None)
    assert isinstance(network.output.neuron, Average)
    assert network.hops("0_dense_rec_axon") == network.hops("0_dense_rec") == 1
