"""The verbs enhance and listen, and run on sound, as a person meets them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile

import neurodeploy as nd
from neurodeploy import cli
from neurodeploy.audio.enhancement import MaskFront, enhance_whole
from neurodeploy.audio.enhancement.live import to_bytes
from sim_tests.sound.nets import small_network, small_separator, speechlike

NETWORK = small_network()
SOUND = speechlike(8000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    nd.save(NETWORK, folder / "a.net")
    soundfile.write(folder / "noisy.wav", SOUND, 16000, subtype="FLOAT")
    soundfile.write(folder / "clean.wav", speechlike(8000, level=0.1), 16000)
    soundfile.write(folder / "stereo.wav", np.stack([SOUND, SOUND], 1), 16000)
    (folder / "noisy.raw").write_bytes(to_bytes(SOUND))
    return folder


@pytest.fixture
def call(capfdbinary, monkeypatch, folder):
    monkeypatch.chdir(folder)

    def call(*arguments):
        with pytest.raises(SystemExit) as stop:
            cli.main([str(a) for a in arguments])
        out, err = capfdbinary.readouterr()
        return stop.value.code, out.decode(), err.decode()

    return call


def test_enhance_writes_the_sound_and_says_what_it_took(call, folder):
    status, out, _ = call("enhance", "a.net", "--input", "noisy.wav", "-o", "out.flac")
    assert status == 0
    for words in ("real-time factor", "latency 40 ms: buffer 32 ms", "network 8 ms", "out.flac"):
        assert words in out
    made, _ = soundfile.read(folder / "out.flac", dtype="float32")
    np.testing.assert_allclose(made, enhance_whole(NETWORK, SOUND), atol=2 / (1 << 15))


def test_enhance_with_a_codec(call, folder):
    network, codec = small_separator()
    nd.save(network, folder / "b.net")
    codec.save(folder / "b.npz")
    whole = enhance_whole(network, SOUND, MaskFront(codec, network.hops("mask")))
    flags = ("--input", "noisy.wav", "-o", "out.wav")
    for more, latency in (((), "latency 5 ms: buffer 5 ms"), (("--pipelined",), "network 12.5 ms")):
        status, out, _ = call("enhance", "b.net", "--codec", "b.npz", *flags, *more)
        assert status == 0
        assert latency in out
        made, _ = soundfile.read(folder / "out.wav", dtype="float32")
        np.testing.assert_allclose(made, np.clip(whole, -1, 1), atol=2 / (1 << 15))
    status, _, err = call("enhance", "b.net", "--codec", "b.npz", "--wait", "1", *flags)
    assert (status, "--wait and --fixed" in err) == (2, True)
    status, _, err = call("enhance", "a.net", "--pipelined", *flags)
    assert (status, "--pipelined is for networks with a --codec" in err) == (2, True)
    status, _, err = call("enhance", "a.net", "--codec", "b.npz", *flags)
    assert (status, err.count("\n"), "its codec was trained with" in err) == (2, 1, True)


def test_listen_with_a_codec(call, folder):
    network, codec = small_separator()
    nd.save(network, folder / "b.net")
    codec.save(folder / "b.npz")
    status, _, err = call(
        "listen", "b.net", "--codec", "b.npz", "--input", "noisy.raw", "-o", "heard.wav"
    )
    assert status == 0, err
    made, _ = soundfile.read(folder / "heard.wav", dtype="float32")
    whole = enhance_whole(network, np.rint(SOUND * 32768) / 32768, MaskFront(codec, 5))
    np.testing.assert_allclose(made[40:], np.clip(whole, -1, 1), atol=2 / (1 << 15))


def test_enhance_measures_against_the_clean_sound(call):
    flags = ["--input", "noisy.wav", "-o", "out.wav", "--clean", "clean.wav", "--wait", "0"]
    status, out, _ = call("enhance", "a.net", *flags, "--json")
    found = json.loads(out)
    assert status == 0
    assert found["samples"] == len(SOUND)
    assert found["reading"]["latency"]["total_ms"] == 32
    assert found["reading"]["power_kind"] == "estimated"
    gained = found["scores"]["si_snr"] - found["scores"]["si_snr_noisy"]
    assert found["scores"]["si_snr_improvement"] == pytest.approx(gained)


def test_listen_works_on_a_pipe(folder):
    """As CI can: raw sound in, raw sound out, the meter on standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "neurodeploy", "listen", "a.net", "-o", "-", "--every", "0"],
        input=to_bytes(SOUND), capture_output=True, cwd=folder, check=False,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    made = np.frombuffer(done.stdout, "<i2") / 32768
    assert len(made) == len(SOUND) + 512
    heard = np.frombuffer(to_bytes(SOUND), "<i2") / np.float32(32768)
    expected = np.clip(enhance_whole(NETWORK, heard), -1, 1)
    np.testing.assert_allclose(made[512:], expected, atol=1 / (1 << 15))
    lines = done.stderr.decode().splitlines()
    assert len(lines) > 50
    assert all("spikes/step" in line for line in lines)


def test_listen_reads_a_raw_file_and_gives_its_reading(call):
    status, out, _ = call("listen", "a.net", "--input", "noisy.raw", "--json", "--seconds", "0.2")
    found = json.loads(out)
    assert status == 0
    assert found["blocks"] == 25 + 4  # and until the last of it is out
    assert found["dropped"] == 0


def test_run_encodes_sound(call, folder):
    flags = ["--input", "noisy.wav", "--encoder", "ndns", "-o", "r.h5"]
    status, out, _ = call("run", "a.net", *flags)
    assert status == 0
    assert "62 steps" in out
    assert nd.Recording.load(folder / "r.h5").steps == 62


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["enhance", "--input", "none.wav", "-o", "o.wav"], "none.wav: no such file"),
        (["enhance", "--input", "stereo.wav", "-o", "o.wav"], "choose --channel 0..1"),
        (["enhance", "--input", "noisy.wav", "-o", "o.mp9"], "cannot write .mp9"),
        (["enhance", "--input", "noisy.wav", "-o", "o.wav", "--wait", "-1"], "waits -1 steps"),
        (["enhance", "--input", "noisy.wav", "-o", "o.wav", "--dnsmos", "x"], "add --clean"),
        (["listen", "--input", "none.raw"], "none.raw: No such file"),
        (["listen", "--input", "noisy.raw", "--rate", "8000"], "the network listens at 16000"),
        (["listen", "--input", "noisy.raw", "-o", "-", "--json"], "both want standard output"),
        (["run", "--input", "noisy.wav", "-o", "r.h5"], "is sound: add --encoder"),
        (["run", "--input", "noisy.wav", "--encoder", "x", "-o", "r.h5"], "encoder 'x': unknown"),
        (["run", "--input", "x.npy", "--rate", "8000", "-o", "r.h5"], "--rate: is for sound files"),
        (["run", "--input", "noisy.wav", "--encoder", "mel", "-o", "r.h5"], "does not fit"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(call, folder, arguments, said):
    status, out, err = call(arguments[0], "a.net", *arguments[1:])
    assert (status, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert not (folder / "o.wav").exists()
