"""NetX's kernels, complex weights and delays: read, written and refused."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import NetworkError, UnsupportedError
from neurodeploy.network import (
    ComplexConv,
    ComplexDense,
    Conv,
    ConvTranspose,
    CubaLIF,
    DelayedDense,
    Dense,
    Network,
    OneToOne,
    Pool,
    Population,
    Projection,
    ResonateFire,
    Source,
    Unpool,
)
from sim_tests.formats.test_netx import ratings, write_dense
from sim_tests.random_synapses import weights

RNG = np.random.default_rng(4)
IMAGE = (2, 6, 8)
NINE = np.full((3, 3), 20, np.int32)


def network_of(synapse, source=IMAGE, target=None, delay=None):
    target = synapse.output_shape(source) if target is None else target
    complex_ = synapse.ports == 2
    neuron = ResonateFire(1000, 3000, 50) if complex_ else CubaLIF(1000, 300, 80)
    if delay is not None:
        delay = np.repeat(delay, int(np.prod(target)) // len(delay)).astype(np.int32)
    return Network(
        (Population("input", source, Source()), Population("1_layer", target, neuron, delay)),
        (Projection("input", "1_layer", synapse),),
    )


def image_weights(*shape):
    return weights(RNG, *shape)


KEPT = {
    "convT": network_of(ConvTranspose(image_weights(2, 3, 3, 2), (2, 1), (1, 0), (1, 2))),
    "convT, groups": network_of(ConvTranspose(image_weights(2, 3, 3, 3), groups=2)),
    "convT, delay": network_of(ConvTranspose(image_weights(2, 3, 2, 2)), delay=[1, 0, 7]),
    "pool": network_of(Pool.averages((2, 2)), delay=[3, 4]),
    "pool, cut": network_of(Pool(np.full((4, 3), 20, np.int32), (4, 3), end_padding=(2, 2))),
    "pool, joined": network_of(
        Pool(
            np.full((3, 3), 20, np.int32), (2, 2), (1, 1), end_padding=(0, 2), across_channels=True
        )
    ),
    "unpool": network_of(Unpool(np.full((2, 3), 70, np.int32), (2, 3))),
    "depthwise": network_of(Conv(image_weights(4, 1, 3, 3), groups=2)),
    "delays of synapses": network_of(
        DelayedDense(image_weights(5, 7), RNG.integers(0, 60, (5, 7)).astype(np.int32)), (7,), (5,)
    ),
    "delays of inputs": network_of(
        DelayedDense.from_axons(image_weights(5, 7), np.arange(7, dtype=np.int32)), (7,), (5,)
    ),
}


@pytest.mark.parametrize("case", KEPT)
def test_what_is_written_is_read_again(tmp_path, case):
    network = KEPT[case]
    nd.save(network, tmp_path / "a.net")
    again = nd.load(tmp_path / "a.net")
    assert again == network
    assert again.audit.worst == "faithful"


COMPLEX = {
    "dense": network_of(ComplexDense(image_weights(5, 7), image_weights(5, 7)), (7,), (5,)),
    "dense, delay": network_of(
        ComplexDense(image_weights(5, 7), image_weights(5, 7)), (7,), (5,), [1, 0, 3, 0, 2]
    ),
    "conv": network_of(ComplexConv(image_weights(4, 1, 3, 3), image_weights(4, 1, 3, 3), groups=2)),
}


@pytest.mark.parametrize("case", COMPLEX)
def test_complex_weights_are_written_and_read_again(tmp_path, case):
    nd.save(COMPLEX[case], tmp_path / "a.net")
    assert nd.load(tmp_path / "a.net") == COMPLEX[case]


EYE = Dense(np.eye(3, dtype=np.int32))
DELAY = np.array([1, 2, 3], np.int32)
REFUSED = {
    "a pool that SLAYER would join": (
        network_of(Pool(NINE, (2, 2), (1, 1))),
        "use stride = kernel without padding",
    ),
    "a pool without SLAYER's padding": (
        network_of(Pool(np.full((4, 4), 20, np.int32), (4, 4))),
        "pads by size mod kernel",
    ),
    "one-to-one": (network_of(OneToOne(), (7,), (7,)), "one-to-one synapses"),
    "two sets of delays": (
        network_of(KEPT["delays of synapses"].projections[0].synapse, (7,), (5,), [1, 0, 3, 0, 2]),
        "not both",
    ),
    "a delayed loop": (
        Network(
            (Population("input", (3,), Source()), Population("a", (3,), CubaLIF(1, 1, 9), DELAY)),
            (Projection("input", "a", EYE), Projection("a", "a", EYE)),
        ),
        "this network delays both",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_netx_cannot_hold_is_refused_by_name(tmp_path, case):
    network, message = REFUSED[case]
    with pytest.raises(UnsupportedError, match=f"^(projection|population) .*{message}"):
        nd.save(network, tmp_path / "a.net", netx_only=True)


@pytest.fixture
def simple(tmp_path):
    path = tmp_path / "simple.net"
    with h5py.File(path, "w") as file:
        write_dense(file.create_group("layer/0"), weights(RNG, 6, 4))
    return path


def test_delays_of_inputs_stay_with_this_layers_synapses(simple):
    with h5py.File(simple, "a") as file:
        file["layer/0/delay"] = np.array([0, 3, 7.9, 1], np.float32)
    network = nd.load(simple)
    synapse = network.projections[0].synapse
    np.testing.assert_array_equal(synapse.delay, np.tile([0, 3, 7, 1], (6, 1)))
    assert network["0_dense"].axon_delay is None
    assert "each input" in ratings(network, "faithful")["layer/0/delay"]


@pytest.mark.parametrize("shape", [(6,), (6, 4)])
def test_long_delays_are_clamped_unless_asked_for(simple, shape):
    delay = np.full(shape, 70, np.float32)
    delay[0] = 3
    with h5py.File(simple, "a") as file:
        file["layer/0/delay"] = delay

    def longest(network):
        axons, synapse = network["0_dense"].axon_delay, network.projections[0].synapse
        return (synapse.delay if axons is None else axons).max()

    clamped, kept = nd.load(simple), nd.load(simple, allow=["layer/0/delay"])
    assert (longest(clamped), longest(kept)) == (62, 70)
    assert "clamped" in ratings(clamped, "approximate")["layer/0/delay"]
    assert "no chip runs them" in ratings(kept, "approximate")["layer/0/delay"]


def test_kwta_is_refused_by_name(simple):
    with h5py.File(simple, "a") as file:
        file.create_group("layer/1")
    with pytest.raises(UnsupportedError, match=r"layer/1: an empty group, .*KWTA .*winners_loop"):
        nd.load(simple)


def test_a_pool_that_slayer_cannot_cut_into_channels_is_refused(tmp_path):
    nd.save(network_of(Pool.sums((2, 2), 9), (2, 6, 8)), tmp_path / "a.net", netx_only=True)
    with h5py.File(tmp_path / "a.net", "a") as file:
        file["layer/1/stride"][:] = 5, 2
    with pytest.raises(
        NetworkError, match=r"layer/1: across channels, 2 channels of 6 rows give 3"
    ):
        nd.load(tmp_path / "a.net")


def test_a_delay_for_every_complex_synapse_is_refused(tmp_path):
    nd.save(COMPLEX["dense"], tmp_path / "a.net")
    with h5py.File(tmp_path / "a.net", "a") as file:
        layer = next(group for group in file["layer"].values() if "weight" in group)
        layer["delay"] = np.ones((5, 7), np.float32)
    with pytest.raises(UnsupportedError, match="every synapse of complex weights"):
        nd.load(tmp_path / "a.net")
