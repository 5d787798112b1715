"""Encoders: cut the stream as you like; both forms against oracles; latencies add up."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neurodeploy as nd
from neurodeploy import network as graph
from neurodeploy.audio.encoders import (
    STFT,
    Chain,
    ConvDecoder,
    ConvEncoder,
    CumulativeDelta,
    Delta,
    DeltaDecoder,
    Gammatone,
    InverseSTFT,
    Latency,
    LatencyDecoder,
    LevelCrossing,
    LevelDecoder,
    MeanDecoder,
    Mel,
    OnOff,
    Rate,
    RateDecoder,
    SigmaDelta,
    encode_file,
    magnitude,
    parse_encoder,
    phase,
    polar,
)
from neurodeploy.audio.encoders.codec import quantized
from neurodeploy.audio.encoders.filterbanks import log2_integer
from neurodeploy.audio.encoders.ndns import NdnsEncoder
from neurodeploy.audio.files import to_pcm16
from neurodeploy.errors import InputError

RNG = np.random.default_rng(1)
SOUND = np.cumsum(RNG.uniform(-0.1, 0.1, 1500))
SOUND *= 0.9 / np.abs(SOUND).max()
WHOLE = to_pcm16(SOUND)
FILTERS = RNG.normal(size=(6, 20))
INTEGERS, SHIFT = quantized(FILTERS)
SPECTRA = {fixed: STFT(64, 16, "hann", fixed).encode(WHOLE if fixed else SOUND) for fixed in (0, 1)}


def sound(fixed):
    return WHOLE if fixed else SOUND


def rows(fixed):
    made = RNG.integers(-300, 1000, (60, 5))
    return made if fixed else made / 1000


SPIKES = RNG.integers(0, 2, (96, 3))
CODERS = {
    "stft": (lambda f: STFT(64, 16, "hann", f), sound),
    "stft-rect": (lambda f: STFT(64, 32, "rect", f), sound),
    "istft": (lambda f: InverseSTFT(64, 16, "hann", f), lambda f: SPECTRA[f]),
    "mel": (lambda f: Mel(bands=8, n_fft=128, hop=32, log=True, fixed=f), sound),
    "gammatone": (lambda f: Gammatone(bands=6, hop=50, fixed=f), sound),
    "ndns": (lambda f: NdnsEncoder(fixed=f), sound),
    "conv": (
        lambda f: ConvEncoder(INTEGERS, 7, shift=SHIFT) if f else ConvEncoder(FILTERS, 7),
        sound,
    ),
    "conv-transpose": (
        lambda f: ConvDecoder(INTEGERS[:5], 7, SHIFT) if f else ConvDecoder(FILTERS[:5], 7),
        rows,
    ),
    "delta": (lambda f: Delta(90 if f else 0.09, f), rows),
    "delta-decoder": (lambda f: DeltaDecoder(3 if f else 0.3, f), rows),
    "sigma-delta": (lambda f: SigmaDelta(1000 if f else 1.0, f), rows),
    "mean-decoder": (lambda f: MeanDecoder(1000, 8, f), lambda f: SPIKES),
    "rate": (lambda f: Rate(1000 if f else 1.0, 7, fixed=f), rows),
    "rate-poisson": (lambda f: Rate(1000 if f else 1.0, 7, 3, f), rows),
    "rate-decoder": (lambda f: RateDecoder(1000 if f else 1.0, 7, f), lambda f: SPIKES),
    "latency": (lambda f: Latency(1000 if f else 1.0, 9, f), rows),
    "latency-decoder": (lambda f: LatencyDecoder(1000 if f else 1.0, 9, f), lambda f: SPIKES),
    "level-crossing": (lambda f: LevelCrossing(70 if f else 0.07, f), rows),
    "level-decoder": (lambda f: LevelDecoder(70 if f else 0.07, f), lambda f: rows(f)[:, :4]),
    "cumulative-delta": (lambda f: CumulativeDelta(70 if f else 0.07, fixed=f), rows),
    "on-off": (lambda f: OnOff(f), rows),
    "chain": (
        lambda f: Chain([Mel(bands=4, n_fft=64, hop=16, log=True, fixed=f), CumulativeDelta(
            60 if f else 0.2, fixed=f)]),
        sound,
    ),
}  # fmt: skip


@pytest.mark.parametrize("fixed", [False, True], ids=["float", "integer"])
@pytest.mark.parametrize("name", CODERS)
@settings(max_examples=12, deadline=None)
@given(cuts=st.lists(st.integers(0, 1500), max_size=12))
def test_any_blocks_give_the_same_bytes(name, fixed, cuts):
    make, given_to = CODERS[name]
    coder, stream = make(fixed), given_to(fixed)
    whole = coder.encode(stream)
    assert len(whole)
    assert whole.dtype.kind == ("i" if fixed or name == "ndns" else whole.dtype.kind)
    coder.reset()
    ends = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    parts = [coder.push(stream[a:b]) for a, b in itertools.pairwise(ends)]
    assert np.concatenate(parts).tobytes() == whole.tobytes()


@pytest.mark.parametrize("name", CODERS)
def test_rows_out_follow_the_ratio(name):
    make, given_to = CODERS[name]
    coder, stream = make(False), given_to(False)
    taken, given_out = coder.ratio
    assert len(coder.encode(stream)) == len(stream) // taken * given_out


def test_spectra_are_those_of_the_definition():
    size, hop = 64, 16
    padded = np.concatenate([np.zeros(size - hop), SOUND])
    waves = np.exp(-2j * np.pi * np.outer(np.arange(33), np.arange(size)) / size)
    hann = np.sin(np.pi * np.arange(size) / size) ** 2
    starts = range(0, len(SOUND) // hop * hop, hop)
    expected = np.array([waves @ (hann * padded[s : s + size]) for s in starts])
    np.testing.assert_allclose(STFT(size, hop, "hann").encode(SOUND), expected, atol=1e-12)


def test_integer_spectra_are_exact_in_whole_numbers():
    """Against Python's own integers, which know no overflow and no order."""
    size, hop = 32, 8
    found = STFT(size, hop, "rect", True).encode(WHOLE[:200])
    padded = [0] * (size - hop) + WHOLE[:200].tolist()
    angle = 2 * np.pi * np.outer(np.arange(17), np.arange(size)) / size
    tables = [np.rint(np.cos(angle) * 2**14), np.rint(-np.sin(angle) * 2**14)]
    for frame in range(len(found)):
        part = padded[frame * hop : frame * hop + size]
        for k in range(17):
            for side, table in enumerate(tables):
                total = sum(int(a) * b for a, b in zip(table[k], part, strict=True))
                assert found[frame, k, side] == (total + (1 << 13)) >> 14


def test_spectra_and_sound_of_torch():
    torch = pytest.importorskip("torch", reason="needs torch (extra lava)")
    window = torch.hann_window(64, dtype=torch.float64)
    padded = torch.tensor(np.concatenate([np.zeros(48), SOUND]))
    theirs = torch.stft(padded, 64, 16, window=window, center=False, return_complex=True)
    np.testing.assert_allclose(SPECTRA[0], theirs.numpy().T, atol=1e-12)


@pytest.mark.parametrize(("name", "hop"), [("rect", 128), ("rect", 512), ("hann", 128)])
def test_overlap_add_gives_the_sound_back(name, hop):
    lag = 512 - hop
    floats = InverseSTFT(512, hop, name).encode(STFT(512, hop, name).encode(SOUND))
    np.testing.assert_allclose(floats[lag:], SOUND[: len(floats) - lag], atol=1e-12)
    whole = InverseSTFT(512, hop, name, True).encode(STFT(512, hop, name, True).encode(WHOLE))
    assert np.abs(whole[lag:] - WHOLE[: len(whole) - lag]).max() <= 4


def test_integer_magnitude_and_phase_of_the_largest_numbers():
    pairs = np.concatenate([SPECTRA[1].reshape(-1, 2), RNG.integers(-(1 << 26), 1 << 26, (999, 2))])
    size = magnitude(pairs, True)
    for (re, im), root in zip(pairs.tolist(), size.tolist(), strict=True):
        assert root**2 <= re * re + im * im < (root + 1) ** 2
    back = polar(size, phase(pairs, True), True)
    assert np.abs(back - pairs).max() <= 2 + 1.5e-4 * size.max()
    np.testing.assert_allclose(polar(magnitude(SPECTRA[0]), phase(SPECTRA[0])), SPECTRA[0])


def test_integer_logarithm():
    values = np.unique(np.concatenate([np.arange(1, 5000), 2 ** np.arange(1, 50), RNG.integers(
        1, 1 << 50, 2000)]))  # fmt: skip
    exact = np.floor(256 * np.log2(values.astype(np.float64)))
    error = log2_integer(values) - exact
    assert set(error.tolist()) <= {0, -1}
    assert (error == 0).mean() > 0.999


def test_both_forms_of_filterbanks_agree():
    for make, scale, allowed in (
        (lambda f: Mel(fixed=f), 1 << 15, 0.01),
        (lambda f: Mel(log=True, fixed=f), 256, 0.002),
        (lambda f: Gammatone(fixed=f), 1 << 15, 0.003),
    ):
        floats, whole = make(False).encode(SOUND) * scale, make(True).encode(WHOLE)
        assert floats.max() > 100
        assert np.abs(floats - whole).max() < allowed * floats.max()


def test_mel_bands_hear_their_own_frequencies():
    mel = Mel(bands=20)
    peaks = mel.weights @ np.eye(257)
    tones = [np.sin(2 * np.pi * f * np.arange(8000) / 16000) for f in (200, 1000, 5000)]
    loudest = [mel.encode(tone)[-1].argmax() for tone in tones]
    assert loudest == sorted(set(loudest))
    for band, f in zip(loudest, (200, 1000, 5000), strict=True):
        centre = peaks[band].argmax() * 16000 / 512
        assert abs(centre - f) < 0.2 * f + 32


def test_gammatone_is_four_poles_in_a_row():
    signal = pytest.importorskip("scipy.signal", reason="needs scipy")
    bank = Gammatone(bands=5, hop=50)
    found = bank.encode(SOUND)
    for band in range(5):
        pole = complex(bank._poles[0, band], bank._poles[1, band])
        out = SOUND.astype(complex)
        for _ in range(4):
            out = signal.lfilter([1 - abs(pole)], [1, -pole], out)
        mean = np.abs(2 * out.real).reshape(-1, 50).mean(axis=1)
        np.testing.assert_allclose(found[:, band], mean, atol=1e-12)
    tone = np.sin(2 * np.pi * bank.centres[2] * np.arange(4000) / 16000)
    assert bank.encode(tone)[-1].argmax() == 2
    assert bank.encode(tone)[-1, 2] == pytest.approx(2 / np.pi, rel=0.03)


def test_the_codec_is_torchs_convolution():
    torch = pytest.importorskip("torch", reason="needs torch (extra lava)")
    bias = RNG.normal(size=6)
    ours = ConvEncoder(FILTERS, 5, bias).encode(SOUND)
    padded = np.concatenate([np.zeros(15), SOUND])
    weight = torch.tensor(FILTERS[:, None])
    theirs = torch.nn.functional.conv1d(torch.tensor(padded)[None], weight, torch.tensor(bias), 5)
    np.testing.assert_allclose(ours, theirs.relu().numpy().T, atol=1e-12)
    back = ConvDecoder(FILTERS, 5).encode(ours)
    whole = torch.nn.functional.conv_transpose1d(torch.tensor(ours.T), weight, stride=5)
    np.testing.assert_allclose(back, whole.numpy().ravel()[: len(back)], atol=1e-10)


def test_the_codec_in_integers_is_near_that_in_floats():
    floats = ConvEncoder(FILTERS, 5).encode(SOUND) * (1 << 15)
    whole = ConvEncoder(INTEGERS, 5, shift=SHIFT).encode(WHOLE)
    assert np.abs(floats - whole).max() < 0.03 * floats.max()
    for wrong, said in (
        (lambda: ConvEncoder(INTEGERS, 5, np.ones(6)), "bias of float64"),
        (lambda: ConvEncoder(FILTERS, 5, shift=2), "it is for integers"),
        (lambda: ConvEncoder(FILTERS[0], 5), r"give \[channels, size\]"),
        (lambda: ConvEncoder(INTEGERS << 40, 5), "leave the exact integers"),
        (lambda: quantized(1e3 * FILTERS), "does not fit 8 bits"),
    ):
        with pytest.raises(InputError, match=said):
            wrong()


def test_delta_sends_what_the_networks_delta_neurons_send():
    values = np.cumsum(RNG.integers(-20, 21, (80, 7)), axis=0)
    net = graph.Network((graph.Population("input", (7,), graph.Delta(17)),), ())
    messages = nd.run(net, values).output[0]
    assert messages.any()
    # x << 12 inside, >> 6 when it leaves.
    np.testing.assert_array_equal(Delta(17, True).encode(values) << 6, messages)


def test_what_decoders_give_back():
    walk = np.cumsum(RNG.integers(-9, 10, (200, 3)), axis=0)
    sent = Delta(25, True).encode(walk)
    assert np.abs(DeltaDecoder(1, True).encode(sent) - walk).max() < 25
    crossed = LevelCrossing(25, True).encode(walk)
    assert np.abs(LevelDecoder(25, True).encode(crossed) - walk).max() < 25
    slow = np.clip(walk, -100, 100)
    tracked = CumulativeDelta(25, False, True).encode(slow)
    followed = DeltaDecoder(25, True).encode(tracked)
    assert np.abs(followed - slow).max() <= 25 + 9
    constant = np.full((400, 1), 300)
    spikes = SigmaDelta(1000, True).encode(constant)
    assert MeanDecoder(1000, 10, True).encode(spikes)[-1, 0] == 300
    for code, back in ((Rate, RateDecoder), (Latency, LatencyDecoder)):
        values = RNG.integers(0, 1001, (50, 4))
        found = back(1000, 21, True).encode(code(1000, 21, fixed=True).encode(values))
        assert np.abs(found - values).max() <= 1000 / 20 / 2 + 1


def test_a_random_rate_is_the_rate():
    spikes = Rate(1000, 5000, seed=4, fixed=True).encode(np.array([[0, 250, 1000, 2000, -5]]))
    assert spikes.mean(axis=0) == pytest.approx([0, 0.25, 1, 1, 0], abs=0.03)


def test_the_earlier_the_louder():
    spikes = Latency(100, 11, True).encode(np.array([[0, 1, 50, 100, 999]]))
    assert spikes.sum(axis=0).tolist() == [0, 1, 1, 1, 1]
    assert spikes[:, 1:].argmax(axis=0).tolist() == [10, 5, 0, 0]


@pytest.mark.parametrize("fixed", [False, True], ids=["float", "integer"])
def test_levels_below_the_floor_are_silent(fixed):
    some = {"bands": 8, "n_fft": 128, "hop": 32, "log": True, "fixed": fixed}
    levels = Mel(**some).encode(sound(fixed))
    floor = int(np.median(levels))
    above = Mel(**some, floor=floor).encode(sound(fixed))
    np.testing.assert_array_equal(above, np.maximum(levels - floor, 0))
    assert 0.2 < np.mean(above == 0) < 0.8
    with pytest.raises(InputError, match="mel: floor -1; give"):
        Mel(**some, floor=-1)


def test_ups_and_downs_part():
    signed = np.array([[1, -1, 0], [-1, 0, 1], [0, 7, -3]])
    apart = OnOff(True).encode(signed)
    assert apart.tolist() == [[1, 0, 0, 0, 1, 0], [0, 0, 1, 1, 0, 0], [0, 7, 0, 0, 0, 3]]


def test_latencies_add_up_along_a_chain():
    chain = Chain([Mel(hop=128, fixed=True), Rate(1000, 8, fixed=True), MeanDecoder(1, 16, True)])
    found = chain.latencies_ms(16000)
    assert list(found) == ["0:mel", "1:rate", "2:mean-decoder"]
    assert list(found.values()) == [32, 0, 16]  # the mean runs at 1000 rows a second
    assert chain.latency_ms(16000) == 48
    assert chain.rate_out(16000) == 1000
    assert Gammatone(hop=160).latency_ms(16000) > 10
    assert STFT(512, 128).latency_ms(16000) == 32
    with pytest.raises(InputError, match="one form"):
        Chain([Mel(), Rate(fixed=True)])


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("ndns", 257),
        ("stft:n_fft=64,hop=16,phases=true", 66),
        ("mel:bands=12,log=true+cumulative-delta:threshold=128", 24),
        ("mel:bands=5,log=true+cumulative-delta:threshold=99,cumulative=false+on-off", 10),
        ("gammatone:bands=9+delta:threshold=40", 9),
        ("mel:bands=6+level-crossing:threshold=500", 12),
    ],
)
def test_named_encoders_read_files(tmp_path, text, width):
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(tmp_path / "a.wav", SOUND, 16000)
    found = encode_file(tmp_path / "a.wav", text)
    assert found.dtype == np.int64
    assert found.shape[1] == width
    assert found.any()


def test_filters_of_a_file(tmp_path):
    np.savez(tmp_path / "w.npz", weight=INTEGERS)
    coder = parse_encoder(f"conv:weights={tmp_path / 'w.npz'},stride=5,shift={SHIFT}", 16000)
    np.testing.assert_array_equal(
        coder.encode(WHOLE), ConvEncoder(INTEGERS, 5, shift=SHIFT).encode(WHOLE)
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mfcc", "unknown; there are ndns, stft, mel"),
        ("mel:bands", "not understood; it takes rate, bands"),
        ("mel:bands=x", "is no number"),
        ("mel:bands=400", "hold no frequency"),
        ("mel:low=9000", "edges 9000..8000"),
        ("gammatone:low=9000", "centres 9000..7200"),
        ("delta", "needs threshold"),
        ("delta:threshold=0", "number above 0"),
        ("delta:threshold=0.5", "whole number above 0"),
        ("rate:steps=0", "at least 1 steps"),
        ("stft:n_fft=100", "power of two"),
        ("stft:hop=100", "does not divide"),
        ("stft:window=kaiser", "use rect or hann"),
        ("conv:weights=none.npz,stride=2", "none.npz: no such file"),
    ],
)
def test_encoders_are_refused_in_one_line(text, said):
    with pytest.raises(InputError, match=said) as error:
        parse_encoder(text, 16000)
    assert "\n" not in str(error.value)


def test_the_integer_form_takes_integers():
    with pytest.raises(InputError, match="give integers"):
        Mel(fixed=True).encode(SOUND)
    coder = Delta(2, True)
    coder.push(np.ones((2, 3), int))
    with pytest.raises(InputError, match="4 columns after 3"):
        coder.push(np.ones((2, 4), int))
