"""The denoiser as a stream: the same bytes as one run, whatever comes and however it is cut."""

from __future__ import annotations

import itertools
import resource
import tracemalloc
import warnings

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

import neurodeploy as nd
from neurodeploy.audio.encoders.ndns import HOP, NdnsDecoder, NdnsEncoder
from neurodeploy.audio.enhancement import (
    Denoiser,
    NdnsFront,
    enhance_file,
    enhance_whole,
    separator,
    si_snr,
)
from neurodeploy.audio.enhancement.denoise import in_time
from neurodeploy.errors import InputError
from neurodeploy.profiling.benchmarks import ndns_proxy
from sim_tests.sound.nets import small_network, small_separator, speechlike

NETWORK = small_network()
SOUND = speechlike(4001)


@pytest.fixture(scope="module")
def intel(cases):
    return nd.load(cases / "ndns" / "network.net")


def cut(sound, ends):
    ends = [0, *sorted(min(end, len(sound)) for end in ends), len(sound)]
    return [sound[a:b] for a, b in itertools.pairwise(ends)]


def streamed(denoiser, sound, ends=()):
    return np.concatenate(list(in_time(denoiser, iter(cut(sound, ends)))))


@pytest.mark.parametrize("fixed", [False, True], ids=["doubles", "integers"])
@settings(max_examples=10, deadline=None)
@given(ends=st.lists(st.integers(0, 4001), max_size=9), wait=st.integers(0, 4))
def test_a_stream_in_any_blocks_equals_one_run(fixed, ends, wait):
    whole = enhance_whole(NETWORK, SOUND, NdnsFront(wait, fixed))
    assert len(whole) == len(SOUND)
    stream = streamed(Denoiser(NETWORK, NdnsFront(wait, fixed)), SOUND, ends)
    assert stream.tobytes() == whole.tobytes()
    assert not np.array_equal(stream, SOUND)


@pytest.mark.parametrize("fixed", [False, True], ids=["doubles", "integers"])
def test_intels_network_streams_to_the_bit(intel, fixed):
    sound = speechlike(16000)
    denoiser = Denoiser(intel, NdnsFront(fixed=fixed))
    stream = streamed(denoiser, sound, range(0, 16000, 777))
    assert stream.tobytes() == enhance_whole(intel, sound, NdnsFront(fixed=fixed)).tobytes()
    assert si_snr(stream, sound) < 40  # it did something
    assert all(denoiser.meter.read().messages_per_step.values())


@pytest.mark.slow
def test_lava_gives_the_same_sound_to_the_bit(intel, lava):
    """60 hops are enough for the longest delay, 62 steps, to be nearly passed."""
    sound = speechlike(80 * HOP)
    ours = enhance_whole(intel, sound)
    theirs = enhance_whole(intel, sound, backend="lava")
    assert ours.tobytes() == theirs.tobytes()
    assert streamed(Denoiser(intel), sound).tobytes() == ours.tobytes()


def test_lava_gives_the_same_sound_of_a_small_network(lava):
    sound = speechlike(20 * HOP)
    ours = enhance_whole(NETWORK, sound)
    assert ours.tobytes() == enhance_whole(NETWORK, sound, backend="lava").tobytes()


def test_slayers_forward_pass_is_the_network_one_step_earlier(intel):
    """Two of three hops were in the layers when it was trained: hence `WAIT` = 1."""
    pytest.importorskip("torch", reason="needs lava-dl (extra lava)")
    pytest.importorskip("lava.lib.dl", reason="needs lava-dl (extra lava)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch and lava-dl, on import
        from benchmarks.lines.sound import slayer_forward

        inputs = NdnsEncoder().encode(speechlike(100 * HOP))
        theirs = slayer_forward(intel, inputs, 1)().numpy()[0].T
    ours = nd.run(intel, inputs, apply_transform=False).output[0] / (1 << 18)
    assert np.ptp(ours) > 0.1
    np.testing.assert_array_equal(ours[1:], theirs[:-1])


def test_the_latency_is_that_of_a_click():
    """With a mask of 1 the sound comes through unchanged, as late as is said."""
    silent = small_network(hidden=1)
    rate = 16000
    for wait in (0, 1, 3):
        denoiser = Denoiser(silent, NdnsFront(wait))
        zero = np.zeros(257, np.int32)
        denoiser._stream.step = lambda x, zero=zero: zero
        click = np.zeros(3000, np.float32)
        click[1001] = 0.5
        made = denoiser.push(click)
        assert made.argmax() == 1001 + denoiser.lag
        # A sample waits for its hop to fill up as well: the window in all.
        latest = denoiser.lag + HOP
        assert denoiser.latency.total_ms == pytest.approx(1e3 * latest / rate)
        np.testing.assert_allclose(
            made[denoiser.lag :], click[: len(made) - denoiser.lag], atol=1e-9
        )


def test_the_meter_counts_what_a_recording_counts(intel):
    sound = speechlike(100 * HOP)
    denoiser = Denoiser(intel, NdnsFront(wait=0))
    denoiser.push(sound)
    recording = nd.run(intel, NdnsEncoder().encode(sound), apply_transform=False)
    reading, profile = denoiser.meter.read(), nd.profile(recording, "loihi2")
    counts = {name: int(recording[name].counts.sum()) for name in recording.names}
    assert {n: round(100 * c) for n, c in reading.messages_per_step.items()} == counts
    assert reading.synops_per_second * 0.8 == pytest.approx(profile.synops)
    assert reading.neuron_updates_per_second * 0.8 == pytest.approx(profile.neuron_updates)
    found = ndns_proxy(profile, 0.008, 0.032)
    assert reading.power_proxy == pytest.approx(found["power_proxy"])
    assert reading.pdp_proxy == pytest.approx(found["pdp_proxy"])
    assert reading.dynamic_watts == pytest.approx(profile.dynamic_joules / 0.8)
    assert reading.watts_low < reading.watts < reading.watts_high


def test_the_decoder_masks_with_what_the_network_sends():
    decoder = NdnsDecoder(wait=0)
    spectrum = np.fft.rfft(np.full(512, 0.25))
    for mask, expected in ((0, 0.25), (-1, 0), (-3, 0), (1, 0.5)):
        decoder.reset()
        out = np.full(257, mask << 18, np.int32)
        sound = np.concatenate([decoder.step(spectrum, out) for _ in range(6)])
        np.testing.assert_allclose(sound[-HOP:], expected, atol=1e-12)


@pytest.mark.parametrize("fixed", [False, True], ids=["doubles", "integers"])
@pytest.mark.parametrize(
    "sound",
    [np.zeros(4000), np.full(4000, 0.7), np.sign(speechlike(4000)), np.full(4000, 1e-6)],
    ids=["silence", "DC", "square at full scale", "a whisper"],
)
def test_extreme_sound_gives_finite_sound(fixed, sound):
    made = streamed(Denoiser(NETWORK, NdnsFront(fixed=fixed)), sound.astype(np.float32))
    assert np.isfinite(made).all()
    if not sound.any():
        assert not made.any()


def test_too_loud_sound_is_cut_off_and_counted():
    denoiser = Denoiser(NETWORK)
    loud = 30 * SOUND
    made = streamed(denoiser, loud)
    assert denoiser.meter.clipped == np.count_nonzero(np.abs(loud) > 1)
    assert made.tobytes() == enhance_whole(NETWORK, np.clip(loud, -1, 1)).tobytes()


def test_a_lost_block_is_concealed_and_counted():
    broken = SOUND.copy()
    broken[1300] = np.nan
    denoiser = Denoiser(NETWORK)
    made = streamed(denoiser, broken)
    assert denoiser.meter.read().dropped == 1
    hop = slice(1300 // HOP * HOP, (1300 // HOP + 1) * HOP)
    repaired = SOUND.copy()
    repaired[hop] = SOUND[hop.start - HOP : hop.start] / 2
    assert made.tobytes() == enhance_whole(NETWORK, repaired).tobytes()
    denoiser.reset()
    assert denoiser.meter.dropped == 0
    denoiser.push(SOUND[:HOP])
    for _ in range(40):  # silence in the end, not the last block for ever
        made = denoiser.drop(HOP)
    assert denoiser.meter.dropped == 40
    assert np.abs(made).max() < 1e-6


def test_another_network_is_refused():
    with pytest.raises(InputError, match="needs a network with 257 values at both ends"):
        Denoiser(nd.Network(NETWORK.populations[:2], NETWORK.projections[:1]))


def test_files_are_enhanced_in_time_and_whole(tmp_path):
    soundfile.write(tmp_path / "a.wav", SOUND, 16000, subtype="FLOAT")
    for block in (1000, 64):
        done = enhance_file(
            Denoiser(NETWORK), tmp_path / "a.wav", tmp_path / "b.wav", block=block, subtype="FLOAT"
        )
        made, rate = soundfile.read(tmp_path / "b.wav", dtype="float32")
        assert (done.samples, rate) == (len(SOUND), 16000)
        np.testing.assert_array_equal(made, enhance_whole(NETWORK, SOUND))
    soundfile.write(tmp_path / "s.wav", np.zeros((50, 2)), 16000)
    with pytest.raises(InputError, match="2 channels"):
        enhance_file(Denoiser(NETWORK), tmp_path / "s.wav", tmp_path / "c.wav")
    assert not (tmp_path / "c.wav").exists()


def _stretch(denoiser, seconds):
    """So many seconds, half a second at a time."""
    block = speechlike(8000)
    for _ in range(2 * seconds):
        denoiser.push(block)


@pytest.mark.parametrize("make", [lambda: Denoiser(NETWORK), lambda: separator(*small_separator())])
def test_memory_stays_flat(make):
    denoiser = make()
    tracemalloc.start()
    try:
        _stretch(denoiser, 3)
        before, _ = tracemalloc.get_traced_memory()
        _stretch(denoiser, 12)
        assert tracemalloc.get_traced_memory()[0] - before < 50_000  # 12 s of sound are 768,000
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_an_hour_stays_flat_and_quick(intel):
    """An hour through Intel's network, by the processor's time of one core."""
    denoiser = Denoiser(intel)
    _stretch(denoiser, 60)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _stretch(denoiser, 3540)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4096  # KiB
    reading = denoiser.meter.read()
    assert reading.seconds == pytest.approx(3600)
    assert reading.processor_factor < 0.1
    assert reading.processor_p999_ms < 8


def test_it_keeps_up(intel):
    """At most a tenth of a core by its own time; the best of three, for machines are shared."""
    denoiser, readings = Denoiser(intel), []
    for _ in range(3):
        denoiser.reset()
        _stretch(denoiser, 5)
        readings.append(denoiser.meter.read())
    assert min(r.processor_factor for r in readings) < 0.1
    assert min(r.processor_p999_ms for r in readings) < 8
    assert readings[0].blocks == 625
