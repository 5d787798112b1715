"""Measures of speech against their definitions and their packages."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy.audio.enhancement import dnsmos, pesq, scores, si_snr, stoi
from neurodeploy.errors import BackendError, InputError
from sim_tests.sound.nets import speechlike

CLEAN = speechlike(32000)
NOISE = np.random.default_rng(3).standard_normal(32000)


def at(snr):
    """The clean sound with so many dB above noise that has nothing in common with it."""
    clean = CLEAN - CLEAN.mean(dtype=np.float64)
    noise = NOISE - NOISE.mean()
    noise -= (noise @ clean) / (clean @ clean) * clean
    return clean + noise * np.sqrt(clean @ clean / (noise @ noise) / 10 ** (snr / 10))


@pytest.mark.parametrize("snr", [-5, 0, 12.5, 40])
def test_si_snr_is_the_ratio_whatever_the_scale_and_the_mean(snr):
    for scale, shift in ((1, 0), (7, 0), (-0.1, 3)):
        assert si_snr(scale * at(snr) + shift, CLEAN) == pytest.approx(snr, abs=1e-6)


def test_si_snr_at_the_ends():
    assert si_snr(CLEAN, CLEAN) > 100
    assert si_snr(np.zeros(32000) + NOISE, np.arange(32000) % 2) < -20
    with pytest.raises(InputError, match="silent"):
        si_snr(CLEAN, np.zeros(32000))
    with pytest.raises(InputError, match="one length"):
        si_snr(CLEAN[1:], CLEAN)


def test_stoi_rises_with_the_ratio():
    pytest.importorskip("pystoi", reason="needs pystoi: pip install '.[audio-metrics]'")
    found = [stoi(at(snr), CLEAN, 16000) for snr in (-10, 0, 10, 30)]
    assert found == sorted(found)
    assert found[-1] > 0.95 > 0.8 > found[0]


def test_pesq_says_what_it_cannot_measure():
    pytest.importorskip("pesq", reason="needs pesq: pip install '.[audio-metrics]'")
    with pytest.raises(InputError, match="resample to 8000 or 16000"):
        pesq(CLEAN, CLEAN, 44100)
    with pytest.raises(InputError, match="some seconds of speech"):
        pesq(np.zeros(16000), np.zeros(16000), 16000)
    assert pesq(CLEAN, CLEAN, 16000) > 4 > 2.5 > pesq(at(0), CLEAN, 16000)


def test_missing_packages_are_named(monkeypatch):
    for name in ("pystoi", "pesq", "onnxruntime"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    for call in (
        lambda: stoi(CLEAN, CLEAN, 16000),
        lambda: pesq(CLEAN, CLEAN, 16000),
        lambda: dnsmos(CLEAN, 16000, "none.onnx"),
    ):
        with pytest.raises(BackendError, match=r"not installed; pip install .*audio-metrics"):
            call()
    found = scores(at(0), at(10), CLEAN, 16000)
    assert set(found) == {"si_snr_noisy", "si_snr", "si_snr_improvement"}
    assert found["si_snr_improvement"] == pytest.approx(10, abs=1e-6)


def test_a_file_that_is_not_the_net_is_refused(tmp_path):
    pytest.importorskip("onnxruntime", reason="needs onnxruntime (extra audio-metrics)")
    (tmp_path / "a.onnx").write_bytes(b"nothing")
    with pytest.raises(InputError, match="not the DNSMOS net"):
        dnsmos(CLEAN, 16000, tmp_path / "a.onnx")
    with pytest.raises(InputError, match="at 16000 Hz"):
        dnsmos(CLEAN, 8000, tmp_path / "a.onnx")
