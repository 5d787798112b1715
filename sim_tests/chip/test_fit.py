from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.chip import Constant, boards, load_chip
from neurodeploy.chip.balance import (
    busiest,
    busiest_link,
    in_stripes,
    neuron_seconds,
)
from neurodeploy.chip.memory import kernel_words, list_words, weight_bits
from neurodeploy.chip.synops_per_core import operations
from neurodeploy.errors import ChipError, NetworkError
from neurodeploy.network import (
    Conv,
    CubaLIF,
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
    TemporalFIR,
    Unpool,
)


def chain(*sizes, weight=1, synapse=Dense):
    """Dense layers one after another; the first has no neurons of its own."""
    populations = [Population("input", (sizes[0],), Source())]
    projections = []
    for i, size in enumerate(sizes[1:]):
        source = populations[-1]
        populations.append(Population(f"layer{i}", (size,), CubaLIF(4095, 4095, 1)))
        matrix = np.full((size, source.size), weight, np.int32)
        matrix[::2] = 0
        projections.append(Projection(source.name, f"layer{i}", synapse(matrix)))
    return Network(tuple(populations), tuple(projections))


@pytest.mark.parametrize(
    ("weights", "bits"),
    [
        ([-6, 6], 3),  # PilotNet LIF, 2560-100
        ([-8, 2, 8], 4),
        ([-16, 14], 4),
        ([-14, 16], 5),
        ([-98, 124], 8),  # 7 is no width
        ([0, 9], 4),  # one sign needs no sign bit
        ([-4, -64], 5),
        ([0, 0], 1),
    ],
)
def test_weights_take_the_bits_left_after_their_common_factor_of_two(weights, bits):
    assert weight_bits(np.array(weights)) == bits


def test_a_list_stores_zeros_of_dense_synapses_and_leaves_out_those_of_sparse_ones():
    weight = np.zeros((100, 8), np.int32)
    weight[:3] = 5
    chip = load_chip("loihi2")
    # 3 bits of one sign and 12 of index: 1,510 bits in 24 words, and 55 bits in one.
    assert list_words(Dense(weight), 0, 100, 8, chip) == 8 * 24
    assert list_words(Sparse.from_dense(weight), 0, 100, 8, chip) == 8 * 1


def test_synapses_with_delays_are_wider():
    weight = np.full((64, 4), 1, np.int32)
    chip = load_chip("loihi2")
    delayed = DelayedDense(weight, np.ones_like(weight))
    assert list_words(Dense(weight), 0, 64, 4, chip) == 4 * 14  # 64 x 13 + 10
    assert list_words(delayed, 0, 64, 4, chip) == 4 * 20  # 64 x 19 + 10


def test_kernels_of_grouped_convolutions_reach_their_own_group_alone():
    weight = np.full((8, 1, 3, 3), 1, np.int32)
    chip = load_chip("loihi2")
    assert kernel_words(Conv(weight, groups=8), 8, 8, chip) == 9 * 8
    assert kernel_words(Conv(weight, groups=8), 4, 8, chip) == 9 * 4
    assert kernel_words(Conv(np.full((8, 8, 3, 3), 1, np.int32)), 8, 8, chip) == 9 * 8


def test_every_neuron_is_on_one_core():
    weight = np.ones((24, 3, 3, 3), np.int32)
    network = Network(
        (
            Population("input", (3, 21, 37), Source()),
            Population("conv", (24, 19, 35), CubaLIF(0, 0, 1)),
        ),
        (Projection("input", "conv", Conv(weight)),),
    )
    partition = nd.fit(network)["conv"]
    held = np.concatenate([piece.indices((24, 19, 35)) for piece in partition.pieces])
    assert np.array_equal(np.sort(held), np.arange(24 * 19 * 35))
    sizes = np.bincount(partition.core_of, minlength=partition.cores)
    assert sizes.tolist() == [piece.neurons for piece in partition.pieces]
    assert max(sizes) <= 4095


def test_recurrent_synapses_share_the_core_with_the_others():
    network = chain(100, 60)
    loop = Projection("layer0", "layer0", Dense(np.ones((60, 60), np.int32)))
    looped = Network(network.populations, (*network.projections, loop))
    alone = nd.fit(network).per_population[0].used
    both = nd.fit(looped).per_population[0].used
    assert both["input axons"] == alone["input axons"] + 60
    assert both["synapse words"] > alone["synapse words"]


def test_loihi1_holds_fewer_neurons_and_needs_an_axon_for_every_core_reached():
    network = chain(10, 1100, 1500)
    placement = nd.fit(network, chip="loihi1")
    reached = placement["layer1"].cores
    first = placement["layer0"]
    assert reached > 2
    assert all(used["neurons"] <= 1024 for used in first.used)
    assert [u["axon maps"] for u in first.used] == [p.neurons * reached for p in first.pieces]
    assert placement.fits


def test_too_many_input_axons_are_named_with_limit_and_remedy():
    placement = nd.fit(chain(5120, 8), chip="loihi1")
    assert not placement.fits
    with pytest.raises(
        NetworkError,
        match=r"population 'layer0' needs 5,120 input axons on one core, limit 4,096: raise the",
    ):
        placement.check()
    assert "does not fit: population 'layer0'" in placement.table()


def test_on_loihi1_inputs_take_a_core_as_intels_compiler_gave_them_one(cases):
    network = nd.load(cases / "systems" / "ntidigits" / "ntidigits.net")
    placement = nd.fit(network, chip="loihi1")
    # 6 cores, last layer first: 2, 2, 1, and 1 of inputs.
    assert [p.cores for p in reversed(placement.partitions)] == [2, 2, 1, 1]
    assert placement.cores_used == 6
    assert nd.fit(network).partitions[0].population.name != "input"


def test_long_delays_cost_accumulators_on_loihi1():
    def delayed(matrix):
        return DelayedDense(matrix, np.full_like(matrix, 62))

    short = nd.fit(chain(4, 1000), chip="loihi1")
    long = nd.fit(chain(4, 1000, synapse=delayed), chip="loihi1")
    assert short["layer0"].cores == 1
    assert long["layer0"].cores >= 1000 * 64 / 8192
    assert all(u["dendritic accumulators"] <= 8192 for u in long["layer0"].used)


def test_usable_cores_make_chips_and_boards_bound_them():
    network = chain(256, 400, 400)
    whole = nd.fit(network)
    few = nd.fit(network, cores=2)
    assert few.cores_used == whole.cores_used
    assert few.chips_used == -(-whole.cores_used // 2)
    board = nd.fit(network, board="oheo-gulch", cores=2)
    assert [m.resource for m in board.misfits] == ["chips"]
    assert "limit 1" in str(board.misfits[0])
    assert nd.fit(network, board="hala-point").fits
    assert boards()["kapoho-point"] == ("loihi2", 8)


def test_a_chip_file_with_loihi2_as_its_base_is_on_the_boards_of_loihi2(tmp_path):
    file = tmp_path / "loihi9.toml"
    file.write_text('name = "loihi9"\nbase = "loihi2"\n[constants]\n', encoding="utf-8")
    network = chain(4, 5)
    assert nd.fit(network, str(file), board="oheo-gulch").fits
    with pytest.raises(
        ChipError, match=r'nahuku-32.* carries loihi1, not loihi9; .*base = "loihi1'
    ):
        nd.fit(network, str(file), board="nahuku-32")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"chip": "loihi9"}, r"no chip 'loihi9'; there are loihi1, loihi1-sanafe, loihi2"),
        ({"board": "breadboard"}, r"no board 'breadboard'; there are hala-point"),
        ({"board": "nahuku-32"}, r"board 'nahuku-32' carries loihi1, not loihi2"),
        ({"cores": 0}, r"0 usable cores per chip; give at least 1"),
    ],
)
def test_what_there_is_not_is_said_in_one_line(options, says):
    with pytest.raises(ChipError, match=says):
        nd.fit(chain(2, 2), **options)


def test_a_float_network_is_refused():
    network = Network(
        (Population("input", (1,), Source()), Population("lif", (1,), FloatLIF(0.9, 0.0, 1.0))),
        (Projection("input", "lif", Dense(np.ones((1, 1), np.float32))),),
    )
    with pytest.raises(NetworkError, match="quantize it before it is placed"):
        nd.fit(network)


def test_a_chip_file_without_limits_says_which_is_missing(tmp_path):
    from .test_specification import chip_file

    with pytest.raises(ChipError, match=r"mine: constant 'synapse_words_per_core' is missing"):
        nd.fit(chain(2, 2), chip=str(chip_file(tmp_path)))


def test_the_placement_is_json():
    plain = json.loads(json.dumps(nd.fit(chain(4, 300)).as_dict(), allow_nan=False))
    assert plain["cores_used"] == len(plain["cores"])
    assert plain["populations"][0]["binds"] in plain["populations"][0]["percent"]


def test_synops_of_a_convolution_add_up_to_the_recorded_ones():
    rng = np.random.default_rng(7)
    weight = rng.integers(-3, 4, (5, 2, 3, 3)).astype(np.int32)
    network = Network(
        (
            Population("input", (2, 9, 11), Source()),
            Population("conv", (5, 5, 5), CubaLIF(4095, 4095, 1)),
        ),
        (Projection("input", "conv", Conv(weight, stride=(2, 2), padding=(1, 0))),),
    )
    inputs = (rng.random((6, 2, 9, 11)) < 0.3).astype(np.int32)
    recording = nd.run(network, inputs, record=("counts",))
    counts = inputs.sum(axis=0).ravel().astype(float)
    per_target = network.projections[0].synapse.synops_per_target(counts, (2, 9, 11), 125)
    assert per_target.sum() == recording.synops()["input->conv"][0]


def test_cores_from_a_recording_shorten_the_busiest_one():
    network = chain(64, 200, 40)
    inputs = np.ones((10, 64), np.int32)
    recording = nd.run(network, inputs, record=("counts",))
    plain, better = nd.fit(network), nd.fit(network, recording=recording)
    loads = {name: neuron_seconds(recording, plain, name) for name in ("layer0", "layer1")}
    assert better.strategy == "balanced"
    assert better.chips_used == plain.chips_used
    assert busiest(better, loads)[1] < busiest(plain, loads)[1] / 4
    total = sum(loads["layer0"])
    cores = np.bincount(better["layer0"].core_of, loads["layer0"])
    assert cores.sum() == pytest.approx(total)
    with pytest.raises(NetworkError, match="recording: made by another network"):
        nd.fit(chain(64, 200, 41), recording=recording)


@pytest.mark.parametrize(
    ("chip", "limit", "value", "says"),
    [
        ("loihi2", "synapse_words_per_core", 63, "needs 64 synapse words .* one neuron's inputs"),
        ("loihi2", "input_axons_per_core", 63, "needs 64 input axons .* 63: raise the stride"),
        ("loihi2", "core_memory_words", 100, "needs 131 words of core memory .* one neuron's"),
        ("loihi1", "axon_maps_per_core", 1, "needs 8 axon maps on one core, limit 1: one neuron"),
        ("loihi1", "dendritic_accumulators_per_core", 7, "8 dendritic accumulators .*: shorten"),
    ],
)
def test_every_limit_is_reported_with_population_value_limit_and_remedy(chip, limit, value, says):
    whole = load_chip(chip)
    limits = {limit: Constant(value, "1", "a test")}
    if limit == "axon_maps_per_core":
        limits["neurons_per_core"] = Constant(4, "1", "a test")
    small = replace(whole, constants={**whole.constants, **limits})
    placement = nd.fit(chain(64, 6, 8), small)
    assert not placement.fits
    named = [str(m) for m in placement.misfits if m.population == "layer0"]
    assert any(re.search(says, text) for text in named), named


def test_a_limit_of_nothing_is_refused():
    whole = load_chip("loihi2")
    nothing = {"input_axons_per_core": Constant(0, "1", "a test")}
    with pytest.raises(ChipError, match=r"'input_axons_per_core' is 0; give at least 1"):
        nd.fit(chain(2, 2), replace(whole, constants={**whole.constants, **nothing}))


def test_a_network_without_neurons_of_its_own_takes_no_cores():
    network = Network((Population("input", (4,), Source()),), ())
    placement = nd.fit(network)
    assert (placement.cores_used, placement.fits) == (0, True)


def widths(bits):
    """Weights that need so many bits."""
    weight = np.zeros((600, 300), np.int32)
    weight[0, 0], weight[0, 1] = 2 ** (bits - 1) - 1, -(2 ** (bits - 1))
    return weight


@pytest.mark.parametrize("chip", ["loihi1", "loihi2"])
def test_larger_layers_never_take_fewer_cores(chip):
    cores = [nd.fit(chain(300, n), chip).cores_used for n in (1, 50, 200, 255, 256, 600, 2000)]
    assert cores == sorted(cores)
    words = [
        list_words(Dense(widths(bits)), 0, 600, 300, load_chip(chip)) for bits in (2, 3, 4, 5, 6, 8)
    ]
    assert words == sorted(words)
    assert len(set(words)) == len(words)


def test_a_core_reads_every_synapse_that_it_stores():
    rng = np.random.default_rng(4)
    counts = rng.integers(0, 6, (2, 2 * 9 * 11)).astype(float)
    weight = rng.integers(-1, 2, (300, 2, 3, 3)).astype(np.int32)
    network = Network(
        (
            Population("input", (2, 9, 11), Source()),
            Population("conv", (300, 5, 5), CubaLIF(4095, 4095, 1)),
            Population("pool", (300, 2, 2), CubaLIF(4095, 4095, 1)),
            Population("dense", (7,), CubaLIF(4095, 4095, 1)),
            Population("relay", (7,), CubaLIF(4095, 4095, 1)),
            Population("sparse", (7,), CubaLIF(4095, 4095, 1)),
        ),
        (
            Projection("input", "conv", Conv(weight, stride=(2, 2), padding=(1, 0))),
            Projection("conv", "pool", Pool.sums((2, 2))),
            Projection("pool", "dense", Dense(np.zeros((7, 1200), np.int32))),
            Projection("dense", "relay", OneToOne(np.ones(7, np.int32))),
            Projection("relay", "sparse", Sparse.from_dense(np.eye(7, dtype=np.int32))),
        ),
    )
    placement = nd.fit(network)
    assert placement["conv"].cores > 1
    for projection in network.projections:
        size = network[projection.source].size
        counts = rng.integers(0, 6, (2, size)).astype(float)
        found = operations(placement, projection, counts)
        assert found.sum(axis=1) == pytest.approx(counts @ network.fan_out(projection, dense=True))
        part = placement[projection.target]
        if projection.target != "pool":  # of which a neuron's share is not known
            shape, targets = network[projection.source].shape, len(part.core_of)
            each = projection.synapse.synops_per_target(counts[1], shape, targets, stored=True)
            assert found[1] == pytest.approx(np.bincount(part.core_of, each))


@pytest.mark.parametrize(("operator", "kernel"), [(Pool, 3), (Unpool, 4)])
def test_windows_that_reach_into_the_next_channel_are_read_as_often_as_they_land(operator, kernel):
    weight, source = np.ones((kernel, kernel), np.int32), (2, 8, 8)
    synapse = operator(weight, (2, 2), (1, 1), across_channels=True)
    target = Population("out", synapse.output_shape(source), CubaLIF(4095, 4095, 1))
    network = Network(
        (Population("input", source, Source()), target), (Projection("input", "out", synapse),)
    )
    placement, projection = nd.fit(network), network.projections[0]
    counts = np.random.default_rng(5).integers(0, 6, (3, network.input.size)).astype(float)
    found = operations(placement, projection, counts)
    assert found.sum(axis=1) == pytest.approx(counts @ network.fan_out(projection, dense=True))


def test_taps_in_time_take_dendritic_accumulators():
    weight = np.ones((40, 6, 8), np.int32)
    network = Network(
        (Population("input", (8,), Source()), Population("n", (6,), CubaLIF(4095, 4095, 1))),
        (Projection("input", "n", TemporalFIR(weight)),),
    )
    used = nd.fit(network, "loihi1")["n"].used[0]["dendritic accumulators"]
    assert used == 6 * 64  # the next power of two above 40 taps and the step itself


def test_cores_in_stripes_free_the_busiest_link():
    weight = np.ones((16, 16, 3, 3), np.int32)
    populations = [Population("input", (16, 18, 258), Source())]
    projections = []
    for i in range(3):
        shape = (16, 16 - 2 * i, 256 - 2 * i)
        before = populations[-1].name
        populations.append(Population(f"conv{i}", shape, CubaLIF(4095, 4095, 1)))
        projections.append(Projection(before, f"conv{i}", Conv(weight)))
    network = Network(tuple(populations), tuple(projections))
    recording = nd.run(network, np.ones((3, 16, 18, 258), np.int32), record=("counts",))
    plain = nd.fit(network)
    striped = replace(plain, places=in_stripes(plain))
    taken = np.concatenate([striped.places_of(p.population.name) for p in plain.partitions])
    assert np.array_equal(np.sort(taken), np.arange(plain.cores_used))
    assert busiest_link(striped, recording) < 0.5 * busiest_link(plain, recording)
    better = nd.fit(network, recording=recording)
    either = [replace(better, places=places) for places in ({}, in_stripes(better))]
    assert busiest_link(better, recording) == min(busiest_link(p, recording) for p in either)
    places = [core["place"] for core in better.as_dict()["cores"]]
    assert sorted(places) == list(range(better.cores_used))
