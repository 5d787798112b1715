"""Profiles with a placement: busiest core, copies, hops, resets."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.chip import load_chip
from neurodeploy.chip.routes import routes
from neurodeploy.errors import ChipError, RecordingError
from neurodeploy.network import (
    Conv,
    CubaLIF,
    Delta,
    Dense,
    Network,
    Population,
    Projection,
    SigmaDelta,
    Source,
)
from neurodeploy.profiling.benchmarks import ndns_proxy


def dense(inputs=256, hidden=200, outputs=40):
    rng = np.random.default_rng(3)
    shape = (("input", inputs), ("hidden", hidden), ("output", outputs))
    populations = [Population(n, (s,), CubaLIF(4095, 4095, 1)) for n, s in shape]
    populations[0] = Population("input", (inputs,), Source())
    weights = [
        2 * rng.integers(-60, 100, (b[1], a[1])).astype(np.int32)
        for a, b in itertools.pairwise(shape)
    ]
    projections = [
        Projection(a[0], b[0], Dense(w))
        for (a, b), w in zip(itertools.pairwise(shape), weights, strict=True)
    ]
    return Network(tuple(populations), tuple(projections))


@pytest.fixture(scope="module")
def run():
    network = dense()
    inputs = (np.random.default_rng(5).random((3, 20, 256)) < 0.4).astype(np.int32)
    return network, nd.run(network, inputs, record=("counts",))


def test_the_step_is_that_of_the_busiest_core(run):
    network, recording = run
    placement = nd.fit(network, chip="loihi1")
    result = nd.profile(recording, "loihi1", placement)
    chip = load_chip("loihi1")
    busiest = 0.0
    for name, source in (("hidden", "input"), ("output", "hidden")):
        core_of = placement[name].core_of
        weight = network.into(name)[0].synapse.weight
        synops = (weight != 0) @ recording[source].counts.T  # [targets, samples]
        spikes = recording[name].counts.T
        for core in range(placement[name].cores):
            here = core_of == core
            work = (
                here.sum() * chip["neuron_update_inactive_time"]
                + spikes[here].sum(axis=0)
                / 20
                * (chip["neuron_update_active_time"] - chip["neuron_update_inactive_time"])
                + synops[here].sum(axis=0) / 20 * chip["synop_time"]
            )
            busiest = np.maximum(busiest, work)
    assert placement.cores_used == 3  # one of them holds the inputs
    assert result.seconds_per_step == pytest.approx(np.mean(busiest) + 113e-9, rel=0.01)
    assert result.cores == placement.cores_used


def test_messages_are_copied_to_every_core_that_they_reach(run):
    network, recording = run
    placement = nd.fit(network)
    result = nd.profile(recording, "loihi2", placement)
    parts = {part.kind: part for part in result.parts}
    into_hidden = recording["input"].counts.sum() / 3 * placement["hidden"].cores
    into_output = recording["hidden"].counts.sum() / 3 * placement["output"].cores
    assert placement["hidden"].cores == 2
    assert parts["message"].number == pytest.approx(into_hidden + into_output)
    assert sum(part.joules for part in result.parts) == pytest.approx(result.energy_joules)
    shares = sum(share.dynamic_joules for share in result.per_population)
    assert shares == pytest.approx(result.dynamic_joules)
    assert result.energy_delay == pytest.approx(result.energy_joules * result.seconds)


def test_hops_are_counted_between_tiles_along_x_then_y():
    network = dense(inputs=64, hidden=5000, outputs=2)
    placement = nd.fit(network, chip="loihi1")
    cores = placement["hidden"].cores
    assert cores > 8
    way = routes(placement, network.projections[1])
    tile = (1 + placement["hidden"].core_of) // 4  # after a core of inputs
    target = (1 + cores) // 4
    assert np.array_equal(way.east_west, np.abs(tile % 8 - target % 8))
    assert np.array_equal(way.north_south, np.abs(tile // 8 - target // 8))
    assert np.array_equal(way.copies, np.ones(5000))
    into = routes(placement, network.projections[0])
    assert into.copies.tolist() == [cores] * 64
    outside = routes(nd.fit(network), network.projections[0])
    assert outside.east_west.sum() == 0


def test_a_convolution_sends_to_the_blocks_that_its_kernel_touches():
    weight = np.ones((200, 1, 3, 3), np.int32)
    network = Network(
        (
            Population("input", (1, 10, 12), Source()),
            Population("conv", (200, 8, 10), CubaLIF(0, 0, 1)),
        ),
        (Projection("input", "conv", Conv(weight)),),
    )
    placement = nd.fit(network)
    copies = routes(placement, network.projections[0]).copies.reshape(10, 12)
    blocks = {(p.corner, p.block) for p in placement["conv"].pieces}
    for y, x in ((0, 0), (5, 5), (9, 11), (4, 7)):
        touched = sum(
            any(cx <= x - k < cx + w for k in range(3))
            and any(cy <= y - k < cy + h for k in range(3))
            for (cx, cy, _), (w, h, _) in blocks
        )
        assert copies[y, x] == touched


def test_resets_cost_energy_where_it_is_known(run):
    network, _ = run
    inputs = np.ones((1, 20, 256), np.int32)
    recording = nd.run(network, inputs, record=("counts",), reset_interval=4)
    result = nd.profile(recording, "loihi1", nd.fit(network, chip="loihi1"))
    part = next(part for part in result.parts if part.kind == "state reset of a chip")
    assert part.number == 5
    assert part.joules == pytest.approx(5 * 5.94e-6)
    assert not any("reset" in part.kind for part in nd.profile(recording, "loihi2").parts)


def test_a_placement_of_another_network_is_refused(run):
    _, recording = run
    with pytest.raises(RecordingError, match="made by another network than the placement"):
        nd.profile(recording, "loihi2", nd.fit(dense(outputs=41)))


def test_the_chip_that_was_placed_on_is_the_one_that_is_priced(run):
    network, recording = run
    on_loihi1 = nd.fit(network, chip="loihi1")
    assert nd.profile(recording, placement=nd.fit(network)).chip == "loihi2"
    assert nd.profile(recording, placement=on_loihi1).chip == "loihi1"
    assert nd.profile(recording, "loihi2-fitted", nd.fit(network)).chip == "loihi2-fitted"
    with pytest.raises(ChipError, match=r"chip 'loihi2': the network was placed on 'loihi1'"):
        nd.profile(recording, "loihi2", on_loihi1)


def test_an_encoder_on_the_host_is_off_the_chip_with_and_without_a_placement():
    network = Network(
        (
            Population("input", (120,), Delta(6)),
            Population("hidden", (80,), SigmaDelta(6)),
        ),
        (Projection("input", "hidden", Dense(np.ones((80, 120), np.int32))),),
    )
    recording = nd.run(network, np.ones((1, 10, 120), np.int32))
    assert [p.on_chip for p in recording.header.populations] == [False, True]
    found = [nd.profile(recording, placement=p) for p in (None, nd.fit(network))]
    assert [profile.neuron_updates for profile in found] == [800, 800]
    # The N-DNS proxy is of the whole network, wherever its parts run.
    for profile in found:
        proxy = ndns_proxy(profile, step_seconds=0.008, latency_seconds=0.032)["power_proxy"]
        assert proxy == pytest.approx((profile.synops + 10 * 2000) / 0.08)


def test_steps_one_by_one_are_bound_by_their_own_busiest_core():
    network = dense()
    rng = np.random.default_rng(6)
    inputs = np.zeros((2, 20, 256), np.int32)
    inputs[0, 3:6] = 1  # a burst
    inputs[1] = rng.random((20, 256)) < 0.15
    counted = nd.run(network, inputs, record=("counts",))
    stepwise = nd.run(network, inputs, record=("counts", "spikes"))
    placement = nd.fit(network)
    mean, each = (nd.profile(rec, "loihi2", placement) for rec in (counted, stepwise))
    assert each.seconds_per_step > mean.seconds_per_step
    assert each.dynamic_joules == pytest.approx(mean.dynamic_joules)
    # Loihi 2's times are slopes: a step's work is its updates and the synapses that are read.
    chip = load_chip("loihi2")
    part = placement["hidden"]
    cores = np.bincount(part.core_of)
    steps_of_work: list[float] = []
    for sample in range(2):
        sent = inputs[sample].sum(axis=1)
        own = stepwise["hidden"].spikes[sample].sum(axis=1)
        out = placement["output"].core_of.size
        hidden = (cores.max() * (4e-9 + 0.66e-9 * sent)).astype(float)
        output = out * (4e-9 + 0.66e-9 * own)
        steps_of_work += list(np.maximum(hidden, output))
    # A step is its work or its barrier, whichever is longer.
    steps = np.maximum(steps_of_work, chip["barrier_time_one_tile"])
    assert (np.array(steps_of_work) > chip["barrier_time_one_tile"]).any()
    assert each.seconds_per_step == pytest.approx(np.mean(steps), rel=0.02)


def test_zeros_that_a_dense_list_stores_are_read_and_paid_for():
    weight = np.zeros((10, 8), np.int32)
    weight[:3] = 2
    network = Network(
        (Population("input", (8,), Source()), Population("layer", (10,), CubaLIF(4095, 4095, 99))),
        (Projection("input", "layer", Dense(weight)),),
    )
    recording = nd.run(network, np.ones((5, 8), np.int32), record=("counts",))
    result = nd.profile(recording, "loihi2", nd.fit(network))
    parts = {part.kind: part.number for part in result.parts}
    assert parts["synaptic operation"] == result.synops == 5 * 8 * 3
    assert parts["stored zero read"] == 5 * 8 * 7
    assert result.bound == "barrier"  # ten neurons are done long before
    assert sum(part.joules for part in result.parts) == pytest.approx(result.energy_joules)


def test_the_host_hands_over_every_value_of_every_step(run):
    network, recording = run
    placement = nd.fit(network)
    alone, fed = (nd.profile(recording, "loihi2", placement, host_io=on) for on in (False, True))
    waiting = (256 + 40) * 1.83e-6
    assert fed.seconds_per_step == pytest.approx(alone.seconds_per_step + waiting)
    assert fed.dynamic_joules == alone.dynamic_joules
    assert "host's input and output" in fed.model
    # The host's time is in both ends of the band, from the fastest run to the slowest.
    values = 20 * (256 + 40)
    assert fed.band.high_seconds == pytest.approx(alone.band.high_seconds + values * 2.24e-6)
    assert fed.band.low_seconds == pytest.approx(alone.band.low_seconds + values * 1.48e-6)
    with pytest.raises(ChipError, match=r"loihi1: constant 'host_value_time' is missing"):
        nd.profile(recording, "loihi1", host_io=True)


def test_processors_of_the_chip_are_paid_for_where_their_power_is_known(run, tmp_path):
    _, recording = run
    file = tmp_path / "fed.toml"
    file.write_text(
        'name = "fed"\nbase = "loihi1"\n[constants.host_value_time]\n'
        'value = 2\nunit = "us"\nsource = "a test"\n'
    )
    result = nd.profile(recording, str(file), host_io=True)
    parts = {part.kind: part for part in result.parts}
    assert parts["embedded processors"].joules == pytest.approx(0.065 * result.seconds)
    chip, low = load_chip("loihi1"), result.band.low_seconds
    dynamic = result.dynamic_joules * chip["dynamic_energy_low"]
    static = (chip["static_power_low"] + 0.065) * low
    assert result.band.low_joules == pytest.approx(dynamic + static)
    assert sum(part.joules for part in result.parts) == pytest.approx(result.energy_joules)


@pytest.mark.slow
def test_profiling_takes_less_than_a_tenth_of_recording():
    network = dense(inputs=700, hidden=256, outputs=20)
    inputs = (np.random.default_rng(1).random((64, 300, 700)) < 0.05).astype(np.int32)
    placement = nd.fit(network)
    nd.profile(nd.run(network, inputs[:1]), "loihi2", placement)  # compiled and laid out

    def seconds(work):
        start = time.process_time()
        result = work()
        return time.process_time() - start, result

    making, recording = seconds(lambda: nd.run(network, inputs))
    pricing, _ = seconds(lambda: nd.profile(recording, "loihi2", placement))
    print(making, pricing, pricing / making)
    assert pricing < making / 10
