"""Parts of a recording, priced by themselves, add up to the whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import RecordingError
from neurodeploy.profiling import estimate
from neurodeploy.profiling.slices import busy_cores, by_sample, over_sparsity, over_time

DIGITS = Path(__file__).parents[2] / "netx_exports"


@pytest.fixture(scope="module")
def digits():
    network = nd.load(DIGITS / "digits.net")
    with np.load(DIGITS / "digits_test.npz") as file:
        inputs = file["inputs"][:20]
    recording = nd.run(network, inputs, record=("counts", "spikes"))
    return network, recording, nd.fit(network, recording=recording)


@pytest.mark.parametrize("placed", [False, True])
@pytest.mark.parametrize("most", [5, 100])
def test_stretches_of_time_add_up_to_the_inference(digits, placed, most):
    network, recording, placement = digits
    placement = placement if placed else None
    whole = estimate(recording, "loihi2", placement)
    parts = over_time(recording, "loihi2", placement, network, most)
    assert len(parts) <= most
    assert [p.first for p in parts[1:]] == [p.stop for p in parts[:-1]]
    assert (parts[0].first, parts[-1].stop) == (0, recording.steps)
    for figure in ("synops", "neuron_updates", "messages", "dynamic_joules"):
        total = sum(getattr(part.profile, figure) for part in parts)
        assert total == pytest.approx(getattr(whole, figure)), figure
    # What waits for the busiest core in each stretch cannot be shorter than in a mean step
    # of all samples; the placed mean is over the samples' own maxima.
    assert sum(part.profile.seconds for part in parts) == pytest.approx(whole.seconds, rel=0.1)


def test_a_stretch_counts_its_own_messages_and_the_synapses_that_they_met(digits):
    network, recording, _ = digits
    spikes = recording["0_dense"].spikes
    (part,) = (p for p in over_time(recording, "loihi1", network=network) if p.first == 5)
    share = next(p for p in part.profile.per_population if p.name == "0_dense")
    assert share.messages == pytest.approx(np.count_nonzero(spikes[:, 5]) / len(spikes))
    sent = (recording["input"].spikes[:, 5].reshape(len(spikes), -1) != 0).astype(int)
    weight = network.projections[0].synapse.weight
    assert share.synops == pytest.approx(((weight != 0) @ sent.T).sum() / len(spikes))


def test_without_the_network_every_message_is_taken_for_its_mean(digits):
    _, recording, _ = digits
    parts = over_time(recording, "loihi2")
    whole = estimate(recording, "loihi2")
    assert sum(p.profile.synops for p in parts) == pytest.approx(whole.synops)


def test_time_needs_spikes(digits):
    network, _, _ = digits
    counted = nd.run(network, np.zeros((1, 4, *network.input.shape), np.uint8))
    with pytest.raises(RecordingError, match="spikes were not recorded"):
        over_time(counted, "loihi2")


def test_fewer_messages_cost_less_and_the_recorded_activity_costs_what_it_did(digits):
    _, recording, placement = digits
    points = over_sparsity(recording, "loihi2", placement, scales=(0.0, 0.5, 1.0, 1e6))
    none, half, same, dense = points
    assert (none.sparsity, none.profile.synops, none.profile.messages) == (1.0, 0.0, 0.0)
    assert none.profile.energy_joules < half.profile.energy_joules < same.profile.energy_joules
    assert half.profile.synops == pytest.approx(same.profile.synops / 2)
    whole = estimate(recording, "loihi2", placement)
    assert same.profile.dynamic_joules == pytest.approx(whole.dynamic_joules)
    sent = sum(recording[n].counts.sum() for n in ("0_dense", "1_dense"))
    slots = sum(recording[n].header.size for n in ("0_dense", "1_dense")) * recording.steps
    assert same.sparsity == pytest.approx(1 - sent / slots / recording.samples)
    # No neuron sends more than once a step.
    steps, sizes = recording.steps, [recording[n].header.size for n in recording.names]
    assert dense.profile.messages <= steps * sum(sizes)


def test_samples_mean_what_the_recording_costs(digits):
    _, recording, placement = digits
    points = by_sample(recording, "loihi2", placement, most=1000)
    assert len(points) == recording.samples
    mean = np.mean([point.profile.energy_joules for point in points])
    whole = estimate(recording, "loihi2", placement)
    assert mean == pytest.approx(whole.energy_joules, rel=0.01)
    assert np.std([p.profile.energy_joules for p in points]) == pytest.approx(
        whole.spread, rel=0.05
    )


def test_every_core_is_listed_the_busiest_first(digits):
    _, recording, placement = digits
    cores = busy_cores(recording, placement)
    assert len(cores) == placement.cores_used
    for partition in placement.partitions:
        name = partition.population.name
        numbers = sorted(core.number for core in cores if core.population == name)
        assert numbers == list(range(partition.cores))
    seconds = [core.seconds for core in cores]
    assert seconds == sorted(seconds, reverse=True)
