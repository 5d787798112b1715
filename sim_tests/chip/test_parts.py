"""Convolutions in parts, layers that no core holds, and layers that no system holds."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.chip.joined_convolutions import with_parts_as_one
from neurodeploy.errors import FormatError, NetworkError
from neurodeploy.network import Conv, CubaLIF, Network, Population, Projection, Source, Sparse
from neurodeploy.network.synapses import ConvTranspose
from neurodeploy.targets.rewrite import sums_in_parts


def convolutions(*weights, size=20, padding=1):
    """Convolutions one after another from weights [out, in, k, k]."""
    populations = [Population("input", (weights[0].shape[1], size, size), Source())]
    projections = []
    for i, weight in enumerate(weights):
        synapse = Conv(weight.astype(np.int32), padding=(padding, padding))
        shape = synapse.output_shape(populations[-1].shape)
        populations.append(Population(f"conv{i}", shape, CubaLIF(0, 0, 300)))
        projections.append(Projection(populations[-2].name, f"conv{i}", synapse))
    return Network(tuple(populations), tuple(projections))


def random_weights(*shape, seed=0):
    weight = np.random.default_rng(seed).integers(-127, 128, shape)
    weight[weight == 0] = 1
    return weight


@pytest.fixture(scope="module")
def whole():
    return convolutions(random_weights(32, 16, 3, 3), random_weights(24, 32, 3, 3, seed=1))


@pytest.mark.parametrize("parts", [2, 5, 16])
def test_a_convolution_in_parts_takes_the_cores_of_the_whole(whole, parts):
    split = sums_in_parts(whole, parts)
    assert len(split.projections) == 2 * parts
    assert nd.fit(split).as_dict() == nd.fit(whole).as_dict()


def test_parts_become_one_with_the_weights_of_the_whole(whole):
    joined = with_parts_as_one(sums_in_parts(whole, 16))
    assert joined == whole
    assert with_parts_as_one(whole) is whole


@pytest.mark.parametrize("kind", [Conv, ConvTranspose])
def test_channels_read_are_those_with_a_weight(kind):
    weight = np.zeros((6, 3, 3, 3), np.int32)
    weight[4, 1, 2, 0] = -1
    # Of a convolution in two groups output 4 is in the second, which reads channels 3, 4 and 5;
    # a transposed one has its input channels first.
    read = kind(weight, groups=2).channels_read()
    assert read.tolist() == [False, False, False, False, True, False]


def test_convolutions_that_read_the_same_channels_are_held_apart(whole):
    first = whole.projections[0]
    twice = replace(whole, projections=(first, *whole.projections))
    assert with_parts_as_one(twice) is twice
    words = [nd.fit(network)["conv0"].used[0]["synapse words"] for network in (whole, twice)]
    assert words[1] == 2 * words[0]


def test_convolutions_of_another_geometry_are_held_apart(whole):
    first, *rest = sums_in_parts(whole, 2).projections
    wider = replace(first.synapse, padding=(2, 2), dilation=(2, 2))
    other = replace(whole, projections=(replace(first, synapse=wider), *rest))
    assert len(with_parts_as_one(other).projections) == 3


def test_a_profile_on_a_placement_does_not_grow_with_the_parts(whole):
    inputs = (np.random.default_rng(3).random((2, 6, 16, 20, 20)) < 0.2).astype(np.int32)
    profiles = []
    for network in (whole, sums_in_parts(whole, 8)):
        recording = nd.run(network, inputs)
        place = nd.fit(network, recording=recording)
        profiles.append(nd.profile(recording, "loihi2", place).as_dict())
    assert profiles[0]["synops"] > 0
    assert profiles[0] == profiles[1]


def tiny_yolo(parts):
    """The geometry of lava-dl's Tiny-YOLO at 448 x 448 pixels, in as many parts as asked for."""
    layers = ((3, 16, 2), (16, 32, 2), (32, 64, 2), (64, 128, 2), (128, 256, 1), (256, 256, 2))
    layers = (*layers, (256, 512, 1), (512, 1024, 1), (1024, 256, 0), (256, 512, 1), (512, 255, 0))
    populations = [Population("input", (3, 448, 448), Source())]
    projections = []
    for i, (sources, targets, stride) in enumerate(layers):
        kernel = 3 if stride else 1
        weight = np.broadcast_to(
            np.resize(np.array([15, -16], np.int32), (targets, 1, 1, 1)),
            (targets, sources, kernel, kernel),
        )
        synapse = Conv(weight, stride=(max(1, stride),) * 2, padding=(kernel // 2,) * 2)
        shape = synapse.output_shape(populations[-1].shape)
        populations.append(Population(f"conv{i}", shape, CubaLIF(0, 0, 1)))
        projections.append(Projection(populations[-2].name, f"conv{i}", synapse))
    network = Network(tuple(populations), tuple(projections))
    return sums_in_parts(network, parts)


def test_a_network_of_hundreds_of_parts_is_placed_in_seconds():
    plain, split = tiny_yolo(1), tiny_yolo(22)
    assert len(split.projections) > 200
    begun = time.process_time()
    placement = nd.fit(split)
    assert time.process_time() - begun < 20
    assert placement.fits
    assert placement.table() == nd.fit(plain).table()


def test_a_layer_whose_kernels_of_one_channel_exceed_a_core_is_left_uncut():
    network = convolutions(random_weights(8, 2000, 3, 3), size=64)
    placement = nd.fit(network)
    assert [str(misfit) for misfit in placement.misfits] == [
        "population 'conv0' needs 18,000 synapse words on one core, limit 16,000: the kernels of "
        "one channel alone take them; use smaller kernels, groups or fewer input channels (no cut "
        "helps: 'Partitioning could not converge')"
    ]
    # As many cores as its 8 x 64 x 64 neurons need, not one for each.
    assert placement.cores_used == 16


def test_kernels_that_just_fit_are_placed_by_halving_the_channels():
    placement = nd.fit(convolutions(random_weights(8, 1777, 3, 3), size=8))
    assert placement.fits
    assert placement["conv0"].block[2] == 4
    assert placement.per_population[0].used["synapse words"] == 15993


def test_a_neuron_whose_list_exceeds_a_core_is_named_before_all_are_cut():
    synapses = 12001
    indptr = np.concatenate([np.arange(50_001), [50_000 + synapses]])
    index = np.concatenate([np.zeros(50_000, np.int64), np.arange(synapses)])
    synapse = Sparse(indptr, index.astype(np.int32), np.ones(len(index), np.int32), synapses)
    network = Network(
        (Population("input", (synapses,), Source()), Population("a", (50_001,), CubaLIF(0, 0, 1))),
        (Projection("input", "a", synapse),),
    )
    placement = nd.fit(network, compiler="2022")
    assert str(placement.misfits[0]) == (
        "population 'a' needs 12,001 synapse words on one core, limit 12,000: one neuron's inputs "
        "alone take them; use sparse weights or fewer inputs (no cut helps: 'Partitioning "
        "could not converge')"
    )
    assert placement.cores_used == 13


@pytest.mark.parametrize("file", ["c_convT", "c_in", "c_pad2"])
def test_absurd_geometry_is_refused_when_it_is_read(faults, file):
    with pytest.raises(FormatError, match="of more than 2147483647 neurons"):
        nd.load(faults / "hostile" / f"{file}.net")


def test_the_largest_layer_is_answered_in_seconds():
    """What no system holds is counted and not laid out core by core."""
    network = convolutions(random_weights(1, 1, 3, 3), size=46_000)
    begun = time.process_time()
    placement = nd.fit(network)
    assert time.process_time() - begun < 5
    assert placement.table().splitlines()[-1].endswith("limit 147,456: make the layer smaller")
    assert not placement.fits
    with pytest.raises(NetworkError, match=r"takes [0-9,]+ cores, the largest system has 147,456"):
        _ = placement.partitions[0].core_of
    assert len(placement.as_dict()["cores"]) == 1
