"""Live sound through a pipe, and what a microphone that is not there says."""

from __future__ import annotations

import io

import numpy as np
import pytest

from neurodeploy.audio.encoders.ndns import HOP
from neurodeploy.audio.enhancement import Denoiser, enhance_whole
from neurodeploy.audio.enhancement.live import listen, microphone_blocks, pipe_blocks, to_bytes
from neurodeploy.errors import BackendError, InputError
from sim_tests.sound.nets import small_network, speechlike

NETWORK = small_network()
SOUND = speechlike(8000)


def pipe(sound=SOUND, kind="f32"):
    return io.BytesIO(to_bytes(sound, kind))


def test_what_is_played_is_the_enhanced_sound_later():
    denoiser, played, shown = Denoiser(NETWORK), [], []
    reading = listen(denoiser, pipe_blocks(pipe(), HOP, "f32"), played.append, shown.append, 0)
    made = np.concatenate(played)
    assert len(made) == len(SOUND) + denoiser.lag
    np.testing.assert_array_equal(made[denoiser.lag :], enhance_whole(NETWORK, SOUND))
    assert len(shown) >= 60
    assert [r.blocks for r in shown] == sorted(r.blocks for r in shown)
    assert reading.real_time_factor > 0
    assert reading.worst_ms >= reading.p999_ms >= reading.median_ms > 0
    for word in ("spikes/step", "real-time factor", "worst block", "estimated"):
        assert word in reading.line


def test_blocks_that_were_lost_are_concealed():
    denoiser = Denoiser(NETWORK)
    blocks = [SOUND[:128], None, SOUND[128:256], None]
    assert listen(denoiser, iter(blocks)).dropped == 2


def test_it_stops_in_time():
    played = []
    listen(Denoiser(NETWORK), pipe_blocks(pipe(), HOP, "f32"), played.append, limit_seconds=0.1)
    assert len(np.concatenate(played)) == 1600 + 512


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        (lambda: pipe_blocks(io.BytesIO(b""), HOP), "0 samples came"),
        (
            lambda: pipe_blocks(pipe(), HOP, rate=44100),
            "sampled at 44100 Hz, the network listens at",
        ),
        (lambda: pipe_blocks(pipe(), HOP, "u8"), "unknown; use one of s16, f32"),
    ],
)
def test_what_cannot_be_heard_is_refused(blocks, said):
    with pytest.raises(InputError, match=said):
        listen(Denoiser(NETWORK), blocks())


def test_a_missing_microphone_is_said_in_one_line(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sounddevice", None)
    with pytest.raises(BackendError, match="or pipe raw sound in: arecord"):
        next(microphone_blocks(HOP))


class _Status:
    def __init__(self, overflow):
        self.input_overflow = overflow


def test_a_microphone_hands_over_hops_and_says_what_it_lost(monkeypatch):
    """A stand-in for sounddevice, which calls back as PortAudio does."""

    class InputStream:
        def __init__(self, samplerate, blocksize, channels, dtype, device, callback):
            assert (samplerate, blocksize, channels, dtype) == (16000, 128, 1, "float32")
            self.callback = callback

        def __enter__(self):
            for n in range(3):
                hop = SOUND[128 * n : 128 * (n + 1), None]
                self.callback(hop, 128, None, _Status(n == 1))

        def __exit__(self, *_):
            return None

    class module:
        PortAudioError = OSError

    module.InputStream = InputStream
    monkeypatch.setitem(__import__("sys").modules, "sounddevice", module)
    blocks = microphone_blocks(HOP)
    got = [next(blocks) for _ in range(4)]
    assert got[0] is None
    np.testing.assert_array_equal(np.concatenate(got[1:]), SOUND[: 3 * 128])
