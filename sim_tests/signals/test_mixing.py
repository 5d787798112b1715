"""Noises have their spectra, and mixtures the ratio and the level that were asked for."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy.audio.mixing import NOISES, PEAK, mix, noise
from neurodeploy.errors import InputError

RATE = 16000
SAMPLES = 1 << 16
SPEECH = np.sin(np.arange(SAMPLES) * 0.05).astype(np.float32) * np.linspace(0, 0.3, SAMPLES)


def rng(seed=0):
    return np.random.default_rng(seed)


def made(kind, samples=SAMPLES, seed=0):
    return noise(kind, samples, rng(seed), rate=RATE, clips=[SPEECH[1000:], SPEECH[::-1][:9999]])


def rms_db(sound):
    return 10 * np.log10(np.mean(np.square(sound, dtype=np.float64)))


@pytest.mark.parametrize("kind", NOISES)
@pytest.mark.parametrize("samples", [1, 2, 999, 1000])
def test_noises_have_the_length_asked_for_and_come_again(kind, samples):
    assert made(kind, samples).shape == (samples,)
    np.testing.assert_array_equal(made(kind, samples), made(kind, samples))
    if samples > 2:
        assert (made(kind, samples, 1) != made(kind, samples)).any()


@pytest.mark.parametrize(("kind", "slope"), [("white", 0), ("pink", -3.01), ("brown", -6.02)])
def test_colours_fall_by_their_dB_an_octave(kind, slope):
    power = np.abs(np.fft.rfft(made(kind))) ** 2
    octaves = [10 * np.log10(power[1 << k : 2 << k].mean()) for k in range(6, 15)]
    fitted = np.polyfit(np.arange(len(octaves)), octaves, 1)[0]
    assert fitted == pytest.approx(slope, abs=0.2)


def test_hum_is_fifty_hertz_and_its_harmonics():
    power = np.abs(np.fft.rfft(noise("hum", RATE, rng(), rate=RATE)))
    assert np.flatnonzero(power > 1).tolist() == list(range(50, 501, 50))
    np.testing.assert_allclose(power[50:501:50], RATE / 2 / np.arange(1, 11), rtol=1e-6)
    low = np.abs(np.fft.rfft(noise("hum", 210, rng(), rate=210)))
    assert np.flatnonzero(low > 1).tolist() == [50, 100]


def test_babble_is_the_sum_of_its_speakers_turned_and_repeated():
    one, two = SPEECH[:500], SPEECH[:300]
    turns = rng(3).integers([500, 300])
    expected = np.resize(np.roll(one, turns[0]), 700) + np.resize(np.roll(two, turns[1]), 700)
    np.testing.assert_array_equal(noise("babble", 700, rng(3), clips=[one, two]), expected)


@pytest.mark.parametrize("kind", NOISES)
@pytest.mark.parametrize("snr", [-5, 0, 17.5])
def test_mixtures_have_their_ratio_and_level(kind, snr):
    noisy, clean = mix(SPEECH, made(kind), snr, level_db=-30)
    assert noisy.dtype == clean.dtype == np.float32
    assert rms_db(noisy) == pytest.approx(-30, abs=1e-3)
    assert rms_db(clean) - rms_db(noisy - clean) == pytest.approx(snr, abs=1e-3)
    scale = np.dot(clean, SPEECH) / np.dot(SPEECH, SPEECH)
    np.testing.assert_allclose(clean, SPEECH * scale, rtol=1e-5)


def test_loud_mixtures_are_scaled_down_and_never_clipped():
    noisy, clean = mix(SPEECH, made("white"), 5, level_db=0)
    assert np.abs(noisy).max() == pytest.approx(PEAK, rel=1e-6)
    quiet, target = mix(SPEECH, made("white"), 5, level_db=-30)
    factor = noisy[-1] / quiet[-1]
    np.testing.assert_allclose(noisy, quiet * factor, atol=1e-6)
    np.testing.assert_allclose(clean, target * factor, atol=1e-6)


def test_16_bit_integers_do_not_wrap():
    ints = np.rint(SPEECH * 32767).astype(np.int16)
    noisy, _ = mix(ints, made("white"), 3)
    np.testing.assert_array_equal(noisy, mix(ints.astype(np.float64), made("white"), 3)[0])


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: noise("purple", 10, rng()), "purple.*white, pink"),
        (lambda: noise("white", 0, rng()), "0 samples"),
        (lambda: noise("hum", 10, rng()), "rate None"),
        (lambda: noise("hum", 10, rng(), rate=100), "above 100"),
        (lambda: noise("babble", 10, rng()), "no speech"),
        (lambda: noise("babble", 10, rng(), clips=[SPEECH, SPEECH[:0]]), "empty clip"),
        (lambda: mix(SPEECH, SPEECH[1:], 0), "65536 samples .*65535"),
        (lambda: mix(SPEECH, np.zeros(SAMPLES), 0), "power of noise is 0"),
        (lambda: mix(SPEECH * np.nan, SPEECH, 0), "power of clean is nan"),
        (lambda: mix(SPEECH, -SPEECH, 0), "power of mixture is 0"),
        (lambda: mix(SPEECH, SPEECH, np.inf), "SNR of inf"),
        (lambda: mix(SPEECH, SPEECH, 0, np.nan), "level of nan"),
        (lambda: mix(SPEECH[:, None], SPEECH, 0), r"shape \(65536, 1\)"),
    ],
)
def test_what_makes_no_mixture_is_refused(call, says):
    with pytest.raises(InputError, match=says):
        call()
