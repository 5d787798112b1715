"""Sound files and pipes: read whole or refused in one line, in blocks of any size."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodeploy.audio.files import AudioReader, mended, read_audio, read_pcm, to_pcm16, write_audio
from neurodeploy.errors import FormatError, InputError

RATE = 16000
SOUND = np.random.default_rng(0).uniform(-0.9, 0.9, 10_000).astype(np.float32)


def write(path, sound=SOUND, rate=RATE, **how):
    soundfile.write(path, sound, rate, **how)
    return path


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_files_come_back_to_the_16_bit(tmp_path, suffix):
    with write_audio(tmp_path / f"a{suffix}", RATE) as put:
        for first in range(0, len(SOUND), 999):
            put(SOUND[first : first + 999])
    back, rate = read_audio(tmp_path / f"a{suffix}")
    assert rate == RATE
    # libsndfile scales by 2^15 - 1 or 2^15 and rounds.
    assert np.abs(back - SOUND).max() < 2 / (1 << 15)
    np.testing.assert_array_equal(to_pcm16(back) / np.float32(1 << 15), back)


def test_ogg_comes_back_about_the_same(tmp_path):
    tone = np.sin(np.arange(RATE) * 0.2).astype(np.float32) / 2
    with write_audio(tmp_path / "a.ogg", RATE) as put:
        put(tone)
    back, _ = read_audio(tmp_path / "a.ogg")
    assert len(back) == len(tone)
    assert np.corrcoef(back, tone)[0, 1] > 0.99


@settings(max_examples=20, deadline=None)
@given(size=st.integers(1, 12_000))
def test_blocks_of_any_size_are_the_same_sound(size, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "blocks.wav"
    if not path.exists():
        write(path, subtype="FLOAT")
    with AudioReader(path) as reader:
        blocks = list(reader.blocks(size))
    assert all(len(block) == size for block in blocks[:-1])
    np.testing.assert_array_equal(np.concatenate(blocks), SOUND)


@pytest.mark.parametrize("size", [1, 37, 4096, 100_000])
def test_resampling_does_not_depend_on_blocks(tmp_path, size):
    pytest.importorskip("soxr", reason="needs soxr: pip install '.[audio]'")
    tone = np.sin(2 * np.pi * 440 * np.arange(8000) / 8000).astype(np.float32) / 2
    path = write(tmp_path / "a.wav", tone, 8000, subtype="FLOAT")
    whole, rate = read_audio(path, RATE)
    assert rate == RATE
    assert len(whole) == 16000
    true = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000) / 2
    assert np.abs(whole - true)[500:-500].max() < 1e-3
    with AudioReader(path, RATE) as reader:
        np.testing.assert_array_equal(np.concatenate(list(reader.blocks(size))), whole)


def test_another_rate_without_soxr_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "soxr", None)
    with pytest.raises(InputError, match="sampled at 8000 Hz where 16000 Hz are needed"):
        AudioReader(write(tmp_path / "a.wav", rate=8000), RATE)


def test_stereo_needs_a_choice(tmp_path):
    both = np.stack([SOUND, -SOUND / 2], axis=1)
    path = write(tmp_path / "a.wav", both, subtype="FLOAT")
    with pytest.raises(InputError, match=r"2 channels where one is needed; choose --channel 0..1"):
        read_audio(path)
    np.testing.assert_array_equal(read_audio(path, channel=1)[0], both[:, 1])
    np.testing.assert_array_equal(read_audio(path, channel="mix")[0], both.mean(axis=1))
    for wrong in (2, -1, "left"):
        with pytest.raises(InputError, match="no channel"):
            read_audio(path, channel=wrong)


def test_what_is_no_whole_sound_is_refused_in_one_line(tmp_path):
    whole = write(tmp_path / "a.wav")
    cut = tmp_path / "cut.wav"
    cut.write_bytes(whole.read_bytes()[:-500])
    (tmp_path / "no.wav").write_bytes(b"not a sound at all")
    (tmp_path / "nothing.wav").write_bytes(b"")
    flac = write(tmp_path / "a.flac")
    flac_cut = tmp_path / "cut.flac"
    flac_cut.write_bytes(flac.read_bytes()[: flac.stat().st_size // 2])
    for path, said in (
        (tmp_path / "none.wav", "no such file"),
        (cut, "cut short, 19544 of 20044 bytes are there"),
        (tmp_path / "no.wav", "not a sound file"),
        (tmp_path / "nothing.wav", "not a sound file"),
        (write(tmp_path / "empty.wav", SOUND[:0]), "0 samples"),
        (flac_cut, "give a whole file"),
    ):
        with pytest.raises(InputError, match=said) as error:
            read_audio(path)
        assert "\n" not in str(error.value)


def test_a_wav_of_unknown_length_as_pipes_write_it_is_read(tmp_path):
    data = bytearray(write(tmp_path / "a.wav").read_bytes())
    data[4:8] = struct.pack("<I", 0xFFFFFFFF)
    (tmp_path / "b.wav").write_bytes(data)
    np.testing.assert_array_equal(
        read_audio(tmp_path / "b.wav")[0], read_audio(tmp_path / "a.wav")[0]
    )


def test_nan_is_read_as_zero_and_counted_and_so_is_clipping(tmp_path):
    sound = SOUND.copy()
    sound[[5, 77]] = np.nan, np.inf
    sound[100:103] = 1.0, -1.0, 2.5
    with AudioReader(write(tmp_path / "a.wav", sound, subtype="FLOAT")) as reader:
        back = reader.read()
    assert (reader.bad, reader.clipped) == (2, 3)
    sound[[5, 77]] = 0
    np.testing.assert_array_equal(back, sound)
    assert mended(SOUND)[0] is SOUND


def test_a_sound_file_is_written_whole_or_not_at_all(tmp_path):
    def break_off():
        with write_audio(tmp_path / "a.wav", RATE) as put:
            put(SOUND)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        break_off()
    assert not list(tmp_path.iterdir())
    for name, error in (("a.mp9", InputError), ("none/a.wav", FormatError)):
        with pytest.raises(error), write_audio(tmp_path / name, RATE):
            pass


def test_too_loud_sound_is_clipped_not_wrapped(tmp_path):
    with write_audio(tmp_path / "a.wav", RATE) as put:
        put(np.array([1.5, -1.5, 0.0]))
    back, _ = read_audio(tmp_path / "a.wav")
    assert back[0] > 0.999
    assert back[1] == -1
    np.testing.assert_array_equal(
        to_pcm16(np.array([1.5, -1.5, 0.25])), [(1 << 15) - 1, -(1 << 15), 1 << 13]
    )


@pytest.mark.parametrize("kind", ["s16", "f32"])
def test_raw_samples_from_a_pipe(kind):
    whole = to_pcm16(SOUND)
    raw = whole.astype("<i2") if kind == "s16" else SOUND.astype("<f4")
    expected = whole / np.float32(1 << 15) if kind == "s16" else SOUND
    blocks = list(read_pcm(io.BytesIO(raw.tobytes() + b"\x01"), 128, kind))
    assert len(blocks[0]) == 128
    np.testing.assert_array_equal(np.concatenate(blocks), expected)
    stereo = np.stack([raw, raw[::-1]], axis=1)
    (left,) = read_pcm(io.BytesIO(stereo.tobytes()), 20_000, kind, 2, 1)
    np.testing.assert_array_equal(left, expected[::-1])
    for how, said in ((("u8",), "unknown"), ((kind, 2), "2 channels"), ((kind, 0), "0 channels")):
        with pytest.raises(InputError, match=said):
            list(read_pcm(io.BytesIO(raw.tobytes()), 128, *how))
