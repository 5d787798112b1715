"""Placing what is not trained yet: shapes, text, and the changes after which it fits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.chip import Constant, fitting, load_chip, nearest
from neurodeploy.chip.description import read_description
from neurodeploy.chip.memory import weight_bits
from neurodeploy.chip.nearest import changes_that_fit
from neurodeploy.chip.sketch import sketch_of, stand_in
from neurodeploy.demo.pilotnet import folder
from neurodeploy.errors import NetworkError
from neurodeploy.network import (
    Conv,
    CubaLIF,
    DelayedDense,
    Dense,
    Network,
    OneToOne,
    Population,
    Projection,
    Source,
    Sparse,
)

PILOTNET = """
in 3x66x200 neurons            # as netx/pilotnet_snn/benchmark.ipynb prints its layers
conv 24k3s2 3b; conv 36k3s2; conv 48k3s2; conv 64k3s2x1p1x0; conv 64k3
dense 100 3b; dense 50 4b; dense 10 4b; dense 1
"""
HEAT_MAPS = """
in 1x260x344
conv 4k3s2p1; conv 8k3s2p2d2; conv 8k3s2p2d2; dense 1000; dense 250; dense 6
"""
"""sgluege/sdnn_loihi2_compiler_test; "Partitioning could not converge"."""


def place(text, bits=8, **where):
    return nd.fit(read_description(text, bits).network(), **where)


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5, 6, 8])
def test_a_stand_in_takes_the_bits_that_it_stands_for(bits):
    assert weight_bits(np.array([stand_in(bits)])) == bits


@pytest.mark.parametrize("compiler", ["2022", "2024"])
def test_shapes_alone_are_placed_as_the_trained_network_is(netx_truth, cases, compiler):
    files = (folder() / "network.net", cases / "compiled" / "oxford.net")
    for network in map(nd.load, files):
        trained = nd.fit(network, compiler=compiler)
        assert nd.fit(sketch_of(network).network(), compiler=compiler).table() == trained.table()


def test_every_operator_is_placed_by_its_shape():
    rng = np.random.default_rng(3)

    def weights(*shape):
        return rng.integers(-100, 101, shape).astype(np.int32)

    names = ("input", "conv", "dense", "sparse", "relay")
    shapes = ((2, 9, 9), (4, 4, 4), (30,), (20,), (20,))
    populations = [Population("input", shapes[0], Source())]
    populations += [
        Population(n, s, CubaLIF(4095, 4095, np.arange(1, 1 + np.prod(s), dtype=np.int32)))
        for n, s in zip(names[1:], shapes[1:], strict=True)
    ]
    synapses = (
        Conv(weights(4, 1, 3, 3), stride=(2, 2), groups=2),
        DelayedDense(weights(30, 64), rng.integers(0, 40, (30, 64)).astype(np.int32)),
        Sparse.from_dense(weights(20, 30) * (rng.random((20, 30)) < 0.2)),
        OneToOne(weights(20)),
    )
    projections = [
        Projection(a, b, s) for a, b, s in zip(names[:-1], names[1:], synapses, strict=True)
    ]
    projections.append(Projection("dense", "dense", Dense(weights(30, 30))))
    network = Network(tuple(populations), tuple(projections))
    for chip in ("loihi1", "loihi2"):
        sketched = nd.fit(sketch_of(network).network(), chip)
        assert sketched.table() == nd.fit(network, chip).table()
    words = [
        sum(u["synapse words"] for p in nd.fit(sketch_of(network, bits).network()).partitions
            for u in p.used)
        for bits in (1, 4, 8)
    ]  # fmt: skip
    assert words == sorted(words)
    assert len(set(words)) == 3


def test_a_line_of_text_takes_the_74_cores_of_pilotnet():
    placement = place(PILOTNET, compiler="2022")
    assert placement.cores_used == 74
    assert [p.cores for p in placement.partitions] == [13, 25, 13, 3, 3, 2, 12, 1, 1, 1]


def test_text_says_all_that_a_placement_asks():
    sketch = read_description(
        "in 2x34x34; conv 16k5s2 cuba; pool 2; dense 256 30% rec; dense 10 4b delay 62 name=out; "
        "dense 4 from=3_dense,out"
    )
    shapes = list(sketch.shapes.items())
    assert shapes == [
        ("input", (2, 34, 34)), ("1_conv", (16, 15, 15)), ("2_pool", (16, 7, 7)),
        ("3_dense", (256,)), ("out", (10,)), ("5_dense", (4,)),
    ]  # fmt: skip
    network = sketch.network()
    names = [p.name for p in network.projections]
    assert "3_dense->3_dense" in names
    assert names[-2:] == ["3_dense->5_dense", "out->5_dense"]
    into, loop = network.into("3_dense")
    assert into.synapse.density == pytest.approx(0.3)
    assert (loop.synapse.density, loop.synapse.delay) == (1, 0)
    (late,) = network.into("out")
    assert (weight_bits(late.synapse.arrays()[0]), late.synapse.longest_delay) == (4, 62)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it has no layers; begin with the input"),
        ("dense 3", "layer 0 'dense 3': the first layer is the input; write in 2x34x34"),
        ("in 3; in 4", "layer 1 'in 4': no kind of layer; write"),
        ("in", "layer 0 'in': it has no size"),
        ("in 3 dark", "'dark' is no option of an input"),
        ("in 4; dense x", "layer 1 'dense x': 'x' is no size; write dense 10"),
        ("in 2x9x9; conv 4k3q2", "'4k3q2' is no size; write conv 16k5s2p1"),
        ("in 2x9x9; conv 4k0", "kernel, stride, dilation and groups are at least 1"),
        ("in 2x9x9; pool 0", "kernel and stride are at least 1"),
        ("in 2x9x9; pool k2g2", "is no size; write pool 2"),
        ("in 4; dense 3 fast", "no option 'fast' here; there are cuba"),
        ("in 4; dense 3 0%", "0% of all synapses; give more than 0"),
        ("in 4; dense 3 9b", "bits 9: weights take 1 to 8 bits"),
        ("in 4; dense 3 from=x", "no layer 'x' before it; there are input"),
        ("in 4; conv 3k3", "layer '1_conv': a convolution needs a source of shape"),
        ("in 2x3x4; conv 3k9", "layer '1_conv': shape 3 x -5 x -4: its kernel covers more"),
        ("in 2x8x8; conv 4k3g3", "3 groups do not divide 2 input and 4 output channels"),
        ("in 0", "layer 'input': shape 0: an input has at least 1 neuron"),
        ("in 4; dense 99999999999", "of more than 2147483647 neurons"),
    ],
)
def test_what_cannot_be_read_is_named_with_what_can(text, says):
    with pytest.raises(NetworkError) as raised:
        place(text)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("compiler", ["2022", "2024"])
def test_partitioning_that_could_not_converge_is_said_so_and_what_would(compiler):
    placement = place(HEAT_MAPS, compiler=compiler)
    (misfit,) = placement.misfits
    assert (misfit.population, misfit.converges) == ("4_dense", False)
    assert "needs 22,707 words of core memory on one core, limit 20,000" in str(misfit)
    assert "Partitioning could not converge" in str(misfit)
    changes = changes_that_fit(placement)
    assert [c.kind for c in changes] == ["channels", "sparsity", "split", "stride"]
    assert str(changes[0]) == (
        "population '4_dense' would fit with 7 channels of '3_conv' in place of 8"
    )
    # The changed networks, written out, fit; and one step less of each does not.
    fits = {
        "dense 1000 76.1%; dense 250": True,
        "dense 1000 76.2%; dense 250": False,
    }
    for layers, expected in fits.items():
        sparse = HEAT_MAPS.replace("dense 1000; dense 250", layers)
        assert place(sparse, compiler=compiler).fits == expected, layers
    fewer = HEAT_MAPS.replace("conv 8k3s2p2d2; dense", "conv 7k3s2p2d2; dense")
    assert place(fewer, compiler=compiler).cores_used == changes[0].cores_used
    strided = HEAT_MAPS.replace("conv 8k3s2p2d2; dense", "conv 8k3s3p2d2; dense")
    assert place(strided, compiler=compiler).cores_used == changes[-1].cores_used


@pytest.mark.parametrize(
    ("text", "chip", "kinds"),
    [
        ("in 12000; dense 4", "loihi2", {"sparsity"}),
        ("in 5120; dense 8", "loihi1", set()),  # inputs cannot be fewer, and each takes an axon
        ("in 2000x8x8; conv 20k3p1", "loihi2", {"split"}),
        ("in 8x40x40; conv 16k3p1; dense 12", "loihi2", {"channels", "split", "stride"}),
    ],
)
def test_changes_are_those_after_which_the_layer_fits(text, chip, kinds):
    placement = place(text, chip=chip)
    assert not placement.fits
    found = changes_that_fit(placement)
    assert {change.kind for change in found} == kinds
    times = [change.times for change in found]
    assert times == sorted(times)
    assert all(change.times > 1 for change in found)


def test_fewer_bits_are_found_where_they_help():
    # One channel's kernels: 1 list for each of 9 taps and 2 input channels, of 1 word each.
    whole = load_chip("loihi2")
    narrow = {**whole.constants, "synapse_word_bits": Constant(25, "1", "a test")}
    narrow["synapse_words_per_core"] = Constant(18, "1", "a test")
    small = replace(whole, constants=narrow)
    assert not place("in 2x8x8; conv 4k3", chip=small).fits  # 22 bits and 8 take 2 words
    changes = changes_that_fit(place("in 2x8x8; conv 4k3", chip=small))
    texts = {change.kind: change.text for change in changes}
    assert texts["bits"] == "weights of 3 bits in place of 8"
    assert place("in 2x8x8; conv 4k3", 3, chip=small).fits
    assert not place("in 2x8x8; conv 4k3", 4, chip=small).fits


def test_what_is_laid_out_on_boards_is_not_changed():
    placement = place("in 3x66x200; conv 24k3s2; conv 512k3", board="oheo-gulch")
    assert [m.resource for m in placement.misfits] == ["chips"]
    assert changes_that_fit(placement) == ()


def count_cuts(monkeypatch):
    cuts = []
    original = fitting._cut
    monkeypatch.setattr(fitting, "_cut", lambda *a, **k: cuts.append(1) or original(*a, **k))
    return cuts


@pytest.mark.parametrize(
    "text",
    [
        "in 2x1000x500; conv 1k3p1; dense 1000000; dense 10",  # a million neurons
        "in 2147483647; dense 2147483647; dense 2147483647",
        "in 3x4000x1000; conv 500k9s3; conv 5000k64s8; dense 1",
        "in 700; " + "dense 300 rec; " * 200 + "dense 20000; dense 10",
        "in 30000; " + "dense 300; " * 200,
    ],
    ids=["a million", "all of int32", "images", "two hundred", "two hundred more"],
)
def test_large_and_absurd_networks_take_little_work(monkeypatch, text):
    """Bounded by what is counted and not by a clock: cuts, and bytes of what is asked of lists."""
    largest = []
    original = np.full
    monkeypatch.setattr(np, "full", lambda *a, **k: largest.append(a[0]) or original(*a, **k))
    cuts = count_cuts(monkeypatch)
    placement = place(text)
    layers = len(placement.network.populations)
    assert len(cuts) <= 2 * layers
    changes_that_fit(placement)
    most = nearest.MOST_POPULATIONS * 8 * (nearest.MOST_AMOUNTS + 32) * 5
    assert len(cuts) <= 2 * layers + most
    assert all(np.prod(shape, dtype=float) <= 2**13 for shape in largest)


def test_networks_in_floats_need_bits_to_be_sketched():
    from neurodeploy.network import FloatLIF

    network = Network(
        (Population("input", (300,), Source()), Population("lif", (100,), FloatLIF(0.9, 0.0, 1.0))),
        (Projection("input", "lif", Dense(np.ones((100, 300), np.float32))),),
    )
    with pytest.raises(NetworkError, match="say at how many bits"):
        sketch_of(network)
    cores = [nd.fit(sketch_of(network, bits).network()).cores_used for bits in (1, 8)]
    assert cores == [1, 1] or cores == sorted(cores)


def test_modules_of_slayer_are_sketched_untrained():
    pytest.importorskip("lava.lib.dl.slayer")
    from lava.lib.dl import slayer
    from torch import nn

    block = slayer.block.cuba
    neuron = {"threshold": 1.25, "current_decay": 0.25, "voltage_decay": 0.03}
    module = nn.Sequential(
        block.Conv(neuron, 2, 8, 3), block.Flatten(), block.Dense(neuron, 8 * 6 * 6, 10)
    )
    network = nd.sketch(module, shape=(2, 8, 8), bits=3)
    same = nd.fit(nd.sketch("in 2x8x8; conv 8k3; dense 10", bits=3))
    cores = [(u.cores, u.used) for u in nd.fit(network).per_population]
    assert cores == [(u.cores, u.used) for u in same.per_population]


def chain_of_torch(neuron):
    """A convolutional network with neurons of some framework between its layers."""
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(2, 16, 5, 2), nn.BatchNorm2d(16), neuron(), nn.Dropout(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(16 * 7 * 7, 100), neuron(), nn.Linear(100, 10), neuron(),
    )  # fmt: skip


TEXT = "in 2x34x34; conv 16k5s2; pool 2; dense 100; dense 10"


def test_modules_of_torch_are_sketched_by_one_empty_pass():
    nn = pytest.importorskip("torch").nn
    module = chain_of_torch(nn.ReLU)
    for bits in (8, 3):
        network = nd.sketch(module, shape=(2, 34, 34), bits=bits)
        table, expected = (nd.fit(n).table() for n in (network, nd.sketch(TEXT, bits=bits)))
        assert [line.split()[1:] for line in table.splitlines()[1:-1]] == [
            line.split()[1:] for line in expected.splitlines()[1:-1]
        ]
    assert module.training
    assert not any(part._forward_hooks for part in module.modules())


def test_modules_of_snntorch_are_sketched_with_their_recurrence():
    snn = pytest.importorskip("snntorch")
    from torch import nn

    module = chain_of_torch(lambda: snn.Leaky(0.9, init_hidden=True))
    used = [u.used for u in nd.fit(nd.sketch(module, shape=(2, 34, 34))).per_population]
    assert used == [u.used for u in nd.fit(nd.sketch(TEXT)).per_population]
    looped = nn.Sequential(
        nn.Linear(700, 100), snn.RLeaky(0.9, linear_features=100, init_hidden=True)
    )
    used = [u.used for u in nd.fit(nd.sketch(looped, shape=(700,))).per_population]
    assert used == [u.used for u in nd.fit(nd.sketch("in 700; dense 100 rec")).per_population]


def test_modules_that_are_no_chain_of_known_layers_are_named():
    nn = pytest.importorskip("torch").nn

    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(6, 4), nn.Linear(6, 5)

        def forward(self, x):
            return self.a(x).sum() + self.b(x).sum()

    cases = (
        (
            nn.Sequential(nn.ConvTranspose2d(2, 3, 3)),
            (2, 8, 8),
            "layer '0': ConvTranspose2d has no",
        ),
        (nn.Linear(3, 4), None, "Linear: nothing tells the shape of its input; give shape="),
        (nn.Linear(3, 4), (5,), "Linear: cannot be run on zeros of shape"),
        (nn.Sequential(nn.Flatten()), (2, 8, 8), "no layer with weights in it"),
        (
            Branches(),
            (6,),
            "layer 'b': takes 6 values and 'a', which was called before it, gives 4",
        ),
    )
    for module, shape, says in cases:
        with pytest.raises(nd.NeurodeployError) as raised:
            nd.sketch(module, shape=shape)
        assert says in str(raised.value)
        assert "\n" not in str(raised.value)


def test_files_are_sketched_at_other_bits(tmp_path, cases):
    network = nd.load(cases / "compiled" / "oxford.net")
    file = cases / "compiled" / "oxford.net"
    assert nd.fit(nd.sketch(file)).table() == nd.fit(network).table()
    assert nd.fit(nd.sketch(file, bits=2)).cores_used < nd.fit(network).cores_used
    text = tmp_path / "net.txt"
    text.write_text("in 300 # taxels\n dense 200 rec\n", encoding="utf-8")
    assert (
        nd.fit(nd.sketch(text)).cores_used == nd.fit(nd.sketch("in 300; dense 200 rec")).cores_used
    )
    with pytest.raises(nd.NeurodeployError, match="bits 9: weights take 1 to 8"):
        nd.sketch(file, bits=9)
    with pytest.raises(nd.NeurodeployError, match=r"none\.txt: cannot be read"):
        nd.sketch(tmp_path / "none.txt")
