"""Comparisons find exactly what was planted, where it was planted."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import RecordingError
from neurodeploy.network import CubaLIF, Dense, Network, Population, Projection, Source
from neurodeploy.recording import Recording

RECORD = ("spikes", "u", "v")


def network_of(weight_change=0):
    rng = np.random.default_rng(3)
    first = 2 * rng.integers(-40, 60, (12, 8)).astype(np.int32)
    first[5, 3] += weight_change
    second = 2 * rng.integers(-40, 60, (4, 12)).astype(np.int32)
    neuron = CubaLIF(1024, 128, 60)
    return Network(
        (
            Population("input", (8,), Source()),
            Population("hidden", (12,), neuron),
            Population("output", (4,), neuron),
        ),
        (
            Projection("input", "hidden", Dense(first)),
            Projection("hidden", "output", Dense(second)),
        ),
    )


@pytest.fixture(scope="module")
def inputs():
    return (np.random.default_rng(4).random((6, 30, 8)) < 0.3).astype(np.int32)


@pytest.fixture(scope="module")
def recording(inputs):
    return nd.run(network_of(), inputs, record=RECORD)


def changed(recording, key, index, value):
    """The same recording with one number of one array changed."""
    arrays = {name: np.array(recording.arrays[name]) for name in recording.arrays}
    arrays[key][index] = value
    return Recording(recording.header, arrays)


def test_equal_recordings_are_equal(recording, inputs):
    result = nd.compare(recording, nd.run(network_of(), inputs, record=RECORD))
    assert result.equal
    assert result.first_divergence is None
    assert all(row.exact for row in result.rows)
    assert "equal" in result.summary()


def test_a_changed_weight_shows_first_where_it_acts(recording, inputs):
    other = nd.run(network_of(2), inputs, record=RECORD)
    with pytest.raises(RecordingError, match="different networks"):
        nd.compare(recording, other)
    result = nd.compare(recording, other, anyway=True)
    first = result.first_divergence
    sample, step = np.argwhere(inputs[:, :, 3])[0]
    assert (first.sample, first.step) == (sample, step + 1)  # synapses take one step
    assert (first.population, first.neuron, first.variable) == ("hidden", 5, "u")
    assert first.value_b - first.value_a == 2 * 64
    assert not result.equal
    assert not result.rows[1].exact
    assert result.rows[0].exact


@pytest.mark.parametrize("variable", ["u", "v"])
def test_one_changed_state_is_found(recording, variable):
    silent = np.argwhere(recording["hidden"].spikes == 0)[77]
    index = tuple(silent)
    key = f"populations/hidden/{variable}"
    other = changed(recording, key, index, 12345)
    first = nd.compare(recording, other).first_divergence
    assert (first.sample, first.step, first.neuron) == index
    assert (first.population, first.variable, first.value_b) == ("hidden", variable, 12345)


def test_v_of_a_neuron_that_has_just_spiked_is_masked(recording):
    """The chip keeps its refractory counter there: 128 in the recorded traces."""
    index = tuple(np.argwhere(recording["hidden"].spikes)[10])
    result = nd.compare(recording, changed(recording, "populations/hidden/v", index, 128))
    assert result.equal
    assert result.rows[1].masked == np.count_nonzero(recording["hidden"].spikes)
    assert not nd.compare(
        recording, changed(recording, "populations/hidden/u", index, 1 << 22)
    ).equal


def test_one_moved_spike_is_found(recording):
    counts = recording["output"].step_counts
    sample, step = np.argwhere((counts > 0) & (counts < 4))[-1]
    at = int(counts.ravel()[: sample * 30 + step].sum())
    neuron = int(np.asarray(recording.arrays["populations/output/neuron"])[at])
    taken = recording["output"].spikes[sample, step].nonzero()[0]
    free = next(n for n in range(4) if n not in taken)
    other = changed(recording, "populations/output/neuron", at, free)
    result = nd.compare(recording, other)
    row = result.rows[2]
    assert row.differing == 2
    assert row.spikes_a == row.spikes_b  # counts alone would not show it
    first = result.first_divergence
    assert (first.sample, first.step, first.population) == (sample, step, "output")
    assert first.neuron == min(neuron, free)


def test_other_pipelines_are_lined_up_by_hops(recording):
    """A backend without a step per hop compares cleanly once it says so."""
    header = replace(
        recording.header,
        backend="slayer",
        populations=tuple(replace(p, hops=0) for p in recording.header.populations),
    )
    arrays = {name: np.array(recording.arrays[name]) for name in recording.arrays}
    for name, hops in (("hidden", 1), ("output", 2)):
        counts = arrays[f"populations/{name}/event_counts"]
        assert counts[:, :hops].sum() == 0  # nothing can have arrived yet
        arrays[f"populations/{name}/event_counts"] = np.roll(counts, -hops, axis=1)
        for state in "uv":
            key = f"populations/{name}/{state}"
            arrays[key] = np.roll(arrays[key], -hops, axis=1)
    result = nd.compare(recording, Recording(header, arrays))
    assert result.equal
    assert [row.shift for row in result.rows] == [0, -1, -2]
    unaligned = Recording(recording.header, arrays)
    assert not nd.compare(recording, unaligned).equal


def test_counts_alone_are_compared_where_there_is_no_more(inputs, recording):
    bare = nd.run(network_of(), inputs)
    result = nd.compare(recording, bare)
    assert result.equal
    assert result.rows[1].compared == ("counts",)
    assert any("only in" in note for note in result.notes)
    wrong = changed(bare, "populations/hidden/counts", (2, 3), 999)
    assert not nd.compare(recording, wrong).equal


def test_different_inputs_are_refused(recording, inputs):
    other = nd.run(network_of(), 1 - inputs, record=RECORD)
    with pytest.raises(RecordingError, match="different inputs"):
        nd.compare(recording, other)


def test_blocks_change_nothing(recording, inputs, monkeypatch):
    other = nd.run(network_of(2), inputs, record=RECORD)
    whole = nd.compare(recording, other, anyway=True)
    monkeypatch.setattr(sys.modules["neurodeploy.comparison.alignment"], "BLOCK_BYTES", 1)
    assert nd.compare(recording, other, anyway=True) == whole


def test_axonal_delays_do_not_move_the_mask(inputs):
    network = network_of()
    delayed = replace(network["hidden"], axon_delay=np.arange(12, dtype=np.int32))
    network = replace(network, populations=(network.input, delayed, network.output))
    recording = nd.run(network, inputs, record=RECORD)
    undelayed = nd.run(network_of(), inputs, record=RECORD)
    fired = undelayed["hidden"].spikes[:, :18].astype(bool)
    v = np.array(recording.arrays["populations/hidden/v"])
    v[:, :18][fired] = 128
    arrays = {name: np.array(recording.arrays[name]) for name in recording.arrays}
    assert fired.any()
    assert nd.compare(
        recording, Recording(recording.header, {**arrays, "populations/hidden/v": v})
    ).equal


def test_anyway_is_named_alike_in_shell_and_python(recording, inputs):
    other = nd.run(network_of(2), inputs, record=RECORD)
    with pytest.raises(RecordingError, match="give `anyway` to compare") as caught:
        nd.compare(recording, other)
    assert "check" not in str(caught.value)
    assert nd.compare(recording, other, check=False) == nd.compare(recording, other, anyway=True)


class TestAThirdState:
    """A neuron may have states that no name here is written for."""

    KEY = "populations/hidden/threshold"

    @pytest.fixture
    def with_threshold(self, recording):
        v = np.asarray(recording.arrays["populations/hidden/v"])
        arrays = {name: np.array(recording.arrays[name]) for name in recording.arrays}
        return Recording(recording.header, {**arrays, self.KEY: np.abs(v) + 9})

    def test_is_on_record_after_u_and_v(self, with_threshold, tmp_path):
        with_threshold.save(tmp_path / "a.h5")
        loaded = Recording.load(tmp_path / "a.h5")["hidden"]
        assert loaded.states == ("u", "v", "threshold")
        expected = with_threshold.arrays[self.KEY]
        np.testing.assert_array_equal(loaded.state_of("threshold"), expected)
        np.testing.assert_array_equal(loaded.state_of("threshold", 2, 4), expected[2:4])

    def test_differs_by_its_name(self, with_threshold):
        other = changed(with_threshold, self.KEY, (1, 7, 3), 5)
        result = nd.compare(with_threshold, other)
        first = result.first_divergence
        assert (first.variable, first.sample, first.step, first.neuron) == ("threshold", 1, 7, 3)
        assert result.rows[1].states_differing == {"u": 0, "v": 0, "threshold": 1}
        error = result.rows[1].statistics.errors["threshold"]
        assert error.largest == abs(int(first.value_a) - 5)
        assert "threshold differing" in [str(column.header) for column in result.table().columns]
        assert any("#threshold rms" in listing.head for listing in result.listings())

    def test_on_one_side_alone_is_told(self, with_threshold, recording):
        result = nd.compare(with_threshold, recording)
        assert result.equal
        assert any("threshold only in" in note for note in result.notes)

    def test_does_not_stop_diagnosis_and_local_comparison(self, with_threshold):
        other = changed(with_threshold, self.KEY, (1, 7, 3), 5)
        result = nd.compare(with_threshold, other, net=network_of(), local=True)
        assert result.diagnosis is not None
        assert [row.local.differing for row in result.local] == [0, 0]
