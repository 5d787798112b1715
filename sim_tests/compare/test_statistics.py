"""Figures beside exactness: known values, and the same whatever the block size."""

from __future__ import annotations

import math
import sys
import tracemalloc

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.comparison import Tolerances
from neurodeploy.comparison.outputs import si_snr_db
from neurodeploy.comparison.spike_trains import coincidences, intervals, van_rossum
from neurodeploy.errors import InputError, RecordingError
from neurodeploy.network import CubaLIF, Dense, Network, Population, Projection, Source
from neurodeploy.recording import Recording
from sim_tests.compare.test_compare import RECORD, changed, network_of


def train(*steps, length=40):
    spikes = np.zeros((1, length, 1), bool)
    spikes[0, list(steps), 0] = True
    return spikes


def test_one_spike_too_many_is_a_van_rossum_distance_of_one_half():
    """D^2 = 1/2, as in van Rossum 2001; two far apart add up, whatever the end of the run."""
    assert van_rossum(train(10), train())[0] ** 2 == pytest.approx(0.5)
    assert van_rossum(train(39), train())[0] ** 2 == pytest.approx(0.5)
    assert van_rossum(train(5), train(35), 1.0)[0] ** 2 == pytest.approx(1.0, abs=1e-6)
    assert van_rossum(train(3, 20), train(3, 20))[0] == 0


def test_a_spike_moved_by_k_steps_has_the_published_van_rossum_distance():
    """D^2 = 1 - exp(-k / tau) for one spike on either side, k steps apart."""
    for k in (1, 3, 10):
        expected = 1 - math.exp(-k / 5.0)
        assert van_rossum(train(10), train(10 + k), 5.0)[0] ** 2 == pytest.approx(expected)


def test_partners_are_one_to_one_and_at_most_the_tolerance_apart():
    a, b = train(4, 10, 20), train(5, 12, 21)
    assert [int(coincidences(a, b, k)[0]) for k in (0, 1, 2)] == [0, 2, 3]
    assert coincidences(train(10), train(9, 11), 1)[0] == 1  # no spike has two partners
    assert coincidences(train(0), train(39), 1)[0] == 0  # nor one past the end
    assert coincidences(train(5, 6, 7), train(6, 7, 8), 1)[0] == 3  # a burst a step late


def test_as_many_find_partners_as_can():
    rng = np.random.default_rng(3)
    a, b = rng.random((2, 5, 25, 8)) < 0.3
    for reach in (1, 2, 4):
        expected = np.zeros(5, int)
        for sample, neuron in np.ndindex(5, 8):
            x, y = (np.flatnonzero(s[sample, :, neuron]) for s in (a, b))
            best = np.zeros((len(x) + 1, len(y) + 1), int)  # in order, as crossing never helps
            for i, j in np.ndindex(len(x), len(y)):
                near = best[i, j] + (abs(x[i] - y[j]) <= reach)
                best[i + 1, j + 1] = max(near, best[i, j + 1], best[i + 1, j])
            expected[sample] += best[-1, -1]
        np.testing.assert_array_equal(coincidences(a, b, reach), expected)


def test_intervals_do_not_run_from_one_neuron_into_the_next():
    spikes = np.zeros((2, 10, 2), bool)
    spikes[0, [1, 4, 5], 0] = True
    spikes[0, [9], 1] = True
    spikes[1, [0, 7], 1] = True
    assert sorted(intervals(spikes)) == [1, 3, 7]


def test_si_snr_does_not_mind_scale_and_offset():
    rng = np.random.default_rng(0)
    t = rng.normal(size=400)
    noise = rng.normal(size=400)
    noise -= noise.mean()
    noise -= (noise @ (t - t.mean())) / ((t - t.mean()) @ (t - t.mean())) * (t - t.mean())
    e = (t - t.mean()) + noise * np.linalg.norm(t - t.mean()) / np.linalg.norm(noise) / 10
    assert si_snr_db(t, e) == pytest.approx(20.0)
    assert si_snr_db(3 * t + 7, 5 * e - 2) == pytest.approx(20.0)
    assert si_snr_db(t, t) is None or si_snr_db(t, t) > 200


@pytest.fixture(scope="module")
def pair():
    inputs = (np.random.default_rng(4).random((6, 30, 8)) < 0.3).astype(np.int32)
    return (nd.run(network_of(n), inputs, record=RECORD) for n in (0, 2))


@pytest.fixture(scope="module")
def recordings(pair):
    return tuple(pair)


def test_figures_are_those_of_whole_arrays(recordings):
    a, b = recordings
    result = nd.compare(a, b, anyway=True)
    for row in result.rows[1:]:
        x, y = a[row.population], b[row.population]
        s = row.statistics
        partners = 2 * np.count_nonzero((x.spikes != 0) & (y.spikes != 0))
        total = np.count_nonzero(x.spikes) + np.count_nonzero(y.spikes)
        assert s.coincidence_rate == pytest.approx(partners / total)
        assert s.a.rate == pytest.approx((x.spikes != 0).mean())
        assert s.b.silent == (y.spikes.sum(axis=(0, 1)) == 0).sum()
        error = x.u.astype(float) - y.u
        assert s.errors["u"].rms == pytest.approx(math.sqrt((error**2).mean()))
        assert s.errors["u"].largest == np.abs(error).max()
        if error.any():
            sqnr = 10 * math.log10((x.u.astype(float) ** 2).sum() / (error**2).sum())
            assert s.errors["u"].sqnr_db == pytest.approx(sqnr)
        assert "payload" not in s.errors  # all plain spikes


def test_decisions_and_accuracy(recordings):
    a, b = recordings
    decided = [r.output.sum(axis=1).argmax(axis=1) for r in (a, b)]
    truth = decided[0].copy()
    truth[0] = (truth[0] + 1) % 4
    output = nd.compare(a, b, anyway=True, labels=truth).output
    assert output.agreeing == (decided[0] == decided[1]).sum()
    assert output.correct_a == 5
    assert output.correct_b == (decided[1] == truth).sum()
    readouts = [r.output.sum(axis=1).ravel() for r in (a, b)]
    assert output.correlation == pytest.approx(np.corrcoef(*readouts)[0, 1])
    with pytest.raises(InputError, match="labels"):
        nd.compare(a, b, anyway=True, labels=truth[:3])
    with pytest.raises(InputError, match="names="):
        nd.compare(a, b, anyway=True, labels=("engine", "lava"))


def test_tolerances_decide_what_passes(recordings):
    a, b = recordings
    assert not nd.compare(a, b, anyway=True).within_tolerance
    missed = max(1 - row.statistics.coincidence_rate for row in nd.compare(a, b, anyway=True).rows)
    for share, passes in ((missed / 2, False), (missed + 1e-9, True)):
        result = nd.compare(a, b, anyway=True, tolerances=Tolerances(spike_difference=share))
        assert (result.within_tolerance, result.equal) == (passes, False)
    strict = Tolerances(spike_difference=1.0, state_error=1.0)
    assert not nd.compare(a, b, anyway=True, tolerances=strict).within_tolerance
    with pytest.raises(InputError, match="from 0 to 1"):
        Tolerances(spike_difference=2)


def test_spikes_a_step_apart_pass_with_a_tolerance_in_steps(recordings):
    a, _ = recordings
    key = "populations/output"
    counts = np.array(a.arrays[f"{key}/event_counts"])
    kept = counts[:, :-1].sum(axis=1)
    arrays = {name: np.array(a.arrays[name]) for name in a.arrays}
    neurons = [a["output"].events_of(s, s + 1)[1][: kept[s]] for s in range(a.samples)]
    arrays[f"{key}/neuron"] = np.concatenate(neurons)
    counts[:, -1] = 0  # what falls out of the run
    arrays[f"{key}/event_counts"] = np.roll(counts, 1, axis=1)
    b = Recording(a.header, arrays)
    missing = (a["output"].step_counts.sum() - kept.sum()) / (2 * kept.sum())
    strict, loose = (
        nd.compare(a, b, tolerances=Tolerances(spike_difference=float(missing) + 1e-9, steps=k))
        for k in (0, 1)
    )
    assert not strict.within_tolerance
    assert loose.within_tolerance
    assert not loose.equal


def test_float_recordings_compare_and_nan_is_named(recordings):
    a, _ = recordings
    key = "populations/hidden/v"
    arrays = {name: np.array(a.arrays[name]) for name in a.arrays}
    arrays[key] = arrays[key].astype(np.float32) + np.float32(0.25)
    result = nd.compare(a, Recording(a.header, arrays))
    assert result.first_divergence.value_b - result.first_divergence.value_a == 0.25
    assert result.rows[1].statistics.errors["v"].largest == 0.25
    arrays[key][2, 7, 3] = np.nan
    with pytest.raises(RecordingError, match="'hidden': v is NaN at sample 2, step 7"):
        nd.compare(a, Recording(a.header, arrays))


def test_blocks_change_no_digit(recordings, monkeypatch):
    a, b = recordings
    whole = nd.compare(a, b, anyway=True).as_dict()
    monkeypatch.setattr(sys.modules["neurodeploy.comparison.alignment"], "BLOCK_BYTES", 1)
    assert nd.compare(a, b, anyway=True).as_dict() == whole


@pytest.mark.slow
def test_ten_thousand_samples_compare_in_bounded_memory(tmp_path):
    """Five times the samples from a file take no more than a little more memory."""
    rng = np.random.default_rng(1)
    network = Network(
        (
            Population("input", (16,), Source()),
            Population("lif", (64,), CubaLIF(1024, 128, 60)),
        ),
        (Projection("input", "lif", Dense(2 * rng.integers(-20, 40, (64, 16)).astype(np.int32))),),
    )
    peaks = []
    for samples in (2000, 10_000):
        inputs = (rng.random((samples, 20, 16)) < 0.1).astype(np.uint8)
        paths = [tmp_path / f"{samples}{side}.h5" for side in "ab"]
        for path in paths:
            nd.run(network, inputs, record=("spikes", "u", "v"), out=path)
        a, b = (Recording.load(path) for path in paths)
        tracemalloc.start()
        assert nd.compare(a, b).equal
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    print(f"peak memory {peaks[0] / 2**20:.1f} MiB, {peaks[1] / 2**20:.1f} MiB")
    assert peaks[1] < 100 << 20  # dense, the two recordings take 293 MiB
    assert peaks[1] < 1.1 * peaks[0]


def test_changed_is_seen_in_one_population_only(recordings):
    a, _ = recordings
    result = nd.compare(a, changed(a, "populations/hidden/u", (0, 5, 2), 1 << 20))
    assert [row.exact for row in result.rows] == [True, False, True]
