"""A learned codec around a network: pipelined or gated, in any blocks, the same bytes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neurodeploy as nd
from neurodeploy.audio.enhancement import Denoiser, MaskCodec, MaskFront, enhance_whole, separator
from neurodeploy.errors import InputError
from sim_tests.sound.nets import small_network, small_separator, speechlike
from sim_tests.sound.test_denoise import streamed

NETWORK, CODEC = small_separator()
HOPS = NETWORK.hops("mask")
SOUND = speechlike(2003)


@settings(max_examples=12, deadline=None)
@given(ends=st.lists(st.integers(0, 2003), max_size=9), gated=st.booleans())
def test_a_stream_in_any_blocks_equals_one_run(ends, gated):
    whole = enhance_whole(NETWORK, SOUND, MaskFront(CODEC, HOPS))
    stream = streamed(separator(NETWORK, CODEC, gated), SOUND, ends)
    assert stream.tobytes() == whole.tobytes()
    assert len(whole) == len(SOUND)


def test_every_layer_has_a_say():
    live = separator(NETWORK, CODEC)
    whole = streamed(live, SOUND)
    sent = live.meter.read().messages_per_step
    assert all(
        0.5 < n < NETWORK[name].size for name, n in sent.items() if name not in ("input", "mask")
    )
    for projection in NETWORK.projections:
        others = tuple(p for p in NETWORK.projections if p is not projection)
        without = replace(NETWORK, projections=others)
        if projection.source == projection.target:
            assert (streamed(separator(without, CODEC), SOUND) != whole).any()
        else:  # the layers behind have only their biases
            made = enhance_whole(without, SOUND, MaskFront(CODEC, HOPS))
            assert (made != whole).any(), projection.name


def test_the_formulas():
    """One frame by hand, in NumPy's own words."""
    front = MaskFront(CODEC)
    hops = speechlike(160).reshape(4, 40)
    frames = [np.concatenate(pair) for pair in zip([np.zeros(40), *hops], hops, strict=False)]
    outputs = np.random.default_rng(3).integers(-90000, 90000, (4, 24)).astype(np.int32)
    summed = np.zeros(40 * 5)
    for n, (hop, frame) in enumerate(zip(hops, frames, strict=True)):
        found = front.inputs(hop)
        w = np.maximum(CODEC.encoder @ frame.astype(np.float64) + CODEC.bias, 0)
        expected = 16 * (w - w.mean()) / np.sqrt(w.var() + 1e-5)
        assert np.abs(found - expected).max() <= 0.5 + 1e-6
        assert found.dtype == np.int64
        mask = 1 / (1 + np.exp(-(outputs[n] / 4e4 + CODEC.mask_bias)))
        summed[40 * n : 40 * n + 80] += CODEC.decoder.T @ (w * mask)
        np.testing.assert_allclose(front.sound(outputs[n]), summed[40 * n : 40 * n + 40], atol=1e-6)


def test_latency_and_what_several_chip_steps_cost():
    gated, pipelined = separator(NETWORK, CODEC), separator(NETWORK, CODEC, gated=False)
    assert gated.latency.total_ms == gated.latency.buffer_ms == 5.0
    assert pipelined.latency.network_ms == 12.5
    assert (gated.lag, pipelined.lag) == (40, 240)
    for live in (gated, pipelined):
        live.push(SOUND)
    one, other = gated.meter.read(), pipelined.meter.read()
    assert one.messages_per_step["project"] > 0
    idle = gated.meter.chip["neuron_update_inactive_energy"]
    neurons = sum(
        NETWORK[name].size for name in ("project", "temporal", "adaptive", "readout", "mask")
    )
    # The pipeline still holds messages, which have not cost anything yet.
    waking = neurons * idle + gated.meter.cores * gated.meter.chip["core_step_energy"]
    other_than_idle = one.dynamic_watts - 5 * waking / 0.0025
    assert other_than_idle == pytest.approx(other.dynamic_watts, rel=0.1)
    assert one.neuron_updates_per_second == other.neuron_updates_per_second


def test_silence_nan_and_full_scale():
    live = separator(NETWORK, CODEC)
    silent = streamed(live, np.zeros(800, np.float32))
    assert np.isfinite(silent).all()
    spoilt = SOUND.copy()
    spoilt[400] = np.nan
    spoilt[900] = 7
    live.reset()
    assert np.isfinite(live.push(spoilt)).all()
    reading = live.meter.read()
    assert (reading.dropped, reading.clipped) == (1, 1)


def test_a_codec_through_a_file(tmp_path):
    CODEC.save(tmp_path / "c.npz")
    again = MaskCodec.load(tmp_path / "c.npz")
    assert vars(again).keys() == vars(CODEC).keys()
    for name, value in vars(CODEC).items():
        assert np.array_equal(getattr(again, name), value), name
    assert type(again.gain) is int


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bias": np.zeros(3)}, r"bias has shape \(3,\)"),
        ({"decoder": np.zeros((24, 40))}, "decoder has shape"),
        ({"mask_unit": 0.0}, "mask_unit is '0.0'"),
        ({"encoder": np.full((24, 80), np.nan)}, "encoder is .* or holds NaN"),
        ({"encoder": np.zeros(4)}, "encoder has shape"),
        ({"hop": 0}, "hop is '0'"),
        ({"hop": 81}, "hop is 81"),
        ({"hop": 40.0}, "hop is '40.0'; give one whole number above 0"),
        ({"hop": [40]}, "hop is .*; give one whole number"),
        ({"gain": [16, 16]}, "gain is .*; give one whole number"),
        ({"mask_unit": [1.0, 2.0]}, "mask_unit is .*; give one number"),
        ({"epsilon": -1.0}, "epsilon is '-1.0'; give one number above 0"),
        ({"encoder": np.full((24, 80), 1e200)}, "encoder holds 1e"),
        ({"encoder": None}, "no 'encoder' in it"),
        ({"encoder": np.array([{}], object)}, "damaged, or no archive"),
    ],
)
def test_a_codec_that_is_none(tmp_path, changes, said):
    held = {key: value for key, value in {**vars(CODEC), **changes}.items() if value is not None}
    np.savez(tmp_path / "c.npz", **held)
    with pytest.raises(InputError, match=said) as caught:
        MaskFront(MaskCodec.load(tmp_path / "c.npz"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"not a file of arrays", b"PK\x03\x04"])
def test_a_file_that_is_no_codec(tmp_path, content):
    (tmp_path / "c.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"c\.npz: damaged, or no archive"):
        MaskCodec.load(tmp_path / "c.npz")
    np.save(tmp_path / "c.npy", np.zeros(3))
    for name, said in (("none.npz", "no such file"), ("c.npy", "damaged, or no archive")):
        with pytest.raises(InputError, match=said):
            MaskCodec.load(tmp_path / name)


def test_any_damage_is_said_in_one_line(tmp_path):
    CODEC.save(tmp_path / "c.npz")
    whole = (tmp_path / "c.npz").read_bytes()
    rng, refused = np.random.default_rng(0), []
    for _ in range(150):
        spoilt = bytearray(whole)
        spoilt[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        (tmp_path / "d.npz").write_bytes(spoilt)
        try:
            MaskCodec.load(tmp_path / "d.npz")
        except InputError as error:
            refused.append(str(error))
    assert len(refused) > 75
    assert all("d.npz" in line and "\n" not in line for line in refused)


def test_integer_filters_are_numbers_too():
    whole = replace(CODEC, encoder=np.rint(9 * CODEC.encoder).astype(int))
    assert np.isfinite(streamed(separator(NETWORK, whole), SOUND)).all()


def test_the_meter_adds_up_as_a_profile_does():
    """Of the chip's own neurons; the host's messages cost their way."""
    hops = SOUND[:2000].reshape(-1, 40)
    front, live = MaskFront(CODEC), separator(NETWORK, CODEC, gated=False)
    live.push(SOUND[:2000])
    recording = nd.run(NETWORK, np.stack([front.inputs(hop) for hop in hops]))
    estimate = nd.profile(recording, "loihi2")
    assert live.meter.read().dynamic_watts * 50 * 0.0025 == pytest.approx(
        estimate.dynamic_joules, rel=1e-9
    )


def test_the_wrong_network_is_refused():
    with pytest.raises(InputError, match=r"257 values; .* 24 values at both ends .*its codec"):
        separator(small_network(), CODEC)
    with pytest.raises(InputError, match=r"24 values; .* see --codec"):
        Denoiser(NETWORK)
    with pytest.raises(InputError, match="waits -1 steps"):
        MaskFront(CODEC, -1)


def test_the_network_through_a_file(tmp_path):
    nd.save(NETWORK, tmp_path / "a.net")
    assert nd.load(tmp_path / "a.net") == NETWORK


def test_a_codec_that_is_too_large(tmp_path):
    np.savez_compressed(tmp_path / "c.npz", **{**vars(CODEC), "decoder": np.zeros(1 << 23)})
    with pytest.raises(InputError, match="decoder has shape"):
        MaskCodec.load(tmp_path / "c.npz")
